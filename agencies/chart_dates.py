"""Dates under a chart, their months in the reader's language."""

from typing import Any

from django.utils.dates import MONTHS_3


def date_axis(axes: Any, most: int, *, least: int = 3) -> None:
    """Put at most so many dates under a chart. The first chart of a process reads the drawing library."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    class Spoken(ConciseDateFormatter):  # type: ignore[misc,no-any-unimported,unused-ignore]
        """Months come from the machine's locale, which is nobody's language: they are put into the reader's afterwards."""

        def format_ticks(self, values: Any) -> list[str]:
            return [_in_words(text) for text in super().format_ticks(values)]

        def get_offset(self) -> str:
            return _in_words(super().get_offset())

    locator = AutoDateLocator(minticks=least, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(Spoken(locator))
    # The year below the dates is a label like them, no heading.
    axes.xaxis.get_offset_text().set_fontsize(9)


def _in_words(text: str) -> str:
    for english, month in zip(_ENGLISH, MONTHS_3.values(), strict=True):
        if english in text:
            return text.replace(english, str(month).capitalize())
    return text


_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
