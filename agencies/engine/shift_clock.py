"""When a shift really starts and ends: a wall-clock start, an elapsed length, whatever the clocks do that night.

A start that happens twice (autumn) is the first one; one that never happens (spring) is the first moment after the gap. The
length is elapsed time: an eight-hour shift lasts eight hours in the night of 25 hours too, so that there the next shift may
start an hour after this one ends (and in spring an hour before).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from agencies.engine.local_time import aware, local_to_utc, utc_to_local

Times = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class ShiftHours:
    """A shift as it stands in the roster. ``weekdays`` are those of its local start, 0 is Monday."""

    slug: str
    start_time: time
    duration_minutes: int
    weekdays: tuple[int, ...] = EVERY_DAY


@dataclass(frozen=True)
class ShiftInstance:
    """One dated occurrence of a shift: half-open, [from_utc, to_utc), aware UTC."""

    slug: str
    on: date
    from_utc: datetime
    to_utc: datetime


@dataclass(frozen=True)
class InstanceArrays:
    """Many shift instances, by start and then by slot; all arrays have shape [n], times are ``datetime64[s]``."""

    from_utc: Times
    to_utc: Times
    local_from: Times
    """What the wall clock shows at the start: in the spring gap the moment after it, not the roster's time."""
    slot: Ints
    """Index into the shifts that were asked for."""

    def __len__(self) -> int:
        return len(self.from_utc)


def _zone_name(zone: ZoneInfo | str) -> str:
    return zone if isinstance(zone, str) else zone.key


def shift_instance(
    start_time: time, duration_minutes: int, on: date, zone: ZoneInfo | str
) -> tuple[datetime, datetime]:
    """Return the instants (aware, UTC) between which the shift that starts on this local date runs.

    >>> start, end = shift_instance(time(22), 480, date(2026, 10, 31), "America/Chicago")
    >>> start.isoformat(), end.astimezone(ZoneInfo("America/Chicago")).time().isoformat()
    ('2026-11-01T03:00:00+00:00', '05:00:00')
    """
    local = np.array([datetime.combine(on, start_time.replace(tzinfo=None))], dtype="datetime64[s]")
    start = aware(local_to_utc(local, _zone_name(zone)).utc[0])
    return start, start + timedelta(minutes=duration_minutes)


def instances_array(
    shifts: Sequence[ShiftHours], first: date, until: date, zone: ZoneInfo | str
) -> InstanceArrays:
    """Every instance of these shifts whose local date is in [first, until), as columns.

    Four years of three shifts take milliseconds. No shifts, or an empty range, give empty arrays.
    """
    name = _zone_name(zone)
    days = np.arange(np.datetime64(first, "D"), np.datetime64(until, "D"))
    # 1970-01-01 was a Thursday, weekday 3.
    weekday = (days.astype(np.int64) + 3) % 7
    starts, lengths, slots = [], [], []
    for slot, shift in enumerate(shifts):
        on = days[np.isin(weekday, np.array(shift.weekdays, dtype=np.int64))].astype("datetime64[s]")
        seconds = shift.start_time.hour * 3600 + shift.start_time.minute * 60 + shift.start_time.second
        starts.append(on + np.timedelta64(seconds, "s"))
        lengths.append(np.full(len(on), shift.duration_minutes * 60, dtype="timedelta64[s]"))
        slots.append(np.full(len(on), slot, dtype=np.int64))
    if not starts:
        nothing = np.zeros(0, dtype="datetime64[s]")
        return InstanceArrays(nothing, nothing, nothing, np.zeros(0, dtype=np.int64))
    from_utc = local_to_utc(np.concatenate(starts), name).utc
    slot_of = np.concatenate(slots)
    order = np.lexsort((slot_of, from_utc))
    from_utc = from_utc[order]
    to_utc: Times = from_utc + np.concatenate(lengths)[order]
    return InstanceArrays(
        from_utc=from_utc, to_utc=to_utc, local_from=utc_to_local(from_utc, name), slot=slot_of[order]
    )


def instances_between(
    shifts: Sequence[ShiftHours], from_utc: datetime, to_utc: datetime, zone: ZoneInfo | str
) -> list[ShiftInstance]:
    """The instances that start in [from_utc, to_utc), by start and then in the order of the shifts."""
    tz = ZoneInfo(_zone_name(zone))
    # A day of margin on both sides: the local date of an instant is not its UTC date.
    first = from_utc.astimezone(tz).date() - timedelta(days=1)
    until = to_utc.astimezone(tz).date() + timedelta(days=2)
    found = []
    for slot, shift in enumerate(shifts):
        day = first
        while day < until:
            if day.weekday() in shift.weekdays:
                start, end = shift_instance(shift.start_time, shift.duration_minutes, day, tz)
                if from_utc <= start < to_utc:
                    found.append((start, slot, ShiftInstance(shift.slug, day, start, end)))
            day += timedelta(days=1)
    return [instance for _, _, instance in sorted(found, key=lambda item: item[:2])]


def current_or_next(shifts: Sequence[ShiftHours], at: datetime, zone: ZoneInfo | str) -> ShiftInstance | None:
    """The instance that runs at this instant (of several, the one that started last), else the next to start.

    Nothing is returned where no shift starts within the eight days to come.
    """
    longest = max((shift.duration_minutes for shift in shifts), default=0)
    near = instances_between(shifts, at - timedelta(minutes=longest), at + timedelta(days=8), zone)
    running = [instance for instance in near if instance.from_utc <= at < instance.to_utc]
    if running:
        return max(running, key=lambda instance: instance.from_utc)
    return next((instance for instance in near if instance.from_utc > at), None)
