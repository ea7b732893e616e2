"""Self-exciting point process on the grid: each incident raises the risk in its own cell for a while."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import expm, lapack
from scipy.optimize import brentq

from forecasting.engine.classics.declared import Declared, Floats, Ints, must_be_fitted
from forecasting.engine.classics.points import Points
from forecasting.engine.counts import kernel_build
from forecasting.engine.grid import GridSpec

_TINY = 1e-300


@dataclass(frozen=True)
class Moments:
    """Incidents of the same cell and instant taken together, ordered by cell, then time. All arrays [m].

    ``size`` incidents happened at once; ``gap_days`` since the cell's previous moment, infinite for its first;
    ``left_days`` from the moment to the end of the watch.
    """

    cell: Ints
    size: Floats
    gap_days: Floats
    left_days: Floats


def moments_of(cell: Ints, occurred_days: Floats, until_days: float) -> Moments:
    """Order and group the incidents. Two at the same instant must not raise each other: Mohler's sum is over
    strictly earlier ones, and otherwise double entries would pull the memory towards zero."""
    order = np.lexsort((occurred_days, cell))
    cell, at = cell[order], occurred_days[order]
    first = np.ones(len(cell), dtype=bool)
    first[1:] = (np.diff(cell) != 0) | (np.diff(at) != 0)
    start = np.flatnonzero(first)
    size = np.diff(np.append(start, len(cell))).astype(np.float64)
    cell, at = cell[start], at[start]
    gap = np.full(len(cell), np.inf)
    same = np.flatnonzero(np.diff(cell) == 0) + 1
    gap[same] = at[same] - at[same - 1]
    return Moments(cell, size, gap, np.maximum(until_days - at, 0.0))


def excitation(moments: Moments, omega: float) -> tuple[Floats, Floats]:
    """For each moment, over the cell's earlier incidents at ages a: (sum of exp(-omega a), sum of a exp(-omega a)).

    Linear in the incidents: what a moment feels is what the one before felt, plus its own incidents, decayed over
    the gap between them. Solved as one bidiagonal system for all cells together; a cell's first moment feels zero.

    >>> both = excitation(moments_of(np.array([0, 0, 0]), np.array([0.0, 1.0, 3.0]), 4.0), 1.0)
    >>> [one.round(4).tolist() for one in both]
    [[0.0, 0.3679, 0.1851], [0.0, 0.3679, 0.42]]
    """
    if len(moments.cell) == 0:
        return np.zeros(0), np.zeros(0)
    decay = np.exp(-omega * moments.gap_days)
    before = np.append(0.0, moments.size[:-1])
    felt = _carried(decay, decay * before)
    gap = np.where(np.isfinite(moments.gap_days), moments.gap_days, 0.0)
    return felt, _carried(decay, gap * felt)


def _carried(decay: Floats, added: Floats) -> Floats:
    """The recursion x[i] = decay[i] * x[i - 1] + added[i], by forward substitution."""
    bands = np.ones((2, len(decay)))
    bands[1, :-1] = -decay[1:]
    solved, info = lapack.dtbtrs(bands, added[:, None], uplo="L", diag="U")
    if info != 0:
        raise ArithmeticError(f"LAPACK could not carry the decayed sums forward (code {info}).")
    result: Floats = solved[:, 0]
    return result


class GridETAS(Declared):
    """A steady background in every cell, and a wave of extra risk after each incident that fades with time.

    The rate in cell n is mu_n + sum over earlier incidents in it, over memories k, of
    theta_k omega_k exp(-omega_k age). ``memories_days`` are the first guesses of 1 / omega_k: one for the model as
    published, several for a mixture of time scales. All cells share theta and omega.

    After ``fit``: ``background_`` [N] incidents per day, ``branching_`` [K] = theta, ``decay_per_day_`` [K] = omega,
    ``objective_`` one value per EM step (it never falls), ``n_iter_``. The thetas together stay at or below
    ``max_branching`` < 1: above it one incident would set off an endless chain. Memories stay within
    ``memory_bounds_days``: double entries minutes apart would otherwise drive one to zero.

    A cell without incidents would have no background, and a log score of minus infinity on its first one. Each
    background is therefore drawn towards a prior mean as if by ``prior_incidents`` (a gamma prior; 0 gives
    Mohler's plain EM): the city's mean, or with ``background_bandwidth_m`` the incidents nearby, blurred.

    ``intensity`` is the expected count over the whole period, incidents set off within it by each other included.
    An empty history gives an even surface. ``fit`` raises ``ValueError`` for parameters out of range.

    Not a scikit-learn estimator in full: rows are not independent samples with a target each; one row changes the
    rate at all later ones. Parameters can be read, set and cloned as there. One EM step is linear in the incidents.

    Notes
    -----
    Mohler et al., "Randomized controlled field trials of predictive policing", JASA 110 (2015) 1399-1411. The end
    of the watch is corrected for (Lewis & Mohler 2011). Their update of omega maximises a bound: in the expected
    log-likelihood P log w - w D + theta sum exp(-w c) the last term is convex and lies above its tangent, so no
    step lowers the likelihood. Recursion: Ogata, IEEE Trans. Inf. Theory 27 (1981) 23-31.
    """

    def __init__(
        self,
        memories_days: tuple[float, ...] = (14.0,),
        initial_branching: float = 0.3,
        prior_incidents: float = 0.5,
        background_bandwidth_m: float | None = None,
        max_branching: float = 0.99,
        memory_bounds_days: tuple[float, float] = (0.25, 3_650.0),
        max_iter: int = 200,
        tol: float = 1e-6,
    ) -> None:
        self.memories_days = memories_days
        self.initial_branching = initial_branching
        self.prior_incidents = prior_incidents
        self.background_bandwidth_m = background_bandwidth_m
        self.max_branching = max_branching
        self.memory_bounds_days = memory_bounds_days
        self.max_iter = max_iter
        self.tol = tol

    grid_: GridSpec | None = None

    def _check(self) -> None:
        low, high = self.memory_bounds_days
        if not 0 < low <= high:
            raise ValueError(f"memory_bounds_days are {low} and {high}; give 0 < shortest <= longest.")
        if not self.memories_days or not all(low <= memory <= high for memory in self.memories_days):
            raise ValueError(f"memories_days {self.memories_days} must be within {low} and {high} days.")
        if len(set(self.memories_days)) < len(self.memories_days):
            raise ValueError("memories_days must differ: equal ones stay equal through every EM step.")
        if not 0 < self.max_branching < 1 or not 0 <= self.initial_branching <= self.max_branching:
            raise ValueError("Branching must satisfy 0 <= initial_branching <= max_branching < 1.")
        if self.prior_incidents < 0 or self.max_iter < 1:
            raise ValueError("prior_incidents must not be negative and max_iter must be at least 1.")

    def fit(self, points: Points, grid: GridSpec, until_days: float, context: Any = None) -> Self:
        """Learn background, branching and memories by EM. ``context`` is not used: the method knows only incidents."""
        self._check()
        self.grid_ = grid
        known = points.known_before(until_days)
        watch_days = float(until_days - known.occurred_days.min()) if len(known) else 1.0
        # A history of one instant has no length to divide by.
        self.watch_days_ = max(watch_days, 1.0)
        n_memories = len(self.memories_days)
        self.branching_ = np.full(n_memories, self.initial_branching / n_memories)
        self.decay_per_day_ = 1.0 / np.asarray(self.memories_days, dtype=np.float64)
        self.objective_: list[float] = []
        self.n_iter_ = 0
        if len(known) == 0:
            self.background_ = np.full(len(grid), 1.0 / len(grid))
            self.branching_ = np.zeros(n_memories)
            return self
        counts = np.bincount(known.cell, minlength=len(grid)).astype(np.float64)
        prior_rate = self._prior_rate(grid, counts)
        self.background_ = (1.0 - self.initial_branching) * np.maximum(counts / self.watch_days_, prior_rate)
        moments = moments_of(known.cell, known.occurred_days, until_days)
        for step in range(self.max_iter):
            self.objective_.append(self._em_step(moments, prior_rate))
            self.n_iter_ = step + 1
            if step and self.objective_[-1] - self.objective_[-2] < self.tol * len(known):
                break
        return self

    def _prior_rate(self, grid: GridSpec, counts: Floats) -> Floats:
        """Prior mean of each cell's background, incidents per day, [N], never zero."""
        share = np.full(len(counts), 1.0 / len(counts))
        if self.background_bandwidth_m is not None:
            kernel = kernel_build(grid, self.background_bandwidth_m)
            pooled = np.bincount(kernel.place_of, counts, minlength=kernel.n_places)
            # One incident spread evenly keeps quarters without any possible.
            share = (kernel.operator @ pooled + share) / (counts.sum() + 1.0)
        return share * (counts.sum() / self.watch_days_)

    def _em_step(self, moments: Moments, prior_rate: Floats) -> float:
        """One step of EM; gives the (penalised) log-likelihood of the parameters that it started from."""
        mu, theta, omega = self.background_, self.branching_, self.decay_per_day_
        felt, aged = zip(*(excitation(moments, one) for one in omega), strict=True)
        parts = [theta[k] * omega[k] * felt[k] for k in range(len(omega))]
        rate = np.maximum(mu[moments.cell] + sum(parts), _TINY)
        ends = np.exp(-omega[:, None] * moments.left_days)
        reached = (1.0 - ends) @ moments.size
        prior = self.prior_incidents
        objective = float(moments.size @ np.log(rate) - mu.sum() * self.watch_days_ - theta @ reached)
        if prior:
            objective += prior * float((np.log(np.maximum(mu, _TINY)) - mu / prior_rate).sum())

        per_rate = moments.size / rate
        steady = np.bincount(moments.cell, per_rate * mu[moments.cell], minlength=len(mu))
        self.background_ = (steady + prior) / (self.watch_days_ + prior / prior_rate)
        caused = np.array([per_rate @ part for part in parts])
        self.branching_ = _bounded_branching(caused, reached, self.max_branching)
        low, high = self.memory_bounds_days
        for k in range(len(omega)):
            waited = float(per_rate @ (theta[k] * omega[k] * aged[k]))
            still_to_come = float((moments.left_days * ends[k]) @ moments.size)
            bottom = waited + self.branching_[k] * still_to_come
            # A memory that explains nothing keeps its length: 0 / 0 would spread NaN over the map.
            if caused[k] > 0 and bottom > 0:
                omega[k] = np.clip(caused[k] / bottom, 1.0 / high, 1.0 / low)
        return objective

    def intensity(self, points: Points, at_days: float, length_days: float) -> Floats:
        """Expected incidents in every cell over the period, [N]."""
        grid = must_be_fitted(self.grid_, "GridETAS")
        known = points.known_before(at_days)
        moments = moments_of(known.cell, known.occurred_days, at_days)
        weight = expected_weights(self.branching_, self.decay_per_day_, length_days)
        expected = weight[0] * self.background_
        for k, omega in enumerate(self.decay_per_day_):
            decayed = moments.size * np.exp(-omega * moments.left_days)
            raised = self.branching_[k] * omega * np.bincount(moments.cell, decayed, minlength=len(grid))
            expected = expected + weight[k + 1] * raised
        return np.asarray(expected, dtype=np.float64)


def _bounded_branching(caused: Floats, reached: Floats, most: float) -> Floats:
    """Maximise sum(caused log theta - theta reached) over thetas that together do not pass ``most``."""
    theta = np.divide(caused, reached, out=np.zeros(len(caused)), where=reached > 0)
    if theta.sum() <= most:
        return theta
    live = caused > 0
    # Simply scaling the thetas down could lower the likelihood: this is the exact bound (Lagrange).
    top = float(caused.sum() / most)
    excess = brentq(lambda extra: float((caused[live] / (reached[live] + extra)).sum()) - most, 0.0, top)
    theta[live] = caused[live] / (reached[live] + excess)
    return np.asarray(theta * min(1.0, most / theta.sum()), dtype=np.float64)


def expected_weights(branching: Floats, decay_per_day: Floats, length_days: float) -> npt.NDArray[np.float64]:
    """How the expected count of a period follows from the state at its start: [1 + K] weights in days.

    The first is for the background, the others for each memory's raised rate; what incidents within the period set
    off in turn is included. The expected rates obey a linear differential equation, solved by a matrix exponential.

    >>> expected_weights(np.array([0.0]), np.array([0.5]), 2.0).round(4).tolist()
    [2.0, 1.2642]
    """
    n = len(branching)
    motion = np.zeros((n + 2, n + 2))  # state: background, raised rates, incidents so far
    motion[1 : n + 1, : n + 1] = (branching * decay_per_day)[:, None]
    motion[1 : n + 1, 1 : n + 1] -= np.diag(decay_per_day)
    motion[n + 1, : n + 1] = 1.0
    result: Floats = expm(motion * length_days)[n + 1, : n + 1]
    return result
