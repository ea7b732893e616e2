"""When each shift is to be forecast and planned by itself: so long before it starts, and again as often as asked until then.

All arithmetic is in elapsed time from the shift's true start: two hours before a shift are two hours also in the night of
23 or 25 hours, and in a zone whose clocks move by half an hour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from agencies.engine.shift_clock import ShiftHours, ShiftInstance, instances_between

LEAD_MINUTES = 120
"""How long before its start a shift is planned where nobody has said anything else."""
REFRESH_LEAST_MINUTES = 15
"""More often would plan a city anew before its supervisor has read the plan before."""


@dataclass(frozen=True)
class ShiftSchedule:
    """One shift with its schedule; ``lead_minutes`` >= 0, ``refresh_minutes`` 0 for once, else at least 15 is taken."""

    hours: ShiftHours
    lead_minutes: int = LEAD_MINUTES
    refresh_minutes: int = 0


@dataclass(frozen=True)
class Round:
    """One turn of forecasting and planning a shift instance: number 0 is the first, later ones are refreshes."""

    instance: ShiftInstance
    number: int
    due_at: datetime
    slot: int
    """Index into the schedules that were asked for."""


def rounds_of(instance: ShiftInstance, schedule: ShiftSchedule) -> Iterator[tuple[int, datetime]]:
    """Yield the rounds of a shift instance, number and instant, in order; each is before the start, or number 0.

    >>> from datetime import UTC, date, time
    >>> hours = ShiftHours("day", time(8), 480)
    >>> start = datetime(2026, 3, 14, 8, tzinfo=UTC)
    >>> day = ShiftInstance("day", date(2026, 3, 14), start, start + timedelta(hours=8))
    >>> [f"{n} {at:%H:%M}" for n, at in rounds_of(day, ShiftSchedule(hours, 120, 50))]
    ['0 06:00', '1 06:50', '2 07:40']
    """
    first = instance.from_utc - timedelta(minutes=schedule.lead_minutes)
    yield 0, first
    if schedule.refresh_minutes <= 0:
        return
    every = timedelta(minutes=max(REFRESH_LEAST_MINUTES, schedule.refresh_minutes))
    number, at = 1, first + every
    while at < instance.from_utc:
        yield number, at
        number, at = number + 1, at + every


def newest_round(
    instance: ShiftInstance, schedule: ShiftSchedule, at: datetime
) -> tuple[int, datetime] | None:
    """Return the last round that was due at or before an instant; None before the first, and once the shift is over."""
    if at >= instance.to_utc:
        return None
    found = None
    for number, due_at in rounds_of(instance, schedule):
        if due_at > at:
            break
        found = number, due_at
    return found


def rounds_due(schedules: Sequence[ShiftSchedule], at: datetime, zone: ZoneInfo | str) -> list[Round]:
    """Return what must be planned by now: of each shift instance that is not over the newest round, earliest start first.

    A shift is due from its lead time before the start until its end: what was missed while a machine was down is caught
    up once, with the newest round only. Whether a round was done already is the caller's business. Ties by slot.
    """
    # In UTC: minutes added to a local time are minutes on the wall, which a clock change makes wrong by an hour.
    at = at.astimezone(UTC)
    found: list[Round] = []
    for slot, schedule in enumerate(schedules):
        hours = schedule.hours
        first = at - timedelta(minutes=hours.duration_minutes)
        # One minute more: the interval is half open, and a shift whose lead begins at this very instant is due.
        until = at + timedelta(minutes=schedule.lead_minutes + 1)
        for instance in instances_between([hours], first, until, zone):
            newest = newest_round(instance, schedule, at)
            if newest is not None:
                found.append(Round(instance, *newest, slot))
    return sorted(found, key=lambda row: (row.instance.from_utc, row.slot))


def rounds_coming(
    schedules: Sequence[ShiftSchedule], at: datetime, zone: ZoneInfo | str, *, days: int = 8, limit: int = 6
) -> list[Round]:
    """Return the rounds after an instant, the next one of each shift instance, by the time at which they are due."""
    at = at.astimezone(UTC)
    found: list[Round] = []
    for slot, schedule in enumerate(schedules):
        until = at + timedelta(days=days, minutes=schedule.lead_minutes)
        for instance in instances_between([schedule.hours], at, until, zone):
            coming = next((row for row in rounds_of(instance, schedule) if row[1] > at), None)
            if coming is not None:
                found.append(Round(instance, *coming, slot))
    return sorted(found, key=lambda row: (row.due_at, row.slot))[:limit]
