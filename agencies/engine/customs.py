"""How a country usually writes times of day and distances: what a new agency begins with."""

from functools import lru_cache
from importlib.resources import files

TWELVE_HOURS = frozenset("AU BD CA CO EG IN MY NZ PH PK SA US".split())
"""Countries whose usual time of day has twelve hours (Unicode CLDR, ``timeData``, preferred ``h``); the larger ones."""
FEET_AND_MILES = frozenset("LR MM US".split())
"""Countries that measure in feet and miles (Unicode CLDR, ``measurementData``, system ``US``)."""
_REGIONS = {"US": "US", "Canada": "CA", "Australia": "AU"}
"""Regions of old names of zones, which the table of countries leaves out."""


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Country codes (ISO 3166) by time zone, from the IANA time zone database's ``zone.tab``."""
    text = (files("tzdata.zoneinfo") / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}


def usual_clock_and_units(time_zone: str) -> tuple[str, str]:
    """The hours of a clock ("12", "24") and the units ("imperial", "metric") usual where this IANA time zone is; "24" and "metric" for none.

    >>> usual_clock_and_units("America/Chicago"), usual_clock_and_units("Europe/Madrid")
    (('12', 'imperial'), ('24', 'metric'))
    """
    country = _countries().get(time_zone) or _REGIONS.get(time_zone.partition("/")[0], "")
    return ("12" if country in TWELVE_HOURS else "24", "imperial" if country in FEET_AND_MILES else "metric")
