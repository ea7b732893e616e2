"""Whether it is dark outside: where the sun stands at a place and a time."""

import datetime as dt
import math

SUNSET_ZENITH_DEGREES = 90.833
"""The sun's upper edge on the horizon: half its width and the air's refraction lie between that and 90 degrees."""


def _sun(at: dt.datetime) -> tuple[float, float, float]:
    """The equation of time (minutes), the sun's declination (radians) and the minutes of the UTC day."""
    at = at.astimezone(dt.UTC)
    minutes = at.hour * 60 + at.minute + at.second / 60
    days = 366 if at.year % 4 == 0 and (at.year % 100 != 0 or at.year % 400 == 0) else 365
    angle = 2 * math.pi / days * (at.timetuple().tm_yday - 1 + (minutes / 60 - 12) / 24)
    equation_minutes = 229.18 * (
        0.000075
        + 0.001868 * math.cos(angle)
        - 0.032077 * math.sin(angle)
        - 0.014615 * math.cos(2 * angle)
        - 0.040849 * math.sin(2 * angle)
    )
    declination = (
        0.006918
        - 0.399912 * math.cos(angle)
        + 0.070257 * math.sin(angle)
        - 0.006758 * math.cos(2 * angle)
        + 0.000907 * math.sin(2 * angle)
        - 0.002697 * math.cos(3 * angle)
        + 0.00148 * math.sin(3 * angle)
    )
    return equation_minutes, declination, minutes


def is_sun_down(at: dt.datetime, *, lat: float, lon: float) -> bool:
    """Say whether the sun is below the horizon: dark enough for the page to be dark.

    ``at`` is aware; latitude and longitude in degrees, north and east positive. Right to about two minutes below 60°
    of latitude; where the sun does not set for weeks, it says so for weeks.

    Notes
    -----
    The approximate formulas of NOAA's Global Monitoring Laboratory, "General Solar Position Calculations"
    (gml.noaa.gov/grad/solcalc/solareqns.PDF), after Spencer (1971).

    >>> chicago = {"lat": 41.88, "lon": -87.63}
    >>> is_sun_down(dt.datetime(2026, 6, 21, 23, 0, tzinfo=dt.UTC), **chicago)  # 18:00 there: two hours of sun left
    False
    >>> is_sun_down(dt.datetime(2026, 12, 21, 23, 0, tzinfo=dt.UTC), **chicago)  # 17:00 there
    True
    """
    equation_minutes, declination, minutes = _sun(at)
    hour_angle = math.radians((minutes + equation_minutes + 4 * lon) / 4 - 180)
    latitude = math.radians(lat)
    cosine = math.sin(latitude) * math.sin(declination)
    cosine += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return cosine < math.cos(math.radians(SUNSET_ZENITH_DEGREES))


def sun_times(day: dt.date, *, lat: float, lon: float) -> tuple[dt.datetime, dt.datetime] | None:
    """Return sunrise and sunset (aware, UTC) around the place's noon of that day; None where it does not rise or set.

    The same formulas as ``is_sun_down``, taken at the place's noon: right to about two minutes.

    >>> rise, fall = sun_times(dt.date(2026, 3, 20), lat=0.0, lon=0.0)
    >>> 11.9 < (fall - rise).total_seconds() / 3600 < 12.2
    True
    >>> sun_times(dt.date(2026, 6, 21), lat=80.0, lon=0.0) is None
    True
    """
    noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC) - dt.timedelta(minutes=4 * lon)
    equation_minutes, declination, _ = _sun(noon)
    latitude = math.radians(lat)
    # At a pole the cosine is not quite nought, but a place typed in as 90° must not divide by it.
    across = max(math.cos(latitude), 1e-9) * math.cos(declination)
    cosine = (
        math.cos(math.radians(SUNSET_ZENITH_DEGREES)) - math.sin(latitude) * math.sin(declination)
    ) / across
    if not -1.0 < cosine < 1.0:
        return None
    half = dt.timedelta(minutes=4 * math.degrees(math.acos(cosine)))
    middle = noon - dt.timedelta(minutes=equation_minutes)
    return middle - half, middle + half
