"""The timetable of a backtest: which periods are forecast, which are learned from, when models are fitted anew."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.metrics import week_blocks
from forecasting.engine.periods import Periods, ShiftWindow, minute_of_day

Ints = npt.NDArray[np.int64]
Days = np.datetime64

HORIZONS = ("shift", "day", "week", "month")
_DAY = np.timedelta64(1, "D")
_SECOND = "datetime64[s]"
MONTH_WINDOW_DAYS = 30
MONTH_STEP_DAYS = 7
MAX_VALIDATION_PERIODS = 80
MOST_REFIT_WEEKS = 5_200


@dataclass(frozen=True)
class Timetable:
    """What is forecast when. ``blocks`` are [first, last) numbers of the test periods of each fit."""

    horizon: str
    shifts: tuple[ShiftWindow, ...]
    test: Periods
    blocks: tuple[tuple[int, int], ...]
    refit_weeks: int
    ends: np.datetime64
    left_over_days: int

    def origin(self, block: int) -> np.datetime64:
        """The instant at which the block's models are fitted: the start of its first period."""
        begin: np.datetime64 = self.test.from_utc[self.blocks[block][0]]
        return begin

    def history(self, first: np.datetime64, origin: np.datetime64) -> Periods:
        """Every period that a model fitted at ``origin`` may learn from: it starts after ``first`` and has ended.

        Weeks and months are learned from overlapping windows (a week from every day on, 30 days from every
        seventh day on), counted back from the origin: calendar months alone would be twelve a year.
        """
        first, origin = first.astype(_SECOND), origin.astype(_SECOND)
        day = first.astype("datetime64[D]")
        last_day = origin.astype("datetime64[D]")
        if self.horizon in ("shift", "day"):
            made = _instances(self.shifts, day, last_day)
            ended = np.flatnonzero((made.to_utc <= origin) & (made.from_utc >= first))
            return made.take(ended)
        length, step = (7, 1) if self.horizon == "week" else (MONTH_WINDOW_DAYS, MONTH_STEP_DAYS)
        n = max(int((last_day - day) / _DAY) - length, -1) // step + 1
        starts = last_day - (length + step * np.arange(n)[::-1]) * _DAY
        starts = starts[starts >= first]
        return _windows(starts, starts + length * _DAY)


def timetable(
    *, horizon: str, test_from: Days, test_to: Days, refit_weeks: int, shift_hours: int = 8
) -> Timetable:
    """Lay out the test between two days (the second not included). A period that would go on after it is left out.

    ``shift``: windows of ``shift_hours`` from midnight; ``day``, ``week``: from the first day on; ``month``:
    calendar months. Models are fitted anew at the first period that starts ``refit_weeks`` or more after the
    last fit (0: once). Raises ``BenchProblem`` for days that leave no period.
    """
    first, end = test_from.astype("datetime64[D]"), test_to.astype("datetime64[D]")
    if end <= first:
        raise BenchProblem(
            f"The test ends ({end}) before it begins ({first}).",
            next_step="--test-to is the day after the last.",
        )
    if refit_weeks > MOST_REFIT_WEEKS:
        raise BenchProblem(
            f"Models cannot be fit anew every {refit_weeks:,} weeks.",
            next_step="use --refit-weeks 0 to fit once.",
        )
    if horizon == "shift":
        if not 1 <= shift_hours <= 24 or 24 % shift_hours:
            raise BenchProblem(
                f"Shifts of {shift_hours} hours do not fill a day.",
                next_step="use 1, 2, 3, 4, 6, 8, 12 or 24.",
            )
        shifts = tuple(
            ShiftWindow(f"from_{hour:02}", hour * 60, shift_hours * 60) for hour in range(0, 24, shift_hours)
        )
        test = _instances(shifts, first, end)
    elif horizon in ("day", "week"):
        shifts = (ShiftWindow("all", 0, 1440),)
        step = (1 if horizon == "day" else 7) * _DAY
        starts = first + np.arange(int((end - first) / step)) * step
        test = _windows(starts, starts + step)
    elif horizon == "month":
        shifts = (ShiftWindow("all", 0, 1440),)
        month = first.astype("datetime64[M]")
        if month.astype("datetime64[D]") != first:
            raise BenchProblem(
                f"Months begin on the first, the test on {first}.", next_step=f"use --test-from {month}-01."
            )
        edges = np.arange(month, end.astype("datetime64[M]") + 1).astype("datetime64[D]")
        test = _windows(edges[:-1], edges[1:])
    else:
        raise BenchProblem(f"No horizon “{horizon}”.", next_step=f"use one of {', '.join(HORIZONS)}.")
    if len(test) == 0:
        raise BenchProblem(
            f"No whole {horizon} fits between {first} and {end}.", next_step="choose a later --test-to."
        )
    ends = test.to_utc[-1]
    left = int((end - ends.astype("datetime64[D]")) / _DAY)
    return Timetable(horizon, shifts, test, _blocks(test, refit_weeks), refit_weeks, ends, left)


