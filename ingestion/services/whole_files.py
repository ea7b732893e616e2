"""Importing files that are read as a whole: calendars, tables of events, weather. Stored chunk by chunk like any other."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency
from agencies.selectors import agency_area
from ingestion.engine.events import EventRow
from ingestion.engine.normalise import RETENTION_RULE
from ingestion.engine.places import Boundary
from ingestion.engine.records import QuarantinedValue
from ingestion.engine.weather import WeatherRow
from ingestion.models import Feed, ImportRun
from ingestion.services.context import retention_delete_before
from ingestion.services.context_facts import events_missing_cancel, events_upsert, weather_store
from ingestion.services.facts import UpsertCounts
from ingestion.services.fetching import pull_settle
from ingestion.services.quarantine import quarantine_values_store, waiting_records
from ingestion.services.spool import spool_path
from ingestion.services.tally import Tally
from ingestion.sources import SourceError, source_from
from ingestion.sources.whole_file import FileContext, WholeFileSource, whole_file_class
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunReporter

CHUNK_ROWS = 2_000
YIELD_SECONDS = 0.005
MAX_KEPT_ID = 120
READ_AT = "read_at"
"""Key of a run's snapshot: the moment that counts as the reading's own, so that a resumed run reads the same."""

Item = EventRow | WeatherRow | QuarantinedValue


def feed_is_whole_file(kind: str) -> bool:
    """Whether feeds of this kind need no mapping."""
    return whole_file_class(kind) is not None


def context_feed_ensure(
    *, agency: Agency, slug: str, kind: str, name: str = "", params: dict[str, Any] | None = None
) -> Feed:
    """Return the agency's feed of this slug; make it with this kind where there is none. Raises ``MissionsError``."""
    found = whole_file_class(kind)
    if found is None:
        raise SourceError(
            _("Feeds of the kind %(kind)s need a mapping.") % {"kind": f"{kind!r}"},
            _("make them with import_incidents."),
        )
    feed = Feed.objects.filter(agency=agency, slug=slug).first()
    if feed is None:
        feed = Feed(agency=agency, slug=slug, name=name or slug, kind=kind, record_kind=found.record_kind)
        feed.params = params or {}
        source_from(kind, feed.params)
        feed.full_clean()
        feed.save()
    elif feed.kind != kind:
        raise MissionsError(
            _("Feed “%(slug)s” is of the kind %(kind)s, not %(kind_2)s.")
            % {"slug": slug, "kind": feed.kind, "kind_2": kind},
            next_step=_("give the new feed another slug."),
        )
    return feed


def whole_file_snapshot(feed: Feed) -> dict[str, Any]:
    """What an import of such a feed is read with. Raises ``MissionsError`` where the feed's settings do not fit."""
    found = whole_file_class(feed.kind)
    if found is not None and feed.record_kind != found.record_kind:
        raise MissionsError(
            _("Feeds of the kind “%(label)s” hold %(record_kind)s, not %(record_kind_2)s.")
            % {"label": found.label, "record_kind": found.record_kind, "record_kind_2": feed.record_kind},
            next_step=_("make a new feed for it (Admin → Feeds → Add)."),
        )
    source_from(feed.kind, feed.params)
    return {READ_AT: timezone.now().isoformat()}


