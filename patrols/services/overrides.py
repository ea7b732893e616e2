"""What people decide after the draw: recorded beside the design, never over it (DOMAIN §4)."""

import datetime as dt

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agencies.models import Agency, Beat, CrimeType, Unit, User
from agencies.services import audit_record
from forecasting.engine.grid import GridSpec
from forecasting.selectors import cell_beats
from missions_project.lib.errors import MissionsError
from patrols.models import Assignment, Mission, MissionPlan, Suppression
from patrols.places import place_names


def mission_assign(*, mission: Mission, unit: Unit | None, actor: User) -> None:
    """Send another unit, or none. Raises ``MissionsError`` for a unit of another agency."""
    if unit is None:
        Assignment.objects.filter(mission=mission).delete()
    elif unit.agency_id != mission.agency_id:
        raise MissionsError("This unit belongs to another agency.", next_step="choose one of your own units.")
    else:
        Assignment.objects.update_or_create(
            mission=mission,
            defaults={
                "agency": mission.agency,
                "unit": unit,
                "assigned_by": actor,
                "assigned_at": timezone.now(),
            },
        )
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission assigned",
        subject=str(mission),
        detail={"mission": mission.pk, "unit": unit.call_sign if unit else None},
    )


def mission_withdraw(*, mission: Mission, reason: str, actor: User) -> None:
    """Take a mission off the list, with a reason. Its drawn π and Z stay: it counts as non-compliance in studies."""
    if not reason.strip():
        raise MissionsError(
            "A mission is withdrawn only with a reason.", next_step="write why in a few words."
        )
    won = Mission.objects.filter(pk=mission.pk, withdrawn_at__isnull=True).update(
        withdrawn_at=timezone.now(), withdrawn_reason=reason.strip()[:300], withdrawn_by=actor
    )
    if won != 1:
        raise MissionsError("This mission is already withdrawn.", next_step="reload the shift map.")
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission withdrawn",
        subject=str(mission),
        detail={"mission": mission.pk, "reason": reason},
    )


@transaction.atomic
def mission_add(
    *,
    plan: MissionPlan,
    cell_id: int,
    crime_type: CrimeType,
    starts_at: dt.datetime,
    dose_minutes: int,
    reason: str,
    actor: User,
) -> Mission:
    """Add a person's own mission to a plan, with a reason. It is outside the draw: π is what the design gave, if any.

    Raises ``MissionsError`` without a reason, outside the shift, off the grid or beats, or where a mission is already.
    """
    if not reason.strip():
        raise MissionsError("A mission is added only with a reason.", next_step="write why in a few words.")
    if plan.grid is None or not plan.period_from <= starts_at < plan.period_to:
        raise MissionsError("The start lies outside the shift.", next_step="choose a time within the shift.")
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    index = int(spec.index_of([cell_id])[0])
    beat_id = int(cell_beats(plan.grid)[index]) if index >= 0 else -1
    if beat_id < 0:
        raise MissionsError("This place lies in no beat.", next_step="choose a cell inside a beat.")
    existing = Mission.objects.select_for_update().filter(plan=plan, cell_id=cell_id).first()
    if existing:
        raise MissionsError(
            f"Mission {existing.number} is already there.", next_step="change that mission instead."
        )
    x_m, y_m = spec.centres()
    last = Mission.objects.filter(plan=plan).aggregate(last=Max("number"))["last"] or 0
    mission = Mission(
        agency=plan.agency,
        plan=plan,
        beat=Beat.objects.get(pk=beat_id, agency=plan.agency),
        number=last + 1,
        cell_id=cell_id,
        crime_type=crime_type,
        place=place_names(plan.agency, x_m=x_m[[index]], y_m=y_m[[index]], epsg=spec.epsg)[0],
        visit_starts=[starts_at.isoformat()],
        starts_at=starts_at,
        dose_minutes=dose_minutes,
        expected=0.0,
        harm=0.0,
        probability=0.0,
        source=Mission.Source.ADDED,
        reason=reason.strip()[:300],
        author=actor,
    )
    mission.full_clean()
    mission.save()
    audit_record(
        agency=plan.agency,
        actor=actor,
        action="mission added",
        subject=str(mission),
        detail={"reason": reason},
    )
    return mission


def suppression_create(
    *,
    agency: Agency,
    beat: Beat | None,
    geometry: dict[str, object] | None,
    reason: str,
    expires_at: dt.datetime,
    actor: User,
) -> Suppression:
    """Keep a beat or an area out of draws until it expires. Raises ``ValidationError`` without exactly one of the two."""
    suppression = Suppression(
        agency=agency, beat=beat, geometry=geometry, reason=reason, expires_at=expires_at, author=actor
    )
    suppression.full_clean()
    suppression.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="area suppressed",
        subject=reason,
        detail={"until": str(expires_at)},
    )
    return suppression
