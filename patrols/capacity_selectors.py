"""Who is on duty in a shift, and so how many boxes each beat can have visited: fixed before the draw."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agencies.models import Agency, Beat, Shift, Unit
from forecasting.engine.grid import GridSpec
from patrols.engine.capacity import Deal, beat_neighbours, deal_missions, helpers_of
from patrols.models import Duty, PatrolPolicy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BeatCapacity:
    """What a beat can do in one shift: ``k`` boxes to visit by ``units`` on duty.

    ``missions``: how many of them each unit has time for, in the order of ``units``. ``standing``: the beat's number when
    all its units are there. ``helped``: units of other beats that come here, in which case ``units`` are theirs.
    """

    beat: Beat
    k: int
    units: tuple[Unit, ...]
    missions: tuple[int, ...] = ()
    standing: int = 0
    helped: bool = False

    @property
    def units_in_turn(self) -> int:
        """How many units the timetable may count on to alternate: all of them when they take equal shares, else 1."""
        if self.helped or len(set(self.missions)) != 1:
            return 1
        return len(self.units)


def capacities(agency: Agency, shift: Shift, on: dt.date) -> list[BeatCapacity]:
    """Return every beat with its units on duty in this shift instance and the boxes they can visit. Four queries.

    A unit's duty of that very instance goes before its standing one; a unit without listed shifts works all of them. A beat
    without units has ``k`` 0.
    """
    duties = {row.unit_id: row for row in Duty.objects.filter(agency=agency, shift=shift, on=on)}
    units: dict[int, list[tuple[Unit, int]]] = defaultdict(list)
    standing: dict[int, int] = defaultdict(int)
    for unit in Unit.objects.filter(agency=agency, is_active=True).prefetch_related("shifts"):
        worked = {row.pk for row in unit.shifts.all()}
        if unit.beat_id and (not worked or shift.pk in worked):
            standing[unit.beat_id] += unit.missions_per_shift
            if unit.pk not in duties:
                units[unit.beat_id].append((unit, unit.missions_per_shift))
        duty = duties.get(unit.pk)
        if duty is not None and duty.beat_id:
            number = unit.missions_per_shift if duty.missions is None else duty.missions
            units[duty.beat_id].append((unit, number))
    beats = (
        Beat.objects.filter(agency=agency).select_related("district").defer("geometry", "district__geometry")
    )
    return [
        BeatCapacity(
            beat,
            sum(number for _, number in units[beat.pk]),
            tuple(unit for unit, _ in units[beat.pk]),
            tuple(number for _, number in units[beat.pk]),
            standing[beat.pk],
        )
        for beat in beats
    ]


@dataclass(frozen=True)
class Shared:
    """The beats' numbers after missions were handed on, and in words what was handed on and what dropped."""

    capacities: list[BeatCapacity]
    lines: list[str]
    record: dict[str, dict[str, object]]
    """For the plan's snapshot, by beat code: ``handed`` {to code: missions}, ``dropped`` missions."""


def capacities_shared(
    rows: list[BeatCapacity],
    *,
    unstaffed: str,
    spec: GridSpec,
    beat_of_cell: Ints,
    harm: Floats,
) -> Shared:
    """Hand the missions of beats without a unit to neighbours, or drop them, as the policy says. No query.

    ``harm`` float64[N] of the grid's cells, 0 where nobody may be sent. See ``patrols.engine.capacity.deal_missions``.
    """
    idle = [row for row in rows if row.k == 0 and row.standing > 0]
    if not idle:
        return Shared(rows, [], {})
    if unstaffed == PatrolPolicy.Unstaffed.DROP:
        lines = [
            f"Beat {r.beat.code} has no unit on duty: its {_missions(r.standing)} dropped." for r in idle
        ]
        return Shared(rows, lines, {r.beat.code: {"handed": {}, "dropped": r.standing} for r in idle})
    deal = deal_missions(
        standing={row.beat.pk: row.standing for row in idle},
        supply={row.beat.pk: row.k for row in rows},
        helpers=_helpers(rows, idle, spec, beat_of_cell),
        worth={row.beat.pk: harm[beat_of_cell == row.beat.pk] for row in rows},
    )
    return _told(rows, deal)


def _helpers(
    rows: list[BeatCapacity], idle: list[BeatCapacity], spec: GridSpec, beat_of_cell: Ints
) -> Mapping[int, list[int]]:
    x_m, y_m = spec.centres()
    found, first = np.unique(beat_of_cell, return_inverse=True)
    size = np.bincount(first)
    x, y = np.bincount(first, weights=x_m) / size, np.bincount(first, weights=y_m) / size
    return helpers_of(
        [row.beat.pk for row in idle],
        [row.beat.pk for row in rows if row.k > 0],
        beat_neighbours(spec.rows, spec.cols, beat_of_cell),
        {int(b): (float(x[i]), float(y[i])) for i, b in enumerate(found.tolist()) if b >= 0},
    )


def _told(rows: list[BeatCapacity], deal: Deal) -> Shared:
    by_pk = {row.beat.pk: row for row in rows}
    made, lines, record = [], [], {}
    for row in rows:
        k, dropped = deal.k.get(row.beat.pk, 0), deal.dropped.get(row.beat.pk, 0)
        handed = deal.handed(row.beat.pk)
        given = {by_pk[by].beat.code: n for by, n in handed.items()}
        if handed:
            helping = [
                (unit, number)
                for by in handed
                for unit, number in zip(by_pk[by].units, by_pk[by].missions, strict=True)
            ]
            units, room = tuple(unit for unit, _ in helping), tuple(number for _, number in helping)
            made.append(replace(row, k=k, units=units, missions=room, helped=True))
        else:
            made.append(replace(row, k=k))
        if line := _line(row, given, dropped):
            lines.append(line)
            record[row.beat.code] = {"handed": given, "dropped": dropped}
    return Shared(made, lines, record)


def _line(row: BeatCapacity, given: dict[str, int], dropped: int) -> str:
    least = f"{_missions(dropped)} dropped, the least harmful" if dropped else ""
    if row.k > 0:
        return (
            f"Beat {row.beat.code} shares its units with a beat beside it: {least} of its own."
            if dropped
            else ""
        )
    if row.standing == 0:
        return ""
    shares = ", ".join(f"{n} by units of beat {code}" for code, n in given.items())
    parts = [part for part in (f"{shares} carried out" if given else "", least) if part]
    return f"Beat {row.beat.code} has no unit on duty. Of its {row.standing} missions: {'; '.join(parts)}."


def _missions(number: int) -> str:
    return "1 mission is" if number == 1 else f"{number} missions are"
