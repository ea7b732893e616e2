"""Shifts planned by schedule without any training: the forecast is copied from the scene's made-up one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from agencies.models import Shift
from forecasting.models import ForecastRun, RiskSurface
from missions_project.lib.progress import Progress
from missions_project.lib.runs import run_execution
from patrols.models import ShiftPlanning
from patrols.services import schedules
from tests.patrols.scenes import Scene, make_scene

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def one_shift_scene(on: dt.date) -> Scene:
    """The small agency with its evening shift alone, which a schedule plans."""
    scene = make_scene(on=on)
    Shift.objects.filter(agency=scene.agency).exclude(pk=scene.shift.pk).delete()
    return scene


def copying_forecast(
    monkeypatch: pytest.MonkeyPatch, scene: Scene, *, before: Callable[[ForecastRun], Any] = lambda run: None
) -> list[int]:
    """Let schedules copy the scene's surfaces instead of forecasting. Returns the list of runs done so."""
    done: list[int] = []

    def forecast(*, run: ForecastRun, progress: Progress | None = None) -> ForecastRun:
        with run_execution(run, progress) as reporter:
            before(run)
            RiskSurface.objects.filter(run=run).delete()
            for row in RiskSurface.objects.filter(run=scene.run):
                row.pk, row.run = None, run
                row.save(force_insert=True)
            reporter.record(grid=scene.grid, data_hash="d" * 64)
            done.append(run.pk)
        return run

    monkeypatch.setattr(schedules, "forecast_run", forecast)
    return done


def claim_and_run(now: dt.datetime) -> list[ShiftPlanning]:
    """What a dispatcher and its worker do at an instant."""
    done = [schedules.planning_run(pk=pk) for pk in schedules.plannings_claim(now=now)]
    return [row for row in done if row is not None]
