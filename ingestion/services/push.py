"""Rows that machines send: judged like those of a file, stored at once, and each answered for."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from ingestion.engine.context import NormaliseContext
from ingestion.engine.mapping import FeedMapping, as_record_kind
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.profiles import pushed_mapping
from ingestion.engine.records import NormalisedChunk
from ingestion.engine.rejections import excerpt
from ingestion.engine.rows import RowChunk
from ingestion.models import Feed, QuarantinedRow
from ingestion.services.context import crime_type_keys, normalise_context
from ingestion.services.fact_rows import CrimeTypeKeys
from ingestion.services.facts import CHANGED, NEW, UpsertCounts, incidents_upsert
from ingestion.services.imports import feed_mapping
from ingestion.services.push_account import push_account
from ingestion.services.quarantine import quarantine_store
from ingestion.services.tally import CLASSES, Tally
from ingestion.services.telling import tell
from missions_project.lib.errors import MissionsError

SHOWN_ID_CHARACTERS = 120


class RowResult(NamedTuple):
    """What became of one row. ``index`` counts from 0 as the sender's list does; code and message where it was not taken."""

    index: int  # type: ignore[assignment]  # a tuple's own method of that name is not needed here
    external_id: str
    outcome: str
    code: str = ""
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        told = {"index": self.index, "external_id": self.external_id, "outcome": self.outcome}
        return told | {"code": self.code, "message": self.message} if self.code else told


@dataclass(frozen=True)
class PushResult:
    """A batch's account: ``counts`` adds up (received is the sum of the others), with one result a row."""

    counts: dict[str, int]
    rows: list[RowResult]

    @property
    def changed(self) -> bool:
        return bool(self.counts["inserted"] or self.counts["updated"])


def push_mapping(feed: Feed) -> FeedMapping:
    """How the feed's pushed rows are read: by its own mapping, or under the documented names where it has none.

    Raises ``MissionsError`` for a mapping that cannot be used or of another kind of record.
    """
    if not feed.mapping:
        return pushed_mapping(as_record_kind(feed.record_kind))
    mapping = feed_mapping(feed.mapping)
    if mapping.record_kind != feed.record_kind:
        raise MissionsError(
            _("The feed's kind of record was changed. %(kind_conflict)s")
            % {"kind_conflict": feed.kind_conflict(mapping.record_kind)},
            next_step=_("set the feed back to %(record_kind)s.") % {"record_kind": mapping.record_kind},
        )
    return mapping


@dataclass(frozen=True)
class _Known:
    """What a feed's rows are read against, kept for a moment: an alert must not pay for reading the boundary anew."""

    until: float
    mapping_json: dict[str, Any]
    mapping: FeedMapping
    context: NormaliseContext
    keys: CrimeTypeKeys


_known: dict[int, _Known] = {}


def _reading(feed: Feed, now: datetime) -> _Known:
    known = _known.get(feed.pk)
    if known is None or known.until < time.monotonic() or known.mapping_json != feed.mapping:
        known = _Known(
            time.monotonic() + settings.PUSH_CONTEXT_SECONDS,
            feed.mapping,
            push_mapping(feed),
            normalise_context(feed.agency, feed, now),
            crime_type_keys(feed.agency),
        )
        _known[feed.pk] = known
    return known


def push_mapped(feed: Feed, now: datetime) -> FeedMapping:
    """The mapping by which ``push_store`` will read this feed's rows. No query for some seconds after the first."""
    return _reading(feed, now).mapping


def push_store(*, feed: Feed, chunk: RowChunk, now: datetime) -> PushResult:
    """Store a batch: usable rows, kept-aside rows and the account stand or fall together, and each row is answered for.

    Sending the same batch again changes nothing. Never waits for the import of a file, but on SQLite for the chunk that
    it writes just now. About six queries for a batch without faults.
    """
    known = _reading(feed, now)
    result = normalise_chunk(chunk, known.mapping, replace(known.context, now=now))
    tally = Tally()
    with transaction.atomic():
        stored = incidents_upsert(feed=feed, chunk=result, crime_types=known.keys, now=now)
        tally.add(result, stored)
        waiting = _waiting(feed, result)
        with push_account(feed, now, tally, look=bool(result.quarantined)) as run:
            if waiting or result.quarantined:
                quarantine_store(feed=feed, run=run, chunk=result, waiting=waiting, now=now, closes_own=True)
        tell(feed, now, stored.hours, stored.hours_before)
    counts = {name: tally.counts[name] for name in ("received", *CLASSES)}
    return PushResult(counts, _rows(chunk, known.mapping.columns["external_id"], result, stored))


def _waiting(feed: Feed, result: NormalisedChunk) -> set[str]:
    """The records of the batch that wait in the feed's quarantine. One query, by hand: it is asked for each alert."""
    seen = [*result.external_id.tolist(), *(value.external_id for value in result.quarantined)]
    if not seen:
        return set()
    table = connection.ops.quote_name(QuarantinedRow._meta.db_table)
    on_postgres = connection.vendor == "postgresql"
    among = "= ANY(%s)" if on_postgres else "IN (SELECT value FROM json_each(%s))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT external_id FROM {table} WHERE feed_id = %s AND external_id {among} AND external_id <> '' "  # nosec B608 - names are ours, values go by parameters
            "AND resolved_at IS NULL",
            [feed.pk, seen if on_postgres else json.dumps(seen)],
        )
        return {row[0] for row in cursor.fetchall()}


def _rows(chunk: RowChunk, id_column: str, result: NormalisedChunk, stored: UpsertCounts) -> list[RowResult]:
    ids = dict(zip(chunk.row_numbers.tolist(), shown_ids(chunk.columns[id_column]), strict=True))
    words = {NEW: "inserted", CHANGED: "updated"}
    found: dict[int, RowResult] = {}

    def tell(number: int, outcome: str, code: str = "", message: str = "") -> None:
        found[number] = RowResult(number - 1, ids.get(number, ""), outcome, code, message)

    for number, fate in zip(result.row_number.tolist(), stored.fates, strict=True):
        tell(number, words.get(fate, "unchanged"))
    for number in result.superseded.tolist():
        tell(number, "unchanged")
    for value in result.quarantined:
        tell(value.row_number, "quarantined", value.rejection.code, value.rejection.message)
    for number, rule, code in result.refused_rows:
        tell(number, "refused", rule, result.refusal_messages[rule, code])
    return [found[number] for number in sorted(found)]


def shown_ids(texts: Sequence[str]) -> list[str]:
    """Identifiers as an answer may repeat them: cut to a length, and without what no text can hold."""
    return [
        text if len(text) <= 60 and text.isascii() else excerpt(text, SHOWN_ID_CHARACTERS) for text in texts
    ]
