"""What tests of single sign-on ask, by whichever way people come."""

from __future__ import annotations

from django.test import Client

from agencies.models import AuditEvent, Membership, User


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def roles(person: User) -> dict[str, str]:
    """The person's roles by the agency's short name."""
    return dict(Membership.objects.filter(user=person).values_list("agency__slug", "role"))


def told(action: str) -> list[AuditEvent]:
    """What the audit log has of this deed, the oldest first."""
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))
