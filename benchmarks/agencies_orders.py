"""What bench_agencies has done inside the product: made, and sent as the minute's dispatcher sends it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import agencies_positions, agencies_rows
from benchmarks.agencies_city import KINDS, TYPES, agencies_make, agency_make, shift_choose


def make(n: str, part: str) -> dict[str, Any]:
    """So many agencies in the mix; for fairness a small one whose shift is due and a large one that imports."""
    from django.core.management import call_command

    if part == "rows":
        return agencies_rows.shells()
    if part != "fairness":
        return agencies_make(int(n))
    call_command("migrate", verbosity=0)
    rng = np.random.default_rng(16)
    return {kind.name: agency_make(f"{kind.name}-0", kind, rng)[0] for kind in KINDS if kind.name != "medium"}


def send(what: str, slug: str = "") -> dict[str, Any]:
    """Make a step due and have the dispatcher send for it; when it began, and how many were sent."""
    from missions_project import pipeline

    if what == "training":
        _trainings_make_due()
        act = pipeline.refits_due
    elif what == "planning":
        _plannings_make_due(slug)
        act = pipeline.plannings_due
    else:
        act = pipeline.reasons_due
    began = time.time()
    sent = act()
    return {"sent": sent, "began": began, "sending_s": round(time.time() - began, 3)}


def _trainings_make_due() -> None:
    """As if the last training had been three nights ago."""
    from django.utils import timezone

    from forecasting.models import TrainingRun

    TrainingRun.objects.update(queued_at=timezone.now() - dt.timedelta(days=3), due_at=None)


def _plannings_make_due(slug: str) -> None:
    """As if nobody had planned the next shift yet, of every agency or of one."""
    from agencies.models import Agency
    from patrols.models import PlanSchedule, ShiftPlanning

    shift_choose()
    if slug:
        PlanSchedule.objects.filter(shift__isnull=False).exclude(agency__slug=slug).delete()
        assert Agency.objects.filter(slug=slug).exists()
    ShiftPlanning.objects.all().delete()


def file(rows: str) -> dict[str, Any]:
    """A file of made-up crimes of the large agency."""
    import pandas as pd
    from django.conf import settings

    from tests.factories import degrees
    from tests.ingestion.files import COLUMNS

    n, rng = int(rows), np.random.default_rng(17)
    side = 39_000.0
    west, south = degrees(200, 200)
    east, north = degrees(side, side)
    seconds = rng.integers(0, 4 * 365 * 86_400, n).astype("timedelta64[s]")
    at = pd.Series(np.datetime64("2022-01-01T00:00:00") + seconds)
    kind = rng.integers(0, len(TYPES), n)
    table = pd.DataFrame(
        {
            "id": np.arange(n), "occurred_at": at.dt.strftime("%Y-%m-%dT%H:%M:%S"), "code": "X-1",
            "nibrs_code": np.array([code for code, *_ in TYPES])[kind],
            "lat": np.round(rng.uniform(south, north, n), 6), "lon": np.round(rng.uniform(west, east, n), 6),
        },
        columns=list(COLUMNS),
    )  # fmt: skip
    path = Path(settings.VAR_DIR) / "many.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return {"path": str(path), "rows": n, "mb": round(path.stat().st_size / 1e6)}


def import_send(path: str) -> dict[str, Any]:
    """Send for the import of the file into a new feed: each time all of its rows are new."""
    from agencies.models import Agency
    from ingestion.models import ImportRun
    from ingestion.services import import_run_queue
    from ingestion.tasks import import_task
    from tests.ingestion.files import plain_feed

    feed = plain_feed(Agency.objects.get(slug="large-0"), f"many-{ImportRun.objects.count()}")
    run = import_run_queue(feed=feed, path=Path(path))
    import_task.delay(run.pk)
    return {"run": run.pk}


def rows(first: str, n: str) -> dict[str, Any]:
    return agencies_rows.rows_add(int(first), int(n))


def asked() -> dict[str, Any]:
    return agencies_rows.asked()


def positions(piece: str, n: str) -> dict[str, Any]:
    return agencies_positions.positions_add(int(piece), int(n))


ORDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "make": make,
    "send": send,
    "file": file,
    "import": import_send,
    "rows": rows,
    "asked": asked,
    "positions": positions,
    "positions_asked": agencies_positions.positions_asked,
    "positions_given_up": agencies_positions.positions_given_up,
}
