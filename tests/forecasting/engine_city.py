"""A small synthetic city for the engine's tests: 30 x 30 cells, a steady hot corner, three shifts."""

from dataclasses import replace

import numpy as np
import shapely

from forecasting.engine.grid import GridSpec, grid_build
from forecasting.engine.periods import Periods, ShiftWindow
from ingestion.engine.tables import IncidentTable

SHIFTS = (ShiftWindow("day", 480, 480), ShiftWindow("evening", 960, 480), ShiftWindow("night", 0, 480))
BEGIN = np.datetime64("2020-01-01T00:00:00", "s")
SIDE_M = 6_000.0


def square_grid(cell_size_m: float = 200.0, side_m: float = SIDE_M) -> GridSpec:
    return grid_build(shapely.box(0, 0, side_m, side_m), cell_size_m, 32616)


def table(
    x_m: np.ndarray,
    y_m: np.ndarray,
    at: np.ndarray,
    category: np.ndarray,
    categories: tuple[str, ...] = ("burglary", "robbery"),
    delay_days: np.ndarray | float = 0.0,
) -> IncidentTable:
    at = at.astype("datetime64[s]")
    known = at + np.asarray(np.broadcast_to(delay_days, at.shape) * 86_400).astype("timedelta64[s]")
    rows = np.argsort(at, kind="stable")
    made = IncidentTable(
        x_m.astype(float), y_m.astype(float), at, at, at, known, category.astype(np.int16), categories
    )
    return made.take(rows)


def city(
    rng: np.random.Generator,
    n: int = 3_000,
    days: int = 240,
    categories: tuple[str, ...] = ("burglary", "robbery"),
    delay_days: float = 0.0,
) -> IncidentTable:
    """Incidents of which 60 % fall around one corner, mostly in the evening; the rest anywhere, any time."""
    hot = rng.random(n) < 0.6
    x = np.where(hot, rng.normal(1_500, 300, n), rng.uniform(0, SIDE_M, n))
    y = np.where(hot, rng.normal(1_500, 300, n), rng.uniform(0, SIDE_M, n))
    day = rng.integers(0, days, n)
    second = np.where(hot, rng.normal(19.5 * 3600, 4_000, n), rng.uniform(0, 86_400, n)).clip(0, 86_399)
    at = BEGIN + (day * 86_400 + second.astype(np.int64)).astype("timedelta64[s]")
    delay = rng.exponential(delay_days, n) if delay_days else np.zeros(n)
    return table(x, y, at, rng.integers(0, len(categories), n), categories, delay)


def shift_instances(days: int, first_day: int = 0) -> Periods:
    """Night, day and evening of each day, ascending."""
    at = BEGIN + np.arange(first_day * 3, days * 3) * np.timedelta64(8, "h")
    slot = np.array([2, 0, 1])[np.arange(first_day * 3, days * 3) % 3]
    return Periods(at, at + np.timedelta64(8, "h"), at, slot.astype(np.int16))


def with_known(incidents: IncidentTable, known_utc: np.ndarray) -> IncidentTable:
    return replace(incidents, known_utc=known_utc)
