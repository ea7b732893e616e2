"""What a worker of these tests is born with: short patience, and the faults that it is to die of.

Each line of the installation's file ``faults`` is ``model step who often``, e.g. ``forecastrun 3 child once``: at the third
sign of life of such a run (or at each one of a name: progress, log, record, close; received: a worker has its message, and its
row waits still) the process kills itself with SIGKILL, once in the installation's life or always. ``child`` is the process that works, as when the kernel runs out of memory,
``group`` the worker with all its children, as when the machine dies. ``nobody``: it waits in the middle of its work for as
long as the test keeps it there (the file ``held``), so that something else can be struck under it.
"""

import datetime as dt
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from celery import signals

from missions_project.lib import runs
from missions_project.operations import pulses
from missions_project.operations import scheduler as schedulers
from patrols.services import schedules

FOLDER = Path(os.environ["FAULTS_FOLDER"])
PATIENCE = dt.timedelta(seconds=float(os.environ.get("FAULTS_PATIENCE", "2")))
RECEIVED = {
    "ingestion.tasks.import_task": "importrun", "forecasting.tasks.training_run_task": "trainingrun",
    "forecasting.tasks.forecast_run_task": "forecastrun", "patrols.tasks.plan_task": "missionplan",
}  # fmt: skip
_steps: dict[tuple[str, int, int], int] = {}


def impatient() -> None:
    """Two silent seconds are as good as five minutes, and what failed is tried again after as long."""
    # Whoever imports the constants by name has copies of its own.
    for module in [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(("patrols.", "missions_project."))
    ]:
        if "HEARTBEAT_LOST_AFTER" in vars(module):
            module.HEARTBEAT_LOST_AFTER = PATIENCE  # type: ignore[attr-defined]
    schedules.TRY_AGAIN_AFTER = PATIENCE
    schedules.BEAT_EVERY = PATIENCE / 10
    runs.PROGRESS_EVERY_SECONDS = 0.0
    schedulers.WAIT_SECONDS = 0.5
    assert pulses.lease_hold.__kwdefaults__ is not None
    pulses.lease_hold.__kwdefaults__["lease"] = PATIENCE * 2


def deadly() -> None:
    """Have the process kill itself at the steps that the file names."""
    for name in ("progress", "log", "record", "close"):
        wrap(name)


def step(reporter: runs.RunReporter, name: str) -> None:
    """Die here if the file says so."""
    run = reporter.run
    model = str(run._meta.model_name)
    key = (model, run.pk, run.attempts)
    _steps[key] = _steps.get(key, 0) + 1
    meet(model, str(_steps[key]), name)


def meet(model: str, *steps: str) -> None:
    """Die, or wait, if the file says so of such a run at one of these steps."""
    faults, killed = FOLDER / "faults", FOLDER / "killed"
    if not faults.exists():
        return
    done = killed.read_text().splitlines() if killed.exists() else []
    for line in faults.read_text().splitlines():
        kind, at, who, often = line.split()
        if kind == model and at in steps and (often == "always" or line not in done):
            with killed.open("a") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
            if who == "nobody":
                stay(kind)
            else:
                die(who)


def stay(kind: str) -> None:
    """Tell the test, and wait until it lets go or, where it has gone, a minute."""
    held, until = FOLDER / "held", time.monotonic() + 60
    held.write_text(kind)
    while held.exists() and time.monotonic() < until:
        time.sleep(0.05)


def die(who: str) -> None:
    if who == "group":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(name: str) -> None:
    real = getattr(runs.RunReporter, name)

    def counted(self: runs.RunReporter, *args: Any, **kwargs: Any) -> None:
        step(self, name)
        real(self, *args, **kwargs)

    setattr(runs.RunReporter, name, counted)


def note_sent(sender: str = "", **_: Any) -> None:
    """Which process sent which task."""
    with (FOLDER / "sent").open("a") as file:
        file.write(f"{os.getpid()} {sender}\n")


def note_begun(sender: Any, task_id: str, **_: Any) -> None:
    """Which message a worker begins, of which task."""
    with (FOLDER / "begun").open("a") as file:
        file.write(f"{task_id} {sender.name}\n")
    if sender.name in RECEIVED:
        meet(RECEIVED[sender.name], "received")


impatient()
deadly()
signals.task_prerun.connect(note_begun)
signals.after_task_publish.connect(note_sent)
