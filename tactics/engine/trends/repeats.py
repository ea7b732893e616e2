"""Does one burglary bring the next? Pairs of crimes close in space and time, against what chance gives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

MOST_WORK = 60_000_000
"""Pairs × shuffles: about a second. Beyond it there are fewer shuffles, down to ``FEWEST``; the table says how many."""
FEWEST = 99
"""Enough for a p-value of 0.01."""


@dataclass(frozen=True)
class KnoxTable:
    """Pairs by distance and days between, and how they compare with shuffled dates.

    Attributes:
        metres: upper bounds of the distance bands, shape (s,); the first is for the same place (0 means below 1 m).
        days: upper bounds of the bands of days, shape (t,); a pair belongs to the first band that holds it.
        pairs: pairs seen, shape (s, t).
        ratio: pairs seen over their median under shuffled dates, shape (s, t); NaN where that is 0.
        p: share of shuffles with at least as many pairs, (M + 1)/(R + 1), shape (s, t).
        shuffles: how many were made.
        n: crimes that went in.
    """

    metres: tuple[float, ...]
    days: tuple[int, ...]
    pairs: npt.NDArray[np.int64]
    ratio: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    shuffles: int
    n: int


def near_repeats(
    x_m: npt.NDArray[np.float64],
    y_m: npt.NDArray[np.float64],
    day: npt.NDArray[np.int64],
    *,
    rng: np.random.Generator,
    metres: tuple[float, ...] = (1.0, 100.0, 200.0, 300.0, 400.0),
    days: tuple[int, ...] = (7, 14, 21, 28),
    shuffles: int = 399,
) -> KnoxTable:
    """Return the Knox table of crimes: which distances and delays hold more pairs than chance gives.

    Chance: places stay, dates are shuffled among them, so that neither busy places nor busy months look like repeats.

    Args:
        x_m, y_m: places in metres, shape (n,).
        day: dates as whole days since any start, shape (n,).
        metres, days: upper bounds of bands, increasing; distances up to and including a bound are in its band, so are days.
        shuffles: how many to make; fewer where pairs are very many (``KnoxTable.shuffles`` says how many there were).

    Raises:
        ValueError: shapes differ, bands do not increase, or ``shuffles`` is below 1.

    Notes:
        Knox (1964), "The detection of space-time interactions"; for burglary Johnson and others (2007), "Space-time
        patterns of risk"; Ratcliffe's Near Repeat Calculator shows the same ratio and p-value.
    """
    if not x_m.shape == y_m.shape == day.shape:
        raise ValueError(f"Shapes differ: {x_m.shape}, {y_m.shape}, {day.shape}.")
    if list(metres) != sorted(set(metres)) or list(days) != sorted(set(days)) or not metres or not days:
        raise ValueError("Bands must increase.")
    if shuffles < 1:
        raise ValueError(f"shuffles is {shuffles}.")
    shape = (len(metres), len(days))
    if len(x_m) < 2:
        return KnoxTable(
            metres, days, np.zeros(shape, np.int64), np.full(shape, np.nan), np.ones(shape), 0, len(x_m)
        )
    points = np.column_stack([x_m, y_m])
    pairs = cKDTree(points).query_pairs(metres[-1], output_type="ndarray")
    apart = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    band = np.searchsorted(np.array(metres), apart, side="left")
    # Sorted by distance, a shuffle is one histogram of days for each band; the rest of the work is shared.
    order = np.argsort(band, kind="stable")
    a, b, band = pairs[order, 0], pairs[order, 1], band[order]
    made = int(min(shuffles, max(FEWEST, MOST_WORK // max(len(a), 1))))
    # The band of any number of days, by looking it up; pairs too far apart in time go to one that is thrown away.
    span = int(day.max() - day.min())
    slot_of = np.searchsorted(np.array(days), np.arange(span + 1), side="left")
    wide = len(days) + 1
    # Narrow numbers: a shuffle is little else than moving them, and half as wide ones move twice as fast.
    slot_of, base = slot_of.astype(np.int32), (band * wide).astype(np.int32)
    a, b = a.astype(np.int32), b.astype(np.int32)

    def counted(dates: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        dates = dates.astype(np.int32)
        slot = base + slot_of[np.abs(dates[a] - dates[b])]
        return np.bincount(slot, minlength=len(metres) * wide).reshape(len(metres), wide)[:, : len(days)]

    day = day - day.min()
    seen = counted(day)
    drawn = np.stack([counted(rng.permutation(day)) for _ in range(made)])
    middle = np.median(drawn, axis=0)
    ratio = np.divide(seen, middle, out=np.full(shape, np.nan), where=middle > 0)
    p = (1 + (drawn >= seen).sum(axis=0)) / (made + 1)
    return KnoxTable(metres, days, seen, ratio, p, made, len(x_m))
