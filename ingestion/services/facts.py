"""Write usable records into their table: new ones, changed ones, and nothing for those that are as stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from ingestion.engine.records import NormalisedChunk
from ingestion.engine.stages import NO_VERSION, stage_ranks, stage_versions
from ingestion.models import CallForService, Fact, Feed, GunfireAlert, fact_model
from ingestion.services.locks import FEW_RECORDS, records_lock

NEW, CHANGED, SAME = 0, 1, 2
_KEY = ("feed_id", "external_id")
# The moment of the first import is history: an update must not move it.
_WRITTEN_ONCE = (*_KEY, "agency_id", "imported_at")


@dataclass(frozen=True)
class UpsertCounts:
    """What became of the records of one chunk."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    fates: tuple[int, ...] = ()
    """``NEW``, ``CHANGED`` or ``SAME`` for each record of the chunk, in its order."""


@dataclass(frozen=True)
class CrimeTypeKeys:
    """The agency's crime types by slug: primary keys, and those that are gunfire."""

    pk_of: Mapping[str, int]
    gunfire: frozenset[str] = frozenset()


def incidents_upsert(
    *, feed: Feed, chunk: NormalisedChunk, crime_types: CrimeTypeKeys, now: datetime
) -> UpsertCounts:
    """Store the chunk's records under (feed, external id); equal content is left alone.

    A version older than the stored one is left alone too and counts as unchanged: by ``last_updated``, and where alerts
    come in stages by the time and rank of the stage. One query to compare, one statement to write; both in the caller's
    transaction or one of their own. On PostgreSQL one more for a lock: whoever else writes one of these records waits.
    """
    if not len(chunk):
        return UpsertCounts()
    model = fact_model(feed.record_kind)
    # Joined to the caller's transaction where there is one: a savepoint is two more round trips for each alert.
    with transaction.atomic(savepoint=False):
        records_lock(feed, chunk.external_id.tolist())
        fate = _fates(feed, model, chunk)
        write = np.flatnonzero(fate != SAME)
        if write.size:
            columns = _columns(feed, model, chunk, write, crime_types, now)
            _write_rows(model, tuple(columns), list(zip(*columns.values(), strict=True)))
    return UpsertCounts(
        inserted=int((fate == NEW).sum()),
        updated=int((fate == CHANGED).sum()),
        unchanged=int((fate == SAME).sum()),
        fates=tuple(fate.tolist()),
    )


def _fates(feed: Feed, model: type[Fact], chunk: NormalisedChunk) -> npt.NDArray[np.int8]:
    """What each record is against the stored one: new, changed or the same. One query."""
    stored = _stored(feed, model, chunk.external_id.tolist())
    fate = np.zeros(len(chunk), dtype=np.int8)
    if not stored:
        return fate
    updated = np.where(np.isnat(chunk.last_updated), NO_VERSION, chunk.last_updated.astype(np.int64))
    mine = updated
    if chunk.stage is not None and chunk.stage_at is not None:
        mine = stage_versions(chunk.stage_at, stage_ranks(chunk.stage.tolist()))
    for row, (key, content) in enumerate(
        zip(chunk.external_id.tolist(), chunk.content_hash.tolist(), strict=True)
    ):
        known = stored.get(key)
        if known is None:
            continue
        theirs = known[1]
        if chunk.stage is not None:
            theirs = _stage_version(known[2], known[3])
        older = theirs is not None and mine[row] != NO_VERSION and mine[row] < theirs
        fate[row] = SAME if known[0] == content or older else CHANGED
    return fate


def _stored(feed: Feed, model: type[Fact], external_ids: list[str]) -> dict[str, tuple[Any, ...]]:
    """Content, update and (for alerts) stage of the stored records of these identifiers. By hand: asked for each alert."""
    quote = connection.ops.quote_name
    on_postgres = connection.vendor == "postgresql"
    epoch = "FLOOR(EXTRACT(EPOCH FROM {}))::bigint" if on_postgres else "CAST(strftime('%%s', {}) AS INTEGER)"
    columns = ["external_id", "content_hash", epoch.format("last_updated_at")]
    if model is GunfireAlert:
        columns += ["stage", epoch.format("stage_at")]
    among = "= ANY(%s)" if on_postgres else "IN (SELECT value FROM json_each(%s))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {quote(model._meta.db_table)} WHERE feed_id = %s AND external_id {among}",
            [feed.pk, external_ids if on_postgres else json.dumps(external_ids)],
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _stage_version(stage: str, at_s: int | None) -> int | None:
    """The stored alert's version as ``stage_versions`` counts it; None for one that was stored without a stage."""
    if at_s is None:
        return None
    at = np.array([at_s], dtype=np.int64).astype("datetime64[s]")
    return int(stage_versions(at, stage_ranks([stage]))[0])


def instant_texts(times: npt.NDArray[np.datetime64]) -> list[str | None]:
    """Instants as both databases take them as text; NaT is NULL."""
    suffix = "+00" if connection.vendor == "postgresql" else ""
    texts = np.char.replace(np.datetime_as_string(times, unit="s"), "T", " ").tolist()
    return [None if missing else text + suffix for text, missing in zip(texts, np.isnat(times), strict=True)]


def _place_precisions(chunk: NormalisedChunk, rows: npt.NDArray[np.int64]) -> list[int | None]:
    if len(chunk.place_precision_m) != len(chunk):
        return [None] * len(rows)
    return [number or None for number in chunk.place_precision_m[rows].tolist()]


def _columns(
    feed: Feed,
    model: type[Fact],
    chunk: NormalisedChunk,
    rows: npt.NDArray[np.int64],
    crime_types: CrimeTypeKeys,
    now: datetime,
) -> dict[str, Sequence[Any]]:
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


def _write_rows(model: type[Fact], columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Insert the rows, overwriting those whose key is there: by COPY on PostgreSQL, in one batch on SQLite or where they are few."""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    names = ", ".join(quote(name) for name in columns)
    changed = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in _WRITTEN_ONCE
    )
    on_conflict = f"ON CONFLICT ({', '.join(quote(name) for name in _KEY)}) DO UPDATE SET {changed}"
    with connection.cursor() as cursor:
        # A temporary table for each alert would be most of its price, and litter the catalogue.
        if connection.vendor != "postgresql" or len(rows) <= FEW_RECORDS:
            values = ", ".join(["%s"] * len(columns))
            insert = f"INSERT INTO {table} ({names}) VALUES ({values}) {on_conflict}"
            if len(rows) == 1:
                cursor.execute(insert, rows[0])
            else:
                cursor.executemany(insert, rows)
            return
        # Dropped by hand: inside one long test transaction ON COMMIT DROP would meet itself.
        cursor.execute(
            f"CREATE TEMP TABLE incoming_rows ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0"
        )
        with cursor.cursor.copy(f"COPY incoming_rows ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_rows {on_conflict}")
        cursor.execute("DROP TABLE incoming_rows")
