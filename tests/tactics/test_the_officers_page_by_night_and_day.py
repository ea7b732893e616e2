"""What the officer's page shows, worked out from rows: the next mission, the dark, the box's surroundings."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit
from patrols.models import Engagement, Mission, MissionPlan
from tactics import officer as pages
from tactics.selectors import beat_geometry, unit_missions
from tests.factories import degrees
from tests.tactics import factories


@pytest.mark.parametrize(
    ("local", "is_dark"),
    # In June the sun sets in Chicago at about 20:28 and rises at about 05:16.
    [("20:15", False), ("20:40", True), ("00:30", True), ("05:00", True), ("05:30", False)],
)
def test_it_is_dark_while_the_sun_is_down_over_the_agency(agency: Agency, local: str, is_dark: bool) -> None:
    hour, minute = (int(part) for part in local.split(":"))
    now = dt.datetime(2026, 6, 20, hour, minute, tzinfo=dt.UTC) + dt.timedelta(hours=5)
    sky = pages.sky_over(agency, now)
    assert sky.is_dark is is_dark
    assert any(start <= now < end for start, end in sky.nights) is is_dark


@pytest.mark.parametrize(
    ("local", "is_dark"),
    [("18:59", False), ("19:00", True), ("00:30", True), ("06:59", True), ("07:00", False)],
)
def test_without_a_boundary_it_is_dark_from_seven_to_seven(agency: Agency, local: str, is_dark: bool) -> None:
    hour, minute = (int(part) for part in local.split(":"))
    agency.boundary = None
    now = dt.datetime(2026, 6, 10, hour, minute, tzinfo=dt.UTC) + dt.timedelta(hours=5)
    assert pages.sky_over(agency, now).is_dark is is_dark


def rows_of(agency: Agency, unit: Unit, now: dt.datetime | None = None) -> list[pages.MyMission]:
    now = now or timezone.now()
    return pages.my_missions(unit_missions(agency, unit, now=now), unit=unit, zone=agency.time_zone, now=now)


def visited(mission: Mission, unit: Unit, minutes: float | None) -> None:
    arrived = timezone.now() - dt.timedelta(minutes=30)
    left = None if minutes is None else arrived + dt.timedelta(minutes=minutes)
    Engagement.objects.create(
        agency=mission.agency, mission=mission, unit=unit, arrived_at=arrived, left_at=left
    )


def test_states_follow_the_window_and_the_visits(agency: Agency, plan: MissionPlan, unit: Unit) -> None:
    wanted = {1: "overdue", 2: "now", 3: "later", 4: "done", 5: "here", 6: "withdrawn"}
    for number, starts_in in ((1, -60), (2, -5), (3, 30), (4, -60), (5, -60), (6, 20)):
        mission = factories.make_mission(plan, unit=unit, number=number, starts_in_minutes=starts_in)
        if number in (4, 5):
            visited(mission, unit, 12.0 if number == 4 else None)
        if number == 6:
            # Withdrawn missions leave the unit's list; one whose timer runs stays until it is stopped.
            Mission.objects.filter(pk=mission.pk).update(
                withdrawn_at=timezone.now(), withdrawn_reason="closed"
            )
    rows = rows_of(agency, unit)
    assert {row.mission.number: row.state for row in rows} == {n: s for n, s in wanted.items() if n != 6}
    assert {row.mission.number: round(row.minutes) for row in rows if row.minutes} == {4: 12}


def test_the_card_is_where_the_timer_runs_then_the_next_window_then_the_last_passed(
    agency: Agency, plan: MissionPlan, unit: Unit
) -> None:
    factories.make_mission(plan, unit=unit, number=1, starts_in_minutes=-90)
    overdue = factories.make_mission(plan, unit=unit, number=2, starts_in_minutes=-60)
    assert pages.next_of(rows_of(agency, unit)).mission == overdue  # type: ignore[union-attr]
    later = factories.make_mission(plan, unit=unit, number=3, starts_in_minutes=30)
    assert pages.next_of(rows_of(agency, unit)).mission == later  # type: ignore[union-attr]
    here = factories.make_mission(plan, unit=unit, number=4, starts_in_minutes=120)
    visited(here, unit, None)
    assert pages.next_of(rows_of(agency, unit)).mission == here  # type: ignore[union-attr]
    assert pages.next_of([]) is None


def test_of_several_visits_the_next_one_is_the_first_not_made_whose_window_is_not_over(
    agency: Agency, plan: MissionPlan, unit: Unit
) -> None:
    mission = factories.make_mission(plan, unit=unit, visits=3, starts_in_minutes=-80)
    [row] = rows_of(agency, unit)
    assert row.visit == row.row.visits[2], "the first two windows have passed"
    visited(mission, unit, 12.0)
    visited(mission, Unit.objects.get(agency=agency, call_sign="R12"), 12.0)
    [row] = rows_of(agency, unit)
    assert (row.visits_made, row.visit, row.state) == (1, row.row.visits[2], "later")


@pytest.mark.parametrize(
    ("seconds", "percent"), [(-5, 0), (0, 0), (360, 50), (719, 99), (720, 100), (9999, 100)]
)
def test_the_ring_fills_with_the_recommended_minutes(seconds: float, percent: int) -> None:
    assert pages.dose_percent(seconds, 12) == percent


def test_the_map_holds_beat_near_streets_own_boxes(agency: Agency, plan: MissionPlan, unit: Unit) -> None:
    mission = factories.make_mission(plan, unit=unit, number=1)
    other = factories.make_mission(plan, unit=unit, number=2)

    def street(name: str, *points: tuple[float, float]) -> dict[str, object]:
        line = {"type": "LineString", "coordinates": [list(degrees(*point)) for point in points]}
        return {"type": "Feature", "geometry": line, "properties": {"name": name}}

    # Mission 1 lies in cell 20 of 16 columns: 1,000 to 1,250 m east, 250 to 500 m north of the corner.
    data = pages.place_geojson(
        mission,
        [other],
        beat_geometry=beat_geometry(agency, mission.beat_id),
        streets=[
            street("Elm St", (0, 400), (4000, 400)),
            street("Far Ave", (0, 3500), (4000, 3500)),
            {"type": "Feature", "geometry": None, "properties": {"name": "Nowhere"}},
        ],
    )
    facts = [feature["properties"] for feature in data["features"]]
    assert [fact["kind"] for fact in facts] == ["beat", "street", "other", "box"]
    assert facts[1]["label"] == "Elm St"
    assert (facts[2]["number"], facts[3]["number"]) == (2, 1)
    longitudes = [point[0] for point in data["features"][1]["geometry"]["coordinates"]]
    west, east = degrees(400, 0)[0], degrees(1850, 0)[0]
    assert west < min(longitudes) < max(longitudes) < east, "a street is cut to the box's surroundings"
