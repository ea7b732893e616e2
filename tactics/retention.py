"""What of this room can be deleted when it is old."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from agencies.models import Agency
from ingestion.services import RetentionKind, retention_kind_register, retention_notice_register
from tactics.hunch_scores import SCORED_DAYS
from tactics.models import Hunch, OfficerAction, PracticeShift, VisitNote
from tactics.services.sync import OLDEST

PRESSES_AT_LEAST_DAYS = 2 * OLDEST.days


def _old_notes(agency: Agency, before: datetime) -> QuerySet[Any]:
    return VisitNote.objects.filter(agency=agency, written_at__lt=before)


def _old_presses(agency: Agency, before: datetime) -> QuerySet[Any]:
    return OfficerAction.objects.filter(agency=agency, received_at__lt=before)


def _old_hunches(agency: Agency, before: datetime) -> QuerySet[Any]:
    # By its end: one that was made long ago for days to come is still to be scored.
    return Hunch.objects.filter(agency=agency, period_to__lt=before)


def _old_practice(agency: Agency, before: datetime) -> QuerySet[Any]:
    return PracticeShift.objects.filter(agency=agency, started_at__lt=before)


def _scores_notice(agency: Agency, kind: str, action: str, days: int) -> str:
    if kind != "hunches" or days >= SCORED_DAYS:
        return ""
    return (
        f"Hunches are set beside the forecast over the last {SCORED_DAYS} days: with fewer kept, that comparison rests on "
        "fewer of them."
    )


def register() -> None:
    """Make the kinds known; called once, when Django is ready."""
    retention_kind_register(
        RetentionKind(
            key="notes",
            label="Notes about places",
            help="What officers wrote at a visit, by the time when it was written. Visits, ticked tactics and reports stay.",
            old=_old_notes,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="presses",
            label="Presses on officers' pages",
            help="The log of what phones sent and what became of it, by the time when it came in; visits and ticked tactics that "
            f"came of them stay. Kept at least {PRESSES_AT_LEAST_DAYS} days: a phone that sends a press again must find that it was there.",
            old=_old_presses,
            # A press is refused when it is a week old; its number must be known until then, whatever the phone's clock says.
            minimum_days=PRESSES_AT_LEAST_DAYS,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="hunches",
            label="Officers' hunches",
            help="With their reasons and answers, by the end of the days that they are about. Those for days to come stay.",
            old=_old_hunches,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="practice",
            label="Practice shifts",
            help="Made-up shifts of officers who tried the page out, by their beginning. No report counts them.",
            old=_old_practice,
        )
    )
    retention_notice_register(_scores_notice)
