"""Analysing studies, and answering questions of the agency's history, in the background."""

from celery import shared_task

from tactics import services
from tactics.models import ImpactReport, Inquiry


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def impact_report_task(report_id: int) -> None:
    services.impact_report_execute(report=ImpactReport.objects.get(pk=report_id))


@shared_task  # type: ignore[untyped-decorator]
def inquiry_task(inquiry_id: int) -> None:
    services.inquiry_answer(inquiry=Inquiry.objects.get(pk=inquiry_id))
