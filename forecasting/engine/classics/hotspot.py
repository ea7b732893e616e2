"""Prospective hot spots: where something happened lately, and close by, it is likely to happen again soon."""

from typing import Any, Self

import numpy as np

from forecasting.engine.classics.declared import Declared, Floats, Ints, in_fixed_order, must_be_fitted
from forecasting.engine.classics.points import Points
from forecasting.engine.grid import GridSpec

_SHARES = np.concatenate([[0.001], np.linspace(0.005, 0.995, 199)])
_LEAST_EVENTS = 20


class ProspectiveHotspot(Declared):
    """Every recent incident warms the cells around it: near ones more than far ones, fresh ones more than old ones.

    A cell's weight is the sum, over incidents within ``bandwidth_m`` of its centre and ``memory_days`` of the
    moment of the forecast, of 1 / (1 + d) * 1 / (1 + w). ``d`` is the distance from incident to centre in whole
    bands of ``band_cells`` cell widths, ``w`` the whole weeks since the incident.

    Beyond that radius the method says "never", which no log score survives. ``even_share`` of the surface is
    therefore spread evenly; it changes no rank. None (the default) learns the share in ``fit``: the likeliest over
    the ``tuning_weeks`` before ``until_days``, each forecast from what was known at its start. With no recent
    incident every cell gets the same value.

    Not a scikit-learn estimator in full: it predicts a surface for an instant from all points before it, so that
    rows X have no target y of their own. Its parameters can be read, set and cloned as there. Work grows with the
    recent incidents times the cells in reach of one; no array of cells by incidents is made.

    Notes
    -----
    Bowers, Johnson & Pease, "Prospective hot-spotting: the future of crime mapping?", British Journal of
    Criminology 44 (2004) 641-658: 400 m, two months, half a cell. The open peer (open_cp) measures whole cells
    between cells; the paper measures from the incident, and so do we.

    >>> from shapely import box
    >>> from forecasting.engine.grid import grid_build
    >>> grid = grid_build(box(0, 0, 300, 100), 100.0, 32616)
    >>> one = Points(np.array([0]), np.array([50.0]), np.array([50.0]), np.array([1.0]), np.array([1.0]))
    >>> ProspectiveHotspot(even_share=0.0).fit(one, grid, 2.0).intensity(one, 9.0, 1.0).round(3).tolist()
    [0.5, 0.167, 0.1]
    """

    def __init__(
        self,
        bandwidth_m: float = 400.0,
        memory_days: float = 61.0,
        band_cells: float = 0.5,
        week_days: float = 7.0,
        even_share: float | None = None,
        tuning_weeks: int = 26,
    ) -> None:
        self.bandwidth_m = bandwidth_m
        self.memory_days = memory_days
        self.band_cells = band_cells
        self.week_days = week_days
        self.even_share = even_share
        self.tuning_weeks = tuning_weeks

    grid_: GridSpec | None = None
    even_share_: float = 0.0

    def fit(self, points: Points, grid: GridSpec, until_days: float, context: Any = None) -> Self:
        """Remember the grid and learn the even share. ``context`` is not used: the method knows only incidents."""
        for name in ("bandwidth_m", "memory_days", "band_cells", "week_days"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above zero.")
        if self.even_share is not None and not 0 <= self.even_share <= 1:
            raise ValueError(f"even_share is {self.even_share}; a share lies between 0 and 1.")
        self.grid_ = grid
        self.even_share_ = (
            self._likeliest_share(points, until_days) if self.even_share is None else float(self.even_share)
        )
        return self

    def intensity(self, points: Points, at_days: float, length_days: float) -> Floats:
        """Relative risk of every cell, [N]; the length of the period changes nothing in this method."""
        return self._with_even_share(self.weights(points, at_days), self.even_share_)

    def weights(self, points: Points, at_days: float) -> Floats:
        """The published weight of every cell, [N], without the even share: zero where nothing is near and recent."""
        grid = must_be_fitted(self.grid_, "ProspectiveHotspot")
        known = points.known_before(at_days)
        age = at_days - known.occurred_days
        recent = np.flatnonzero(age < self.memory_days)
        known = in_fixed_order(
            Points(
                known.cell[recent],
                known.x_m[recent],
                known.y_m[recent],
                known.occurred_days[recent],
                known.known_days[recent],
            )
        )
        fresh = 1.0 / (1.0 + np.floor((at_days - known.occurred_days) / self.week_days))
        return self._spread(grid, known, fresh)

    def _spread(self, grid: GridSpec, points: Points, weight: Floats) -> Floats:
        """Lay each point's weight on the cells whose centres it reaches, one neighbouring offset at a time."""
        size = grid.cell_size_m
        row, col = grid.rows[points.cell], grid.cols[points.cell]
        total = np.zeros(len(grid))
        # A centre in reach lies at most half a cell further along each axis than the cells are apart.
        reach = int(np.floor(self.bandwidth_m / size + 0.5))
        for down in range(-reach, reach + 1):
            y_gap = points.y_m - (grid.y0_m + (row + down + 0.5) * size)
            for along in range(-reach, reach + 1):
                x_gap = points.x_m - (grid.x0_m + (col + along + 0.5) * size)
                distance = np.hypot(x_gap, y_gap)
                near = np.flatnonzero(distance <= self.bandwidth_m)
                cell = _cell_at(grid, row[near] + down, col[near] + along)
                inside = np.flatnonzero(cell >= 0)
                near = near[inside]
                # Eastings in the millions cost the ninth digit: one full band must not come out as 0.9999999.
                bands = np.floor(distance[near] / (self.band_cells * size) + 1e-6)
                total += np.bincount(cell[inside], weight[near] / (1.0 + bands), minlength=len(grid))
        return total

    @staticmethod
    def _with_even_share(weights: Floats, share: float) -> Floats:
        mean = float(weights.mean())
        if mean <= 0:
            return np.ones(len(weights))
        return (1.0 - share) * weights + share * mean

    def _likeliest_share(self, points: Points, until_days: float) -> float:
        known = points.known_before(until_days)
        relative = [np.zeros(0)]
        for week in range(1, self.tuning_weeks + 1):
            start = until_days - week * self.week_days
            end = start + self.week_days
            happened = np.flatnonzero((known.occurred_days >= start) & (known.occurred_days < end))
            weights = self.weights(known, start)
            if len(happened) and weights.mean() > 0:
                relative.append(np.sort(weights[known.cell[happened]]) / weights.mean())
        rate = np.concatenate(relative)
        if len(rate) < _LEAST_EVENTS:
            return 0.5
        scores = [float(np.log((1.0 - share) * rate + share).sum()) for share in _SHARES]
        return float(_SHARES[int(np.argmax(scores))])


def _cell_at(grid: GridSpec, row: Ints, col: Ints) -> Ints:
    """Positions of the cells at these rows and columns, -1 beyond the grid: a flat id alone would wrap around."""
    inside = (row >= 0) & (row < grid.n_rows) & (col >= 0) & (col < grid.n_cols)
    return grid.index_of(np.where(inside, row * grid.n_cols + col, -1))
