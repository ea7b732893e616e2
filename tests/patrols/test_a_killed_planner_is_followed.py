"""A worker process that is really killed while it plans a shift: the next one finishes it, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from forecasting.models import ForecastRun
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, RunStatus
from patrols.models import MissionPlan, ShiftPlanning
from patrols.services import plannings_claim
from tests.patrols.rounds import HOUR, MINUTE, claim_and_run, copying_forecast, one_shift_scene
from tests.patrols.scenes import ON

WORKER = """
import sys, time
import django; django.setup()
from missions_project.lib.runs import run_execution
from patrols.services import schedules

def forecast(*, run, progress=None):
    with run_execution(run, progress) as reporter:
        reporter.progress(1, 2, "at it")
        print("at it", flush=True)
        time.sleep(120)

schedules.forecast_run = forecast
schedules.planning_run(pk=int(sys.argv[1]))
"""


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_killed_process_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one_shift_scene(ON)
    now = scene.run.period_from - HOUR
    (pk,) = plannings_claim(now=now)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "PYTHONPATH": str(Path(settings.BASE_DIR)),
    }
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(pk)], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "at it\n"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    row = ShiftPlanning.objects.get(pk=pk)
    run = ForecastRun.objects.exclude(pk=scene.run.pk).get()
    assert (row.state, row.forecast_run, run.status) == ("running", run, RunStatus.RUNNING)
    # Five silent minutes later.
    ShiftPlanning.objects.update(claimed_at=now - HEARTBEAT_LOST_AFTER - MINUTE)
    ForecastRun.objects.filter(pk=run.pk).update(heartbeat_at=run.started_at - HEARTBEAT_LOST_AFTER - MINUTE)
    ForecastRun.objects.all().requeue_abandoned()
    copying_forecast(monkeypatch, scene)
    (again,) = claim_and_run(now)
    assert (again.pk, again.state, again.attempts, again.forecast_run_id) == (pk, "done", 2, run.pk)
    assert MissionPlan.objects.get().missions.count() == 12
    assert ForecastRun.objects.count() == 2
