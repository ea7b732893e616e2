"""Scheduled events: games, festivals, markets. What is on during a shift, how near, and since when one knew."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.grid import GridSpec
from forecasting.engine.periods import Periods, Times

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RADII_M = (400, 1000)
"""The street outside, and the way to the station: at this distance an event counts 0.37 of what it does on the spot."""
REACH = 2.0
"""Radii beyond which an event counts nothing (it would count less than 0.02)."""
MARGIN = np.timedelta64(3600, "s")
"""Crowds come before an event begins and leave after it has ended."""
USUAL_ATTENDANCE = 10_000.0


@dataclass(frozen=True)
class Happenings:
    """Scheduled events as plain columns of shape [n].

    ``x_m``, ``y_m`` in the grid's metres, NaN for an event of the whole city (a home game without a place).
    ``from_utc``/``to_utc`` half-open; ``known_utc`` when it was announced: no forecast issued before that (or at that
    very second) sees it. ``kind`` numbers ``kinds``. ``attendance`` in persons, NaN where nobody says: such an event
    counts like one of 10,000. ``off_utc``: when it was called off, NaT for never; forecasts issued before that (or at
    that very second) still reckoned with it, later ones do not. Left out, none was called off.
    """

    x_m: Floats
    y_m: Floats
    from_utc: Times
    to_utc: Times
    known_utc: Times
    kind: npt.NDArray[np.int16]
    kinds: tuple[str, ...]
    attendance: Floats
    off_utc: Times | None = None

    def __post_init__(self) -> None:
        n = len(self.x_m)
        if self.off_utc is None:
            object.__setattr__(self, "off_utc", np.full(n, "NaT", dtype="datetime64[s]"))
        columns = (
            *(self.y_m, self.from_utc, self.to_utc, self.known_utc),
            *(self.kind, self.attendance, self._off),
        )
        if any(len(column) != n for column in columns):
            raise ValueError("Events need equally long columns.")
        if n and (self.to_utc <= self.from_utc).any():
            raise ValueError("An event must end after it begins.")

    @staticmethod
    def none() -> "Happenings":
        """No event at all."""
        nowhere, never = np.zeros(0), np.zeros(0, dtype="datetime64[s]")
        return Happenings(nowhere, nowhere, never, never, never, np.zeros(0, dtype=np.int16), (), nowhere)

    def __len__(self) -> int:
        return len(self.x_m)

    @property
    def _off(self) -> Times:
        """When each was called off; there for every table, whatever it was made with."""
        assert self.off_utc is not None, "filled when the table was made"
        return self.off_utc

    def take(self, rows: npt.ArrayLike) -> "Happenings":
        """These events, in this order."""
        at = np.asarray(rows)
        return Happenings(
            x_m=self.x_m[at],
            y_m=self.y_m[at],
            from_utc=self.from_utc[at],
            to_utc=self.to_utc[at],
            known_utc=self.known_utc[at],
            kind=self.kind[at],
            kinds=self.kinds,
            attendance=self.attendance[at],
            off_utc=self._off[at],
        )

    def known_before(self, instant: np.datetime64) -> "Happenings":
        """The events that had been announced by then, with what was known of their being called off.

        One that was called off by then stays: periods that were forecast before reckoned with it.
        """
        known = self.take(np.flatnonzero(self.known_utc < instant))
        off = np.where(known._off < instant, known._off, np.datetime64("NaT", "s"))
        return replace(known, off_utc=off)

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Which events have a place of their own."""
        return np.isfinite(self.x_m) & np.isfinite(self.y_m)

    def on(self, periods: Periods, issued_utc: Times) -> sparse.csr_array:
        """How much of each event falls in each period, [S, n]: the share of the period during which it is on.

        An hour before and after belongs to it. Weighted by attendance (log, 1 at 10,000). Only events announced before
        ``issued_utc`` [S] and not called off before it.
        """
        begin, end = self.from_utc - MARGIN, self.to_utc + MARGIN
        longest = (periods.to_utc - periods.from_utc).max() if len(periods) else np.timedelta64(0, "s")
        low = np.searchsorted(periods.from_utc, begin - longest, side="right")
        high = np.searchsorted(periods.from_utc, end, side="left")
        repeat = np.maximum(high - low, 0)
        event = np.repeat(np.arange(len(self)), repeat)
        period = np.arange(len(event)) - np.repeat(np.cumsum(repeat) - repeat, repeat) + low[event]
        overlap = np.minimum(periods.to_utc[period], end[event]) - np.maximum(
            periods.from_utc[period], begin[event]
        )
        known = (self.known_utc[event] < issued_utc[period]) & ~(self._off[event] < issued_utc[period])
        use = (overlap > np.timedelta64(0, "s")) & known
        event, period = event[use], period[use]
        share = (overlap[use] / np.timedelta64(1, "s")) / 3600.0 / periods.hours[period]
        crowd = np.log1p(np.maximum(self.attendance, 0.0)) / np.log1p(USUAL_ATTENDANCE)
        weight = share * np.where(np.isfinite(crowd), crowd, 1.0)[event]
        return sparse.csr_array((weight, (period, event)), shape=(len(periods), len(self)))

    def nearness(self, grid: GridSpec, rows: Ints, radius_m: float) -> sparse.csr_array:
        """How near each of these events is to each cell, [len(rows), N]: exp(-(distance / radius)^2), 1 on the spot.

        Nothing beyond twice the radius. In cells larger than the radius the cell's side takes its place.
        """
        # Here, not above: loading it takes a third of a second, for which every command would wait.
        from scipy.spatial import cKDTree

        radius = max(float(radius_m), grid.cell_size_m)
        centres = np.column_stack(grid.centres())
        places = np.column_stack([self.x_m[rows], self.y_m[rows]])
        distinct, which = np.unique(places, axis=0, return_inverse=True)
        found = cKDTree(centres).query_ball_point(distinct, REACH * radius) if len(distinct) else []
        size = np.array([len(one) for one in found], dtype=np.int64)
        cell = np.concatenate([np.sort(one) for one in found] or [np.zeros(0)]).astype(np.int64)
        place = np.repeat(np.arange(len(distinct)), size)
        squared = ((centres[cell] - distinct[place]) ** 2).sum(axis=1)
        near = sparse.csr_array(
            (np.exp(-squared / radius**2), (place, cell)), shape=(len(distinct), len(grid))
        )
        return near[which.reshape(-1)]


