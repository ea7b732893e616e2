"""Write usable records into their table: new ones, changed ones, and nothing for those that are as stored."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import IntegrityError, connection, transaction

from ingestion.engine.records import NormalisedChunk
from ingestion.engine.stages import NO_VERSION, stage_ranks, stage_versions
from ingestion.models import Fact, Feed, GunfireAlert, fact_model
from ingestion.services.fact_rows import CrimeTypeKeys, FactRows, facts_ready
from ingestion.services.locks import records_lock

NEW, CHANGED, SAME = 0, 1, 2


@dataclass(frozen=True)
class UpsertCounts:
    """What became of the records of one chunk."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    fates: tuple[int, ...] = ()
    """``NEW``, ``CHANGED`` or ``SAME`` for each record of the chunk, in its order."""
    hours: frozenset[int] = frozenset()
    """Whole hours since 1970 (UTC) in which what was written happened."""
    hours_before: frozenset[int] = frozenset()
    """Those in which the records that were changed had happened, as they stood before."""


def incidents_upsert(
    *,
    feed: Feed,
    chunk: NormalisedChunk,
    crime_types: CrimeTypeKeys,
    now: datetime,
    ready: FactRows | None = None,
    expect_new: bool = False,
) -> UpsertCounts:
    """Store the chunk's records under (feed, external id); equal content is left alone.

    A version older than the stored one is left alone too and counts as unchanged: by ``last_updated``, and where alerts
    come in stages by the time and rank of the stage. ``ready`` are the rows of the whole chunk, where somebody has made
    them already. With ``expect_new`` the comparison is left out as long as no record turns out to be stored: a guess that
    costs time where it is wrong, and nothing else.

    One query to compare, a statement to write what is new and one for what has changed; all in the caller's transaction
    or one of their own. On PostgreSQL one more for a lock: whoever else writes one of these records waits.
    """
    if not len(chunk):
        return UpsertCounts()
    model = fact_model(feed.record_kind)
    # Joined to the caller's transaction where there is one: a savepoint is two more round trips for each alert.
    with transaction.atomic(savepoint=False):
        records_lock(feed, chunk.external_id.tolist())
        if expect_new and ready is not None and ready.are_copied and _all_new(ready, len(chunk)):
            return UpsertCounts(inserted=len(chunk), fates=(NEW,) * len(chunk), hours=_hours(chunk))
        fate, hours_before = _fates(feed, model, chunk)
        write = np.flatnonzero(fate != SAME)
        if write.size:
            ready = ready or facts_ready(feed, chunk, write, crime_types, now)
            for kind in (NEW, CHANGED):
                rows = np.flatnonzero(fate == kind)
                if rows.size:
                    ready.write(rows, are_new=kind == NEW)
    return UpsertCounts(
        inserted=int((fate == NEW).sum()),
        updated=int((fate == CHANGED).sum()),
        unchanged=int((fate == SAME).sum()),
        fates=tuple(fate.tolist()),
        hours=_hours(chunk, write),
        hours_before=hours_before,
    )


def _hours(chunk: NormalisedChunk, rows: npt.NDArray[np.int64] | None = None) -> frozenset[int]:
    at = chunk.occurred_from if rows is None else chunk.occurred_from[rows]
    return frozenset(np.unique(at.astype("datetime64[s]").astype(np.int64) // 3600).tolist())


def _all_new(ready: FactRows, n: int) -> bool:
    """Write all rows as new ones; False, and nothing written, where the database has one of them."""
    try:
        with transaction.atomic():
            ready.write(np.arange(n), are_new=True)
    except IntegrityError:
        # Another fault than a key that is there comes again, and is told, when they are written one kind after the other.
        return False
    return True


def _fates(
    feed: Feed, model: type[Fact], chunk: NormalisedChunk
) -> tuple[npt.NDArray[np.int8], frozenset[int]]:
    """What each record is against the stored one: new, changed or the same; and in which hours the changed ones were. One query."""
    stored = _stored(feed, model, chunk.external_id.tolist())
    fate = np.full(len(chunk), NEW, dtype=np.int8)
    if not stored:
        return fate, frozenset()
    before: set[int] = set()
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
        if fate[row] == CHANGED:
            before.add(known[-1] // 3600)
    return fate, frozenset(before)


def _stored(feed: Feed, model: type[Fact], external_ids: list[str]) -> dict[str, tuple[Any, ...]]:
    """Content, update, (for alerts) stage, and start of the stored records of these identifiers. By hand: asked for each alert."""
    quote = connection.ops.quote_name
    on_postgres = connection.vendor == "postgresql"
    epoch = "FLOOR(EXTRACT(EPOCH FROM {}))::bigint" if on_postgres else "CAST(strftime('%%s', {}) AS INTEGER)"
    columns = ["external_id", "content_hash", epoch.format("last_updated_at")]
    if model is GunfireAlert:
        columns += ["stage", epoch.format("stage_at")]
    columns.append(epoch.format("occurred_from"))
    table, selected = quote(model._meta.db_table), ", ".join(columns)
    # Row by row through the key's index. Asked for ANY of the list, PostgreSQL reads all rows of the feed where it has
    # no statistics yet, for each chunk of a first import again. The limit keeps it from making a plain join of it.
    wanted = (
        f"SELECT found.* FROM json_array_elements_text(%s) AS wanted (id) CROSS JOIN LATERAL (SELECT {selected} FROM {table} "  # nosec B608 - names are ours, values go by parameters
        "WHERE feed_id = %s AND external_id = wanted.id LIMIT 1) AS found"
        if on_postgres
        else f"SELECT {selected} FROM {table} WHERE external_id IN (SELECT value FROM json_each(%s)) AND feed_id = %s"  # nosec B608 - names are ours, values go by parameters
    )
    with connection.cursor() as cursor:
        cursor.execute(wanted, [json.dumps(external_ids), feed.pk])
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _stage_version(stage: str, at_s: int | None) -> int | None:
    """The stored alert's version as ``stage_versions`` counts it; None for one that was stored without a stage."""
    if at_s is None:
        return None
    at = np.array([at_s], dtype=np.int64).astype("datetime64[s]")
    return int(stage_versions(at, stage_ranks([stage]))[0])
