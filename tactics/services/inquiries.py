"""Asking questions of the agency's history, and answering them in the background."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from agencies.models import Agency, User
from ingestion.selectors import data_hash
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunStatus, run_execution
from tactics.curves import curves_answer
from tactics.experiment import experiment_answer
from tactics.inquiry_selectors import measured_overdispersion
from tactics.models import Inquiry
from tactics.services.proposals import proposals_make

KEPT = 200
"""Answers kept of an agency; those that proposals stand on stay besides."""

Answer = Callable[[Inquiry, Progress], dict[str, Any]]


def inquiry_ask(
    *, agency: Agency, kind: str, choices: dict[str, Any], requested_by: User | None = None
) -> Inquiry:
    """Queue a question, or return the same one where it already waits or is being worked out. Three queries.

    The oldest answers beyond 200 are let go, but for those that proposals stand on.
    """
    mark = Inquiry.mark_of(choices)
    open_ones = Inquiry.objects.filter(
        agency=agency, kind=kind, choices_hash=mark, status__in=[RunStatus.QUEUED, RunStatus.RUNNING]
    )
    waiting: Inquiry | None = open_ones.first()
    if waiting is not None:
        return waiting
    inquiry = Inquiry(agency=agency, kind=kind, choices=choices, choices_hash=mark, requested_by=requested_by)
    inquiry.full_clean(exclude=["answer", "choices"])
    inquiry.save()
    old = Inquiry.objects.filter(agency=agency, proposals=None).order_by("-queued_at", "-pk")
    beyond = list(old.values_list("pk", flat=True)[KEPT:])
    if beyond:
        Inquiry.objects.filter(pk__in=beyond).delete()
    return inquiry


def inquiry_answer(*, inquiry: Inquiry, progress: Progress | None = None) -> Inquiry:
    """Work a question out and keep its answer. Raises ``MissionsError`` naming what is missing, and says so on the row."""
    with run_execution(inquiry, progress) as reporter:
        answer = ANSWERS[Inquiry.Kind(inquiry.kind)](inquiry, reporter.progress)
        reporter.record(answer=answer, data_hash=data_hash(inquiry.agency, until=timezone.now()))
    return inquiry


def _experiment(inquiry: Inquiry, progress: Progress) -> dict[str, Any]:
    measured = measured_overdispersion(inquiry.agency)
    return experiment_answer(inquiry.agency, inquiry.choices, overdispersion=measured, progress=progress)


def _curves(inquiry: Inquiry, progress: Progress) -> dict[str, Any]:
    return curves_answer(inquiry.agency, inquiry.choices, progress=progress)


ANSWERS: dict[Inquiry.Kind, Answer] = {
    Inquiry.Kind.EXPERIMENT: _experiment,
    Inquiry.Kind.PROPOSALS: proposals_make,
    Inquiry.Kind.CURVES: _curves,
}