def whole_file_import(run: ImportRun, report: RunReporter) -> None:
    """Read the run's file and store it, 2,000 rows a transaction; one that was killed goes on after its last chunk."""
    feed = run.feed
    path = spool_path(run.spool_name) if run.spool_name else Path(run.config_snapshot.get("path", ""))
    source: Any = source_from(run.config_snapshot["kind"], run.config_snapshot["params"])
    if not isinstance(source, WholeFileSource):
        raise SourceError(
            _("Feeds of the kind %(kind)s are mapped.") % {"kind": f"{feed.kind!r}"},
            _("map the feed's columns first."),
        )
    # A pulled file was read when its answer came, not when somebody asked for it.
    now = datetime.fromisoformat((run.pull or {}).get(READ_AT) or run.config_snapshot[READ_AT])
    area = agency_area(feed.agency)
    context = FileContext(
        zone=feed.agency.time_zone,
        now=now,
        boundary=Boundary.from_geometry(area) if area is not None else None,
    )
    items: Sequence[Item] = list(source.items(path, context))
    if not items:
        raise SourceError(_("The file holds no rows."), _("check that the export ran."))
    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    tally = Tally(run.counts, run.refusals, run.rejections)
    if tally.received and run.data_hash != digest:
        raise MissionsError(
            _("The file is not the one of which %(received)s rows are already imported.")
            % {"received": f"{tally.received:,}"},
            next_step=_("start a new import of it."),
        )
    report.record(data_hash=digest)
    waiting = waiting_records(run)
    delete_before = retention_delete_before(feed, now=timezone.now())
    for first in range(tally.received, len(items), CHUNK_ROWS):
        chunk = items[first : first + CHUNK_ROWS]
        aside = [
            replace(item, external_id=short_id(item.external_id))
            for item in chunk
            if isinstance(item, QuarantinedValue)
        ]
        # Rows, quarantine, counts and the place to go on from stand or fall together: a kill leaves no half chunk.
        with transaction.atomic():
            kept = [item for item in chunk if not _is_past(item, delete_before)]
            stored, seen = _store(feed, kept, now)
            quarantine_values_store(
                feed=feed, run=run, quarantined=aside, seen=seen, waiting=waiting, now=timezone.now()
            )
            refused = len(chunk) - len(kept)
            tally.add_rows(received=len(chunk), stored=stored, quarantined=aside, refused=refused)
            if refused:
                tally.refuse(RETENTION_RULE, "", refused)
            report.record(**tally.fields())
        report.progress(tally.received, len(items), "Importing")
        if connection.vendor == "sqlite":
            time.sleep(YIELD_SECONDS)
    with transaction.atomic():
        _close(feed, source, items, now, report)
        pull_settle(run=run)
    report.progress(len(items), len(items), "Imported")


def _is_past(item: Item, before: datetime | None) -> bool:
    """Whether the night would delete it again. What is kept aside has no time that can be relied on."""
    if before is None or isinstance(item, QuarantinedValue):
        return False
    return (item.ends_at if isinstance(item, EventRow) else item.valid_at) < before


def short_id(text: str) -> str:
    """The identifier as the quarantine keeps it: calendars have longer ones than its column takes."""
    text = text.replace("\x00", "\u2400")
    if len(text) <= MAX_KEPT_ID:
        return text
    return f"{text[: MAX_KEPT_ID - 33]}~{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _store(feed: Feed, chunk: Sequence[Item], now: datetime) -> tuple[UpsertCounts, list[str]]:
    events = [item for item in chunk if isinstance(item, EventRow)]
    hours = [item for item in chunk if isinstance(item, WeatherRow)]
    if events:
        return events_upsert(feed=feed, rows=events, now=now), [short_id(row.external_id) for row in events]
    return weather_store(feed=feed, rows=hours), [row.valid_at.isoformat() for row in hours]


def _close(
    feed: Feed, source: WholeFileSource, items: Sequence[Item], now: datetime, report: RunReporter
) -> None:
    if not getattr(source.parameters, "missing_is_cancelled", False):
        return
    named = [item.external_id for item in items if not isinstance(item, WeatherRow)]
    # What cannot be read as a series today must not call off what was read of it yesterday.
    unread = tuple(
        f"{item.external_id}@" for item in items if isinstance(item, QuarantinedValue) and item.external_id
    )
    if gone := events_missing_cancel(feed=feed, named=named, now=now, unread=unread):
        report.log(f"{gone:,} future events that the file no longer names are marked as cancelled.")
