"""Training and forecasting in the background."""

from celery import shared_task

from agencies.models import Agency
from forecasting import services
from forecasting.models import ForecastRun, TrainingRun


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
