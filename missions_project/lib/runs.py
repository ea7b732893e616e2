"""Run rows: every long action leaves one, and it tells the truth about how far the action came.

A run's state changes only by compare-and-swap, so two workers never both do one run. Status goes
queued → running → succeeded | failed; a running row whose heartbeat has stopped may be queued again, and so may one
that met a trouble of the machine (a full disk, a database that restarts), which its error names while it waits. A queued
row's heartbeat is when it was last sent to a worker again.
"""

import errno
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, models
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from missions_project.lib import walls
from missions_project.lib.errors import MissionsError
from missions_project.lib.log_context import working_on

logger = logging.getLogger(__name__)
HEARTBEAT_LOST_AFTER = timedelta(minutes=5)
MAX_ATTEMPTS = 3
"""A run that kills its worker this often fails for good, instead of killing the next worker for ever."""
PROGRESS_EVERY_SECONDS = 0.7
_PASSING = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
)


class RunStatus(models.TextChoices):
    QUEUED = "queued", gettext_lazy("Queued")
    RUNNING = "running", gettext_lazy("Running")
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    FAILED = "failed", gettext_lazy("Failed")


class AbstractRun(models.Model):
    """One execution of a long action. Created by its app's services; changed only by this module's functions."""

    status = models.CharField(max_length=12, choices=RunStatus, default=RunStatus.QUEUED, editable=False)
    queued_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    progress_done = models.PositiveIntegerField(default=0, editable=False)
    progress_total = models.PositiveIntegerField(default=0, editable=False)
    progress_label = models.CharField(max_length=200, blank=True, editable=False)
    counts = models.JSONField(default=dict, blank=True, editable=False)
    log = models.TextField(blank=True, editable=False)
    error = models.TextField(blank=True, editable=False)
    config_snapshot = models.JSONField(default=dict, blank=True, editable=False)
    data_hash = models.CharField(max_length=64, blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )

    class Meta:
        abstract = True

    @property
    def progress_percent(self) -> int:
        return (
            100
            if self.status == RunStatus.SUCCEEDED
            else self.progress_done * 100 // max(1, self.progress_total)
        )

    @property
    def is_finished(self) -> bool:
        return self.status in (RunStatus.SUCCEEDED, RunStatus.FAILED)

    @property
    def seconds(self) -> float | None:
        """Wall seconds from start to end, or so far. None while queued."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def lasted(self) -> str:
        """How long it took, or has taken so far, as people say it; a dash while it is queued."""
        return "–" if self.seconds is None else time_told(self.seconds)


def time_told(seconds: float) -> str:
    """A length of time, to the second from a minute on, to the minute from an hour on.

    >>> time_told(2.34), time_told(264.4), time_told(3599.7), time_told(7512)
    ('2.3 s', '4 min 24 s', '1 h 0 min', '2 h 5 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class RunReporter:
    """Writes a run's progress, log and counts to its row, at most every 0.7 s, as a heartbeat too.

    Writes only while the run is still this worker's: one that was given up for dead and comes back must not
    overwrite what its successor says.
    """

    def __init__(self, run: AbstractRun, also: Any = None) -> None:
        self.run = run
        self._also = also
        self._rows: models.QuerySet[Any] = type(run)._default_manager.filter(
            pk=run.pk, status=RunStatus.RUNNING, started_at=run.started_at
        )
        self._written = 0.0

    def progress(self, done: int, total: int, label: str) -> None:
        """Say how far the work is. Cheap: most calls write nothing."""
        if self._also is not None:
            self._also(done, total, label)
        if (now := time.monotonic()) - self._written < PROGRESS_EVERY_SECONDS:
            return
        self._written = now
        self._rows.update(
            progress_done=done, progress_total=total, progress_label=label[:200], heartbeat_at=timezone.now()
        )

    def log(self, line: str) -> None:
        """Add a line to the run's log."""
        self.run.log += f"{timezone.now():%H:%M:%S} {line}\n"
        self._rows.update(log=self.run.log, heartbeat_at=timezone.now())

    def record(self, **fields: Any) -> None:
        """Store fields such as ``counts``, ``data_hash`` or ``config_snapshot`` on the row."""
        for name, value in fields.items():
            setattr(self.run, name, value)
        self._rows.update(**fields)

    def put_back(self, *, message: str) -> None:
        """Let the run wait for another try, if it is still this worker's; the dispatcher sends it again after a while."""
        self._rows.update(
            status=RunStatus.QUEUED,
            error=message,
            started_at=None,
            progress_done=0,
            heartbeat_at=timezone.now(),
        )
        self.run.refresh_from_db()

    def close(self, *, status: RunStatus, error: str) -> None:
        """End the run, if it is still this worker's."""
        self._rows.update(status=status, error=error, finished_at=timezone.now())
        self.run.refresh_from_db()


def passes(exc: BaseException) -> bool:
    """Whether an error is the machine's and not the work's: a database that restarts, a disk that is full, memory that is short."""
    # A library's own error hides the machine's behind it.
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, OperationalError | InterfaceError | MemoryError):
            return True
        if isinstance(seen, OSError) and seen.errno in _PASSING:
            return True
        seen = seen.__cause__
    return False


