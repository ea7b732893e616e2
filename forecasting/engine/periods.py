"""Shifts and their dated occurrences, as the numeric core sees them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.engine.tables import IncidentTable

Times = npt.NDArray[np.datetime64]
EPOCH = np.datetime64("2000-01-01T00:00:00", "s")
DAY_SECONDS = 86_400.0
SPREAD_FROM_SECONDS = 3_600
"""Incidents whose interval is shorter than this are taken to have happened at its start."""
MIN_PERIODS = 6
"""Fewer periods than this teach nothing."""
BURN_IN_DAYS = 120.0
_LONGEST_HISTORY_DAYS = 3_650.0


@dataclass(frozen=True)
class ShiftWindow:
    """A shift as the roster names it: "evening, from 16:00 for eight hours, every day".

    ``start_minute`` counts local wall-clock minutes after midnight; ``duration_minutes`` may carry the shift
    past midnight; ``weekdays`` are the days on which it starts (0 = Monday). Shifts may overlap.
    """

    slug: str
    start_minute: int
    duration_minutes: int
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)

    def __post_init__(self) -> None:
        if not 0 <= self.start_minute < 1440:
            raise ValueError(f"Shift '{self.slug}' starts at minute {self.start_minute}; must be 0 to 1439.")
        if not 0 < self.duration_minutes <= 1440:
            raise ValueError(f"Shift '{self.slug}' lasts {self.duration_minutes} minutes; must be 1 to 1440.")


@dataclass(frozen=True)
class Periods:
    """Dated shift instances, ascending by start; arrays of shape [S].

    ``from_utc``/``to_utc`` are half-open, [from, to). ``local_from`` is the naive wall clock at the start: it
    decides weekday and season. ``slot`` indexes the shift windows.
    """

    from_utc: Times
    to_utc: Times
    local_from: Times
    slot: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        n = len(self.from_utc)
        if any(len(column) != n for column in (self.to_utc, self.local_from, self.slot)):
            raise ValueError("Periods need equally long columns.")
        if n and (self.to_utc <= self.from_utc).any():
            raise ValueError("A period must end after it starts.")
        if n and (np.diff(self.from_utc) < np.timedelta64(0, "s")).any():
            raise ValueError("Periods must be ascending by their start.")

    def __len__(self) -> int:
        return len(self.from_utc)

    def take(self, rows: npt.ArrayLike) -> "Periods":
        """These periods, in this order; ascending numbers keep the order of time."""
        at = np.asarray(rows)
        return Periods(self.from_utc[at], self.to_utc[at], self.local_from[at], self.slot[at])

    @property
    def hours(self) -> npt.NDArray[np.float64]:
        return (self.to_utc - self.from_utc) / np.timedelta64(1, "s") / 3600.0


def days_since_epoch(instants: Times | np.datetime64) -> npt.NDArray[np.float64]:
    """Instants as days since the year 2000 began, fractions kept to the second."""
    seconds = (np.asarray(instants, dtype="datetime64[s]") - EPOCH) / np.timedelta64(1, "s")
    return np.asarray(seconds, dtype=np.float64) / DAY_SECONDS


def weekday_of(local: Times) -> npt.NDArray[np.int64]:
    """Weekday of naive local times, 0 = Monday."""
    return (np.asarray(local, "datetime64[D]").astype(np.int64) + 3) % 7


def minute_of_day(local: Times) -> npt.NDArray[np.int64]:
    """Whole minutes after local midnight."""
    at = np.asarray(local, "datetime64[s]")
    minutes: npt.NDArray[np.int64] = (
        (at - at.astype("datetime64[D]")).astype("timedelta64[m]").astype(np.int64)
    )
    return minutes


def shift_membership(local: Times, shifts: tuple[ShiftWindow, ...]) -> npt.NDArray[np.bool_]:
    """Say which shifts each wall-clock time falls in: [n, shifts]; windows are half-open and may overlap."""
    minute, weekday = minute_of_day(local), weekday_of(local)
    member = np.zeros((len(minute), len(shifts)), dtype=bool)
    for column, shift in enumerate(shifts):
        starts_on = np.zeros(7, dtype=bool)
        starts_on[list(shift.weekdays)] = True
        end = shift.start_minute + shift.duration_minutes
        today = (minute >= shift.start_minute) & (minute < end) & starts_on[weekday]
        # A shift past midnight belongs to the day on which it started.
        overnight = (minute + 1440 < end) & starts_on[(weekday - 1) % 7]
        member[:, column] = today | overnight
    return member


def counts_per_period(
    incidents: IncidentTable, periods: Periods, targets: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """Count each target's incidents in each period, anywhere in the table: [S, targets]. Half-open.

    An incident with an interval of an hour or more counts in each period with the share of its time that falls in it.
    """
    counts = np.zeros((len(periods), len(targets)))
    for column, slug in enumerate(targets):
        mine = np.flatnonzero(incidents.category == incidents.categories.index(slug))
        at = incidents.occurred_utc[mine]
        length = (incidents.occurred_to_utc[mine] - at) / np.timedelta64(1, "s")
        long = length >= SPREAD_FROM_SECONDS
        at = at[~long]
        counts[:, column] = np.searchsorted(at, periods.to_utc) - np.searchsorted(at, periods.from_utc)
        begin, width = days_since_epoch(incidents.occurred_utc[mine][long]), length[long] / DAY_SECONDS
        counts[:, column] += _begun_share(begin, width, days_since_epoch(periods.to_utc))
        counts[:, column] -= _begun_share(begin, width, days_since_epoch(periods.from_utc))
    return counts


def _begun_share(
    begin: npt.NDArray[np.float64], width: npt.NDArray[np.float64], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The sum over intervals of the share that has passed at each instant."""
    total = np.zeros(len(at))
    # A ramp from zero to one is one rising line minus the same line begun where the interval ends.
    for edge, sign in ((begin, 1.0), (begin + width, -1.0)):
        order = np.argsort(edge)
        slope = np.concatenate([[0.0], np.cumsum(1.0 / width[order])])
        offset = np.concatenate([[0.0], np.cumsum(edge[order] / width[order])])
        passed = np.searchsorted(edge[order], at)
        total += sign * (slope[passed] * at - offset[passed])
    return total


def after_burn_in(periods: Periods, first_days: float) -> Periods:
    """Leave out the first periods: long memories are still empty there and would teach the wrong weights.

    ``first_days``: when the first known incident happened. 120 days are waited for, a fifth of the span at most; if
    that left fewer than six periods, all are kept.
    """
    starts = days_since_epoch(periods.from_utc)
    if len(starts) == 0:
        return periods
    first = max(first_days, float(starts[0]) - _LONGEST_HISTORY_DAYS)
    wait = min(BURN_IN_DAYS, 0.2 * max(float(starts[-1]) - first, 0.0))
    late = np.flatnonzero(starts >= first + wait)
    return periods.take(late) if len(late) >= MIN_PERIODS else periods
