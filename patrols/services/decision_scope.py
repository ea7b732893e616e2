"""What a decision in the middle of a shift may draw from, fixed before its draw; and whether it may still be published."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from agencies.models import Agency, Shift, User
from agencies.selectors import district_ids_of
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from patrols.capacity_selectors import BeatCapacity
from patrols.engine.spread import missions_spread
from patrols.models import Mission, MissionPlan, PatrolPolicy

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecisionScope:
    """The beats of a decision with their numbers of missions, and each cell's beat, -1 where it is no candidate."""

    capacities: list[BeatCapacity]
    beat_of_cell: Ints
    lines: list[str]


def open_cells(agency: Agency, shift: Shift, on: dt.date, *, at: dt.datetime) -> set[int]:
    """Return the cells to which the shift's published plans still send somebody at an instant. Two queries.

    A mission is open while a visit of it is under way, or until its last one should be over; withdrawn ones are not.
    """
    rows = Mission.objects.filter(
        agency=agency,
        plan__shift=shift,
        plan__on=on,
        plan__state=MissionPlan.State.PUBLISHED,
        withdrawn_at=None,
    ).prefetch_related("engagements")
    return {row.cell_id for row in rows if _is_open(row, at)}


def _is_open(mission: Mission, at: dt.datetime) -> bool:
    starts = [dt.datetime.fromisoformat(text) for text in mission.current_starts]
    last = max(starts, default=mission.starts_at) + dt.timedelta(minutes=mission.dose_minutes)
    return last > at or any(visit.left_at is None for visit in mission.engagements.all())


def decision_scope(
    plan: MissionPlan,
    policy: PatrolPolicy,
    spec: GridSpec,
    beat_of_cell: Ints,
    *,
    harm: Floats,
    out: Bools,
    capacities: list[BeatCapacity],
) -> DecisionScope:
    """Work out a decision's own candidates and how many missions each beat gets. Three queries.

    Candidates are the cells of the beats asked for (of all beats with a unit on duty where none were named) without an
    open mission of this shift and not suppressed (``out``). The missions asked for go where harm is highest now; a beat
    takes no more than its units can carry out and its candidates allow. Raises ``MissionsError`` where none can.
    """
    _check_grid(plan, spec)
    asked = plan.config_snapshot["asked"]
    wanted, missions = asked["beats"], int(asked["missions"])
    closed = open_cells(plan.agency, plan.shift, plan.on, at=plan.period_from)
    free = ~np.isin(spec.cells, list(closed)) if closed else np.ones(len(spec), dtype=np.bool_)
    beats = [row for row in capacities if wanted is None or row.beat.pk in wanted]
    room, weight = [], []
    for row in beats:
        cells = free & ~out & (beat_of_cell == row.beat.pk)
        # Not more than the caps allow: a beat of three cells can be asked for two missions, never for three.
        room.append(min(row.k, int(policy.cap_max * int(cells.sum()))))
        weight.append(float(harm[cells].sum()))
    given = missions_spread(np.array(weight), np.array(room, dtype=np.int64), missions)
    chosen = [replace(row, k=int(k)) for row, k in zip(beats, given, strict=True) if k > 0]
    if not chosen:
        raise MissionsError(
            _("No beat that was asked for has both a unit on duty and a free box."),
            next_step=_("name other beats, put a unit on duty there, or end a suppression."),
        )
    lines = [f"Decision {plan.decision}: {_shares(chosen)}."]
    if idle := [row.beat.code for row in beats if row.k == 0 and wanted is not None]:
        lines.append(f"Beats without a unit on duty got none: {', '.join(idle)}.")
    if (total := int(given.sum())) < missions:
        lines.append(f"{total} of {missions} missions asked for have a unit and a box.")
    return DecisionScope(chosen, np.where(free, beat_of_cell, -1), lines)


def _check_grid(plan: MissionPlan, spec: GridSpec) -> None:
    """Raise ``MissionsError`` where the shift's missions lie on another grid: its cells have other numbers. One query."""
    published = MissionPlan.objects.filter(
        agency=plan.agency, shift=plan.shift, on=plan.on, state=MissionPlan.State.PUBLISHED
    )
    if published.exclude(grid__hash=spec.hash).exists():
        raise MissionsError(
            _(
                "The grid was built anew since this shift's plan was drawn: a decision could not tell which boxes are taken."
            ),
            next_step=_("add single missions on the shift map."),
        )


def _shares(chosen: Iterable[BeatCapacity]) -> str:
    return ", ".join(f"{row.k} in beat {row.beat.code}" for row in chosen)


def decision_check_publish(plan: MissionPlan, actor: User | None, now: dt.datetime) -> None:
    """Raise ``MissionsError`` where a decision's draft cannot become part of the shift's plan any more. Four queries."""
    if now >= plan.period_to:
        raise MissionsError(_("This shift is over."), next_step=_("plan the next one."))
    same = MissionPlan.objects.filter(
        agency=plan.agency, shift=plan.shift, on=plan.on, state=MissionPlan.State.PUBLISHED
    )
    numbers = set(same.select_for_update().values_list("decision", flat=True))
    if 0 not in numbers:
        raise MissionsError(
            _("The shift's own plan is not published."), next_step=_("publish it first, or draw it again.")
        )
    if plan.decision in numbers:
        raise MissionsError(
            _("Decision %(decision)s of this shift is published already.") % {"decision": plan.decision},
            next_step=_("decide anew: the draw must know what was sent since."),
        )
    missions = list(Mission.objects.filter(plan=plan).values_list("cell_id", "number", "beat__district_id"))
    own = district_ids_of(plan.agency, actor) if actor else frozenset()
    if own and any(district not in own for _, _, district in missions):
        raise MissionsError(
            _("This decision reaches outside your districts."),
            next_step=_("ask a supervisor of the other district, or decide for your own beats."),
        )
    taken = open_cells(plan.agency, plan.shift, plan.on, at=plan.period_from)
    if doubled := [number for cell, number, _ in missions if cell in taken]:
        raise MissionsError(
            _("Somebody has sent a mission to the box of mission %(doubled)s since this was drawn.")
            % {"doubled": doubled[0]},
            next_step=_("decide anew: two units would stand in one box."),
        )
