"""Cells that a spreadsheet may open: text that it would run as a formula stays text. Every writer of tables uses these."""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain_cell(value: Any) -> Any:
    """The value as a spreadsheet may see it: text that it would run as a formula gets a leading apostrophe.

    >>> plain_cell("=1+1"), plain_cell("-1+cmd"), plain_cell("-1.5"), plain_cell("Elm St")
    ("'=1+1", "'-1+cmd", '-1.5', 'Elm St')
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS):
        return value
    # A negative number written as text is a number wherever it is opened.
    return value if _NUMBER.fullmatch(value) else f"'{value}"


class PlainWriter:
    """``csv.writer`` for files that leave the product: every cell is ``plain_cell``."""

    def __init__(self, sink: Any, *, line_end: str = "\r\n") -> None:
        self._writer = csv.writer(sink, lineterminator=line_end)

    def row(self, values: Sequence[Any]) -> Any:
        """Write one row; returns what the sink's ``write`` returns."""
        return self._writer.writerow([plain_cell(value) for value in values])

    def rows(self, rows: Iterable[Sequence[Any]]) -> None:
        for values in rows:
            self.row(values)
