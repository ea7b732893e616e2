"""Changing a drawn shift on the map: other times, other places, several boxes at once, areas left out of it.

What was drawn stays as it was, design, π, Z and visit times alike; what people do instead is recorded beside it and
counts as non-compliance in studies (DOMAIN §4).
"""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat, CrimeType, User
from agencies.services import audit_last, audit_record
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from patrols.areas import cells_of_area
from patrols.board import visits_to
from patrols.models import Assignment, Mission, MissionPlan, Suppression
from patrols.selectors import suppressed_cells
from patrols.services.asked_tactics import tactic_check
from patrols.services.overrides import (
    check_box_free,
    check_district,
    check_reason,
    mission_add,
    mission_withdraw,
    suppression_create,
    tell_change,
)

MOST_CELLS = 6
"""How many boxes one drawn area may add: more is a plan of one's own, not an exception to it."""


def spacing_of(mission: Mission) -> dt.timedelta:
    """Least time between the starts of two visits to the box, as the plan was drawn under."""
    policy = (mission.plan.config_snapshot or {}).get("policy", {})
    return dt.timedelta(minutes=max(policy.get("min_spacing_minutes", 0), mission.dose_minutes))


@transaction.atomic
def mission_move(*, mission: Mission, starts: Sequence[dt.datetime], reason: str, actor: User) -> Mission:
    """Give a mission other visit times within its shift, with a reason. What was drawn stays in ``visit_starts``.

    Raises ``MissionsError`` for another number of visits, outside the shift, visits too close together, a box that has
    another unit in it then, a visit moved into the past, a withdrawn mission, or outside the person's districts.
    """
    check_district(mission.agency, actor, mission.beat)
    check_reason(reason, _("A mission is moved only with a reason."))
    ordered = sorted(start.astimezone(dt.UTC) for start in starts)
    _check_starts(mission, ordered)
    check_box_free(mission.plan, mission.cell_id, ordered, mission.dose_minutes, but=mission.pk)
    before = mission.current_starts
    won = Mission.objects.filter(pk=mission.pk, withdrawn_at__isnull=True).update(
        moved_starts=[start.isoformat() for start in ordered],
        moved_at=timezone.now(),
        moved_reason=reason.strip()[:300],
        moved_by=actor,
    )
    if won != 1:
        raise MissionsError(_("This mission is withdrawn."), next_step=_("add another one instead."))
    mission.refresh_from_db(fields=["moved_starts", "moved_at", "moved_reason", "moved_by"])
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission moved",
        subject=mission,
        detail={"mission": mission.pk, "from": before, "to": mission.moved_starts, "reason": reason},
    )
    tell_change(mission, "moved")
    return mission


def _check_starts(mission: Mission, starts: list[dt.datetime]) -> None:
    plan, now = mission.plan, timezone.now()
    known = [dt.datetime.fromisoformat(text) for text in mission.current_starts]
    if len(starts) != len(known):
        raise MissionsError(
            _("This mission has %(count)s visits, not %(count_2)s.")
            % {"count": len(known), "count_2": len(starts)},
            next_step=_("give a time for each visit."),
        )
    dose, spacing = dt.timedelta(minutes=mission.dose_minutes), spacing_of(mission)
    if starts[0] < plan.period_from or starts[-1] + dose > plan.period_to:
        raise MissionsError(
            _("A visit would lie outside the shift."),
            next_step=_("choose times within the shift, its end included."),
        )
    if any(later - earlier < spacing for earlier, later in pairwise(starts)):
        raise MissionsError(
            _("Two visits would start less than %(minutes)s minutes apart.")
            % {"minutes": round(spacing.total_seconds() / 60)},
            next_step=_("keep them further apart; Admin → Patrol policies sets the least spacing."),
        )
    # The record of a shift that is over may be put right; a running one cannot be changed backwards.
    if now < plan.period_to and any(start < now and start not in known for start in starts):
        raise MissionsError(_("A visit would start in the past."), next_step=_("choose a time from now on."))


