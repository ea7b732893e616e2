"""Decayed counts carried forward in time: what happened where, weighted by how long ago.

A state holds, for every cell, source (crime type or other feed) and half-life h, the sum over incidents known
so far of 0.5 ** (age / h). It is moved from one instant to the next; cells x periods is never built.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.grid import GridSpec

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TARGETS, _ENTRIES = 4_096, 65_536
_REBASE_AFTER = 24
"""Half-lives after which the store is brought to a newer unit: float32 holds 126 of them below one."""


@dataclass(frozen=True)
class Mass:
    """What each incident weighs, in a form that no instant is part of: ``part * 2 ** whole``, [n, half-lives].

    ``whole`` counts half-lives from the epoch to the incident (whole ones), ``part`` is in [1, 2), times the
    incident's own weight.
    """

    part: Floats
    whole: Ints

    def take(self, rows: Ints, columns: list[int] | None = None) -> "Mass":
        """The mass of these incidents, and of these half-lives only."""
        part, whole = self.part[rows], self.whole[rows]
        return Mass(part, whole) if columns is None else Mass(part[:, columns], whole[:, columns])


def mass_of(
    occurred_days: Floats, half_lives_days: npt.ArrayLike, weight: npt.NDArray[Any] | None = None
) -> Mass:
    """Weigh incidents by when they happened (days since the epoch); ``weight`` [n] counts some as less than one."""
    lives = occurred_days[:, None] / np.asarray(half_lives_days, dtype=np.float64)
    whole = np.floor(lives)
    part = np.exp2(lives - whole)
    if weight is not None:
        part *= np.asarray(weight, dtype=np.float64)[:, None]
    return Mass(part, whole.astype(np.int64))


class DecayedCounts:
    """Exponentially decayed counts per place, source and half-life, moved forward in time.

    An incident is stored once, as 2 ** (half-lives from the epoch to it), in a unit of 2 ** ``_power``; the present
    instant is only a factor by which the store is read. Units change by whole powers of two, which floating point
    does without rounding: a state that was carried along, saved and loaded equals, bit for bit, one that counted the
    same incidents in the same order from scratch (but for what is more than a hundred half-lives old, whose part in a
    relative rate is below rounding). An infinite half-life counts everything alike. Times are days.
    """

    def __init__(self, n_places: int, n_sources: int, half_lives_days: tuple[float, ...]) -> None:
        self.n_sources = n_sources
        self.half_lives_days = np.asarray(half_lives_days, dtype=np.float64)
        n = len(self.half_lives_days)
        self._stored = np.zeros((n_places, n_sources * n), dtype=np.float32)
        self._sums = np.zeros(n_sources * n)
        self._power = np.zeros(n, dtype=np.int64)
        self._now = 0.0
        self._began = False
        self._rebase_at = -math.inf
        self._factors: Floats | None = None

    def move_to(self, now_days: float) -> None:
        """Let time pass until this instant. Going backwards raises ``ValueError``."""
        if self._began and now_days < self._now:
            raise ValueError("A decayed count cannot go back in time: periods must be ascending.")
        self._now, self._factors = now_days, None
        if now_days >= self._rebase_at or not self._began:
            self._rebase()

    def _rebase(self) -> None:
        """Bring what is stored in old units to units of the present."""
        lives = np.floor(self._now / self.half_lives_days).astype(np.int64)
        if not self._began:
            # Nothing is stored yet: any unit will do, and one near the present keeps far-off years from underflow.
            self._power, self._began = lives, True
        old = np.flatnonzero(lives - self._power > _REBASE_AFTER)
        if len(old):
            factor = np.ones(len(self._power))
            factor[old] = np.ldexp(1.0, np.maximum(self._power - lives, -2000)[old].astype(np.int32))
            self._stored *= np.tile(factor, self.n_sources).astype(np.float32)
            self._sums *= np.tile(factor, self.n_sources)
            self._power[old] = lives[old]
        finite = np.isfinite(self.half_lives_days)
        due = (self._power + _REBASE_AFTER + 1)[finite] * self.half_lives_days[finite]
        # A little early: the product may be rounded up, and asking once too often costs nothing.
        self._rebase_at = float(due.min(initial=math.inf)) - 1e-6

    def advance(self, days: float) -> None:
        """Let this much time pass. Going backwards raises ``ValueError``."""
        if days < 0:
            raise ValueError("A decayed count cannot go back in time: periods must be ascending.")
        self.move_to(self._now + days)

    def seen_at(self, now_days: float) -> "DecayedCounts":
        """The same counts as they will have decayed by a later instant; shares the store, so only for reading."""
        other = copy.copy(self)
        other._now, other._factors = now_days, None
        return other

    def add(self, place: Ints, source: Ints, age_days: Floats, weight: Floats | None = None) -> None:
        """Count incidents of these ages (days before the present instant); ``weight`` says how much of one each row is."""
        self.add_mass(place, source, mass_of(self._now - age_days, self.half_lives_days, weight))

    def add_mass(self, place: Ints, source: Ints, mass: Mass) -> None:
        """Count incidents, in this order (their order decides the last bits)."""
        if len(place) == 0:
            return
        n, width = len(self.half_lives_days), self._stored.shape[1]
        column = source[:, None] * n + np.arange(n)
        value = np.ldexp(mass.part, np.maximum(mass.whole - self._power, -2000).astype(np.int32))
        # Flat and one-dimensional: numpy adds those in a plain loop, several times faster than pairs of indices.
        flat = (place[:, None] * width + column).ravel()
        np.add.at(self._stored.reshape(-1), flat, value.ravel().astype(np.float32))
        np.add.at(self._sums, column.ravel(), value.ravel())

    def _scale(self) -> Floats:
        """What one unit of the store is worth now: [sources * half-lives]."""
        if self._factors is None:
            lives = self._now / self.half_lives_days
            whole = np.floor(lives)
            exponent = np.maximum(self._power - whole.astype(np.int64), -2000).astype(np.int32)
            self._factors = np.concatenate([np.ldexp(np.exp2(whole - lives), exponent)] * self.n_sources)
        return self._factors

    def totals(self) -> Floats:
        """The sum over all places: [sources, half-lives]."""
        sums: Floats = (self._sums * self._scale()).reshape(self.n_sources, -1)
        return sums

    def values(self, places: Ints | None = None) -> Floats32:
        """Decayed counts at these places (all if None): [places, sources * half-lives]."""
        stored = self._stored if places is None else self._stored[places]
        return stored * self.scale

    @property
    def scale(self) -> Floats32:
        """What one unit of the store (and of a blur of it) is worth now: [sources * half-lives]."""
        return self._scale().astype(np.float32)

    @property
    def stored(self) -> Floats32:
        """The store itself, for blurs that are kept: [places, sources * half-lives]."""
        return self._stored

    @property
    def units(self) -> bytes:
        """Changes whenever the store was brought to newer units."""
        return self._power.tobytes()

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that changes, for saving."""
        return {
            "stored": self._stored,
            "sums": self._sums,
            "power": self._power,
            "instant": np.array([self._now]),
        }

    def from_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what ``to_arrays`` gave; arrays of another shape or kind raise ``ValueError``."""
        for name, mine in self.to_arrays().items():
            other = arrays[name]
            if other.shape != mine.shape or other.dtype != mine.dtype or not np.isfinite(other).all():
                raise ValueError(f"The saved counts '{name}' do not fit: {other.shape} {other.dtype}.")
        self._stored, self._sums = arrays["stored"], arrays["sums"]
        self._power, self._now = arrays["power"], float(arrays["instant"][0])
        self._began, self._factors = True, None
        self._rebase()


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
    reach_cells: int
    """No cell farther than this many rows or columns from an incident feels it."""


@lru_cache(maxsize=8)
def kernel_build(grid: GridSpec, bandwidth_m: float) -> Kernel:
    """Prepare the blur of one bandwidth (standard deviation, metres; at least half a cell is used).

    The last eight are remembered: training, forecasting and explaining ask for the same four.
    """
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
    # In column order, and with small indices: a blur reads the counts in the order in which they lie in memory.
    operator.sort_indices()
    mass, data = operator.T @ np.ones(len(grid)), np.empty(operator.nnz, dtype=np.float32)
    for low in range(0, len(data), _ENTRIES):
        some = slice(low, low + _ENTRIES)
        data[some] = operator.data[some] / mass[operator.indices[some]]
    indices, starts = (part.astype(np.int32, copy=False) for part in (operator.indices, operator.indptr))
    operator = sparse.csr_array((data, indices, starts), shape=operator.shape)
    # Two squares more than the bell curve reaches: interpolation looks at the next square's middle.
    return Kernel(bandwidth_m, factor, place_of, len(squares), operator, (reach + 2) * factor)


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
    """The truncated Gaussian between squares given by ascending flat ids: [targets, sources], in column order."""
    # A margin on every side, so that looking beyond the raster's edge finds nothing instead of the next row.
    wide = width + 2 * reach
    table = np.full((max(int(sources[-1]), int(targets[-1])) // width + 2 * reach + 1) * wide, -1, np.int32)
    table[(sources // width + reach) * wide + sources % width + reach] = np.arange(len(sources))
    middle = (targets // width + reach) * wide + targets % width + reach
    step = np.arange(-reach, reach + 1)
    steps, weights = (step[:, None] * wide + step).ravel(), np.outer(taps, taps)[::-1, ::-1].ravel()
    found: list[tuple[Ints, npt.NDArray[np.int32], Floats]] = []
    # Row by row in the order in which they are stored: nothing has to be sorted afterwards.
    for low in range(0, len(targets), _TARGETS):
        at = table[middle[low : low + _TARGETS, None] + steps]
        hit = at >= 0
        found.append((hit.sum(axis=1), at[hit], np.broadcast_to(weights, at.shape)[hit]))
    count, column, data = (np.concatenate(part) for part in zip(*found, strict=True))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return sparse.csr_array((data, column, start), shape=(len(targets), len(sources)))


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
