"""Everything that a plan's draw depends on, read and fixed before it: forecast, capacity, what people decided, what was before."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from django.forms.models import model_to_dict
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency
from forecasting.engine.grid import GridSpec, project
from forecasting.models import ForecastRun
from forecasting.selectors import cell_beats, harm, latest_forecast, weights_now
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.capacity_selectors import BeatCapacity, capacities, capacities_shared
from patrols.models import Addition, MissionPlan, PatrolPolicy
from patrols.selectors import (
    active_additions,
    active_policy,
    active_suppressions,
    planned_history,
    suppressed_cells,
)
from patrols.services.decision_scope import decision_scope

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_CELLS = 6
"""An addition is about places, not about a district: a larger area is refused cell by cell beyond this."""


@dataclass(frozen=True)
class Standing:
    """One cell that people want visited whatever is drawn: its position in the grid, its beat, and who asked for it."""

    position: int
    beat: int
    addition: Addition


@dataclass(frozen=True)
class PlanInputs:
    """What the draw takes. Arrays have one element a grid cell; ``capacities`` hold beats with missions to draw only."""

    policy: PatrolPolicy
    forecast: ForecastRun
    spec: GridSpec
    beat_of_cell: Ints
    harm: Floats
    suppressed: Bools
    added: Bools
    planned_minutes: Floats
    days_since_last: Floats
    everyone: list[BeatCapacity]
    capacities: list[BeatCapacity]
    standing: list[Standing]
    lines: list[str]
    snapshot: dict[str, Any]


def plan_inputs(plan: MissionPlan, *, policy: PatrolPolicy | None = None) -> PlanInputs:
    """Read what a plan is drawn from, under the active policy or the one given. Raises ``MissionsError`` naming the setting where nothing can be planned.

    About twenty queries, whatever the size of the city.
    """
    policy, forecast = policy or _policy(plan.agency), _forecast(plan)
    assert forecast.grid is not None  # a succeeded forecast has a grid
    spec = GridSpec.from_bytes(bytes(forecast.grid.spec))
    beat_of_cell, harm_now = cell_beats(forecast.grid), harm(forecast)
    suppressions = active_suppressions(plan.agency, period_from=plan.period_from, period_to=plan.period_to)
    out = suppressed_cells(suppressions, spec, beat_of_cell)
    minutes, days = planned_history(
        plan.agency, grid=forecast.grid, before=plan.period_from, window_days=policy.saturation_window_days
    )
    on_duty = capacities(plan.agency, plan.shift, plan.on)
    if not any(row.k for row in on_duty):
        raise MissionsError(
            _("No unit is on duty in any beat for %(shift)s.") % {"shift": plan.shift},
            next_step=_(
                "put units on duty on the roster page, or Admin → Units: give units a home beat, this shift and at "
                "least one mission per shift."
            ),
        )
    shared = capacities_shared(
        on_duty,
        unstaffed=policy.unstaffed,
        spec=spec,
        beat_of_cell=beat_of_cell,
        harm=np.where(out, 0.0, harm_now),
    )
    rows, lines = shared.capacities, [*_changed_since(forecast), *shared.lines]
    standing: list[Standing] = []
    if plan.decision:
        scope = decision_scope(
            plan, policy, spec, beat_of_cell, harm=np.where(out, 0.0, harm_now), out=out, capacities=rows
        )
        rows, beat_of_cell = scope.capacities, scope.beat_of_cell
        lines += scope.lines
    else:
        standing, told = _standing(plan, policy, spec, beat_of_cell, out, minutes)
        lines += told
        rows, told = _less_standing(rows, standing)
        lines += told
    added = np.zeros(len(spec), dtype=np.bool_)
    added[[row.position for row in standing]] = True
    return PlanInputs(
        policy=policy,
        forecast=forecast,
        spec=spec,
        beat_of_cell=beat_of_cell,
        harm=harm_now,
        suppressed=out,
        added=added,
        planned_minutes=minutes,
        days_since_last=days,
        everyone=rows,
        capacities=[row for row in rows if row.k > 0],
        standing=standing,
        lines=lines,
        snapshot={
            "policy": model_to_dict(policy, exclude=["agency", "is_active"]),
            "forecast_run": forecast.pk,
            "grid_hash": forecast.grid.hash,
            "suppressions": [row.pk for row in suppressions],
            "additions": sorted({row.addition.pk for row in standing}),
            "k_by_beat": {row.beat.code: row.k for row in rows if row.k > 0},
            "shared": shared.record,
        },
    )


def _policy(agency: Agency) -> PatrolPolicy:
    policy = active_policy(agency)
    if policy is None:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no active patrol policy.") % {"agency_slug": agency.slug},
            next_step=_("Admin → Patrol policies → Add."),
        )
    return policy


def _forecast(plan: MissionPlan) -> ForecastRun:
    forecast = plan.forecast_run or latest_forecast(plan.agency, plan.shift, plan.on)
    if forecast is None:
        raise MissionsError(
            _("There is no forecast for %(shift)s on %(on)s.")
            % {"shift": plan.shift, "on": f"{plan.on:%Y-%m-%d}"},
            next_step=_(
                "run `manage.py forecast --agency %(agency_slug)s --shift %(shift_slug)s --date %(on)s`, or press “Forecast this shift” on the risk map."
            )
            % {"agency_slug": plan.agency.slug, "shift_slug": plan.shift.slug, "on": f"{plan.on:%Y-%m-%d}"},
        )
    if forecast.status == RunStatus.FAILED:
        message, _said, next_step = forecast.error.partition(" Next step: ")
        raise MissionsError(
            _("Its forecast failed. %(message)s") % {"message": message},
            next_step=next_step or _("forecast the shift again, then plan it."),
        )
    return forecast


def _changed_since(forecast: ForecastRun) -> list[str]:
    """Say where weights or priorities are not those with which the forecast was made: the plan takes those of now."""
    then = forecast.config_snapshot.get("weights")
    if then is None:
        return []
    now = weights_now(forecast.agency)
    if then == now:
        return []
    names = sorted({key.split("@")[0] for key in then.keys() | now.keys() if then.get(key) != now.get(key)})
    return [
        f"Weights or district priorities of {', '.join(names)} were changed after the forecast was made: this plan uses "
        "those of now. Forecast the shift again to see them on the risk map of that time."
    ]


def _standing(
    plan: MissionPlan,
    policy: PatrolPolicy,
    spec: GridSpec,
    beat_of_cell: Ints,
    out: Bools,
    planned_minutes: Floats,
) -> tuple[list[Standing], list[str]]:
    """The cells that additions name, less those suppressed, outside all beats, or at their limit of minutes; and why."""
    found: dict[int, Standing] = {}
    lines: list[str] = []
    for row in active_additions(plan.agency, plan.shift, period_from=plan.period_from):
        cells = _cells_of(row, spec)
        refused = {"lies in no beat": 0, "is suppressed": 0, "has had its minutes": 0}
        for position in cells[:MOST_CELLS]:
            if beat_of_cell[position] < 0:
                refused["lies in no beat"] += 1
            elif out[position]:
                # Two people disagree: leaving a place alone for a reason goes before visiting it.
                refused["is suppressed"] += 1
            elif (
                planned_minutes[position] + row.dose_minutes * policy.visits_per_cell
                > policy.saturation_hard_minutes
            ):
                refused["has had its minutes"] += 1
            elif position not in found:
                found[position] = Standing(position, int(beat_of_cell[position]), row)
        lines += [
            f"Addition “{row.reason}”: {n} box{'es' if n > 1 else ''} left out, for each {why}."
            for why, n in refused.items()
            if n
        ]
        if not len(cells):
            lines.append(f"Addition “{row.reason}” lies outside the grid; draw it inside the agency's area.")
        elif len(cells) > MOST_CELLS:
            lines.append(
                f"Addition “{row.reason}” covers {len(cells)} boxes; the first {MOST_CELLS} are visited. Draw it smaller."
            )
    return [found[position] for position in sorted(found)], lines


def _cells_of(row: Addition, spec: GridSpec) -> list[int]:
    """Positions of the cells with their centre in the area, else of the one that holds its middle; none off the grid."""
    area = polygon_from_geojson(row.geometry)
    lon, lat = spec.centres_lonlat()
    inside = np.flatnonzero(shapely.contains_xy(area, lon, lat))
    if len(inside) == 0:
        middle = area.representative_point()
        inside = spec.locate(*project(np.array([middle.x]), np.array([middle.y]), spec.epsg))
        inside = inside[inside >= 0]
    return [int(position) for position in inside]


def _less_standing(
    rows: list[BeatCapacity], standing: list[Standing]
) -> tuple[list[BeatCapacity], list[str]]:
    """Take the places that people added off each beat's number: units have no more time because of them."""
    taken: dict[int, int] = {}
    for place in standing:
        taken[place.beat] = taken.get(place.beat, 0) + 1
    made, lines = [], []
    for row in rows:
        n = taken.get(row.beat.pk, 0)
        made.append(replace(row, k=max(0, row.k - n)))
        if n and n >= row.k:
            spare = f", {n - row.k} more than its units have time for" if n > row.k else ""
            lines.append(
                f"Beat {row.beat.code}: all of its {row.k} missions go to places that people added{spare}; none is drawn."
            )
    return made, lines
