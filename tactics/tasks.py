"""Questions of the agency's history, answered in the background."""

from celery import shared_task

from tactics import services
from tactics.models import Inquiry


@shared_task  # type: ignore[untyped-decorator]  # celery ships no types
def inquiry_task(inquiry_id: int) -> None:
    services.inquiry_answer(inquiry=Inquiry.objects.get(pk=inquiry_id))
