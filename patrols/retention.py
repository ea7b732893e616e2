"""What of this room can be deleted when it is old."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from agencies.models import Agency
from ingestion.services import RetentionKind, retention_kind_register
from missions_project.lib.lazy import gettext_lazy
from patrols.models import NoticeDelivery, Presence, ShiftPlanning

LONGEST_SHIFT = timedelta(days=3)
"""A shift ends within this of the midnight, in whatever zone, with which its date begins: two days on the clock, and half a
day for zones behind UTC."""


def _old_presence(agency: Agency, before: datetime) -> QuerySet[Any]:
    return Presence.objects.filter(agency=agency, arrived_at__lt=before)


def _old_plannings(agency: Agency, before: datetime) -> QuerySet[Any]:
    """Rounds of shifts that were over before an instant, of which no worker has given a sign of life since.

    The row is the claim: while its shift is not over, a scheduler that does not find it would plan the shift again.
    """
    over = ShiftPlanning.objects.filter(agency=agency, on__lt=(before - LONGEST_SHIFT).date())
    ended = Q(state__in=(ShiftPlanning.State.DONE, ShiftPlanning.State.FAILED), finished_at__lt=before)
    # Nobody is sent for a round after three days: one that was queued or running then is nobody's any more.
    left = Q(state__in=(ShiftPlanning.State.QUEUED, ShiftPlanning.State.RUNNING), claimed_at__lt=before)
    return over.filter(ended | left)


def _old_notices(agency: Agency, before: datetime) -> QuerySet[Any]:
    # One that waits is still to be sent: its row is the outbox.
    done = (NoticeDelivery.State.SENT, NoticeDelivery.State.GIVEN_UP)
    return NoticeDelivery.objects.filter(agency=agency, state__in=done, created_at__lt=before)


def register() -> None:
    """Make the kinds known; called once, when Django is ready."""
    retention_kind_register(
        RetentionKind(
            key="presence",
            label=gettext_lazy("Presence in boxes"),
            help=gettext_lazy(
                "By the time of arrival. Dosage reports and studies of impact read these; the vehicle positions behind "
                "them have a rule of their own and may go earlier."
            ),
            old=_old_presence,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="plannings",
            label=gettext_lazy("Shifts planned by schedule"),
            help=gettext_lazy(
                "What became of each round of forecasting and planning; plans and forecasts themselves stay. By the shift's date, "
                "three days later. Rounds of shifts that are not over, and those that a worker is at, stay."
            ),
            old=_old_plannings,
        )
    )
    retention_kind_register(
        RetentionKind(
            key="notices",
            label=gettext_lazy("Notices of plans"),
            help=gettext_lazy(
                "Who was told of which plan, by the time when it was written. Those that are still to be sent stay."
            ),
            old=_old_notices,
        )
    )
