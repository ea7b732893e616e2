"""How good was the forecast: hit rate, PAI, PEI*, log score and calibration, as the field defines them.

Definitions (DOMAIN section 3), for a forecast that ranks N equal cells of which k are flagged: hit rate n / n_tot;
PAI = (n / n_tot) / (k / N); PEI* = n / n*, where n* is the most that any k cells could have held. Ties are broken
against the forecast. Intervals are percentile bootstraps over whole weeks, paired where two forecasts are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecasting.engine.periods import Periods

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AREA_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.10)
AREA_SQUARE_MILES = (0.25, 0.75)
SQUARE_MILE_M2 = 2_589_988.11
MAIN_AREA = "1%"
_FLOOR = 1e-12


def area_cells(n_cells: int, cell_size_m: float, budget_cells: int | None = None) -> dict[str, int]:
    """How many cells each customary area means here, at least one; areas larger than the city are left out."""
    areas = {f"{share:.1%}".replace(".0%", "%"): max(1, round(share * n_cells)) for share in AREA_SHARES}
    for miles in AREA_SQUARE_MILES:
        areas[f"{miles} sq mi"] = max(1, int(miles * SQUARE_MILE_M2 // cell_size_m**2))
    if budget_cells is not None:
        areas["budget"] = max(1, budget_cells)
    return {label: k for label, k in areas.items() if k <= n_cells}


def worst_ranks(score: npt.ArrayLike, cells: Ints, counts: Floats) -> Ints:
    """The rank (1 = first flagged) of each cell with crime, ties in the worst order for the forecast.

    ``cells`` are distinct, ``counts`` their crimes. Among equal scores cells without crime come first, then
    those with fewest: nothing is won by giving many cells the same score.
    """
    values = np.asarray(score)
    if len(cells) == 0:
        return np.zeros(0, dtype=np.int64)
    ascending = np.sort(values)
    mine = values[cells]
    group_end = len(values) - np.searchsorted(ascending, mine, side="left")
    order = np.lexsort((counts, -mine))
    ranks = np.empty(len(cells), dtype=np.int64)
    # Within a tie group the last positive takes the group's last rank, the one before it the last but one.
    ends = group_end[order]
    number = np.arange(len(order))
    last_of_group = np.searchsorted(ends, ends, side="right") - 1
    ranks[order] = ends - (last_of_group - number)
    return ranks


def hits_at(score: npt.ArrayLike, cells: Ints, counts: Floats, areas: Mapping[str, int]) -> Floats:
    """Crimes inside the flagged cells for each area: [areas]."""
    ranks = worst_ranks(score, cells, counts)
    return np.array([counts[ranks <= k].sum() for k in areas.values()])


def ideal_hits(counts: Floats, areas: Mapping[str, int]) -> Floats:
    """The most crimes that any choice of as many cells could have held: [areas]."""
    best = np.cumsum(np.sort(counts)[::-1])
    return np.array([best[min(k, len(best)) - 1] if len(best) else 0.0 for k in areas.values()])


def log_score(expected: npt.ArrayLike, cells: Ints, counts: Floats) -> float:
    """Poisson log-likelihood of one period over all cells, in nats, without the constant log(y!)."""
    values = np.asarray(expected, dtype=np.float64)
    return float(counts @ np.log(np.maximum(values[cells], _FLOOR)) - values.sum())


def week_blocks(periods: Periods) -> Ints:
    """Number of the week that each period falls in, counted from the first one: [S]."""
    if len(periods) == 0:
        return np.zeros(0, dtype=np.int64)
    since = periods.from_utc - periods.from_utc[0]
    weeks = (since // np.timedelta64(7, "D")).astype(np.int64)
    return np.unique(weeks, return_inverse=True)[1].astype(np.int64)


def bootstrap_weeks(blocks: Ints, rng: np.random.Generator, draws: int = 1000) -> Ints:
    """Weeks drawn with replacement: [draws, weeks]. Use the same draws for everything that is compared."""
    n = int(blocks.max()) + 1 if len(blocks) else 0
    return rng.integers(0, max(n, 1), size=(draws, n))


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class Estimate:
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON, where NaN does not exist."""
        return {"value": _finite(self.value), "low": _finite(self.low), "high": _finite(self.high)}


def ratio_estimate(top: Floats, bottom: Floats, blocks: Ints, draws: Ints) -> Estimate:
    """A ratio of sums over periods, with weeks as bootstrap blocks. 0 / 0 is NaN: nothing was there to measure.

    A single week has no interval: drawn again and again it would claim to be exact.
    """
    if len(top) == 0 or bottom.sum() <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    weekly_top, weekly_bottom = np.bincount(blocks, top), np.bincount(blocks, bottom)
    tops, bottoms = weekly_top[draws].sum(axis=1), weekly_bottom[draws].sum(axis=1)
    usable = bottoms > 0
    low, high = (
        np.quantile(tops[usable] / bottoms[usable], [0.025, 0.975])
        if usable.any() and draws.shape[1] > 1
        else (np.nan, np.nan)
    )
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high))


@dataclass(frozen=True)
class Scores:
    """What one forecast achieved in each period; sums of these give every figure.

    ``hits`` and ``ideal`` [S, areas]; ``log_scores``, ``expected``, ``observed`` [S].
    """

    hits: Floats
    ideal: Floats
    log_scores: Floats
    expected: Floats
    observed: Floats


@dataclass(frozen=True)
class AreaScore:
    """Hit rate, PAI and PEI* when this many cells are flagged."""

    area: str
    cells: int
    hit_rate: Estimate
    pai: float
    pei_star: float
    lift: Estimate

    def as_dict(self) -> dict[str, object]:
        return {
            "area": self.area,
            "cells": self.cells,
            "hit_rate": self.hit_rate.as_dict(),
            "pai": _finite(self.pai),
            "pei_star": _finite(self.pei_star),
            "lift_over_best_baseline": self.lift.as_dict(),
        }


def area_scores(
    scores: Scores, best: Floats, areas: Mapping[str, int], n_cells: int, blocks: Ints, draws: Ints
) -> tuple[AreaScore, ...]:
    """Every area's figures; ``best`` [S, areas] are the best baseline's hits, for the paired lift."""
    out = []
    for column, (label, k) in enumerate(areas.items()):
        rate = ratio_estimate(scores.hits[:, column], scores.observed, blocks, draws)
        ideal = float(scores.ideal[:, column].sum())
        out.append(
            AreaScore(
                area=label,
                cells=k,
                hit_rate=rate,
                pai=rate.value / (k / n_cells),
                pei_star=float(scores.hits[:, column].sum()) / ideal if ideal > 0 else float("nan"),
                lift=ratio_estimate(scores.hits[:, column], best[:, column], blocks, draws),
            )
        )
    return tuple(out)
