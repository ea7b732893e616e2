"""How an agency reads clocks and distances: 16:40 or 4:40 PM, metres or feet. The one place that writes them for people.

Pages of an agency are read its way (``reads_like`` around each view); files and interfaces keep ISO times and metres.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from django.utils.formats import date_format
from django.utils.translation import gettext as _

FOOT_M = 0.3048
MILE_M = 1609.344
KM2_A_SQUARE_MILE = (MILE_M / 1000) ** 2
NO_BREAK = "\u00a0"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LENGTH = re.compile(r"(?:(\d+(?:\.\d+)?)–)?(\d+(?:\.\d+)?) m\b")


class Habits(Protocol):
    """What of an agency is asked for here."""

    @property
    def clock(self) -> str: ...
    @property
    def units(self) -> str: ...


_clock: ContextVar[str] = ContextVar("clock", default="24")
_units: ContextVar[str] = ContextVar("units", default="metric")


@contextmanager
def reads_like(agency: Habits) -> Iterator[None]:
    """While this lasts, clocks and distances are written as the agency reads them."""
    clock, units = _clock.set(agency.clock), _units.set(agency.units)
    try:
        yield
    finally:
        # The next request on this thread may be another agency's.
        _clock.reset(clock)
        _units.reset(units)


def is_twelve() -> bool:
    """Whether clocks are read as 4:40 PM now."""
    return _clock.get() == "12"


def is_imperial() -> bool:
    """Whether distances are read in feet and miles now."""
    return _units.get() == "imperial"


def clock_text(at: dt.datetime | dt.time) -> str:
    """Hours and minutes. A thousand of them a page, and ``strftime`` takes four times as long.

    >>> clock_text(dt.time(16, 5))
    '16:05'
    """
    if not is_twelve():
        return f"{at.hour:02d}:{at.minute:02d}"
    return f"{at.hour % 12 or 12}:{at.minute:02d}{NO_BREAK}{'AM' if at.hour < 12 else 'PM'}"


def clock_read(text: str) -> str:
    """A time that is kept as "16:40", for people; any other text is left as it is.

    >>> clock_read("16:40"), clock_read("–")
    ('16:40', '–')
    """
    is_time = is_twelve() and len(text) == 5 and text[2] == ":"
    return clock_text(dt.time.fromisoformat(text)) if is_time else text


def date_read(text: str) -> str:
    """A date that is kept as "2026-03-02", for people; any other text is left as it is.

    >>> date_read("2026-03-02"), date_read("2026-W10"), date_read("2026-02-30")
    ('2\\xa0Mar\\xa02026', '2026-W10', '2026-02-30')
    """
    if not _DATE.fullmatch(text):
        return text
    try:
        return date_format(dt.date.fromisoformat(text), "j M Y").replace(" ", NO_BREAK)
    except ValueError:
        return text


def hour_text(at: dt.datetime | dt.time) -> str:
    """A whole hour as an axis names it: 16, or 4p.

    >>> hour_text(dt.datetime(2026, 3, 14, 16))
    '16'
    """
    return f"{at.hour % 12 or 12}{'a' if at.hour < 12 else 'p'}" if is_twelve() else f"{at.hour:02d}"


def format_for(pattern: str) -> str:
    """A pattern of Django's ``date`` filter, with its 24-hour clock turned into the one that is read.

    >>> format_for("j M Y H:i")
    'j M Y H:i'
    """
    if not is_twelve():
        return pattern
    return pattern.replace("H:i:s", f"g:i:s{NO_BREAK}A").replace("H:i", f"g:i{NO_BREAK}A")


def distance_text(metres: float) -> str:
    """A distance in words: rounded as far as anybody walks or drives by it.

    >>> distance_text(250), distance_text(1840)
    ('250 metres', '1.8 km')
    """
    if not is_imperial():
        return (
            _("%(metres)s metres") % {"metres": f"{metres:.0f}"}
            if metres < 1000
            else _("%(metres)s km") % {"metres": f"{metres / 1000:.1f}"}
        )
    feet = metres / FOOT_M
    return (
        _("%(feet)s feet") % {"feet": f"{round(feet, -1):,.0f}"}
        if feet < 2000
        else _("%(metres)s miles") % {"metres": f"{metres / MILE_M:.1f}"}
    )


def area_text(square_metres: float) -> str:
    """An area in words: square kilometres or square miles, two figures where it is less than one.

    >>> area_text(2_340_000), area_text(4_100)
    ('2.34 km²', '0.0041 km²')
    """
    size = square_metres / 1e6 / (KM2_A_SQUARE_MILE if is_imperial() else 1)
    told = f"{size:,.2f}" if size >= 1 or size == 0 else f"{size:.{1 - math.floor(math.log10(size))}f}"
    return f"{told} {'mi²' if is_imperial() else 'km²'}"


def lengths_read(text: str) -> str:
    """A text with lengths in metres as files have it ("1–100 m"), for people: in feet and miles where these are read.

    >>> lengths_read("Cells of 250 m")
    'Cells of 250 m'
    """
    return _LENGTH.sub(_length_read, text) if is_imperial() else text


def _length_read(found: re.Match[str]) -> str:
    least, most = found[1], float(found[2])
    if least is None:
        return distance_text(most)
    return _("%(feet)s feet") % {"feet": f"{_feet(float(least))}–{_feet(most)}"}


def _feet(metres: float) -> str:
    feet = metres / FOOT_M
    # To ten feet, as distances are; a metre would be none then.
    return f"{round(feet, -1 if feet >= 100 else 0):,.0f}"
