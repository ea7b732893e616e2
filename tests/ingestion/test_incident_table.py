"""The only door from stored incidents to numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agencies.models import Agency, CrimeType
from ingestion.models import CallForService, ContextLayer, Feed, GunfireAlert, Incident
from ingestion.selectors import data_hash, incident_points, incident_table
from tests.factories import degrees, rectangle

EPSG = 32616
NOON = datetime(2025, 7, 1, 17, 0, 30, tzinfo=UTC)


def fact(model, agency, feed, number: int = 1, **fields):
    lon, lat = degrees(1_000, 2_000)
    values = {
        "external_id": f"{model.__name__}-{number}",
        "occurred_from": NOON,
        "occurred_to": NOON,
        "lon": lon,
        "lat": lat,
        "content_hash": number * 7_919,
    }
    return model.objects.create(agency=agency, feed=feed, **(values | fields))


@pytest.fixture
def feed(agency) -> Feed:
    return Feed.objects.create(agency=agency, name="RMS", slug="rms")


@pytest.fixture
def robbery(agency) -> CrimeType:
    return CrimeType.objects.get(agency=agency, slug="robbery")


def test_an_agency_without_incidents_has_an_empty_table_with_its_categories(agency):
    table = incident_table(agency, epsg=EPSG)
    assert len(table) == 0
    assert table.categories == ("robbery", "burglary", "motor-vehicle-theft"), "heaviest first"


def test_an_incident_is_in_metres_utc_and_local_time(agency, feed, robbery):
    fact(Incident, agency, feed, crime_type=robbery, reported_at=datetime(2025, 7, 1, 20, 0, tzinfo=UTC))
    table = incident_table(agency, epsg=EPSG)
    from pyproj import Transformer

    lon, lat = degrees(1_000, 2_000)
    x_m, y_m = Transformer.from_crs(4326, EPSG, always_xy=True).transform(lon, lat)
    assert (table.x_m[0], table.y_m[0]) == pytest.approx((x_m, y_m), abs=1e-6)
    assert str(table.occurred_utc[0]) == "2025-07-01T17:00:30"
    assert str(table.occurred_local[0]) == "2025-07-01T12:00:30"
    assert str(table.known_utc[0]) == "2025-07-01T20:00:00"
    assert table.categories[table.category[0]] == "robbery"


def test_an_incident_is_never_known_before_it_began_and_without_report_when_it_ended(agency, feed, robbery):
    early, late = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 4, tzinfo=UTC)
    fact(Incident, agency, feed, 1, crime_type=robbery, reported_at=early)
    fact(Incident, agency, feed, 2, crime_type=robbery, occurred_to=late)
    known = incident_table(agency, epsg=EPSG).known_utc
    assert [str(value) for value in known] == ["2025-07-01T17:00:30", "2025-07-04T00:00:00"]


def test_officer_initiated_and_inactive_are_left_out_and_calls_are_a_category_of_their_own(
    agency, feed, robbery
):
    gunfire = CrimeType.objects.create(
        agency=agency, name="Gunfire", slug="gunfire", nibrs_code="gunfire", letter="G", weight=9
    )
    sleeping = CrimeType.objects.get(agency=agency, slug="burglary")
    CrimeType.objects.filter(pk=sleeping.pk).update(is_active=False)
    cad = Feed.objects.create(agency=agency, name="CAD", slug="cad", record_kind="calls")
    fact(Incident, agency, feed, 1, crime_type=robbery)
    fact(Incident, agency, feed, 2, crime_type=robbery, discovery="officer_initiated")
    fact(Incident, agency, feed, 3, crime_type=sleeping)
    fact(GunfireAlert, agency, feed, 4, crime_type=gunfire, discovery="sensor")
    fact(CallForService, agency, cad, 5)
    fact(CallForService, agency, cad, 6, discovery="officer_initiated")
    fact(CallForService, agency, cad, 7, crime_type=gunfire)
    table = incident_table(agency, epsg=EPSG)
    assert table.categories == ("gunfire", "robbery", "motor-vehicle-theft", "calls")
    found = [table.categories[number] for number in table.category]
    assert sorted(found) == ["calls", "gunfire", "gunfire", "robbery"]


def test_since_and_until_are_half_open(agency, feed, robbery):
    for number, hour in enumerate((10, 11, 12)):
        at = datetime(2025, 7, 1, hour, tzinfo=UTC)
        fact(Incident, agency, feed, number, crime_type=robbery, occurred_from=at, occurred_to=at)
    table = incident_table(
        agency,
        epsg=EPSG,
        since=datetime(2025, 7, 1, 10, tzinfo=UTC),
        until=datetime(2025, 7, 1, 12, tzinfo=UTC),
    )
    assert [str(value)[11:13] for value in table.occurred_utc] == ["10", "11"]


def test_another_agencys_incidents_do_not_exist(agency, feed, robbery, stranger):
    from agencies.models import Agency

    fact(Incident, agency, feed, crime_type=robbery)
    assert len(incident_table(Agency.objects.get(slug="lakeside"), epsg=EPSG)) == 0


@given(order=st.permutations(list(range(12))))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_table_is_sorted_whatever_the_order_of_import(agency, feed, robbery, order):
    Incident.objects.all().delete()
    for number in order:
        at = datetime(2025, 7, 1, number // 2, tzinfo=UTC)
        fact(Incident, agency, feed, number, crime_type=robbery, occurred_from=at, occurred_to=at)
    table = incident_table(agency, epsg=EPSG)
    assert (np.diff(table.occurred_utc.astype(np.int64)) >= 0).all()
    assert len(table) == 12


def test_the_number_of_queries_does_not_grow_with_the_table(agency, feed, robbery, django_assert_num_queries):
    for number in range(5):
        fact(Incident, agency, feed, number, crime_type=robbery)
    with django_assert_num_queries(5):
        incident_table(agency, epsg=EPSG)
    with django_assert_num_queries(4):
        data_hash(agency)
    with django_assert_num_queries(2):
        incident_points(
            agency, since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC)
        )


def test_the_data_hash_changes_with_the_table_and_only_then(agency, feed, robbery):
    empty = data_hash(agency)
    one = fact(Incident, agency, feed, crime_type=robbery)
    first = data_hash(agency)
    assert first != empty
    assert data_hash(agency) == first
    Incident.objects.filter(pk=one.pk).update(content_hash=99)
    assert data_hash(agency) != first
    before = data_hash(agency, until=NOON)
    fact(Incident, agency, feed, 2, crime_type=robbery)
    assert data_hash(agency, until=NOON) == before, "later incidents do not touch an earlier window"
    CrimeType.objects.filter(pk=robbery.pk).update(is_active=False)
    assert data_hash(agency, until=NOON) != before


def test_points_are_the_newest_ones_of_the_type_without_identifiers(agency, feed, robbery):
    for number in range(4):
        at = datetime(2025, 7, 1, number, tzinfo=UTC)
        fact(Incident, agency, feed, number, crime_type=robbery, occurred_from=at, occurred_to=at)
    window = {"since": datetime(2025, 7, 1, tzinfo=UTC), "until": datetime(2025, 7, 2, tzinfo=UTC)}
    points = incident_points(agency, crime_type=robbery, limit=3, **window)
    assert [point.occurred_from.hour for point in points] == [3, 2, 1]
    assert points[0].crime_type == "robbery"
    burglary = CrimeType.objects.get(agency=agency, slug="burglary")
    assert incident_points(agency, crime_type=burglary, **window) == []


COVERED = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "properties": {}, "geometry": rectangle(0, 0, 2000, 4000)}],
}


def test_gunfire_is_known_only_where_sensors_hear_it_unless_people_call_too(agency: Agency) -> None:
    shots = CrimeType.objects.create(
        agency=agency,
        name="Gunfire",
        slug="gunfire",
        nibrs_code="gunfire",
        letter="G",
        colour="#000000",
        weight=4,
    )
    assert incident_table(agency, epsg=EPSG).watched == ()
    before = data_hash(agency)
    ContextLayer.objects.create(
        agency=agency,
        name="Sensors",
        slug="sensors",
        kind="coverage",
        geojson=COVERED,
        valid_from=date(2025, 3, 1),
    )
    assert data_hash(agency) != before
    (area,) = incident_table(agency, epsg=EPSG).watched
    assert area.category == "gunfire"
    assert area.since_utc == np.datetime64("2025-03-01")
    assert area.area_m.area == pytest.approx(2000 * 4000, rel=0.01)
    feed = Feed.objects.create(agency=agency, name="CAD", slug="cad", record_kind="calls")
    fact(CallForService, agency, feed, crime_type=shots, discovery="reported")
    assert incident_table(agency, epsg=EPSG).watched == ()
