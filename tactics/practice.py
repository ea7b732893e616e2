"""A made-up shift for the officer's page: missions that exist in memory only, around the unit's beat."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import shapely.geometry

from agencies.models import Agency, Beat, CrimeType, Shift, Unit
from agencies.selectors import active_crime_types, agency_area
from forecasting.engine.grid import GridSpec, project
from forecasting.models import Grid
from patrols.models import Engagement, Mission, MissionPlan
from tactics.models import OfficerAction, PracticeShift
from tactics.officer import MyMission, my_missions
from tactics.services.practice import MISSIONS

PLACES = ("Practice corner", "Practice lot", "Practice park")
DOSES = (10, 12, 15)
Kind = OfficerAction.Kind


@dataclass(frozen=True)
class Practice:
    """The made-up missions with what was pressed at them; ``used`` and ``notes`` by the mission's number."""

    mine: list[MyMission]
    used: dict[int, set[int]]
    notes: dict[int, list[str]]
    just_left: Engagement | None


def practice_page(
    agency: Agency, unit: Unit, practice: PracticeShift, *, now: dt.datetime
) -> Practice | None:
    """Return the made-up shift as the page shows it; None where the agency has no crime types. At most five queries.

    The same officer's practice has the same places. Nothing here is saved, and the numbers of these missions are below
    nought, which no stored row has.
    """
    types = active_crime_types(agency)
    if not types:
        return None
    missions = _missions(agency, unit, practice, types)
    used: dict[int, set[int]] = {}
    notes: dict[int, list[str]] = {}
    visits = _visits(missions, unit, practice.log, used, notes)
    for mission in missions:
        mission.visits_made = [visit for visit in visits if visit.mission is mission]  # type: ignore[attr-defined]  # as boards fetch them
    ended = [visit for visit in visits if visit.left_at is not None]
    mine = my_missions(missions, unit=unit, zone=agency.time_zone, now=now)
    return Practice(mine, used, notes, max(ended, key=lambda visit: visit.left_at or now, default=None))


def _missions(agency: Agency, unit: Unit, practice: PracticeShift, types: list[CrimeType]) -> list[Mission]:
    grid = Grid.objects.filter(agency=agency, is_active=True).first()
    beat = unit.beat or Beat.objects.filter(agency=agency).first() or Beat(agency=agency, code="–")
    begun = practice.started_at
    shift = Shift(agency=agency, name="Practice", slug="practice", duration_minutes=480)
    plan = MissionPlan(
        agency=agency,
        shift=shift,
        grid=grid,
        on=begun.date(),
        period_from=begun,
        period_to=begun + dt.timedelta(hours=8),
    )
    cells = _cells(agency, grid, beat, seed=practice.officer_id)
    made = []
    for number in range(1, MISSIONS + 1):
        start = begun + dt.timedelta(minutes=30 * (number - 1))
        mission = Mission(
            pk=-number,
            agency=agency,
            plan=plan,
            beat=beat,
            number=number,
            cell_id=cells[number - 1],
            crime_type=types[(number - 1) % len(types)],
            place=PLACES[number - 1],
            visit_starts=[start.isoformat()],
            starts_at=start,
            dose_minutes=DOSES[number - 1],
            source=Mission.Source.DRAWN,
        )
        # Else reading it would look for a stored mission's unit.
        mission._state.fields_cache["assignment"] = None
        made.append(mission)
    return made


def _cells(agency: Agency, grid: Grid | None, beat: Beat, *, seed: int) -> list[int]:
    """Three cells around the middle of the beat, or else of the agency; the same ones for the same seed."""
    if grid is None:
        return [0] * MISSIONS
    spec = GridSpec.from_bytes(bytes(grid.spec))
    shape = shapely.geometry.shape(beat.geometry) if beat.geometry else agency_area(agency)
    x_m, y_m = spec.centres()
    middle = (float(x_m.mean()), float(y_m.mean()))
    if shape is not None:
        at = project([shape.centroid.x], [shape.centroid.y], spec.epsg)
        middle = (float(at[0][0]), float(at[1][0]))
    near = np.argsort(np.hypot(x_m - middle[0], y_m - middle[1]), kind="stable")[:24]
    chosen = np.random.default_rng(seed).permutation(near)[:MISSIONS]
    return [int(spec.cells[position]) for position in np.resize(chosen, MISSIONS)]


def _visits(
    missions: list[Mission],
    unit: Unit,
    log: list[dict[str, Any]],
    used: dict[int, set[int]],
    notes: dict[int, list[str]],
) -> list[Engagement]:
    """Play the presses in the order of their times, as a real shift's would count; fills ``used`` and ``notes``."""
    visits: list[Engagement] = []
    for row in sorted(log, key=lambda row: str(row["at"])):
        number, at = int(row["number"]), dt.datetime.fromisoformat(row["at"])
        running = next((visit for visit in visits if visit.left_at is None), None)
        is_here = running is not None and running.mission.number == number
        if row["kind"] == Kind.ARRIVED and not is_here:
            if running is not None:
                running.left_at = at
            visits.append(
                Engagement(agency=unit.agency, mission=missions[number - 1], unit=unit, arrived_at=at)
            )
            used[number], notes[number] = set(), []
        elif row["kind"] == Kind.LEFT and is_here and running is not None:
            running.left_at = at
        elif row["kind"] == Kind.TACTIC:
            ticked = used.setdefault(number, set())
            ticked.add(row["tactic"]) if row["used"] else ticked.discard(row["tactic"])
        elif row["kind"] == Kind.NOTE:
            notes.setdefault(number, []).append(row["text"])
    return visits
