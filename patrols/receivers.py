"""What this room does when another one has done something."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from ingestion.models import Feed, RecordKind
from ingestion.signals import facts_stored
from patrols.services import presence_recount_calls, presence_recount_positions


@receiver(facts_stored, sender=Feed, dispatch_uid="patrols: count presence again")
def count_again(
    sender: Any,
    agency_id: int,
    record_kind: str,
    since: datetime,
    hours: frozenset[int] | None,
    hours_before: frozenset[int],
    **_: Any,
) -> None:
    """Have shifts counted again whose dispatch records or positions came in after their account was closed."""
    if record_kind == RecordKind.CALLS:
        presence_recount_calls(agency_id=agency_id, since=since, hours=hours, hours_before=hours_before)
    elif record_kind == RecordKind.POSITIONS:
        presence_recount_positions(agency_id=agency_id, hours=hours)
