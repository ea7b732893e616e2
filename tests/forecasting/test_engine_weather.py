"""Weather as one could know it: nothing issued later counts, the usual comes from the past, and old news fades."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.periods import Periods
from forecasting.engine.weather import NAMES, WARMTH_STEP_C, Weather

BEGIN = np.datetime64("2015-01-01T00:00:00", "s")
DAY = np.timedelta64(86_400, "s")
WARMTH, RAIN = NAMES.index("weather:warmth"), NAMES.index("weather:rain")


def observed(days: int = 900, seed: int = 1, lasting: float = 0.7) -> Weather:
    """Days of a place with seasons, in which a warm day is followed by another."""
    rng = np.random.default_rng(seed)
    away = np.zeros(days)
    for day in range(1, days):
        away[day] = lasting * away[day - 1] + rng.normal(0, 3.0)
    begin = BEGIN + np.arange(days) * DAY
    usual = 10.0 - 12.0 * np.cos(2 * np.pi * np.arange(days) / 365.25)
    rain = np.where(rng.random(days) < 0.3, rng.exponential(6.0, days), 0.0)
    return Weather(begin, begin + DAY, begin + DAY, usual + away, rain, np.zeros(days))


def evenings(first: int, n: int) -> Periods:
    begin = BEGIN + (first + np.arange(n)) * DAY + np.timedelta64(16, "h")
    return Periods(begin, begin + np.timedelta64(8, "h"), begin, np.zeros(n, dtype=np.int16))


def joined(*parts: Weather) -> Weather:
    names = ("valid_from_utc", "valid_to_utc", "issued_utc", "temperature_c", "rain_mm", "snow_mm")
    return Weather(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def forecasts(seen: Weather, lead: np.timedelta64, added_c: float = 0.0) -> Weather:
    """What was observed, issued so long before it began."""
    return Weather(
        seen.valid_from_utc,
        seen.valid_to_utc,
        seen.valid_from_utc - lead,
        seen.temperature_c + added_c,
        seen.rain_mm,
        seen.snow_mm,
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(60, 860), st.integers(0, 1_000))
def test_what_is_issued_after_a_period_began_changes_no_bit_of_it(day: int, seed: int) -> None:
    seen = observed()
    whole = joined(seen, forecasts(seen, np.timedelta64(9, "h")))
    periods = evenings(day - 4, 5)
    origin = periods.from_utc[-1]
    before = whole.foreseen(periods, periods.from_utc)
    rng = np.random.default_rng(seed)
    later = whole.issued_utc >= origin
    changed = Weather(
        whole.valid_from_utc,
        whole.valid_to_utc,
        whole.issued_utc,
        np.where(later, rng.normal(0, 40, len(whole)), whole.temperature_c),
        np.where(later, rng.exponential(9, len(whole)), whole.rain_mm),
        np.where(later, np.nan, whole.snow_mm),
    )
    for other in (changed, whole.take(np.flatnonzero(~later))):
        assert other.foreseen(periods, periods.from_utc).tobytes() == before.tobytes()
    assert changed.foreseen(periods, periods.to_utc + 3 * DAY).tobytes() != before.tobytes()


def test_a_days_own_observation_is_not_known_before_its_shift_but_its_forecast_is() -> None:
    seen = observed()
    hot = seen.temperature_c.copy()
    hot[700] += 15.0
    changed = Weather(
        seen.valid_from_utc, seen.valid_to_utc, seen.issued_utc, hot, seen.rain_mm, seen.snow_mm
    )
    shift = evenings(700, 1)
    plain, other = (one.foreseen(shift, shift.from_utc)[0, WARMTH] for one in (seen, changed))
    assert plain == other
    half_a_day = np.timedelta64(12, "h")
    told = joined(seen, forecasts(changed.take([700]), half_a_day)).foreseen(shift, shift.from_utc)
    heat = hot[700] - (10.0 - 12.0 * np.cos(2 * np.pi * 700 / 365.25))
    assert told[0, WARMTH] * WARMTH_STEP_C == pytest.approx(heat, abs=2.0)


def test_the_newest_of_several_forecasts_counts() -> None:
    seen = observed()
    day = seen.take([700])
    shift = evenings(700, 1)
    early, late = (forecasts(day, np.timedelta64(h, "h"), added) for h, added in ((30, 10.0), (6, -10.0)))
    both = joined(seen, early, late).foreseen(shift, shift.from_utc)
    only = joined(seen, late).foreseen(shift, shift.from_utc)
    assert both.tobytes() == only.tobytes()
    assert joined(seen, early).foreseen(shift, shift.from_utc)[0, WARMTH] > only[0, WARMTH] + 3.0


def test_without_a_forecast_the_last_deviation_is_carried_on_and_fades() -> None:
    seen = observed(days=800)
    ahead = evenings(800, 12)
    told = np.abs(seen.foreseen(ahead, np.full(12, BEGIN + 800 * DAY + np.timedelta64(1, "s")))[:, WARMTH])
    assert (np.diff(told) < 0).all()
    assert told[1] / told[0] == pytest.approx(0.7, abs=0.08)
    assert told[-1] < 0.05 * told[0] + 1e-12


def test_the_foreseen_deviations_follow_the_true_ones_and_centre_on_nothing() -> None:
    seen = observed()
    shifts = evenings(400, 480)
    told = seen.foreseen(shifts, shifts.from_utc)[:, WARMTH] * WARMTH_STEP_C
    usual = 10.0 - 12.0 * np.cos(2 * np.pi * np.arange(900) / 365.25)
    truth = (seen.temperature_c - usual)[400:880]
    assert np.corrcoef(told, truth)[0, 1] > 0.5
    assert abs(told.mean()) < 1.0


def test_until_a_month_of_weather_is_known_everything_is_as_usual() -> None:
    seen = observed(days=60)
    told = seen.foreseen(evenings(0, 60), evenings(0, 60).from_utc)
    assert not told[:28].any()
    assert told[45:, WARMTH].any()


def test_missing_values_and_missing_days_are_no_weather_at_all() -> None:
    seen = observed()
    holes = seen.take(np.flatnonzero(np.arange(900) % 7 != 3))
    gone = Weather(
        holes.valid_from_utc,
        holes.valid_to_utc,
        holes.issued_utc,
        np.where(np.arange(len(holes)) % 5 == 0, np.nan, holes.temperature_c),
        np.full(len(holes), np.nan),
        holes.snow_mm,
    )
    told = gone.foreseen(evenings(400, 300), evenings(400, 300).from_utc)
    assert np.isfinite(told).all()
    # Nothing was ever said of rain: nothing is unusual about it.
    assert not told[:, RAIN].any()
    empty = Weather(*(np.zeros(0, dtype="datetime64[s]"),) * 3, *(np.zeros(0),) * 3)
    assert not empty.foreseen(evenings(0, 3), evenings(0, 3).from_utc).any()


def test_hours_are_read_as_hours() -> None:
    rng = np.random.default_rng(4)
    hours = 24 * 120
    begin = BEGIN + np.arange(hours) * np.timedelta64(3_600, "s")
    usual = 10.0 + 6.0 * np.sin(2 * np.pi * (np.arange(hours) % 24) / 24)
    temperature = usual + rng.normal(0, 0.2, hours)
    warm = np.arange(hours) // 24 == 110
    weather = Weather(
        begin,
        begin + np.timedelta64(3_600, "s"),
        begin - np.timedelta64(48, "h"),
        temperature + 5.0 * warm,
        np.zeros(hours),
        np.zeros(hours),
    )
    told = weather.foreseen(evenings(108, 4), evenings(108, 4).from_utc)[:, WARMTH] * WARMTH_STEP_C
    assert told == pytest.approx([0.0, 0.0, 5.0, 0.0], abs=0.6)


def test_the_order_of_rows_does_not_matter_and_wrong_rows_are_refused() -> None:
    seen = observed()
    mixed = seen.take(np.random.default_rng(0).permutation(len(seen)))
    shifts = evenings(300, 50)
    assert (
        mixed.foreseen(shifts, shifts.from_utc).tobytes() == seen.foreseen(shifts, shifts.from_utc).tobytes()
    )
    with pytest.raises(ValueError, match="end after it begins"):
        Weather(
            seen.valid_from_utc,
            seen.valid_from_utc,
            seen.issued_utc,
            seen.temperature_c,
            seen.rain_mm,
            seen.snow_mm,
        )
    with pytest.raises(ValueError, match="equally long"):
        Weather(
            seen.valid_from_utc,
            seen.valid_to_utc,
            seen.issued_utc,
            seen.temperature_c[:-1],
            seen.rain_mm,
            seen.snow_mm,
        )
