"""From a forecast to a plan: capacity, design, draw, missions; and a plan's publication."""

import datetime as dt
import logging
import secrets
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import transaction
from django.forms.models import model_to_dict
from django.utils import timezone

from agencies.models import Agency, CrimeType, Shift, User
from agencies.selectors import shift_instance_of
from agencies.services import audit_record
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun
from forecasting.selectors import cell_beats, expected_by_type, harm, latest_forecast
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, RunStatus, run_execution
from patrols.engine.assignment import assign_units
from patrols.engine.oversight import plan_oversight
from patrols.engine.plan import PlanDraw, design_digest, design_to_bytes, plan_draw
from patrols.models import Assignment, Engagement, Mission, MissionPlan, PatrolPolicy
from patrols.places import place_names
from patrols.selectors import (
    BeatCapacity,
    active_policy,
    active_suppressions,
    beat_capacities,
    planned_history,
    suppressed_cells,
)
from patrols.services.live import boards_nudge
from patrols.services.reasons import plan_reasons_write

logger = logging.getLogger(__name__)
CODE_VERSION = "1"
"""Raised whenever the design's meaning changes, so that an auditor knows which rules a plan was drawn under."""


def plan_queue(
    *, agency: Agency, shift: Shift, on: dt.date, requested_by: User | None = None, seed: int | None = None
) -> MissionPlan:
    """Put a plan for one shift instance in the queue. Raises ``MissionsError`` if the shift does not start that day."""
    period_from, period_to = shift_instance_of(agency, shift, on)
    plan = MissionPlan(
        agency=agency,
        shift=shift,
        on=on,
        period_from=period_from,
        period_to=period_to,
        seed=secrets.randbits(62) if seed is None else seed,
        requested_by=requested_by,
        code_version=CODE_VERSION,
    )
    plan.full_clean(exclude=["design"])
    plan.save()
    return plan


def plan_missions(
    *, plan: MissionPlan, progress: Progress | None = None, with_reasons: bool = True
) -> MissionPlan:
    """Draw the plan's missions from the newest forecast of its shift instance; the result is a draft.

    Everything that the draw depends on is fixed before it and stored with it. Raises ``MissionsError`` naming
    the setting when nothing can be planned; beats that cannot be planned alone are named in the log.
    """
    with run_execution(plan, progress) as reporter:
        reporter.progress(0, 4, "Reading forecast and capacity")
        policy, forecast = _policy(plan.agency), _forecast(plan)
        assert forecast.grid is not None  # a succeeded forecast has a grid
        spec = GridSpec.from_bytes(bytes(forecast.grid.spec))
        beat_of_cell = cell_beats(forecast.grid)
        capacities = beat_capacities(plan.agency, plan.shift)
        planned_for = [row for row in capacities if row.k > 0]
        if not planned_for:
            raise MissionsError(
                f"No unit is on duty in any beat for {plan.shift}.",
                next_step="Admin → Units: give units a home beat, this shift and at least one mission per shift.",
            )
        suppressions = active_suppressions(
            plan.agency, period_from=plan.period_from, period_to=plan.period_to
        )
        minutes, days = planned_history(
            plan.agency,
            grid=forecast.grid,
            before=plan.period_from,
            window_days=policy.saturation_window_days,
        )
        reporter.progress(1, 4, "Working out probabilities and drawing")
        x_m, y_m = spec.centres()
        planned_beats = np.array([row.beat.pk for row in planned_for], dtype=np.int64)
        drawn = plan_draw(
            harm=harm(forecast),
            # Beats without a unit are left out before the draw: their K is 0, which is no design.
            beat_of_cell=np.where(np.isin(beat_of_cell, planned_beats), beat_of_cell, -1),
            beat_k={row.beat.pk: row.k for row in planned_for},
            beat_units={row.beat.pk: row.units_in_turn for row in planned_for},
            suppressed=suppressed_cells(suppressions, spec, beat_of_cell),
            planned_minutes=minutes,
            days_since_last=days,
            x_m=x_m,
            y_m=y_m,
            shift_minutes=round((plan.period_to - plan.period_from).total_seconds() / 60),
            policy=policy.as_design_policy(),
            seed=plan.seed,
        )
        if len(drawn) == 0:
            reasons = " ".join(row.message for row in drawn.infeasible[:3])
            raise MissionsError(
                f"No beat can be planned. {reasons}", next_step="change the setting named, then plan again."
            )
        reporter.progress(2, 4, "Storing the design")
        _log_beats(reporter, drawn, capacities)
        _store(
            plan, forecast, policy, drawn, spec, planned_for, suppression_ids=[row.pk for row in suppressions]
        )
        reporter.record(
            counts=asdict(plan_oversight(drawn)),
            config_snapshot=plan.config_snapshot,
            data_hash=forecast.data_hash,
        )
        reporter.progress(4, 4, "Done")
    boards_nudge(plan.agency_id)
    if not with_reasons:
        return plan
    # After the plan is closed: a supervisor need not wait for words, and words that fail must not fail the plan.
    try:
        plan_reasons_write(plan=plan, progress=progress)
    except MissionsError as exc:
        logger.warning("Plan %s: the reasons for its missions could not be written. %s", plan.pk, exc)
    return plan


