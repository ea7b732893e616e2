"""The first half of a pull: pages from a server into the private spool, mapped columns only, one good page after another.

After each page the run's row says how far the file is good and where the server is to be asked next. A killed pull
cuts its file there and goes on; a failed one keeps what came. The feed's own cursor moves only with stored rows.
"""

import csv
import io
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.models import Feed, ImportRun
from ingestion.services.secrets import feed_secrets
from ingestion.services.spool import spool_folder
from ingestion.sources import Page, SourceError, pull_source
from missions_project.lib.addresses import hosts_of
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher, FetchLater, FetchPolicy
from missions_project.lib.runs import RunReporter, passes

SPOOL_FORM: dict[str, Any] = {"encoding": "utf-8", "delimiter": ","}
"""How pages are written, whatever the mapping says of the source's own form."""

WHOLE_ANSWER_BYTES = 64 * 1024 * 1024


def new_pull(cursor: dict[str, Any]) -> dict[str, Any]:
    """The state of a pull that has fetched nothing yet."""
    return {"cursor": cursor, "bytes": 0, "rows": 0, "pages": 0, "done": False, "more": False, "failure": []}


def fetch_policy(agency: Agency | None, **changes: Any) -> FetchPolicy:
    """How an agency's pulls may fetch, by the installation's settings; without one, what all may."""
    known = {
        "private_hosts": hosts_of(settings.PULL_PRIVATE_HOSTS, agency.slug if agency else ""),
        "max_bytes": min(settings.PULL_MAX_BYTES, WHOLE_ANSWER_BYTES),
        "max_stream_bytes": settings.PULL_MAX_BYTES,
        "max_seconds": settings.PULL_REQUEST_SECONDS,
        "max_stream_seconds": settings.PULL_RUN_SECONDS,
        "max_wait_seconds": settings.PULL_WAIT_SECONDS,
    }
    return FetchPolicy(**{**known, **changes})


def pages_fetch(*, run: ImportRun, mapping: FeedMapping, report: RunReporter) -> int:
    """Fetch what is new into the run's spool file, or as much of it as one run may; return how many rows are there.

    Goes on where a killed one stopped.

    Raises ``MissionsError`` if nothing came; a failure after the first good page is kept for ``pull_close``.
    """
    state: dict[str, Any] = run.pull or new_pull({})
    if state["done"]:
        return int(state["rows"])
    path = spool_folder() / run.spool_name
    if not path.is_file() or path.stat().st_size < state["bytes"]:
        # The file went with its machine or its time: nothing of it is stored yet, so the pull begins anew.
        state = new_pull(run.feed.cursor)
    secrets = feed_secrets(run.feed)
    source = pull_source(run.config_snapshot["kind"], run.config_snapshot["params"], secrets)
    fetcher = Fetcher(
        fetch_policy(run.agency),
        pulse=lambda label: report.progress(0, 1, label),
        hidden=tuple(secrets.values()),
    )
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with closing(fetcher), os.fdopen(descriptor, "r+b") as file:
        spool = _Spool(run, report, state, file, mapping.column_names)
        try:
            pages = source.pages(mapping, state["cursor"], fetcher, timezone.now())
            with closing(pages):
                spool.take(pages)
        except MissionsError as exc:
            spool.cut()
            if isinstance(exc, FetchLater):
                pull_put_off(run.feed, exc.seconds)
            if not state["rows"]:
                raise
            state["failure"] = [exc.message, exc.next_step]
        except Exception as exc:
            if passes(exc):
                # A full disk here or a database that restarts is no fault of the source: the run is put back.
                raise
            spool.cut()
            # The words of a library's error may hold an address with its key, or a row: only its kind is kept.
            raise SourceError(
                _("Reading from %(where)s failed (%(name)s); %(rows)s rows had come.")
                % {"where": source.where(), "name": type(exc).__name__, "rows": f"{state['rows']:,}"},
                _("Pull again; if it fails again, show this run to support."),
            ) from None
        state["done"] = True
        report.record(pull=state)
    report.log(f"{state['rows']:,} rows fetched from {source.where()} in {state['pages']:,} pages.")
    return int(state["rows"])


