"""A burglary found after a holiday happened some time in between: its mass is spread over the shifts it may fall in.

Each incident has mass one. An interval is cut where shifts begin and end on the local clock; every piece gets the
share of the interval's time that it covers, and lies in the middle of that time. Time outside all shifts keeps its
share and belongs to no shift; where shifts overlap, a piece belongs to both but counts once.

Notes
-----
Aoristic weights: Ratcliffe & McCullagh, Professional Geographer 50 (1998); Ratcliffe, J. Quant. Criminology 18 (2002).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.periods import SPREAD_FROM_SECONDS, ShiftWindow, shift_membership
from ingestion.engine.tables import IncidentTable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Bools = npt.NDArray[np.bool_]

WEEK_SECONDS = 7 * 86_400
LONG_SECONDS = 2 * WEEK_SECONDS
_MONDAY = 4 * 86_400
"""1970-01-05, the first Monday of the clock that numpy counts from."""


@dataclass(frozen=True)
class Pieces:
    """Parts of incidents: all arrays [p], grouped by incident, in the order of the table.

    ``row`` numbers the incident; ``occurred_utc`` and ``occurred_local`` are the middle of the piece (the start of
    the incident where it was not cut); ``weight`` sums to one for each incident.
    """

    row: Ints
    occurred_utc: Times
    occurred_local: Times
    weight: Floats

    def member(self, shifts: tuple[ShiftWindow, ...]) -> Bools:
        """Which shifts each piece falls in: [p, shifts]."""
        return shift_membership(self.occurred_local, shifts)


def pieces_of(incidents: IncidentTable, shifts: tuple[ShiftWindow, ...], rows: Ints | None = None) -> Pieces:
    """Spread every incident over the shifts it may have happened in, uniformly in time.

    ``rows`` chooses incidents of the table (all if None); pieces then number them by their place among those rows.
    An interval under an hour, or inside one shift, stays one piece at its start with weight exactly one. One of more
    than two weeks is represented by two whole weeks, around its first and its third quarter: the shares of shifts and
    weekdays stay exact and no incident makes more than two weeks' worth of pieces. An interval ends at the latest when
    the incident became known. The local clock keeps the offset that it has at the start of the interval.
    """
    chosen: Any = slice(None) if rows is None else rows
    utc, local = incidents.occurred_utc[chosen], incidents.occurred_local[chosen]
    last = np.minimum(incidents.occurred_to_utc[chosen], incidents.known_utc[chosen])
    start = _seconds(local)
    # What is known cannot happen later: the age of such a piece would be negative.
    end = start + np.maximum(_seconds(last) - _seconds(utc), 0)
    cuts = _week_cuts(shifts)
    row = np.flatnonzero(end - start >= SPREAD_FROM_SECONDS)
    low, high, mass = start[row], end[row], np.ones(len(row))
    row, low, high, mass = _two_weeks_for_long_ones(row, low, high, mass)
    before = _cuts_until(low, cuts)
    n_pieces = _cuts_until(high - 1, cuts) - before + 1
    # A half of a long interval must go with its other half, even where no shift begins inside it.
    spread = np.flatnonzero((n_pieces > 1) | (mass < 1.0))
    whole = np.ones(len(start), dtype=bool)
    whole[row[spread]] = False
    if len(spread) == 0:
        return Pieces(np.arange(len(start)), utc, local, np.ones(len(start)))
    who = np.repeat(spread, n_pieces[spread])
    first = np.cumsum(n_pieces[spread]) - n_pieces[spread]
    number = np.arange(len(who)) - np.repeat(first, n_pieces[spread])
    begin = np.where(number == 0, low[who], _cut_at(before[who] + number, cuts))
    finish = np.where(number == n_pieces[who] - 1, high[who], _cut_at(before[who] + number + 1, cuts))
    kept = np.flatnonzero(whole)
    number = np.concatenate([kept, row[who]])
    seconds = np.concatenate([start[kept], (begin + finish) // 2])
    weight = np.concatenate([np.ones(len(kept)), mass[who] * (finish - begin) / (high - low)[who]])
    order = np.argsort(number, kind="stable")
    number, seconds, weight = number[order], seconds[order], weight[order]
    later = (seconds - start[number]).astype("timedelta64[s]")
    return Pieces(number, utc[number] + later, local[number] + later, weight)


def shift_shares(incidents: IncidentTable, shifts: tuple[ShiftWindow, ...]) -> Floats:
    """How much of each incident falls in each shift: [n, shifts], 0 to 1. Overlapping shifts share nothing out."""
    pieces = pieces_of(incidents, shifts)
    share = np.zeros((len(incidents), len(shifts)))
    np.add.at(share, pieces.row, pieces.member(shifts) * pieces.weight[:, None])
    return share


def _seconds(times: Times) -> Ints:
    return np.asarray(times, dtype="datetime64[s]").astype(np.int64) - _MONDAY


def _two_weeks_for_long_ones(
    row: Ints, low: Ints, high: Ints, mass: Floats
) -> tuple[Ints, Ints, Ints, Floats]:
    long = np.flatnonzero(high - low > LONG_SECONDS)
    if len(long) == 0:
        return row, low, high, mass
    short = np.flatnonzero(high - low <= LONG_SECONDS)
    quarter = (high - low)[long] // 4
    begin = [low[long] + quarter - WEEK_SECONDS // 2, high[long] - quarter - WEEK_SECONDS // 2]
    lows = np.concatenate([low[short], *begin])
    highs = np.concatenate([high[short], *(one + WEEK_SECONDS for one in begin)])
    halves = np.full(2 * len(long), 0.5)
    rows = np.concatenate([row[short], row[long], row[long]])
    return rows, lows, highs, np.concatenate([mass[short], halves])


def _week_cuts(shifts: tuple[ShiftWindow, ...]) -> Ints:
    """Seconds after Monday's midnight at which a shift starts or ends, each once, ascending."""
    cuts = set()
    for shift in shifts:
        for weekday in shift.weekdays:
            start = weekday * 86_400 + shift.start_minute * 60
            cuts |= {start % WEEK_SECONDS, (start + shift.duration_minutes * 60) % WEEK_SECONDS}
    return np.array(sorted(cuts), dtype=np.int64)


def _cuts_until(seconds: Ints, cuts: Ints) -> Ints:
    """How many cuts lie at or before an instant, counted from the first Monday."""
    week, within = np.divmod(seconds, WEEK_SECONDS)
    return week * len(cuts) + np.searchsorted(cuts, within, side="right")


def _cut_at(number: Ints, cuts: Ints) -> Ints:
    """The instant of a cut, numbered from one."""
    week, within = np.divmod(number - 1, max(len(cuts), 1))
    return week * WEEK_SECONDS + cuts[within] if len(cuts) else np.zeros(len(number), dtype=np.int64)
