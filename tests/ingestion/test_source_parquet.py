"""A Parquet table is read by row groups, its types as texts that the rest of the product understands."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.engine.mapping import FeedMapping
from ingestion.sources import ParquetFile, SourceError, source_from

MAPPING = FeedMapping(columns={"external_id": "id", "occurred_from": "at"})


def write(path: Path, table: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(table), path, **options)
    return path


def opened(path: Path, mapping: FeedMapping | None = None, **params: Any) -> ParquetFile:
    return source_from("parquet_file", params).open(path, mapping=mapping)


def texts(tmp_path: Path, column: Any) -> list[str]:
    return [row["c"] for row in opened(write(tmp_path / "a.parquet", {"c": column})).sample()]


INSTANT = datetime(2025, 3, 9, 8, 30, 15, 999_000, tzinfo=UTC)
WALL = INSTANT.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([WALL, None], pa.timestamp("us")), "2025-03-09T08:30:15"),
        (pa.array([WALL, None], pa.timestamp("ns")), "2025-03-09T08:30:15"),
        (pa.array([INSTANT, None], pa.timestamp("ms", "UTC")), "2025-03-09T08:30:15Z"),
        (pa.array([INSTANT, None], pa.timestamp("us", "America/Chicago")), "2025-03-09T08:30:15Z"),
        (pa.array([date(2025, 3, 9), None], pa.date32()), "2025-03-09"),
        (pa.array([date(2025, 3, 9), None], pa.date64()), "2025-03-09"),
        (pa.array([time(8, 30), None], pa.time64("us")), "08:30:00"),
        (pa.array([Decimal("41.880000"), None], pa.decimal128(12, 6)), "41.880000"),
        (pa.array(["B", None]).dictionary_encode(), "B"),
        (pa.array(["B", None], pa.large_string()), "B"),
        (pa.array([202500000123, None], pa.int64()), "202500000123"),
        (pa.array([202500000123.0, None], pa.float64()), "202500000123"),
        (pa.array([-87.6298, None], pa.float64()), "-87.6298"),
        (pa.array([-87.5, float("nan")], pa.float32()), "-87.5"),
        (pa.array([True, None]), "true"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_each_type_is_written_as_the_text_that_is_understood(column, text, tmp_path):
    assert texts(tmp_path, column) == [text, ""]


def test_a_nested_or_binary_column_is_no_column_and_is_refused_by_name_if_mapped(tmp_path):
    table = {
        "id": ["1"],
        "at": ["x"],
        "place": pa.array([{"lat": 1.0}]),
        "codes": pa.array([["a"]]),
        "photo": pa.array([b"x"]),
    }
    path = write(tmp_path / "a.parquet", table)
    assert opened(path, MAPPING).header == ("id", "at")
    for column in ("place", "codes", "photo"):
        mapping = MAPPING.replaced(columns={**MAPPING.columns, "code": column})
        with pytest.raises(SourceError, match=f"'{column}', mapped to code, is nested or binary"):
            opened(path, mapping)


def test_rows_are_numbered_through_the_row_groups_and_later_versions_win(tmp_path):
    ids = [str(number % 700) for number in range(1_000)]
    path = write(tmp_path / "a.parquet", {"id": ids, "at": ["x"] * 1_000}, row_group_size=64)
    chunks = list(opened(path, MAPPING).chunks(MAPPING, chunk_rows=150))
    assert sum(chunk.received for chunk in chunks) == 1_000
    numbers = [number for chunk in chunks for number in chunk.row_numbers.tolist()]
    assert numbers == list(range(301, 1_001))


def test_a_file_that_describes_more_than_a_machine_holds_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet", {"id": ["1"] * 5_000, "at": [str(n) * 100 for n in range(5_000)]})
    for params, words in (
        ({"max_rows": 4_999}, "5,000 rows"),
        ({"max_unpacked_mb": 1}, "more than this feed accepts"),
        ({"max_group_mb": 1}, "Row group 1 holds"),
    ):
        with pytest.raises(SourceError, match=words):
            opened(path, MAPPING, **params).survey(MAPPING)


def test_a_table_without_rows_or_plain_columns_says_so(tmp_path):
    empty = write(tmp_path / "a.parquet", {"id": pa.array([], pa.string()), "at": pa.array([], pa.string())})
    assert opened(empty, MAPPING).survey(MAPPING).warnings == ("The file has no rows.",)
    with pytest.raises(SourceError, match="no plain column: place"):
        opened(write(tmp_path / "b.parquet", {"place": pa.array([{"lat": 1.0}])}))


@given(place=st.integers(0, 1_500), value=st.integers(0, 255))
@example(
    place=562, value=68
)  # Statistics at which Arrow ends the process, if it is asked for a column's chunk.
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_read_or_refused_in_words(place, value, tmp_path):
    path = write(tmp_path / "a.parquet", {"id": [str(n) for n in range(50)], "at": ["x"] * 50})
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    try:
        said = str(opened(path, MAPPING).survey(MAPPING).row_count)
    except SourceError as error:
        said = error.next_step
    assert said
