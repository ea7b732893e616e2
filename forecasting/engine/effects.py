"""What an event does to the streets around it: learned from how the same places fare in the same shift without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from forecasting.engine.mixture import NonNegativeMixture
from forecasting.engine.models import Floats as AnyFloats
from forecasting.engine.models import RateEstimator
from forecasting.engine.periods import Periods, weekday_of
from forecasting.engine.surroundings import sparse_values

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

USUAL_DAYS = 365.0
"""Over so long a time the counts around a park have taken in its games: what a forecast adds is against that mean."""
RIDGE_INCIDENTS = 10.0
"""Incidents near events that would have to speak for an effect before half of it is believed."""
LARGEST_LOG = 3.0


@dataclass(frozen=True)
class EventEffect:
    """What events do to cells: the log effect of each local column, and what is in the counts of each cell already.

    ``usual`` one sparse [slots, N] for each column: the log of the mean factor over the last year, in the first column of
    each kind. Where games are played all summer, the counts have grown with them; an evening without one is quieter.
    """

    coef: Floats
    usual: tuple[sparse.csr_array, ...] = field(repr=False)

    def rows(self, near: Floats32, slot: Ints | int, cells: Ints) -> Floats32:
        """The columns of the design matrix from events near the cells, [m, columns] both."""
        out = near * self.coef.astype(np.float32)
        for column, usual in enumerate(self.usual):
            if usual.nnz:
                out[:, column] -= sparse_values(usual, slot, cells).astype(np.float32)
        return out


def usual_effect(
    near: Sequence[sparse.csr_array], coef: Floats, kind: Sequence[str], slot: Ints, n_slots: int
) -> tuple[sparse.csr_array, ...]:
    """The log of each kind's mean factor in each shift of day and cell, in its first column: [slots, N] each.

    ``near`` [S, N] of the recent periods, ``slot`` [S] theirs, ``kind`` of each column.
    """
    out = []
    for column, (one, name) in enumerate(zip(near, kind, strict=True)):
        rows = sparse.csr_array((n_slots, one.shape[1]))
        if name not in kind[:column]:
            logs = sum(
                (near[other] * coef[other] for other in range(len(near)) if kind[other] == name),
                start=sparse.csr_array(one.shape),
            )
            gain = sparse.csr_array(logs.minimum(LARGEST_LOG).maximum(-LARGEST_LOG)).expm1()
            counts = np.maximum(np.bincount(slot, minlength=n_slots), 1)
            mean = sparse.csr_array(
                (1.0 / counts[slot], (slot, np.arange(len(slot)))), shape=(n_slots, len(slot))
            )
            rows = sparse.csr_array(mean @ gain).log1p()
        out.append(rows)
    return tuple(out)


def event_effect(
    near: Sequence[sparse.csr_array],
    slot: Ints,
    expected: Floats,
    calendar: Floats,
    period: Ints,
    cell: Ints,
    mass: Floats,
) -> Floats:
    """The log effect of each event column on the risk of a cell: [columns]; 0 where nothing speaks for one.

    ``near`` one [S, N] for each column; ``slot`` and ``expected`` [S]: shift of day and the city-wide expected count;
    ``calendar`` [S, q]: season and weekday (``calendar_terms``); ``period``, ``cell``, ``mass`` [n]: the incidents. What a
    cell would have had without an event is its share of the city in the same shift while nothing was on near it,
    steadied by one incident's worth of its share over all shifts, times what season and weekday do to the cells of the
    same events while nothing is on: games are played in summer, when the streets around the park are full anyway.

    Notes
    -----
    A self-controlled design (Whitaker et al., Statistics in Medicine 25, 2006): each place is compared with itself, so
    that a stadium in a busy street is not taken for a dangerous game. Poisson regression with ridge, by Newton's method.
    """
    found = np.zeros(len(near))
    active = sum((abs(one) for one in near), start=sparse.csr_array(near[0].shape)) if near else None
    if active is None or active.nnz == 0:
        return found
    active.sum_duplicates()
    n_periods, n_cells = active.shape
    on_period = np.repeat(np.arange(n_periods), np.diff(active.indptr))
    on_cell = active.indices.astype(np.int64)
    places, place = np.unique(on_cell, return_inverse=True)
    n_slots = int(slot.max()) + 1
    # The exposure and the incidents of each place and shift of day while nothing was on near it.
    level = np.bincount(slot, expected, n_slots)
    quiet = np.tile(level, (len(places), 1))
    np.add.at(quiet, (place, slot[on_period]), -expected[on_period])
    at = np.searchsorted(places, cell)
    mine = np.flatnonzero((at < len(places)) & (places[np.minimum(at, len(places) - 1)] == cell))
    pair = period[mine] * n_cells + cell[mine]
    pairs = on_period * n_cells + on_cell
    order = np.argsort(pairs, kind="stable")
    spot = np.minimum(np.searchsorted(pairs[order], pair), len(pairs) - 1)
    during = pairs[order][spot] == pair
    counts = np.zeros((len(places), n_slots))
    np.add.at(counts, (at[mine][~during], slot[period[mine][~during]]), mass[mine][~during])
    even = 1.0 / n_cells
    overall = (counts.sum(axis=1) + 1.0) / (np.maximum(quiet.sum(axis=1), 0.0) + 1.0 / even)
    share = (counts + 1.0) / (np.maximum(quiet, 0.0) + 1.0 / overall[:, None])
    base = share[place, slot[on_period]] * expected[on_period]
    # Cells that the same events reach have a season of their own.
    X = np.column_stack([np.asarray(one[on_period, on_cell]).reshape(-1) for one in near])
    reached = np.zeros((len(places), len(near)), dtype=bool)
    np.logical_or.at(reached, place, X > 0)
    zones, zone = np.unique(reached, axis=0, return_inverse=True)
    zone = zone.reshape(-1)
    for number in range(len(zones)):
        usual = share[zone == number].sum(axis=0)[slot] * expected
        here = np.flatnonzero(zone[place] == number)
        np.add.at(usual, on_period[here], -base[here])
        seen = mine[~during]
        seen = seen[zone[at[seen]] == number]
        quietly = np.bincount(period[seen], mass[seen], n_periods).astype(np.float64)
        own = _log_linear(calendar, quietly, np.maximum(usual, 0.0))
        base[here] *= np.exp(np.clip(calendar[on_period[here]] @ own, -LARGEST_LOG, LARGEST_LOG))
    happened = np.zeros(len(pairs))
    np.add.at(happened, order[spot[during]], mass[mine][during])
    return _log_linear(X, happened, base)


def _log_linear(X: Floats, counts: Floats, base: Floats) -> Floats:
    """Poisson regression of counts on ``X`` with the exposure ``base``, no constant, held at 0 by the ridge: [columns]."""
    found = np.zeros(X.shape[1])
    for _ in range(25):
        risk = base * np.exp(np.clip(X @ found, -LARGEST_LOG, LARGEST_LOG))
        slope = X.T @ (counts - risk) - RIDGE_INCIDENTS * found
        curve = (X * risk[:, None]).T @ X + RIDGE_INCIDENTS * np.eye(len(found))
        step = np.clip(np.linalg.solve(curve, slope), -1.0, 1.0)
        found = np.clip(found + step, -LARGEST_LOG, LARGEST_LOG)
        if np.abs(step).max() < 1e-6:
            break
    return found


def calendar_terms(periods: Periods) -> Floats:
    """Season (a wave of a year) and Friday, Saturday, Sunday of each period: [S, 5]."""
    local = periods.local_from.astype("datetime64[s]")
    turn = 2 * np.pi * ((local - local.astype("datetime64[Y]")) / np.timedelta64(1, "s") / (365.25 * 86_400))
    day = weekday_of(local)
    return np.column_stack([np.sin(turn), np.cos(turn), *(day == late for late in (4, 5, 6))]).astype(
        np.float64
    )


class Factored(RateEstimator):
    """An estimator that learns what is left when known effects are taken off, and puts them on again.

    ``columns`` hold logs of factors (0: none): the exposure of a row is multiplied by them in the fit, the risk in
    ``predict``. ``estimator`` None: a mixture of rates.
    """

    def __init__(self, estimator: Any = None, columns: Sequence[int] = ()) -> None:
        self.estimator = estimator
        self.columns = columns

    def _factor(self, X: Any) -> AnyFloats:
        logs = np.asarray(X[:, list(self.columns)], dtype=np.float64).sum(axis=1)
        factor: AnyFloats = np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG))
        return factor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        factor = self._factor(X)
        inner = NonNegativeMixture() if self.estimator is None else self.estimator
        self.estimator_ = clone(inner).fit(X, y / factor, sample_weight=weight * factor)
        return self

    def predict(self, X: Any) -> AnyFloats:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.float64], reset=False)
        risk: AnyFloats = self.estimator_.predict(X) * self._factor(X)
        return risk
