"""What people decide after the draw: recorded beside the design, never over it (DOMAIN §4)."""

import datetime as dt
from collections.abc import Sequence

import shapely
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.free_text import text_about_person
from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat, CrimeType, District, Unit, User
from agencies.selectors import district_ids_of
from agencies.services import audit_record
from forecasting.engine.grid import GridSpec
from forecasting.selectors import cell_beats
from missions_project.lib.errors import MissionsError
from patrols.models import Assignment, Mission, MissionPlan, NoticeDelivery, Suppression
from patrols.places import place_names
from patrols.selectors import last_number
from patrols.services.live import boards_nudge
from patrols.services.notices import notice_record

_EDGE_DEGREES = 50 / 111_320
"""Fifty metres: a line drawn by hand along a district's edge does not leave the district."""


def check_district(agency: Agency, actor: User, beat: Beat) -> None:
    """Raise ``MissionsError`` where the person's work is limited to other districts than the beat's. One query."""
    own = district_ids_of(agency, actor)
    if own and beat.district_id not in own:
        raise MissionsError(
            _("%(beat)s lies outside your districts.") % {"beat": beat},
            next_step=_("ask a supervisor of its district, or your administrator (Admin → Memberships)."),
        )


def check_area(agency: Agency, actor: User, area: shapely.Geometry) -> None:
    """The same for a drawn area: all of it must lie in the person's districts. Two queries."""
    own = district_ids_of(agency, actor)
    if not own:
        return
    outlines = District.objects.filter(agency=agency, pk__in=own).values_list("geometry", flat=True)
    within = shapely.union_all([polygon_from_geojson(outline) for outline in outlines])
    if not shapely.buffer(within, _EDGE_DEGREES).covers(area):
        raise MissionsError(
            _("This area reaches outside your districts."),
            next_step=_("draw it smaller, or ask a supervisor of the other district."),
        )


def check_reason(reason: str, needed: str) -> None:
    """Raise ``MissionsError`` without a reason, or with one about a person: reasons are printed, exported and kept."""
    if not reason.strip():
        raise MissionsError(
            needed,
            next_step=_("write why in a few words."),
        )
    if about := text_about_person(reason):
        raise MissionsError(
            _("The reason seems to hold %(about)s, which is never kept.") % {"about": about},
            next_step=_("write about the place only."),
        )


def tell_change(mission: Mission, how: str) -> None:
    """Tell whoever wants to hear of changes, in the transaction of the change; open boards look again."""
    boards_nudge(mission.agency_id)
    notice_record(
        plan=mission.plan,
        event=NoticeDelivery.Event.CHANGED,
        what=f"Mission {mission.number} {how}.",
    )


@transaction.atomic
def mission_assign(*, mission: Mission, unit: Unit | None, actor: User) -> None:
    """Send another unit, or none. Raises ``MissionsError`` for another agency's unit, or outside the person's districts."""
    check_district(mission.agency, actor, mission.beat)
    if unit is None:
        Assignment.objects.filter(mission=mission).delete()
    elif unit.agency_id != mission.agency_id:
        raise MissionsError(
            _("This unit belongs to another agency."), next_step=_("choose one of your own units.")
        )
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
        subject=mission,
        detail={"mission": mission.pk, "unit": unit.call_sign if unit else None},
    )
    tell_change(mission, "assigned")


