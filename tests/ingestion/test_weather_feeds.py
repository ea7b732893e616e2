"""Weather as it was measured and as it was foreseen: units, issue times, bad documents."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.engine.records import QuarantinedValue
from ingestion.engine.weather import (
    Units,
    WeatherProblem,
    WeatherRow,
    read_weather_csv,
)
from ingestion.engine.weather_documents import read_weather_document
from ingestion.models import Feed, ImportRun, QuarantinedRow, WeatherHour
from ingestion.services import context_feed_ensure, import_run_execute, import_run_queue, weather_store

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN_METEO = {
    "latitude": 41.8,
    "longitude": -87.7,
    "utc_offset_seconds": -18_000,
    "hourly_units": {
        "temperature_2m": "°C",
        "precipitation": "mm",
        "snowfall": "cm",
        "wind_speed_10m": "km/h",
    },
    "hourly": {
        "time": ["2024-05-01T05:00", "2024-05-01T06:00", "2024-05-01T07:00", "2024-05-01T08:00"],
        "temperature_2m": [10.0, 11.0, None, 13.0],
        "precipitation": [0.0, 1.0, 2.0, 3.0],
        "snowfall": [0.0, 0.0, 0.0, 0.7],
        "wind_speed_10m": [36.0, 18.0, 0.0, 3.6],
    },
}
GRID_POINT = {
    "properties": {
        "updateTime": "2024-05-01T10:00:00+00:00",
        "temperature": {
            "uom": "wmoUnit:degC",
            "values": [
                {"validTime": "2024-05-01T12:00:00+00:00/PT2H", "value": 12.0},
                {"validTime": "2024-05-01T14:00:00+00:00/PT1H", "value": None},
            ],
        },
        "quantitativePrecipitation": {
            "uom": "wmoUnit:mm",
            "values": [{"validTime": "2024-05-01T12:00:00+00:00/PT6H", "value": 6.0}],
        },
        "snowfallAmount": {
            "uom": "wmoUnit:mm",
            "values": [{"validTime": "2024-05-01T12:00:00+00:00/PT6H", "value": 12.0}],
        },
        "windSpeed": {
            "uom": "wmoUnit:km_h-1",
            "values": [{"validTime": "2024-05-01T12:00:00+00:00/PT1H", "value": 36.0}],
        },
    }
}


def table(text: str, **units: str):
    return list(read_weather_csv(text, zone="America/Chicago", now=NOW, units=Units(snow="mm", **units)))


def at(hour: int, day: int = 1) -> datetime:
    return datetime(2024, 5, day, hour, tzinfo=UTC)


def test_a_day_is_known_when_it_is_over_and_has_the_hours_of_its_clock():
    winter, change = table("date,prcp,snow,tmax,tmin\n2024-03-09,2.5,30,10,0\n2024-03-10,0,0,,4\n")
    assert (winter.valid_at, winter.length_hours) == (datetime(2024, 3, 9, 6, tzinfo=UTC), 24)
    assert winter.issued_at == datetime(2024, 3, 10, 6, tzinfo=UTC)
    assert winter.figures == (5.0, 2.5, 3.0, None)
    assert (change.length_hours, change.temperature_c) == (23, 4.0)
    assert not winter.is_forecast


def test_hours_with_an_issue_time_are_forecasts_and_keep_it():
    (row,) = table("time,issued,temp,wind\n2024-05-01T18:00Z,2024-05-01T06:00Z,20,5\n")
    assert (row.valid_at, row.issued_at, row.length_hours, row.is_forecast) == (at(18), at(6), 1, True)


def test_units_are_turned_into_ours_and_marks_of_missing_figures_into_nothing():
    (row,) = table(
        "time,temp,prcp,snow,wind\n2024-04-01 10:00,68,1,T,10\n",
        temperature="f",
        precipitation="in",
        wind="mph",
    )
    assert row.figures == (20.0, 25.4, 0.0, 4.4704)
    (gap,) = table("time,temp,prcp\n2024-04-01 10:00,-9999,M\n")
    assert gap.figures == (None, None, None, None)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (",1,2", "missing_timestamp"),
        ("soon,1,2", "bad_timestamp"),
        ("2024-04-01,warm,2", "bad_number"),
        ("2024-04-01,451,2", "bad_number"),
        ("2024-04-01,1,-2", "bad_number"),
        ("2024-05-01,1,2", "future_timestamp"),
        ("9999-12-31,1,2", "future_timestamp"),
        ("1900-05-01,1,2", "implausible_past"),
        ("0001-01-01,1,2", "implausible_past"),
        ("2024-04-01,1", "wrong_column_count"),
    ],
)
def test_a_bad_row_is_kept_aside_and_the_next_one_is_read(row, code):
    found = table(f"date,temp,prcp\n{row}\n2024-04-02,1,2\n")
    assert found[0].rejection.code == code
    assert isinstance(found[1], WeatherRow)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "which day or hour"), ("date,mood\n2024-04-01,2\n", "no weather"), ("", "which day")],
)
def test_a_table_without_time_or_weather_is_refused(text, message):
    with pytest.raises(WeatherProblem, match=message) as refused:
        table(text)
    assert refused.value.next_step


def test_open_meteos_hours_are_local_its_amounts_those_of_the_hour_before_and_what_is_over_was_measured():
    rows = read_weather_document(OPEN_METEO, issued_at=NOW)
    assert [row.valid_at for row in rows] == [at(10), at(11), at(12), at(13)]
    assert [row.precipitation_mm for row in rows] == [1.0, 2.0, 3.0, None]
    assert [row.temperature_c for row in rows] == [10.0, 11.0, None, 13.0]
    assert [row.wind_ms for row in rows] == [10.0, 5.0, 0.0, 1.0]
    assert [row.snow_cm for row in rows] == [0.0, 0.0, 0.7, None]
    assert [row.is_forecast for row in rows] == [False, False, True, True]
    assert [row.issued_at for row in rows] == [at(11), at(12), NOW, NOW]


def test_open_meteo_in_fahrenheit_inches_and_unix_time():
    document = copy.deepcopy(OPEN_METEO)
    document["hourly_units"] |= {"temperature_2m": "°F", "precipitation": "inch", "wind_speed_10m": "mp/h"}
    document["hourly"]["time"] = [1_714_557_600 + 3_600 * k for k in range(4)]
    first = read_weather_document(document, issued_at=NOW)[0]
    assert (first.valid_at, first.temperature_c, first.precipitation_mm) == (
        at(10),
        pytest.approx(-12.2222),
        25.4,
    )


def test_a_grid_points_amounts_are_spread_over_their_hours_and_its_update_is_the_issue():
    rows = read_weather_document(GRID_POINT, issued_at=NOW)
    assert [row.valid_at for row in rows] == [at(hour) for hour in range(12, 18)]
    assert {row.precipitation_mm for row in rows} == {1.0}
    assert {row.snow_cm for row in rows} == {0.2}
    assert [row.temperature_c for row in rows] == [12.0, 12.0, None, None, None, None]
    assert rows[0].wind_ms == pytest.approx(10.0)
    assert {row.issued_at for row in rows} == {at(10)}


def damaged(**changes: object) -> dict:
    document = copy.deepcopy(OPEN_METEO)
    for name, value in changes.items():
        document["hourly"][name] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "no JSON object"),
        ({}, "neither"),
        ({"error": True, "reason": "Daily limit exceeded"}, "Daily limit exceeded"),
        ({"hourly": {}}, "no hourly times"),
        ({"hourly": {"time": ["2024-05-01T05:00"]}}, "no hourly temperature"),
        (damaged(temperature_2m=[1.0]), "not as many hours"),
        (damaged(precipitation=None), "not as many hours"),
        (damaged(time=["soon"] * 4), "is no time"),
        (OPEN_METEO | {"hourly_units": {"temperature_2m": "hands"}}, "unit 'hands' is not known"),
        (OPEN_METEO | {"utc_offset_seconds": "late"}, "no offset"),
        ({"properties": {"temperature": {"values": []}}}, "holds no hours"),
        (
            {"properties": {"temperature": {"values": [{"validTime": "2024-05-01T12:00:00Z", "value": 1}]}}},
            "no length",
        ),
        ({"properties": {"temperature": {"values": ["x"]}}}, "no length"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_the_next_step(document, message):
    with pytest.raises(WeatherProblem, match=message) as refused:
        read_weather_document(document, issued_at=NOW)
    assert refused.value.next_step


def test_an_impossible_figure_of_a_document_is_kept_aside_and_nulls_are_nothing():
    found = read_weather_document(damaged(temperature_2m=[10.0, 999.0, None, float("nan")]), issued_at=NOW)
    assert [type(one) for one in found[:2]] == [WeatherRow, QuarantinedValue]
    assert found[1].rejection.code == "bad_number"
    assert found[2].temperature_c is None


@pytest.fixture
def feed(agency) -> Feed:
    return context_feed_ensure(agency=agency, slug="sky", kind="weather_json")


def test_each_issue_is_kept_and_one_that_says_the_same_again_is_not_stored_twice(feed):
    first = read_weather_document(OPEN_METEO, issued_at=NOW)
    assert weather_store(feed=feed, rows=first).inserted == 4
    again = read_weather_document(OPEN_METEO, issued_at=NOW + timedelta(minutes=10))
    stored = weather_store(feed=feed, rows=again)
    assert (stored.inserted, stored.updated, stored.unchanged) == (0, 0, 4)
    other = read_weather_document(
        damaged(temperature_2m=[10.0, 11.0, 12.0, 20.0]), issued_at=NOW + timedelta(minutes=20)
    )
    assert weather_store(feed=feed, rows=other).inserted == 2
    issues = WeatherHour.objects.filter(valid_at=at(13)).order_by("issued_at")
    assert [(hour.temperature_c, hour.is_forecast) for hour in issues] == [(13.0, True), (20.0, True)]


def run_file(feed: Feed, path: Path) -> ImportRun:
    return import_run_execute(run=import_run_queue(feed=feed, path=path))


def account(run: ImportRun) -> tuple[int, ...]:
    counts = tuple(
        run.counts[n] for n in ("received", "inserted", "updated", "unchanged", "quarantined", "refused")
    )
    assert counts[0] == sum(counts[1:])
    return counts


def test_a_corrected_measurement_replaces_the_first_one(agency, tmp_path):
    feed = context_feed_ensure(agency=agency, slug="gauge", kind="weather_csv")
    path = tmp_path / "a.csv"
    path.write_text("date,prcp\n2024-04-01,1\n2024-04-02,2\nsoon,3\n")
    assert account(run_file(feed, path)) == (3, 2, 0, 0, 1, 0)
    assert account(run_file(feed, path)) == (3, 0, 0, 2, 1, 0)
    path.write_text("date,prcp\n2024-04-01,1.5\n2024-04-02,2\n")
    assert account(run_file(feed, path)) == (2, 0, 1, 1, 0, 0)
    assert WeatherHour.objects.get(precipitation_mm=1.5).feed == feed


def test_a_row_kept_aside_is_closed_when_its_hour_comes_whole(agency, tmp_path):
    feed = context_feed_ensure(agency=agency, slug="gauge", kind="weather_csv")
    path = tmp_path / "a.csv"
    path.write_text("time,temp\n2024-04-01 10:00,warm\n")
    run_file(feed, path)
    path.write_text("time,temp\n2024-04-01T15:00:00Z,10\n")
    run_file(feed, path)
    assert QuarantinedRow.objects.get().resolved_at is not None


def test_a_document_that_waits_in_the_queue_keeps_the_issue_time_of_its_upload(feed, tmp_path):
    path = tmp_path / "forecast.json"
    document = copy.deepcopy(OPEN_METEO)
    start = timezone.now().replace(minute=0, second=0, microsecond=0)
    document["hourly"]["time"] = [int((start + k * HOUR).timestamp()) for k in range(1, 5)]
    path.write_text(json.dumps(document))
    run = import_run_queue(feed=feed, path=path)
    queued = datetime.fromisoformat(run.config_snapshot["read_at"])
    import_run_execute(run=run)
    assert set(WeatherHour.objects.values_list("issued_at", flat=True)) == {queued}


def test_the_command_imports_tables_and_documents(agency, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("date,tmax,tmin,prcp\n2024-04-01,68,50,1\n")
    given = {"agency": "riverton", "create_feed": True}
    call_command("import_weather", str(tmp_path / "a.csv"), feed="gauge", temperature_unit="f", **given)
    assert WeatherHour.objects.get().temperature_c == 15.0
    (tmp_path / "a.json").write_text(json.dumps(GRID_POINT))
    call_command("import_weather", str(tmp_path / "a.json"), feed="nws", **given)
    assert "6 rows received" in capsys.readouterr().out
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(CommandError, match="no JSON"):
        call_command("import_weather", str(tmp_path / "b.json"), feed="nws", **given)


def test_chicagos_nine_years_of_days_come_in_whole(agency, shared_data):
    feed = context_feed_ensure(agency=agency, slug="gauge", kind="weather_csv")
    run = run_file(feed, shared_data / "chicago" / "weather_daily_2010_2018.csv")
    received, inserted, *others = account(run)
    assert received == inserted == WeatherHour.objects.count() > 3_200
    assert set(others) == {0}
    first = WeatherHour.objects.earliest("valid_at")
    assert (first.temperature_c, first.valid_at) == (-11.4, datetime(2010, 1, 1, 6, tzinfo=UTC))
