"""What a file of places may hold at most, what is read of it, and what is said of one that cannot be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from ingestion.engine.header_limits import MOST_COLUMNS, MOST_LETTERS, is_too_wide

MAX_FEATURES = 200_000
MAX_FILE_BYTES = 300 * 1024 * 1024
MAX_CSV_BYTES = 100 * 1024 * 1024
MAX_VERTICES = 3_000_000
"""Points of all outlines, as for areas: each becomes a hundred bytes on its way to the database."""

Chooser = Callable[[list[str]], Sequence[str]]


class PlacesProblem(Exception):
    """The file cannot be used: what is wrong, and the next step. Outside it becomes a ``MissionsError``."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


@dataclass(frozen=True)
class PlacesFile:
    """What was read: the file's columns, its shapes in WGS84 (missing ones None), and the values of the chosen columns."""

    columns: tuple[str, ...]
    shapes: Any
    values: dict[str, Any]


def check_number(found: int, shown: str) -> None:
    """Raise ``PlacesProblem`` where a file holds more places than are read."""
    if found > MAX_FEATURES:
        raise PlacesProblem(
            _("%(shown)s holds more than %(max_features)s places.")
            % {"shown": shown, "max_features": f"{MAX_FEATURES:,}"},
            next_step=_("cut it to the agency's area."),
        )


def width_problem(header: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with a file that has more columns, or longer names, than are read, and the next step; None for another."""
    if not is_too_wide(header):
        return None
    return (
        _("The file has %(count)s columns with %(letters)s letters in their names; at most %(most)s and %(most_letters)s are read.")
        % {
            "count": f"{len(header):,}", "letters": f"{sum(map(len, header)):,}", "most": f"{MOST_COLUMNS:,}",
            "most_letters": f"{MOST_LETTERS:,}",
        },
        _("check that its first line holds the columns' names, and export the columns that are needed."),
    )  # fmt: skip


def check_width(header: Sequence[str]) -> None:
    """Raise ``PlacesProblem`` where a file has more columns, or longer names, than are read."""
    if problem := width_problem(header):
        raise PlacesProblem(problem[0], next_step=problem[1])
