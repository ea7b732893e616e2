"""One account of presence out of four: vehicles, officers' timers, dispatch records, entries by hand.

Who is believed, and why:

1. ``avl``: a vehicle's position is measured, by a machine that gains nothing from a good figure. Where it shows the unit in
   the box, the minute is the vehicle's.
2. ``timer``: pressed by the officer at that moment. It adds what the vehicle did not see: silences, and officers on foot.
3. ``cad``: written by a dispatcher at that moment, after a radio call, and to the nearest address.
4. ``manual``: typed in afterwards, from memory.

A vehicle also contradicts: minutes that a person claims while the car was far away from the box are left out and counted
apart. A car that stands near the box does not, for officers walk.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from patrols.engine.design import Bools, Floats, Ints
from patrols.engine.positions import Pings, PresenceRules
from patrols.engine.presence import BoxGrid, Spans

Source = Literal["avl", "timer", "cad", "manual"]
SOURCES: tuple[Source, ...] = ("avl", "timer", "cad", "manual")
"""In order of precedence; a source's number is its place here."""
AVL = 0
UNKNOWN = -1


@dataclass(frozen=True)
class Claims:
    """What people say: a unit was in a box from then to then. Seconds since 1970; one element a record.

    ``unit`` is ``UNKNOWN`` where the record does not say; ``end_s`` NaN where nobody said when it ended; ``source``
    indexes ``SOURCES`` (1, 2, 3); ``mission`` is the caller's number, or ``UNKNOWN``.
    """

    unit: Ints
    box: Ints
    start_s: Floats
    end_s: Floats
    source: npt.NDArray[np.int8]
    mission: Ints

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True)
class Presence:
    """One stretch of reconciled presence. ``start_s`` = ``end_s`` is a mark: a record, but of no known length."""

    unit: int
    box: int
    start_s: float
    end_s: float
    source: int
    mission: int

    @property
    def minutes(self) -> float:
        return (self.end_s - self.start_s) / 60.0


@dataclass(frozen=True)
class Account:
    """The reconciled presence, by (unit, start), and the claimed minutes that the vehicles contradict, by source."""

    spans: list[Presence]
    contradicted_minutes: dict[Source, float] = field(default_factory=dict)

    def minutes_by_source(self) -> dict[Source, float]:
        """Minutes of each source; their sum is all of the presence."""
        found: dict[Source, float] = dict.fromkeys(SOURCES, 0.0)
        for span in self.spans:
            found[SOURCES[span.source]] += span.minutes
        return found


def reconcile(
    *,
    visits: Spans,
    claims: Claims,
    pings: Pings,
    boxes: BoxGrid,
    from_s: float,
    to_s: float,
    rules: PresenceRules | None = None,
) -> Account:
    """Put the sources together for one shift, no minute of a unit twice, each minute with its source.

    ``visits`` and ``pings`` are what ``vehicle_presence`` gave (``cleaned.pings``: sorted, mended). A unit is in one place:
    where several claim it at once, a claim that agrees with the vehicle wins, then the source of higher precedence,
    then the later arrival. A claim about another box than the vehicle's wins over the vehicle while the car stands
    within ``walk_m`` of it. Records of unknown units count only what no other unit is known to have given that box,
    since they may be about it. A claim without an end becomes a mark of no length, unless presence that is known touches
    it. The order of the claims changes nothing.
    """
    rules = rules or PresenceRules()
    contradicted: dict[Source, float] = {}
    by_unit: dict[int, list[_Item]] = defaultdict(list)
    marks: list[_Item] = []
    for item in sorted(_items(claims)):
        if item.end_s <= item.start_s:
            if from_s <= item.start_s < to_s:
                marks.append(item)
            continue
        start, end = max(item.start_s, from_s), min(item.end_s, to_s)
        if end <= start:
            continue
        whole = _Item(item.source, start, end, item.box, item.mission, item.unit)
        parts = list(_believed(whole, pings, boxes, rules))
        lost = (end - start) - sum(part.end_s - part.start_s for part in parts)
        if lost > 0:
            name = SOURCES[item.source]
            contradicted[name] = contradicted.get(name, 0.0) + lost / 60.0
        by_unit[item.unit] += parts
    unknown = by_unit.pop(UNKNOWN, [])
    found: list[Presence] = []
    units = sorted(set(np.unique(visits.unit).tolist()) | set(by_unit))
    starts = np.searchsorted(visits.unit, units, side="left")
    ends = np.searchsorted(visits.unit, units, side="right")
    for unit, lo, hi in zip(units, starts.tolist(), ends.tolist(), strict=True):
        columns = (visits.start_s[lo:hi], visits.end_s[lo:hi], visits.box[lo:hi])
        rows = zip(*(column.tolist() for column in columns), strict=True)
        seen = [_Item(AVL, start, end, box, UNKNOWN, unit) for start, end, box in rows]
        found += _one_place(seen, by_unit.get(unit, []))
    found += _uncovered(unknown, found)
    found += _needed_marks(marks, found)
    return Account(sorted(found, key=lambda one: (one.unit, one.start_s, one.box, one.end_s)), contradicted)


@dataclass(frozen=True, order=True)
class _Item:
    source: int
    start_s: float
    end_s: float
    box: int
    mission: int
    unit: int


def _items(claims: Claims) -> Iterator[_Item]:
    ends = np.where(np.isnan(claims.end_s), claims.start_s, claims.end_s)
    columns = (claims.source, claims.start_s, ends, claims.box, claims.mission, claims.unit)
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield _Item(*row)


