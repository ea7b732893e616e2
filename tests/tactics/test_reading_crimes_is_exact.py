"""What makes reports quick changes no figure: beats of points, whole seconds, minutes of visits, limits of weeks."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agencies.models import Agency, CrimeType
from ingestion.models import CallForService, Feed, Incident, RecordKind
from ingestion.selectors import incident_table
from patrols.models import Engagement, MissionPlan
from tactics.reports.activity import VisitMinutes
from tactics.reports.asked import Asked
from tactics.reports.crimes import area_of_points
from tactics.reports.trends import _weeks
from tests.factories import degrees
from tests.tactics.factories import make_mission

EPSG = 32616
TIME = dt.datetime(2025, 7, 1, 17, 0, 30, tzinfo=dt.UTC)


def one_by_one(areas, x_m, y_m) -> list[int]:
    """The plain way: each point against each area, the first that holds it."""
    return [
        next(
            (n for n, area in enumerate(areas) if shapely.intersects(area, shapely.Point(x, y))),
            -1,
        )
        for x, y in zip(x_m, y_m, strict=True)
    ]


@given(
    corners=st.lists(st.tuples(*[st.integers(0, 8)] * 4), max_size=6),
    points=st.lists(st.tuples(st.integers(-1, 18), st.integers(-1, 18)), max_size=40),
)
def test_a_point_is_in_the_first_area_that_holds_it_edges_and_overlaps_included(corners, points) -> None:
    areas = np.array(
        [shapely.box(x, y, x + width + 1, y + height + 1) for x, y, width, height in corners], dtype=object
    )
    # Half metres: points lie on edges and corners as often as beside them.
    x_m = np.array([x / 2 for x, _ in points], dtype=np.float64)
    y_m = np.array([y / 2 for _, y in points], dtype=np.float64)
    assert area_of_points(areas, x_m, y_m).tolist() == one_by_one(areas, x_m, y_m)


def test_areas_of_several_parts_and_with_holes_hold_what_they_cover() -> None:
    ring = shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], holes=[[(4, 4), (6, 4), (6, 6), (4, 6)]])
    islands = shapely.MultiPolygon([shapely.box(4.5, 4.5, 5.5, 5.5), shapely.box(20, 0, 22, 2)])
    x_m, y_m = np.array([5.0, 4.2, 4.0, 21.0, 15.0]), np.array([5.0, 4.2, 5.0, 1.0, 5.0])
    found = area_of_points(np.array([ring, islands], dtype=object), x_m, y_m)
    assert found.tolist() == [1, -1, 0, 1, -1]


@pytest.fixture
def feed(agency: Agency) -> Feed:
    return Feed.objects.create(agency=agency, name="RMS", slug="rms")


def row(model, agency: Agency, feed: Feed, key: str, **fields):
    lon, lat = degrees(1_000, 2_000)
    told = {"occurred_from": TIME, "occurred_to": TIME, "lon": lon, "lat": lat, "content_hash": 1}
    return model.objects.create(agency=agency, feed=feed, external_id=key, **(told | fields))


def test_a_second_that_has_not_ended_is_not_yet_over(agency: Agency, feed: Feed) -> None:
    """Rounded up, a crime of the last moment of a day would be counted on the next."""
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    midnight = dt.datetime(2025, 7, 2, tzinfo=ZoneInfo(agency.time_zone))
    last = midnight - dt.timedelta(microseconds=1)
    row(Incident, agency, feed, "last", crime_type=robbery, occurred_from=last, occurred_to=last)
    table = incident_table(agency, epsg=EPSG)
    assert table.occurred_local.tolist() == [np.datetime64("2025-07-01T23:59:59").item()]


def test_calls_about_no_crime_type_are_left_out_where_nobody_counts_them(agency: Agency, feed: Feed) -> None:
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    calls = Feed.objects.create(agency=agency, name="CAD", slug="cad", record_kind=RecordKind.CALLS)
    row(Incident, agency, feed, "crime", crime_type=robbery)
    row(CallForService, agency, calls, "alarm")
    row(CallForService, agency, calls, "shots", crime_type=robbery)
    names = incident_table(agency, epsg=EPSG).categories
    every = incident_table(agency, epsg=EPSG)
    crimes = incident_table(agency, epsg=EPSG, with_calls=False)
    assert sorted(names[one] for one in every.category) == ["calls", "robbery", "robbery"]
    assert [names[one] for one in crimes.category] == ["robbery", "robbery"]


def test_minutes_of_a_visit_are_whole_where_they_are_and_none_while_it_lasts(plan: MissionPlan) -> None:
    mission = make_mission(plan)
    arrived = timezone.now().replace(microsecond=123_000)
    told = [dt.timedelta(minutes=10), dt.timedelta(minutes=7, seconds=30), dt.timedelta(hours=26), None]
    for length in told:
        Engagement.objects.create(
            agency=mission.agency,
            mission=mission,
            arrived_at=arrived,
            left_at=None if length is None else arrived + length,
        )
    found = Engagement.objects.filter(mission=mission).order_by("pk").values_list(VisitMinutes(), flat=True)
    assert list(found) == [10.0, 7.5, 1_560.0, None]


def test_weeks_of_no_crime_type_at_all_are_an_empty_table() -> None:
    last = np.datetime64("2026-11-28")
    crimes = SimpleNamespace(
        types=[], kind=np.empty(0, int), day=np.empty(0, "datetime64[D]"), data_from=last - 900
    )
    assert list(_weeks(crimes, Asked(last.item(), last.item())).rows) == []  # type: ignore[arg-type]
