"""A published plan with missions, made by hand: tests of tactics need no forecast."""

from __future__ import annotations

import datetime as dt

import numpy as np
from django.utils import timezone

from agencies.models import Agency, Beat, CrimeType, Shift, Unit
from forecasting.engine.grid import GridSpec, project
from forecasting.models import Grid
from missions_project.lib.runs import RunStatus
from patrols.models import Assignment, Mission, MissionPlan
from tests.factories import SIDE_M, SOUTH, WEST

EPSG = 32616


def make_grid(agency: Agency) -> Grid:
    """The agency's 4 km square in cells of 250 m."""
    x_m, y_m = project([WEST], [SOUTH], EPSG)
    side = int(SIDE_M / agency.cell_size_m)
    spec = GridSpec(
        EPSG,
        float(x_m[0]),
        float(y_m[0]),
        agency.cell_size_m,
        side,
        side,
        np.arange(side * side, dtype=np.int64),
    )
    return Grid.objects.create(
        agency=agency,
        spec=spec.to_bytes(),
        hash=spec.hash,
        epsg=EPSG,
        cell_size_m=agency.cell_size_m,
        n_cells=len(spec),
    )


def make_plan(
    agency: Agency,
    *,
    shift: str = "evening",
    period_from: dt.datetime | None = None,
    state: str = MissionPlan.State.PUBLISHED,
) -> MissionPlan:
    """A finished plan whose shift began two hours ago, published unless told otherwise."""
    period_from = period_from or timezone.now() - dt.timedelta(hours=2)
    grid = Grid.objects.filter(agency=agency, is_active=True).first() or make_grid(agency)
    return MissionPlan.objects.create(
        agency=agency,
        shift=Shift.objects.get(agency=agency, slug=shift),
        on=period_from.date(),
        period_from=period_from,
        period_to=period_from + dt.timedelta(hours=8),
        grid=grid,
        seed=7,
        state=state,
        status=RunStatus.SUCCEEDED,
        published_at=timezone.now() if state == MissionPlan.State.PUBLISHED else None,
    )


def make_mission(
    plan: MissionPlan,
    *,
    unit: Unit | None = None,
    number: int = 1,
    crime_type: str = "robbery",
    starts_in_minutes: float = 0.0,
    visits: int = 1,
    dose_minutes: int = 12,
    place: str = "Elm St & 4th Ave",
) -> Mission:
    """A mission to a cell of its own, an hour between visits, given to the unit if there is one."""
    start = timezone.now() + dt.timedelta(minutes=starts_in_minutes)
    starts = [start + dt.timedelta(hours=hour) for hour in range(visits)]
    mission = Mission.objects.create(
        agency=plan.agency,
        plan=plan,
        beat=unit.beat if unit and unit.beat else Beat.objects.filter(agency=plan.agency).earliest("pk"),
        number=number,
        cell_id=17 + 3 * number,
        crime_type=CrimeType.objects.get(agency=plan.agency, slug=crime_type),
        place=place,
        visit_starts=[instant.isoformat() for instant in starts],
        starts_at=starts[0],
        dose_minutes=dose_minutes,
        expected=0.03,
        harm=0.12,
        probability=0.4,
    )
    if unit:
        Assignment.objects.create(agency=plan.agency, mission=mission, unit=unit)
    return mission
