"""What the published methods share: parameters that are declared, read, set and cloned as scikit-learn does it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from forecasting.engine.classics.points import Points
from forecasting.engine.grid import GridSpec

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

if TYPE_CHECKING:

    class Declared:
        """scikit-learn ships no types: as Any its base would switch off the checks of every method here."""

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
else:

    class Declared(BaseEstimator):
        """A method with parameters; ``clone``, ``get_params`` and ``set_params`` work as in scikit-learn."""


def in_fixed_order(points: Points) -> Points:
    """The same points ordered by their values: sums in another order would differ in the last bit."""
    order = np.lexsort((points.known_days, points.y_m, points.x_m, points.occurred_days, points.cell))
    return Points(
        points.cell[order],
        points.x_m[order],
        points.y_m[order],
        points.occurred_days[order],
        points.known_days[order],
    )


def must_be_fitted(grid: GridSpec | None, name: str) -> GridSpec:
    """The grid that ``fit`` was given; ``RuntimeError`` where it was not called."""
    if grid is None:
        raise RuntimeError(f"{name} has no grid yet. Call fit(points, grid, until_days) first.")
    return grid