@transaction.atomic
@audit_last()
def mission_swap(*, mission: Mission, cell_id: int, reason: str, actor: User) -> Mission:
    """Send the mission's unit to another box at the same times: one withdrawn and one added, both or neither.

    Returns the new mission; the old one names it as ``swapped_for``. Raises ``MissionsError`` as withdrawing and adding do.
    """
    starts = [dt.datetime.fromisoformat(text) for text in mission.current_starts]
    unit = mission.assignment.unit if hasattr(mission, "assignment") else None
    mission_withdraw(mission=mission, reason=reason, actor=actor)
    added = mission_add(
        plan=mission.plan,
        cell_id=cell_id,
        crime_type=mission.crime_type,
        starts_at=starts[0],
        more_starts=starts[1:],
        dose_minutes=mission.dose_minutes,
        reason=reason,
        actor=actor,
        tactic=mission.tactic,
    )
    Mission.objects.filter(pk=mission.pk).update(swapped_for=added)
    if unit is not None:
        Assignment.objects.create(agency=mission.agency, mission=added, unit=unit, assigned_by=actor)
    audit_record(
        agency=mission.agency,
        actor=actor,
        action="mission swapped",
        subject=mission,
        detail={"mission": mission.pk, "for": added.pk, "cell": cell_id, "reason": reason},
    )
    return added


@transaction.atomic
@audit_last()
def missions_add(
    *,
    plan: MissionPlan,
    area: dict[str, Any],
    crime_type: CrimeType,
    starts_at: dt.datetime,
    dose_minutes: int,
    reason: str,
    actor: User,
    tactic: str = "",
) -> list[Mission]:
    """Add a mission to each cell that a click or a drawn box means, all or none; at most ``MOST_CELLS``.

    ``area``: GeoJSON Point or Polygon in WGS84. Raises ``MissionsError`` as ``mission_add`` does, for too many cells,
    and for a tactic that the agency does not have.
    """
    if plan.grid is None:
        raise MissionsError(
            _("This plan is not drawn yet."), next_step=_("wait for it, or look at its error and plan again.")
        )
    tactic_check(agency=plan.agency, slug=tactic)
    cells = cells_of_area(GridSpec.from_bytes(bytes(plan.grid.spec)), area)
    if not cells:
        raise MissionsError(_("This place lies in no beat."), next_step=_("choose a cell inside a beat."))
    if len(cells) > MOST_CELLS:
        raise MissionsError(
            _("The box holds %(count)s cells; at most %(most_cells)s can be added at once.")
            % {"count": len(cells), "most_cells": MOST_CELLS},
            next_step=_("draw a smaller box."),
        )
    return [
        mission_add(
            plan=plan, cell_id=cell, crime_type=crime_type, starts_at=starts_at, dose_minutes=dose_minutes,
            reason=reason, actor=actor, tactic=tactic,
        )
        for cell in cells
    ]  # fmt: skip


def missions_in(
    missions: Sequence[Mission], plans: Sequence[MissionPlan], suppression: Suppression
) -> list[Mission]:
    """Return the missions that stand, not visited yet, in the suppressed beat or area. At most two queries a grid."""
    standing = [row for row in missions if row.withdrawn_at is None and not visits_to(row)]
    found: list[Mission] = []
    for plan in plans:
        own = [row for row in standing if row.plan_id == plan.pk]
        if plan.grid is None or not own:
            continue
        if suppression.beat_id:
            found += [row for row in own if row.beat_id == suppression.beat_id]
            continue
        spec = GridSpec.from_bytes(bytes(plan.grid.spec))
        out = suppressed_cells([suppression], spec, np.full(len(spec), -1, dtype=np.int64))
        at = spec.index_of([row.cell_id for row in own])
        found += [row for row, index in zip(own, at, strict=True) if index >= 0 and out[index]]
    return found


@transaction.atomic
@audit_last()
def area_suppress(
    *,
    agency: Agency,
    beat: Beat | None,
    geometry: dict[str, object] | None,
    reason: str,
    expires_at: dt.datetime,
    actor: User,
    withdraw_from: Sequence[Mission] = (),
    plans: Sequence[MissionPlan] = (),
) -> tuple[Suppression, list[Mission]]:
    """Keep a beat or an area out of draws until it expires, and withdraw those of these missions that lie in it.

    Missions with a visit already stay. Raises as ``suppression_create`` and ``mission_withdraw`` do; then nothing changes.
    """
    check_reason(reason, _("A mission is withdrawn only with a reason."))
    suppression = suppression_create(
        agency=agency, beat=beat, geometry=geometry, reason=reason, expires_at=expires_at, actor=actor
    )
    inside = missions_in(withdraw_from, plans, suppression)
    for mission in inside:
        mission_withdraw(mission=mission, reason=reason, actor=actor)
    return suppression, inside
