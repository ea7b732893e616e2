"""Training and forecasting in the background."""

from typing import Any

from celery import shared_task, signals

from agencies.models import Agency
from forecasting import services
from forecasting.engine.parallel import cores_shared_by
from forecasting.models import ForecastRun, TrainingRun


@signals.worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def share_the_cores(sender: Any, **_: Any) -> None:
    """Before the worker makes its processes, which know it from it."""
    cores_shared_by(int(sender.concurrency) if str(sender.concurrency).isdigit() else 1)


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]  # celery ships no types
def training_run_task(run_id: int) -> None:
    services.training_run_execute(run=TrainingRun.objects.get(pk=run_id))


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]  # celery ships no types
def forecast_run_task(run_id: int) -> None:
    services.forecast_run(run=ForecastRun.objects.get(pk=run_id))


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def drift_measure_task(agency_id: int) -> None:
    services.drift_measure(agency=Agency.objects.get(pk=agency_id))


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def live_score_task(agency_id: int) -> None:
    services.live_score(agency=Agency.objects.get(pk=agency_id))


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def forecast_refresh_task(agency_id: int) -> None:
    if services.forecast_refresh(agency_id=agency_id):
        forecast_refresh_task.apply_async((agency_id,), countdown=1)
