"""Decayed counts carried forward in time: what happened where, weighted by how long ago.

A state holds, for every cell, source (crime type or other feed) and half-life h, the sum over incidents known
so far of 0.5 ** (age / h). It is moved from one instant to the next; cells x periods is never built.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.grid import GridSpec

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_REBASE_BELOW = 1e-12


class DecayedCounts:
    """Exponentially decayed counts per place, source and half-life, moved forward in time.

    True values are ``stored * scale``: decay multiplies a handful of scales and not every cell. New incidents
    are divided by the scale; before a scale underflows it is folded back into the store. An infinite half-life
    counts everything alike. Ages are days.
    """

    def __init__(self, n_places: int, n_sources: int, half_lives_days: tuple[float, ...]) -> None:
        self.n_sources = n_sources
        self.half_lives_days = np.asarray(half_lives_days, dtype=np.float64)
        width = n_sources * len(half_lives_days)
        self._stored = np.zeros((n_places, width), dtype=np.float32)
        self._scale = np.ones(width)
        self._totals = np.zeros(width)
        self._half_lives = np.tile(self.half_lives_days, n_sources)

    def advance(self, days: float) -> None:
        """Let this much time pass. Going backwards raises ``ValueError``."""
        if days < 0:
            raise ValueError("A decayed count cannot go back in time: periods must be ascending.")
        factor = np.exp2(-days / self._half_lives)
        self._scale *= factor
        self._totals *= factor
        low = self._scale < _REBASE_BELOW
        if low.any():
            self._stored[:, low] *= self._scale[low].astype(np.float32)
            self._scale[low] = 1.0

    def add(self, place: Ints, source: Ints, age_days: Floats, mass: Floats | None = None) -> None:
        """Count incidents of these ages (days before the present instant; order does not matter).

        ``mass`` says how much of an incident each row is (one each if None).
        """
        if len(place) == 0:
            return
        n = len(self.half_lives_days)
        weight = np.exp2(-age_days[:, None] / self.half_lives_days)
        if mass is not None:
            weight *= mass[:, None]
        column = source[:, None] * n + np.arange(n)
        np.add.at(self._stored, (place[:, None], column), (weight / self._scale[column]).astype(np.float32))
        np.add.at(self._totals, column, weight)

    def totals(self) -> Floats:
        """The sum over all places: [sources, half-lives]."""
        return self._totals.reshape(self.n_sources, -1)

    def values(self, places: Ints | None = None) -> Floats32:
        """Decayed counts at these places (all if None): [places, sources * half-lives]."""
        stored = self._stored if places is None else self._stored[places]
        return stored * self._scale.astype(np.float32)

    def blurred(self, operator: sparse.csr_array) -> Floats32:
        """A sparse blur of the decayed counts: [operator's rows, sources * half-lives]."""
        result: Floats32 = operator @ self._stored
        result *= self._scale.astype(np.float32)
        return result


@dataclass(frozen=True)
class Kernel:
    """A Gaussian blur over the grid that loses nothing at the city limit or the lake shore.

    ``operator`` [N, places] takes counts on squares ``factor`` cells wide (``place_of`` says which one each
    cell lies in) to blurred counts per cell. Each of its columns sums to one, so the blurred surface holds as
    many incidents as went in. Wide bandwidths work on wider squares and are interpolated bilinearly.
    """

    bandwidth_m: float
    factor: int
    place_of: Ints
    n_places: int
    operator: sparse.csr_array


def kernel_build(grid: GridSpec, bandwidth_m: float) -> Kernel:
    """Prepare the blur of one bandwidth (standard deviation, metres; at least half a cell is used)."""
    sigma_cells = max(bandwidth_m / grid.cell_size_m, 0.5)
    factor = max(1, int(sigma_cells / 1.25))
    place_of, squares, width = _pool(grid, factor)
    sigma = sigma_cells / factor
    reach = max(1, math.ceil(3.0 * sigma))
    # Mass of the bell curve over each square, not its height in the middle: right for narrow kernels too.
    edge = (np.arange(-reach, reach + 2) - 0.5) / (sigma * math.sqrt(2.0))
    taps = np.diff(np.array([math.erf(value) for value in edge])) / 2.0
    if factor == 1:
        operator = _spread(squares, squares, width, taps, reach)
    else:
        targets, mix = _interpolate(grid, factor, width)
        operator = sparse.csr_array(mix @ _spread(squares, targets, width, taps, reach))
    mass = np.asarray(operator.sum(axis=0)).ravel()
    scaled = operator @ sparse.dia_array((1.0 / mass[None, :], [0]), shape=(len(squares), len(squares)))
    return Kernel(bandwidth_m, factor, place_of, len(squares), sparse.csr_array(scaled, dtype=np.float32))


def pooled_places(grid: GridSpec, factor: int) -> tuple[Ints, int]:
    """Which square of ``factor`` x ``factor`` cells each cell lies in, and how many such squares there are."""
    place_of, squares, _ = _pool(grid, factor)
    return place_of, len(squares)


def _pool(grid: GridSpec, factor: int) -> tuple[Ints, Ints, int]:
    # The raster of squares is padded by two on each side: interpolation looks just beyond the city.
    width = grid.n_cols // factor + 5
    flat = (grid.rows // factor + 2) * width + grid.cols // factor + 2
    squares, place_of = np.unique(flat, return_inverse=True)
    return place_of.astype(np.int64), squares, width


def _spread(sources: Ints, targets: Ints, width: int, taps: Floats, reach: int) -> sparse.csr_array:
    """The truncated Gaussian between squares given by flat ids: [targets, sources]."""
    rows: list[Ints] = []
    cols: list[Ints] = []
    data: list[Floats] = []
    row, col = sources // width, sources % width
    table = np.full((int(targets.max()) // width + reach + 2) * width, -1, dtype=np.int64)
    table[targets] = np.arange(len(targets))
    number = np.arange(len(sources))
    for down in range(-reach, reach + 1):
        for along in range(-reach, reach + 1):
            to_row, to_col = row + down, col + along
            flat = to_row * width + to_col
            ok = (to_col >= 0) & (to_col < width) & (flat >= 0) & (flat < len(table))
            at = np.where(ok, table[np.where(ok, flat, 0)], -1)
            hit = np.flatnonzero(at >= 0)
            rows.append(at[hit])
            cols.append(number[hit])
            data.append(np.full(len(hit), taps[down + reach] * taps[along + reach]))
    shape = (len(targets), len(sources))
    entries = (np.concatenate(data), (np.concatenate(rows), np.concatenate(cols)))
    return sparse.csr_array(sparse.coo_array(entries, shape=shape))


def _interpolate(grid: GridSpec, factor: int, width: int) -> tuple[Ints, sparse.csr_array]:
    """Bilinear weights from square middles to cell middles: (flat ids of the squares used, [N, squares])."""
    v = (grid.rows + 0.5) / factor - 0.5 + 2
    u = (grid.cols + 0.5) / factor - 0.5 + 2
    low_v, low_u = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    part_v, part_u = v - low_v, u - low_u
    flats = [(low_v + i) * width + low_u + j for i in (0, 1) for j in (0, 1)]
    weights = [
        (part_v if i else 1 - part_v) * (part_u if j else 1 - part_u) / factor**2
        for i in (0, 1)
        for j in (0, 1)
    ]
    targets, column = np.unique(np.concatenate(flats), return_inverse=True)
    row = np.tile(np.arange(len(grid.cells)), 4)
    entries = (np.concatenate(weights), (row, column))
    mix = sparse.csr_array(sparse.coo_array(entries, shape=(len(grid.cells), len(targets))))
    return targets, mix
