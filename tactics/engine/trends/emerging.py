"""Which cells are new on the list? Cells with more crime lately than their own past and the city's trend explain."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class EmergingCells:
    """Cells by evidence, the strongest first; all arrays of shape (found,).

    Attributes:
        cell: index into the arrays given.
        recent: crimes in the recent period.
        expected: crimes expected there from the cell's past and the city's trend.
        p: chance of as many or more.
        q: the same, adjusted for having looked at every cell (false discovery rate).
    """

    cell: npt.NDArray[np.int64]
    recent: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    q: npt.NDArray[np.float64]


def emerging_cells(
    recent: npt.NDArray[np.int64],
    before: npt.NDArray[np.int64],
    *,
    recent_days: float,
    before_days: float,
    rate: float = 0.05,
) -> EmergingCells:
    """Return the cells whose recent count chance does not explain, with at most ``rate`` false ones among them.

    A cell's rate is a gamma-distributed share of the city's (so that a cell that was empty for a year is not expected to
    stay at exactly nothing); the gamma's shape comes from how differently cells were hit before. Given a cell's past its
    recent count is then negative binomial. The city's own change is taken out: a city-wide rise makes no cell emerge.

    Args:
        recent, before: crimes a cell in the recent period and in the one before it, shape (cells,).
        recent_days, before_days: lengths of the periods.
        rate: false discovery rate.

    Raises:
        ValueError: shapes differ or a period has no length.

    Notes:
        Gamma–Poisson smoothing: Clayton and Kaldor (1987). Discrete tails with Benjamini and Hochberg (1995), which is
        conservative for them. Clusters larger than a cell are not looked for: that is a scan statistic's question.
    """
    if recent.shape != before.shape:
        raise ValueError(f"recent has shape {recent.shape}, before {before.shape}.")
    if recent_days <= 0 or before_days <= 0:
        raise ValueError("A period has no length.")
    n_recent, n_before = int(recent.sum()), int(before.sum())
    nothing = np.empty(0, dtype=np.int64)
    if not n_recent or not n_before:
        return EmergingCells(nothing, nothing, np.empty(0), np.empty(0), np.empty(0))
    mean = before.mean()
    # Moments of a gamma–Poisson mixture: variance = mean + mean²/shape.
    excess = max(float(before.var()) - mean, 1e-9)
    shape = mean**2 / excess
    # The city's change between the periods, per day, is in this factor; a cell's past is weighed by it.
    exposure = n_recent / n_before
    posterior_shape = shape + before
    posterior_rate = shape / mean + 1.0
    expected = exposure * posterior_shape / posterior_rate
    p = stats.nbinom.sf(recent - 1, posterior_shape, posterior_rate / (posterior_rate + exposure))
    order = np.argsort(p, kind="stable")
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    found = order[(q[order] <= rate) & (recent[order] > 0)]
    return EmergingCells(found, recent[found], expected[found], p[found], q[found])
