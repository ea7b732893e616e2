"""Curves of the time until the next crime: both arms from the drawn start, visits apart and labelled; for those who may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from agencies.models import CrimeType, User
from missions_project.demo.planted import Truth
from missions_project.lib.errors import MissionsError
from tactics.curves import curve_choices
from tactics.models import ImpactStudy, Inquiry
from tactics.services import inquiry_answer, inquiry_ask
from tests.factories import make_agency, make_member
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def past(db: None) -> PastWeeks:
    return make_past(
        days=8, shifts=2, per_shift=60.0, truth=Truth(prevented=0.9, displaced=0.0, complied=1.0)
    )


def asked(past: PastWeeks) -> dict[str, Any]:
    return {"from": past.first.isoformat(), "to": past.last.isoformat(), "types": ["robbery", "burglary"]}


def answered(past: PastWeeks) -> Inquiry:
    query = QueryDict(mutable=True)
    for name, value in asked(past).items():
        query.setlist(name, value if isinstance(value, list) else [value])
    choices = curve_choices(query, crime_types=list(CrimeType.objects.filter(agency=past.agency)))
    return inquiry_answer(
        inquiry=inquiry_ask(agency=past.agency, kind=Inquiry.Kind.CURVES, choices=choices.as_json())
    )


def page(slug: str = "riverton") -> str:
    return reverse("tactics:curves", args=[slug])


def test_missions_that_prevent_nearly_all_hold_the_drawn_boxes_curve_down(past: PastWeeks) -> None:
    answer = answered(past).answer
    assert answer is not None
    drawn, others = answer["fair"]
    assert drawn["boxes"] > 100
    assert drawn["share"][-1] < 0.6 * others["share"][-1]
    assert sum(one["boxes"] for one in answer["stays"]) > 0


def test_the_page_shows_both_pictures_with_tables_and_the_warning(past: PastWeeks, sign_in: SignIn) -> None:
    answered(past)
    for role in ("supervisor", "analyst", "admin", "auditor"):
        client = sign_in(make_member(past.agency, role))
        text = client.get(page(), asked(past)).content.decode()
        assert "Descriptive" in text
        assert "immortal time" in text
        assert "Minutes since the drawn start" in text
        for which in ("fair", "stays"):
            chart = client.get(reverse("tactics:curves_chart", args=["riverton", which]), asked(past))
            assert chart["Content-Type"] == "image/svg+xml"
            assert b"Descriptive" in chart.content or b"<svg" in chart.content
    assert (
        client.get(reverse("tactics:curves_chart", args=["riverton", "other"]), asked(past)).status_code
        == 404
    )
    assert "Not worked out yet" in client.get(page(), asked(past) | {"types": ["robbery"]}).content.decode()


def test_a_study_shows_its_own_curves(past: PastWeeks, sign_in: SignIn, monkeypatch: Any) -> None:
    study = ImpactStudy.objects.create(
        agency=past.agency, name="Spring", question="Do they?", crime_types=[row.pk for row in past.types],
        first=past.first, last=past.last,
    )  # fmt: skip
    part = reverse("tactics:study_curves", args=["riverton", study.pk])
    picture = reverse("tactics:study_curves_chart", args=["riverton", study.pk])
    sent: list[int] = []
    monkeypatch.setattr("tactics.inquiry_pages.inquiry_task.delay_on_commit", sent.append)
    supervisor = sign_in(make_member(past.agency, "supervisor"))
    assert "Not worked out yet" in supervisor.get(part).content.decode()
    assert supervisor.get(picture).status_code == 404
    supervisor.post(part)
    assert sent == []
    analyst = sign_in(make_member(past.agency, "analyst"))
    assert analyst.post(part).url == reverse("tactics:study", args=["riverton", study.pk])
    inquiry_answer(inquiry=Inquiry.objects.get(pk=sent[0]))
    assert picture in analyst.get(part).content.decode()
    assert b"<svg" in analyst.get(picture).content
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    for name in ("study_curves", "study_curves_chart"):
        assert stranger.get(reverse(f"tactics:{name}", args=["riverton", study.pk])).status_code == 404
        assert stranger.get(reverse(f"tactics:{name}", args=["lakeside", study.pk])).status_code == 404


def test_a_period_without_plans_says_why(past: PastWeeks) -> None:
    query = QueryDict("from=2020-01-01&to=2020-02-01")
    choices = curve_choices(query, crime_types=past.types)
    with pytest.raises(MissionsError, match="No plan was published"):
        inquiry_answer(
            inquiry=inquiry_ask(agency=past.agency, kind=Inquiry.Kind.CURVES, choices=choices.as_json())
        )


@pytest.mark.parametrize(
    "query",
    [
        {"from": "soon"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "2001-01-01", "to": "2026-01-01"},
        {"types": "arson"},
    ],
)
def test_choices_that_make_no_sense_get_a_plain_answer(
    past: PastWeeks, sign_in: SignIn, query: dict[str, str]
) -> None:
    client = sign_in(make_member(past.agency, "analyst"))
    assert client.get(page(), query).status_code == 400
    assert client.get(reverse("tactics:curves_chart", args=["riverton", "fair"]), query).status_code == 400


def test_officers_strangers_and_nobody_do_not_see_it(past: PastWeeks, sign_in: SignIn) -> None:
    for address in (page(), reverse("tactics:curves_chart", args=["riverton", "fair"])):
        assert sign_in(None).get(address).status_code == 302
        assert (
            sign_in(make_member(make_agency(f"lake{len(address)}"), "admin")).get(address).status_code == 404
        )
        assert sign_in(make_member(past.agency, "officer")).get(address).status_code == 403


def test_the_page_costs_seven_queries(
    past: PastWeeks, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    answered(past)
    client = sign_in(make_member(past.agency, "analyst"))
    client.get(page(), asked(past))
    with django_assert_max_num_queries(7):
        client.get(page(), asked(past))
