"""Calendars and weather from an address: fetched by schedule, unchanged ones not again, and nothing called off by a bad day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import Feed, ImportRun, QuarantinedRow, ScheduledEvent, WeatherHour
from ingestion.selectors import feeds_with_health
from ingestion.services import import_run_execute, pull_queue
from ingestion.services.whole_pulls import whole_file_fetch
from ingestion.sources import is_pull, whole_file_class
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from tests.ingestion.portals import Portal, answers, cut_off, hangs_up, sign_in_page
from tests.ingestion.pulled import account, pull

pytestmark = pytest.mark.django_db
KINDS = {
    "ical_url": ("events", "/games.ics"),
    "events_csv_url": ("events", "/events.csv"),
    "weather_csv_url": ("weather", "/days.csv"),
    "weather_json_url": ("weather", "/forecast"),
}


def whole_feed(agency: Agency, portal: Portal, kind: str, **params: Any) -> Feed:
    record_kind, path = KINDS[kind]
    feed = Feed(
        agency=agency,
        name="Address",
        slug="address",
        kind=kind,
        record_kind=record_kind,
        params={"url": portal.url + path, **params},
        every_minutes=60,
    )
    feed.full_clean()
    feed.save()
    return feed


def calendar(*days: int, extra: str = "") -> bytes:
    today = timezone.now().replace(hour=18, minute=0, second=0, microsecond=0)
    events = ""
    for day in days:
        start = today + timedelta(days=day)
        events += (
            f"BEGIN:VEVENT\r\nUID:game-{day}\r\nDTSTART:{start:%Y%m%dT%H%M%SZ}\r\nSUMMARY:Derby\r\n"
            "CATEGORIES:game\r\nCREATED:20240105T120000Z\r\n"
            "ORGANIZER;CN=Jane Roe:mailto:jane@example.org\r\nDESCRIPTION:Call Jane Roe at\r\n  312-555-0100\r\n"
            f"{extra}END:VEVENT\r\n"
        )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//R//G//EN\r\n{events}END:VCALENDAR\r\n".encode()


def open_meteo(now: datetime, *heat: float) -> bytes:
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    times = [f"{first + timedelta(hours=k):%Y-%m-%dT%H:%M}" for k in range(len(heat))]
    hourly = {"time": times, "temperature_2m": list(heat), "owner": ["Jane Roe"] * len(heat)}
    return json.dumps({"hourly": hourly, "hourly_units": {"temperature_2m": "°C"}, "by": "Jane Roe"}).encode()


def serve(portal: Portal, kind: str, body: bytes) -> None:
    portal.files[KINDS[kind][1]] = body, "application/octet-stream"


def good(kind: str) -> bytes:
    return {
        "ical_url": calendar(1, 2),
        "events_csv_url": b"id,name,kind,starts_at,contact\n1,Derby,game,2030-01-01 19:00,Jane Roe\n2,x\n",
        "weather_csv_url": b"date,prcp,observer\n2024-04-01,1,Jane Roe\n2024-04-02,2\n",
        "weather_json_url": open_meteo(timezone.now(), 1.0, 2.0, 3.0, 4.0),
    }[kind]


def test_a_calendar_is_fetched_once_and_an_unchanged_one_costs_one_small_request(
    agency: Agency, portal: Portal
) -> None:
    feed = whole_feed(agency, portal, "ical_url")
    serve(portal, "ical_url", calendar(1, 2))
    assert account(pull(feed)) == (2, 2, 0, 0, 0, 0)
    run = pull(feed)
    assert account(run) == (0, 0, 0, 0, 0, 0)
    assert "unchanged" in run.log
    assert portal.asked[-1].headers["if-none-match"] == '"v1"'
    assert ScheduledEvent.objects.count() == 2


def test_an_unchanged_calendar_is_read_anew_after_a_week_for_its_rules_without_an_end(
    agency: Agency, portal: Portal
) -> None:
    feed = whole_feed(agency, portal, "ical_url", horizon_days=10)
    serve(portal, "ical_url", calendar(-1, extra="RRULE:FREQ=DAILY\r\n"))
    pull(feed)
    feed.refresh_from_db()
    feed.cursor["read_at"] = (timezone.now() - timedelta(days=7)).isoformat()
    feed.params["horizon_days"] = 17
    feed.save()
    before = ScheduledEvent.objects.count()
    run = pull(feed)
    assert "if-none-match" not in portal.asked[-1].headers
    assert run.counts["inserted"] == 7
    assert ScheduledEvent.objects.count() == before + 7


def test_an_event_that_a_new_calendar_no_longer_names_is_called_off_and_a_half_calendar_calls_off_nothing(
    agency: Agency, portal: Portal
) -> None:
    feed = whole_feed(agency, portal, "ical_url")
    serve(portal, "ical_url", calendar(1, 2, 3))
    pull(feed)
    portal.etag = '"v2"'
    whole = calendar(1, 2)
    serve(portal, "ical_url", whole[: len(whole) // 2])
    with pytest.raises(MissionsError, match="cut off"):
        pull(feed)
    assert not ScheduledEvent.objects.exclude(cancelled_at=None).exists()
    serve(portal, "ical_url", whole)
    pull(feed)
    assert list(ScheduledEvent.objects.exclude(cancelled_at=None).values_list("external_id", flat=True)) == [
        "game-3"
    ]


def test_a_forecast_is_issued_when_its_answer_came_and_each_issue_is_kept(
    agency: Agency, portal: Portal
) -> None:
    feed = whole_feed(agency, portal, "weather_json_url")
    asked_at = timezone.now()
    serve(portal, "weather_json_url", open_meteo(asked_at, 10.0, 11.0, 12.0, 13.0))
    run = pull_queue(feed=feed)
    ImportRun.objects.update(config_snapshot=run.config_snapshot | {"read_at": "2020-01-01T00:00:00+00:00"})
    run.refresh_from_db()
    assert account(import_run_execute(run=run))[:2] == (4, 4)
    issues = list(WeatherHour.objects.filter(is_forecast=True).values_list("issued_at", flat=True))
    assert len(issues) == 2
    assert all(at >= asked_at for at in issues), "not issued before anybody could have read it"
    portal.etag = '"v2"'
    serve(portal, "weather_json_url", open_meteo(asked_at, 10.0, 11.0, 12.0, 20.0))
    assert account(pull(feed)) == (4, 1, 0, 3, 0, 0)
    last = WeatherHour.objects.order_by("-valid_at", "issued_at").filter(temperature_c__in=(13.0, 20.0))
    assert [hour.temperature_c for hour in last] == [13.0, 20.0]


OBSERVED = [
    ("2024-05-01T10:53:00+00:00", 10.0, 1.0, "V"),
    ("2024-05-01T10:20:00+00:00", 12.0, 0.4, "V"),
    ("2024-05-01T11:53:00+00:00", 99.0, None, "X"),
    ("2024-05-01T12:10:00+00:00", 14.0, None, "V"),
]


def test_a_stations_observations_become_the_hours_that_are_over(agency: Agency, portal: Portal) -> None:
    feed = whole_feed(agency, portal, "weather_json_url")
    features = [
        {
            "properties": {
                "timestamp": at,
                "temperature": {"unitCode": "wmoUnit:degC", "value": heat, "qualityControl": mark},
                "precipitationLastHour": {"unitCode": "wmoUnit:mm", "value": rain},
                "windSpeed": {"unitCode": "wmoUnit:km_h-1", "value": 36.0},
            }
        }
        for at, heat, rain, mark in OBSERVED
    ]
    serve(portal, "weather_json_url", json.dumps({"features": features}).encode())
    assert account(pull(feed)) == (3, 3, 0, 0, 0, 0)
    hours = list(WeatherHour.objects.order_by("valid_at"))
    assert [(h.temperature_c, h.precipitation_mm, h.wind_ms) for h in hours] == [
        (11.0, 1.0, 10.0),
        (None, None, 10.0),
        (14.0, None, 10.0),
    ]
    assert hours[0].issued_at == datetime(2024, 5, 1, 11, tzinfo=UTC)
    assert not any(hour.is_forecast for hour in hours)


@pytest.mark.parametrize("kind", KINDS)
def test_a_busy_server_is_waited_for(agency: Agency, portal: Portal, kind: str) -> None:
    feed = whole_feed(agency, portal, kind)
    serve(portal, kind, good(kind))
    portal.faults.extend([answers(429), answers(503), hangs_up, cut_off])
    run = pull(feed)
    assert account(run)[0] > 1
    assert len(portal.asked) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_another_length_is_kept_aside_and_nothing_about_persons_reaches_the_spool(
    agency: Agency, portal: Portal, kind: str, settings: Any
) -> None:
    feed = whole_feed(agency, portal, kind)
    serve(portal, kind, good(kind))
    run = pull_queue(feed=feed)
    seen: list[bytes] = []

    class Report:
        def record(self, **fields: Any) -> None:
            run.pull = fields["pull"]

        def log(self, line: str) -> None:
            seen.append(line.encode())

        def progress(self, *_: Any) -> None:
            return

    assert whole_file_fetch(run, Report()) > 0  # type: ignore[arg-type]
    seen += [path.read_bytes() for path in Path(settings.SPOOL_DIR).rglob("*") if path.is_file()]
    assert len(seen) > 1
    assert not any(b"Roe" in one or b"312-555" in one for one in seen)
    run.refresh_from_db()
    assert account(import_run_execute(run=run))[0] > 1
    kept = list(QuarantinedRow.objects.values_list("code", flat=True))
    assert kept == (["wrong_column_count"] if kind.endswith("csv_url") else [])
    assert not [
        path for path in Path(settings.SPOOL_DIR).rglob("*") if path.is_file() and run.spool_name in str(path)
    ]


BAD = [
    (b"", "empty"),
    (b"<!DOCTYPE html><html>sign in</html>", "web page|no calendar|not CSV"),
    (b"%PDF-1.7 ...", "PDF|no calendar|not JSON"),
    (b"PK\x03\x04" + b"\x00" * 60, "archive|no calendar|not JSON"),
    (b"\xff\xfe" + "BEGIN:VCALENDAR".encode("utf-16-le"), "no calendar|not UTF-8|not JSON"),
    (b"{" * 100_000, "cut off|no calendar|JSON, not CSV"),
    (b'{"hourly": {"time": [NaN], "temperature_2m": [1e999]}}', "no time|no calendar|JSON, not CSV"),
    (
        b'{"hourly": {"time": [1], "temperature_2m": [1' + b"0" * 400 + b"]}}",
        "rows|no calendar|JSON, not CSV",
    ),
    (b"a,b\n1,2\n", "no column|which day|no calendar|not JSON"),
    (b'a,"b\n' + b"x" * 200_000, "no table|no calendar|not JSON|no column|which day"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("body", "words"), BAD, ids=range(len(BAD)))
def test_an_answer_of_another_kind_fails_the_run_with_the_next_step_and_changes_nothing(
    agency: Agency, portal: Portal, kind: str, body: bytes, words: str
) -> None:
    feed = whole_feed(agency, portal, kind)
    serve(portal, kind, body)
    with pytest.raises(MissionsError, match=words) as refused:
        pull(feed)
    assert refused.value.next_step
    assert "Traceback" not in ImportRun.objects.get().log
    feed.refresh_from_db()
    assert (feed.cursor, ScheduledEvent.objects.count(), WeatherHour.objects.count()) == ({}, 0, 0)


def test_sign_in_pages_missing_addresses_and_too_large_answers_are_named(
    agency: Agency, portal: Portal, settings: Any
) -> None:
    feed = whole_feed(agency, portal, "ical_url")
    portal.faults.append(sign_in_page)
    with pytest.raises(MissionsError, match="sign-in"):
        pull(feed)
    with pytest.raises(MissionsError, match="404"):
        pull(feed)
    settings.PULL_MAX_BYTES = 1_000
    serve(portal, "ical_url", calendar(*range(1, 30)))
    with pytest.raises(MissionsError, match="larger than 1,000 bytes"):
        pull(feed)
    settings.PULL_PRIVATE_HOSTS = ()
    with pytest.raises(MissionsError, match="not on the public internet"):
        pull(feed)


def test_a_server_that_names_a_time_puts_the_next_turn_off(agency: Agency, portal: Portal) -> None:
    feed = whole_feed(agency, portal, "weather_json_url")
    portal.faults.append(answers(429, Retry_After="7200"))
    assert pipeline.pulls_due() == 1
    feed.refresh_from_db()
    assert feed.next_due_at is not None
    assert feed.next_due_at > timezone.now() + timedelta(minutes=110)
    assert "patience" in ImportRun.objects.get().error


def test_the_dispatcher_pulls_it_without_any_mapping(agency: Agency, portal: Portal) -> None:
    whole_feed(agency, portal, "ical_url")
    serve(portal, "ical_url", calendar(1))
    assert pipeline.pulls_due() == 1
    assert ScheduledEvent.objects.count() == 1
    assert feeds_with_health(agency, now=timezone.now())[0].words == "In order."


def test_a_pull_that_was_killed_after_fetching_goes_on_with_the_same_file(
    agency: Agency, portal: Portal, monkeypatch: Any
) -> None:
    from ingestion.services import whole_files

    feed = whole_feed(agency, portal, "ical_url")
    serve(portal, "ical_url", calendar(1, 2, 3))
    monkeypatch.setattr(whole_files, "CHUNK_ROWS", 2)
    run = pull_queue(feed=feed)
    store, calls = whole_files._store, []

    def killed(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return store(*args)

    monkeypatch.setattr(whole_files, "_store", killed)
    with pytest.raises(KeyboardInterrupt):
        import_run_execute(run=run)
    assert Feed.objects.get().cursor == {}
    serve(portal, "ical_url", calendar(9))
    ImportRun.objects.update(status="queued")
    run = import_run_execute(run=ImportRun.objects.get())
    assert account(run) == (3, 3, 0, 0, 0, 0)
    assert len(portal.asked) == 1
    assert Feed.objects.get().cursor["validators"] == {"etag": '"v1"'}


def test_an_address_that_holds_a_key_is_refused_and_a_sealed_key_is_sent_and_never_told(
    agency: Agency, portal: Portal
) -> None:
    from ingestion.services import feed_secrets_seal

    feed = whole_feed(agency, portal, "weather_json_url", header_name="X-Api-Key")
    feed_secrets_seal(feed=feed, values={"header_value": "s3cret-word", "query_secret": "appid=qu3ry-word"})
    feed.save()
    serve(portal, "weather_json_url", good("weather_json_url"))
    run = pull(feed)
    assert portal.asked[-1].headers["x-api-key"] == "s3cret-word"
    assert portal.asked[-1].query["appid"] == "qu3ry-word"
    told = f"{run.log}{run.error}{run.config_snapshot}{run.pull}{run.file_name}"
    assert "s3cret-word" not in told
    assert "qu3ry-word" not in told
    feed.params["url"] += "?api_key=1"
    feed.save()
    with pytest.raises(MissionsError, match="holds a key"):
        pull(feed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_admin_asks_for_the_address_and_pulls_without_a_wizard(
    owner: Any,
    agency: Agency,
    portal: Portal,
    sign_in: Any,
    kind: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    client = sign_in(owner)
    serve(portal, kind, good(kind))
    made = client.post(
        reverse("admin:ingestion_feed_add"),
        {
            "agency": agency.pk,
            "name": "Address",
            "slug": "address",
            "record_kind": KINDS[kind][0],
            "kind": kind,
            "is_active": "on",
        },
    )
    feed = Feed.objects.get()
    assert made.url == reverse("admin:ingestion_feed_change", args=[feed.pk])
    assert "Enter the address" in feeds_with_health(agency, now=timezone.now())[0].words
    assert is_pull(kind)
    assert whole_file_class(kind) is not None
    page = client.get(made.url).content.decode()
    assert 'name="param_url"' in page
    assert 'name="every_minutes"' in page
    assert "Fetch a sample" not in page
    assert "Pull now" in page
    away = client.get(reverse("admin:ingestion_feed_upload", args=[feed.pk]))
    assert away.url == made.url
    Feed.objects.update(params={"url": portal.url + KINDS[kind][1]})
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("admin:ingestion_feed_pull", args=[feed.pk]))
    run = ImportRun.objects.get()
    assert (run.status, run.error) == ("succeeded", "")
    listed = client.get(reverse("admin:ingestion_feed_changelist")).content.decode()
    assert ">Address</a>" in listed
