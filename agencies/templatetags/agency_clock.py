"""Django's ``date`` and ``now``, in the clock that the agency reads; ``distance`` in its units. Every template has them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.template.defaultfilters import date as plain_date
from django.utils import timezone

from agencies.clocks import area_text, date_read, distance_text, format_for

register = template.Library()


@register.filter(name="date", expects_localtime=True, is_safe=False)
def date(value: Any, arg: str | None = None) -> str:
    """As Django's; "H:i" becomes "g:i A" where the agency reads twelve hours."""
    return str(plain_date(value, format_for(arg) if arg else arg))


@register.simple_tag(name="now")
def now(pattern: str) -> str:
    """The present moment in the template's time zone."""
    present: dt.datetime = timezone.localtime()
    return str(plain_date(present, format_for(pattern)))


@register.filter
def day(text: str) -> str:
    """A date that is kept as "2026-03-02", for people."""
    return date_read(text)


@register.filter
def distance(metres: float) -> str:
    """A distance in the agency's units."""
    return distance_text(float(metres))


@register.filter
def area(square_metres: float) -> str:
    """An area in the agency's units."""
    return area_text(float(square_metres))
