"""A file is read as it came, or refused with what it is, where it is wrong, and what to do."""

import bz2
import csv
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.profiles import PLAIN
from ingestion.engine.rows import RowChunk
from ingestion.sources import CsvFile, CsvFileParameters, CsvFileSource, SourceError

HEADER = "id,occurred_at,code,lat,lon"
LINE = "1,2017-06-01T20:00:00,B,41.9,-87.6"
MAPPING = PLAIN.mapping


def written(folder: Path, content: bytes | str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def opened(
    folder: Path, content: bytes | str, mapping: FeedMapping | None = MAPPING, **parameters: int
) -> CsvFile:
    return CsvFileSource(CsvFileParameters(**parameters)).open(written(folder, content), mapping=mapping)


def chunks(
    folder: Path, content: bytes | str, mapping: FeedMapping = MAPPING, chunk_rows: int = 20_000
) -> list[RowChunk]:
    return list(opened(folder, content, mapping).chunks(mapping, chunk_rows=chunk_rows))


def refused(
    folder: Path, content: bytes | str, mapping: FeedMapping | None = MAPPING, **parameters: int
) -> SourceError:
    def read() -> None:
        next(opened(folder, content, mapping, **parameters).chunks(mapping or MAPPING), None)

    with pytest.raises(SourceError) as caught:
        read()
    assert caught.value.next_step
    return caught.value


def rows(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_plain_file_gives_its_mapped_columns_and_spreadsheet_row_numbers(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, "id,secret,occurred_at,code,lat,lon\n1,x,t,B,1,2\n\n2,y,t,C,3,4\n")
    assert chunk.row_numbers.tolist() == [2, 4]
    assert set(chunk.columns) == set(MAPPING.column_names)
    assert chunk.columns["code"] == ["B", "C"]
    assert chunk.received == 2


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: zipped(**{"a/export.csv": data, "__MACOSX/x": b"?"}),
    ],
)
def test_compressed_files_are_read_as_they_are_whatever_their_name(tmp_path: Path, pack: object) -> None:
    (chunk,) = chunks(tmp_path, pack(rows(LINE).encode()))  # type: ignore[operator]
    assert chunk.columns["id"] == ["1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    content = rows(LINE, LINE.replace("B", '"a,b;c|d"')).replace(",", delimiter)
    file = opened(tmp_path, content)
    assert file.delimiter == delimiter
    assert file.sample()[0]["code"] == "B"


@pytest.mark.parametrize(
    ("encode", "encoding"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_the_encoding_is_found_out(tmp_path: Path, encode: str, encoding: str) -> None:
    file = opened(tmp_path, rows(LINE.replace("B", "Café")).encode(encode))
    survey = file.survey(MAPPING)
    (chunk,) = file.chunks(MAPPING)
    assert survey.encoding == encoding
    assert chunk.columns["code"] == ["Café"]
    assert bool(survey.warnings) == (encoding == "cp1252")
    assert file.header[0] == "id"


def test_mixed_encodings_mark_their_rows_and_leave_the_others(tmp_path: Path) -> None:
    content = (
        rows(LINE.replace("B", "Café")).encode()
        + LINE.replace("1,", "2,", 1).replace("B", "Café").encode("cp1252")
        + b"\n"
    )
    file = opened(tmp_path, content)
    assert "bad_encoding" in file.survey(MAPPING).warnings[0]
    (chunk,) = file.chunks(MAPPING)
    assert chunk.columns["code"] == ["Café", "Caf\udce9"]


def test_nul_bytes_in_a_field_stay_with_their_row(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, rows(LINE.replace("B", "B\x00"), LINE.replace("1,", "2,", 1)))
    assert chunk.columns["code"] == ["B\x00", "B"]


def test_ragged_rows_are_rejected_by_number_without_their_text(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, rows(LINE, "2,short", LINE + ",Jane Doe", LINE.replace("1,", "4,", 1)))
    assert [(item.row_number, item.rejection.code) for item in chunk.rejections] == [
        (3, "wrong_column_count"),
        (4, "wrong_column_count"),
    ]
    assert "Jane" not in repr(chunk.rejections)
    assert chunk.row_numbers.tolist() == [2, 5]


def test_quoted_line_breaks_belong_to_their_row(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, rows(LINE.replace("B", '"two\nlines"'), "2,t,C,1,2"))
    assert chunk.columns["code"] == ["two\nlines", "C"]
    assert chunk.row_numbers.tolist() == [2, 3]


def test_the_later_of_two_equal_identifiers_counts_also_across_chunks(tmp_path: Path) -> None:
    content = rows("1,t,A,0,0", "2,t,B,0,0", "1,t,C,0,0", "3,t,D,0,0", "1,t,E,0,0")
    found = chunks(tmp_path, content, chunk_rows=2)
    assert [code for chunk in found for code in chunk.columns["code"]] == ["B", "D", "E"]
    assert [number for chunk in found for number in chunk.superseded_row_numbers.tolist()] == [2, 4]
    assert sum(chunk.received for chunk in found) == 5


def test_with_an_update_time_every_version_is_handed_on(tmp_path: Path) -> None:
    mapping = MAPPING.replaced(columns={**MAPPING.columns, "last_updated": "code"})
    (chunk,) = chunks(tmp_path, rows("1,t,A,0,0", "1,t,B,0,0"), mapping)
    assert chunk.columns["code"] == ["A", "B"]


def test_a_header_without_rows_is_a_quiet_night_and_said(tmp_path: Path) -> None:
    file = opened(tmp_path, HEADER + "\n")
    assert list(file.chunks(MAPPING)) == []
    assert "no rows" in file.survey(MAPPING).warnings[0]


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "empty" in refused(tmp_path, content).message


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "Excel"),
        (zipped(mimetype=b"application/vnd.oasis"), "office"),
        (zipped(**{"a.csv": b"a,b", "b.csv": b"a,b"}), "2 files"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, "Excel"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"SQLite format 3\x00" + b"\x00" * 50, "SQLite"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\x28\xb5\x2f\xfd\x00", "Zstandard"),
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b'{"type": "FeatureCollection"}', "JSON"),
        (b'[{"id": 1}]', "JSON"),
        (_tar(), "tar"),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n")), "archive within"),
        (rows(LINE).encode("utf-16-le"), "UTF-16"),
        (bytes(range(1, 32)) * 20, "not text"),
        (b"PK\x03\x04broken", "zip file is damaged"),
    ],
)
def test_a_file_of_another_format_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    assert word in refused(tmp_path, content).message


