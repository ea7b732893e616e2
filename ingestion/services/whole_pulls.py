"""The first half of a pull of a whole file: from its address into the private spool, without what is never read."""

import os
from contextlib import closing
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.models import ImportRun
from ingestion.services.fetching import fetch_policy, new_pull, pull_put_off
from ingestion.services.secrets import feed_secrets
from ingestion.services.spool import spool_folder
from ingestion.services.whole_files import READ_AT
from ingestion.sources import SourceError, WholeAnswer, WholeUrlSource, pull_source
from ingestion.sources.whole_file import MAX_FILE_BYTES
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher, FetchLater
from missions_project.lib.runs import RunReporter


def whole_file_fetch(run: ImportRun, report: RunReporter) -> int:
    """Fetch the feed's file into the run's spool file; return its size, 0 where it is unchanged since the last pull.

    A run that was killed after that goes on with the same file and the same moment of reading; one that was killed before asks
    again. Raises ``MissionsError`` if the address gives no such file: nothing is changed then, and nothing called off.
    """
    state: dict[str, Any] = run.pull or new_pull({})
    path = spool_folder() / run.spool_name
    if state["bytes"] and not (path.is_file() and path.stat().st_size == state["bytes"]):
        # The file went with its machine. What is stored of it stays; the rest of this very file cannot come again.
        if run.counts.get("received"):
            raise SourceError(
                _("The fetched file is gone from the spool."), _("pull again: what is stored stays.")
            )
        state = new_pull(run.feed.cursor)
    if state["done"]:
        return int(state["bytes"])
    answer = _answer(run, report, state)
    if answer.body is not None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(answer.body)
            file.flush()
            # The row must not promise bytes that a power cut could still take.
            os.fsync(file.fileno())
    size = len(answer.body or b"")
    state |= {"cursor": answer.cursor, "bytes": size, "pages": 1, "done": True}
    report.record(pull=state | {READ_AT: answer.read_at.isoformat()})
    where = run.file_name
    report.log(
        f"{size:,} bytes fetched from {where}." if size else f"{where} is unchanged since the last pull."
    )
    return size


def _answer(run: ImportRun, report: RunReporter, state: dict[str, Any]) -> WholeAnswer:
    secrets = feed_secrets(run.feed)
    source = pull_source(run.config_snapshot["kind"], run.config_snapshot["params"], secrets)
    if not isinstance(source, WholeUrlSource):
        raise SourceError(
            _("Feeds of the kind %(kind)s are mapped.") % {"kind": repr(run.feed.kind)},
            _("map the feed's columns first."),
        )
    fetcher = Fetcher(
        fetch_policy(run.agency, max_bytes=min(MAX_FILE_BYTES, settings.PULL_MAX_BYTES)),
        pulse=lambda label: report.progress(0, 1, label),
        hidden=tuple(secrets.values()),
    )
    with closing(fetcher):
        try:
            return source.fetch(state["cursor"], fetcher, timezone.now)
        except FetchLater as exc:
            pull_put_off(run.feed, exc.seconds)
            raise
        except MissionsError:
            raise
        except Exception as exc:  # noqa: BLE001 - raised again at once, under words that are safe to keep
            # The words of a library's error may hold an address with its key, or a line of the file: only its kind is kept.
            raise SourceError(
                _("Reading from %(where)s failed (%(name)s); nothing was imported.")
                % {"where": source.where(), "name": type(exc).__name__},
                _("pull again; if it fails again, show this run to support."),
            ) from None
