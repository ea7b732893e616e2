"""How sure a share is that was counted: so many of so many."""

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


def wilson(hits: npt.ArrayLike, of: npt.ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """The interval in which a share lies: (low, high), float64[n] each, 0..1; NaN where nothing was counted.

    ``hits`` of ``of`` trials, n of each. Trials are taken as independent: where they come in clusters (one unit's visits)
    the interval is too narrow.

    Notes
    -----
    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22: it keeps its promise for
    few trials and for shares near 0 and 1, where the plain ± interval does not.

    >>> low, high = wilson([0, 5, 10], [10, 10, 10])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.237, 0.722], [0.278, 0.763, 1.0])
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(of, dtype=np.float64)
    z = float(special.ndtri(0.5 + level / 2))
    # Nothing counted divides by nothing; the caller gets NaN, and no warning.
    n = np.where(n > 0, n, np.nan)
    share = k / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low: Floats = np.clip(middle - half, 0.0, 1.0)
    high: Floats = np.clip(middle + half, 0.0, 1.0)
    return low, high
