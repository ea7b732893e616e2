"""When crime happens in Riverton: hours of the week, seasons, weather and the calendar of events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter

from missions_project.demo.terrain import Floats

TIME_ZONE = "America/Chicago"
HOUR_S = 3_600
DAY_S = 86_400
_ZONE = ZoneInfo(TIME_ZONE)


def _bump(hour: float, width: float) -> Floats:
    """Return a daily hump around an hour, on a circle of 24 hours."""
    away = (np.arange(24) + 0.5 - hour + 12.0) % 24.0 - 12.0
    return np.exp(-(away**2) / (2.0 * width**2))


_WEEKDAYS = (1.0, 1.0, 1.0, 1.02, 1.1, 1.05, 0.95)
_SHAPES: dict[str, tuple[Floats, tuple[float, ...]]] = {
    # name: (24 hours, Monday..Sunday); night shapes count the small hours to the evening before.
    "workday": (0.06 + _bump(11.5, 2.6) + 0.6 * _bump(15.0, 2.0), (1.15, 1.15, 1.15, 1.15, 1.1, 0.6, 0.5)),
    "shopping": (0.02 + _bump(13.0, 2.6) + 0.9 * _bump(17.0, 2.2), (0.9, 0.9, 0.95, 1.0, 1.15, 1.35, 0.95)),
    "rush": (0.10 + 0.55 * _bump(7.5, 1.3) + _bump(17.0, 1.8) + 0.7 * _bump(21.5, 2.0), _WEEKDAYS),
    "evening": (0.12 + _bump(21.0, 2.6) + 0.45 * _bump(17.0, 2.0), (0.92, 0.9, 0.92, 0.98, 1.12, 1.18, 1.0)),
    "bar_hours": (
        0.015 + _bump(24.2, 1.7) + 0.35 * _bump(21.0, 1.6),
        (0.35, 0.45, 0.6, 0.95, 1.9, 2.1, 0.65),
    ),
    "night": (0.10 + _bump(2.0, 2.4) + 0.6 * _bump(22.5, 2.0), (0.95, 0.9, 0.92, 0.98, 1.12, 1.2, 0.95)),
    "school_run": (0.02 + _bump(15.3, 1.0) + 0.4 * _bump(8.0, 0.8), (1.4, 1.4, 1.4, 1.4, 1.3, 0.05, 0.05)),
    "home": (0.30 + _bump(20.0, 4.0), (0.95, 0.95, 0.95, 0.97, 1.0, 1.1, 1.08)),
}


def hour_of_week_profile(name: str) -> Floats:
    """Return 168 relative rates from Monday 00:00, mean 1."""
    hours, days = _SHAPES[name]
    profile = np.empty(168)
    for h in range(168):
        # A Friday night out ends on Saturday morning: the small hours belong to the evening before.
        day = ((h - 5) // 24) % 7 if name in ("bar_hours", "night", "evening") else h // 24
        profile[h] = hours[h % 24] * days[day]
    return profile / profile.mean()


@dataclass(frozen=True)
class HourAxis:
    """The hours of the simulated span, in UTC, with the wall clock that Riverton reads at each.

    start_utc_s: seconds since 1970 of the first hour; hour h covers [start + 3600 h, start + 3600 (h + 1)).
    """

    start_utc_s: int
    n_hours: int
    hour_of_week: npt.NDArray[np.int64]
    day_of_year: Floats
    years_before_end: Floats

    @property
    def end_utc_s(self) -> int:
        """The instant at which the span ends, seconds since 1970."""
        return self.start_utc_s + self.n_hours * HOUR_S


def hour_axis(start_utc_s: int, n_hours: int) -> HourAxis:
    """Lay out the hours and their local clock."""
    utc = start_utc_s + HOUR_S * np.arange(n_hours, dtype=np.int64)
    local = pd.to_datetime(utc, unit="s", utc=True).tz_convert(TIME_ZONE)
    return HourAxis(
        start_utc_s=start_utc_s,
        n_hours=n_hours,
        hour_of_week=np.asarray(local.day_of_week, dtype=np.int64) * 24
        + np.asarray(local.hour, dtype=np.int64),
        day_of_year=np.asarray(local.day_of_year, dtype=np.float64),
        years_before_end=(n_hours - np.arange(n_hours)) / (24.0 * 365.25),
    )


def local_to_utc_s(local: datetime) -> int:
    """Return seconds since 1970 of a wall-clock time in Riverton (an aware time is converted as it is)."""
    aware = local if local.tzinfo is not None else local.replace(tzinfo=_ZONE)
    return int(aware.timestamp())


def utc_s_to_local(utc_s: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
    """Return naive wall-clock times in Riverton (datetime64[s]) of seconds since 1970."""
    index = pd.to_datetime(np.asarray(utc_s, dtype=np.int64), unit="s", utc=True).tz_convert(TIME_ZONE)
    return index.tz_localize(None).to_numpy().astype("datetime64[s]")


@dataclass(frozen=True)
class Weather:
    """Hourly weather at the river gauge."""

    temperature_c: Floats
    anomaly_c: Floats  # departure from the time of year, which is what moves crime beyond the season
    rain_mm: Floats
    wind_ms: Floats


def weather(rng: np.random.Generator, hours: HourAxis) -> Weather:
    """Draw the weather: seasons, days, warm and cold spells, showers."""
    n = hours.n_hours
    hour = hours.hour_of_week % 24
    season = 12.5 - 14.5 * np.cos(2 * np.pi * (hours.day_of_year - 18.0) / 365.25)
    daily = 4.8 * np.cos(2 * np.pi * (hour - 15.5) / 24.0)
    keep = np.exp(-1.0 / 60.0)
    spells = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], rng.standard_normal(n)) * 4.6
    damp = lfilter([0.30], [1.0, -0.954], rng.standard_normal(n))
    rain = rng.gamma(0.8, 1.6, n) * (damp > 1.55)
    wind = np.abs(3.4 + lfilter([0.35], [1.0, -0.97], rng.standard_normal(n)))
    return Weather(
        temperature_c=np.round(season + daily + spells, 1),
        anomaly_c=np.round(spells, 1),
        rain_mm=np.round(rain, 1),
        wind_ms=np.round(wind, 1),
    )


@dataclass(frozen=True)
class CalendarEvent:
    """A game, concert or festival day at a venue (index into City.venues)."""

    name: str
    kind: str
    venue: int
    from_utc_s: int
    to_utc_s: int
    attendance: int


def calendar(rng: np.random.Generator, hours: HourAxis) -> tuple[CalendarEvent, ...]:
    """Draw the calendar: ball games April to September, concerts and hockey in winter, six festival days a year."""
    first = pd.Timestamp(hours.start_utc_s, unit="s", tz="UTC").tz_convert(TIME_ZONE).normalize()
    last = pd.Timestamp(hours.end_utc_s, unit="s", tz="UTC").tz_convert(TIME_ZONE)
    events: list[CalendarEvent] = []
    for day in pd.date_range(first, last, freq="D"):
        draws = rng.random(4)
        spring_to_autumn = 4 <= day.month <= 9
        late_week = day.day_of_week in (3, 4, 5)
        if spring_to_autumn and draws[0] < (0.30 if late_week else 0.13):
            events.append(_event("Ball game", "game", 0, day, 18.5, 3.5, 9_000 + int(9_000 * draws[3])))
        if not spring_to_autumn and draws[1] < (0.22 if late_week else 0.05):
            events.append(_event("Arena night", "concert", 1, day, 19.0, 3.5, 4_000 + int(5_000 * draws[3])))
        if day.month in (6, 9) and 8 <= day.day <= 14 and day.day_of_week >= 4:
            events.append(
                _event("River festival", "festival", 2, day, 11.0, 12.0, 14_000 + int(9_000 * draws[3]))
            )
    inside = [e for e in events if e.from_utc_s >= hours.start_utc_s and e.to_utc_s <= hours.end_utc_s]
    return tuple(inside)


def _event(
    name: str, kind: str, venue: int, day: pd.Timestamp, start_h: float, length_h: float, attendance: int
) -> CalendarEvent:
    wall_clock = datetime(day.year, day.month, day.day, int(start_h), int(60 * (start_h % 1)), tzinfo=_ZONE)
    begins = local_to_utc_s(wall_clock)
    return CalendarEvent(name, kind, venue, begins, begins + int(length_h * HOUR_S), attendance)
