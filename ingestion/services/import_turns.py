"""Agencies take turns at importing: one that sends fifty files at once does not make the others wait for all of them."""

import datetime as dt

from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.models import ImportRun
from ingestion.services.imports import import_run_execute
from ingestion.services.locks import ImportBusy
from missions_project.lib.runs import RunStatus

WAITS_FOR = dt.timedelta(minutes=10)
"""A file that has waited longer than this holds up nobody: its message may be lost, and then nobody will begin it soon."""

SIGN_EVERY = dt.timedelta(minutes=1)


def import_run_in_turn(*, run: ImportRun) -> ImportRun:
    """Import the run's file when it is the agency's turn. Raises ``ImportBusy`` (the run stays queued) when it is not.

    Who does import at once (a command, a drop folder) asks nobody.
    """
    try:
        # One that is not queued is somebody's already: nothing is gained by waiting.
        if run.status == RunStatus.QUEUED and is_anothers_turn(run, now=timezone.now()):
            raise ImportBusy(
                _("Another agency's file waits, and its last turn was before this agency's."),
                next_step=_("nothing: it is imported next, by itself."),
            )
        return import_run_execute(run=run)
    except ImportBusy:
        _sign_of_life(run, now=timezone.now())
        raise


def _sign_of_life(run: ImportRun, *, now: dt.datetime) -> None:
    """Say that a worker has the run's message and comes again: else the dispatcher would send a second one. One query."""
    unsaid = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=now - SIGN_EVERY)
    ImportRun.objects.filter(unsaid, pk=run.pk, status=RunStatus.QUEUED).update(heartbeat_at=now)


def is_anothers_turn(run: ImportRun, *, now: dt.datetime) -> bool:
    """Whether an agency waits that has no import under way and whose last one began before this agency's. One query where
    nobody else waits, else three.

    The agency that has waited longest for a turn never gives way, so that two never give way to each other. Where no
    other agency waits, one may use every worker.
    """
    others = set(
        ImportRun.objects.filter(status=RunStatus.QUEUED, queued_at__gt=now - WAITS_FOR)
        .exclude(agency=run.agency_id)
        .values_list("agency_id", flat=True)
    )
    if not others:
        return False
    begun = dict(
        ImportRun.objects.filter(agency__in=[*others, run.agency_id])
        .order_by()
        .values_list("agency_id")
        .annotate(last=Max("started_at"))
    )
    mine = begun.get(run.agency_id)
    if mine is None:
        return False
    busy = set(
        ImportRun.objects.filter(agency__in=others, status=RunStatus.RUNNING).values_list(
            "agency_id", flat=True
        )
    )
    return any((last := begun.get(other)) is None or last < mine for other in others - busy)