def validation(plan: Timetable, history: Periods, daily_rate: float, rng: np.random.Generator) -> Periods:
    """Periods just before the test on which the best baseline is chosen, [V] without overlap.

    As far back as 300 events of the rarest type or 90 days, whichever is more; two years and half of the history
    at most; of many periods a random start in each stretch.
    """
    begin = plan.test.from_utc[0]
    span = float(np.clip(300.0 / max(daily_rate, 1e-9), 90.0, 730.0))
    whole = float((begin - history.from_utc[0]) / _DAY) if len(history) else 0.0
    earliest = begin - np.timedelta64(int(min(span, whole / 2) * 86_400), "s")
    if plan.horizon in ("week", "month"):
        length = (7 if plan.horizon == "week" else MONTH_WINDOW_DAYS) * _DAY
        n = max(int((begin - earliest) / length), 1)
        starts = begin - np.arange(n, 0, -1) * length
        starts = starts[starts >= (history.from_utc[0] if len(history) else begin)]
        return _windows(starts, starts + length)
    after = np.flatnonzero(history.from_utc >= earliest)
    if len(after) > MAX_VALIDATION_PERIODS:
        # A random start in each stretch: an even step would always hit the same shift of the day.
        edges = np.linspace(0, len(after), MAX_VALIDATION_PERIODS + 1)
        after = after[np.floor(edges[:-1] + rng.random(MAX_VALIDATION_PERIODS) * np.diff(edges)).astype(int)]
    return history.take(np.unique(after))


def bootstrap_blocks(periods: Periods) -> Ints:
    """The block of each period for the bootstrap, [S]: its week, or the period itself where that is as long.

    A stub of less than half a week at the end joins the week before: it would count like a whole one.
    """
    length = np.median(periods.to_utc - periods.from_utc) if len(periods) else np.timedelta64(0, "s")
    if length >= np.timedelta64(7, "D"):
        return np.arange(len(periods), dtype=np.int64)
    blocks = week_blocks(periods)
    if len(blocks) and blocks[-1] > 0:
        stub = blocks == blocks[-1]
        if periods.to_utc[-1] - periods.from_utc[stub][0] < np.timedelta64(84, "h"):
            blocks[stub] -= 1
    return blocks


def _blocks(test: Periods, refit_weeks: int) -> tuple[tuple[int, int], ...]:
    if refit_weeks <= 0:
        return ((0, len(test)),)
    firsts, last = [0], test.from_utc[0]
    for number, start in enumerate(test.from_utc):
        if start - last >= np.timedelta64(7 * refit_weeks, "D"):
            firsts.append(number)
            last = start
    return tuple(zip(firsts, [*firsts[1:], len(test)], strict=True))


def _windows(starts: npt.NDArray[np.datetime64], ends: npt.NDArray[np.datetime64]) -> Periods:
    begin = starts.astype(_SECOND)
    return Periods(begin, ends.astype(_SECOND), begin, np.zeros(len(begin), dtype=np.int16))


def _instances(shifts: tuple[ShiftWindow, ...], first: Days, end: Days) -> Periods:
    """Every shift of every day in [first, end), ascending."""
    days = (first + np.arange(max(int((end - first) / _DAY), 0)) * _DAY).astype(_SECOND)
    start = np.array([shift.start_minute for shift in shifts]) * np.timedelta64(60, "s")
    length = np.array([shift.duration_minutes for shift in shifts]) * np.timedelta64(60, "s")
    begin = np.add.outer(days, start).ravel().astype(_SECOND)
    slot = np.tile(np.arange(len(shifts)), len(days)).astype(np.int16)
    return Periods(begin, begin + length[slot], begin, slot)


def is_dated_only(occurred: npt.NDArray[np.datetime64]) -> bool:
    """Whether the events carry days but no hours (almost all at midnight): shifts cannot be told apart then."""
    return len(occurred) > 0 and bool((minute_of_day(occurred) == 0).mean() > 0.95)