def plan_publish(*, plan: MissionPlan, actor: User | None) -> MissionPlan:
    """Make a draft the shift's plan. An earlier published plan is superseded unless visits to it have begun.

    Raises ``MissionsError`` when the plan is unfinished, not a draft, or would replace one already under way.
    """
    if plan.status != RunStatus.SUCCEEDED:
        raise MissionsError(
            "This plan is not finished.", next_step="wait for it, or look at its error and plan again."
        )
    with transaction.atomic():
        earlier = MissionPlan.objects.select_for_update().filter(
            agency=plan.agency, shift=plan.shift, on=plan.on, state=MissionPlan.State.PUBLISHED
        )
        if Engagement.objects.filter(mission__plan__in=earlier).exists():
            raise MissionsError(
                "The published plan of this shift is already being carried out.",
                next_step="change single missions on the shift map; a new plan would erase what was drawn.",
            )
        earlier.update(state=MissionPlan.State.SUPERSEDED)
        won = MissionPlan.objects.filter(pk=plan.pk, state=MissionPlan.State.DRAFT).update(
            state=MissionPlan.State.PUBLISHED, published_at=timezone.now(), published_by=actor
        )
        if won != 1:
            raise MissionsError("This plan is no longer a draft.", next_step="reload the shift map.")
        audit_record(agency=plan.agency, actor=actor, action="plan published", subject=str(plan))
        boards_nudge(plan.agency_id)
    plan.refresh_from_db()
    return plan


def _policy(agency: Agency) -> PatrolPolicy:
    policy = active_policy(agency)
    if policy is None:
        raise MissionsError(
            f"Agency “{agency.slug}” has no active patrol policy.", next_step="Admin → Patrol policies → Add."
        )
    return policy


def _forecast(plan: MissionPlan) -> ForecastRun:
    forecast = plan.forecast_run or latest_forecast(plan.agency, plan.shift, plan.on)
    if forecast is None:
        raise MissionsError(
            f"There is no forecast for {plan.shift} on {plan.on:%Y-%m-%d}.",
            next_step=f"run `manage.py forecast --agency {plan.agency.slug} --shift {plan.shift.slug} "
            f"--date {plan.on:%Y-%m-%d}`, or press “Forecast this shift” on the risk map.",
        )
    return forecast


def _log_beats(reporter: RunReporter, drawn: PlanDraw, capacities: list[BeatCapacity]) -> None:
    code_of = {row.beat.pk: row.beat.code for row in capacities}
    idle = [row.beat.code for row in capacities if row.k == 0]
    lines = [f"Beats without a unit on duty, not planned: {', '.join(idle)}."] if idle else []
    for beat_id, messages in drawn.messages.items():
        # The engine knows beats by number; people know them by code.
        lines += [message.replace(f"Beat {beat_id}", f"Beat {code_of[beat_id]}") for message in messages]
    for line in lines:
        reporter.log(line)


