"""A draw turned into missions and who is sent: rows, not yet saved."""

import datetime as dt

import numpy as np

from agencies.models import CrimeType
from forecasting.selectors import expected_by_type
from patrols.capacity_selectors import BeatCapacity
from patrols.engine.assignment import assign_helpers, assign_units
from patrols.engine.design import Floats
from patrols.engine.drawing import standing_starts
from patrols.engine.plan import PlanDraw
from patrols.models import Assignment, Mission, MissionPlan
from patrols.places import place_names
from patrols.selectors import last_number
from patrols.services.plan_inputs import PlanInputs


def plan_rows(plan: MissionPlan, inputs: PlanInputs, drawn: PlanDraw) -> list[Mission]:
    """Return the plan's missions, unsaved: those drawn, and those that additions ask for; numbered by beat and start."""
    rows = drawn.drawn_rows
    positions = np.concatenate(
        [drawn.cell[rows], np.array([row.position for row in inputs.standing], dtype=np.int64)]
    )
    expected = expected_by_type(inputs.forecast)
    types: list[CrimeType] = list(expected)
    in_cells = np.array([expected[crime_type][positions] for crime_type in types])
    weights = np.array([crime_type.weight for crime_type in types])[:, None]
    # The box is coloured by the type that contributes most harm to it.
    leading = np.argmax(in_cells * weights, axis=0)
    x_m, y_m = inputs.spec.centres()
    places = place_names(plan.agency, x_m=x_m[positions], y_m=y_m[positions], epsg=inputs.spec.epsg)
    beats = {row.beat.pk: row.beat for row in inputs.everyone}
    made: list[Mission] = []
    for at, row in enumerate(rows.tolist()):
        starts = _instants(plan, drawn.visit_start_minutes[row])
        made.append(
            Mission(
                agency=plan.agency,
                plan=plan,
                beat=beats[int(drawn.beat[row])],
                number=0,
                cell_id=int(inputs.spec.cells[positions[at]]),
                crime_type=types[int(leading[at])],
                place=places[at],
                visit_starts=[start.isoformat() for start in starts],
                starts_at=starts[0],
                dose_minutes=int(drawn.dose_minutes[row]),
                expected=float(in_cells[leading[at], at]),
                harm=float(drawn.harm[row]),
                probability=float(drawn.pi[row]),
            )
        )
    for at, place in enumerate(inputs.standing, start=len(rows)):
        addition = place.addition
        starts = _instants(
            plan,
            standing_starts(
                cell=int(inputs.spec.cells[place.position]),
                shift_minutes=drawn.shift_minutes,
                policy=drawn.policy,
                dose_minutes=addition.dose_minutes,
                seed=plan.seed,
            ),
        )
        known = next((n for n, row in enumerate(types) if row.pk == addition.crime_type_id), None)
        made.append(
            Mission(
                agency=plan.agency,
                plan=plan,
                beat=beats[place.beat],
                number=0,
                cell_id=int(inputs.spec.cells[place.position]),
                crime_type=addition.crime_type,
                place=places[at],
                visit_starts=[start.isoformat() for start in starts],
                starts_at=starts[0],
                dose_minutes=addition.dose_minutes,
                expected=float(in_cells[known, at]) if known is not None else 0.0,
                harm=float(inputs.harm[place.position]),
                probability=1.0,
                source=Mission.Source.ADDED,
                addition=addition,
                tactic=addition.tactic,
                reason=addition.reason,
                author=addition.author,
            )
        )
    made.sort(key=lambda mission: (mission.beat.code, mission.visit_starts))
    # The numbers of a decision go on after those of the shift's plan: the list shows them together.
    first = last_number(plan) + 1 if plan.decision else 1
    for number, mission in enumerate(made, start=first):
        mission.number = number
    return made


def _instants(plan: MissionPlan, minutes: Floats) -> list[dt.datetime]:
    return [plan.period_from + dt.timedelta(minutes=int(at)) for at in minutes if not np.isnan(at)]


def assignment_rows(plan: MissionPlan, missions: list[Mission], rows: list[BeatCapacity]) -> list[Assignment]:
    """Return who is sent to each mission, unsaved. Missions beyond the units' time have nobody.

    A beat's own units first; then the units that help in a beat without any, with what they have left, each mission to one
    that is free at its times.
    """
    made: list[Assignment] = []
    left = {unit.pk: n for row in rows for unit, n in zip(row.units, row.missions, strict=True)}
    busy: dict[int, list[tuple[float, float]]] = {pk: [] for pk in left}
    # Helped beats last: what their helpers have left is known only then.
    for row in sorted(rows, key=lambda row: row.helped):
        room = [left[unit.pk] for unit in row.units]
        own = [mission for mission in missions if mission.beat_id == row.beat.pk][: sum(room)]
        if row.helped:
            chosen = assign_helpers(
                visits=[_spans(mission) for mission in own],
                unit_capacity=room,
                busy=[busy[unit.pk] for unit in row.units],
            )
        else:
            chosen = assign_units(n_missions=len(own), unit_capacity=room, seed=plan.seed, beat=row.beat.pk)
        for mission, number in zip(own, chosen, strict=True):
            unit = row.units[number]
            left[unit.pk] -= 1
            busy[unit.pk] += _spans(mission)
            made.append(Assignment(agency=plan.agency, mission=mission, unit=unit))
    return made


def _spans(mission: Mission) -> list[tuple[float, float]]:
    """The mission's visits as (from, to), minutes of the epoch."""
    starts = [dt.datetime.fromisoformat(text).timestamp() / 60 for text in mission.visit_starts]
    return [(start, start + mission.dose_minutes) for start in starts]