class _Spool:
    """The run's file, and how far it is good."""

    def __init__(
        self, run: ImportRun, report: RunReporter, state: dict[str, Any], file: Any, columns: Sequence[str]
    ) -> None:
        self.run, self.report, self.state, self.file = run, report, state, file
        self.columns = columns
        self.pending_rows = self.pending_pages = 0
        self.cut()

    def cut(self) -> None:
        """Forget what came since the last good page."""
        self.file.truncate(self.state["bytes"])
        self.file.seek(self.state["bytes"])
        self.pending_rows = self.pending_pages = 0
        if not self.state["bytes"]:
            self._write([list(self.columns)])
            self.state["bytes"] = self.file.tell()

    def take(self, pages: Iterator[Page]) -> None:
        """Write the pages; stop at a good one once the run has enough."""
        began = time.monotonic()
        for page in pages:
            if page.restart:
                self.cut()
                continue
            self._write(page.rows)
            self._write(_marks(page.ragged, len(self.columns)))
            self.pending_rows += len(page.rows) + len(page.ragged)
            self.pending_pages += 1
            if page.cursor is not None:
                self._keep(page.cursor)
            full = self.file.tell() >= settings.PULL_MAX_BYTES
            if full and page.cursor is None:
                raise SourceError(
                    _("The answer is larger than %(bytes)s bytes and cannot be continued in its middle.")
                    % {"bytes": f"{settings.PULL_MAX_BYTES:,}"},
                    _("Ask for less (by year, for example), or raise PULL_MAX_BYTES."),
                )
            if page.cursor is not None and (full or time.monotonic() - began > settings.PULL_RUN_SECONDS):
                self.state["more"] = True
                return

    def _keep(self, cursor: Any) -> None:
        self.file.flush()
        # The row must not promise bytes that a power cut could still take.
        os.fsync(self.file.fileno())
        self.state |= {
            "cursor": dict(cursor),
            "bytes": self.file.tell(),
            "rows": self.state["rows"] + self.pending_rows,
            "pages": self.state["pages"] + self.pending_pages,
        }
        self.pending_rows = self.pending_pages = 0
        self.report.record(pull=self.state)
        self.report.progress(0, 1, f"{self.state['rows']:,} rows fetched")

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        # Half a surrogate pair is no text; as bytes it is seen again and its row is kept aside.
        self.file.write(text.getvalue().encode("utf-8", "surrogatepass"))


def _marks(ragged: Sequence[int], width: int) -> list[list[str]]:
    """Rows without text, as much too long or short as those that came: the import then accounts for them."""
    return [[""] * (n if (n := max(1, width + extra)) != width else width + 1) for extra in ragged]


def pull_settle(*, run: ImportRun) -> None:
    """Move the feed's cursor to the pull's; in the transaction that stores its last rows. Nothing for files.

    A feed that was changed meanwhile keeps its own: it will ask for everything anew.
    """
    if run.pull is None:
        return
    feed = Feed.objects.get(pk=run.feed_id)
    same = {"kind": feed.kind, "params": feed.params, "mapping": feed.mapping}
    if all(run.config_snapshot[name] == value for name, value in same.items()):
        Feed.objects.filter(pk=feed.pk).update(cursor=run.pull["cursor"])


def pull_close(*, run: ImportRun) -> None:
    """Say how the fetching ended once all that came is stored. Raises ``MissionsError`` if it had failed."""
    state: dict[str, Any] = run.pull or new_pull({})
    if state["more"]:
        _next_at_once(run.feed)
    if state["failure"]:
        message, next_step = state["failure"]
        raise MissionsError(
            _("%(message)s The %(rows)s rows before that are stored; the next pull goes on after them.")
            % {"message": message, "rows": f"{state['rows']:,}"},
            next_step=next_step,
        )


def _next_at_once(feed: Feed) -> None:
    Feed.objects.filter(pk=feed.pk, every_minutes__isnull=False).update(next_due_at=timezone.now())


def pull_put_off(feed: Feed, seconds: float) -> None:
    """The server named a time: asked earlier, it would only be angrier."""
    until = timezone.now() + timedelta(seconds=min(seconds, 86_400.0))
    Feed.objects.filter(pk=feed.pk, every_minutes__isnull=False, next_due_at__lt=until).update(
        next_due_at=until
    )
