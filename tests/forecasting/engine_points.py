"""Made-up points for the tests of the published methods, and a city whose incidents set off others."""

import numpy as np

from forecasting.engine.classics.points import PointProcess, Points
from forecasting.engine.grid import GridSpec
from tests.forecasting.engine_city import square_grid


def points_at(
    grid: GridSpec, x_m: np.ndarray, y_m: np.ndarray, occurred: np.ndarray, delay: np.ndarray | float = 0.0
) -> Points:
    """Points inside the grid, ascending by when they became known."""
    known = occurred + delay
    order = np.lexsort((occurred, known))
    x_m, y_m, occurred, known = x_m[order], y_m[order], occurred[order], known[order]
    return Points(grid.locate(x_m, y_m), x_m, y_m, occurred, known)


def scattered(
    grid: GridSpec, rng: np.random.Generator, n: int, days: float, delay_days: float = 0.0
) -> Points:
    """Points anywhere, any time; with a delay they become known at whole days, many at once."""
    side = grid.n_cols * grid.cell_size_m
    x, y, at = rng.uniform(0, side, n), rng.uniform(0, side, n), rng.uniform(0, days, n)
    delay = np.ceil(at + rng.exponential(delay_days, n)) - at if delay_days else 0.0
    return points_at(grid, x, y, at, delay)


def chosen(points: Points, rows: np.ndarray) -> Points:
    return Points(
        points.cell[rows],
        points.x_m[rows],
        points.y_m[rows],
        points.occurred_days[rows],
        points.known_days[rows],
    )


def self_exciting(
    rng: np.random.Generator,
    background: np.ndarray,
    theta: float | tuple[float, ...],
    omega: float | tuple[float, ...],
    days: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate Mohler's process as a branching one: (cell, time). For each memory every incident has Poisson(theta)
    children in its own cell, after exponential delays."""
    cell = np.repeat(np.arange(len(background)), rng.poisson(background * days))
    at = rng.uniform(0, days, len(cell))
    cells, times = [cell], [at]
    while len(cell):
        born: list[tuple[np.ndarray, np.ndarray]] = []
        for mean, decay in zip(np.atleast_1d(theta), np.atleast_1d(omega), strict=True):
            children = rng.poisson(mean, len(cell))
            when = np.repeat(at, children) + rng.exponential(1 / decay, children.sum())
            born.append((np.repeat(cell, children)[when < days], when[when < days]))
        cell, at = (np.concatenate(part) for part in zip(*born, strict=True))
        cells.append(cell)
        times.append(at)
    return np.concatenate(cells), np.concatenate(times)


def in_cells(grid: GridSpec, rng: np.random.Generator, cell: np.ndarray, at: np.ndarray) -> Points:
    x, y = grid.centres()
    half = 0.49 * grid.cell_size_m
    gap_x, gap_y = rng.uniform(-half, half, (2, len(cell)))
    return points_at(grid, x[cell] + gap_x, y[cell] + gap_y, at)


def lively_city(seed: int = 0) -> tuple[GridSpec, Points, np.ndarray]:
    """400 cells, 400 days: a background that follows two of three kinds of place, and repeats for a fortnight."""
    rng = np.random.default_rng(seed)
    grid = square_grid(300.0)
    context = rng.normal(size=(len(grid), 3))
    background = 0.004 * np.exp(1.2 * (context[:, 0] > 0.5) + 1.5 * (context[:, 1] < -0.8))
    cell, at = self_exciting(rng, background, theta=0.35, omega=1 / 14, days=430.0)
    return grid, in_cells(grid, rng, cell, at), context


def nats_against_even(method: PointProcess, points: Points, first: int, days: int) -> float:
    """Mean log of the relative rate at the incidents of days that the method did not see."""
    logs = []
    for day in range(first, first + days):
        surface = method.intensity(points, float(day), 1.0)
        happened = (points.occurred_days >= day) & (points.occurred_days < day + 1)
        logs.append(np.log(surface[points.cell[happened]] / surface.mean()))
    return float(np.concatenate(logs).mean())