@transaction.atomic
def mission_withdraw(*, mission: Mission, reason: str, actor: User) -> None:
    """Take a mission off the list, with a reason. Its drawn π and Z stay: it counts as non-compliance in studies.

    Raises ``MissionsError`` without a reason, outside the person's districts, or if it is withdrawn already.
    """
    check_district(mission.agency, actor, mission.beat)
    check_reason(reason, _("A mission is withdrawn only with a reason."))
    won = Mission.objects.filter(pk=mission.pk, withdrawn_at__isnull=True).update(
        withdrawn_at=timezone.now(), withdrawn_reason=reason.strip()[:300], withdrawn_by=actor
    )
    if won != 1:
        raise MissionsError(_("This mission is already withdrawn."), next_step=_("reload the shift map."))
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission withdrawn",
        subject=mission,
        detail={"mission": mission.pk, "reason": reason},
    )
    tell_change(mission, "withdrawn")


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
    tactic: str = "",
    more_starts: Sequence[dt.datetime] = (),
) -> Mission:
    """Add a person's own mission to a plan, with a reason. It is outside the draw: its π is 0 and the design stays.

    Raises ``MissionsError`` without a reason, outside the shift, off the grid or beats, outside the person's districts,
    or where a mission is already.
    """
    check_reason(reason, _("A mission is added only with a reason."))
    starts = [starts_at, *more_starts]
    if plan.grid is None or any(not plan.period_from <= start < plan.period_to for start in starts):
        raise MissionsError(
            _("The start lies outside the shift."), next_step=_("choose a time within the shift.")
        )
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    index = int(spec.index_of([cell_id])[0])
    beat_id = int(cell_beats(plan.grid)[index]) if index >= 0 else -1
    if beat_id < 0:
        raise MissionsError(_("This place lies in no beat."), next_step=_("choose a cell inside a beat."))
    beat = Beat.objects.defer("geometry").get(pk=beat_id, agency=plan.agency)
    check_district(plan.agency, actor, beat)
    existing = Mission.objects.select_for_update().filter(plan=plan, cell_id=cell_id).first()
    if existing:
        raise MissionsError(
            _("Mission %(existing_number)s is already there.") % {"existing_number": existing.number},
            next_step=_("change that mission instead."),
        )
    check_box_free(plan, cell_id, starts, dose_minutes)
    x_m, y_m = spec.centres()
    mission = Mission(
        agency=plan.agency,
        plan=plan,
        beat=beat,
        number=last_number(plan) + 1,
        cell_id=cell_id,
        crime_type=crime_type,
        place=place_names(plan.agency, x_m=x_m[[index]], y_m=y_m[[index]], epsg=spec.epsg)[0],
        visit_starts=[start.astimezone(dt.UTC).isoformat() for start in starts],
        starts_at=starts_at,
        dose_minutes=dose_minutes,
        expected=0.0,
        harm=0.0,
        probability=0.0,
        source=Mission.Source.ADDED,
        reason=reason.strip()[:300],
        author=actor,
        tactic=tactic,
    )
    mission.full_clean()
    mission.save()
    audit_record(
        agency=plan.agency,
        actor=actor,
        action="mission added",
        subject=mission,
        detail={"mission": mission.pk, "reason": reason},
    )
    tell_change(mission, "added")
    return mission


def check_box_free(
    plan: MissionPlan,
    cell_id: int,
    starts: Sequence[dt.datetime],
    dose_minutes: int,
    but: int | None = None,
) -> None:
    """Raise ``MissionsError`` where another mission of the shift (a later decision's) has a unit in the box then. One query."""
    others = Mission.objects.filter(
        agency=plan.agency,
        plan__shift=plan.shift_id,
        plan__on=plan.on,
        cell_id=cell_id,
        plan__grid=plan.grid_id,
        withdrawn_at__isnull=True,
    ).exclude(plan__state=MissionPlan.State.SUPERSEDED)
    dose = dt.timedelta(minutes=dose_minutes)
    for other in others.exclude(pk=but) if but else others:
        length = dt.timedelta(minutes=other.dose_minutes)
        taken = [dt.datetime.fromisoformat(text) for text in other.current_starts]
        if any(start < begin + length and begin < start + dose for start in starts for begin in taken):
            raise MissionsError(
                _("Mission %(other_number)s has a unit in this box at that time.")
                % {"other_number": other.number},
                next_step=_("choose a time at which the box is free."),
            )


def suppression_create(
    *,
    agency: Agency,
    beat: Beat | None,
    geometry: dict[str, object] | None,
    reason: str,
    expires_at: dt.datetime,
    actor: User,
) -> Suppression:
    """Keep a beat or an area out of draws until it expires.

    Raises ``ValidationError`` without exactly one of the two, ``MissionsError`` outside the person's districts.
    """
    suppression = Suppression(
        agency=agency, beat=beat, geometry=geometry, reason=reason, expires_at=expires_at, author=actor
    )
    suppression.full_clean()
    if beat is not None:
        check_district(agency, actor, beat)
    else:
        check_area(agency, actor, polygon_from_geojson(suppression.geometry))
    suppression.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="area suppressed",
        subject=reason,
        detail={"until": str(expires_at)},
    )
    boards_nudge(agency.pk)
    return suppression
