"""Writing an agency's set-up: what pages and commands may change, each with its record."""

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
    event.full_clean()
    event.save()
    return event
