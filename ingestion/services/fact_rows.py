"""Facts as rows of their table: the columns of a chunk, and the ways in which they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from ingestion.engine.records import NormalisedChunk
from ingestion.models import CallForService, Fact, Feed, GunfireAlert, fact_model
from ingestion.services.locks import FEW_RECORDS

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, Sequence[Any]]

KEY = ("feed_id", "external_id")
# The moment of the first import is history: an update must not move it.
_WRITTEN_ONCE = (*KEY, "agency_id", "imported_at")


@dataclass(frozen=True)
class CrimeTypeKeys:
    """The agency's crime types by slug: primary keys, and those that are gunfire."""

    pk_of: Mapping[str, int]
    gunfire: frozenset[str] = frozenset()


def instant_texts(times: npt.NDArray[np.datetime64]) -> list[str | None]:
    """Instants as both databases take them as text; NaT is NULL."""
    missing = np.isnat(times)
    if missing.all():
        return [None] * len(times)
    suffix = "+00" if connection.vendor == "postgresql" else ""
    # In one text: a loop over them takes five times as long.
    whole = "\n".join(np.datetime_as_string(times, unit="s").tolist())
    texts: list[str | None] = list(
        (whole.replace("T", " ").replace("\n", f"{suffix}\n") + suffix).split("\n")
    )
    for place in np.flatnonzero(missing).tolist():
        texts[place] = None
    return texts


def _fact_columns(
    feed: Feed,
    model: type[Fact],
    chunk: NormalisedChunk,
    rows: Ints,
    crime_types: CrimeTypeKeys,
    now: datetime,
) -> dict[str, Sequence[Any]]:
    """These rows of the chunk, column by column as the table names them."""
    n = len(rows)
    slugs = chunk.crime_type[rows].tolist()
    if model is CallForService:
        # Other calls about crimes stay calls: counting them as crimes too would count each robbery twice.
        slugs = [slug if slug in crime_types.gunfire else "" for slug in slugs]
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
        "crime_type_id": [crime_types.pk_of[slug] if slug else None for slug in slugs],
        **own,
    }


def _place_precisions(chunk: NormalisedChunk, rows: Ints) -> list[int | None]:
    if len(chunk.place_precision_m) != len(chunk):
        return [None] * len(rows)
    return [number or None for number in chunk.place_precision_m[rows].tolist()]


class FactRows:
    """Rows of one table, ready to be written; touches no database until then, so that another thread can make them.

    ``rows`` are the chunk's rows that are here, all of them if it is not given.
    """

    def __init__(self, model: type[Fact], columns: Columns, rows: Ints | None = None) -> None:
        self._model = model
        self._columns = columns
        self._at = rows
        is_copied = connection.vendor == "postgresql" and len(columns["external_id"]) > FEW_RECORDS
        self._lines = copy_lines(columns) if is_copied else None

    @property
    def are_copied(self) -> bool:
        """Whether all of them together are written by COPY."""
        return self._lines is not None

    def write(self, rows: Ints, *, are_new: bool) -> None:
        """Write these rows of the chunk; those whose key is there are overwritten. Many on PostgreSQL by COPY, else in one batch.

        With ``are_new`` the caller has seen, under the lock of these records, that no key is there.
        """
        places = rows if self._at is None else np.searchsorted(self._at, rows)
        table, names = connection.ops.quote_name(self._model._meta.db_table), _names(self._columns)
        # A temporary table for each alert would be most of its price, and litter the catalogue.
        if self._lines is None or len(places) <= FEW_RECORDS:
            self._insert(table, names, places)
            return
        lines = self._lines if len(places) == len(self._lines) else self._lines.take(places)
        with connection.cursor() as cursor:
            if are_new:
                _copy(cursor, table, names, lines)
                return
            # Dropped by hand: inside one long test transaction ON COMMIT DROP would meet itself.
            cursor.execute(
                f"CREATE TEMP TABLE incoming_rows ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0"
            )
            _copy(cursor, "incoming_rows", names, lines)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_rows {_on_conflict(self._columns)}"
            )
            cursor.execute("DROP TABLE incoming_rows")

    def _insert(self, table: str, names: str, places: Ints) -> None:
        values = ", ".join(["%s"] * len(self._columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({values}) {_on_conflict(self._columns)}"
        rows = list(zip(*self._columns.values(), strict=True))
        if len(places) != len(rows):
            rows = [rows[place] for place in places.tolist()]
        with connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(insert, rows[0])
            else:
                cursor.executemany(insert, rows)


def facts_ready(
    feed: Feed,
    chunk: NormalisedChunk,
    rows: Ints | None,
    crime_types: CrimeTypeKeys,
    now: datetime,
) -> FactRows:
    """These rows of the chunk (all, if none are named), ready to be written."""
    model = fact_model(feed.record_kind)
    every = np.arange(len(chunk)) if rows is None else rows
    return FactRows(model, _fact_columns(feed, model, chunk, every, crime_types, now), rows)


def _names(columns: Columns) -> str:
    return ", ".join(map(connection.ops.quote_name, columns))


def _on_conflict(columns: Columns) -> str:
    quote = connection.ops.quote_name
    changed = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in _WRITTEN_ONCE
    )
    return f"ON CONFLICT ({', '.join(map(quote, KEY))}) DO UPDATE SET {changed}"


def _copy(cursor: Any, table: str, names: str, lines: Any) -> None:
    # The texts of an array lie one behind the other: that is the file already.
    _, ends, texts = lines.buffers()
    bounds = np.frombuffer(ends, dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    with cursor.cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        copy.write(texts.to_pybytes()[bounds[0] : bounds[-1]])


def copy_lines(columns: Columns) -> Any:
    """The rows in the text form of COPY: columns parted by tabs, rows by line ends, what could be either escaped.

    >>> copy_lines({"a": ["x", None], "b": [1, 2]}).to_pylist()
    ['x\\t1\\n', '\\\\N\\t2\\n']
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
    return pc.binary_join_element_wise(*cells, "\t")


def _escaped(column: Any) -> Any:
    import pyarrow.compute as pc

    buffer = column.buffers()[2]
    texts = buffer.to_pybytes() if buffer is not None else b""
    # The backslash first: the others' are not to be doubled.
    for mark, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        if mark.encode() in texts:
            column = pc.replace_substring(column, mark, escaped)
    return column