@transaction.atomic
def _store(
    plan: MissionPlan,
    forecast: ForecastRun,
    policy: PatrolPolicy,
    drawn: PlanDraw,
    spec: GridSpec,
    capacities: list[BeatCapacity],
    suppression_ids: list[int],
) -> None:
    design = design_to_bytes(drawn)
    plan.forecast_run, plan.grid = forecast, forecast.grid
    plan.design, plan.design_hash = design, design_digest(drawn)
    plan.config_snapshot = {
        "policy": model_to_dict(policy, exclude=["agency", "is_active"]),
        "forecast_run": forecast.pk,
        "grid_hash": forecast.grid.hash if forecast.grid else "",
        "suppressions": suppression_ids,
        "k_by_beat": {row.beat.code: row.k for row in capacities},
        "methods": {str(beat): method for beat, method in drawn.method_of_beat.items()},
    }
    plan.save(update_fields=["forecast_run", "grid", "design", "design_hash", "config_snapshot"])
    MissionPlan.objects.filter(
        agency=plan.agency,
        shift=plan.shift,
        on=plan.on,
        state=MissionPlan.State.DRAFT,
        status=RunStatus.SUCCEEDED,
    ).exclude(pk=plan.pk).update(state=MissionPlan.State.SUPERSEDED)
    # A run killed between this write and its closing is queued again: it must not add its missions twice.
    Mission.objects.filter(plan=plan).delete()
    missions = Mission.objects.bulk_create(_missions(plan, forecast, drawn, spec, capacities))
    Assignment.objects.bulk_create(_assignments(plan, missions, drawn, capacities))


def _missions(
    plan: MissionPlan, forecast: ForecastRun, drawn: PlanDraw, spec: GridSpec, capacities: list[BeatCapacity]
) -> list[Mission]:
    rows = drawn.drawn_rows
    expected = expected_by_type(forecast)
    types: list[CrimeType] = list(expected)
    in_cells = np.array([expected[crime_type][drawn.cell[rows]] for crime_type in types])
    weights = np.array([crime_type.weight for crime_type in types])[:, None]
    # The box is coloured by the type that contributes most harm to it.
    leading = np.argmax(in_cells * weights, axis=0)
    x_m, y_m = spec.centres()
    places = place_names(plan.agency, x_m=x_m[drawn.cell[rows]], y_m=y_m[drawn.cell[rows]], epsg=spec.epsg)
    beats = {row.beat.pk: row.beat for row in capacities}
    made: list[Mission] = []
    for position, row in enumerate(rows.tolist()):
        starts = [
            plan.period_from + dt.timedelta(minutes=int(minute))
            for minute in drawn.visit_start_minutes[row]
            if not np.isnan(minute)
        ]
        made.append(
            Mission(
                agency=plan.agency,
                plan=plan,
                beat=beats[int(drawn.beat[row])],
                number=0,
                cell_id=int(spec.cells[drawn.cell[row]]),
                crime_type=types[int(leading[position])],
                place=places[position],
                visit_starts=[start.isoformat() for start in starts],
                starts_at=starts[0],
                dose_minutes=int(drawn.dose_minutes[row]),
                expected=float(in_cells[leading[position], position]),
                harm=float(drawn.harm[row]),
                probability=float(drawn.pi[row]),
            )
        )
    made.sort(key=lambda mission: (mission.beat.code, mission.visit_starts))
    for number, mission in enumerate(made, start=1):
        mission.number = number
    return made


def _assignments(
    plan: MissionPlan, missions: list[Mission], drawn: PlanDraw, capacities: list[BeatCapacity]
) -> list[Assignment]:
    made: list[Assignment] = []
    for capacity in capacities:
        own = [mission for mission in missions if mission.beat_id == capacity.beat.pk]
        chosen = assign_units(
            n_missions=len(own),
            unit_capacity=[unit.missions_per_shift for unit in capacity.units],
            seed=plan.seed,
            beat=capacity.beat.pk,
        )
        made += [
            Assignment(agency=plan.agency, mission=mission, unit=capacity.units[unit])
            for mission, unit in zip(own, chosen, strict=True)
        ]
    return made


def plan_summary(plan: MissionPlan) -> dict[str, Any]:
    """The plan's counts in the words of a command's output."""
    counts = plan.counts or {}
    return {
        "missions": counts.get("missions", 0),
        "share of expected harm": f"{100 * counts.get('harm_share', 0.0):.1f} %",
        "low-risk share": f"{100 * counts.get('low_risk_share', 0.0):.1f} %",
    }
