"""How good a feed's stored rows are: where they pile up, when they pile up, how late they come and how finely they are told.

Everything here describes what is stored. What could not be stored is counted by the quarantine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agencies.engine.local_time import utc_to_local
from ingestion.engine.coarsen import COARSE_M, DAY, HOUR
from ingestion.engine.places import DECIMALS, METRES_PER_DEGREE
from ingestion.engine.quality_days import DailyVolume, VolumeDrift, daily_volume, volume_drift
from missions_project.lib.progress import Progress, no_progress

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]
Bools = npt.NDArray[np.bool_]

BUSIEST = 10
DEFAULT_MIN_ROWS = 50
DEFAULT_MIN_SHARE = 0.005
DEFAULT_MAX_MIX_DISTANCE = 0.2
CENTRE_M = 150.0
LAG_BINS = (
    ("within the hour", 1.0),
    ("1–6 hours", 6.0),
    ("6–24 hours", 24.0),
    ("1–3 days", 72.0),
    ("3–7 days", 168.0),
    ("7–30 days", 720.0),
    ("30–90 days", 2_160.0),
    ("later", np.inf),
)
PLACE_BINS = (("a metre", 1), ("11 metres", 11), ("111 metres", 111), ("coarser", 10**9))
_MINUTES_A_DAY = 1_440
_STEPS = 5


@dataclass(frozen=True)
class QualityColumns:
    """A feed's stored rows as columns of equal length.

    Times are UTC ``datetime64[s]``; ``reported`` is NaT where no report time came. ``category`` numbers the crime types
    (-1: none). ``time_precision`` indexes ``time_precisions``. ``place_precision_m`` is 0 where nobody knows.
    """

    lon: Floats
    lat: Floats
    occurred: Times
    ended: Times
    reported: Times
    category: Ints
    time_precision: Ints
    time_precisions: tuple[str, ...]
    place_precision_m: Ints

    def __len__(self) -> int:
        return len(self.lon)


@dataclass(frozen=True)
class PileUp:
    """One exact point with its rows. ``kind``: default (looks like a stand-in address), centre, or busy."""

    lon: float
    lat: float
    rows: int
    share: float
    kind: str
    mix_distance: float
    """How far its mix of crime types is from the feed's: 0 the same, 1 nothing in common."""

    @property
    def percent(self) -> float:
        """The share in per cent."""
        return 100 * self.share


@dataclass(frozen=True)
class Heaping:
    """Where the clock readings heap. Shares are of ``rows``: those told to the minute or finer."""

    rows: int = 0
    midnight: float = 0.0
    noon: float = 0.0
    full_hour: float = 0.0
    by_minute: list[int] = field(default_factory=list)
    by_hour: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ReportLag:
    """Hours from a record's end to its report. Quantiles are None without report times."""

    rows: int = 0
    share_with_report: float = 0.0
    before_start: int = 0
    """Reported before it began: an exchanged column, or a clock that is wrong."""
    quantiles_hours: dict[str, float] = field(default_factory=dict)
    bins: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Quality:
    """All that is measured of one feed; plain values only, so that it can be stored as JSON (``dataclasses.asdict``)."""

    rows: int
    pile_ups: list[PileUp]
    places: int
    """Different exact points among the finely placed rows."""
    placed_rows: int
    heaping: Heaping
    lag: ReportLag
    days: DailyVolume
    drift: VolumeDrift
    time_precision: dict[str, int]
    place_precision: dict[str, int]


def measure(
    columns: QualityColumns,
    *,
    zone: str,
    today: np.datetime64,
    centre: tuple[float, float] | None = None,
    progress: Progress = no_progress,
) -> Quality:
    """Measure a feed's rows. ``today`` is the agency's date; ``centre`` the middle (lon, lat) of its area.

    Half a million rows take about half a second. An empty table gives zeros everywhere.
    """
    local = utc_to_local(columns.occurred, zone)
    progress(0, _STEPS, "Measuring places")
    fine = _finely_placed(columns)
    piles, places = pile_ups(columns.lon[fine], columns.lat[fine], columns.category[fine], centre=centre)
    progress(1, _STEPS, "Measuring clocks")
    heaping = time_heaping(local[~_is(columns, (DAY, HOUR))])
    progress(2, _STEPS, "Measuring report times")
    lag = report_lag(columns.occurred, columns.ended, columns.reported)
    progress(3, _STEPS, "Measuring days")
    day = local.astype("datetime64[D]")
    days = daily_volume(day, today=today)
    settle_days = int(np.ceil(min(lag.quantiles_hours.get("p90", 0.0) / 24, 60)))
    drift = volume_drift(day, settle_days=settle_days)
    progress(_STEPS, _STEPS, "Measured")
    return Quality(
        rows=len(columns),
        pile_ups=piles,
        places=places,
        placed_rows=int(fine.sum()),
        heaping=heaping,
        lag=lag,
        days=days,
        drift=drift,
        time_precision=_time_shares(columns),
        place_precision=_place_shares(columns.place_precision_m),
    )


def _is(columns: QualityColumns, names: Sequence[str]) -> Bools:
    wanted = [number for number, name in enumerate(columns.time_precisions) if name in names]
    return np.isin(columns.time_precision, wanted)