def test_a_wrong_delimiter_is_named_with_the_right_one(tmp_path: Path) -> None:
    error = refused(tmp_path, rows(LINE), MAPPING.replaced(delimiter=";"))
    assert "semicolon" in error.message
    assert "comma" in error.next_step
    assert error.row == 1


def test_a_file_without_columns_is_refused(tmp_path: Path) -> None:
    assert "only one column" in refused(tmp_path, "one\ntwo\nthree\n").message


def test_a_first_row_of_data_is_no_header(tmp_path: Path) -> None:
    assert (
        "looks like data"
        in refused(tmp_path, "1,2017-06-01,610,41.9,-87.6\n2,2017-06-01,610,41.9,-87.6\n").message
    )


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    error = refused(tmp_path, rows(LINE).replace("occurred_at", "ocurred_at"))
    assert error.column == "occurred_at"
    assert "did you mean 'ocurred_at'" in error.message


def test_a_mapped_column_that_is_there_twice_is_refused_and_another_is_not(tmp_path: Path) -> None:
    error = refused(tmp_path, "id,id,occurred_at,code,lat,lon\n1,1,t,B,1,2\n")
    assert (error.column, error.row) == ("id", 1)
    assert chunks(tmp_path, "x,x,id,occurred_at,code,lat,lon\n0,0,1,t,B,1,2\n")[0].columns["id"] == ["1"]


