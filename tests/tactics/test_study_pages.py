"""The studies' pages: who may do what, what they say, and what leaves them as files."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, CrimeType, User
from missions_project.lib.runs import RunStatus
from tactics.models import ImpactReport, ImpactStudy
from tactics.services import impact_report_execute, report_queue, study_create, study_freeze
from tactics.studies import pages as study_pages
from tests.factories import make_member
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
SOON = timezone.localdate() + dt.timedelta(days=7)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Analyses handed to the worker."""
    found: list[int] = []
    monkeypatch.setattr(study_pages.impact_report_task, "delay_on_commit", found.append)
    return found


@pytest.fixture
def past() -> PastWeeks:
    return make_past(days=5, per_shift=60)


def reported(past: PastWeeks, **fields: Any) -> ImpactStudy:
    values: dict[str, Any] = {
        "name": "Planted", "question": "Do missions prevent crime?", "crime_types": [one.pk for one in past.types],
        "first": past.first, "last": past.last, "minimum_detectable": 0.1, "minimum_basis": "test", "draws": 99,
    }  # fmt: skip
    study = study_create(agency=past.agency, actor=None, **(values | fields))
    study_freeze(study=study, actor=make_member(past.agency, "analyst"))
    study.refresh_from_db()
    impact_report_execute(report=report_queue(study=study))
    study.refresh_from_db()
    return study


def at(agency: Agency, name: str, *arguments: Any) -> str:
    return reverse(f"tactics:{name}", args=[agency.slug, *arguments])


def answers(agency: Agency, **changed: Any) -> dict[str, Any]:
    values = {
        "name": "Evenings", "question": "Do missions prevent burglary?", "first": SOON.isoformat(),
        "last": (SOON + dt.timedelta(days=60)).isoformat(), "window_hours": "8", "stop_at_next_draw": "on", "estimand": "missions",
        "family": "main", "confidence": "0.95", "draws": "199", "settle_days": "14",
        "crime_types": [CrimeType.objects.get(agency=agency, slug="burglary").pk],
    }  # fmt: skip
    return values | changed


def test_an_empty_list_says_why_and_what_to_do(agency: Agency, owner: User, sign_in: SignIn) -> None:
    text = sign_in(owner).get(at(agency, "studies")).content.decode()
    assert "No study yet" in text
    assert "set up a study" in text
    assert 'aria-current="page">Studies' in text


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("analyst", 200, 200),
        ("admin", 200, 200),
        ("supervisor", 200, 403),
        ("auditor", 200, 403),
        ("officer", 403, 403),
    ],
)
def test_roles_read_and_write_as_they_may(
    agency: Agency, sign_in: SignIn, role: str, reads: int, writes: int
) -> None:
    study = study_create(
        agency=agency, actor=None, name="One", question="Do they?", first=SOON, last=SOON, minimum_detectable=0.2,
        crime_types=[CrimeType.objects.filter(agency=agency)[0].pk],
    )  # fmt: skip
    client = sign_in(make_member(agency, role))
    assert client.get(at(agency, "studies")).status_code == reads
    assert client.get(at(agency, "study", study.pk)).status_code == reads
    assert client.get(at(agency, "study_new")).status_code == writes
    for name in ("study_freeze", "study_cancel", "study_power", "study_run", "study_stop"):
        answer = client.post(at(agency, name, study.pk), {"reason": "x"})
        assert answer.status_code == (302 if writes == 200 else writes), name


def test_another_agencys_study_does_not_exist(past: PastWeeks, stranger: User, sign_in: SignIn) -> None:
    study = reported(past)
    client = sign_in(stranger)
    for slug in ("riverton", "lakeside"):
        for name in (
            "study",
            "study_status",
            "effect_chart",
            "report_json",
            "report_csv",
            "report_html",
            "study_edit",
        ):
            assert client.get(reverse(f"tactics:{name}", args=[slug, study.pk])).status_code == 404, name


