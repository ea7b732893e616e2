"""What of this room can be deleted when it is old."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from agencies.models import Agency
from ingestion.services import RetentionKind, retention_kind_register
from patrols.models import Presence


def _old_presence(agency: Agency, before: datetime) -> QuerySet[Any]:
    return Presence.objects.filter(agency=agency, arrived_at__lt=before)


def register() -> None:
    """Make the kinds known; called once, when Django is ready."""
    retention_kind_register(
        RetentionKind(
            key="presence",
            label="Presence in boxes",
            help="By the time of arrival. Dosage reports and studies of impact read these; the vehicle positions behind "
            "them have a rule of their own and may go earlier.",
            old=_old_presence,
        )
    )