def _finely_placed(columns: QualityColumns) -> Bools:
    # Rounded places pile up by themselves, and so do those that retention made coarse: that is another finding.
    return columns.place_precision_m < COARSE_M


def pile_ups(
    lon: Floats, lat: Floats, category: Ints, *, centre: tuple[float, float] | None = None
) -> tuple[list[PileUp], int]:
    """The busiest exact points, most rows first (ties: west before east), and how many different points there are.

    A point is taken for a *default address* (police headquarters, a hospital, where rows without a place are put) if it
    holds half a per cent of the rows, at least 50, and its mix of crime types is nearly the feed's own: a mall draws thefts, a
    stand-in address draws everything. *Centre*: such a point within 150 m of the middle of the area, where geocoders put what
    they cannot find.

    Notes
    -----
    The distance of mixes is the total variation distance, ½ Σ |p_k - q_k|.
    """
    n = len(lon)
    if not n:
        return [], 0
    scale = 10**DECIMALS
    east = np.round((lon + 180) * scale).astype(np.int64)
    north = np.round((lat + 90) * scale).astype(np.int64)
    keys, counts = np.unique(east * (180 * scale + 1) + north, return_counts=True)
    busiest = np.argsort(-counts, kind="stable")[:BUSIEST]
    kinds, codes = np.unique(category, return_inverse=True)
    mix = np.bincount(codes, minlength=len(kinds)) / n
    all_keys = east * (180 * scale + 1) + north
    found = []
    for index in busiest:
        rows = np.flatnonzero(all_keys == keys[index])
        own = np.bincount(codes[rows], minlength=len(kinds)) / len(rows)
        distance = float(np.abs(own - mix).sum() / 2)
        place = float(lon[rows[0]]), float(lat[rows[0]])
        kind = _pile_kind(len(rows), n, distance, mix, place, centre)
        found.append(PileUp(*place, len(rows), len(rows) / n, kind, distance))
    return found, len(keys)


def _pile_kind(
    rows: int,
    n: int,
    distance: float,
    mix: Floats,
    place: tuple[float, float],
    centre: tuple[float, float] | None,
) -> str:
    if rows < DEFAULT_MIN_ROWS or rows / n < DEFAULT_MIN_SHARE:
        return "busy"
    if centre is not None:
        east_m = (place[0] - centre[0]) * METRES_PER_DEGREE * np.cos(np.radians(centre[1]))
        north_m = (place[1] - centre[1]) * METRES_PER_DEGREE
        if np.hypot(east_m, north_m) <= CENTRE_M:
            return "centre"
    # With one type only, every point has the feed's mix: it says nothing.
    return "default" if distance <= DEFAULT_MAX_MIX_DISTANCE and (mix > 0.05).sum() > 1 else "busy"


def time_heaping(local: Times) -> Heaping:
    """Where wall-clock readings (naive ``datetime64[s]``) heap: 00:00 and 12:00 stand for "unknown", full hours for "about"."""
    if not len(local):
        return Heaping(by_minute=[0] * 60, by_hour=[0] * 24)
    minute = (local.astype("datetime64[m]").astype(np.int64)) % _MINUTES_A_DAY
    return Heaping(
        rows=len(local),
        midnight=float((minute == 0).mean()),
        noon=float((minute == _MINUTES_A_DAY // 2).mean()),
        full_hour=float((minute % 60 == 0).mean()),
        by_minute=np.bincount(minute % 60, minlength=60).tolist(),
        by_hour=np.bincount(minute // 60, minlength=24).tolist(),
    )


def report_lag(occurred: Times, ended: Times, reported: Times) -> ReportLag:
    """How long after its end a record was reported, in hours; a report during the event counts as at once."""
    known = ~np.isnat(reported)
    rows = int(known.sum())
    if not rows:
        return ReportLag(bins=[0] * len(LAG_BINS))
    hours = np.maximum((reported[known] - ended[known]).astype(np.int64), 0) / 3_600
    levels = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99}
    edges = np.array([0.0, *(edge for _, edge in LAG_BINS)])
    return ReportLag(
        rows=rows,
        share_with_report=rows / len(reported),
        before_start=int((reported[known] < occurred[known]).sum()),
        quantiles_hours={
            name: round(float(value), 3)
            for name, value in zip(levels, np.quantile(hours, list(levels.values())), strict=True)
        },
        bins=np.histogram(hours, edges)[0].tolist(),
    )


def _time_shares(columns: QualityColumns) -> dict[str, int]:
    counts = np.bincount(columns.time_precision, minlength=len(columns.time_precisions))
    return {
        name: int(number)
        for name, number in zip(columns.time_precisions, counts.tolist(), strict=True)
        if number
    }


def _place_shares(precision_m: Ints) -> dict[str, int]:
    shares = {"unknown": int((precision_m == 0).sum())}
    above = 0
    for name, limit in PLACE_BINS:
        shares[name] = int(((precision_m > above) & (precision_m <= limit)).sum())
        above = limit
    return {name: number for name, number in shares.items() if number}
