"""Who gets how much patrol: each area's part of patrol minutes against its part of residents or of reported crime.

Arrays over blocks of time (weeks or days) × cells or areas. No demographic figure has a name here: areas are numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TENTHS = 10
DRAWS = 2_000


def as_if_minutes(
    n_cells: int, *, cell: Ints, pi: Floats, dose_minutes: Floats, visit_starts: Floats
) -> Floats:
    """Minutes of patrol that a design foresees for every cell before anything is drawn, in minutes a shift. float64[n_cells].

    Chance of a mission × minutes of a visit × visits that fit. ``cell``, ``pi``, ``dose_minutes`` [n]; ``visit_starts`` [n, V],
    NaN where a visit does not fit. A cell that was no candidate is 0.

    >>> as_if_minutes(3, cell=np.array([1]), pi=np.array([0.5]), dose_minutes=np.array([12.0]),
    ...               visit_starts=np.array([[0.0, 90.0, np.nan]])).tolist()
    [0.0, 12.0, 0.0]
    """
    visits = np.isfinite(visit_starts).sum(axis=1)
    return np.bincount(cell, weights=pi * dose_minutes * visits, minlength=n_cells).astype(np.float64)


def tenths(value: Floats, weight: Floats) -> Ints:
    """Sort places into ten groups by a figure, each with about a tenth of the weight: 0 lowest … 9 highest. int64[n].

    Places of equal value always share a group, the one in which their middle lies, so that their order cannot matter; groups
    may then be unequal or empty. -1 for a place without a figure (NaN), or without weight.

    >>> tenths(np.arange(10.0), np.ones(10)).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    found = np.full(len(value), -1, dtype=np.int64)
    known = np.isfinite(value) & (weight > 0)
    if not known.any():
        return found
    levels, level = np.unique(value[known], return_inverse=True)
    mass = np.bincount(level, weights=weight[known], minlength=len(levels))
    middle = (np.cumsum(mass) - mass / 2.0) / mass.sum()
    found[known] = np.minimum((middle * TENTHS).astype(np.int64), TENTHS - 1)[level]
    return found


def by_area(values: Floats, area: Ints, n_areas: int) -> Floats:
    """Sum cells' values into areas: [B, N] → [B, A]. ``area`` int[N], -1 for a cell of none, which is left out."""
    inside = area >= 0
    out = np.zeros((len(values), n_areas))
    for block, row in enumerate(values):
        out[block] = np.bincount(area[inside], weights=row[inside], minlength=n_areas)
    return out


@dataclass(frozen=True)
class Disparity:
    """Each area's part of exposure over its part of a base; 1 is proportional. Arrays [A].

    ``ratio`` NaN where the area has none of the base, or nothing was exposed at all; ``low``, ``high`` NaN where it takes more
    than the blocks there are to say how sure the ratio is.
    """

    exposure_share: Floats
    base_share: Floats
    ratio: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Spread:
    """Each area's figure over a period, and how sure it is. Arrays [A]; NaN where there is no figure, or too little to say."""

    value: Floats
    low: Floats
    high: Floats


def part_of_all(
    values: Floats, *, rng: np.random.Generator, confidence: float = 0.95, draws: int = DRAWS
) -> Spread:
    """Each area's part of the whole, and the interval in which it would lie in another such period. ``values`` [B, A].

    Notes
    -----
    Blocks of time are drawn with replacement (block bootstrap: Künsch, Ann. Statist. 17, 1989), and percentiles taken. Fewer
    than two blocks with anything in them: no interval.
    """
    return _spread(values, _parts, rng, confidence, draws)


def for_each(
    values: Floats, base: Floats, *, rng: np.random.Generator, confidence: float = 0.95, draws: int = DRAWS
) -> Spread:
    """Each area's sum for each of its ``base`` (residents: fixed), with an interval as ``part_of_all``'s. [B, A], [A].

    NaN where the base is below 1: a figure for a part of a person says nothing.
    """
    whole = np.where(base >= 1, base, np.nan)
    return _spread(values, lambda sums: sums / whole, rng, confidence, draws)


