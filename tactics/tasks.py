"""Tactics, studies and reports in the background."""

from celery import shared_task
from django.utils import timezone

from agencies.models import Agency
from tactics import services
from tactics.models import ImpactReport, Inquiry, TransparencyPack
from tactics.reports import kept
from tactics.services import saved_reports
from tactics.transparency.services import pack_make


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def tactic_update_task(agency_id: int) -> None:
    services.tactic_update_make(agency=Agency.objects.get(pk=agency_id), now=timezone.now())


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]
def impact_report_task(report_id: int) -> None:
    services.impact_report_execute(report=ImpactReport.objects.get(pk=report_id))


@shared_task  # type: ignore[untyped-decorator]
def report_mail_task(mail_id: int, attempt: int) -> None:
    saved_reports.report_mail_send(pk=mail_id, attempt=attempt)


@shared_task  # type: ignore[untyped-decorator]
def report_again_task(agency_id: int, slug: str, query: str, language: str) -> None:
    kept.report_again(agency=Agency.objects.get(pk=agency_id), slug=slug, query=query, language=language)


@shared_task  # type: ignore[untyped-decorator]
def reports_ahead_task(agency_id: int, languages: list[str]) -> None:
    kept.reports_ahead(agency=Agency.objects.get(pk=agency_id), languages=languages)


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]
def inquiry_task(inquiry_id: int) -> None:
    services.inquiry_answer(inquiry=Inquiry.objects.get(pk=inquiry_id))


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]
def transparency_pack_task(pack_id: int) -> None:
    pack_make(pack=TransparencyPack.objects.get(pk=pack_id))
