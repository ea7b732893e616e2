"""From crimes on a map to each row's counts: in the box, around it, before the mission, and what other missions reach.

Everything is counted from the drawn start time, which boxes that were not sent a car have too: otherwise the clock of
visited boxes would start later in the shift than that of the others, and the two would differ without any effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.grid import GridSpec
from patrols.engine.records import PlanDraw
from tactics.engine.impact.study import Bools, Floats, Ints

Table = npt.NDArray[np.int32]

WEEK_MINUTES = 7 * 24 * 60.0

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class ShiftDraw:
    """One shift instance as it was planned: its start and length in minutes since 1970 (UTC), the draw, the forecast.

    ``forecast`` float64[N]: crimes of the study's types expected in each grid cell over the whole shift, as stored with
    the plan before the draw; ``type_forecast`` [T, N] by type, if the study looks at types one by one. Presence
    measured in each cell, ``delivered_minutes`` float64[N], where vehicle positions are at hand.
    """

    starts_at_minute: float
    draw: PlanDraw
    forecast: Floats
    type_forecast: Floats | None = None
    delivered_minutes: Floats | None = None
    digest: str = ""
    """The stored plan's digest (``patrols.engine.plan.design_digest``), carried into the study."""


@dataclass(frozen=True)
class CrimeEvents:
    """The study's crimes, as reported by the public: minutes since 1970 (UTC), metres, type number. float64[E] each."""

    at_minute: Floats
    x_m: Floats
    y_m: Floats
    type_index: Ints


@dataclass(frozen=True)
class OutcomeWindow:
    """How long outcomes are counted from the drawn start, and whether the cell's next draw ends it earlier."""

    minutes: float = 480.0
    stop_at_next_draw: bool = True


def neighbours_of(grid: GridSpec) -> Ints:
    """The ring of each cell: int64[N, 8], -1 where the grid ends."""
    rows, cols = grid.rows, grid.cols
    ring = np.full((len(grid), 8), -1, dtype=np.int64)
    offsets = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
    for at, (r, c) in enumerate(offsets):
        there = (rows + r >= 0) & (rows + r < grid.n_rows) & (cols + c >= 0) & (cols + c < grid.n_cols)
        ids = (rows + r) * grid.n_cols + cols + c
        ring[there, at] = grid.index_of(ids[there])
    return ring


@dataclass(frozen=True)
class Reach:
    """Which cells a mission can touch besides its own, and how: two rings, [N, 24].

    ``cell`` (-1: none); ``into_cell`` share of the mission's displaced crime that would land there (1 / ring size inside
    the first ring, else 0); ``inside_ring`` 1 if the mission lies in that cell's ring; ``into_ring`` share that would land
    in that cell's ring (cells of both rings, over the mission's ring size).
    """

    cell: Ints
    into_cell: Floats
    inside_ring: Floats
    into_ring: Floats

    @staticmethod
    def of(ring: Ints) -> "Reach":
        """Work out the two rings from the first. ``ring`` int64[N, 8], -1 where there is none."""
        n = len(ring)
        pad = np.vstack([ring, np.full((1, ring.shape[1]), -1)])
        size = np.maximum((ring >= 0).sum(axis=1), 1)
        second = pad[ring].reshape(n, -1)
        both = np.concatenate([ring, second], axis=1)
        both[both == np.arange(n)[:, None]] = -1
        both.sort(axis=1)
        both[:, 1:][both[:, 1:] == both[:, :-1]] = -1
        both.sort(axis=1)
        cell = both[:, ::-1][:, :24].copy()
        member = (cell[:, :, None] == np.where(ring >= 0, ring, -2)[:, None, :]).any(axis=2) & (cell >= 0)
        theirs = np.where(cell[:, :, None] >= 0, pad[cell], -1)
        common = (
            ((theirs[:, :, :, None] == ring[:, None, None, :]) & (theirs[:, :, :, None] >= 0)).any(3).sum(2)
        )
        return Reach(
            cell,
            np.where(member, 1.0 / size[:, None], 0.0),
            member.astype(np.float64),
            common / size[:, None],
        )


