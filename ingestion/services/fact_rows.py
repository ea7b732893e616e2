"""Facts as rows of their table: the columns of a chunk, and the ways in which they are written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from ingestion.engine.records import NormalisedChunk
from ingestion.models import CallForService, Fact, Feed, GunfireAlert
from ingestion.services.locks import FEW_RECORDS

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, Sequence[Any]]

KEY = ("feed_id", "external_id")
# The moment of the first import is history: an update must not move it.
_WRITTEN_ONCE = (*KEY, "agency_id", "imported_at")


def instant_texts(times: npt.NDArray[np.datetime64]) -> list[str | None]:
    """Instants as both databases take them as text; NaT is NULL."""
    missing = np.isnat(times)
    if missing.all():
        return [None] * len(times)
    suffix = "+00" if connection.vendor == "postgresql" else ""
    texts = np.datetime_as_string(times, unit="s").tolist()
    return [
        None if no_time else text.replace("T", " ") + suffix
        for text, no_time in zip(texts, missing.tolist(), strict=True)
    ]


def fact_columns(
    feed: Feed,
    model: type[Fact],
    chunk: NormalisedChunk,
    rows: Ints,
    crime_type_pks: Mapping[str, int],
    gunfire: frozenset[str],
    now: datetime,
) -> dict[str, Sequence[Any]]:
    """These rows of the chunk, column by column as the table names them."""
    n = len(rows)
    slugs = chunk.crime_type[rows].tolist()
    if model is CallForService:
        # Other calls about crimes stay calls: counting them as crimes too would count each robbery twice.
        slugs = [slug if slug in gunfire else "" for slug in slugs]
    own: dict[str, Sequence[Any]] = {}
    if model is GunfireAlert:
        told = chunk.stage is not None and chunk.stage_at is not None and chunk.is_gunfire is not None
        own = {
            "stage": chunk.stage[rows].tolist() if told else [""] * n,  # type: ignore[index]
            "stage_at": instant_texts(chunk.stage_at[rows]) if told else [None] * n,  # type: ignore[index]
            "is_gunfire": chunk.is_gunfire[rows].tolist() if told else [True] * n,  # type: ignore[index]
        }
    imported = instant_texts(np.array([np.datetime64(int(now.timestamp()), "s")]))
    return {
        "agency_id": [feed.agency_id] * n,
        "feed_id": [feed.pk] * n,
        "external_id": chunk.external_id[rows].tolist(),
        "code": chunk.code[rows].tolist(),
        "occurred_from": instant_texts(chunk.occurred_from[rows]),
        "occurred_to": instant_texts(chunk.occurred_to[rows]),
        "reported_at": instant_texts(chunk.reported_at[rows]),
        "last_updated_at": instant_texts(chunk.last_updated[rows]),
        "lon": chunk.lon[rows].tolist(),
        "lat": chunk.lat[rows].tolist(),
        "discovery": chunk.discovery[rows].tolist(),
        "time_precision": chunk.time_precision[rows].tolist(),
        "place_precision_m": _place_precisions(chunk, rows),
        "content_hash": chunk.content_hash[rows].tolist(),
        "imported_at": imported * n,
        "crime_type_id": [crime_type_pks[slug] if slug else None for slug in slugs],
        **own,
    }


def _place_precisions(chunk: NormalisedChunk, rows: Ints) -> list[int | None]:
    if len(chunk.place_precision_m) != len(chunk):
        return [None] * len(rows)
    return [number or None for number in chunk.place_precision_m[rows].tolist()]


def facts_write(model: type[Fact], columns: Columns, *, are_new: bool) -> None:
    """Write the rows; those whose key is there are overwritten. Many on PostgreSQL by COPY, all others in one batch.

    With ``are_new`` the caller has seen, under the lock of these records, that no key is there.
    """
    few = len(columns["external_id"]) <= FEW_RECORDS
    # A temporary table for each alert would be most of its price, and litter the catalogue.
    if connection.vendor != "postgresql" or few:
        _insert(model, columns)
    elif are_new:
        with connection.cursor() as cursor:
            _copy(cursor, connection.ops.quote_name(model._meta.db_table), columns)
    else:
        _overwrite(model, columns)


def _names(columns: Columns) -> str:
    return ", ".join(map(connection.ops.quote_name, columns))


def _on_conflict(columns: Columns) -> str:
    quote = connection.ops.quote_name
    changed = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in _WRITTEN_ONCE)
    return f"ON CONFLICT ({', '.join(map(quote, KEY))}) DO UPDATE SET {changed}"


def _insert(model: type[Fact], columns: Columns) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    values = ", ".join(["%s"] * len(columns))
    insert = f"INSERT INTO {table} ({_names(columns)}) VALUES ({values}) {_on_conflict(columns)}"
    rows = list(zip(*columns.values(), strict=True))
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(insert, rows[0])
        else:
            cursor.executemany(insert, rows)


def _overwrite(model: type[Fact], columns: Columns) -> None:
    table, names = connection.ops.quote_name(model._meta.db_table), _names(columns)
    with connection.cursor() as cursor:
        # Dropped by hand: inside one long test transaction ON COMMIT DROP would meet itself.
        cursor.execute(
            f"CREATE TEMP TABLE incoming_rows ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0"
        )
        _copy(cursor, "incoming_rows", columns)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_rows {_on_conflict(columns)}")
        cursor.execute("DROP TABLE incoming_rows")


def _copy(cursor: Any, table: str, columns: Columns) -> None:
    with cursor.cursor.copy(f"COPY {table} ({_names(columns)}) FROM STDIN") as copy:
        copy.write(copy_text(columns))


def copy_text(columns: Columns) -> bytes:
    """The rows in the text form of COPY: columns parted by tabs, rows by line ends, what could be either escaped.

    >>> copy_text({"a": ["x", None], "b": [1, 2]}).decode().splitlines()
    ['x\\t1', '\\\\N\\t2']
    """
    # Here, not above: loading it takes a tenth of a second, for which every command would wait.
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = []
    for values in columns.values():
        column = pa.array(values)
        if pa.types.is_string(column.type):
            column = _escaped(column)
        cells.append(pc.fill_null(column.cast(pa.string()), "\\N"))
    cells[-1] = pc.binary_join_element_wise(cells[-1], "\n", "")
    rows = pc.binary_join_element_wise(*cells, "\t")
    # The texts of an array lie one behind the other: that is the file already.
    _, ends, texts = rows.buffers()
    data: bytes = texts.to_pybytes()
    return data[: np.frombuffer(ends, dtype=np.int32)[len(rows)]]


def _escaped(column: Any) -> Any:
    import pyarrow.compute as pc

    buffer = column.buffers()[2]
    texts = buffer.to_pybytes() if buffer is not None else b""
    # The backslash first: the others' are not to be doubled.
    for mark, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        if mark.encode() in texts:
            column = pc.replace_substring(column, mark, escaped)
    return column
