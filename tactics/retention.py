"""What of this room can be deleted when it is old."""

from datetime import datetime
from typing import Any, cast

from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from agencies.models import Agency
from ingestion.services import RetentionKind, retention_kind_register, retention_notice_register
from missions_project.lib.lazy import gettext_lazy
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
    return _(
        "Hunches are set beside the forecast over the last %(days)s days: with fewer kept, that comparison rests on fewer of them."
    ) % {"days": SCORED_DAYS}


def register() -> None:
    """Make the kinds known; called once, when Django is ready."""
    retention_kind_register(
        RetentionKind(
            key="notes",
            label=gettext_lazy("Notes about places"),
            help=gettext_lazy(
                "What officers wrote at a visit, by the time when it was written. Visits, ticked tactics and reports stay."
            ),
            old=_old_notes,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="presses",
            label=gettext_lazy("Presses on officers' pages"),
            help=cast(
                str,
                format_lazy(
                    gettext_lazy(
                        "The log of what phones sent and what became of it, by the time when it came in; visits and ticked tactics that came of them stay. Kept at least {days} days: a phone that sends a press again must find that it was there."
                    ),
                    days=PRESSES_AT_LEAST_DAYS,
                ),
            ),
            old=_old_presses,
            # A press is refused when it is a week old; its number must be known until then, whatever the phone's clock says.
            minimum_days=PRESSES_AT_LEAST_DAYS,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="hunches",
            label=gettext_lazy("Officers' hunches"),
            help=gettext_lazy(
                "With their reasons and answers, by the end of the days that they are about. Those for days to come stay."
            ),
            old=_old_hunches,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="practice",
            label=gettext_lazy("Practice shifts"),
            help=gettext_lazy(
                "Made-up shifts of officers who tried the page out, by their beginning. No report counts them."
            ),
            old=_old_practice,
        )
    )
    retention_notice_register(_scores_notice)
