"""Shifts start by the wall clock, last by elapsed time, and survive both nights of the clock change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agencies.engine.local_time import local_to_utc, utc_to_local
from agencies.engine.shift_clock import (
    ShiftHours,
    current_or_next,
    instances_array,
    instances_between,
    shift_instance,
)

CHICAGO = ZoneInfo("America/Chicago")
DAY = ShiftHours("day", time(8), 480)
EVENING = ShiftHours("evening", time(16), 480)
NIGHT = ShiftHours("night", time(0), 480)
WEEKEND = ShiftHours("weekend", time(20), 600, weekdays=(4, 5))
ZONES = [
    "America/Chicago",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "UTC",
]


def test_an_eight_hour_shift_lasts_eight_hours_in_the_night_of_25_hours() -> None:
    start, end = shift_instance(time(22), 480, date(2026, 10, 31), CHICAGO)
    assert end - start == timedelta(hours=8)
    assert end.astimezone(CHICAGO).time() == time(5)


def test_an_eight_hour_shift_lasts_eight_hours_in_the_night_of_23_hours() -> None:
    start, end = shift_instance(time(22), 480, date(2026, 3, 7), CHICAGO)
    assert end - start == timedelta(hours=8)
    assert end.astimezone(CHICAGO).time() == time(7)


def test_a_start_in_the_spring_gap_is_the_first_moment_after_it() -> None:
    start, _ = shift_instance(time(2, 30), 60, date(2026, 3, 8), CHICAGO)
    assert start == datetime(2026, 3, 8, 8, tzinfo=UTC)
    assert start.astimezone(CHICAGO).time() == time(3)


def test_a_start_that_happens_twice_is_the_first_one() -> None:
    start, _ = shift_instance(time(1, 30), 60, date(2026, 11, 1), CHICAGO)
    assert start == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_a_midnight_that_does_not_exist_moves_to_one_o_clock() -> None:
    start, _ = shift_instance(time(0), 480, date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    assert start == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_many_instances_at_once_equal_the_single_ones() -> None:
    shifts = [DAY, EVENING, NIGHT, WEEKEND]
    table = instances_array(shifts, date(2026, 1, 1), date(2027, 1, 1), CHICAGO)
    single = sorted(
        (*shift_instance(shift.start_time, shift.duration_minutes, day, CHICAGO), slot)
        for slot, shift in enumerate(shifts)
        for day in (date(2026, 1, 1) + timedelta(days=i) for i in range(365))
        if day.weekday() in shift.weekdays
    )
    assert len(table) == len(single) == 365 * 3 + 104
    assert [int(value) for value in table.from_utc.astype(np.int64)] == [
        int(start.timestamp()) for start, _, _ in single
    ]
    assert [int(value) for value in table.to_utc.astype(np.int64)] == [
        int(end.timestamp()) for _, end, _ in single
    ]
    assert table.slot.tolist() == [slot for _, _, slot in single]


def test_the_local_start_decides_the_weekday_and_not_the_utc_one() -> None:
    table = instances_array([WEEKEND], date(2026, 1, 1), date(2026, 2, 1), CHICAGO)
    days = (table.local_from.astype("datetime64[D]").astype(np.int64) + 3) % 7
    assert set(days.tolist()) == {4, 5}


def test_no_shifts_and_an_empty_range_give_empty_arrays() -> None:
    assert len(instances_array([], date(2026, 1, 1), date(2027, 1, 1), CHICAGO)) == 0
    assert len(instances_array([DAY], date(2026, 1, 1), date(2026, 1, 1), CHICAGO)) == 0


def test_instances_between_are_those_that_start_in_the_half_open_interval() -> None:
    from_utc = datetime(2026, 6, 1, 13, tzinfo=UTC)  # 08:00 in Chicago
    found = instances_between([DAY, EVENING, NIGHT], from_utc, from_utc + timedelta(days=1), CHICAGO)
    assert [instance.slug for instance in found] == ["day", "evening", "night"]
    assert found[0].from_utc == from_utc
    assert found[2].on == date(2026, 6, 2)


def test_the_current_shift_is_the_running_one_and_its_end_belongs_to_the_next() -> None:
    at = datetime(2026, 6, 1, 21, tzinfo=UTC)  # 16:00 in Chicago
    now = current_or_next([DAY, EVENING, NIGHT], at, CHICAGO)
    before = current_or_next([DAY, EVENING, NIGHT], at - timedelta(seconds=1), CHICAGO)
    assert now is not None
    assert before is not None
    assert (before.slug, now.slug) == ("day", "evening")


def test_between_shifts_the_next_one_is_taken_and_no_shifts_give_none() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)  # a Monday
    found = current_or_next([WEEKEND], at, CHICAGO)
    assert found is not None
    assert found.on == date(2026, 6, 5)
    assert current_or_next([], at, CHICAGO) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(157_766_400, 2_145_830_400).map(
        lambda value: datetime.fromtimestamp(value, tz=UTC).replace(tzinfo=None)
    ),
    st.sampled_from(ZONES),
)
def test_bulk_conversion_agrees_with_zoneinfo(wall: datetime, zone: str) -> None:
    tz = ZoneInfo(zone)
    result = local_to_utc(np.array([wall], dtype="datetime64[s]"), zone)
    instant = datetime.fromtimestamp(int(result.utc.astype(np.int64)[0]), tz=UTC)
    back = utc_to_local(result.utc, zone)[0]
    assert back == np.datetime64(instant.astimezone(tz).replace(tzinfo=None), "s")
    if result.shifted[0]:
        assert back > np.datetime64(wall, "s")
    else:
        assert instant == wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
        assert result.ambiguous[0] == (wall.replace(tzinfo=tz, fold=1).astimezone(UTC) != instant)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4_000_000_000), min_size=2, max_size=50), st.sampled_from(ZONES))
def test_instants_survive_the_way_to_the_wall_and_back_except_in_the_repeated_hour(
    seconds: list[int], zone: str
) -> None:
    utc = np.array(seconds, dtype=np.int64).astype("datetime64[s]")
    result = local_to_utc(utc_to_local(utc, zone), zone)
    assert not result.shifted.any()
    assert np.all((result.utc == utc) | (result.later_utc == utc))
