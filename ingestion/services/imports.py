"""One file on its way into the database: queued, read, judged row by row, stored chunk by chunk."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agencies.models import User
from ingestion.engine.context import NormaliseContext
from ingestion.engine.mapping import FeedMapping, MappingError
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.records import NormalisedChunk
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.models import Feed, ImportRun, fact_model
from ingestion.services.context import crime_type_keys, normalise_context
from ingestion.services.fact_rows import facts_ready
from ingestion.services.facts import incidents_upsert
from ingestion.services.fetching import SPOOL_FORM, pages_fetch, pull_close, pull_settle
from ingestion.services.locks import Turns, feed_lock, import_lock, writing_lock
from ingestion.services.quarantine import REPLAY, quarantine_replay_execute, quarantine_store, waiting_records
from ingestion.services.spool import spool_delete, spool_path
from ingestion.services.tally import Tally
from ingestion.services.telling import Written, told
from ingestion.services.whole_files import feed_is_whole_file, whole_file_import, whole_file_snapshot
from ingestion.services.whole_pulls import whole_file_fetch
from ingestion.sources import FileReader, FileSurvey, reader_source
from missions_project.lib.ahead import made_ahead
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import MAX_ATTEMPTS, RunReporter, RunStatus, run_execution

CHUNK_ROWS = 2_000
"""Rows of the file a transaction: on SQLite a page that wants to write waits for one of them, not for the import."""
POSTGRES_CHUNK_ROWS = 10_000
"""There nobody waits for a transaction, and each has its price."""
CHUNK = "chunk_rows"
"""Key of a run's snapshot."""
MIN_ROWS_TO_JUDGE = 20
STOPPED = gettext_noop(
    "The process was stopped from outside. What its counts say is stored; importing the file again completes it."
)
"""Error of a run whose process was killed: the file is not at fault."""
MISREAD = frozenset(
    {
        "wrong_column_count",
        "bad_json",
        "repeated_field",
        "not_one_value",
        "formula_error",
        "missing_id",
        "nul_byte",
        "bad_encoding",
        "missing_code",
        "missing_timestamp",
        "bad_timestamp",
        "future_timestamp",
        "implausible_past",
        "end_before_start",
        "missing_coordinates",
        "bad_coordinates",
        "zero_coordinates",
        "swapped_coordinates",
        "coordinates_out_of_range",
        "outside_boundary",
        "unknown_discovery",
    }
)
"""Faults that, shown by every single row, mean that the file or the mapping is the wrong one."""


def import_run_queue(
    *,
    feed: Feed,
    spool_name: str = "",
    path: Path | None = None,
    file_name: str = "",
    requested_by: User | None = None,
) -> ImportRun:
    """Ask for one file to be imported: an upload in the spool, or a file on this machine. Returns the queued run.

    The feed's mapping is frozen with it. Raises ``MissionsError`` for an inactive or unmapped feed.
    """
    if not feed.is_active:
        raise MissionsError(
            _("Feed “%(name)s” is inactive and accepts no imports.") % {"name": feed.name},
            next_step=_("activate it (Admin → Feeds)."),
        )
    snapshot: dict[str, Any] = {"mapping": feed.mapping, "kind": feed.kind, "params": feed.params}
    if feed_is_whole_file(feed.kind):
        snapshot |= whole_file_snapshot(feed)
    else:
        _check_kind(feed, feed_mapping(feed.mapping))
    if path is not None:
        snapshot["path"] = str(path.resolve())
    run = ImportRun(
        agency=feed.agency,
        feed=feed,
        file_name=(file_name or (path.name if path else ""))[-200:],
        spool_name=spool_name,
        requested_by=requested_by,
        config_snapshot=snapshot,
    )
    run.full_clean(exclude=["requested_by"])
    run.save()
    return run


def import_run_execute(*, run: ImportRun, progress: Progress = no_progress) -> ImportRun:
    """Import the run's file. The counts on the row are true at every moment, whatever is killed when.

    A run that was killed goes on after its last stored chunk. Raises ``ImportBusy`` while another import works
    (the run stays queued), and ``MissionsError`` for a file that cannot be read: nothing of it is stored then.
    """
    if run.config_snapshot.get(REPLAY):
        return quarantine_replay_execute(run=run, progress=progress)
    if run.pull is not None:
        return _pull(run, progress)
    with import_lock(run.feed):
        _bury_the_dead(run)
        try:
            with run_execution(run, progress) as report:
                if feed_is_whole_file(run.config_snapshot["kind"]):
                    whole_file_import(run, report)
                else:
                    _import(run, report)
        finally:
            # A failed run is never begun again: its upload, with every column that nobody mapped, must not lie about.
            if run.is_finished:
                spool_delete(name=run.spool_name)
    return run


