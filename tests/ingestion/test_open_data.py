"""Ready profiles of cities' portals: sound in themselves, and one command from nothing to imported crimes."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agencies.models import Agency, CrimeType
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.privacy import screen_columns
from ingestion.models import Feed, GunfireAlert, Incident, OffenceCode
from ingestion.opendata import CITIES, OpenDataset
from ingestion.sources import pull_source
from ingestion.sources.json_rows import parts_of
from tactics.defaults import agency_defaults_create
from tests.ingestion.files import place
from tests.ingestion.portals import Portal
from tests.ingestion.pulled import account

ALL = [
    pytest.param(dataset, id=f"{city.key}-{dataset.name}")
    for city in CITIES.values()
    for dataset in city.datasets
]


def test_there_are_cities_of_every_kind_of_portal() -> None:
    assert len(CITIES) >= 6
    assert {dataset.source for city in CITIES.values() for dataset in city.datasets} == {
        "socrata",
        "arcgis",
        "csv_url",
    }
    assert {dataset.kind for city in CITIES.values() for dataset in city.datasets} == {
        "crime",
        "calls",
        "gunfire",
    }
    assert all(city.of_kind("crime") for city in CITIES.values())


@pytest.mark.parametrize("dataset", ALL)
def test_a_profile_is_valid_and_asks_for_nothing_about_persons(dataset: OpenDataset) -> None:
    dataset.mapping.validate()
    assert FeedMapping.from_json(dataset.mapping.to_json()) == dataset.mapping
    assert dataset.mapping.record_kind == dataset.record_kind
    asked = [part for column in dataset.mapping.column_names for part in parts_of(column)]
    assert screen_columns(asked) == []
    params = dataset.feed_params()
    if dataset.layer_name:
        params["url"] += "/0"
    pull_source(dataset.source, params, {})
    assert dataset.checked, "how it was checked is said"


@pytest.mark.django_db
@pytest.mark.parametrize("dataset", [param for param in ALL if param.values[0].codes])  # type: ignore[attr-defined]
def test_each_code_of_a_profile_means_one_of_the_usual_crime_types(
    dataset: OpenDataset, portal: Portal
) -> None:
    from ingestion.services.open_data import _codes

    agency = Agency.objects.create(slug="trial", name="Trial", time_zone="America/Chicago")
    agency_defaults_create(agency=agency)
    feed = Feed.objects.create(agency=agency, name="x", slug="x", record_kind=dataset.record_kind)
    _codes(feed, dataset)
    assert OffenceCode.objects.count() == len(dataset.codes)
    assert not OffenceCode.objects.filter(crime_type=None).exists()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("import_open_data", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_one_command_makes_agency_feed_mapping_codes_and_imports(portal: Portal) -> None:
    portal.rows = [
        {
            ":id": f"row-{number}",
            ":updated_at": "2025-07-01T00:00:00.000Z",
            "id": str(number),
            "iucr": "0610",
            "fbi_code": "05" if number % 2 else "18",
            "primary_type": "BURGLARY" if number % 2 else "NARCOTICS",
            "date": f"2025-0{1 + number % 6}-11T21:00:00.000",
            "updated_on": "2025-07-01T00:00:00.000",
            "longitude": str(place(number)[0]),
            "latitude": str(place(number)[1]),
        }
        for number in range(30)
    ]
    text = run("--city", "chicago", "--since", "2025-02-01", "--portal", portal.url)
    assert "25 rows received" in text
    assert "import_geography" in text
    feed = Feed.objects.get()
    assert (feed.agency.slug, feed.kind, feed.every_minutes) == ("chicago", "socrata", None)
    assert CrimeType.objects.filter(agency=feed.agency).count() == 7
    first = feed.runs.get()
    assert account(first)[0] == 25
    assert first.refusals == {"drugs": {"18": account(first)[5]}}
    assert Incident.objects.count() == account(first)[1] == 15
    again = run("--city", "chicago", "--since", "2025-02-01", "--portal", portal.url, "--every-minutes", "60")
    assert "25 rows received" in again, "all rows changed at the same moment, so all come again"
    assert Incident.objects.count() == 15
    feed.refresh_from_db()
    assert feed.every_minutes == 60


@pytest.mark.django_db
def test_gunfire_comes_as_alerts(portal: Portal) -> None:
    lon, lat = place(1)
    shared = {
        ":updated_at": "2024-09-01T00:00:00.000Z",
        "date": "2024-08-01T22:00:00.000",
        "longitude": lon,
        "latitude": lat,
    }
    kinds = ["MULTIPLE GUNSHOTS", "SINGLE GUNSHOT", "GUNSHOT OR FIRECRACKER"]
    portal.rows = [
        {":id": f"row-{n}", "unique_id": f"SST-{n}", "incident_type_description": kind, **shared}
        for n, kind in enumerate(kinds)
    ]
    run("--city", "chicago", "--kind", "gunfire", "--since", "2024-01-01", "--portal", portal.url)
    assert GunfireAlert.objects.count() == 2
    assert sum(Feed.objects.get().runs.get().refusals["not_gunfire"].values()) == 1


@pytest.mark.django_db
def test_a_service_with_a_layer_a_year_is_searched_by_name(portal: Portal) -> None:
    lon, lat = place(1)
    portal.rows = [
        {
            ":updated_at": "2025-07-01T00:00:00.000Z",
            "CCN": f"25{number:06d}",
            "OFFENSE": "BURGLARY",
            "START_DATE": 1_750_000_000_000 + number,
            "REPORT_DAT": 1_750_003_600_000,
            "LONGITUDE": lon,
            "LATITUDE": lat,
        }
        for number in range(12)
    ]
    run("--city", "washington", "--since", "2025-01-01", "--portal", portal.url)
    feed = Feed.objects.get()
    assert feed.params["url"].endswith("/FEEDS/MPD/MapServer/0")
    assert feed.slug == "washington-mpd-crime-incidents-2025"
    assert Incident.objects.count() == 12


@pytest.mark.django_db
def test_dates_and_times_in_two_columns_are_read_as_one(portal: Portal) -> None:
    lon, lat = place(1)
    portal.rows = [
        {
            ":id": "row-1",
            ":updated_at": "2025-07-01T00:00:00.000Z",
            "uniquenibrno": "250101-220-1",
            "nibr_code": "220",
            "date_occ": "2025-03-01T00:00:00.000",
            "time_occ": "2130",
            "date_rptd": "2025-03-02T00:00:00.000",
            "hndrdth_lon": lon,
            "hndrdth_lat": lat,
        }
    ]
    run("--city", "los-angeles", "--since", "2025-01-01", "--portal", portal.url)
    assert Incident.objects.get().occurred_from.isoformat() == "2025-03-02T05:30:00+00:00"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "No city was given"),
        (["--city", "los-angeles", "--kind", "gunfire"], "ask for crime"),
        (["--city", "chicago", "--since", "last week"], "YYYY-MM-DD"),
        (["--city", "chicago"], "cannot be found|failed|not on the public internet"),
    ],
)
def test_what_cannot_be_done_says_so(
    arguments: list[str], words: str, portal: Portal, monkeypatch: Any
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", _no_names)
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def _no_names(*args: Any, **kwargs: Any) -> Any:
    import socket

    raise socket.gaierror("no network in tests")


def test_the_list_names_every_city_without_a_database() -> None:
    text = run("--list")
    assert all(city in text for city in CITIES)
