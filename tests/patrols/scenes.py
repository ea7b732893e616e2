"""A small agency with a forecast whose numbers the test chooses: no training, no incidents."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from django.utils import timezone

from agencies.models import Agency, CrimeType, Shift, User
from agencies.selectors import shift_instance_of
from forecasting.codec import surface_encode
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface, TrainingRun
from forecasting.services import grid_build
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan, PatrolPolicy
from patrols.services import plan_missions, plan_publish, plan_queue
from tests.factories import make_agency

ON = dt.date(2026, 3, 14)
"""A Saturday, the day before summer time is a week old."""


@dataclass
class Scene:
    """The agency, its grid, one forecast evening, and how to plan it."""

    agency: Agency
    grid: Grid
    run: ForecastRun
    shift: Shift
    policy: PatrolPolicy

    @property
    def spec(self) -> GridSpec:
        return GridSpec.from_bytes(bytes(self.grid.spec))

    def plan(self, *, seed: int = 7, publish: bool = False, actor: User | None = None) -> MissionPlan:
        plan = plan_queue(agency=self.agency, shift=self.shift, on=self.run.on, seed=seed)
        plan_missions(plan=plan)
        return plan_publish(plan=plan, actor=actor) if publish else plan


def make_forecast(agency: Agency, grid: Grid, shift: Shift, on: dt.date) -> ForecastRun:
    """A finished forecast: robbery rises to the north, burglary to the east, theft of vehicles is even."""
    period_from, period_to = shift_instance_of(agency, shift, on)
    now = timezone.now()
    run = ForecastRun.objects.create(
        agency=agency, shift=shift, on=on, period_from=period_from, period_to=period_to, as_of=period_from,
        grid=grid, status=RunStatus.SUCCEEDED, started_at=now, finished_at=now, data_hash="d" * 64,
    )  # fmt: skip
    training = TrainingRun.objects.create(agency=agency, status=RunStatus.SUCCEEDED)
    spec = GridSpec.from_bytes(bytes(grid.spec))
    x_m, y_m = spec.centres()
    north, east = (y_m - y_m.min()) / np.ptp(y_m), (x_m - x_m.min()) / np.ptp(x_m)
    shapes = {"robbery": 0.001 + 0.02 * north**3, "burglary": 0.001 + 0.03 * east**3}
    for crime_type in CrimeType.objects.filter(agency=agency):
        values = shapes.get(crime_type.slug, np.full(len(spec), 0.002))
        version, _ = ModelVersion.objects.get_or_create(
            agency=agency, crime_type=crime_type, number=1,
            defaults={
                "run": training, "grid": grid, "champion": "made up", "beats_baseline": False, "is_baseline": True,
                "state": ModelVersion.State.LIVE, "approved_at": now, "artefact": "",
                "artefact_hash": "", "trained_from": period_from, "trained_to": period_from, "n_incidents": 0,
                "data_hash": "",
            },
        )  # fmt: skip
        RiskSurface.objects.create(
            agency=agency, run=run, crime_type=crime_type, model_version=version, values=surface_encode(values),
            grid_hash=grid.hash, expected_total=float(values.sum()),
        )  # fmt: skip
    return run


def make_scene(slug: str = "riverton", *, on: dt.date = ON) -> Scene:
    agency = make_agency(slug)
    grid = grid_build(agency=agency)
    shift = Shift.objects.get(agency=agency, slug="evening")
    policy = PatrolPolicy.objects.create(agency=agency)
    return Scene(agency, grid, make_forecast(agency, grid, shift, on), shift, policy)
