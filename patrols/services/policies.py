"""Turning one dial of the active policy, on a person's word and only from where it was thought to stand."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import PatrolPolicy

DIALS = ("gamma", "exploration", "dose_min_minutes", "dose_max_minutes")
"""What may be changed this way; the others are set in the admin."""


class PolicyMoved(MissionsError):
    """The dial no longer stands where it was thought to: what was decided was decided about something else."""


@transaction.atomic
def policy_dial_set(
    *, agency: Agency, policy_id: int, dial: str, value_from: float, value_to: float, actor: User, reason: str
) -> PatrolPolicy:
    """Change one dial of the agency's active policy from the value that the decision stood on, and keep who and why.

    Plans drawn from now on use it; those drawn before keep their copy. Raises ``PolicyMoved`` where the policy is no longer
    active or the dial stands elsewhere, ``MissionsError`` for a value that the policy cannot have. Three queries.
    """
    if dial not in DIALS:
        raise MissionsError(
            _("“%(dial)s” is no dial that can be turned here.") % {"dial": dial},
            next_step=_("Admin → Patrol policies."),
        )
    policy = PatrolPolicy.objects.filter(agency=agency, pk=policy_id).first()
    if policy is None or not policy.is_active or float(getattr(policy, dial)) != value_from:
        raise PolicyMoved(
            _("The active policy was changed in the meantime."),
            next_step=_("look for proposals again, on today's policy."),
        )
    was = getattr(policy, dial)
    value = type(was)(value_to)
    setattr(policy, dial, value)
    try:
        policy.full_clean()
    except ValidationError as exc:
        raise MissionsError(
            _("The policy cannot have this value: %(names)s") % {"names": " ".join(exc.messages)},
            next_step=_("decline the proposal."),
        ) from exc
    rows = PatrolPolicy.objects.filter(pk=policy.pk, is_active=True, **{dial: was})
    if rows.update(**{dial: value}) != 1:
        raise PolicyMoved(
            _("The active policy was changed in the meantime."),
            next_step=_("look for proposals again, on today's policy."),
        )
    audit_record(
        agency=agency, actor=actor, action="patrolpolicy.dial_set", subject=policy.name,
        detail={"id": policy.pk, "dial": dial, "from": was, "to": value, "reason": reason, "changed": {dial: [was, value]}},
        why=reason, row=policy,
    )  # fmt: skip
    return policy
