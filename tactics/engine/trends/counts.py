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
    earlier = np.asarray(earlier, dtype=np.int64)
    if now < 0 or (earlier < 0).any():
        raise ValueError("A count is negative.")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1.")
    years = len(earlier)
    if years == 0:
        return CountBand(now, float("nan"), -1, -1, float("nan"), float("nan"))
    past, chance = int(earlier.sum()), years / (years + 1)
    # P(Bin(y + S, 1/(k+1)) >= y) is this tail of a negative binomial; likewise the lower one, with one failure less.
    above = float(stats.nbinom.sf(now - 1, past + 1, chance))
    below = float(stats.nbinom.cdf(now, past, chance)) if past else 1.0
    low = int(stats.nbinom.ppf(level / 2, past, chance)) if past else 0
    high = int(stats.nbinom.isf(level / 2, past + 1, chance))
    spread = float(np.var(earlier, ddof=1) / earlier.mean()) if years >= 3 and past else float("nan")
    return CountBand(now, past / years, low, high, min(1.0, 2 * min(below, above)), spread)


def weekly_counts(days: npt.NDArray[np.datetime64], *, last: np.datetime64, weeks: int) -> Counts:
    """Return events a week for so many weeks that end with the day ``last``, the oldest first; shape (weeks,).

    Args:
        days: local dates of events (datetime64[D]), in any order; others than these weeks' are left out.
    """
    ago = (last.astype("datetime64[D]") - days.astype("datetime64[D]")).astype(np.int64) // 7
    inside = (ago >= 0) & (ago < weeks)
    return np.bincount(weeks - 1 - ago[inside], minlength=weeks).astype(np.int64)