def local_names(happenings: Happenings) -> tuple[str, ...]:
    """The columns of events with a place: ``event:game_400m``, ``event:game_1000m``."""
    kinds = np.unique(happenings.kind[happenings.placed])
    return tuple(f"event:{happenings.kinds[kind]}_{radius}m" for kind in kinds for radius in RADII_M)


def city_names(happenings: Happenings) -> tuple[str, ...]:
    """The terms of the city-wide level, one for each kind: a full stadium brings people that were not there."""
    return tuple(f"event:{happenings.kinds[kind]}" for kind in np.unique(happenings.kind))


def local_columns(
    happenings: Happenings, grid: GridSpec, periods: Periods, issued_utc: Times, names: tuple[str, ...]
) -> tuple[sparse.csr_array, ...]:
    """Events near each cell in each period, one sparse [S, N] for each name; 0 where nothing is on."""
    on = happenings.on(periods, issued_utc)
    empty = sparse.csr_array((len(periods), len(grid)))
    active = np.zeros(len(happenings), dtype=bool)
    active[on.indices] = True
    out = []
    for name in names:
        kind, _, radius = name.removeprefix("event:").rpartition("_")
        code = happenings.kinds.index(kind) if kind in happenings.kinds else -1
        rows = np.flatnonzero(active & happenings.placed & (happenings.kind == code))
        if len(rows):
            near = happenings.nearness(grid, rows, float(radius.removesuffix("m")))
            out.append(sparse.csr_array(on[:, rows] @ near))
        else:
            out.append(empty)
    return tuple(out)


def city_terms(happenings: Happenings, periods: Periods, issued_utc: Times, names: tuple[str, ...]) -> Floats:
    """How many events of each kind are on in each period, anywhere in the city: [S, names]."""
    on = happenings.on(periods, issued_utc)
    out = np.zeros((len(periods), len(names)))
    for column, name in enumerate(names):
        kind = name.removeprefix("event:")
        if kind in happenings.kinds:
            rows = np.flatnonzero(happenings.kind == happenings.kinds.index(kind))
            out[:, column] = np.asarray(on[:, rows].sum(axis=1)).reshape(-1)
    return out
