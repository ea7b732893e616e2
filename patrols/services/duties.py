"""Who is on duty in one dated shift: set before its plan is drawn, for the plan to count on."""

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat, Shift, Unit, User
from agencies.selectors import district_ids_of, shift_instance_of
from agencies.services import audit_last, audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import Duty


def _check_own(agency: Agency, actor: User, unit: Unit, beat: Beat | None) -> None:
    """Raise ``MissionsError`` where the unit or its beat lies outside the person's districts. One query."""
    own = district_ids_of(agency, actor)
    for place in (unit.beat, beat):
        if own and place is not None and place.district_id not in own:
            raise MissionsError(
                _("%(place)s lies outside your districts.") % {"place": place},
                next_step=_("ask a supervisor of its district."),
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
        subject=duty,
        detail={"unit": unit.call_sign, "beat": beat.code if beat else None, "missions": missions},
    )
    return duty


@transaction.atomic
@audit_last()
def duty_clear(*, agency: Agency, unit: Unit, shift: Shift, on: dt.date, actor: User) -> None:
    """Go back to the unit's standing duty in one shift instance. Nothing set: nothing happens.

    Raises ``MissionsError`` outside the person's districts.
    """
    duty = Duty.objects.select_related("beat").filter(agency=agency, unit=unit, shift=shift, on=on).first()
    if duty is None:
        return
    _check_own(agency, actor, unit, duty.beat)
    audit_record(agency=agency, actor=actor, action="duty cleared", subject=duty)
    duty.delete()


@transaction.atomic
def duties_copy(*, agency: Agency, shift: Shift, source: dt.date, on: dt.date, actor: User) -> int:
    """Take over the duties of another date of the shift, for units that have none on this one. Returns how many.

    Inactive units, and units outside the person's districts, are left out. Raises ``MissionsError`` for a date on which the
    shift does not start.
    """
    shift_instance_of(agency, shift, on)
    own = district_ids_of(agency, actor)
    taken = set(Duty.objects.filter(agency=agency, shift=shift, on=on).values_list("unit_id", flat=True))
    copied = 0
    rows = Duty.objects.filter(agency=agency, shift=shift, on=source, unit__is_active=True)
    for row in rows.exclude(unit__in=taken).select_related("unit__beat", "beat"):
        places = [beat for beat in (row.unit.beat, row.beat) if beat is not None]
        if own and any(beat.district_id not in own for beat in places):
            continue
        duty_set(
            agency=agency,
            unit=row.unit,
            shift=shift,
            on=on,
            beat=row.beat,
            missions=row.missions,
            actor=actor,
        )
        copied += 1
    return copied