def _believed(item: _Item, pings: Pings, boxes: BoxGrid, rules: PresenceRules) -> Iterator[_Item]:
    """The parts of a claim during which the unit's vehicle was not known to be far away."""
    if item.unit == UNKNOWN or len(pings) == 0:
        yield item
        return
    lo, hi = np.searchsorted(pings.unit, [item.unit, item.unit + 1])
    times = pings.at_s[lo:hi]
    # One position before and after: the stretch on which the claim begins or ends needs both its ends.
    first = lo + max(0, int(np.searchsorted(times, item.start_s, side="right")) - 1)
    last = lo + min(hi - lo, int(np.searchsorted(times, item.end_s, side="left")) + 1)
    at, far = pings.at_s[first:last], _is_far(pings, slice(first, last), item.box, boxes, rules.walk_m)
    now = item.start_s
    for k in np.flatnonzero((far[:-1] | far[1:]) & (np.diff(at) <= rules.gap_s)).tolist():
        middle = 0.5 * (at[k] + at[k + 1])
        begin, end = (at[k] if far[k] else middle), (at[k + 1] if far[k + 1] else middle)
        if begin > now:
            yield _Item(item.source, now, min(float(begin), item.end_s), item.box, item.mission, item.unit)
        now = max(now, float(end))
        if now >= item.end_s:
            return
    yield _Item(item.source, now, item.end_s, item.box, item.mission, item.unit)


def _is_far(pings: Pings, rows: slice, box: int, boxes: BoxGrid, walk_m: float) -> Bools:
    west, south = boxes.corner(np.array([box]))
    x, y = pings.x_m[rows] - west[0], pings.y_m[rows] - south[0]
    beside = np.maximum(np.maximum(-x, x - boxes.size_m), 0.0)
    above = np.maximum(np.maximum(-y, y - boxes.size_m), 0.0)
    far: Bools = beside**2 + above**2 > walk_m**2
    return far


def _one_place(seen: list[_Item], claimed: list[_Item]) -> list[Presence]:
    """A unit's vehicle and claims as stretches that never overlap."""
    if not claimed:
        return [Presence(one.unit, one.box, one.start_s, one.end_s, AVL, UNKNOWN) for one in seen]

    def winner(active: Iterable[_Item]) -> tuple[int, int, int]:
        car = next((one for one in active if one.source == AVL), None)
        people = [one for one in active if one.source != AVL]
        agreeing = [one for one in people if car is not None and one.box == car.box]
        if car is not None and (agreeing or not people):
            return car.box, AVL, (_first(agreeing).mission if agreeing else UNKNOWN)
        best = _first(people)
        return best.box, best.source, best.mission

    return _joined(
        [
            Presence(seen[0].unit if seen else claimed[0].unit, box, start, end, source, mission)
            for start, end, active in _sweep(seen + claimed)
            for box, source, mission in [winner(active)]
        ]
    )


def _first(items: list[_Item]) -> _Item:
    """The claim that wins: higher precedence, then the later arrival; ties by everything else, so never by order."""
    return min(items, key=lambda one: (one.source, -one.start_s, one.end_s, one.box, one.mission))


def _sweep(items: list[_Item]) -> Iterator[tuple[float, float, list[_Item]]]:
    """Yield each stretch of time between two changes, with the items that hold during it."""
    changes: dict[float, list[tuple[bool, int]]] = defaultdict(list)
    for index, item in enumerate(items):
        changes[item.start_s].append((True, index))
        changes[item.end_s].append((False, index))
    active: set[int] = set()
    before = 0.0
    for time in sorted(changes):
        if active:
            yield before, time, [items[index] for index in active]
        for begins, index in changes[time]:
            if begins:
                active.add(index)
            else:
                active.discard(index)
        before = time


def _uncovered(unknown: list[_Item], known: list[Presence]) -> list[Presence]:
    """What records of unknown units add to each box: one unit at most, and only while no known one is there."""
    wanted = {item.box for item in unknown}
    by_box: dict[int, list[_Item]] = defaultdict(list)
    for item in unknown:
        by_box[item.box].append(item)
    for one in known:
        if one.box in wanted and one.end_s > one.start_s:
            by_box[one.box].append(_Item(UNKNOWN, one.start_s, one.end_s, one.box, UNKNOWN, one.unit))
    found = []
    for box in sorted(by_box):
        pieces = []
        for start, end, active in _sweep(by_box[box]):
            if all(one.source != UNKNOWN for one in active):
                best = _first(active)
                pieces.append(Presence(UNKNOWN, box, start, end, best.source, best.mission))
        found += _joined(pieces)
    return found


def _joined(pieces: list[Presence]) -> list[Presence]:
    found: list[Presence] = []
    for one in pieces:
        last = found[-1] if found else None
        alike = last and (last.box, last.source, last.mission) == (one.box, one.source, one.mission)
        if last and alike and last.end_s == one.start_s:
            found[-1] = Presence(one.unit, one.box, last.start_s, one.end_s, one.source, one.mission)
        else:
            found.append(one)
    return found


def _needed_marks(marks: list[_Item], found: list[Presence]) -> list[Presence]:
    """Marks that tell of something: none where presence of that unit (of any, if unknown) touches it."""
    kept: dict[tuple[int, int, int], Presence] = {}
    for mark in marks:
        touched = any(
            one.box == mark.box
            and one.start_s <= mark.start_s <= one.end_s
            and (mark.unit == UNKNOWN or one.unit == mark.unit)
            for one in found
        )
        key = (mark.unit, mark.box, int(mark.start_s))
        if not touched and key not in kept:
            kept[key] = Presence(mark.unit, mark.box, mark.start_s, mark.start_s, mark.source, mark.mission)
    return list(kept.values())
