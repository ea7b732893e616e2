"""Points from a CSV file with two columns of coordinates."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _

from ingestion.engine.privacy import tidy_column
from ingestion.places.base import MAX_CSV_BYTES, PlacesFile, PlacesProblem, check_number, check_width
from ingestion.places.degrees import shapes_in_degrees

LON_NAMES = ("lon", "lng", "long", "longitude", "x", "pointx", "point x", "x coordinate")
LAT_NAMES = ("lat", "latitude", "y", "pointy", "point y", "y coordinate")
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class PointTable:
    """A table of points: its header, where the coordinates stand in it, and how its lines are split."""

    header: tuple[str, ...]
    delimiter: str
    x: int
    y: int
    in_degrees: bool

    @property
    def others(self) -> list[str]:
        """The columns beside the coordinates."""
        return [name for index, name in enumerate(self.header) if index not in (self.x, self.y)]


def point_table(path: Path, shown: str) -> PointTable | None:
    """The file as a table of points, if its first line names two coordinates; None for any other file.

    Raises ``PlacesProblem`` for a table that is too large or too wide.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    if b"\x00" in head or first.lstrip()[:1] in (b"{", b"<", b"["):
        return None
    try:
        line = first.decode("utf-8-sig").strip("\r")
    except UnicodeDecodeError:
        line = first.decode("cp1252", "replace").strip("\r")
    delimiter = max(",;\t|", key=line.count)
    header = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    words = [tidy_column(cell) for cell in header]
    x = next((words.index(name) for name in LON_NAMES if name in words), -1)
    y = next((words.index(name) for name in LAT_NAMES if name in words), -1)
    if len(header) < 2 or x < 0 or y < 0:
        return None
    if path.stat().st_size > MAX_CSV_BYTES:
        raise PlacesProblem(
            _("%(shown)s is larger than %(max_csv_bytes)s MB.")
            % {"shown": shown, "max_csv_bytes": MAX_CSV_BYTES // 2**20},
            next_step=_("cut it to the agency's area."),
        )
    if len(head) == _HEAD_BYTES and b"\n" not in head:
        raise PlacesProblem(
            _("The file's first line is longer than %(most)s characters.") % {"most": f"{_HEAD_BYTES:,}"},
            next_step=_(
                "check that its first line holds the columns' names, and export the columns that are needed."
            ),
        )
    check_width(header)
    in_degrees = words[x] in ("lon", "lng", "long", "longitude")
    return PointTable(tuple(header), delimiter, x, y, in_degrees)


def table_places(path: Path, table: PointTable, shown: str, keep: Sequence[str], crs: str) -> PlacesFile:
    """The table's points and these of its columns. Raises ``PlacesProblem`` that names the first bad line."""
    at = {name: table.header.index(name) for name in keep}
    cells: dict[str, list[str]] = {name: [] for name in at}
    x: list[float] = []
    y: list[float] = []
    # Line by line, and of each no more than is kept: a list of all cells takes twenty times the file.
    for number, row in enumerate(_rows(path, table.delimiter), 2):
        if len(row) != len(table.header):
            raise PlacesProblem(
                _("%(shown)s, line %(number)s: %(count)s cells where the header has %(count_2)s.")
                % {"shown": shown, "number": number, "count": len(row), "count_2": len(table.header)},
                next_step=_("mend that line (usually an unquoted delimiter) and load the file again."),
            )
        check_number(len(x) + 1, shown)
        x.append(_coordinate(row[table.x], table.header[table.x], number, shown))
        y.append(_coordinate(row[table.y], table.header[table.y], number, shown))
        for name, column in at.items():
            cells[name].append(row[column])
    shapes = _points(np.array(x, dtype=float), np.array(y, dtype=float), table, shown, crs)
    values = {name: np.array(texts, dtype=object) for name, texts in cells.items()}
    return PlacesFile(tuple(table.others), shapes, values)


def _points(x: Any, y: Any, table: PointTable, shown: str, crs: str) -> Any:
    known = np.isfinite(x) & np.isfinite(y)
    shapes = np.full(len(x), None, dtype=object)
    shapes[known] = shapely.points(x[known], y[known])
    if (
        not crs
        and not table.in_degrees
        and known.any()
        and not (np.abs(x[known]).max() <= 180 and np.abs(y[known]).max() <= 90)
    ):
        raise PlacesProblem(
            _("%(shown)s does not say in which coordinate system its %(header)s and %(header_2)s are.")
            % {"shown": shown, "header": table.header[table.x], "header_2": table.header[table.y]},
            next_step=_("give its EPSG code, e.g. EPSG:3435."),
        )
    # Longitude and latitude are what they say, whatever coordinate system the rest of the agency uses.
    return shapes_in_degrees(shapes, "EPSG:4326" if table.in_degrees or not crs else crs, shown)


def _rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The lines behind the header that hold anything."""
    with path.open(encoding=_encoding(path), errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        next(rows, None)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield row


def _encoding(path: Path) -> str:
    """UTF-8 where the whole file is, otherwise Western Windows."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            while text.read(2**20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _coordinate(cell: str, column: str, number: int, shown: str) -> float:
    text = cell.strip()
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError as exc:
        raise PlacesProblem(
            _("%(shown)s, line %(index)s: %(header)s is %(text)s, not a number.")
            % {"shown": shown, "index": number, "header": column, "text": f"{text[:40]!r}"},
            next_step=_("mend that line; decimals need a point and no unit."),
        ) from exc
