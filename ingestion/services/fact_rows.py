"""Facts as rows of their table: the columns of a chunk, and the ways in which they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from ingestion.engine.records import NormalisedChunk
from ingestion.models import CallForService, Fact, Feed, GunfireAlert, fact_model
from ingestion.services.copy_rows import Columns, copy_bytes, copy_rows
from ingestion.services.locks import FEW_RECORDS

Ints = npt.NDArray[np.int64]

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
) -> dict[str, Any]:
    """These rows of the chunk, column by column as the table names them."""
    n = len(rows)
    slugs = chunk.crime_type[rows].tolist()
    if model is CallForService:
        # Other calls about crimes stay calls: counting them as crimes too would count each robbery twice.
        slugs = [slug if slug in crime_types.gunfire else "" for slug in slugs]
    pks = np.array([crime_types.pk_of[slug] if slug else 0 for slug in slugs], dtype=np.int64)
    own: dict[str, Any] = {}
    if model is GunfireAlert:
        stage, stage_at, is_gunfire = chunk.stage, chunk.stage_at, chunk.is_gunfire
        own = {
            "is_gunfire": np.ones(n, dtype=np.bool_) if is_gunfire is None else is_gunfire[rows],
            "stage_at": np.full(n, np.datetime64("NaT", "s")) if stage_at is None else stage_at[rows],
            "stage": [""] * n if stage is None else stage[rows].tolist(),
        }
    if model is CallForService:
        own = {"unit_code": [""] * n if chunk.unit is None else chunk.unit[rows].tolist()}
    # Texts last: what is of one width is put together in one piece for COPY.
    return {
        "agency_id": np.full(n, feed.agency_id),
        "feed_id": np.full(n, feed.pk),
        "occurred_from": chunk.occurred_from[rows],
        "occurred_to": chunk.occurred_to[rows],
        "reported_at": chunk.reported_at[rows],
        "last_updated_at": chunk.last_updated[rows],
        "lon": chunk.lon[rows],
        "lat": chunk.lat[rows],
        "place_precision_m": _place_precisions(chunk, rows),
        "content_hash": chunk.content_hash[rows],
        "imported_at": np.full(n, np.datetime64(int(now.timestamp()), "s")),
        "crime_type_id": np.ma.masked_equal(pks, 0),
        **own,
        "external_id": chunk.external_id[rows].tolist(),
        "code": chunk.code[rows].tolist(),
        "discovery": chunk.discovery[rows].tolist(),
        "time_precision": chunk.time_precision[rows].tolist(),
    }


def _place_precisions(chunk: NormalisedChunk, rows: Ints) -> Any:
    known = len(chunk.place_precision_m) == len(chunk)
    metres = chunk.place_precision_m[rows] if known else np.zeros(len(rows), dtype=np.int64)
    return np.ma.masked_equal(metres.astype(np.int32), 0)


class FactRows:
    """Rows of one table, ready to be written; touches no database until then, so that another thread can make them.

    ``rows`` are the chunk's rows that are here, all of them if it is not given.
    """

    def __init__(self, model: type[Fact], columns: Columns, rows: Ints | None = None) -> None:
        self._model = model
        self._columns = columns
        self._at = rows
        is_copied = connection.vendor == "postgresql" and len(columns["external_id"]) > FEW_RECORDS
        self._copied = copy_rows(columns) if is_copied else None

    @property
    def are_copied(self) -> bool:
        """Whether all of them together are written by COPY."""
        return self._copied is not None

    def write(self, rows: Ints, *, are_new: bool) -> None:
        """Write these rows of the chunk; those whose key is there are overwritten. Many on PostgreSQL by COPY, else in one batch.

        With ``are_new`` the caller has seen, under the lock of these records, that no key is there.
        """
        places = rows if self._at is None else np.searchsorted(self._at, rows)
        table, names = connection.ops.quote_name(self._model._meta.db_table), _names(self._columns)
        # A temporary table for each alert would be most of its price, and litter the catalogue.
        if self._copied is None or len(places) <= FEW_RECORDS:
            self._insert(table, names, places)
            return
        copied = self._copied if len(places) == len(self._copied) else self._copied.take(places)
        with connection.cursor() as cursor:
            # Not straight into the table: COPY refuses tables that stand behind walls between agencies. The session keeps the
            # table for its next chunk, and it is empty after each transaction: made and dropped each time, it is litter.
            incoming = connection.ops.quote_name(f"incoming_{self._model._meta.model_name}")
            cursor.execute(
                f"CREATE TEMP TABLE IF NOT EXISTS {incoming} ON COMMIT DELETE ROWS AS SELECT {names} FROM {table} LIMIT 0"  # nosec B608 - names are ours, values go by parameters
            )
            _copy(cursor, incoming, names, copied)
            beside = "" if are_new else _on_conflict(self._columns)
            # Emptied by hand too: several chunks may share a transaction.
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {incoming} {beside}; DELETE FROM {incoming}"  # nosec B608 - names are ours, values go by parameters
            )

    def _insert(self, table: str, names: str, places: Ints) -> None:
        values = ", ".join(["%s"] * len(self._columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({values}) {_on_conflict(self._columns)}"  # nosec B608 - names are ours, values go by parameters
        rows = list(zip(*map(_plain, self._columns.values()), strict=True))
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


def _plain(values: Any) -> list[Any]:
    """A column as the drivers of both databases take it."""
    if isinstance(values, list):
        return values
    return instant_texts(values) if values.dtype.kind == "M" else values.tolist()


def _names(columns: Columns) -> str:
    return ", ".join(map(connection.ops.quote_name, columns))


def _on_conflict(columns: Columns) -> str:
    quote = connection.ops.quote_name
    changed = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in _WRITTEN_ONCE
    )
    return f"ON CONFLICT ({', '.join(map(quote, KEY))}) DO UPDATE SET {changed}"  # nosec B608 - names are ours, values go by parameters


def _copy(cursor: Any, table: str, names: str, rows: Any) -> None:
    statement = f"COPY {table} ({names}) FROM STDIN (FORMAT binary)"
    # The driver's own errors pass by Django here.
    with connection.wrap_database_errors, cursor.cursor.copy(statement) as copy:
        copy.write(copy_bytes(rows))
