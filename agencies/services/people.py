"""Making a person together with their place in an agency: somebody without one belongs to nobody."""

from django.db import transaction

from agencies.models import Agency, Membership, Unit, User
from agencies.services.audit import audit_record


@transaction.atomic
def person_create(
    *,
    agency: Agency,
    user: User,
    role: str,
    unit: Unit | None = None,
    actor: User | None = None,
    why: str = "",
) -> Membership:
    """Save a new person (password already set) and their membership, both or neither."""
    user.full_clean()
    user.save()
    membership = Membership(agency=agency, user=user, role=role, unit=unit)
    membership.full_clean()
    membership.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="person.created",
        subject=user.username,
        detail={"role": role, "unit": str(unit) if unit else ""},
        why=why,
        row=user,
    )
    return membership
