"""The dosage page: what was recommended, what was delivered, what is on record; for those who may see plans."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re

import pytest
from django.db.models import Value
from django.db.models.functions import Concat
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from agencies.models import Beat, Unit
from patrols.dosage import BoxMinutes, dosage_report, minutes_on_record
from patrols.models import Mission, MissionPlan, Presence, PresenceAccount
from patrols.services import engagement_record, presence_count
from tests.factories import make_member, make_user
from tests.patrols.scenes import ON, Scene, make_scene
from tests.patrols.test_presence_is_counted_after_shifts import MINUTE, account_of, call, drive

pytestmark = pytest.mark.django_db
LATER = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
DATES = {"from": ON.isoformat(), "to": ON.isoformat()}


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    """Three missions with a record: by vehicle and timer, by timer, by a timer that nobody stopped; and passing cars."""
    plan = scene.plan(publish=True)
    missions = list(plan.missions.order_by("number"))
    unit, other = Unit.objects.filter(agency=scene.agency)[:2]
    start = plan.period_from + 10 * MINUTE
    drive(scene, unit, missions[0].cell_id, start, 12)
    free = next(c for c in scene.spec.cells.tolist() if c not in {m.cell_id for m in missions})
    drive(scene, unit, free, start + 60 * MINUTE, 20)
    for mission, by, length in ((missions[0], unit, 15), (missions[1], other, 8), (missions[2], other, None)):
        begun = start if mission != missions[2] else start + 30 * MINUTE
        engagement_record(
            mission=mission, unit=by, officer=None, arrived_at=begun,
            left_at=begun + length * MINUTE if length else None, source="timer",
        )  # fmt: skip
    presence_count(account=account_of(plan))
    return plan


def test_the_report_adds_up_whichever_way_it_is_cut(scene: Scene, plan: MissionPlan) -> None:
    report = dosage_report(scene.agency, ON, ON, now=LATER)
    total = report.total
    assert total.missions == plan.missions.count()
    assert total.recommended == sum(m.dose_minutes * len(m.visit_starts) for m in plan.missions.all())
    assert total.recorded == 3
    assert {s: round(m, 2) for s, m in total.by_source.items()} == {
        "avl": 12,
        "timer": 11,
        "cad": 0,
        "manual": 0,
    }
    assert total.recorded_by_source == {"avl": 1, "timer": 3, "cad": 0, "manual": 0}
    assert total.passive == pytest.approx(20.0)
    for _, lines in report.groups:
        for name in ("missions", "recorded", "recommended", "delivered"):
            assert sum(getattr(line, name) for line in lines) == pytest.approx(getattr(total, name))
    assert sum(line.passive or 0 for line in report.beats) == pytest.approx(20.0)
    assert [line.passive for line in report.crime_types] == [None] * len(report.crime_types)
    assert (report.ended_shifts, report.counted_shifts, report.waiting_shifts) == (1, 1, 0)


def test_a_shift_that_is_not_over_has_no_missing_records(scene: Scene, plan: MissionPlan) -> None:
    report = dosage_report(scene.agency, ON, ON, now=plan.period_to - MINUTE)
    assert (report.total.missions, report.total.delivered, report.total.share_recorded) == (0, 0, None)


def test_withdrawn_missions_are_left_out_and_counted_apart(scene: Scene, plan: MissionPlan) -> None:
    first = plan.missions.order_by("number")[0]
    Mission.objects.filter(pk=first.pk).update(withdrawn_at=timezone.now())
    report = dosage_report(scene.agency, ON, ON, now=LATER)
    assert (report.withdrawn, report.total.recorded) == (1, 2)
    assert report.total.by_source["avl"] == 0


def test_shifts_that_wait_to_be_counted_are_said(scene: Scene, plan: MissionPlan, client: Client) -> None:
    Presence.objects.all().delete()
    PresenceAccount.objects.all().delete()
    assert dosage_report(scene.agency, ON, ON, now=LATER).waiting_shifts == 1
    client.force_login(make_member(scene.agency, "supervisor"))
    page = client.get(reverse("patrols:dosage", args=["riverton"]), DATES)
    assert "The one shift that ended is not counted yet: its missions" in page.content.decode()


@pytest.mark.parametrize(("with_passive", "queries"), [(True, 7), (False, 4)])
def test_the_report_costs_seven_queries(
    scene: Scene, plan: MissionPlan, with_passive: bool, queries: int, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(queries):  # type: ignore[operator]
        dosage_report(scene.agency, ON, ON, now=LATER, with_passive=with_passive)


def test_the_tables_show_every_line_as_the_report_has_it(
    scene: Scene, plan: MissionPlan, client: Client
) -> None:
    Beat.objects.filter(agency=scene.agency).update(code=Concat(Value("<"), "code"))
    report = dosage_report(scene.agency, ON, ON, now=LATER)
    client.force_login(make_member(scene.agency, "analyst"))
    page = client.get(reverse("patrols:dosage", args=["riverton"]), DATES).content.decode()
    for line in (*report.beats, *report.shifts):
        row = page.split(f'<th scope="row">{escape(line.name)}</th>')[1].split("</tr>")[0]
        found = re.findall(r'<td class="num">([^<]*)</td>', row)
        assert len(found) == 6 + len(line.by_source)
        assert (found[0], found[2]) == (f"{line.missions:,}", f"{math.floor(line.recommended + 0.5):,}")
        assert found[-1] == f"{math.floor((line.passive or 0) + 0.5):,}"


def test_completeness_is_told_by_source_week_beat_shift_and_crime_type(
    scene: Scene, plan: MissionPlan, client: Client
) -> None:
    report = dosage_report(scene.agency, ON, ON, now=LATER)
    assert [line.name for line in report.weeks] == [(ON - dt.timedelta(days=ON.weekday())).isoformat()]
    n = plan.missions.count()
    for _, lines in report.record_groups:
        assert sum(line.missions for line in lines) == n
        assert [sum(line.records_in_order[k][0] for line in lines) for k in range(4)] == [1, 3, 0, 0]
    client.force_login(make_member(scene.agency, "analyst"))
    page = client.get(reverse("patrols:completeness", args=["riverton"]), DATES).content.decode()
    assert f"3 of {n} missions ({300 / n:.1f} %)" in page
    sheet = client.get(reverse("patrols:completeness_csv", args=["riverton"]), DATES)
    text = b"".join(sheet.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert {row["by"] for row in rows} == {"all", "week_of", "beat", "shift", "crime_type"}
    assert (rows[0]["missions_with_record"], rows[0]["missions_without_record"]) == ("3", str(n - 3))
    assert (rows[0]["missions_with_timer"], rows[0]["missions_with_cad"]) == ("3", "0")


def test_the_plan_page_shows_what_is_on_record_beside_planned_minutes_and_draws_without_it(
    scene: Scene, plan: MissionPlan
) -> None:
    day = dt.timedelta(days=1)
    later = MissionPlan(agency=scene.agency, on=ON + day, grid=plan.grid, period_from=plan.period_from + day)
    first = plan.missions.order_by("number")[0]
    passed = Presence.objects.filter(mission__isnull=True).order_by("-minutes")[0]
    found = minutes_on_record(scene.agency, later, [first.cell_id, passed.cell_id], 7)
    assert found[first.cell_id].delivered == pytest.approx(15.0)
    assert found[passed.cell_id] == BoxMinutes(delivered=0.0, passive=pytest.approx(20.0))
    # The plan's own shift is not over: nothing of it is told.
    assert minutes_on_record(scene.agency, plan, [first.cell_id], 7) == {}


def test_dispatch_records_without_a_unit_are_told(scene: Scene, plan: MissionPlan, client: Client) -> None:
    cell = plan.missions.order_by("number")[0].cell_id
    unit = Unit.objects.filter(agency=scene.agency)[0]
    for code in (unit.call_sign, "", "NOBODY"):
        call(scene, cell, plan.period_from + 200 * MINUTE, 5, unit_code=code)
    presence_count(account=account_of(plan))
    client.force_login(make_member(scene.agency, "analyst"))
    page = client.get(reverse("patrols:completeness", args=["riverton"]), DATES).content.decode()
    assert "Of 3 directed patrols in the dispatch records, 2 do not name a unit" in page


@pytest.mark.parametrize("role", ["supervisor", "analyst", "admin", "auditor"])
def test_those_who_see_plans_see_the_page_the_chart_and_the_file(
    scene: Scene, plan: MissionPlan, client: Client, role: str
) -> None:
    client.force_login(make_member(scene.agency, role))
    page = client.get(reverse("patrols:dosage", args=["riverton"]), DATES)
    assert page.status_code == 200
    assert "Missions with any record" in page.content.decode()
    chart = client.get(reverse("patrols:dosage_chart", args=["riverton"]), DATES)
    assert chart["Content-Type"] == "image/svg+xml"
    assert b"<svg" in chart.content
    sheet = client.get(reverse("patrols:dosage_csv", args=["riverton"]), DATES)
    text = b"".join(sheet.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert (rows[0]["by"], float(rows[0]["avl_minutes"]), float(rows[0]["timer_minutes"])) == (
        "all",
        12.0,
        11.0,
    )
    assert {row["by"] for row in rows} == {"all", "beat", "shift", "crime_type"}


def test_officers_strangers_and_nobody_do_not(scene: Scene, plan: MissionPlan, client: Client) -> None:
    stranger = make_member(make_scene("lakeside").agency, "admin")
    for name in ("dosage", "dosage_chart", "dosage_csv", "completeness", "completeness_csv"):
        address = reverse(f"patrols:{name}", args=["riverton"])
        client.logout()
        assert client.get(address).status_code == 302
        for person, status in (
            (stranger, 404),
            (make_user(), 404),
            (make_member(scene.agency, "officer"), 403),
        ):
            client.force_login(person)
            assert client.get(address).status_code == status


def test_dates_that_make_no_sense_get_a_plain_answer(scene: Scene, client: Client) -> None:
    client.force_login(make_member(scene.agency, "analyst"))
    for name in ("dosage", "dosage_chart", "dosage_csv", "completeness", "completeness_csv"):
        address = reverse(f"patrols:{name}", args=["riverton"])
        for dates in (
            {"from": "2026-03-02", "to": "2026-03-01"},
            {"from": "soon"},
            {"from": "2001-01-01", "to": "2026-01-01"},
        ):
            assert client.get(address, dates).status_code == 400


def test_an_empty_period_says_so(scene: Scene, client: Client) -> None:
    client.force_login(make_member(scene.agency, "analyst"))
    page = client.get(reverse("patrols:dosage", args=["riverton"]), DATES)
    assert "No missions of shifts that have ended" in page.content.decode()
    assert client.get(reverse("patrols:dosage_chart", args=["riverton"]), DATES).status_code == 200
