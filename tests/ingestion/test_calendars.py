"""Calendars become scheduled events: recurrence, zones, cancellations; bad entries are kept aside with a reason."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from ingestion.engine import calendars
from ingestion.engine.calendars import CalendarReading, read_calendar
from ingestion.engine.events import EventReading, EventRow, EventTableProblem, read_events_csv
from ingestion.engine.places import Boundary
from ingestion.engine.records import QuarantinedValue
from ingestion.models import Feed, ImportRun, QuarantinedRow, ScheduledEvent
from ingestion.services import context_feed_ensure, import_run_execute, import_run_queue
from ingestion.services import whole_files as whole_files_service
from ingestion.services.context_facts import FORMER
from missions_project.lib.errors import MissionsError
from tests.factories import degrees

NOW = datetime(2024, 3, 20, tzinfo=UTC)
READING = EventReading("America/Chicago", NOW)
HOW = CalendarReading(past_days=60, horizon_days=40)
GAME = "UID:game\nDTSTART;TZID=America/Chicago:20240301T190000\nDTEND;TZID=America/Chicago:20240301T220000\nSUMMARY:Game"


def ics(*events: str, head: str = "") -> bytes:
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{body}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def read(*events: str, how: CalendarReading = HOW, reading: EventReading = READING, head: str = ""):
    return list(read_calendar(ics(*events, head=head), reading, how))


def utc(day: int, hour: int, month: int = 3) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=UTC)


def test_a_weekly_game_keeps_its_wall_clock_through_summer_time():
    games = read(GAME + "\nRRULE:FREQ=WEEKLY;COUNT=3")
    # 19:00 in Chicago: 01:00 UTC in winter, midnight UTC from 10 March on.
    assert [game.starts_at for game in games] == [utc(2, 1), utc(9, 1), utc(16, 0)]
    assert {game.ends_at - game.starts_at for game in games} == {timedelta(hours=3)}
    assert len({game.external_id for game in games}) == 3


def test_excluded_added_and_moved_occurrences_are_where_the_calendar_says():
    games = read(
        GAME + "\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;TZID=America/Chicago:20240308T190000"
        "\nRDATE;TZID=America/Chicago:20240320T190000",
        "UID:game\nRECURRENCE-ID;TZID=America/Chicago:20240315T190000\nDTSTART;TZID=America/Chicago:20240316T120000\n"
        "DURATION:PT2H\nSTATUS:CANCELLED\nSUMMARY:Game",
    )
    assert [game.starts_at for game in games] == [utc(2, 1), utc(16, 17), utc(21, 0)]
    assert [game.is_cancelled for game in games] == [False, True, False]
    assert games[1].external_id == "game@20240316T000000Z", "a moved occurrence keeps its identity"


def test_an_event_that_recurs_for_ever_is_written_out_to_the_horizon():
    games = read(GAME + "\nRRULE:FREQ=DAILY", how=CalendarReading(past_days=5, horizon_days=10))
    assert len(games) in (15, 16)
    assert max(game.starts_at for game in games) <= NOW + timedelta(days=10)


@pytest.mark.parametrize(
    ("lines", "starts", "ends"),
    [
        ("DTSTART;VALUE=DATE:20240309\nDTEND;VALUE=DATE:20240311", utc(9, 6), utc(11, 5)),
        ("DTSTART;VALUE=DATE:20240310", utc(10, 6), utc(11, 5)),
        ("DTSTART:20240301T190000", utc(2, 1), utc(2, 4)),
        ("DTSTART:20240301T190000Z\nDURATION:PT90M", utc(1, 19), datetime(2024, 3, 1, 20, 30, tzinfo=UTC)),
        ("DTSTART;TZID=Central Standard Time:20240301T190000", utc(2, 1), utc(2, 4)),
        ("DTSTART;TZID=Europe/London:20240301T190000", utc(1, 19), utc(1, 22)),
    ],
)
def test_days_floating_times_durations_and_other_zones_are_the_right_instants(lines, starts, ends):
    (event,) = read(f"UID:a\n{lines}")
    assert (event.starts_at, event.ends_at) == (starts, ends)


def test_a_zone_that_the_calendar_itself_defines_is_used():
    zone = (
        "BEGIN:VTIMEZONE\nTZID:House time\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0300\n"
        "TZOFFSETTO:-0300\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    (event,) = read("UID:a\nDTSTART;TZID=House time:20240301T190000", head=zone)
    assert event.starts_at == utc(1, 22)


def test_kind_place_and_name_are_read_and_nothing_about_persons():
    (event,) = read(
        GAME
        + "\nCATEGORIES:Home Game,Sports\nGEO:41.81;-87.69\nLOCATION:The Roes' house\nDESCRIPTION:call Jane Roe"
        "\nORGANIZER;CN=Jane Roe:mailto:jane@example.org\nATTENDEE:mailto:john@example.org"
    )
    assert (event.kind, event.lat, event.lon, event.name) == ("home-game", 41.81, -87.69, "Game")
    assert "Roe" not in repr(event)
    assert "example" not in repr(event)
    (other,) = read("UID:b\nDTSTART:20240301T190000\nSUMMARY:Meet Ms. Roe 312-555-0100")
    assert other.name == "event"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("UID:a\nDTSTART;TZID=Nowhere/Land:20240301T190000", "unknown_time_zone"),
        ("UID:a\nDTSTART:garbage", "bad_timestamp"),
        ("UID:a\nSUMMARY:never", "missing_timestamp"),
        ("DTSTART:20240301T190000Z", "missing_id"),
        ("UID:a\nDTSTART:20240301T190000Z\nDTEND:20240301T180000Z", "end_before_start"),
        ("UID:a\nDTSTART:20240301T190000Z\nRRULE:FREQ=SECONDLY", "bad_recurrence"),
        ("UID:a\nDTSTART:20240301T190000Z\nRRULE:FREQ=NONSENSE", "bad_recurrence"),
        ("UID:a\nDTSTART:20240301T190000Z\nGEO:here", "bad_coordinates"),
        ("UID:a\nDTSTART:20240301T190000Z\nGEO:91;10", "coordinates_out_of_range"),
        ("UID:a\nDTSTART:20240301T190000Z\nGEO:0;0", "zero_coordinates"),
        ("UID:a\nDTSTART:20240301T190000Z\nCATEGORIES:Parolees", "event_about_persons"),
        ("UID:a\nDTSTART:20240301T190000Z\nRECURRENCE-ID:PT2H", "bad_timestamp"),
        ("UID:a\nDTSTART:PT2H", "bad_timestamp"),
        ("UID:a\nDTSTART:20240301T190000Z\nDTEND:99991231T235959", "bad_timestamp"),
        ("UID:a\x00b\nDTSTART:20240301T190000Z", "nul_byte"),
        ("UID:" + "a" * 300 + "\nDTSTART:20240301T190000Z", "field_too_long"),
    ],
)
def test_an_entry_that_cannot_be_used_is_kept_aside_and_the_next_one_is_read(lines, code):
    found = read(lines, GAME)
    assert [type(item) for item in found] == [QuarantinedValue, EventRow]
    assert found[0].rejection.code == code
    assert found[0].rejection.message


def test_places_outside_and_swapped_ones_are_kept_aside_and_places_may_be_asked_for():
    west, south = degrees(0, 0)
    east, north = degrees(4_000, 4_000)
    inside = EventReading("America/Chicago", NOW, Boundary.from_bbox((west, south, east, north)))
    codes = [
        read(f"{GAME}\nGEO:{place}", reading=inside)[0].rejection.code
        for place in ("51.5;0.1", f"{west + 0.01};{south + 0.01}")
    ]
    assert codes == ["outside_boundary", "swapped_coordinates"]
    strict = EventReading("America/Chicago", NOW, place_needed=True)
    assert read(GAME, reading=strict)[0].rejection.code == "missing_coordinates"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xfe\x00", ics(), b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"]
)
def test_what_is_no_calendar_or_an_empty_one_is_refused_whole(data):
    with pytest.raises(EventTableProblem) as refused:
        list(read_calendar(data, READING, HOW))
    assert refused.value.next_step


def test_a_calendar_without_measure_is_refused(monkeypatch):
    monkeypatch.setattr(calendars, "MAX_EVENTS", 5)
    with pytest.raises(EventTableProblem, match="more than 5"):
        read(GAME + "\nRRULE:FREQ=DAILY")
    monkeypatch.setattr(calendars, "MAX_OCCURRENCES", 5)
    assert read(GAME + "\nRRULE:FREQ=DAILY")[0].rejection.code == "bad_recurrence"


def test_since_when_an_event_is_known():
    (created,) = read(GAME + "\nCREATED:20240105T120000Z")
    assert created.announced_at == datetime(2024, 1, 5, 12, tzinfo=UTC)
    (later,) = read(GAME + "\nCREATED:20300105T120000Z")
    assert later.announced_at == NOW, "nobody knows of it before it is imported, whatever its clock says"
    (broken,) = read(GAME + "\nCREATED:yesterday")
    assert broken.announced_at is None
    (silent,) = read(GAME)
    assert silent.announced_at is None
    (ahead,) = read(GAME, reading=EventReading("America/Chicago", NOW, announced_days=14))
    assert ahead.announced_at == utc(2, 1) - timedelta(days=14)


TABLE = """id,name,kind,starts_at,ends_at,announced_at,lat,lon,attendance,status,organiser
1,Derby,Game,2024-03-10 19:00,2024-03-10 22:00,2024-01-05,41.81,-87.69,"40,000",,J. Roe
2,Fair,Festival,2024-03-09,2024-03-10,2024-02-01,,,,cancelled,
3,,Market,2024-03-09T10:00:00-06:00,,,,,,,
"""


def test_a_table_of_events_is_read_in_the_agencys_time():
    game, fair, market = read_events_csv(TABLE, READING)
    assert (game.starts_at, game.ends_at, game.attendance) == (utc(11, 0), utc(11, 3), 40_000)
    assert (fair.starts_at, fair.ends_at, fair.is_cancelled) == (utc(9, 6), utc(11, 5), True)
    assert (market.starts_at, market.name, market.kind) == (utc(9, 16), "market", "market")
    assert market.ends_at - market.starts_at == timedelta(hours=3)
    assert "Roe" not in repr([game, fair, market])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("1,a,b,,,,,,,,", "missing_timestamp"),
        ("1,a,b,soon,,,,,,,", "bad_timestamp"),
        ("1,a,b,2024-03-10,2024-03-09,,,,,,", "end_before_start"),
        ("1,a,b,2024-03-10,,,x,-87,,,", "bad_coordinates"),
        ("1,a,b,2024-03-10,,,41.8,,,,", "missing_coordinates"),
        ("1,a,b,2024-03-10,,,,,many,,", "bad_number"),
        ("1,a,b,2024-03-10,,,,,-5,,", "bad_number"),
        ("1,a,b,2044-03-10,,,,,,,", "future_timestamp"),
        ("1,a,b,1900-01-01,,,,,,,", "implausible_past"),
        ("1,a,b,2024-03-10,2026-03-10,,,,,,", "event_too_long"),
        # How many systems write "without an end"; in other zones it is a day of a year that there is not.
        ("1,a,b,2024-03-10,9999-12-31,,,,,,", "event_too_long"),
        ("1,a,b,9999-12-31 23:00,,,,,,,", "future_timestamp"),
        ("1,a,b,0001-01-01,,,,,,,", "implausible_past"),
        ("1,a,Victims,2024-03-10,,,,,,,", "event_about_persons"),
        ("1,a,b", "wrong_column_count"),
    ],
)
def test_a_bad_row_of_a_table_is_kept_aside(row, code):
    head = TABLE.splitlines()[0]
    (found,) = read_events_csv(f"{head}\n{row}\n", READING)
    assert found.rejection.code == code


def test_a_table_without_a_beginning_is_refused():
    with pytest.raises(EventTableProblem, match="when an event begins") as refused:
        read_events_csv("name,kind\na,b\n", READING)
    assert "starts_at" in refused.value.next_step


def run_file(feed: Feed, path: Path) -> ImportRun:
    return import_run_execute(run=import_run_queue(feed=feed, path=path))


def coming(days: int, hour: int = 19) -> str:
    return f"{(timezone.now() + timedelta(days=days)):%Y%m%d}T{hour:02d}0000Z"


def account(run: ImportRun) -> tuple[int, ...]:
    names = ("received", "inserted", "updated", "unchanged", "quarantined", "refused")
    counts = tuple(run.counts[name] for name in names)
    assert counts[0] == sum(counts[1:])
    return counts


@pytest.fixture
def feed(agency) -> Feed:
    return context_feed_ensure(agency=agency, slug="games", kind="ical_file")


def test_importing_a_calendar_twice_changes_nothing_and_a_moved_event_leaves_what_was_known_before(
    feed, tmp_path
):
    path = tmp_path / "games.ics"
    first = f"UID:a\nDTSTART:{coming(5)}\nCREATED:20240105T120000Z"
    path.write_bytes(ics(first, f"UID:b\nDTSTART:{coming(6)}", "UID:c\nDTSTART:garbage"))
    assert account(run_file(feed, path)) == (3, 2, 0, 0, 1, 0)
    assert account(run_file(feed, path)) == (3, 0, 0, 2, 1, 0)
    before = ScheduledEvent.objects.get(external_id="a")
    path.write_bytes(
        ics(
            f"UID:a\nDTSTART:{coming(7)}\nCREATED:20250101T120000Z",
            f"UID:b\nDTSTART:{coming(6)}",
            f"UID:c\nDTSTART:{coming(1)}",
        )
    )
    assert account(run_file(feed, path)) == (3, 1, 1, 1, 0, 0)
    after = ScheduledEvent.objects.get(external_id="a")
    assert after.starts_at == before.starts_at + timedelta(days=2)
    former = ScheduledEvent.objects.get(starts_at=before.starts_at, external_id__startswith=FORMER)
    assert former.announced_at == before.announced_at == datetime(2024, 1, 5, 12, tzinfo=UTC)
    assert former.cancelled_at == after.announced_at, (
        "until then one reckoned with the old time, since then with the new"
    )
    assert account(run_file(feed, path)) == (3, 0, 0, 3, 0, 0)
    assert ScheduledEvent.objects.count() == 4
    assert QuarantinedRow.objects.get().resolved_at is not None, "the entry came whole and is closed"


def test_what_a_later_calendar_no_longer_holds_is_called_off_and_comes_back_when_it_does(feed, tmp_path):
    path = tmp_path / "games.ics"
    both = ics(f"UID:a\nDTSTART:{coming(5)}", f"UID:b\nDTSTART:{coming(6)}", f"UID:old\nDTSTART:{coming(-5)}")
    path.write_bytes(both)
    run_file(feed, path)
    path.write_bytes(ics(f"UID:a\nDTSTART:{coming(5)}"))
    run = run_file(feed, path)
    assert "1 future events" in run.log
    off = ScheduledEvent.objects.exclude(cancelled_at=None).values_list("external_id", flat=True)
    assert list(off) == ["b"], "what is over stays as it was"
    path.write_bytes(both)
    assert account(run_file(feed, path)) == (3, 0, 1, 2, 0, 0)
    back, former = (
        ScheduledEvent.objects.get(external_id="b"),
        ScheduledEvent.objects.exclude(cancelled_at=None).get(),
    )
    assert back.cancelled_at is None
    assert former.external_id.startswith(FORMER)
    assert former.announced_at < former.cancelled_at < back.announced_at, (
        "for a while nobody reckoned with it"
    )


def test_what_is_corrected_after_it_is_over_and_a_new_name_leave_no_second_row(feed, tmp_path):
    path = tmp_path / "games.ics"
    path.write_bytes(
        ics(f"UID:a\nDTSTART:{coming(-5)}\nSUMMARY:One", f"UID:b\nDTSTART:{coming(5)}\nSUMMARY:One")
    )
    run_file(feed, path)
    path.write_bytes(
        ics(f"UID:a\nDTSTART:{coming(-4)}\nSUMMARY:One", f"UID:b\nDTSTART:{coming(5)}\nSUMMARY:Two")
    )
    assert account(run_file(feed, path)) == (2, 0, 2, 0, 0, 0)
    assert ScheduledEvent.objects.count() == 2


def test_an_entry_with_a_long_identifier_is_kept_aside_and_closed_like_any_other(feed, tmp_path):
    path, uid = tmp_path / "games.ics", "0" * 100 + "f" * 70
    path.write_bytes(ics(f"UID:{uid}\nDTSTART:{coming(5)}\nGEO:0;0", f"UID:{'a' * 300}\nDTSTART:{coming(5)}"))
    assert account(run_file(feed, path)) == (2, 0, 0, 0, 2, 0)
    assert all(len(row.external_id) <= 120 for row in QuarantinedRow.objects.all())
    path.write_bytes(ics(f"UID:{uid}\nDTSTART:{coming(5)}"))
    run_file(feed, path)
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 1
    assert ScheduledEvent.objects.get().external_id == uid


def test_a_series_that_cannot_be_read_today_calls_nothing_off(feed, tmp_path):
    path = tmp_path / "games.ics"
    path.write_bytes(ics(f"UID:a\nDTSTART:{coming(1)}\nRRULE:FREQ=DAILY;COUNT=3"))
    assert account(run_file(feed, path))[1] == 3
    path.write_bytes(ics(f"UID:a\nDTSTART:{coming(1)}\nRRULE:FREQ=NONSENSE"))
    run_file(feed, path)
    assert not ScheduledEvent.objects.exclude(cancelled_at=None).exists()


def test_a_killed_import_goes_on_after_its_last_chunk(feed, tmp_path, monkeypatch):
    path = tmp_path / "games.ics"
    path.write_bytes(ics(*(f"UID:{n}\nDTSTART:{coming(n + 1)}" for n in range(7)), "UID:x\nDTSTART:garbage"))
    monkeypatch.setattr(whole_files_service, "CHUNK_ROWS", 3)
    run = import_run_queue(feed=feed, path=path)
    done = whole_files_service.events_upsert
    calls = []

    def dies(**given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return done(**given)

    monkeypatch.setattr(whole_files_service, "events_upsert", dies)
    with pytest.raises(KeyboardInterrupt):
        import_run_execute(run=run)
    run.refresh_from_db()
    assert (run.counts["received"], ScheduledEvent.objects.count()) == (3, 3)
    ImportRun.objects.filter(pk=run.pk).update(status="queued")
    run.refresh_from_db()
    import_run_execute(run=run)
    run.refresh_from_db()
    assert account(run) == (8, 7, 0, 0, 1, 0)
    assert ScheduledEvent.objects.count() == 7


def test_the_command_makes_the_feed_imports_and_says_what_became_of_it(agency, tmp_path, capsys):
    path = tmp_path / "games.ics"
    path.write_bytes(ics(f"UID:a\nDTSTART:{coming(5)}", "UID:c\nDTSTART:garbage"))
    with pytest.raises(CommandError, match="--create-feed"):
        call_command("import_events", str(path), agency="riverton", feed="games")
    call_command("import_events", str(path), agency="riverton", feed="games", create_feed=True, kind="game")
    assert "bad_timestamp" in capsys.readouterr().out
    assert ScheduledEvent.objects.get().kind == "game"
    (tmp_path / "events.csv").write_text(TABLE)
    call_command(
        "import_events", str(tmp_path / "events.csv"), agency="riverton", feed="fairs", create_feed=True
    )
    assert ScheduledEvent.objects.count() == 4
    with pytest.raises(CommandError, match="of the kind ical_file"):
        call_command(
            "import_events", str(tmp_path / "events.csv"), agency="riverton", feed="games", create_feed=True
        )
    (tmp_path / "empty.ics").write_bytes(b"")
    with pytest.raises(CommandError, match="empty"):
        call_command("import_events", str(tmp_path / "empty.ics"), agency="riverton", feed="games")


def test_kept_rows_of_a_calendar_are_not_replayed_but_closed_by_a_better_file(feed, tmp_path):
    path = tmp_path / "games.ics"
    path.write_bytes(ics("UID:c\nDTSTART:garbage"))
    run_file(feed, path)
    with pytest.raises(CommandError, match="import it again"):
        call_command("quarantine_replay", agency="riverton", feed="games")
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 1


def test_in_the_admin_a_calendar_is_uploaded_without_a_mapping(agency, owner, sign_in):
    client = sign_in(owner)
    given = {
        "agency": agency.pk, "name": "Games", "slug": "games", "record_kind": "incidents", "kind": "ical_file",
        "params": "{}", "is_active": "on",
    }  # fmt: skip
    page = client.post(reverse("admin:ingestion_feed_add"), given)
    assert "hold scheduled events" in page.content.decode()
    client.post(reverse("admin:ingestion_feed_add"), given | {"record_kind": "events"})
    feed = Feed.objects.get()
    file = SimpleUploadedFile("games.ics", ics(f"UID:a\nDTSTART:{coming(5)}"))
    answer = client.post(reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": file})
    run = ImportRun.objects.get()
    assert answer.url == reverse("admin:ingestion_importrun_change", args=[run.pk])
    import_run_execute(run=run)
    assert ScheduledEvent.objects.get().agency == agency
    listing = client.get(reverse("admin:ingestion_feed_changelist"))
    assert "Games" in listing.content.decode()


def test_feeds_with_a_kind_that_maps_rows_hold_no_events(agency, owner, sign_in):
    given = {
        "agency": agency.pk, "name": "Games", "slug": "games", "record_kind": "events", "kind": "csv_file",
        "params": "{}", "is_active": "on",
    }  # fmt: skip
    page = sign_in(owner).post(reverse("admin:ingestion_feed_add"), given)
    assert "kinds of their own" in page.content.decode()
    feed = Feed.objects.create(agency=agency, name="x", slug="x", record_kind="weather", kind="ical_file")
    with pytest.raises(MissionsError, match="hold events, not weather"):
        import_run_queue(feed=feed, path=Path("x.ics"))


def test_half_a_calendar_is_refused_and_calls_nothing_off(feed, tmp_path):
    path = tmp_path / "games.ics"
    whole = ics(*(f"UID:{n}\nDTSTART:{coming(n + 1)}" for n in range(4)))
    path.write_bytes(whole)
    run_file(feed, path)
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(MissionsError, match="cut off"):
            run_file(feed, path)
    assert not ScheduledEvent.objects.exclude(cancelled_at=None).exists()


@pytest.mark.parametrize("zone", ["x" * 300, "../../etc/passwd", "H" + "\u00f8" * 200])
def test_a_zone_that_cannot_be_a_name_is_told_in_words_or_kept_aside(zone):
    event = f"UID:1\nDTSTART;TZID={zone}:20240401T190000\nDTEND:20240401T210000Z\nSUMMARY:Game"
    with suppress(EventTableProblem):
        assert read(event)


def test_a_zone_that_is_named_twice_is_told_in_words():
    zone = "BEGIN:VTIMEZONE\nTZID:Here\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19701101T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0600\nEND:STANDARD\nEND:VTIMEZONE\n"
    with pytest.raises(EventTableProblem, match="no iCalendar file"):
        read(GAME, head=zone)
