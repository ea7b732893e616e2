"""Tactics in the background."""

from celery import shared_task
from django.utils import timezone

from agencies.models import Agency
from tactics import services


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def tactic_update_task(agency_id: int) -> None:
    services.tactic_update_make(agency=Agency.objects.get(pk=agency_id), now=timezone.now())
