"""Formats that follow the clock which is read: 16:40 or 4:40 PM."""

from agencies.clocks import format_for


class ByClock(str):
    """A pattern for dates, turned anew each time one is written.

    Django keeps formats for good, and asks for their text where it uses them; what is sent to browsers stays the plain pattern.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return format_for(super().__str__())
