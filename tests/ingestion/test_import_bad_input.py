"""Files that cannot be this feed's: a message that names the place and the next step, exit code 1, nothing written."""

from __future__ import annotations

import gzip
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.models import ImportRun, Incident, QuarantinedRow
from ingestion.services.tally import CLASSES
from tests.ingestion.files import COLUMNS, good_row, place, plain_feed, run_import, write_rows

GOOD = [good_row(number) for number in range(40)]


def text_of(rows, delimiter=","):
    return "\n".join(delimiter.join(str(row[c]) for c in COLUMNS) for row in rows)


HEADER = ",".join(COLUMNS)


def refused(agency, path) -> str:
    """What the command says; asserts that nothing was written and that the run is marked."""
    plain_feed(agency)
    with pytest.raises(CommandError) as caught:
        call_command("import_incidents", str(path), agency="riverton", feed="rms", stderr=StringIO())
    assert caught.value.returncode == 1
    assert Incident.objects.count() == QuarantinedRow.objects.count() == 0
    run = ImportRun.objects.get()
    assert run.status == "failed"
    assert run.error
    assert "Next step" in str(caught.value)
    return str(caught.value)


def test_an_empty_file_is_refused(agency, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    assert "empty" in refused(agency, tmp_path / "a.csv")


def test_a_file_of_another_format_is_refused_by_name(agency, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"%PDF-1.7 something")
    assert "PDF" in refused(agency, tmp_path / "a.csv")


def test_a_json_file_is_refused_by_name(agency, tmp_path):
    (tmp_path / "a.csv").write_text('{"type": "FeatureCollection", "features": []}')
    assert "JSON" in refused(agency, tmp_path / "a.csv")


def test_a_missing_column_is_named(agency, tmp_path):
    path = write_rows(tmp_path / "a.csv", GOOD, [c for c in COLUMNS if c != "occurred_at"])
    message = refused(agency, path)
    assert "'occurred_at'" in message
    assert "mapping" in message


def test_a_declared_delimiter_that_is_wrong_is_named(agency, tmp_path):
    feed = plain_feed(agency)
    feed.mapping = {**feed.mapping, "delimiter": ";"}
    feed.save()
    path = write_rows(tmp_path / "a.csv", GOOD)
    with pytest.raises(CommandError, match=r"semicolon.*comma"):
        call_command("import_incidents", str(path), agency="riverton", feed="rms", stderr=StringIO())
    assert Incident.objects.count() == 0


def test_a_huge_field_is_named_by_row_and_column(agency, tmp_path):
    rows = [*GOOD[:10], good_row(11, code="x" * 200_000), *GOOD[12:]]
    message = refused(agency, write_rows(tmp_path / "a.csv", rows))
    assert "Row 12" in message
    assert "'code'" in message


def test_nul_bytes_throughout_are_refused(agency, tmp_path):
    body = text_of(GOOD).replace("B-1", "B\x00-1")
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{body}\n")
    message = refused(agency, tmp_path / "a.csv")
    assert "NUL" in message
    assert "row 2" in message
    assert "code" in message


def test_a_truncated_archive_is_refused_before_anything_is_written(agency, tmp_path):
    whole = gzip.compress(f"{HEADER}\n{text_of(GOOD * 200)}\n".encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert "damaged or cut off" in refused(agency, tmp_path / "a.csv.gz")


def test_dates_in_the_future_throughout_are_refused_with_the_first_row(agency, tmp_path):
    later = (timezone.now() + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%S")
    message = refused(agency, write_rows(tmp_path / "a.csv", [row | {"occurred_at": later} for row in GOOD]))
    assert "future" in message
    assert "row 2" in message
    assert "occurred_from" in message


@pytest.mark.parametrize(("lon", "lat", "word"), [(0, 0, "0/0"), (412_000, 4_600_000, "EPSG")])
def test_places_that_are_none_are_refused_with_the_first_row(agency, tmp_path, lon, lat, word):
    rows = [row | {"lon": lon, "lat": lat} for row in GOOD]
    message = refused(agency, write_rows(tmp_path / "a.csv", rows))
    assert word in message
    assert "row 2" in message


def test_swapped_coordinates_throughout_are_refused_as_swapped(agency, tmp_path):
    rows = [row | {"lon": row["lat"], "lat": row["lon"]} for row in GOOD]
    message = refused(agency, write_rows(tmp_path / "a.csv", rows))
    assert "exchange" in message


def test_a_path_that_is_not_there_is_named(agency, tmp_path):
    assert "no file nothing.csv" in refused(agency, tmp_path / "nothing.csv")


def test_an_unknown_feed_or_agency_is_answered_with_those_that_exist(agency):
    plain_feed(agency)
    with pytest.raises(CommandError, match="rms; or add --create-feed"):
        call_command("import_incidents", "a.csv", agency="riverton", feed="cad")
    with pytest.raises(CommandError, match="riverton"):
        call_command("import_incidents", "a.csv", agency="nowhere", feed="rms")


def test_single_bad_rows_are_kept_aside_with_their_codes_and_the_others_are_imported(agency, tmp_path):
    lon, lat = place(6)
    later = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")
    rows = [
        *GOOD[:5],
        good_row(50, code="B\x00-1"),
        good_row(51, occurred_at=later),
        good_row(52, lon=0, lat=0),
        good_row(53, lon=lat, lat=lon),
        good_row(54, id=""),
    ]
    body = text_of(rows)
    raw = f"{HEADER}\n{body}\n".encode() + b"R00060,2025-03-01T10:00:00,B-\xff1 \xe9,220,41.81,-87.69\n"
    raw += "R00061,2025-03-01T10:00:00,B-é,220,41.81,-87.69\nR00062,too,few\n".encode()
    (tmp_path / "a.csv").write_bytes(raw)
    run = run_import(plain_feed(agency), tmp_path / "a.csv")
    assert run.rejections == {
        "nul_byte": 1,
        "future_timestamp": 1,
        "zero_coordinates": 1,
        "swapped_coordinates": 1,
        "missing_id": 1,
        "bad_encoding": 1,
        "wrong_column_count": 1,
    }
    assert run.counts["inserted"] == 6
    assert run.counts["received"] == 13 == sum(run.counts[name] for name in CLASSES)


def test_a_few_bad_rows_alone_are_kept_aside_and_not_taken_for_a_wrong_file(agency, tmp_path):
    run = run_import(
        plain_feed(agency), write_rows(tmp_path / "a.csv", [row | {"lat": ""} for row in GOOD[:3]])
    )
    assert run.status == "succeeded"
    assert run.counts["quarantined"] == 3


def test_each_row_without_an_identifier_is_kept_aside_and_none_passes_for_a_version_of_another(
    agency, tmp_path
):
    rows = [*GOOD, *(good_row(50 + number, id=" " * (number % 2)) for number in range(3))]
    run = run_import(plain_feed(agency), write_rows(tmp_path / "rms.csv", rows))
    assert run.rejections == {"missing_id": 3}
    assert (run.counts["quarantined"], run.counts["unchanged"]) == (3, 0)
