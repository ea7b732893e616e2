"""Analysing studies in the background."""

from celery import shared_task

from tactics import services
from tactics.models import ImpactReport


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def impact_report_task(report_id: int) -> None:
    services.impact_report_execute(report=ImpactReport.objects.get(pk=report_id))
