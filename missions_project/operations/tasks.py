"""Work for the worker: ids in, one service call each."""

from celery import shared_task
from django.utils import timezone

from missions_project.operations import alerts


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def alerts_task() -> None:
    alerts.alerts_update(now=timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def alert_task(delivery_id: int, attempt: int) -> None:
    alerts.alert_send(pk=delivery_id, attempt=attempt)