class RunNotClaimed(MissionsError):
    """Somebody else already does, or has done, this run."""


@contextmanager
def run_execution(run: AbstractRun, progress: Any = None) -> Iterator[RunReporter]:
    """Claim the run, report on it while the body works, and close it truthfully.

    Raises ``RunNotClaimed`` unless the row was queued. Any exception of the body marks the run failed,
    with its message (and for an unforeseen one the traceback in the log), and is raised again.
    ``progress`` is told too, e.g. a terminal's bar.
    """
    rows = type(run)._default_manager.filter(pk=run.pk)
    now = timezone.now()
    claimed = rows.filter(status=RunStatus.QUEUED).update(
        status=RunStatus.RUNNING,
        started_at=now,
        heartbeat_at=now,
        attempts=models.F("attempts") + 1,
        error="",
        finished_at=None,
    )
    if claimed != 1:
        raise RunNotClaimed(
            _("%(verbose_name)s %(pk)s is not waiting to be run.")
            % {"verbose_name": type(run)._meta.verbose_name, "pk": run.pk},
            next_step=_("look at its status; queue a new run to repeat it."),
        )
    run.refresh_from_db()
    reporter = RunReporter(run, also=progress)
    # Every line that the work logs names the run, and the agency by its number: its slug would cost a query.
    agency_id = getattr(run, "agency_id", None)
    reach = walls.scope() if agency_id is None else walls.of_agency(agency_id)
    with working_on(run=f"{run._meta.model_name}:{run.pk}", agency=agency_id), walls.within(reach):
        try:
            yield reporter
        except BaseException as exc:
            message = _what_happened(exc)
            if passes(exc) and run.attempts < MAX_ATTEMPTS:
                what = message.partition(" Next step: ")[0]
                reporter.put_back(
                    message=f"Try {run.attempts} of {MAX_ATTEMPTS} met trouble of the machine: {what} It is tried again by itself. "
                    "Next step: see that the database answers and no disk is full (manage.py doctor)."
                )
                logger.warning("Run put back: %s", type(exc).__name__)
                raise
            if not isinstance(exc, MissionsError):
                reporter.log("".join(traceback.format_tb(exc.__traceback__, limit=20)) + message)
            reporter.close(status=RunStatus.FAILED, error=message)
            logger.warning("Run failed: %s", type(exc).__name__)
            raise
        reporter.close(status=RunStatus.SUCCEEDED, error="")
        logger.info("Run succeeded")


def _what_happened(exc: BaseException) -> str:
    if isinstance(exc, MissionsError):
        return str(exc)
    # A database's message quotes the row that it refused: mapped values do not belong in logs.
    words = "" if isinstance(exc, DatabaseError) else f": {exc}"
    return f"{type(exc).__name__}{words}. Next step: run it again; if it fails again, show this run's log to support."


class RunQuerySet(models.QuerySet[Any]):
    def abandoned(self) -> Self:
        """Running rows whose worker has been silent for five minutes: it was killed."""
        return self.filter(status=RunStatus.RUNNING, heartbeat_at__lt=timezone.now() - HEARTBEAT_LOST_AFTER)

    def requeue_abandoned(self) -> int:
        """Put abandoned runs back in the queue, those tried too often to the failed; returns how many queued.

        Two queries.
        """
        self.abandoned().filter(attempts__gte=MAX_ATTEMPTS).update(
            status=RunStatus.FAILED,
            finished_at=timezone.now(),
            error=f"The worker died {MAX_ATTEMPTS} times while doing this, most likely for lack of memory. Next step: "
            "look at the worker's log, give it more memory or less data, then start a new run.",
        )
        return self.abandoned().update(
            status=RunStatus.QUEUED, started_at=None, progress_done=0, heartbeat_at=timezone.now()
        )

    def ahead(self) -> Self:
        """Waiting and running rows whose last sign of life lies in the future: the clock was put back since."""
        sent_at = Coalesce("heartbeat_at", "queued_at")
        return self.alias(sent_at=sent_at).filter(
            status__in=(RunStatus.QUEUED, RunStatus.RUNNING),
            sent_at__gt=timezone.now() + HEARTBEAT_LOST_AFTER,
        )

    def follow_the_clock(self) -> int:
        """Let what lies ahead have shown life just now: else a killed one would count as alive until the clock is there again.

        One that lives shows it again before it is taken for dead. Returns how many. One query for none.
        """
        found = list(self.ahead().values_list("pk", flat=True))
        return self.filter(pk__in=found).ahead().update(heartbeat_at=timezone.now()) if found else 0

    def forgotten(self) -> Self:
        """Queued rows that have waited for five minutes since they were last sent."""
        sent_at = Coalesce("heartbeat_at", "queued_at")
        return self.alias(sent_at=sent_at).filter(
            status=RunStatus.QUEUED, sent_at__lt=timezone.now() - HEARTBEAT_LOST_AFTER
        )
