"""Reports in the background."""

from celery import shared_task

from tactics.services import saved_reports


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def report_mail_task(mail_id: int, attempt: int) -> None:
    saved_reports.report_mail_send(pk=mail_id, attempt=attempt)
