"""Does one burglary bring the next? Pairs of crimes close in space and time, against what chance gives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

MOST_WORK = 16_000_000
"""Pairs × shuffles: about a thirtieth of a second. Beyond it there are fewer shuffles, down to ``FEWEST``; the table says how many."""
MOST_DATES = 20_000_000
"""Dates of shuffles held at once, 2 bytes each."""
SORTED_AT_ONCE = 32
"""Shuffles sorted at once: what the processor's own memory holds."""
BLOCK, HALVINGS = 256, 3
"""Pairs counted at once, and how often their number is halved before they are added up."""
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
    shuffles: int = 199,
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
    # Neighbours stand beside one another in the tree's own order: their rows of dates are then near in memory, too.
    order = cKDTree(points).indices
    points, day = points[order], day[order] - day.min()
    pairs = cKDTree(points).query_pairs(metres[-1], output_type="ndarray")
    one, other = pairs[:, 0], pairs[:, 1]
    apart = np.hypot(*(axis.take(one) - axis.take(other) for axis in np.ascontiguousarray(points.T)))
    band = np.searchsorted(np.array(metres), apart, side="left").astype(np.int8)
    by_band = np.argsort(band, kind="stable")
    edges = np.searchsorted(band[by_band], np.arange(len(metres) + 1)).tolist()
    pairs = pairs[by_band]
    made = int(min(shuffles, max(FEWEST, MOST_WORK // max(len(pairs), 1))))
    day = day.astype(np.int16 if int(day.max()) < np.iinfo(np.int16).max else np.int32)
    at_once = max(1, MOST_DATES // len(day))
    counts = []
    for first in range(0, made, at_once):
        dates = _shuffled(day, min(at_once, made - first), rng)
        counts.append(_counted(pairs, edges, dates, days))
    between = np.searchsorted(np.array(days), np.abs(day[pairs[:, 0]] - day[pairs[:, 1]]), side="left")
    bands = band[by_band].astype(np.int64) * (len(days) + 1) + between
    seen = np.bincount(bands, minlength=len(metres) * (len(days) + 1)).reshape(len(metres), -1)[
        :, : len(days)
    ]
    drawn = np.concatenate(counts)
    middle = np.median(drawn, axis=0)
    ratio = np.divide(seen, middle, out=np.full(shape, np.nan), where=middle > 0)
    p = (1 + (drawn >= seen).sum(axis=0)) / (made + 1)
    return KnoxTable(metres, days, seen, ratio, p, made, len(x_m))


def _shuffled(day: npt.NDArray[np.int_], columns: int, rng: np.random.Generator) -> npt.NDArray[np.int_]:
    """Return dates, shape (n,), in so many random orders, shape (n, columns).

    Dates are sorted by random numbers that stand before them in the same 64 bits: four times as fast as drawing one order after
    another. With a day in the last ``bits``, two of n numbers are alike in one of 2^(64 - bits) / n² orders: a few in a billion.
    """
    bits = np.uint64(max(int(day.max()).bit_length(), 1))
    last = np.uint64((1 << int(bits)) - 1)
    found = np.empty((columns, len(day)), dtype=day.dtype)
    for first in range(0, columns, SORTED_AT_ONCE):
        block = found[first : first + SORTED_AT_ONCE]
        keys = rng.integers(0, 2**64, size=block.shape, dtype=np.uint64)
        keys &= ~last
        keys |= day.astype(np.uint64)
        keys.sort(axis=1)
        block[:] = keys & last
    return np.ascontiguousarray(found.T)


def _counted(
    pairs: npt.NDArray[np.int64], edges: list[int], dates: npt.NDArray[np.int_], days: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Return pairs by column of dates, band of metres and band of days, shape (columns, s, t).

    A pair takes one row of dates for each of its crimes, and compares whole rows: what is looked up in memory at random is
    one row for all shuffles, not one number for each.

    Args:
        pairs: rows of ``dates``, shape (p, 2), sorted by band of metres; ``edges``: where each band begins, shape (s + 1,).
        dates: days since the first, shape (n, columns).
    """
    columns = dates.shape[1]
    within = np.zeros((len(edges) - 1, len(days), columns), dtype=np.int64)
    close = np.empty((len(days), BLOCK, columns), dtype=np.uint8)
    for band in range(len(edges) - 1):
        for start in range(edges[band], edges[band + 1], BLOCK):
            block = pairs[start : min(start + BLOCK, edges[band + 1])]
            between = dates.take(block[:, 0], axis=0)
            between -= dates.take(block[:, 1], axis=0)
            np.abs(between, out=between)
            for at, bound in enumerate(days):
                np.less_equal(between, bound, out=close[at, : len(block)].view(np.bool_))
            found = close[:, : len(block)]
            # Halves are added to halves while a byte holds the count, sixty-four bytes at a time; row by row takes twice as long.
            for _ in range(HALVINGS):
                if len(block) == BLOCK:
                    half = found.shape[1] // 2
                    found = found[:, :half] + found[:, half:]
            within[band] += found.sum(axis=1, dtype=np.int64)
    return np.diff(within, axis=1, prepend=0).transpose(2, 0, 1)
