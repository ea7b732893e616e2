"""How officers' hunches did, all of them together, beside the forecast's own best cells and beside chance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlaceScore:
    """Of ``n`` places over their periods: events expected by the forecast, observed, and the share with at least one.

    ``ratio`` is observed over expected; the bounds are 95 %. NaN where nothing was expected, or no place is scored.
    """

    n: int
    expected: float
    observed: float
    ratio: float
    ratio_low: float
    ratio_high: float
    share: float
    share_low: float
    share_high: float


def place_score(expected: Floats, observed: Floats, with_event: Floats | None = None) -> PlaceScore:
    """Sum up places: ``expected`` and ``observed`` events, float[n]; ``with_event`` the chance of at least one each.

    ``with_event`` defaults to whether any was observed. For an average over many cells (a random cell of the beat)
    ``observed`` is a mean and its interval is as wide as that of a count of the same size.

    Notes
    -----
    The ratio's interval is Garwood's (1936) exact one for a Poisson count, divided by the expectation; the share's is
    Wilson's (1927). Both take places as independent: where several officers named the same cell they are too narrow.

    >>> score = place_score(np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.0, 3.0]))
    >>> score.observed, score.ratio, round(score.ratio_low, 2), round(score.ratio_high, 2)
    (4.0, 2.0, 0.54, 5.12)
    >>> round(score.share, 2), round(score.share_low, 2), round(score.share_high, 2)
    (0.67, 0.21, 0.94)
    """
    n, total, seen = len(expected), float(np.sum(expected)), float(np.sum(observed))
    nan = float("nan")
    low = high = ratio = nan
    if total > 0:
        low = float(stats.chi2.ppf(0.025, 2 * seen) / 2) / total if seen > 0 else 0.0
        high = float(stats.chi2.ppf(0.975, 2 * seen + 2) / 2) / total
        ratio = seen / total
    if n == 0:
        return PlaceScore(0, 0.0, 0.0, nan, nan, nan, nan, nan, nan)
    share = float(np.mean(observed > 0 if with_event is None else with_event))
    z = float(stats.norm.ppf(0.975))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return PlaceScore(
        n, total, seen, ratio, low, high, share, max(0.0, middle - half), min(1.0, middle + half)
    )


def top_cells(values: Floats, k: int) -> npt.NDArray[np.int64]:
    """Return the k highest cells of a surface, the highest first; equal ones by position.

    >>> top_cells(np.array([0.1, 0.3, 0.2, 0.3]), 3).tolist()
    [1, 3, 2]
    """
    return np.argsort(-values, kind="stable")[:k].astype(np.int64)