def _spread(
    values: Floats,
    figure: Callable[[Floats], Floats],
    rng: np.random.Generator,
    confidence: float,
    draws: int,
) -> Spread:
    value = figure(values.sum(axis=0)[None])[0]
    n = len(values)
    if (values.sum(axis=1) > 0).sum() < 2:
        return Spread(value, np.full(len(value), np.nan), np.full(len(value), np.nan))
    weight = rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)
    drawn = figure(weight @ values)
    tail = (1.0 - confidence) / 2.0
    # A draw of empty blocks alone has no parts; where the base is missing, no draw has a figure.
    known = drawn[np.isfinite(drawn).any(axis=1)]
    low, high = np.quantile(known, (tail, 1.0 - tail), axis=0)
    return Spread(value, low, high)


def _parts(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = sums / sums.sum(axis=-1, keepdims=True)
    return found


def disparity(
    exposure: Floats,
    base: Floats,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Disparity:
    """Say how each area's part of patrol compares with its part of residents or crime, and how sure that is.

    ``exposure`` [B, A] minutes by block of time; ``base`` [A] (residents: fixed) or [B, A] (crimes: they vary with the blocks).
    Fewer than two blocks with exposure: no interval.

    Notes
    -----
    Ratio of shares (a location quotient: Isserman, J. Am. Inst. Planners 43, 1977). Interval: blocks of time are drawn with
    replacement, exposure and crimes together, and the percentiles of the ratio taken (block bootstrap: Künsch, Ann. Statist.
    17, 1989). A census's own error is not part of it.
    """
    fixed = base.ndim == 1
    total = base if fixed else base.sum(axis=0)
    spent = exposure.sum(axis=0)
    empty = np.full(len(spent), np.nan)
    ratio = _ratios(spent[None], total[None])[0]
    low, high = empty.copy(), empty.copy()
    n = len(exposure)
    if (exposure.sum(axis=1) > 0).sum() >= 2:
        weight = rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)
        drawn = _ratios(
            weight @ exposure, np.broadcast_to(total, (draws, len(total))) if fixed else weight @ base
        )
        tail = (1.0 - confidence) / 2.0
        some = np.isfinite(ratio)
        # A draw without any crime in the area has no ratio: it says nothing of how sure the others are.
        with np.errstate(invalid="ignore"):
            enough = np.isfinite(drawn).mean(axis=0) > 0.5
        for area in np.flatnonzero(some & enough):
            low[area], high[area] = np.nanquantile(drawn[:, area], (tail, 1.0 - tail))
    return Disparity(_shares(spent), _shares(total), ratio, low, high)


def _shares(values: Floats) -> Floats:
    total = values.sum()
    found: Floats = values / total if total > 0 else np.zeros(len(values))
    return found


def _ratios(spent: Floats, base: Floats) -> Floats:
    """[R, A]: parts of the row's exposure over parts of the row's base; NaN without either."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = _parts(spent) / _parts(base)
    found[~np.isfinite(found)] = np.nan
    return found


def beyond(found: Disparity, threshold: float) -> Ints:
    """Which areas are beyond what is tolerated: 1 more than ``threshold`` times, -1 less than 1/``threshold``, 0 neither. [A].

    Only where chance does not explain it: the interval must leave 1 out. Areas without a ratio or an interval are 0.

    >>> one = np.array([1.4])
    >>> beyond(Disparity(one, one, one, np.array([1.1]), np.array([1.8])), 1.25).tolist()
    [1]
    """
    with np.errstate(invalid="ignore"):
        more = (found.ratio >= threshold) & (found.low > 1.0)
        less = (found.ratio <= 1.0 / threshold) & (found.high < 1.0)
    return more.astype(np.int64) - less.astype(np.int64)
