"""Hours put together to days are what was known after each issue, and nothing that came later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.weather import Weather
from forecasting.engine.weather_days import LEAST_HOURS, weather_days

HOUR, DAY = np.timedelta64(3_600, "s"), np.timedelta64(86_400, "s")
FIRST = np.datetime64("2024-05-01T00:00:00", "s")


def hourly(begin: np.ndarray, issued: np.ndarray, rain: np.ndarray) -> Weather:
    return Weather(begin, begin + HOUR, issued, rain * 2.0, rain, np.zeros(len(rain)))


def as_days(hours: Weather) -> Weather:
    day = hours.valid_from_utc.astype("datetime64[D]").astype("datetime64[s]")
    return weather_days(hours, day, day + DAY)


@given(st.integers(0, 2**32 - 1), st.integers(1, 120))
@settings(max_examples=60, deadline=None)
def test_each_day_after_each_issue_is_counted_from_the_newest_that_was_known(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    begin = FIRST + rng.integers(0, 48, n) * HOUR
    issued = FIRST + rng.integers(-24, 24, n) * HOUR
    _, first = np.unique(np.column_stack([begin.astype(int), issued.astype(int)]), axis=0, return_index=True)
    hours = hourly(begin[first], issued[first], rng.random(len(first)).round(2))
    found = as_days(hours)
    told = 0
    for day in (FIRST, FIRST + DAY):
        of_day = (hours.valid_from_utc >= day) & (hours.valid_from_utc < day + DAY)
        for issue in np.unique(hours.issued_utc[of_day]):
            newest = {}
            for row in np.flatnonzero(of_day & (hours.issued_utc <= issue)):
                newest[hours.valid_from_utc[row]] = hours.rain_mm[row]
            at = np.flatnonzero((found.valid_from_utc == day) & (found.issued_utc == issue))
            if len(newest) < LEAST_HOURS:
                assert not len(at)
                continue
            told += 1
            assert found.rain_mm[at] == pytest.approx([24 * np.mean(list(newest.values()))], abs=1e-6)
            assert found.temperature_c[at] == pytest.approx([2 * np.mean(list(newest.values()))], abs=1e-6)
    assert len(found) == told


def test_later_issues_change_no_earlier_day() -> None:
    rng = np.random.default_rng(3)
    begin = np.tile(FIRST + np.arange(24) * HOUR, 3)
    issued = np.repeat(FIRST + np.arange(-3, 0) * HOUR, 24)
    hours = hourly(begin, issued, rng.random(72))
    whole = as_days(hours)
    early = as_days(hours.take(np.flatnonzero(hours.issued_utc < FIRST - HOUR)))
    assert len(whole) == 3
    assert whole.rain_mm[:2].tolist() == early.rain_mm.tolist()


def test_a_day_of_the_clock_change_has_its_own_length_and_whole_days_are_passed_on() -> None:
    begin = FIRST + np.arange(23) * HOUR
    hours = hourly(begin, begin + HOUR, np.ones(23))
    found = weather_days(hours, np.full(23, FIRST), np.full(23, FIRST + 23 * HOUR))
    assert found.rain_mm.tolist()[-1] == 23.0
    assert (found.valid_to_utc - found.valid_from_utc == 23 * HOUR).all()
    day = Weather(
        np.array([FIRST]),
        np.array([FIRST + DAY]),
        np.array([FIRST + DAY]),
        np.ones(1),
        np.ones(1),
        np.ones(1),
    )
    assert as_days(day).rain_mm.tolist() == [1.0]