def _pull(run: ImportRun, progress: Progress) -> ImportRun:
    """Fetch, then import what came, also when the fetching failed in the end: what came is good, and is kept."""
    with feed_lock(run.feed):
        _bury_the_dead(run)
        with _forgotten_in_the_end(run), run_execution(run, progress) as report:
            whole = feed_is_whole_file(run.config_snapshot["kind"])
            if (whole_file_fetch if whole else _rows_fetch)(run, report):
                with writing_lock(lambda: report.progress(0, 1, "Waiting for another import")):
                    (whole_file_import if whole else _import)(run, report)
            else:
                report.record(**Tally().fields())
                pull_settle(run=run)
            pull_close(run=run)
    return run


def _rows_fetch(run: ImportRun, report: RunReporter) -> int:
    mapping = feed_mapping(run.config_snapshot["mapping"])
    _check_kind(run.feed, mapping)
    return pages_fetch(run=run, mapping=mapping, report=report)


@contextmanager
def _forgotten_in_the_end(run: ImportRun) -> Iterator[None]:
    """Delete the pages when the run has ended, well or not: what it needs again, the next pull fetches again."""
    try:
        yield
    except Exception:
        spool_delete(name=run.spool_name)
        raise
    spool_delete(name=run.spool_name)


def feed_mapping(data: dict[str, Any]) -> FeedMapping:
    """The stored mapping, validated. Raises ``MissionsError`` naming each setting at fault."""
    if not data:
        raise MissionsError(
            _("The feed has no mapping yet: nobody has said which column is what."),
            next_step=_(
                "upload a file in the admin (Feeds → Upload a file), or give import_incidents a --profile."
            ),
        )
    try:
        mapping = FeedMapping.from_json(data)
        mapping.validate()
    except MappingError as exc:
        raise MissionsError(
            _("The feed's mapping cannot be used. %(exc)s") % {"exc": exc},
            next_step=_("mend it in the mapping wizard."),
        ) from exc
    return mapping


def _check_kind(feed: Feed, mapping: FeedMapping) -> None:
    """Raise ``MissionsError`` where the rows would be judged as one kind of record and stored as another."""
    if mapping.record_kind != feed.record_kind:
        raise MissionsError(
            _("The feed's kind of record was changed. %(kind_conflict)s")
            % {"kind_conflict": feed.kind_conflict(mapping.record_kind)},
            next_step=_("set the feed back to %(record_kind)s, and upload the file to the new feed.")
            % {"record_kind": mapping.record_kind},
        )


def _bury_the_dead(run: ImportRun) -> None:
    """Whoever holds the lock knows that a running row of the feed has no process any more."""
    running = ImportRun.objects.filter(feed=run.feed, status=RunStatus.RUNNING)
    running.filter(pk=run.pk).update(status=RunStatus.QUEUED)
    others = running.exclude(pk=run.pk)
    # They go on after this one, as if nobody had come between: what the killed one had not stored yet must not be lost.
    others.filter(attempts__lt=MAX_ATTEMPTS).update(
        status=RunStatus.QUEUED, started_at=None, heartbeat_at=timezone.now()
    )
    others.update(
        status=RunStatus.FAILED,
        finished_at=timezone.now(),
        error=STOPPED,
    )


def _import(run: ImportRun, report: RunReporter) -> None:
    path = spool_path(run.spool_name) if run.spool_name else Path(run.config_snapshot.get("path", ""))
    mapping = feed_mapping(run.config_snapshot["mapping"])
    _check_kind(run.feed, mapping)
    if run.pull is not None:
        mapping = mapping.replaced(**SPOOL_FORM)
    source = reader_source(run.config_snapshot["kind"], run.config_snapshot["params"])
    reader = source.open(path, mapping=mapping)
    survey = reader.survey(mapping, report.progress)
    tally = Tally(run.counts, run.refusals, run.rejections)
    _check_same_file(run, tally, path, report)
    parted = f", columns separated by {survey.delimiter!r}" if survey.delimiter else ""
    report.log(f"{survey.row_count:,} rows, {survey.encoding}{parted}.")
    for warning in survey.warnings:
        report.log(warning)
    with told(run.feed, run.queued_at) as written:
        if tally.received:
            written.forget()
        _store_rows(run, report, reader, survey, mapping, tally, written)
    if tally.received != survey.row_count:
        raise MissionsError(
            _("The file has %(row_count)s rows but %(received)s were read: it changed while it was imported.")
            % {"row_count": f"{survey.row_count:,}", "received": f"{tally.received:,}"},
            next_step=_("import it again."),
        )
    report.record(**tally.fields())
    report.progress(survey.row_count, survey.row_count, "Imported")


