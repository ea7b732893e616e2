"""The experiment designer: what a study would show, from the agency's own past, before any plan exists; for those who may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, CrimeType, User
from forecasting.models import ForecastRun, RiskSurface
from ingestion.models import Incident
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import Mission, MissionPlan
from tactics import experiment_inputs as experiment_inputs_module
from tactics.experiment import experiment_answer, experiment_choices, tenths_words
from tactics.experiment_inputs import experiment_inputs
from tactics.models import Inquiry
from tactics.services import inquiries as inquiry_services
from tactics.services import inquiry_answer, inquiry_ask
from tests.factories import make_agency, make_grid, make_member
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
ASKED = {
    "k": "2",
    "days": "91",
    "types": ["robbery", "burglary"],
    "dose_min": "10",
    "dose_max": "16",
    "carried_out": "80",
}


@pytest.fixture
def past(db: None, monkeypatch: Any) -> PastWeeks:
    # A sixth of the usual stretch: what is planned again is the same, in less time.
    monkeypatch.setattr(experiment_inputs_module, "STRETCH_DAYS", 14)
    return make_past(days=18, shifts=2)


def address(name: str = "design", slug: str = "riverton") -> str:
    return reverse(f"tactics:{name}", args=[slug])


def answered(past: PastWeeks) -> Inquiry:
    types = list(CrimeType.objects.filter(agency=past.agency))
    query = QueryDict(mutable=True)
    for name, value in ASKED.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    choices = experiment_choices(query, crime_types=types, policy=None)
    inquiry = inquiry_ask(agency=past.agency, kind=Inquiry.Kind.EXPERIMENT, choices=choices.as_json())
    return inquiry_answer(inquiry=inquiry)


def test_every_crime_of_the_stretch_is_counted_once_in_its_shift_and_box(past: PastWeeks) -> None:
    newest = Incident.objects.filter(agency=past.agency).order_by("-occurred_from")[0].occurred_from
    inputs = experiment_inputs(past.agency, crime_types=past.types, now=newest + dt.timedelta(days=2))
    assert inputs.history.harm.shape == (len(inputs.history.day), len(inputs.grid))
    assert (inputs.history.harm > 0).all()
    for row in past.types:
        values = inputs.crime[row.slug]
        assert values.shape == inputs.history.harm.shape
        assert 0 < values.sum() <= Incident.objects.filter(agency=past.agency, crime_type=row).count()
    assert sum(inputs.crimes.values()) == sum(int(values.sum()) for values in inputs.crime.values())
    assert inputs.forecasts > 0


def test_before_any_plan_forecast_or_model_a_plain_count_says_where_missions_would_go(
    past: PastWeeks,
) -> None:
    now = Incident.objects.filter(agency=past.agency).latest("occurred_from").occurred_from + dt.timedelta(
        days=1
    )
    Mission.objects.all().delete()
    MissionPlan.objects.all().delete()
    RiskSurface.objects.all().delete()
    ForecastRun.objects.all().delete()
    inputs = experiment_inputs(past.agency, crime_types=past.types, now=now)
    assert inputs.forecasts == 0
    assert (inputs.history.harm[0] > 0).all()
    # What the plain count knows ends where the stretch begins: every shift has the same.
    assert (inputs.history.harm == inputs.history.harm[0]).all()


def test_an_agency_without_incidents_is_told_what_to_do(db: None) -> None:
    agency = make_agency()
    with pytest.raises(MissionsError, match="no active grid"):
        experiment_inputs(agency, crime_types=list(CrimeType.objects.filter(agency=agency)))
    make_grid(agency)
    with pytest.raises(MissionsError, match="import incidents first"):
        experiment_inputs(agency, crime_types=list(CrimeType.objects.filter(agency=agency)))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"k": "0"}, "from 1 to 8"),
        ({"k": "²"}, "from 1 to 8"),
        ({"days": "99999999999"}, "from 7 to 1096"),
        ({"types": ["arson"]}, "no active crime type"),
        ({"dose_min": "20", "dose_max": "10"}, "swap"),
    ],
)
def test_choices_that_make_no_sense_are_refused_with_the_next_step(
    past: PastWeeks, sign_in: SignIn, owner_of: Callable[[Agency], User], more: dict[str, Any], words: str
) -> None:
    client = sign_in(owner_of(past.agency))
    for answer in (client.get(address(), ASKED | more), client.post(address(), ASKED | more)):
        assert answer.status_code == 400
        assert words in answer.content.decode()
    assert client.get(address("design_chart"), ASKED | more).status_code == 400
    assert not Inquiry.objects.exists()


@pytest.fixture
def owner_of() -> Callable[[Agency], User]:
    return lambda agency: make_member(agency, "admin")


def test_a_link_with_the_same_choices_shows_the_same_answer_to_others(
    past: PastWeeks, sign_in: SignIn
) -> None:
    inquiry = answered(past)
    assert inquiry.status == RunStatus.SUCCEEDED
    for role in ("supervisor", "auditor", "analyst", "admin"):
        client = sign_in(make_member(past.agency, role))
        page = client.get(address(), ASKED)
        text = page.content.decode()
        assert page.status_code == 200
        assert "With 2 boxes per beat and shift and three months you would show" in text
        assert "The net effect" in text
        assert ("Make this a study" in text) == (role in ("analyst", "admin"))
        chart = client.get(address("design_chart"), ASKED)
        assert chart["Content-Type"] == "image/svg+xml"
        assert b"<svg" in chart.content
    other = client.get(address(), ASKED | {"k": "3"})
    assert "Not worked out yet" in other.content.decode()
    assert client.get(address("design_chart"), ASKED | {"k": "3"}).status_code == 404


def test_the_same_question_has_the_same_answer_and_longer_studies_show_more(past: PastWeeks) -> None:
    first = answered(past)
    again = experiment_answer(past.agency, first.choices)
    assert again == first.answer
    rows = [
        row for row in again["options"] if row["k"] == 2 and len(row["types"]) == 2 and row["dose_min"] == 10
    ]
    found = [row["detectable"] for row in sorted(rows, key=lambda row: row["days"])]
    assert found == sorted(found, reverse=True)
    assert all(row["detectable"] <= row["net_detectable"] + 1e-9 for row in rows)


def test_analysts_ask_and_supervisors_read(past: PastWeeks, sign_in: SignIn, monkeypatch: Any) -> None:
    sent: list[int] = []
    monkeypatch.setattr("tactics.inquiry_pages.inquiry_task.delay_on_commit", sent.append)
    supervisor = sign_in(make_member(past.agency, "supervisor"))
    assert supervisor.post(address(), ASKED).status_code == 302
    assert not Inquiry.objects.exists()
    analyst = sign_in(make_member(past.agency, "analyst"))
    answer = analyst.post(address(), ASKED)
    assert answer.url.startswith(f"{address()}?k=2&days=91&types=robbery&types=burglary")
    analyst.post(address(), ASKED)
    inquiry = Inquiry.objects.get()
    assert sent == [inquiry.pk, inquiry.pk]
    page = analyst.get(answer.url).content.decode()
    assert "Waiting for the worker" in page
    live = reverse("tactics:inquiry_live", args=["riverton", inquiry.pk])
    assert "HX-Refresh" not in analyst.get(live)
    inquiry_answer(inquiry=inquiry)
    assert analyst.get(live)["HX-Refresh"] == "true"
    assert Inquiry.objects.get().requested_by is not None


def test_a_question_that_cannot_be_answered_says_why(past: PastWeeks, sign_in: SignIn) -> None:
    Incident.objects.all().delete()
    with pytest.raises(MissionsError):
        answered(past)
    page = sign_in(make_member(past.agency, "analyst")).get(address(), ASKED)
    assert "import incidents first" in page.content.decode()


def test_officers_strangers_and_nobody_do_not_see_it(past: PastWeeks, sign_in: SignIn) -> None:
    inquiry = answered(past)
    stranger = make_member(make_agency("lakeside"), "admin")
    pages = [(address(), ASKED), (address("design_chart"), ASKED)]
    pages.append((reverse("tactics:inquiry_live", args=["riverton", inquiry.pk]), {}))
    for page, query in pages:
        assert sign_in(None).get(page, query).status_code == 302
        assert sign_in(stranger).get(page, query).status_code == 404
        assert sign_in(make_member(past.agency, "officer")).get(page, query).status_code == 403
    there = reverse("tactics:inquiry_live", args=["lakeside", inquiry.pk])
    assert sign_in(stranger).get(there).status_code == 404


def test_the_page_costs_eight_queries(
    past: PastWeeks, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    answered(past)
    client = sign_in(make_member(past.agency, "analyst"))
    client.get(address(), ASKED)
    with django_assert_max_num_queries(8):
        client.get(address(), ASKED)


def test_old_answers_are_let_go(past: PastWeeks, monkeypatch: Any) -> None:
    monkeypatch.setattr(inquiry_services, "KEPT", 3)
    for k in range(6):
        inquiry_ask(agency=past.agency, kind=Inquiry.Kind.EXPERIMENT, choices={"k": k})
    assert [row.choices["k"] for row in Inquiry.objects.all()] == [5, 4, 3]


def test_chances_are_told_as_studies_of_ten() -> None:
    assert [tenths_words(p) for p in (0.99, 0.8, 0.31, 0.05)] == [
        "nearly every study",
        "8 of 10 studies",
        "3 of 10 studies",
        "fewer than 1 of 10 studies",
    ]
