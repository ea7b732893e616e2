"""Keeping who did what, to what, and why."""

from typing import Any

from agencies.models import Agency, AuditEvent, User


def audit_record(
    *,
    agency: Agency | None,
    actor: User | None,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> AuditEvent:
    """Keep who did what, to what, and why. One query."""
    event = AuditEvent(agency=agency, actor=actor, action=action, subject=subject[:200], detail=detail or {})
    # Without a person (a command) and without detail the event is still a fact.
    event.full_clean(exclude=["agency", "actor", "detail"])
    event.save()
    return event
