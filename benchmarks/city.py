"""What the engine's benchmarks share: Chicago, or a made-up city of any size, and how a cost is taken."""

import json
import os
import pathlib
import platform
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.engine.fit import fit_champions  # noqa: E402 - the path above must come first
from forecasting.engine.grid import GridSpec, grid_build, project, utm_epsg  # noqa: E402
from forecasting.engine.periods import Periods, ShiftWindow  # noqa: E402
from forecasting.engine.trained import TrainedType  # noqa: E402
from ingestion.engine.tables import IncidentTable  # noqa: E402

R = TypeVar("R")
DATA = ROOT.parent / "shared" / "data"
BEGIN = np.datetime64("2013-01-01", "s")
TYPES = ("theft", "aggravated_assault", "burglary", "motor_vehicle_theft", "robbery", "homicide")
SHIFTS = (ShiftWindow("night", 0, 480), ShiftWindow("day", 480, 480), ShiftWindow("evening", 960, 480))


def boundary(path: pathlib.Path) -> tuple[shapely.Geometry, int]:
    """The districts' union in metres, made as the scorer makes it, and its UTM zone."""
    features = json.loads(path.read_text())["features"]
    shapes = shapely.make_valid(np.array([shapely.geometry.shape(one["geometry"]) for one in features]))
    union = shapely.union_all(shapes)
    epsg = utm_epsg(union.centroid.x, union.centroid.y)
    return shapely.make_valid(
        shapely.transform(union, lambda p: np.column_stack(project(p[:, 0], p[:, 1], epsg)))
    ), epsg


def incidents_of(path: pathlib.Path, since: str, epsg: int) -> IncidentTable:
    """Events on their own naive clock (the scorer's), known when they happened."""
    frame = pd.read_parquet(path).dropna(subset=["lat", "lon"])
    frame = frame[frame.occurred_at >= since].sort_values("occurred_at", kind="stable")
    x_m, y_m = project(frame.lon.to_numpy(), frame.lat.to_numpy(), epsg)
    at = frame.occurred_at.to_numpy().astype("datetime64[s]")
    code = (
        frame.category.map({slug: k for k, slug in enumerate(TYPES)}).fillna(-1).to_numpy().astype(np.int16)
    )
    return IncidentTable(x_m, y_m, at, at, at, at, code, TYPES)


def shift_instances(first: np.datetime64, end: np.datetime64) -> Periods:
    """Eight-hour shifts from midnight."""
    at: npt.NDArray[np.datetime64] = np.arange(first, end, np.timedelta64(8, "h")).astype("datetime64[s]")
    return Periods(at, at + np.timedelta64(8, "h"), at, (np.arange(len(at)) % 3).astype(np.int16))


def chicago(
    data: pathlib.Path, cell_m: float, since: str = "2013-01-01"
) -> tuple[GridSpec, IncidentTable] | None:
    """The public data set of six crime types, or None where it is absent (and says so)."""
    events = data / "chicago" / "events_2013_2018.parquet"
    if not events.exists():
        print(f"Skipped: no public data at {events}. Point --data at the folder that holds chicago/.")
        return None
    area, epsg = boundary(data / "chicago" / "districts.geojson")
    return grid_build(area, cell_m, epsg), incidents_of(events, since, epsg)


def made_up(
    rng: np.random.Generator, n_events: int, n_cells: int, days: int, cell_m: float = 150.0
) -> tuple[GridSpec, IncidentTable]:
    """A square city: two thirds of the incidents around 300 streets of unequal weight, the rest anywhere.

    Written without a loop and in as few bytes as the table allows: 6.7 million incidents take half a gigabyte.
    """
    side = round(n_cells**0.5)
    grid = grid_build(shapely.box(0, 0, side * cell_m, side * cell_m), cell_m, 32616)
    centre = rng.random((300, 2)) * side * cell_m
    street = rng.choice(300, n_events, p=rng.dirichlet(np.full(300, 0.4)))
    away = rng.random(n_events) < 1 / 3
    x_m, y_m = (
        np.where(
            away, rng.random(n_events) * side * cell_m, centre[street, axis] + rng.normal(0, 250, n_events)
        )
        for axis in (0, 1)
    )
    hour = (rng.normal(20.0, 5.0, n_events) % 24) * 3600
    seconds = np.sort(rng.integers(0, days, n_events) * 86_400 + hour.astype(np.int64))
    at = BEGIN + seconds.astype("timedelta64[s]")
    weights = np.array([0.5, 0.14, 0.12, 0.11, 0.115, 0.015])
    category = rng.choice(len(TYPES), n_events, p=weights).astype(np.int16)
    return grid, IncidentTable(x_m, y_m, at, at, at, at, category, TYPES)


def champions(
    grid: GridSpec, incidents: IncidentTable, now: np.datetime64, workers: int | None = None
) -> dict[str, TrainedType]:
    """The usual champion of all six types, fitted on everything until now without a contest."""
    return fit_champions(
        grid=grid,
        incidents=incidents,
        periods=shift_instances(BEGIN, now),
        shifts=SHIFTS,
        targets=TYPES,
        as_of_utc=now,
        rng=np.random.default_rng(1),
        workers=workers,
    )


def tonight(incidents: IncidentTable) -> tuple[np.datetime64, Periods]:
    """The midnight before the last incident, and the shift that begins then."""
    now = incidents.occurred_utc[-1].astype("datetime64[D]").astype("datetime64[s]")
    return now, shift_instances(now, now + np.timedelta64(8, "h"))


def measured(work: Callable[[], R]) -> tuple[R, dict[str, float]]:
    """(result, {wall_s, cpu_s}): processor seconds tell the cost where other programs share the machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def best_of(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Best and median seconds of a repeated action."""
    costs = [measured(work)[1] for _ in range(repeats)]
    return {
        "best_wall_s": min(cost["wall_s"] for cost in costs),
        "median_wall_s": float(np.median([cost["wall_s"] for cost in costs])),
        "best_cpu_s": min(cost["cpu_s"] for cost in costs),
    }


def peak_mb() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "numpy": np.__version__, "cpus": os.cpu_count()}
