"""How far chance moves the ratios of the effectiveness report: 95 % intervals from weeks, or a week's days, drawn with replacement."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from tactics.reports.caught import EVENTS, PlanCatch

DRAWS = 2_000
LEAST_DAYS, LEAST_EVENTS = 5, 3
"""Days of a week with plans, and its events in missions and outside them, below which its PAI has no interval: of fewer, the same
few are drawn again and again, and the interval is narrow where least is known."""
Floats = npt.NDArray[np.float64]


def monday(on: dt.date) -> dt.date:
    return on - dt.timedelta(days=on.weekday())


def ratio_interval(rows: Sequence[tuple[dt.date, float, float]]) -> tuple[float, float]:
    """95 % interval of the sum of the second over that of the third, whole weeks drawn with replacement; NaN with one week."""
    weeks: dict[dt.date, Floats] = defaultdict(lambda: np.zeros(2))
    for on, above, below in rows:
        weeks[monday(on)] += (above, below)
    sums = np.array(list(weeks.values())).reshape(-1, 2)
    # One week drawn again and again is the same week: an interval without width, which reads as certainty.
    if len(sums) < 2 or not sums[:, 1].sum():
        return float("nan"), float("nan")
    drawn = _drawn(sums, seed=len(rows))
    drawn = drawn[drawn[:, 1] > 0]
    return _ends(drawn[:, 0] / drawn[:, 1], len(sums))


def inverse_interval(rows: Sequence[tuple[dt.date, float, float]]) -> tuple[float, float]:
    """As ``ratio_interval``, from the ratio turned upside down; the upper end is infinite where weeks without any of the third are drawn often.

    Expected over observed: a draw without events has no such ratio. Were it left out, few events would look like many.
    """
    low, high = ratio_interval([(on, below, above) for on, above, below in rows])
    if np.isnan(low) or high <= 0:
        return float("nan"), float("nan")
    return 1 / high, 1 / low if low > 0 else float("inf")


def pai_interval(week: Sequence[PlanCatch]) -> tuple[float, float]:
    """95 % interval of a week's PAI, its days drawn with replacement; NaN with fewer than five days or three events on either side."""
    days: dict[dt.date, Floats] = defaultdict(lambda: np.zeros(4))
    for one in week:
        days[one.on] += (one.inside[EVENTS], one.whole[EVENTS], one.boxes, one.cells)
    sums = np.array(list(days.values())).reshape(-1, 4)
    inside, events, boxes, _cells = sums.sum(axis=0)
    if len(sums) < LEAST_DAYS or min(inside, events - inside) < LEAST_EVENTS or not boxes:
        return float("nan"), float("nan")
    inside_s, events_s, boxes_s, cells_s = _drawn(sums, seed=len(week)).T
    is_some = (events_s > 0) & (boxes_s > 0)
    pai = (inside_s[is_some] * cells_s[is_some]) / (events_s[is_some] * boxes_s[is_some])
    return _ends(pai, len(sums))


def _drawn(blocks: Floats, *, seed: int) -> Floats:
    """Sums of as many blocks, drawn with replacement: float64[2000, quantities]. A fixed seed: page and file say the same."""
    pick = np.random.default_rng(seed).integers(0, len(blocks), (DRAWS, len(blocks)))
    found: Floats = blocks[pick].sum(axis=1)
    return found


def _ends(drawn: Floats, blocks: int) -> tuple[float, float]:
    """The 95 % interval of what was drawn from so many blocks.

    Notes:
        Of few blocks the plain percentiles are too narrow: of a week's seven days they hold the truth 86 times in 100. They are moved
        out to those that Student's t calls for (the expanded percentile interval: Hesterberg 2015, "What teachers should know about the bootstrap").
    """
    outside = float(ndtr(-np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, 0.975)))
    low, high = np.quantile(drawn, (outside, 1 - outside))
    return float(low), float(high)
