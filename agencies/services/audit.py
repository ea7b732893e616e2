"""Keeping who did what, to what, and why."""

from typing import Any

from django.db.models import Model

from agencies.models import Agency, AuditEvent, User


def audit_record(
    *,
    agency: Agency | None,
    actor: User | None,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
    why: str = "",
    row: Model | None = None,
) -> AuditEvent:
    """Keep who did what, to what, and why. Three queries. ``row``: whose history the event belongs to, beside the agency's."""
    event = AuditEvent(
        agency=agency,
        actor=actor,
        action=action,
        subject=subject[:200],
        why=why,
        model=row._meta.label_lower if row is not None else "",
        row_id=row.pk if row is not None else None,
        detail=detail or {},
    )
    # Without a person (a command) and without detail the event is still a fact.
    event.clean_fields(exclude=["agency", "actor", "detail", "chain", "sequence", "previous", "hash", "seal"])
    event.save()
    return event
