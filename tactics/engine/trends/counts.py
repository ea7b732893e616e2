"""Is this many many? Counts of a period against the same period of earlier years, with limits that chance alone keeps to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Counts = npt.NDArray[np.int64]
LEVEL = 0.05
"""Outside limits of this level one count in twenty falls by chance alone: with ten crime types, one every second week."""


@dataclass(frozen=True)
class CountBand:
    """A count and what earlier years lead one to expect.

    Attributes:
        now: events in the period.
        mean: events a year in the same period of earlier years; NaN without any.
        low, high: the largest range of counts that chance keeps to in 95 of 100 periods; -1 and -1 without earlier years.
        p: how often chance alone gives a count at least as far out, two-sided (twice the smaller tail); NaN without years.
        spread: variance over mean of the earlier years; far above 1 where years differ by more than chance, so that the
            limits are too narrow. NaN with fewer than three.
    """

    now: int
    mean: float
    low: int
    high: int
    p: float
    spread: float

    @property
    def word(self) -> str:
        """``more``, ``fewer``, ``as expected`` or ``no earlier year``."""
        if np.isnan(self.mean):
            return "no earlier year"
        if self.low <= self.now <= self.high:
            return "as expected"
        return "more" if self.now > self.high else "fewer"


def count_band(now: int, earlier: Counts, *, level: float = LEVEL) -> CountBand:
    """Return how a count stands against those of earlier years, which need not be many.

    Both are Poisson with one rate: given their sum, the new one is binomial with chance 1/(years + 1). That takes into
    account that five years tell the rate only roughly, which ``mean ± 2·√mean`` does not.

    Args:
        now: events in the period.
        earlier: events in the same period of earlier years, shape (years,).
        level: how often chance alone is allowed to fall outside the limits.

    Raises:
        ValueError: a negative count, or a level outside (0, 1).

    Notes:
        Nelson (1970), "Confidence intervals for the ratio of two Poisson means and Poisson predictor intervals";
        for crime: Wheeler (2016), "Tables and graphs for monitoring temporal crime trends".

    >>> count_band(30, np.array([20, 22, 18, 21, 19])).word
    'as expected'
    >>> count_band(40, np.array([20, 22, 18, 21, 19])).word
    'more'
    """
    return count_bands(np.array([now]), np.asarray(earlier, dtype=np.int64)[np.newaxis], level=level)[0]


def count_bands(now: Counts, earlier: Counts, *, level: float = LEVEL) -> list[CountBand]:
    """Return how each of many counts stands against those of its earlier years, as ``count_band`` does for one.

    All at once: one by one the limits of 277 beats, six crime types and three periods took most of a second.

    Args:
        now: events in the period, shape (n,).
        earlier: events in the same period of earlier years, shape (n, years); all counts have the same years.
        level: how often chance alone is allowed to fall outside the limits.

    Raises:
        ValueError: a negative count, or a level outside (0, 1).

    >>> [band.word for band in count_bands(np.array([30, 40]), np.array([[20, 22, 18, 21, 19]] * 2))]
    ['as expected', 'more']
    """
    now, earlier = np.asarray(now, dtype=np.int64), np.asarray(earlier, dtype=np.int64)
    if (now < 0).any() or (earlier < 0).any():
        raise ValueError("A count is negative.")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1.")
    years = earlier.shape[1]
    nan = float("nan")
    if years == 0 or not len(now):
        return [CountBand(n, nan, -1, -1, nan, nan) for n in now.tolist()]
    past, chance = earlier.sum(axis=1), years / (years + 1)
    # Of no failures there is no such distribution: with empty years the lower tail is all there is, and the lower limit 0.
    some, is_empty = np.maximum(past, 1), past == 0
    # P(Bin(y + S, 1/(k+1)) >= y) is this tail of a negative binomial; likewise the lower one, with one failure less.
    above = stats.nbinom.sf(now - 1, past + 1, chance)
    below = np.where(is_empty, 1.0, stats.nbinom.cdf(now, some, chance))
    low = np.where(is_empty, 0, stats.nbinom.ppf(level / 2, some, chance)).astype(np.int64)
    high = stats.nbinom.isf(level / 2, past + 1, chance).astype(np.int64)
    p = np.minimum(1.0, 2 * np.minimum(below, above))
    spread = np.full(len(now), nan)
    if years >= 3:
        spread[~is_empty] = (earlier.var(axis=1, ddof=1)[~is_empty]) / (past[~is_empty] / years)
    columns = (column.tolist() for column in (now, past / years, low, high, p, spread))
    return [CountBand(*values) for values in zip(*columns, strict=True)]


def weekly_counts(days: npt.NDArray[np.datetime64], *, last: np.datetime64, weeks: int) -> Counts:
    """Return events a week for so many weeks that end with the day ``last``, the oldest first; shape (weeks,).

    Args:
        days: local dates of events (datetime64[D]), in any order; others than these weeks' are left out.
    """
    ago = (last.astype("datetime64[D]") - days.astype("datetime64[D]")).astype(np.int64) // 7
    inside = (ago >= 0) & (ago < weeks)
    return np.bincount(weeks - 1 - ago[inside], minlength=weeks).astype(np.int64)
