"""Who is on duty in one dated shift: set before its plan is drawn, for the plan to count on."""

import datetime as dt

from django.db import transaction
from django.utils import timezone

from agencies.models import Agency, Beat, Shift, Unit, User
from agencies.selectors import district_ids_of, shift_instance_of
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import Duty


def _check_own(agency: Agency, actor: User, unit: Unit, beat: Beat | None) -> None:
    """Raise ``MissionsError`` where the unit or its beat lies outside the person's districts. One query."""
    own = district_ids_of(agency, actor)
    for place in (unit.beat, beat):
        if own and place is not None and place.district_id not in own:
            raise MissionsError(
                f"{place} lies outside your districts.", next_step="ask a supervisor of its district."
            )


@transaction.atomic
def duty_set(
    *,
    agency: Agency,
    unit: Unit,
    shift: Shift,
    on: dt.date,
    beat: Beat | None,
    missions: int | None,
    actor: User,
) -> Duty:
    """Say where a unit is in one shift instance (no beat: off duty), instead of its standing duty.

    Raises ``MissionsError`` for a date on which the shift does not start or outside the person's districts,
    ``ValidationError`` for another agency's unit or beat.
    """
    shift_instance_of(agency, shift, on)
    _check_own(agency, actor, unit, beat)
    duty = Duty.objects.filter(agency=agency, unit=unit, shift=shift, on=on).first() or Duty(
        agency=agency, unit=unit, shift=shift, on=on
    )
    duty.beat, duty.missions, duty.author, duty.changed_at = beat, missions, actor, timezone.now()
    duty.full_clean()
    duty.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="duty set",
        subject=str(duty),
        detail={"unit": unit.call_sign, "beat": beat.code if beat else None, "missions": missions},
    )
    return duty


@transaction.atomic
def duty_clear(*, agency: Agency, unit: Unit, shift: Shift, on: dt.date, actor: User) -> None:
    """Go back to the unit's standing duty in one shift instance. Nothing set: nothing happens.

    Raises ``MissionsError`` outside the person's districts.
    """
    duty = Duty.objects.select_related("beat").filter(agency=agency, unit=unit, shift=shift, on=on).first()
    if duty is None:
        return
    _check_own(agency, actor, unit, duty.beat)
    audit_record(agency=agency, actor=actor, action="duty cleared", subject=str(duty))
    duty.delete()
