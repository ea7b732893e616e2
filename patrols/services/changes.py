"""Other times and other boxes for missions that were drawn: kept beside the design, never over it (DOMAIN §4)."""

import datetime as dt

from django.db import transaction
from django.utils import timezone

from agencies.models import User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import Mission
from patrols.services.overrides import _check_district, _check_reason, mission_add, mission_withdraw


@transaction.atomic
def mission_move(*, mission: Mission, starts: list[dt.datetime], reason: str, actor: User) -> Mission:
    """Give a mission's visits other start times. What was drawn stays in the plan.

    Raises ``MissionsError`` without a reason, outside the shift or the person's districts, for a withdrawn mission.
    """
    _check_district(mission.agency, actor, mission.beat)
    _check_reason(reason, "moved")
    if not starts or any(not mission.plan.period_from <= start < mission.plan.period_to for start in starts):
        raise MissionsError("A start lies outside the shift.", next_step="choose times within the shift.")
    won = Mission.objects.filter(pk=mission.pk, withdrawn_at__isnull=True).update(
        moved_starts=[start.isoformat() for start in sorted(starts)],
        moved_at=timezone.now(),
        moved_reason=reason.strip()[:300],
        moved_by=actor,
    )
    if won != 1:
        raise MissionsError("This mission is withdrawn.", next_step="reload the shift map.")
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission moved",
        subject=str(mission),
        detail={"mission": mission.pk, "reason": reason},
    )
    mission.refresh_from_db(fields=["moved_starts", "moved_at", "moved_reason"])
    return mission


@transaction.atomic
def mission_swap(*, mission: Mission, cell_id: int, reason: str, actor: User) -> Mission:
    """Send to another box instead: the drawn mission is withdrawn and one is added, in one step.

    Returns the added one. Raises what ``mission_withdraw`` and ``mission_add`` raise; then neither happened.
    """
    mission_withdraw(mission=mission, reason=reason, actor=actor)
    added = mission_add(
        plan=mission.plan,
        cell_id=cell_id,
        crime_type=mission.crime_type,
        starts_at=dt.datetime.fromisoformat(mission.current_starts[0]),
        dose_minutes=mission.dose_minutes,
        reason=reason,
        actor=actor,
    )
    Mission.objects.filter(pk=mission.pk).update(swapped_for=added)
    return added
