"""The line's housekeeping: one dispatcher, each minute, that finds what is due and what was abandoned."""

import logging
from typing import Any

from celery import shared_task
from django.utils import timezone

from forecasting.models import ForecastRun, TrainingRun
from forecasting.tasks import forecast_run_task, training_run_task
from ingestion.models import ImportRun
from ingestion.services import spool_expire
from ingestion.tasks import import_task
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan
from patrols.tasks import plan_task

logger = logging.getLogger(__name__)


@shared_task(name="missions_project.pipeline.dispatch")  # type: ignore[untyped-decorator]  # celery ships no types
def dispatch() -> None:
    housekeeping()


def housekeeping() -> None:
    """What is due each minute: abandoned and forgotten runs sent again, uploads past their time deleted."""
    requeue_abandoned()
    resend_forgotten()
    spool_expire()


def requeue_abandoned() -> int:
    """Queue again the runs whose worker was killed: the file transport never delivers a task twice by itself.

    Returns how many. Four queries where there are none.
    """
    found = 0
    for model, task in _RUNS:
        for run in list(model.objects.abandoned()):
            if model.objects.filter(pk=run.pk).requeue_abandoned() == 1:
                logger.warning("%s was abandoned; queued again.", run)
                task.delay(run.pk)
                found += 1
    return found


def resend_forgotten() -> int:
    """Send again the queued runs of which no worker knows: a killed worker takes the messages it held with it.

    Only while nothing runs, for otherwise they may just wait their turn. A run that is sent twice is done once.
    Returns how many. Eight queries where there are none.
    """
    if any(model.objects.filter(status=RunStatus.RUNNING).exists() for model, _ in _RUNS):
        return 0
    found = 0
    for model, task in _RUNS:
        for pk in list(model.objects.forgotten().values_list("pk", flat=True)):
            if model.objects.filter(pk=pk).forgotten().update(heartbeat_at=timezone.now()) == 1:
                logger.warning("%s %s was forgotten; sent again.", model._meta.verbose_name, pk)
                task.delay(pk)
                found += 1
    return found


_RUNS: tuple[tuple[Any, Any], ...] = (
    (ImportRun, import_task),
    (TrainingRun, training_run_task),
    (ForecastRun, forecast_run_task),
    (MissionPlan, plan_task),
)
