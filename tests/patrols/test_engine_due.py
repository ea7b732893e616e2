"""When a shift is planned by itself: so long before its true start, whatever the clocks do, until it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agencies.engine.shift_clock import ShiftHours, shift_instance
from patrols.engine.due import ShiftSchedule, rounds_coming, rounds_due, rounds_of

ZONES = ("America/Chicago", "Europe/London", "Australia/Lord_Howe")
CLOCK_CHANGES = {
    "America/Chicago": (date(2026, 3, 8), date(2026, 11, 1)),
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
}
MINUTE = timedelta(minutes=1)

zones = st.sampled_from(ZONES)
hours = st.builds(
    ShiftHours,
    slug=st.just("s"),
    start_time=st.times(max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0)),
    duration_minutes=st.integers(60, 1440),
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)
schedules = st.builds(
    ShiftSchedule,
    hours=hours,
    lead_minutes=st.integers(5, 2880),
    refresh_minutes=st.sampled_from([0, 7, 15, 60, 600]),
)


@st.composite
def near_a_clock_change(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant within two days of one of its clock changes."""
    zone = draw(zones)
    on = draw(st.sampled_from(CLOCK_CHANGES[zone]))
    noon = datetime.combine(on, time(12), tzinfo=UTC)
    return zone, noon + timedelta(minutes=draw(st.integers(-2880, 2880)))


@settings(max_examples=300, deadline=None)
@given(schedule=schedules, where=near_a_clock_change())
def test_exactly_the_instances_between_their_lead_and_their_end_are_due(
    schedule: ShiftSchedule, where: tuple[str, datetime]
) -> None:
    zone, at = where
    expected = set()
    for days in range(-5, 6):
        on = at.astimezone(ZoneInfo(zone)).date() + timedelta(days=days)
        if on.weekday() not in schedule.hours.weekdays:
            continue
        start, end = shift_instance(schedule.hours.start_time, schedule.hours.duration_minutes, on, zone)
        if start - schedule.lead_minutes * MINUTE <= at < end:
            expected.add((on, start, end))
    found = rounds_due([schedule], at, zone)
    assert {(row.instance.on, row.instance.from_utc, row.instance.to_utc) for row in found} == expected


@settings(max_examples=300, deadline=None)
@given(schedule=schedules, where=near_a_clock_change())
def test_only_the_newest_round_is_due_and_the_next_one_is_still_to_come(
    schedule: ShiftSchedule, where: tuple[str, datetime]
) -> None:
    zone, at = where
    for row in rounds_due([schedule], at, zone):
        all_rounds = dict(rounds_of(row.instance, schedule))
        assert all_rounds[row.number] == row.due_at <= at
        later = all_rounds.get(row.number + 1)
        assert later is None or later > at
        assert row.due_at == row.instance.from_utc - schedule.lead_minutes * MINUTE or (
            row.due_at < row.instance.from_utc
        )


@settings(max_examples=100, deadline=None)
@given(several=st.lists(schedules, max_size=4), where=near_a_clock_change())
def test_the_earliest_start_comes_first(several: list[ShiftSchedule], where: tuple[str, datetime]) -> None:
    zone, at = where
    starts = [row.instance.from_utc for row in rounds_due(several, at, zone)]
    assert starts == sorted(starts)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("which", [0, 1])
def test_walking_minute_by_minute_over_the_clock_change_meets_each_instance_once(
    zone: str, which: int
) -> None:
    """No shift is left out on the day of 23 (or 23½) hours, and none comes twice on that of 25."""
    shifts = [
        ShiftHours("night", time(22), 480),
        ShiftHours("gap", time(2, 15), 60),
        ShiftHours("day", time(8), 480),
    ]
    several = [ShiftSchedule(row, 90) for row in shifts]
    change = CLOCK_CHANGES[zone][which]
    at = datetime.combine(change - timedelta(days=2), time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = datetime.combine(change + timedelta(days=2), time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    begun: dict[tuple[str, date], datetime] = {}
    known = {(row.instance.slug, row.instance.on) for row in rounds_due(several, at - MINUTE, zone)}
    while at < end:
        for row in rounds_due(several, at, zone):
            begun.setdefault((row.instance.slug, row.instance.on), at)
        at += 5 * MINUTE
    fresh = {key: instant for key, instant in begun.items() if key not in known}
    days = {change + timedelta(days=d) for d in (-1, 0, 1)}
    assert {key for key in fresh if key[1] in days} == {(s.slug, day) for s in shifts for day in days}
    for (slug, on), instant in fresh.items():
        start, _ = shift_instance(next(s for s in shifts if s.slug == slug).start_time, 60, on, zone)
        assert timedelta() <= instant - (start - 90 * MINUTE) < 5 * MINUTE


def test_a_lead_of_two_hours_is_two_hours_also_in_the_night_of_23_hours() -> None:
    early = ShiftSchedule(ShiftHours("early", time(4), 240), 120)
    # Clocks jump from 2 to 3: two hours before 04:00 it is 01:00 by the wall clock.
    at = datetime(2026, 3, 8, 1, 0, tzinfo=ZoneInfo("America/Chicago"))
    assert rounds_due([early], at - MINUTE, "America/Chicago") == []
    assert [row.due_at for row in rounds_due([early], at, "America/Chicago")] == [at]


def test_a_shift_past_midnight_is_due_until_its_end_on_the_next_date() -> None:
    night = ShiftSchedule(ShiftHours("night", time(22), 480), 60)
    zone = ZoneInfo("Europe/London")
    last = datetime(2026, 6, 2, 5, 59, tzinfo=zone)
    (row,) = rounds_due([night], last, zone)
    assert row.instance.on == date(2026, 6, 1)
    assert rounds_due([night], last + MINUTE, zone) == []


def test_refreshes_more_often_than_every_quarter_of_an_hour_are_taken_as_that() -> None:
    day = ShiftSchedule(ShiftHours("day", time(8), 480), 60, 5)
    (row,) = rounds_due([day], datetime(2026, 6, 1, 8, tzinfo=UTC), "UTC")
    assert [at.minute for _, at in rounds_of(row.instance, day)] == [0, 15, 30, 45]


def test_what_comes_next_is_listed_by_when_it_is_due() -> None:
    day, evening = (ShiftSchedule(ShiftHours(slug, time(hour), 480), lead) for slug, hour, lead in
                    (("day", 8, 60), ("evening", 16, 600)))  # fmt: skip
    coming = rounds_coming([day, evening], datetime(2026, 6, 1, 5, tzinfo=UTC), "UTC", limit=3)
    assert [(row.instance.slug, row.due_at.day, row.due_at.hour) for row in coming] == [
        ("evening", 1, 6), ("day", 1, 7), ("evening", 2, 6),
    ]  # fmt: skip
