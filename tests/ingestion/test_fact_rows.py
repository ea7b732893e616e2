"""Rows on their way into the database, however they get there, hold what the chunk held."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import Incident
from ingestion.services import imports, incidents_upsert
from ingestion.services.context import crime_type_keys, normalise_context
from ingestion.services.copy_rows import BEGIN, END, copy_bytes, copy_rows
from ingestion.services.fact_rows import facts_ready, instant_texts
from ingestion.services.locks import FEW_RECORDS
from ingestion.sources import reader_source
from tests.ingestion.files import good_row, plain_feed, run_import, write_rows

ODD = "A\\b\tc 'ü"


@pytest.mark.django_db
@pytest.mark.parametrize("n", [1, FEW_RECORDS, FEW_RECORDS + 1, 300])
def test_odd_texts_arrive_as_they_are(agency: Agency, tmp_path: Path, n: int) -> None:
    rows = [good_row(number, id=f"{ODD}{number}", code="B-\\N") for number in range(n)]
    run_import(feed := plain_feed(agency), write_rows(tmp_path / "a.csv", rows))
    assert set(Incident.objects.values_list("external_id", "code")) == {
        (f"{ODD}{number}", "B-\\N") for number in range(n)
    }
    again = [row | {"lon": float(str(row["lon"])) + 0.0001 * (row["id"][-1] == "3")} for row in rows]
    run = run_import(feed, write_rows(tmp_path / "b.csv", again))
    changed = sum(row["id"][-1] == "3" for row in rows)
    assert (run.counts["inserted"], run.counts["updated"], run.counts["unchanged"]) == (
        0,
        changed,
        n - changed,
    )


@pytest.mark.django_db
def test_new_and_changed_and_equal_rows_of_one_chunk_each_end_as_they_should(
    agency: Agency, tmp_path: Path
) -> None:
    feed = plain_feed(agency)
    rows = [good_row(number) for number in range(900)]
    run_import(feed, write_rows(tmp_path / "a.csv", rows[:600]))
    first_seen = dict(Incident.objects.values_list("external_id", "imported_at"))
    for row in rows[:200]:
        row["occurred_at"] = "2025-01-01T00:00:00"
    run = run_import(feed, write_rows(tmp_path / "b.csv", rows))
    assert (run.counts["inserted"], run.counts["updated"], run.counts["unchanged"]) == (300, 200, 400)
    start = dict(Incident.objects.values_list("external_id", "occurred_from"))
    assert len(start) == 900
    assert {start[row["id"]] for row in rows[:200]} == {dt.datetime(2025, 1, 1, 6, tzinfo=dt.UTC)}
    stored = dict(Incident.objects.values_list("external_id", "imported_at"))
    assert all(stored[key] == at for key, at in first_seen.items()), "an update moves no first import"


@pytest.mark.django_db
def test_rows_made_ready_before_are_those_that_are_made_when_they_are_needed(
    agency: Agency, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "a.csv", [good_row(number) for number in range(200)])
    found = []
    for slug, is_ahead in (("now", False), ("ahead", True)):
        feed = plain_feed(agency, slug)
        now = timezone.now().replace(microsecond=0)
        mapping = imports.feed_mapping(feed.mapping)
        keys = crime_type_keys(agency)
        reader = reader_source("csv_file", {}).open(path, mapping=mapping)
        (chunk,) = (
            imports.normalise_chunk(one, mapping, normalise_context(agency, feed, now))
            for one in reader.chunks(mapping)
        )
        ready = facts_ready(feed, chunk, None, keys, now) if is_ahead else None
        incidents_upsert(feed=feed, chunk=chunk, crime_types=keys, now=now, ready=ready)
        found.append(
            list(
                Incident.objects.filter(feed=feed)
                .order_by("external_id")
                .values_list(
                    "external_id", "lon", "lat", "occurred_from", "content_hash", "crime_type", "code"
                )
            )
        )
    assert found[0] == found[1]
    assert len(found[0]) == 200


def test_instants_and_missing_ones_are_texts_and_nothing() -> None:
    times = np.array(["2026-03-01T21:40:07", "NaT", "1969-12-31T23:59:59"], dtype="datetime64[s]")
    suffix = "+00" if connection.vendor == "postgresql" else ""
    assert instant_texts(times) == [f"2026-03-01 21:40:07{suffix}", None, f"1969-12-31 23:59:59{suffix}"]
    assert instant_texts(times[1:2]) == [None]
    assert instant_texts(times[:0]) == []


@pytest.mark.postgres
@pytest.mark.django_db
def test_every_kind_of_value_and_nothing_arrive_by_copy_as_they_are() -> None:
    times = np.array(["2026-03-01T21:40:07", "NaT", "1969-12-31T23:59:59"], dtype="datetime64[s]")
    columns = {
        "at": times,
        "never": np.full(3, np.datetime64("NaT", "s")),
        "big": np.array([2**62, -1, 0]),
        "text": ["ü\\t\n", "", "\\N"],
        "small": np.ma.masked_equal(np.array([5, 0, -7], dtype=np.int32), 0),
        "float": np.array([-87.5972422, 0.1, 1e-7]),
        "yes": np.array([True, False, True]),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE kinds (at timestamptz, never timestamptz, big bigint, text varchar(9), small integer, "
            "float double precision, yes boolean) ON COMMIT DROP"
        )
        with cursor.cursor.copy("COPY kinds FROM STDIN (FORMAT binary)") as copy:
            copy.write(copy_bytes(copy_rows(columns).take([0, 1, 2]).slice(0, 3)))
        cursor.execute("SELECT * FROM kinds")
        found = cursor.fetchall()
    assert found == [
        (dt.datetime(2026, 3, 1, 21, 40, 7, tzinfo=dt.UTC), None, 2**62, "ü\\t\n", 5, -87.5972422, True),
        (None, None, -1, "", None, 0.1, False),
        (dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC), None, 0, "\\N", -7, 1e-7, True),
    ]


def test_a_part_of_the_rows_is_a_whole_file_for_copy() -> None:
    rows = copy_rows({"a": np.arange(4), "b": ["x", "", "yy", "z"]})
    part = copy_bytes(rows.slice(1, 2))
    assert part == BEGIN + b"".join(rows.to_pylist()[1:3]) + END


@pytest.mark.django_db
def test_a_guess_that_all_are_new_is_corrected_where_it_is_wrong(agency: Agency, tmp_path: Path) -> None:
    """The first chunks are new; in the third are records that somebody else has stored meanwhile, one of them otherwise."""
    feed = plain_feed(agency)
    rows = [good_row(number) for number in range(400)]
    path = write_rows(tmp_path / "a.csv", rows)
    run = imports.import_run_queue(feed=feed, path=path)
    other = write_rows(tmp_path / "b.csv", [rows[250], rows[251] | {"occurred_at": "2025-01-01T00:00:00"}])
    real, calls = incidents_upsert, []

    def upsert(**arguments: Any) -> Any:
        calls.append(arguments["expect_new"])
        if len(calls) == 3:
            mapping = imports.feed_mapping(feed.mapping)
            (chunk,) = reader_source("csv_file", {}).open(other, mapping=mapping).chunks(mapping)
            now, keys = timezone.now(), crime_type_keys(agency)
            result = imports.normalise_chunk(chunk, mapping, normalise_context(agency, feed, now))
            real(feed=feed, chunk=result, crime_types=keys, now=now)
        return real(**arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(imports, "chunk_rows", lambda: 100)
        patched.setattr(imports, "incidents_upsert", upsert)
        run = imports.import_run_execute(run=run)
    assert calls == [True, True, True, False]
    assert (run.counts["inserted"], run.counts["updated"], run.counts["unchanged"]) == (398, 1, 1)
    assert Incident.objects.filter(feed=feed).count() == 400
