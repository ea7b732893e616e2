"""The Tactics page: catalogue with evidence, use, compliance, and a comparison that promises no more than it can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, CrimeType, Unit, User
from ingestion.models import Feed, Incident
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from patrols.models import Mission
from patrols.services import engagement_record
from tactics import tactics_page
from tactics.engine.trials import Comparison
from tactics.models import Tactic, TacticDraw, TacticPolicy, TacticUpdate
from tactics.services import (
    starter_catalogue_create,
    tactic_update_make,
    tactic_updates_due,
    tactic_use_record,
)
from tactics.tactics_page import PairLine, tactics_report
from tactics.trial_inputs import trial_inputs, window_counts
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene, make_forecast, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
LATER = dt.datetime(2026, 4, 20, tzinfo=dt.UTC)
DATES = {"from": ON.isoformat(), "to": ON.isoformat()}


@pytest.fixture
def scene(db: None) -> Scene:
    made = make_scene()
    starter_catalogue_create(agency=made.agency)
    return made


def crime_at(
    agency: Agency, mission: Mission, spec: object, *, minutes: float, crime_type: CrimeType
) -> None:
    lon, lat = spec.centres_lonlat()  # type: ignore[attr-defined]
    at = int(spec.index_of([mission.cell_id])[0])  # type: ignore[attr-defined]
    when = mission.starts_at + dt.timedelta(minutes=minutes)
    feed, _ = Feed.objects.get_or_create(
        agency=agency, slug="rms", defaults={"name": "RMS", "record_kind": "incidents"}
    )
    Incident.objects.create(
        agency=agency, feed=feed, external_id=f"{mission.pk}-{minutes}-{crime_type.pk}", crime_type=crime_type,
        occurred_from=when, occurred_to=when, reported_at=when, lon=float(lon[at]), lat=float(lat[at]),
        content_hash=1000 * mission.pk + int(minutes),
    )  # fmt: skip


def test_crimes_are_counted_in_the_box_the_window_and_the_type(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    mission = plan.missions.filter(source="drawn").earliest("pk")
    other = CrimeType.objects.filter(agency=scene.agency).exclude(pk=mission.crime_type_id).earliest("pk")
    for minutes, crime_type in ((0, mission.crime_type), (479, mission.crime_type), (480, mission.crime_type),
                                (-1, mission.crime_type), (30, other)):  # fmt: skip
        crime_at(scene.agency, mission, scene.spec, minutes=minutes, crime_type=crime_type)
    inputs = trial_inputs(scene.agency, first=ON, last=ON, window_hours=8.0, until=LATER)
    row = list(inputs.draw_ids).index(TacticDraw.objects.get(mission=mission).pk)
    assert inputs.trial.crimes[row] == 2
    assert inputs.trial.crimes.sum() == 2
    assert inputs.trial.expected[row] == pytest.approx(mission.expected)
    assert len(inputs.trial) == plan.missions.filter(source="drawn").count() - inputs.left_out
    early = trial_inputs(scene.agency, first=ON, last=ON, window_hours=8.0, until=plan.period_from)
    assert len(early.trial) == 0


def test_a_drawn_tactic_keeps_its_short_name(scene: Scene) -> None:
    scene.plan(publish=True)
    draw = TacticDraw.objects.filter(agency=scene.agency).earliest("pk")
    tactic, old = draw.tactic, draw.tactic.slug
    tactic.name = "Another name"
    tactic.full_clean()
    tactic.slug = "another-short-name"
    with pytest.raises(ValidationError, match="stored under its short name"):
        tactic.full_clean()
    # Whoever changes the database itself is told what to do, in place of an error page.
    Tactic.objects.filter(pk=tactic.pk).update(slug="another-short-name")
    with pytest.raises(MissionsError, match=f"another-short-name.*its old one again:.*{old}"):
        trial_inputs(scene.agency, first=ON, last=ON, window_hours=8.0, until=LATER)


def test_windows_are_half_open_and_places_do_not_run_into_each_other() -> None:
    counts = window_counts(
        place=np.array([0, 0, 1, 1]), outside=np.array([False, False, False, True]),
        at_s=np.array([100, 200, 100, 150]), wanted=np.array([0, 1, -1, 2, 0]),
        from_s=np.array([100, 0, 0, 0, 101]), length_s=100,
    )  # fmt: skip
    assert counts.tolist() == [1, 0, 0, 0, 1]


def test_use_and_compliance_are_counted(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    unit = Unit.objects.filter(agency=scene.agency).earliest("pk")
    officer = make_member(scene.agency, "officer", unit=unit)
    followed, not_followed = TacticDraw.objects.filter(mission__plan=plan).order_by("pk")[:2]
    for draw, ticks in ((followed, True), (not_followed, False)):
        start = draw.mission.starts_at
        visit = engagement_record(
            mission=draw.mission, unit=unit, officer=None, arrived_at=start,
            left_at=start + dt.timedelta(minutes=15), source="timer",
        )  # fmt: skip
        if ticks:
            use = tactic_use_record(
                engagement=visit,
                tactic=draw.tactic,
                is_used=True,
                officer=officer,
                at=start + dt.timedelta(minutes=20),
            )
            assert use is not None
            assert use.was_recommended
    report = tactics_report(scene.agency, ON, ON, now=LATER)
    assert (report.missions_visited, report.missions_followed, report.share_followed) == (2, 1, 50.0)
    line = next(row for row in report.lines if row.tactic == followed.tactic)
    assert (line.visits, line.minutes) == (1, 15.0)
    assert report.missions_drawn == TacticDraw.objects.count()


def test_a_tactic_other_than_the_drawn_one_was_not_recommended(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    draw = TacticDraw.objects.filter(mission__plan=plan).earliest("pk")
    other = next(slug for slug in draw.probabilities if slug != draw.tactic.slug)
    start = draw.mission.starts_at
    officer = make_member(scene.agency, "supervisor")
    visit = engagement_record(
        mission=draw.mission, unit=Unit.objects.filter(agency=scene.agency).earliest("pk"), officer=None,
        arrived_at=start, left_at=start + dt.timedelta(minutes=9), source="timer",
    )  # fmt: skip
    use = tactic_use_record(
        engagement=visit,
        tactic=scene.agency.tactic_set.get(slug=other),
        is_used=True,
        officer=officer,
        at=start,
    )
    assert use is not None
    assert not use.was_recommended


def test_the_page_says_what_it_cannot_show_and_never_that_there_is_no_effect(
    scene: Scene, sign_in: SignIn
) -> None:
    scene.plan(publish=True)
    client = sign_in(make_member(scene.agency, "analyst"))
    address = reverse("tactics:catalogue", args=[scene.agency.slug])
    page = client.get(address, DATES).content.decode()
    assert "Too few crimes" in page
    assert "Not tested by itself" in page
    assert "31 % less property crime than expected" in page
    assert "no effect." not in page
    assert "No map layer tells what is" in page
    assert (
        "Nothing to compare yet"
        in client.get(address, {"from": "2020-01-01", "to": "2020-02-01"}).content.decode()
    )
    assert client.get(address, {"from": "2026-01-01", "to": "2020-02-01"}).status_code == 400


def test_the_verdict_follows_the_always_valid_interval() -> None:
    def verdict(low: float, high: float) -> str:
        return PairLine(
            "Walk", "Car", Comparison(0, 1, 9, 30, 30, 0.8, 0.1, low, high, low, high), 20.0, 4
        ).verdict

    assert verdict(0.6, 0.95) == "Fewer crimes after walk: shown."
    assert verdict(1.1, 1.95) == "More crimes after walk: shown."
    assert verdict(0.6, 1.05) == "Not shown."
    assert "Too few crimes" in verdict(np.nan, np.nan)


def test_only_those_who_see_plans_see_the_page(scene: Scene, sign_in: SignIn) -> None:
    address = reverse("tactics:catalogue", args=[scene.agency.slug])
    for role in ("supervisor", "analyst", "admin", "auditor"):
        assert sign_in(make_member(scene.agency, role)).get(address).status_code == 200
    assert sign_in(make_member(scene.agency, "officer")).get(address).status_code == 403
    assert sign_in(make_member(make_agency("lakeside"), "admin")).get(address).status_code == 404
    assert sign_in(None).get(address).status_code == 302


def test_the_queries_do_not_grow_with_the_missions(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    with CaptureQueriesContext(connection) as queries:
        report = tactics_report(scene.agency, ON, ON, now=LATER)
    assert report.compared == plan.missions.count() == 12
    assert len(queries) <= 24
    with CaptureQueriesContext(connection) as again:
        assert tactics_report(scene.agency, ON, ON, now=LATER).pairs
    assert len(again) < len(queries)


def test_adaptive_draws_are_told_batch_by_batch_and_each_mission_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = scene.agency
    assert tactic_updates_due(now=LATER) == []
    TacticPolicy.objects.create(agency=agency, method="adaptive", batch_days=7)
    plan = scene.plan(publish=True)
    now = timezone.now()
    soon = now + dt.timedelta(days=6)
    assert tactic_updates_due(now=soon) == []
    assert tactic_update_make(agency=agency, now=soon) is None
    due = now + dt.timedelta(days=8)
    assert tactic_updates_due(now=due) == [agency.pk]
    mission = plan.missions.filter(source="drawn").earliest("pk")
    crime_at(agency, mission, scene.spec, minutes=10, crime_type=mission.crime_type)
    update = tactic_update_make(agency=agency, now=due)
    assert update is not None
    draw = TacticDraw.objects.get(mission=mission)
    assert (draw.counted_in, draw.counted_crimes) == (update, 1)
    assert update.totals[mission.crime_type.slug][draw.tactic.slug]["crimes"] == 1.0
    assert update.n_missions == TacticDraw.objects.exclude(counted_in=None).count() > 0
    assert tactic_update_make(agency=agency, now=due) is None
    later = tactic_update_make(agency=agency, now=due + dt.timedelta(days=7))
    assert later is not None
    assert (later.number, later.n_missions, later.totals) == (2, 0, update.totals)
    sent: list[int] = []
    monkeypatch.setattr(pipeline.tactic_update_task, "delay", sent.append)
    TacticUpdate.objects.update(made_at=timezone.now() - dt.timedelta(days=30))
    assert pipeline.tactics_due() == 1
    assert sent == [agency.pk]


def test_four_weeks_are_counted_and_a_year_is_compared_unless_dates_are_asked_for(scene: Scene) -> None:
    scene.plan(publish=True)
    month = dt.timedelta(days=30)
    later = tactics_report(scene.agency, ON + month, ON + 2 * month, now=LATER, since=ON)
    assert (later.missions_drawn, later.compared, later.since) == (0, 12, ON)
    asked = tactics_report(scene.agency, ON + month, ON + 2 * month, now=LATER)
    assert (asked.compared, asked.since) == (0, ON + month)


def test_of_too_many_missions_the_newest_are_compared_and_the_page_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_day = make_forecast(scene.agency, scene.grid, scene.shift, ON + dt.timedelta(days=1))
    for one in (scene, replace(scene, run=next_day)):
        plan = one.plan(publish=True)
        # Drawn one after the other, as in an agency that plans each day.
        TacticDraw.objects.filter(mission__plan=plan).update(drawn_at=plan.period_from)
    last = ON + dt.timedelta(days=1)
    both = tactics_report(scene.agency, ON, last, now=LATER)
    assert not both.is_shortened
    newest = TacticDraw.objects.filter(mission__plan__on=last).count()
    monkeypatch.setattr(tactics_page, "COMPARED_AT_MOST", newest)
    short = tactics_report(scene.agency, ON, last, now=LATER)
    assert short.is_shortened
    assert short.compared_from == last
    assert 0 < short.compared < both.compared
    # Counts are of all.
    assert short.missions_drawn == both.missions_drawn