def test_a_study_is_set_up_worked_out_and_frozen(past: PastWeeks, sign_in: SignIn, sent: list[int]) -> None:
    client = sign_in(make_member(past.agency, "analyst"))
    answer = client.post(at(past.agency, "study_new"), answers(past.agency), follow=True)
    study = ImpactStudy.objects.get(name="Evenings")
    assert "How small an effect it could show is not known yet" in answer.content.decode()
    client.post(at(past.agency, "study_freeze", study.pk))
    study.refresh_from_db()
    assert study.state == ImpactStudy.State.DRAFT
    (report_id,) = sent
    impact_report_execute(report=ImpactReport.objects.get(pk=report_id))
    page = client.get(at(past.agency, "study", study.pk)).content.decode()
    assert "This study could show an effect of" in page
    page = client.post(at(past.agency, "study_freeze", study.pk), follow=True).content.decode()
    study.refresh_from_db()
    assert study.state == ImpactStudy.State.FROZEN
    assert study.design_hash in page
    assert "No figures before its end" in page
    assert "Pre-registered" in page
    again = client.post(
        at(past.agency, "study_edit", study.pk), answers(past.agency, question="Another?"), follow=True
    )
    assert "nothing of it can be changed" in again.content.decode()
    study.refresh_from_db()
    assert study.question == "Do missions prevent burglary?"


def test_a_draft_is_changed_and_its_smallest_effect_forgotten(
    past: PastWeeks, sign_in: SignIn, sent: list[int]
) -> None:
    client = sign_in(make_member(past.agency, "analyst"))
    client.post(at(past.agency, "study_new"), answers(past.agency, minimum_percent="20"))
    study = ImpactStudy.objects.get(name="Evenings")
    assert study.minimum_detectable == 0.2
    assert sent == []
    form = client.get(at(past.agency, "study_edit", study.pk)).content.decode()
    assert "Do missions prevent burglary?" in form
    client.post(at(past.agency, "study_edit", study.pk), answers(past.agency, window_hours="4"))
    study.refresh_from_db()
    assert (study.window_hours, study.minimum_detectable) == (4.0, None)
    assert len(sent) == 1