def test_a_huge_field_is_named_by_row_and_column_before_anything_is_handed_out(tmp_path: Path) -> None:
    content = rows(*[LINE] * 50, LINE.replace("B", "x" * (csv.field_size_limit() + 1)), LINE)
    error = refused(tmp_path, content)
    assert (error.row, error.column) == (52, "code")
    assert "Nothing was imported" in error.next_step


def test_a_huge_field_among_the_first_rows_is_named_for_the_wizard_too(tmp_path: Path) -> None:
    file = opened(tmp_path, rows(LINE, LINE.replace("B", "x" * (csv.field_size_limit() + 1))), None)
    with pytest.raises(SourceError, match=r"Row 3, column 'code'"):
        file.sample()


def test_a_sample_holds_the_first_whole_rows(tmp_path: Path) -> None:
    file = opened(tmp_path, rows(LINE, "2,short", *[LINE] * 5), None)
    assert [row["id"] for row in file.sample(3)] == ["1", "1", "1"]
    assert set(file.sample(1)[0]) == set(HEADER.split(","))


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    error = refused(tmp_path, rows(LINE, LINE.replace("B", '"B'), LINE, LINE))
    assert error.row == 3
    assert "never closed" in error.message


def test_a_bomb_is_stopped_by_ratio_and_by_size(tmp_path: Path) -> None:
    bomb = gzip.compress(rows(LINE).encode() + b"0" * (9 * 1024 * 1024))
    assert "longer than" in refused(tmp_path, bomb).message
    zeros = gzip.compress((rows(LINE) + ("0" * 1000 + "\n") * 80_000).encode())
    assert "times its size" in refused(tmp_path, zeros).message
    assert (
        "larger than 1 MB"
        in refused(tmp_path, gzip.compress(rows(*[LINE] * 60_000).encode()), max_unpacked_mb=1).message
    )


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_is_cut_off_is_refused_before_anything_is_handed_out(
    tmp_path: Path, pack: object
) -> None:
    lines = [LINE.replace("1,", f"{i * 7919 % 100_003},", 1) for i in range(40_000)]
    whole = pack(rows(*lines).encode())  # type: ignore[operator]
    assert "damaged or cut off" in refused(tmp_path, whole[: len(whole) // 2]).message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no file gone\.csv"):
        CsvFileSource().open(tmp_path / "gone.csv")


def test_a_wrong_declared_encoding_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, rows(LINE) + "x", MAPPING.replaced(encoding="utf-16-le"))
    assert error.next_step


def test_progress_ends_at_the_row_count(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    file = opened(tmp_path, rows(*[LINE.replace("1,", f"{i},", 1) for i in range(10)]))
    list(file.chunks(MAPPING, lambda done, total, label: seen.append((done, total, label)), chunk_rows=4))
    assert [item[:2] for item in seen] == [(4, 10), (8, 10), (10, 10)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_with_a_message(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path, rows(LINE).encode() + tail)
    message = "read"
    try:
        file = CsvFileSource().open(path, mapping=MAPPING)
        survey = file.survey(MAPPING)
        received = sum(chunk.received for chunk in file.chunks(MAPPING))
    except SourceError as error:
        message = error.next_step
    else:
        assert received == survey.row_count
    assert message


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\r\t"), max_size=6),
            min_size=5,
            max_size=5,
        ),
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_what_a_csv_writer_wrote_is_what_is_read(
    tmp_path: Path, table: list[list[str]], chunk_rows: int
) -> None:
    table = [[str(i), *row[1:]] for i, row in enumerate(table)]
    path = tmp_path / "written.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEADER.split(","), *table])
    file = CsvFileSource().open(path, mapping=MAPPING)
    found = list(file.chunks(MAPPING, chunk_rows=chunk_rows))
    assert sum(chunk.received for chunk in found) == len(table)
    assert [code for chunk in found for code in chunk.columns["code"]] == [row[2] for row in table]
