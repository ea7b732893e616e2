"""Where a source can see at all: outside its sensors' reach gunfire is unknown, which is not the same as none.

A cell that was never watched teaches nothing and is forecast nothing. One that is watched since last month has few
alerts because the sensors are new: its counts are held against the time for which it was watched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from forecasting.engine.grid import GridSpec
from forecasting.engine.periods import days_since_epoch
from ingestion.engine.tables import WatchedArea

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LEAST_SHARE = 1e-9


@dataclass(frozen=True)
class Watch:
    """``since_days[source]`` [N]: the day from which each cell is watched, infinite where it never is.

    Sources that are not listed are seen everywhere and always.
    """

    since_days: Mapping[int, Floats] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.since_days)

    def cells(self, source: int, at_days: float) -> Bools | None:
        """Which cells are watched at this instant, [N]; None means all of them."""
        since = self.since_days.get(source)
        return None if since is None else since <= at_days

    def same_as(self, other: "Watch") -> bool:
        """Whether both know the same cells watched from the same days."""
        mine, theirs = self.since_days, other.since_days
        return mine.keys() == theirs.keys() and all(
            np.array_equal(since, theirs[source]) for source, since in mine.items()
        )

    def reaches_any(self, source: int, at_days: float) -> bool:
        """Whether any cell is watched at this instant."""
        cells = self.cells(source, at_days)
        return cells is None or bool(cells.any())

    def n_watched(self, source: int, at_days: Floats, n_cells: int) -> Floats:
        """How many cells are watched at each instant, at least one: [len(at_days)]."""
        since = self.since_days.get(source)
        if since is None:
            return np.full(len(at_days), float(n_cells))
        count = np.searchsorted(np.sort(since), at_days, side="right")
        return np.maximum(count, 1).astype(np.float64)

    def exposure(self, source: int, now_days: float, first_days: float, half_lives_days: Floats) -> Floats:
        """Which share of each memory a cell was watched for, 1 for the cell watched longest: [N, half-lives].

        ``first_days``: when the source's history begins; nobody was watched before.
        """
        since = np.maximum(self.since_days[source], first_days)
        age = np.maximum(now_days - since, 0.0)[:, None]
        age[~np.isfinite(age)] = 0.0
        seen = np.where(np.isinf(half_lives_days), age, -np.expm1(-np.log(2.0) * age / half_lives_days))
        share: Floats = seen / np.maximum(seen.max(axis=0), _LEAST_SHARE)
        return share


def watch_of(grid: GridSpec, watched: tuple[WatchedArea, ...], categories: tuple[str, ...]) -> Watch:
    """Lay the watched areas over the grid: a cell is watched from the first day on which its centre is."""
    since: dict[int, Floats] = {}
    x_m, y_m = grid.centres()
    for area in watched:
        if area.category not in categories:
            continue
        source = categories.index(area.category)
        mine = since.setdefault(source, np.full(len(grid), np.inf))
        shapely.prepare(area.area_m)
        inside = shapely.contains_xy(area.area_m, x_m, y_m)
        mine[inside] = np.minimum(mine[inside], float(days_since_epoch(area.since_utc)))
    return Watch(since)
