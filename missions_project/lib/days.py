"""Dates in a sentence, a table's title or a chart, in the reader's language."""

import datetime as dt

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


def weekday_and_day(day: dt.date) -> str:
    """A date with its weekday and the month's whole name.

    >>> weekday_and_day(dt.date(2026, 3, 4))
    'Wednesday 4 March 2026'
    """
    return f"{date_format(day, 'l')} {long_day(day)}"