def window_counts(
    *,
    lookup: Table,
    opens_at: Floats,
    closes_at: Floats,
    shift: Ints,
    cell: Ints,
    at_minute: Floats,
    ring: Ints | None = None,
) -> Ints:
    """Count events in every row's own window, in its cell, or with ``ring`` in the cells around it. int64[n].

    ``lookup`` int32[S, N]: the row of a shift and cell, -1 where there is none; windows are half-open
    [opens_at, closes_at), [n]; each event comes with a shift whose windows it may fall into (give it twice where two
    shifts' windows overlap), its cell (-1 outside: ignored) and its time.
    """
    kept = cell >= 0
    shift, cell, at_minute = shift[kept], cell[kept], at_minute[kept]
    if ring is None:
        cells, which = cell, np.arange(len(cell))
    else:
        around = ring[cell]
        which, slot = np.nonzero(around >= 0)
        cells = around[which, slot]
    row = lookup[shift[which], cells].astype(np.int64)
    when = at_minute[which]
    hit = row >= 0
    row, when = row[hit], when[hit]
    inside = (when >= opens_at[row]) & (when < closes_at[row])
    return np.bincount(row[inside], minlength=len(opens_at))


def other_missions(
    *,
    lookup: Table,
    shift: Ints,
    cell: Ints,
    drawn: Bools,
    start_minutes: Floats,
    window_minutes: Floats,
    forecast: Floats,
    reach: Reach,
) -> tuple[Floats, Floats, Floats]:
    """What the other missions of the shift reach, in forecast crimes of those missions: spill_in, ring_drawn, ring_spill_in.

    Each float64[n], counted only for the share of the other mission's window that overlaps the row's own.
    """
    n = len(shift)
    mission = np.flatnonzero(drawn)
    where = reach.cell[cell[mission]]
    which, slot = np.nonzero(where >= 0)
    source = mission[which]
    row = lookup[shift[source], where[which, slot]].astype(np.int64)
    hit = row >= 0
    row, source, slot = row[hit], source[hit], slot[hit]
    opens = np.maximum(start_minutes[row], start_minutes[source])
    closes = np.minimum(
        start_minutes[row] + window_minutes[row], start_minutes[source] + window_minutes[source]
    )
    overlap = np.maximum(closes - opens, 0.0) / np.maximum(window_minutes[source], 1e-9)
    weight = forecast[source] * overlap
    home = cell[source]
    spill_in = np.bincount(row, weight * reach.into_cell[home, slot], minlength=n).astype(np.float64)
    ring_drawn = np.bincount(row, weight * reach.inside_ring[home, slot], minlength=n).astype(np.float64)
    ring_spill_in = np.bincount(row, weight * reach.into_ring[home, slot], minlength=n).astype(np.float64)
    return spill_in, ring_drawn, ring_spill_in


