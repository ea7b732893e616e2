"""Past incidents as points, and what a method that reads them must offer."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from forecasting.engine.grid import GridSpec

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """One crime type's incidents inside the grid. All arrays [n], ascending by ``known_days``.

    ``cell`` are positions in ``grid.cells``; ``x_m``, ``y_m`` metres in the grid's CRS; ``occurred_days`` and
    ``known_days`` days since 2000 (``periods.days_since_epoch``). ``known_days`` is never before ``occurred_days``.
    """

    cell: Ints
    x_m: Floats
    y_m: Floats
    occurred_days: Floats
    known_days: Floats

    def __len__(self) -> int:
        return len(self.cell)

    def known_before(self, at_days: float) -> "Points":
        """What an honest forecast issued at this instant may look at."""
        end = int(np.searchsorted(self.known_days, at_days, side="left"))
        part = slice(0, end)
        return Points(
            self.cell[part],
            self.x_m[part],
            self.y_m[part],
            self.occurred_days[part],
            self.known_days[part],
        )


class PointProcess(Protocol):
    """A method that turns past points into an intensity for every cell.

    ``fit`` learns its parameters from points known before ``until_days``, which is all that it is given.
    ``intensity`` answers for the period [at_days, at_days + length_days) with any units: the league scales every
    method's surface to the same city-wide level. It gives [N] float64, finite, never negative, and reads only
    ``points.known_before(at_days)``. ``context`` [N, C] are standardised columns of places, or None.
    """

    def fit(self, points: Points, grid: GridSpec, until_days: float, context: Any = None) -> Self: ...

    def intensity(self, points: Points, at_days: float, length_days: float) -> Floats: ...
