"""A feed's rows day by day: days that are missing, days that are thin, and this year against the last."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]

SHOWN_DAYS = 731
SHOWN_GAPS = 20
EARLY_SHARE = 0.001
"""This share of the oldest rows may lie anywhere: a single incident of long ago is no beginning of a feed."""
GAP_CHANCE = 1e-6
THIN_SHARE = 0.3
FLANK_DAYS = 56
PERIOD_DAYS = 28
PERIODS = 13
"""13 × 28 = 364 days: a year back falls on the same day of the week."""


@dataclass(frozen=True)
class Gap:
    """Days without a row that chance does not explain; both dates inclusive (ISO). ``expected`` is what usually comes."""

    first: str
    last: str
    days: int
    expected: float


@dataclass(frozen=True)
class DailyVolume:
    """Rows a day from ``first`` on (ISO date; the last two years at most), with gaps and thin days of the whole history."""

    first: str = ""
    counts: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    """The latest ones, newest first."""
    gap_days: int = 0
    thin: list[str] = field(default_factory=list)
    thin_days: int = 0
    all_days: int = 0
    newest: str = ""
    silent_days: int = 0
    """Whole days since the newest row."""


@dataclass(frozen=True)
class DriftPeriod:
    """Four weeks against the same weeks a year before: counts, ratio and its 95 % interval (None where none came then)."""

    first: str
    rows: int
    rows_before: int
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class VolumeDrift:
    """The newest year against the one before, in all and by four weeks (oldest first). Empty without two years."""

    periods: list[DriftPeriod] = field(default_factory=list)
    whole: DriftPeriod | None = None
    settle_days: int = 0
    """Days at the end that are left out, because their reports still come in."""


def _iso(day: np.datetime64) -> str:
    return str(day.astype("datetime64[D]"))


def daily_volume(day: Times, *, today: np.datetime64) -> DailyVolume:
    """Count rows by local day (``datetime64[D]``) and find days that are missing or thin. Rows of today are left out.

    A run of k empty days is a gap where k days with the usual number (mean of eight weeks before and after it) would all
    be empty by chance less than once in a million. A day is thin where it holds less than 30 % of the usual number (median of four
    weeks before and after) and so few come by chance less than once in a million.
    """
    day = np.sort(day[day < today].astype("datetime64[D]"))
    if not len(day):
        return DailyVolume()
    begin, newest = day[int(EARLY_SHARE * len(day))], day[-1]
    counts = np.bincount((day[day >= begin] - begin).astype(np.int64))
    gaps = [
        Gap(_iso(begin + start), _iso(begin + stop - 1), int(stop - start), round(usual, 1))
        for start, stop, usual in _empty_runs(counts)
        if np.exp(-usual * (stop - start)) < GAP_CHANCE
    ]
    usual = _rolling_median(counts)
    thin = np.flatnonzero(
        (counts > 0) & (counts < THIN_SHARE * usual) & (special.pdtr(counts, usual) < GAP_CHANCE)
    )
    shown = counts[-SHOWN_DAYS:]
    return DailyVolume(
        first=_iso(newest - (len(shown) - 1)),
        counts=shown.tolist(),
        gaps=gaps[::-1][:SHOWN_GAPS],
        gap_days=sum(gap.days for gap in gaps),
        thin=[_iso(begin + int(index)) for index in thin[::-1][:SHOWN_GAPS]],
        thin_days=len(thin),
        all_days=len(counts),
        newest=_iso(newest),
        silent_days=max(0, int((today - newest).astype(np.int64)) - 1),
    )


def _empty_runs(counts: Ints) -> list[tuple[int, int, float]]:
    """Runs of empty days as (start, stop, mean of the days around); first and last day are never empty."""
    edges = np.diff(np.concatenate([[0], (counts == 0).astype(np.int8), [0]]))
    runs = []
    for start, stop in zip(
        np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True
    ):
        around = np.concatenate(
            [counts[max(0, start - FLANK_DAYS) : start], counts[stop : stop + FLANK_DAYS]]
        )
        runs.append((start, stop, float(around.mean()) if len(around) else 0.0))
    return runs


def _rolling_median(counts: Ints) -> Floats:
    half = FLANK_DAYS // 2
    padded = np.concatenate([np.full(half, np.nan), counts.astype(np.float64), np.full(half, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Floats = np.nanmedian(windows, axis=1)
    return medians


def volume_drift(day: Times, *, settle_days: int = 0) -> VolumeDrift:
    """Compare the newest 52 weeks with the 52 before, four weeks at a time; the last ``settle_days`` are left out.

    Only four-week periods that lie, like their counterparts, within the feed's history are compared.

    Notes
    -----
    The interval of the ratio of two Poisson means is exact and conditional on their sum: a | a+b is binomial
    (Przyborowski & Wilenski 1940), its limits by Clopper & Pearson (1934). Crime is a little more variable than Poisson,
    so the true intervals are somewhat wider.
    """
    if not len(day):
        return VolumeDrift(settle_days=settle_days)
    day = np.sort(day.astype("datetime64[D]"))
    begin, end = day[int(EARLY_SHARE * len(day))], day[-1] + 1 - settle_days
    usable = int((end - begin).astype(np.int64)) // PERIOD_DAYS - PERIODS
    periods = [
        _compare(day, end - (back + 1) * PERIOD_DAYS, PERIOD_DAYS)
        for back in range(max(0, min(usable, PERIODS)))
    ]
    if not periods:
        return VolumeDrift(settle_days=settle_days)
    whole = _ratio(
        periods[-1].first, sum(one.rows for one in periods), sum(one.rows_before for one in periods)
    )
    return VolumeDrift(periods[::-1], whole, settle_days)


def _compare(day: Times, first: np.datetime64, days: int) -> DriftPeriod:
    year = PERIODS * PERIOD_DAYS
    edges = np.searchsorted(day, np.array([first, first + days, first - year, first - year + days]))
    return _ratio(_iso(first), int(edges[1] - edges[0]), int(edges[3] - edges[2]))


def _ratio(first: str, rows: int, before: int) -> DriftPeriod:
    if not before:
        return DriftPeriod(first, rows, before, None, None, None)
    low = float(special.betaincinv(rows, before + 1, 0.025)) if rows else 0.0
    high = float(special.betaincinv(rows + 1, before, 0.975))
    return DriftPeriod(first, rows, before, rows / before, low / (1 - low), high / (1 - high))