def lay_stretch(
    grid: GridSpec,
    shifts: Sequence[ShiftDraw],
    next_draw: Floats,
    events: CrimeEvents,
    place: Ints,
    window: OutcomeWindow,
    types: tuple[str, ...],
    ring: Ints,
    reach: Reach,
) -> tuple[Columns, tuple[Ints, Ints, Ints], bool]:
    """Some shifts' columns, their plans (first row, shift, beat), and whether a window runs past the next draw."""
    starts = np.array([one.starts_at_minute for one in shifts])
    sizes = np.array([len(one.draw) for one in shifts])
    n = int(sizes.sum())
    shift = np.repeat(np.arange(len(shifts)), sizes)
    cell = np.concatenate([one.draw.cell for one in shifts])
    beat = np.concatenate([one.draw.beat for one in shifts])
    first_visit = np.concatenate([one.draw.visit_start_minutes[:, 0] for one in shifts])
    length = np.array([float(one.draw.shift_minutes) for one in shifts])
    opens_at = starts[shift] + first_visit
    closes_at = opens_at + window.minutes
    later = bool((closes_at > next_draw[shift]).any()) and not window.stop_at_next_draw
    if window.stop_at_next_draw:
        # Where shifts overlap, the next draw may come before the visit: such a row has an empty window, not a negative one.
        closes_at = np.maximum(np.minimum(closes_at, next_draw[shift]), opens_at)
    minutes = closes_at - opens_at
    lookup = np.full((len(shifts), len(grid)), -1, dtype=np.int32)
    lookup[shift, cell] = np.arange(n, dtype=np.int32)
    around = np.where(ring >= 0, ring, len(grid))
    laid: Columns = {"delivered_minutes": np.zeros(n), "type_forecast": np.zeros((len(types), n))}
    rate, ring_rate = np.zeros(n), np.zeros(n)
    stops = np.cumsum(sizes)
    for at, one in enumerate(shifts):
        rows = slice(int(stops[at] - sizes[at]), int(stops[at]))
        cells = one.draw.cell
        padded = np.append(one.forecast, 0.0)
        rate[rows] = one.forecast[cells] / length[at]
        ring_rate[rows] = padded[around[cells]].sum(axis=1) / length[at]
        if one.delivered_minutes is not None:
            laid["delivered_minutes"][rows] = one.delivered_minutes[cells]
        if types and one.type_forecast is not None:
            laid["type_forecast"][:, rows] = one.type_forecast[:, cells] * (minutes[rows] / length[at])
    last = np.maximum(starts + length, _last_close(shift, closes_at, len(shifts)))
    own = _pairs(starts, last, events.at_minute)
    past = _pairs(starts - WEEK_MINUTES, starts, events.at_minute)
    clock = starts[shift]

    def count(opens: Floats, closes: Floats, pairs: tuple[Ints, Ints], around: Ints | None = None) -> Ints:
        return _counts(lookup, opens, closes, pairs, place, events.at_minute, around)

    drawn = np.concatenate([one.draw.drawn for one in shifts])
    forecast = rate * minutes
    laid["spill_in"], laid["ring_drawn"], laid["ring_spill_in"] = other_missions(
        lookup=lookup,
        shift=shift,
        cell=cell,
        drawn=drawn,
        start_minutes=first_visit,
        window_minutes=minutes,
        forecast=forecast,
        reach=reach,
    )
    laid["type_outcome"] = np.zeros((len(types), n), dtype=np.int64)
    for t in range(len(types)):
        mask = events.type_index[own[1]] == t
        laid["type_outcome"][t] = count(opens_at, closes_at, (own[0][mask], own[1][mask]))
    laid |= {
        "cell": cell,
        "pi": np.concatenate([one.draw.pi for one in shifts]),
        "drawn": drawn,
        "start_minutes": first_visit,
        "window_minutes": minutes,
        "forecast": forecast,
        "ring_forecast": ring_rate * minutes,
        "outcome": count(opens_at, closes_at, own),
        "ring_outcome": count(opens_at, closes_at, own, ring),
        "before": count(clock, opens_at, own),
        "ring_before": count(clock, opens_at, own, ring),
        "week_before": count(clock - WEEK_MINUTES, clock, past),
        "dose_minutes": np.concatenate([one.draw.dose_minutes for one in shifts]),
    }
    first = np.flatnonzero(np.append(n > 0, (np.diff(shift) != 0) | (np.diff(beat) != 0)))
    return laid, (first, shift[first], beat[first]), later


def _last_close(shift: Ints, closes_at: Floats, shifts: int) -> Floats:
    last = np.full(shifts, -np.inf)
    np.maximum.at(last, shift, closes_at)
    return last


def _pairs(opens: Floats, closes: Floats, at_minute: Floats) -> tuple[Ints, Ints]:
    """Every (shift, event) with the event inside the shift's span [opens, closes)."""
    order = np.argsort(at_minute, kind="stable")
    ordered = at_minute[order]
    first = np.searchsorted(ordered, opens, side="left")
    count = np.maximum(np.searchsorted(ordered, closes, side="left") - first, 0)
    shift = np.repeat(np.arange(len(opens)), count)
    inside = np.arange(len(shift)) - np.repeat(np.cumsum(count) - count, count)
    return shift, order[np.repeat(first, count) + inside]


def _counts(
    lookup: Table,
    opens_at: Floats,
    closes_at: Floats,
    pairs: tuple[Ints, Ints],
    place: Ints,
    at_minute: Floats,
    ring: Ints | None = None,
) -> Ints:
    shift, event = pairs
    return window_counts(
        lookup=lookup,
        opens_at=opens_at,
        closes_at=closes_at,
        shift=shift,
        cell=place[event],
        at_minute=at_minute[event],
        ring=ring,
    )
