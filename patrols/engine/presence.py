"""How long each unit was in each box, from where its vehicle said it was.

A visit begins when a unit is inside a box and ends when it is clearly outside: a car parked on the line makes one
visit and not twenty. A silence counts as presence only for as long as somebody could sensibly vouch for it.

Notes
-----
The rule at the edge is a Schmitt trigger (two thresholds, so that noise smaller than their distance cannot switch
twice). Each unit is in one box at most at any instant, so a unit's minutes never exceed the time that passed. The
crossing between two positions is put halfway in time: without bias where cars cross at no particular moment.
"""

from dataclasses import dataclass

import numpy as np

from patrols.engine.design import Bools, Floats, Ints
from patrols.engine.positions import Cleaned, Pings, PresenceRules, clean_pings

NOWHERE = -1


@dataclass(frozen=True)
class BoxGrid:
    """The boxes that are watched: squares of one grid. ``box`` are their flat ids ``row * n_cols + col``, ascending.

    Squares are half-open: [x, x + size) by [y, y + size).
    """

    x0_m: float
    y0_m: float
    size_m: float
    n_rows: int
    n_cols: int
    box: Ints

    def table(self) -> Ints:
        """One element a square of the whole grid, with a rim of one: the box's id, or ``NOWHERE``."""
        table = np.full((self.n_rows + 2, self.n_cols + 2), NOWHERE, dtype=np.int64)
        table[self.box // self.n_cols + 1, self.box % self.n_cols + 1] = self.box
        return table

    def corner(self, box: Ints) -> tuple[Floats, Floats]:
        """South-west corners of boxes."""
        west: Floats = (self.x0_m + self.size_m * (box % self.n_cols)).astype(np.float64)
        south: Floats = (self.y0_m + self.size_m * (box // self.n_cols)).astype(np.float64)
        return west, south


@dataclass(frozen=True)
class Spans:
    """Stretches of time of units in boxes, sorted by (unit, start); seconds since 1970, ``start_s`` <= ``end_s``."""

    unit: Ints
    box: Ints
    start_s: Floats
    end_s: Floats

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def minutes(self) -> Floats:
        return (self.end_s - self.start_s) / 60.0


@dataclass(frozen=True)
class VehiclePresence:
    """What the vehicles tell: visits to boxes, the times for which they tell anything, and what was mended."""

    visits: Spans
    known: Spans
    cleaned: Cleaned


def vehicle_presence(
    pings: Pings, boxes: BoxGrid, *, from_s: float, to_s: float, rules: PresenceRules | None = None
) -> VehiclePresence:
    """Return every visit of every unit to the boxes within [from_s, to_s).

    Give positions from before and after the period too (an hour): a visit may reach over its ends, and is cut there.
    Two periods side by side give together what one period over both gives. Repeated positions and their order change
    nothing. Between two positions of a unit at most ``gap_s`` apart each half belongs to the nearer one in time; at most
    ``parked_gap_s`` apart all of it counts where both are in one box; longer silences count for nothing. ``known`` are
    the stretches, box ``NOWHERE``, for which one of those rules vouches for where the vehicle was.

    2 million positions against 300 boxes take about a second. Raises ``ValueError`` for a leave margin of half a box or
    more, and for a period that ends before it starts.
    """
    rules = rules or PresenceRules()
    if to_s < from_s:
        raise ValueError("The period ends before it starts.")
    if not (rules.leave_m < boxes.size_m / 2 and rules.enter_m < boxes.size_m / 2):
        raise ValueError(
            "The margins at the edge must be less than half a box; lower them or use a coarser grid."
        )
    cleaned = clean_pings(pings, rules)
    good = cleaned.pings
    if len(good) < 2:
        nothing = _spans(*(np.zeros(0) for _ in range(4)))
        return VehiclePresence(nothing, nothing, cleaned)
    state = box_states(good, boxes, rules)
    gap = good.at_s[1:] - good.at_s[:-1]
    same_unit = good.unit[1:] == good.unit[:-1]
    in_one = same_unit & (state[1:] == state[:-1])
    parked = in_one & (state[1:] != NOWHERE) & (gap <= rules.parked_gap_s)
    moving = same_unit & (gap <= rules.gap_s)
    counted = parked | moving
    at = np.flatnonzero(counted)
    known = _spans(good.unit[at], np.full(len(at), NOWHERE), good.at_s[at], good.at_s[at + 1])
    whole = np.flatnonzero(counted & in_one & (state[1:] != NOWHERE))
    out = np.flatnonzero(counted & ~in_one & (state[:-1] != NOWHERE))
    into = np.flatnonzero(counted & ~in_one & (state[1:] != NOWHERE))
    pieces = (
        np.concatenate([good.unit[whole], good.unit[out], good.unit[into]]),
        np.concatenate([state[whole], state[out], state[into + 1]]),
        np.concatenate([good.at_s[whole], good.at_s[out], _halfway(good, into)]),
        np.concatenate([good.at_s[whole + 1], _halfway(good, out), good.at_s[into + 1]]),
    )
    order = np.lexsort((pieces[2], pieces[0]))
    visits = _spans(*(column[order] for column in pieces))
    return VehiclePresence(cut(joined(visits), from_s, to_s), cut(joined(known), from_s, to_s), cleaned)


def _halfway(good: Pings, at: Ints) -> Floats:
    middle: Floats = 0.5 * (good.at_s[at] + good.at_s[at + 1])
    return middle


def box_states(good: Pings, boxes: BoxGrid, rules: PresenceRules) -> Ints:
    """Say in which box each unit is at each of its positions, with the two margins at the edge. int64[n] of ids.

    ``good`` is sorted by (unit, time). The rule, position by position: a unit stays in the box it is in until it is
    more than ``leave_m`` outside; else it is in the box that it is at least ``enter_m`` inside of, else nowhere.

    Nearly all positions decide by themselves. The others (within a margin, at least one possible box besides) are
    chains that begin after one that decides; all chains are walked side by side, a step for the whole fleet at a time.
    """
    inside, held = _choices(good, boxes, rules)
    state = inside.copy()
    fresh = np.append(
        True,
        (good.unit[1:] != good.unit[:-1]) | (good.at_s[1:] - good.at_s[:-1] > rules.parked_gap_s),
    )
    # Not decided by itself: some box would be kept that is not the one it is inside of.
    open_ = ((held != NOWHERE) & (held != inside[:, None])).any(axis=1) & ~fresh
    if not open_.any():
        return state
    rows = np.flatnonzero(open_)
    # The rule applied twice gives what it gives once, so equal neighbours are one step.
    alike = np.append(False, (rows[1:] == rows[:-1] + 1))
    alike[1:] &= (inside[rows[1:]] == inside[rows[:-1]]) & (held[rows[1:]] == held[rows[:-1]]).all(axis=1)
    step = rows[~alike]
    step_end = np.append(rows[np.flatnonzero(~alike)[1:] - 1], rows[-1])
    begins = np.append(True, step[1:] != step_end[:-1] + 1)
    chain = np.flatnonzero(begins)
    length = np.diff(np.append(chain, len(step)))
    order = np.argsort(-length, kind="stable")
    chain, length = chain[order], length[order]
    now = state[step[chain] - 1]
    found = np.empty(len(step), dtype=np.int64)
    active = len(chain)
    for k in range(int(length[0])):
        active = int(np.searchsorted(-length, -k, side="left"))
        at = chain[:active] + k
        row = step[at]
        before = now[:active]
        stays = (held[row] == before[:, None]).any(axis=1) & (before != NOWHERE)
        now = np.where(stays, before, inside[row])
        found[at] = now
    state[rows] = np.repeat(found, np.diff(np.append(np.flatnonzero(~alike), len(rows))))
    return state


def _choices(good: Pings, boxes: BoxGrid, rules: PresenceRules) -> tuple[Ints, Ints]:
    """For each position the box it is inside of, and up to four that it would not have left. int64[n], int64[n, 4]."""
    table = boxes.table().ravel()
    width = boxes.n_cols + 2
    x, y = (good.x_m - boxes.x0_m) / boxes.size_m, (good.y_m - boxes.y0_m) / boxes.size_m
    # Outside the rim nothing is near enough; clipped, so that a position on another continent is no index.
    near = (x > -1) & (x < boxes.n_cols + 1) & (y > -1) & (y < boxes.n_rows + 1)
    rows = np.flatnonzero(near)
    x, y = x[rows], y[rows]
    col, row = np.floor(x), np.floor(y)
    dx, dy = x - col, y - row
    flat = ((row + 1) * width + col + 1).astype(np.int64)
    enter, leave = rules.enter_m / boxes.size_m, rules.leave_m / boxes.size_m
    deep: Bools = np.minimum(np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy)) >= enter
    own = table[flat]
    step_x = np.where(dx <= leave, -1, np.where(1 - dx <= leave, 1, 0))
    step_y = np.where(dy <= leave, -width, np.where(1 - dy <= leave, width, 0))
    inside = np.full(len(good), NOWHERE, dtype=np.int64)
    inside[rows] = np.where(deep, own, NOWHERE)
    held = np.full((len(good), 4), NOWHERE, dtype=np.int64)
    held[rows, 0] = own
    for place, (step, wanted) in enumerate(
        ((step_x, step_x != 0), (step_y, step_y != 0), (step_x + step_y, (step_x != 0) & (step_y != 0))),
        start=1,
    ):
        some = np.flatnonzero(wanted)
        # The rim's own neighbours lie beyond the table.
        to = flat[some] + step[some]
        ok = (to >= 0) & (to < len(table))
        held[rows[some[ok]], place] = table[to[ok]]
    return inside, held


def joined(spans: Spans) -> Spans:
    """Make one of spans of the same unit and box that touch or overlap. They must be sorted by (unit, start)."""
    if len(spans) == 0:
        return spans
    touches = (
        (spans.unit[1:] == spans.unit[:-1])
        & (spans.box[1:] == spans.box[:-1])
        & (spans.start_s[1:] <= spans.end_s[:-1])
    )
    first = np.flatnonzero(np.append(True, ~touches))
    end_s = np.maximum.reduceat(spans.end_s, first)
    return Spans(spans.unit[first], spans.box[first], spans.start_s[first], end_s)


def cut(spans: Spans, from_s: float, to_s: float) -> Spans:
    """Leave only what lies within the period; spans that are cut to nothing go."""
    start, end = np.maximum(spans.start_s, from_s), np.minimum(spans.end_s, to_s)
    keep = end > start
    return Spans(spans.unit[keep], spans.box[keep], start[keep], end[keep])


def _spans(unit: Floats | Ints, box: Floats | Ints, start_s: Floats, end_s: Floats) -> Spans:
    return Spans(unit.astype(np.int64), box.astype(np.int64), start_s, end_s)