def test_answers_that_do_not_fit_are_named(agency: Agency, owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    text = client.post(
        at(agency, "study_new"), answers(agency, last="2020-01-01", crime_types=[])
    ).content.decode()
    assert "must not be before the first" in text
    assert "This field is required" in text
    client.post(at(agency, "study_new"), answers(agency, minimum_percent="20"))
    text = client.post(at(agency, "study_new"), answers(agency)).content.decode()
    assert "study of this name already" in text


def test_a_report_is_one_sentence_a_picture_the_design_the_table_and_the_checks(
    past: PastWeeks, sign_in: SignIn
) -> None:
    study = reported(past)
    client = sign_in(make_member(past.agency, "auditor"))
    text = client.get(at(past.agency, "study", study.pk)).content.decode()
    report = study.reports.get()
    order = [
        report.sentence.split(":")[0],
        "effect.svg",
        study.design_hash,
        "Net effect of the plan",
        "What it rests on",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    for words in ("Hájek", "AIPW", "verlap-weighted", "Fisher test", "Weighted displacement difference", "By crime type", "By district",
                  "per ten minutes", "Drawn minutes", "Balance", "Carried out", "preceding week", "before the drawn start"):  # fmt: skip
        assert words in text, words
    assert "Freeze for good" not in text
    chart = client.get(at(past.agency, "effect_chart", study.pk))
    assert chart["Content-Type"] == "image/svg+xml"
    assert chart.content.startswith(b"<?xml")
    listed = client.get(at(past.agency, "studies")).content.decode()
    assert report.get_verdict_display() in listed


def test_the_files_hold_what_the_page_shows(past: PastWeeks, sign_in: SignIn) -> None:
    study = reported(past, name="=cmd")
    client = sign_in(make_member(past.agency, "supervisor"))
    data = json.loads(client.get(at(past.agency, "report_json", study.pk)).content)
    assert data["design_hash"] == study.design_hash
    assert data["figures"] == study.reports.get().figures
    assert data["specification"]["question"] == study.question
    answer = client.get(at(past.agency, "report_csv", study.pk))
    rows = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert any(row.startswith("Share of crime prevented,net,") for row in rows)
    assert any("fisher" in row for row in rows)
    for line in (past.agency.name, f"times in {past.agency.time_zone}", "Model: ", "Generated at "):
        assert any(row.startswith("# ") and line in row for row in rows), line
    assert {"agency", "period", "time_zone", "model", "generated_at"} <= set(data)
    answer = client.get(at(past.agency, "report_html", study.pk))
    text = answer.content.decode()
    assert "attachment" in answer["Content-Disposition"]
    for line in (
        past.agency.name,
        past.agency.time_zone,
        f"Model: {data['model']}",
        "Written ",
        f"{past.last:%Y}",
    ):
        assert line in text, line
    assert "data:image/svg+xml;base64," in text
    assert "@media print" in text
    # Nothing is loaded from anywhere: no address, no script.
    for loads in ("<script", "<link", 'src="/', 'href="/', "http://", "url("):
        assert loads not in text.replace("http://www.w3.org", ""), loads


def test_a_cancelled_study_stays_in_the_list_with_its_reason(past: PastWeeks, sign_in: SignIn) -> None:
    client = sign_in(make_member(past.agency, "analyst"))
    client.post(at(past.agency, "study_new"), answers(past.agency, minimum_percent="20"))
    study = ImpactStudy.objects.get(name="Evenings")
    client.post(at(past.agency, "study_cancel", study.pk), {"reason": ""})
    study.refresh_from_db()
    assert study.state == ImpactStudy.State.DRAFT
    client.post(at(past.agency, "study_cancel", study.pk), {"reason": "The unit was disbanded."})
    text = client.get(at(past.agency, "studies")).content.decode()
    assert "The unit was disbanded." in text


def test_a_failed_analysis_says_what_happened(past: PastWeeks, sign_in: SignIn) -> None:
    study = reported(past)
    ImpactReport.objects.create(
        agency=past.agency, study=study, first=past.first, last=past.last, seed=1, status=RunStatus.FAILED,
        error="The worker died. Next step: start it again.",
    )  # fmt: skip
    text = (
        sign_in(make_member(past.agency, "analyst")).get(at(past.agency, "study", study.pk)).content.decode()
    )
    assert "The worker died. Next step: start it again." in text
    # The report that counts is still there.
    assert "Net effect of the plan" in text


def test_the_moving_part_reloads_the_page_when_it_is_done(past: PastWeeks, sign_in: SignIn) -> None:
    study = reported(past)
    client = sign_in(make_member(past.agency, "analyst"))
    assert client.get(at(past.agency, "study_status", study.pk))["HX-Refresh"] == "true"
    report = report_queue(study=study)
    answer = client.get(at(past.agency, "study_status", study.pk))
    assert "HX-Refresh" not in answer
    assert "waiting for a worker" in answer.content.decode()
    client.post(at(past.agency, "study_stop", study.pk))
    report.refresh_from_db()
    assert report.status == RunStatus.FAILED


def test_the_pages_queries_do_not_grow(past: PastWeeks, sign_in: SignIn) -> None:
    study = reported(past)
    client = sign_in(make_member(past.agency, "analyst"))

    def count(name: str, *arguments: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(at(past.agency, name, *arguments)).status_code == 200
        return len(queries)

    # Session, person and membership are three of them.
    assert count("studies") == 5
    assert count("study", study.pk) == 5
    reported(past, name="Second", seed=0)
    impact_report_execute(report=report_queue(study=study))
    assert count("studies") == 5
    assert count("study", study.pk) == 5


def test_a_post_needs_its_token(past: PastWeeks) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_member(past.agency, "analyst"), backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.post(at(past.agency, "study_new"), answers(past.agency)).status_code == 403
