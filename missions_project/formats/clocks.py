"""Formats that follow the clock which is read: 16:40 or 4:40 PM."""

from django.utils.functional import lazy

from agencies.clocks import format_for

_by_clock = lazy(format_for, str)


def by_clock(pattern: str) -> str:
    """The pattern, read anew each time a date is written. Django keeps formats for good, and turns them into text where it uses them."""
    return _by_clock(pattern)