def _check_same_file(run: ImportRun, tally: Tally, path: Path, report: RunReporter) -> None:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    if tally.received and run.data_hash != digest.hexdigest():
        raise MissionsError(
            _("The file is not the one of which %(received)s rows are already imported.")
            % {"received": f"{tally.received:,}"},
            next_step=_("start a new import of it."),
        )
    report.record(data_hash=digest.hexdigest())


def _store_rows(
    run: ImportRun,
    report: RunReporter,
    reader: FileReader,
    survey: FileSurvey,
    mapping: FeedMapping,
    tally: Tally,
    written: Written,
) -> None:
    feed, now = run.feed, timezone.now()
    context = normalise_context(feed.agency, feed, now)
    keys = crime_type_keys(feed.agency)
    waiting = waiting_records(run)
    rows_a_chunk = _settle_chunk_rows(run, tally, report)
    judged = _judged(reader, mapping, context, rows_a_chunk, tally.received)
    # A file that comes again has nothing to write: its rows are made ready only while the last chunk had some.
    has_news = threading.Event()
    has_news.set()
    readied = (
        (result, facts_ready(feed, result, None, keys, now) if has_news.is_set() else None)
        for result in judged
    )
    turns = Turns()
    # A first import finds nothing to compare with; asking for each record whether it is there takes a fifth of its time.
    expect_new = not fact_model(feed.record_kind).objects.filter(feed=feed).exists()
    with closing(made_ahead(readied)) as results:
        for result, ready in results:
            if tally.received == 0:
                _check_fits(result)
            # Rows, quarantine, counts and the place to go on from stand or fall together: a kill leaves no half chunk.
            with turns.turn(), transaction.atomic():
                stored = incidents_upsert(
                    feed=feed,
                    chunk=result,
                    crime_types=keys,
                    now=now,
                    ready=ready,
                    expect_new=expect_new,
                )
                expect_new = stored.inserted == len(result)
                (has_news.set if stored.inserted + stored.updated else has_news.clear)()
                quarantine_store(feed=feed, run=run, chunk=result, waiting=waiting, now=now)
                tally.add(result, stored)
                report.record(**tally.fields())
                if tally.received == survey.row_count:
                    pull_settle(run=run)
            written.add(stored.hours, stored.hours_before)
            report.progress(tally.received, survey.row_count, "Importing")


def _judged(
    reader: FileReader, mapping: FeedMapping, context: NormaliseContext, chunk_rows: int, done: int
) -> Iterator[NormalisedChunk]:
    """The chunks behind the rows that are done, read and judged; touches no database, so that another thread can do it."""
    passed = 0
    for chunk in reader.chunks(mapping, chunk_rows=chunk_rows):
        passed += chunk.received
        if passed > done:
            yield normalise_chunk(chunk, mapping, context)


def chunk_rows() -> int:
    """Rows a transaction on this database."""
    return POSTGRES_CHUNK_ROWS if connection.vendor == "postgresql" else CHUNK_ROWS


def _settle_chunk_rows(run: ImportRun, tally: Tally, report: RunReporter) -> int:
    """Rows a transaction in this run, as when it began: cut otherwise, a run that goes on would not meet its last chunk's end."""
    # Runs that began before this was noted were cut into CHUNK_ROWS on every database.
    began_with = CHUNK_ROWS if tally.received else chunk_rows()
    rows = int(run.config_snapshot.get(CHUNK, began_with))
    if CHUNK not in run.config_snapshot:
        report.record(config_snapshot={**run.config_snapshot, CHUNK: rows})
    return rows


def _check_fits(first: NormalisedChunk) -> None:
    """Raise ``MissionsError`` if not one of the first rows can be read: the file is not this feed's, or is mapped wrongly.

    Nothing has been stored yet. Few rows are not judged: three that lack a place may be all that came today.
    """
    faults = Counter((value.rejection.code, value.rejection.field) for value in first.quarantined)
    unread = sum(number for (code, _), number in faults.items() if code in MISREAD)
    if first.received < MIN_ROWS_TO_JUDGE or unread < first.received:
        return
    (code, field), number = faults.most_common(1)[0]
    value = next(v for v in first.quarantined if (v.rejection.code, v.rejection.field) == (code, field))
    remedy = REJECTION_CODES[code].remedy
    raise MissionsError(
        _(
            "Not one of the first %(received)s rows can be used, so nothing was imported. %(number)s of them have this fault, first in row %(row_number)s: %(fault)s"
        )
        % {
            "received": f"{first.received:,}",
            "number": f"{number:,}",
            "row_number": value.row_number,
            "fault": value.rejection.message.removesuffix(remedy).strip(),
        },
        next_step=remedy[:1].lower() + remedy[1:],
    )
