"""Open boards: the mark that they ask for, what each shows, filters, decisions during the shift, comparison, costs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import Unit, User
from patrols.board import LATE, mission_rows, mission_state
from patrols.board_selectors import shift_before, units_on_duty
from patrols.capacity_selectors import capacities
from patrols.models import Duty, Engagement, Mission, MissionPlan
from patrols.rows_html import drawer_address, rows_html
from patrols.selectors import mission_of, plans_of
from patrols.services import hand_over_write, mission_assign, mission_move, mission_withdraw
from patrols.timeline import ROW_PX, timeline
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene, make_forecast

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def address(scene: Scene, name: str) -> str:
    return reverse(f"patrols:{name}", args=[scene.agency.slug, ON, scene.shift.slug])


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200, url
    return len(captured)


def test_an_unchanged_shift_costs_a_304_and_no_query(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn, settings: object
) -> None:
    settings.LIVE_CACHE_SECONDS = 60  # type: ignore[attr-defined]
    client = sign_in(supervisor)
    first = client.get(address(scene, "version"))
    assert set(json.loads(first.content)) == {"alerts", "plan", "notes"}
    with CaptureQueriesContext(connection) as captured:
        again = client.get(address(scene, "version"), headers={"if-none-match": first["ETag"]})
    assert (again.status_code, len(captured)) == (304, 0)


def test_the_mark_changes_with_everything_that_a_board_shows(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn, settings: object
) -> None:
    settings.LIVE_CACHE_SECONDS = 0  # type: ignore[attr-defined]
    client = sign_in(supervisor)

    def told() -> dict[str, str]:
        return dict(json.loads(client.get(address(scene, "version")).content))

    mission, other, third, *_ = (mission_of(scene.agency, row.pk) for row in plan.missions.order_by("number"))
    assert mission
    assert other
    assert third
    starts = [plan.period_from + dt.timedelta(minutes=m) for m in (30, 150, 300)]
    seen = [told()["plan"]]
    for change in (
        lambda: mission_assign(mission=mission, unit=None, actor=supervisor),
        lambda: mission_assign(mission=mission, unit=Unit.objects.get(call_sign="R12"), actor=supervisor),
        lambda: mission_withdraw(mission=other, reason="x", actor=supervisor),
        lambda: mission_move(mission=third, starts=starts, reason="x", actor=supervisor),
        lambda: Engagement.objects.create(agency=scene.agency, mission=mission, arrived_at=plan.period_from),
        lambda: Engagement.objects.update(left_at=plan.period_from + dt.timedelta(minutes=9)),
        lambda: Duty.objects.create(
            agency=scene.agency, unit=Unit.objects.get(call_sign="R12"), shift=scene.shift, on=ON
        ),
        lambda: MissionPlan.objects.update(state="draft"),
    ):
        change()
        seen.append(told()["plan"])
    assert len(set(seen)) == len(seen)
    notes = told()["notes"]
    hand_over_write(agency=scene.agency, shift=scene.shift, on=ON, text="Lights out.", actor=supervisor)
    assert told()["notes"] != notes


def test_the_mark_is_for_those_who_see_plans_whatever_else_their_session_may_read(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    officer = sign_in(make_member(scene.agency, "officer"))
    assert officer.get(reverse("ingestion:version", args=[scene.agency.slug])).status_code == 200
    assert officer.get(address(scene, "version")).status_code == 403
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    assert stranger.get(address(scene, "version")).status_code == 404
    bad = reverse("patrols:version", args=[scene.agency.slug, "2026-13-01", scene.shift.slug])
    assert stranger.get(bad).status_code == 404


def test_a_mission_is_missed_half_an_hour_after_its_last_visit_or_with_the_shift(plan: MissionPlan) -> None:
    mission = mission_of(plan.agency, plan.missions.order_by("number")[0].pk)
    assert mission is not None
    mission.moved_starts = [(plan.period_from + dt.timedelta(minutes=m)).isoformat() for m in (0, 90)]
    over = plan.period_from + dt.timedelta(minutes=90 + mission.dose_minutes) + LATE
    assert mission_state(mission, over - dt.timedelta(seconds=1)) == "assigned"
    assert mission_state(mission, over) == "missed"
    mission.moved_starts = [(plan.period_to - dt.timedelta(minutes=20)).isoformat()]
    assert mission_state(mission, plan.period_to - dt.timedelta(seconds=1)) == "assigned"
    assert mission_state(mission, plan.period_to) == "missed"


def test_units_on_duty_are_those_that_plans_count_with_and_the_roster_comes_first(scene: Scene) -> None:
    Unit.objects.get(call_sign="R22").shifts.add(scene.agency.shift_set.get(slug="day"))
    counted = {
        (unit.pk, row.beat.pk) for row in capacities(scene.agency, scene.shift, ON) for unit in row.units
    }
    assert {(unit.pk, unit.beat_id) for unit in units_on_duty(scene.agency, scene.shift, ON)} == counted
    r11, r12, r22 = (Unit.objects.get(call_sign=name) for name in ("R11", "R12", "R22"))
    dated = {"agency": scene.agency, "shift": scene.shift, "on": ON}
    Duty.objects.create(unit=r11, beat=None, **dated)
    Duty.objects.create(unit=r22, beat=r12.beat, missions=5, **dated)
    found = {unit.call_sign: unit for unit in units_on_duty(scene.agency, scene.shift, ON)}
    assert set(found) == {"R12", "R21", "R22"}
    assert (found["R22"].beat_id, found["R22"].capacity) == (r12.beat_id, 5)
    with CaptureQueriesContext(connection) as captured:
        units_on_duty(scene.agency, scene.shift, ON)
    assert len(captured) == 1


def test_the_shift_before_is_the_one_that_started_last(scene: Scene) -> None:
    rows = list(scene.agency.shift_set.all())
    by_slug = {row.slug: row for row in rows}
    before = shift_before(scene.agency, rows, by_slug["night"], ON)
    assert before == (by_slug["evening"], ON - dt.timedelta(days=1))
    assert shift_before(scene.agency, rows, by_slug["evening"], ON) == (by_slug["day"], ON)


def decision(plan: MissionPlan, number: int, state: str, start_hour: int = 3) -> MissionPlan:
    start = plan.period_from + dt.timedelta(hours=start_hour)
    other = MissionPlan.objects.create(
        agency=plan.agency, shift=plan.shift, on=plan.on, decision=number, period_from=start,
        period_to=plan.period_to, grid=plan.grid, seed=number, state=state, status="succeeded", reason="shots fired",
    )  # fmt: skip
    first = plan.missions.order_by("number")[0]
    Mission.objects.create(
        agency=plan.agency, plan=other, beat=first.beat, number=1, cell_id=first.cell_id, crime_type=first.crime_type,
        visit_starts=[start.isoformat()], starts_at=start, dose_minutes=15, expected=0.1, harm=0.2, probability=0.5,
    )  # fmt: skip
    return other


def test_decisions_during_the_shift_stand_on_the_same_board_marked_as_such(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    decision(plan, 1, "draft")
    kept = decision(plan, 1, "published", 4)
    decision(plan, 2, "superseded")
    second = decision(plan, 2, "draft", 5)
    assert plans_of(scene.agency, scene.shift, ON) == [plan, kept, second]
    page = sign_in(supervisor).get(address(scene, "board")).content.decode()
    assert page.count('data-mission="') == 14
    assert '<span class="mission__number">1.1</span>' in page
    assert '<span class="mission__number">2.1</span>' in page
    assert "Publish decision 2" in page
    boxes = json.loads(sign_in(supervisor).get(address(scene, "plan_geojson")).content)["features"]
    assert sorted(box["properties"]["text"] for box in boxes)[:3] == ["1", "1.1", "10"]


def boxes_of(refreshed: str) -> list[dict[str, Any]]:
    """What a list that is loaded anew brings for the map."""
    found = re.search(
        r'<script id="board-features" type="application/json">(.*?)</script>', refreshed, re.DOTALL
    )
    assert found is not None
    features: list[dict[str, Any]] = json.loads(found[1])["features"]
    return features


def test_a_filter_by_address_holds_for_list_map_and_print(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    client, wanted = (
        sign_in(supervisor),
        plan.missions.filter(beat__district__code="S", crime_type__slug="burglary"),
    )
    query = "?district=S&type=burglary"
    page = client.get(address(scene, "board") + query).content.decode()
    assert page.count('data-mission="') == wanted.count() > 0
    assert f"{12 - wanted.count()} hidden by the filter" in page
    # What the page loads later is filtered alike.
    assert page.count("district=S&amp;type=burglary") >= 3
    boxes = json.loads(client.get(address(scene, "plan_geojson") + query).content)["features"]
    assert {box["id"] for box in boxes} == set(wanted.values_list("pk", flat=True))
    refreshed = client.get(address(scene, "board_list") + query).content.decode()
    assert refreshed.count('data-mission="') == wanted.count()
    assert boxes_of(refreshed) == boxes
    assert (
        "All 12 missions are hidden" in client.get(address(scene, "board") + "?district=X").content.decode()
    )


def test_the_list_of_one_filter_is_not_given_to_another_and_a_change_is_never_hidden_by_what_is_kept(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn, settings: object
) -> None:
    settings.LIVE_CACHE_SECONDS = 0  # type: ignore[attr-defined]
    client = sign_in(supervisor)
    assert client.get(address(scene, "board_list")).content.count(b'data-mission="') == 12
    south = client.get(address(scene, "board_list") + "?district=S")
    assert south.content.count(b'data-mission="') == 6
    mission = mission_of(scene.agency, plan.missions.all()[0].pk)
    assert mission is not None
    mission_withdraw(mission=mission, reason="x", actor=supervisor)
    assert b"mission--withdrawn" in client.get(address(scene, "board_list")).content
    # Kept by role: an auditor is offered no button.
    auditor = sign_in(make_member(scene.agency, "auditor")).get(address(scene, "board_list")).content
    assert b"Add a mission" not in auditor


def test_visits_that_overlap_in_a_lane_lie_below_each_other(scene: Scene, plan: MissionPlan) -> None:
    now = plan.period_from + dt.timedelta(hours=2)
    rows = mission_rows([mission_of(scene.agency, m.pk) for m in plan.missions.all()], zone="UTC", now=now)  # type: ignore[misc]
    shown = timeline(
        (plan.period_from, plan.period_to), rows, by="beat", zone=scene.agency.time_zone, now=now
    )
    assert [lane.label for lane in shown.lanes] == ["11", "12", "21", "22"]
    assert shown.now == 25
    assert [label for _, label in shown.hours] == [*(str(hour) for hour in range(16, 24)), "00"]
    assert sum(len(lane.bars) for lane in shown.lanes) == sum(len(row.visits) for row in rows)
    rows = [dataclasses.replace(row, unit=rows[0].unit, unit_id=rows[0].unit_id) for row in rows]
    one = timeline((plan.period_from, plan.period_to), rows, by="unit", zone="UTC", now=now).lanes
    assert len(one) == 1
    assert one[0].height > ROW_PX
    bars = sorted(one[0].bars, key=lambda bar: (bar.y, bar.start))
    assert all(a.y != b.y or a.end <= b.start for a, b in itertools.pairwise(bars))


def test_names_in_hand_written_html_are_escaped(scene: Scene, plan: MissionPlan) -> None:
    Unit.objects.filter(call_sign="R11").update(call_sign="<i>&")
    Mission.objects.update(place='"><script>x</script>')
    now = plan.period_from
    rows = mission_rows([mission_of(scene.agency, m.pk) for m in plan.missions.all()], zone="UTC", now=now)  # type: ignore[misc]
    shown = timeline((plan.period_from, plan.period_to), rows, by="unit", zone="UTC", now=now)
    for text in (rows_html(rows, drawer_address(scene.agency.slug)), shown.svg, shown.labels):
        assert "<script" not in text
        assert "<i>&" not in text


def test_pages_cost_a_fixed_number_of_queries(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    client = sign_in(supervisor)
    compare = reverse("patrols:compare", args=[scene.agency.slug]) + f"?a={ON}/evening&b={ON}/night"
    assert queries(client, address(scene, "board")) <= 12
    assert queries(client, address(scene, "notes")) <= 9
    assert queries(client, compare) <= 18
    assert queries(client, address(scene, "print")) <= 15
    queries(client, address(scene, "board_list"))
    # The same list for the next of many boards: who asks, and nothing else.
    assert queries(client, address(scene, "board_list")) <= 4


def test_a_comparison_counts_boxes_in_common_and_what_differs(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    later = ON + dt.timedelta(days=1)
    scene.run = make_forecast(scene.agency, scene.grid, scene.shift, later)
    other = scene.plan(seed=11, publish=True)
    cells = [set(one.missions.values_list("cell_id", flat=True)) for one in (plan, other)]
    client = sign_in(supervisor)
    base = reverse("patrols:compare", args=[scene.agency.slug])
    page = client.get(f"{base}?a={ON}/evening&b={later}/evening").content.decode()
    assert f"{len(cells[0] & cells[1])} of {len(cells[0] | cells[1])} boxes are in both" in page
    assert client.get(f"{base}?a={ON}&a_shift=evening&b={later}&b_shift=evening").status_code == 200
    assert "Neither shift has a plan" in client.get(f"{base}?a={ON}/day&b={later}/day").content.decode()
    assert client.get(f"{base}?a=tomorrow/evening").status_code == 404
    assert sign_in(make_member(scene.agency, "officer")).get(base).status_code == 403


def test_the_date_picker_leads_to_the_day_asked_for(scene: Scene, supervisor: User, sign_in: SignIn) -> None:
    client, base = sign_in(supervisor), reverse("patrols:board_go", args=[scene.agency.slug])
    answer = client.get(f"{base}?on=2026-02-01&shift=day")
    assert answer.headers["Location"] == f"/{scene.agency.slug}/shifts/2026-02-01/day/"
    assert client.get(f"{base}?on=x&shift=day").status_code == 404
    assert client.get(base).status_code == 404
