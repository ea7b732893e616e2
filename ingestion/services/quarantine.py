"""Rows kept aside: stored once, closed when their record arrives whole, and read again when the mapping is mended."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import User
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.records import NormalisedChunk, QuarantinedValue
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.engine.rows import RowChunk
from ingestion.models import Feed, ImportRun, QuarantinedRow
from ingestion.services.context import crime_type_keys, normalise_context
from ingestion.services.facts import incidents_upsert
from ingestion.services.locks import import_lock
from ingestion.services.tally import Tally
from ingestion.services.telling import Written, told
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import RunReporter, run_execution

REPLAY_ROWS = 2_000
REPLAY = "replay"
"""Key of a run's snapshot that marks it as a replay of the quarantine, not an import of a file."""


def fingerprint(value: QuarantinedValue, file_name: str) -> str:
    """A mark by which the same bad row is known again, so that importing a file twice keeps it once.

    A row that could not be split into columns has no values: its place in the file has to do.
    """
    known: list[object] = [value.external_id, sorted(value.values.items())]
    if not value.values:
        known = [file_name, value.row_number, value.rejection.code]
    text = json.dumps(known, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def waiting_records(run: ImportRun) -> set[str]:
    """The identifiers of records that earlier runs of the feed have kept aside. One query."""
    waiting = QuarantinedRow.objects.filter(feed=run.feed, resolved_at=None).exclude(run=run)
    return set(waiting.exclude(external_id="").order_by().values_list("external_id", flat=True))


def quarantine_store(
    *,
    feed: Feed,
    run: ImportRun,
    chunk: NormalisedChunk,
    waiting: set[str],
    now: datetime,
    closes_own: bool = False,
) -> None:
    """Keep the chunk's unusable rows and close those that it makes obsolete. At most two queries.

    A row is obsolete once its record is usable, or has come again in another form. ``waiting`` is what
    ``waiting_records`` gave when the run began. With ``closes_own`` the run's own earlier rows can be obsolete too: a day
    of pushes is one run.
    """
    quarantine_values_store(
        feed=feed,
        run=run,
        quarantined=chunk.quarantined,
        seen=chunk.external_id.tolist(),
        waiting=waiting,
        now=now,
        closes_own=closes_own,
    )


def quarantine_values_store(
    *,
    feed: Feed,
    run: ImportRun,
    quarantined: Sequence[QuarantinedValue],
    seen: Sequence[str],
    waiting: set[str],
    now: datetime,
    closes_own: bool = False,
) -> None:
    """The same for rows of any kind; ``seen`` are the identifiers of the usable ones. At most two queries."""
    rows = {
        (mark := fingerprint(value, run.file_name)): QuarantinedRow(
            agency_id=feed.agency_id,
            feed=feed,
            run=run,
            row_number=value.row_number,
            external_id=value.external_id,
            code=value.rejection.code,
            field=value.rejection.field,
            values=dict(value.values),
            fingerprint=mark,
        )
        for value in quarantined
    }
    obsolete = waiting.intersection([*seen, *(row.external_id for row in rows.values())])
    if obsolete:
        earlier = QuarantinedRow.objects.filter(feed=feed, resolved_at=None, external_id__in=obsolete)
        if not closes_own:
            earlier = earlier.exclude(run=run)
        earlier.exclude(fingerprint__in=list(rows)).update(resolved_at=now)
    if rows:
        QuarantinedRow.objects.bulk_create(
            # In one order for everybody: two pushes with the same two rows could wait for each other for ever.
            [rows[mark] for mark in sorted(rows)],
            update_conflicts=True,
            unique_fields=["feed", "fingerprint"],
            # resolved_at too: a row that was closed and comes again as bad as before is open again.
            update_fields=["run", "row_number", "code", "field", "resolved_at"],
        )


def quarantine_replay_queue(
    *, feed: Feed, codes: Iterable[str] | None = None, requested_by: User | None = None
) -> ImportRun:
    """Ask for the feed's waiting rows (of these rejection codes, or all) to be read again with today's mapping."""
    if not feed.mapping:
        raise MissionsError(
            _("The rows of feed “%(name)s” are read from the whole file and cannot be read again one by one.")
            % {"name": feed.name},
            next_step=_("mend the file and import it again: rows that are good then are closed."),
        )
    wanted = sorted(set(codes or ()))
    unknown = [code for code in wanted if code not in REJECTION_CODES]
    if unknown:
        raise MissionsError(
            _("%(unknown)s: no such rejection code.") % {"unknown": ", ".join(unknown)},
            next_step=_("use one of %(rejection_codes)s.")
            % {"rejection_codes": ", ".join(sorted(REJECTION_CODES))},
        )
    run = ImportRun(
        agency=feed.agency,
        feed=feed,
        file_name="(quarantine)",
        requested_by=requested_by,
        config_snapshot={"mapping": feed.mapping, REPLAY: True, "codes": wanted, "after_pk": 0},
    )
    run.full_clean(exclude=["requested_by"])
    run.save()
    return run


def quarantine_replay(
    *, feed: Feed, codes: Iterable[str] | None = None, progress: Progress = no_progress
) -> ImportRun:
    """Read the feed's waiting rows again: those that are usable now become incidents and are closed.

    Rows that policy refuses now are deleted. The run's counts cover the rows that were read again.
    """
    run = quarantine_replay_queue(feed=feed, codes=codes)
    quarantine_replay_execute(run=run, progress=progress)
    return run


def quarantine_replay_execute(*, run: ImportRun, progress: Progress = no_progress) -> ImportRun:
    """Do a queued replay, 2,000 rows a transaction. One that was killed goes on where it stopped."""
    with (
        import_lock(run.feed),
        run_execution(run, progress) as report,
        told(run.feed, run.queued_at) as written,
    ):
        _replay(run, report, written)
    return run


def _waiting(run: ImportRun) -> QuerySet[QuarantinedRow]:
    # Rows that could not be split into columns have no values to read again.
    waiting = QuarantinedRow.objects.filter(feed=run.feed, resolved_at=None).exclude(values={})
    if codes := run.config_snapshot.get("codes"):
        waiting = waiting.filter(code__in=codes)
    return waiting.order_by("pk")


def _replay(run: ImportRun, report: RunReporter, written: Written) -> None:
    feed = run.feed
    mapping = FeedMapping.from_json(run.config_snapshot["mapping"])
    mapping.validate()
    if mapping.record_kind != feed.record_kind:
        raise MissionsError(
            _("The feed's kind of record was changed. %(kind_conflict)s")
            % {"kind_conflict": feed.kind_conflict(mapping.record_kind)},
            next_step=_("set the feed back to %(record_kind)s.") % {"record_kind": mapping.record_kind},
        )
    now = timezone.now()
    context = normalise_context(feed.agency, feed, now)
    keys = crime_type_keys(feed.agency)
    tally = Tally(run.counts, run.refusals, run.rejections)
    if tally.received:
        written.forget()
    total = tally.received + _waiting(run).filter(pk__gt=run.config_snapshot["after_pk"]).count()
    while True:
        rows = list(_waiting(run).filter(pk__gt=run.config_snapshot["after_pk"])[:REPLAY_ROWS])
        if not rows:
            break
        chunk = RowChunk.from_rows(
            [row.values for row in rows], mapping.column_names, [row.pk for row in rows]
        )
        result = normalise_chunk(chunk, mapping, context)
        with transaction.atomic():
            stored = incidents_upsert(feed=feed, chunk=result, crime_types=keys, now=now)
            _close(rows, result, now)
            tally.add(result, stored)
            snapshot = run.config_snapshot | {"after_pk": rows[-1].pk}
            report.record(**tally.fields(), config_snapshot=snapshot)
        written.add(stored.hours, stored.hours_before)
        report.progress(tally.received, total, _("Reading kept rows again"))


def _close(rows: Sequence[QuarantinedRow], result: NormalisedChunk, now: datetime) -> None:
    usable = {*result.row_number.tolist(), *result.superseded.tolist()}
    still_bad = {value.row_number: value.rejection for value in result.quarantined}
    for row in rows:
        if (rejection := still_bad.get(row.pk)) is not None:
            row.code, row.field = rejection.code, rejection.field
    QuarantinedRow.objects.filter(pk__in=usable).update(resolved_at=now)
    QuarantinedRow.objects.bulk_update([row for row in rows if row.pk in still_bad], ["code", "field"], 500)
    # Refused by policy under today's mapping: such rows are never stored, not even here.
    refused = [row.pk for row in rows if row.pk not in usable and row.pk not in still_bad]
    QuarantinedRow.objects.filter(pk__in=refused).delete()
