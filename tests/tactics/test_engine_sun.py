"""It is dark when the sun is down at the place, and the page knows the next nights."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactics.engine.sun import is_sun_down, sun_times

CHICAGO = {"lat": 41.88, "lon": -87.63}


@pytest.mark.parametrize(
    # Published times of the U.S. Naval Observatory, by the wall clock.
    ("place", "zone", "day", "rise", "fall"),
    [
        (CHICAGO, "America/Chicago", dt.date(2026, 6, 21), "05:16", "20:29"),
        (CHICAGO, "America/Chicago", dt.date(2026, 12, 21), "07:15", "16:23"),
        (CHICAGO, "America/Chicago", dt.date(2026, 3, 20), "06:53", "19:02"),
        ({"lat": 33.45, "lon": -112.07}, "America/Phoenix", dt.date(2026, 6, 21), "05:18", "19:41"),
        ({"lat": 61.22, "lon": -149.90}, "America/Anchorage", dt.date(2026, 12, 21), "10:14", "15:41"),
    ],
)
def test_sunrise_and_sunset_agree_with_published_times(
    place: dict[str, float], zone: str, day: dt.date, rise: str, fall: str
) -> None:
    found = sun_times(day, **place)
    assert found is not None
    for instant, published in zip(found, (rise, fall), strict=True):
        local = instant.astimezone(ZoneInfo(zone))
        expected = dt.datetime.combine(day, dt.time.fromisoformat(published), ZoneInfo(zone))
        assert abs(local - expected) <= dt.timedelta(minutes=3), (local, published)


@given(st.dates(dt.date(2000, 1, 1), dt.date(2060, 1, 1)), st.floats(-60, 60), st.floats(-180, 180))
def test_the_sun_is_up_between_sunrise_and_sunset_and_down_around_them(
    day: dt.date, lat: float, lon: float
) -> None:
    found = sun_times(day, lat=lat, lon=lon)
    assert found is not None
    margin = dt.timedelta(minutes=6)
    rise, fall = found
    for instant, is_down in (
        (rise - margin, True),
        (rise + margin, False),
        (fall - margin, False),
        (fall + margin, True),
    ):
        assert is_sun_down(instant, lat=lat, lon=lon) is is_down


def test_where_the_sun_does_not_set_it_is_not_dark() -> None:
    assert sun_times(dt.date(2026, 6, 21), lat=75.0, lon=0.0) is None
    assert not is_sun_down(dt.datetime(2026, 6, 21, 0, tzinfo=dt.UTC), lat=75.0, lon=0.0)
    assert is_sun_down(dt.datetime(2026, 12, 21, 12, tzinfo=dt.UTC), lat=75.0, lon=0.0)
