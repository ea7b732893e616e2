"""Dates in a sentence, a table's title or a chart, in the reader's language."""

import datetime as dt
from typing import Any

from django.utils.dates import MONTHS_3
from django.utils.formats import date_format
from django.utils.translation import pgettext


def short_day(day: dt.date) -> str:
    """A date with a short month.

    >>> short_day(dt.date(2026, 3, 4))
    '4 Mar 2026'
    """
    return date_format(day, pgettext("short date", "j M Y"))


def day_and_month(day: dt.date) -> str:
    """A date without its year.

    >>> day_and_month(dt.date(2026, 3, 4))
    '4 Mar'
    """
    return date_format(day, pgettext("date without year", "j M"))


def long_day(day: dt.date) -> str:
    """A date with the month's whole name.

    >>> long_day(dt.date(2026, 3, 4))
    '4 March 2026'
    """
    return date_format(day, pgettext("long date", "j F Y"))


def date_axis(axes: Any, most: int) -> None:
    """Put at most so many dates under a chart, their months in the reader's language."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    class Spoken(ConciseDateFormatter):  # type: ignore[misc,no-any-unimported,unused-ignore]
        """Months come from the machine's locale, which is nobody's language: they are put into the reader's afterwards."""

        def format_ticks(self, values: Any) -> list[str]:
            return [_in_words(text) for text in super().format_ticks(values)]

        def get_offset(self) -> str:
            return _in_words(super().get_offset())

    locator = AutoDateLocator(maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(Spoken(locator))


def _in_words(text: str) -> str:
    for english, month in zip(_ENGLISH, MONTHS_3.values(), strict=True):
        if english in text:
            return text.replace(english, str(month).capitalize())
    return text


_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
