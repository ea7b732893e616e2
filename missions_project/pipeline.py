"""The line's housekeeping: one dispatcher, each minute, that finds what is due and what was abandoned."""

import logging
from typing import Any

from celery import shared_task
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from forecasting.models import ForecastRun, TrainingRun
from forecasting.tasks import forecast_run_task, training_run_task
from ingestion.models import ImportRun
from ingestion.services import spool_expire
from ingestion.tasks import import_task
from patrols.models import MissionPlan
from patrols.tasks import plan_task

logger = logging.getLogger(__name__)
DISPATCH_NAME = "missions: dispatch"


@shared_task(name="missions_project.pipeline.dispatch")  # type: ignore[untyped-decorator]  # celery ships no types
def dispatch() -> None:
    housekeeping()


def housekeeping() -> None:
    """What is due each minute: abandoned runs queued again, uploads past their time deleted."""
    requeue_abandoned()
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


def schedule_ensure() -> None:
    """Create or mend the one periodic task that is ours, by name; every other row is left alone."""
    minute, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.update_or_create(
        name=DISPATCH_NAME,
        defaults={"task": dispatch.name, "interval": minute, "crontab": None, "enabled": True},
    )


_RUNS: tuple[tuple[Any, Any], ...] = (
    (ImportRun, import_task),
    (TrainingRun, training_run_task),
    (ForecastRun, forecast_run_task),
    (MissionPlan, plan_task),
)
