"""A date in one column and its time of day in another are one time, whatever kind of feed they come by."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.split_times import join_dates_and_clocks
from ingestion.engine.suggest import guess_mapping, suggest_columns
from ingestion.engine.timestamps import READ, TIME_PRECISIONS, parse_times
from ingestion.models import Feed, Incident, QuarantinedRow
from ingestion.services import import_run_execute, import_run_queue
from ingestion.sources import source_from
from tests.ingestion.files import place, write_rows
from tests.ingestion.portals import Portal
from tests.ingestion.pulled import pull, pulled_feed
from tests.ingestion.reports import SUFFIX, write_excel, write_json_lines, write_parquet

HEADER = ("id", "nibrs", "date_", "time_", "Report Date", "Report Time", "lat", "lon")
MAPPING = FeedMapping(
    columns={
        "external_id": "id",
        "nibrs_code": "nibrs",
        "occurred_from": "date_",
        "occurred_from_time": "time_",
        "reported_at": "Report Date",
        "reported_at_time": "Report Time",
        "lat": "lat",
        "lon": "lon",
    },
    date_format="%m/%d/%Y",
    time_zone="America/Chicago",
)
# Times of day as they are written, what they mean in UTC on 10 March 2025 (five hours behind), and how precisely.
CLOCKS = [
    ("21:30", "2025-03-11T02:30:00", "second"),
    ("9:30 PM", "2025-03-11T02:30:00", "second"),
    ("0730", "2025-03-10T12:30:00", "second"),
    ("", "2025-03-10T05:00:00", "day"),
    ("24:00", "2025-03-11T05:00:00", "second"),
]


def rows() -> list[dict[str, Any]]:
    found = []
    for number, (clock, _, _) in enumerate(CLOCKS):
        lon, lat = place(number)
        found.append(
            {
                "id": f"R{number}",
                "nibrs": "220",
                "date_": "03/10/2025",
                "time_": clock,
                "Report Date": "03/12/2025",
                "Report Time": clock,
                "lat": str(lat),
                "lon": str(lon),
            }
        )
    return found


def stored(feed: Feed) -> list[tuple[str, str]]:
    found = Incident.objects.filter(feed=feed).order_by("external_id")
    return [(one.occurred_from.strftime("%Y-%m-%dT%H:%M:%S"), one.time_precision) for one in found]


EXPECTED = [(utc, precision) for _, utc, precision in CLOCKS]


def feed_of(agency: Agency, kind: str, mapping: FeedMapping = MAPPING) -> Feed:
    feed = Feed(agency=agency, slug="two", name="Two", kind=kind, mapping=mapping.to_json())
    feed.full_clean()
    feed.save()
    return feed


WRITERS = {
    "csv_file": write_rows,
    "excel_file": write_excel,
    "json_lines_file": write_json_lines,
    "parquet_file": write_parquet,
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_both_columns_make_one_time_in_every_kind_of_file(agency: Agency, tmp_path: Path, kind: str) -> None:
    feed = feed_of(agency, kind)
    path = WRITERS[kind](tmp_path / f"a.{SUFFIX[kind]}", rows(), HEADER)
    import_run_execute(run=import_run_queue(feed=feed, path=path))
    assert stored(feed) == EXPECTED
    late = Incident.objects.get(feed=feed, external_id="R3")
    assert late.reported_at == datetime(2025, 3, 13, 4, 59, 59, tzinfo=UTC), (
        "a report's day is known at its end"
    )


@pytest.mark.django_db
def test_excels_own_dates_and_times_of_day_are_joined(agency: Agency, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(list(HEADER))
    for row, clock in zip(rows(), (time(21, 30), time(21, 30), time(7, 30), None, time(0, 0)), strict=True):
        row |= {"date_": date(2025, 3, 10), "time_": clock, "Report Date": None, "Report Time": None}
        sheet.append([row[name] for name in HEADER])
    workbook.save(tmp_path / "a.xlsx")
    feed = feed_of(agency, "excel_file")
    import_run_execute(run=import_run_queue(feed=feed, path=tmp_path / "a.xlsx"))
    assert stored(feed) == [*EXPECTED[:4], ("2025-03-10T05:00:00", "second")]


@pytest.mark.django_db
def test_a_tables_own_dates_and_times_of_day_are_joined(agency: Agency, tmp_path: Path) -> None:
    given = rows()
    clocks = [time(21, 30), time(21, 30), time(7, 30), None, time(0, 0)]
    table = pa.table(
        {name: [row[name] for row in given] for name in HEADER if name not in ("date_", "time_")}
        | {"date_": pa.array([date(2025, 3, 10)] * 5), "time_": pa.array(clocks, pa.time64("us"))}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    feed = feed_of(agency, "parquet_file")
    import_run_execute(run=import_run_queue(feed=feed, path=tmp_path / "a.parquet"))
    assert stored(feed) == [*EXPECTED[:4], ("2025-03-10T05:00:00", "second")]


@pytest.mark.django_db
def test_both_columns_make_one_time_from_an_address(agency: Agency, portal: Portal) -> None:
    portal.files["/rows"] = json.dumps(rows()).encode(), "application/json"
    feed = pulled_feed(agency, "json_url", {"url": f"{portal.url}/rows"}, MAPPING)
    pull(feed)
    assert stored(feed) == EXPECTED


@pytest.mark.django_db
def test_both_columns_make_one_time_from_a_database(agency: Agency, tmp_path: Path, settings: Any) -> None:
    settings.SPOOL_DIR, settings.PULL_ALLOW_SQLITE = tmp_path / "spool", True
    names = ("id", "nibrs", "date_", "time_", "report_date", "report_time", "lat", "lon", "changed_at")
    with sqlite3.connect(tmp_path / "cad.db") as made:
        made.execute(f"CREATE TABLE calls ({', '.join(f'{name} text' for name in names)})")
        for row in rows():
            made.execute(
                f"INSERT INTO calls VALUES ({','.join('?' * 9)})", (*row.values(), "2025-03-12 00:00:00")
            )
    made.close()
    columns = {**MAPPING.columns, "reported_at": "report_date", "reported_at_time": "report_time"}
    params = {
        "dialect": "sqlite",
        "database": str(tmp_path / "cad.db"),
        "query": f"SELECT {', '.join(names)} FROM calls",  # names of this test
        "watermark_column": "changed_at",
    }
    feed = pulled_feed(agency, "database", params, MAPPING.replaced(columns=columns))
    pull(feed)
    assert stored(feed) == EXPECTED


@pytest.mark.django_db
def test_a_time_that_cannot_be_read_is_kept_aside_with_both_columns(agency: Agency, tmp_path: Path) -> None:
    feed = feed_of(agency, "csv_file")
    bad = rows()[0] | {"time_": "about nine"}
    import_run_execute(run=import_run_queue(feed=feed, path=write_rows(tmp_path / "a.csv", [bad], HEADER)))
    kept = QuarantinedRow.objects.get(feed=feed)
    assert (kept.code, kept.field) == ("bad_timestamp", "occurred_from_time")
    assert (kept.values["date_"], kept.values["time_"]) == ("03/10/2025", "about nine")


def test_the_fast_and_the_plain_reader_of_csv_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows()
    given[1]["time_"] = '9:30 "PM'  # a mark that sends its block to the plain reader
    for name, some in (("fast", rows()), ("both", given)):
        path = write_rows(tmp_path / f"{name}.csv", some, HEADER)
        chunks = list(source_from("csv_file", {}).open(path, mapping=MAPPING).chunks(MAPPING))
        assert [list(chunk.columns["time_"]) for chunk in chunks] == [[row["time_"] for row in some]]
    monkeypatch.setattr("ingestion.sources.csv_pieces.plain_bytes", lambda block, delimiter: None)
    chunks = list(source_from("csv_file", {}).open(tmp_path / "fast.csv", mapping=MAPPING).chunks(MAPPING))
    assert [list(chunk.columns["time_"]) for chunk in chunks] == [[row["time_"] for row in rows()]]


@pytest.mark.parametrize(
    ("day", "clock", "date_format", "utc", "precision"),
    [
        ("2025-03-10T00:00:00.000", "2130", "iso", "2025-03-11T02:30:00", "second"),
        ("03/10/2025 12:00:00 AM", "21:30", "%m/%d/%Y %I:%M:%S %p", "2025-03-11T02:30:00", "second"),
        ("03/10/2025 12:00:00 AM", "", "%m/%d/%Y %I:%M:%S %p", "2025-03-10T05:00:00", "day"),
        ("03/10/2025 08:15:00 AM", "", "%m/%d/%Y %I:%M:%S %p", "2025-03-10T13:15:00", "second"),
        ("1741564800000", "21:30", "epoch_ms", "2025-03-11T02:30:00", "second"),  # midnight UTC: a date
        ("1741582800000", "21:30", "epoch_ms", "2025-03-11T02:30:00", "second"),  # midnight in Chicago
        ("1741582800000", "", "epoch_ms", "2025-03-10T05:00:00", "day"),
        ("2025-03-10", "1899-12-30T21:30:00", "iso", "2025-03-11T02:30:00", "second"),
        ("11/02/2025", "01:30", "%m/%d/%Y", "2025-11-02T06:30:00", "ambiguous"),
        ("03/09/2025", "02:30", "%m/%d/%Y", "2025-03-09T08:00:00", "shifted"),
    ],
)
def test_the_joined_time_keeps_the_rules_of_times(
    day: str, clock: str, date_format: str, utc: str, precision: str
) -> None:
    zone = "America/Chicago"
    texts, unreadable = join_dates_and_clocks([day], [clock], date_format=date_format, zone=zone)
    read = parse_times(texts, date_format=date_format, zone=zone)
    assert not unreadable.any()
    assert read.status.tolist() == [READ]
    assert (str(read.utc[0]), TIME_PRECISIONS[read.precision[0]]) == (utc, precision)


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        (["id", "date_", "time_"], {"occurred_from": "date_", "occurred_from_time": "time_"}),
        (
            ["id", "Report Time", "Report Date", "Occurred Time", "Occurred Date"],
            {
                "occurred_from": "Occurred Date",
                "occurred_from_time": "Occurred Time",
                "reported_at": "Report Date",
                "reported_at_time": "Report Time",
            },
        ),
        (["id", "DATE OCC", "TIME OCC"], {"occurred_from": "DATE OCC", "occurred_from_time": "TIME OCC"}),
        (["id", "date_time"], {"occurred_from": "date_time"}),
        (["id", "Occurred", "Report Date"], {"occurred_from": "Occurred", "reported_at": "Report Date"}),
    ],
)
def test_pairs_of_names_are_guessed(header: list[str], pairs: dict[str, str]) -> None:
    assert suggest_columns(header) == {"external_id": "id", **pairs}


def test_a_column_that_holds_no_times_of_day_is_not_guessed_as_one() -> None:
    sample = [{"id": "1", "date_": "03/10/2025", "time_": "shift 2"}]
    columns = guess_mapping(["id", "date_", "time_"], sample).mapping.columns
    assert "occurred_from_time" not in columns
    assert columns["occurred_from"] == "date_"


def test_a_time_without_a_date_is_no_mapping() -> None:
    columns = {name: column for name, column in MAPPING.columns.items() if name != "reported_at"}
    problems = [str(one) for one in MAPPING.replaced(columns=columns).problems()]
    assert problems == [
        "reported_at_time: is a time without a date. Choose the column of “Reported” too.",
    ]


@pytest.mark.django_db
def test_the_wizard_shows_both_columns_as_one_time(
    owner, agency: Agency, sign_in, settings, tmp_path: Path
) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    client = sign_in(owner)
    content = write_rows(tmp_path / "a.csv", rows(), HEADER).read_bytes()
    client.post(
        reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": SimpleUploadedFile("a.csv", content)}
    )
    page = client.get(reverse("admin:ingestion_feed_columns", args=[feed.pk]))
    told = {(one.text, one.local, one.precision) for one in page.context["times"]}
    assert ("03/10/2025 9:30 PM", "2025-03-10 21:30:00", "second") in told
    assert ("03/10/2025", "2025-03-10 00:00:00", "day") in told
    feed.refresh_from_db()
    assert feed.draft["mapping"]["columns"]["reported_at_time"] == "Report Time"
