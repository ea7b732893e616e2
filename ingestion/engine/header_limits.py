"""How wide a table may be: one limit for every reader, so that no door takes what another refuses."""

from collections.abc import Sequence

MOST_COLUMNS, MOST_LETTERS = 1_000, 50_000
"""Columns of a file, and letters of all their names. A damaged file's first line may be one long row of names: each row would be
split into as many cells, and a page that lists them for each field is never done."""


def is_too_wide(header: Sequence[str]) -> bool:
    """Whether a file has more columns, or longer names, than are read.

    >>> is_too_wide(["id"] * 1_000), is_too_wide(["id"] * 1_001), is_too_wide(["x" * 50_001])
    (False, True, True)
    """
    return len(header) > MOST_COLUMNS or sum(map(len, header)) > MOST_LETTERS
