"""The inside of an .xlsx workbook: shared texts, date formats, and a sheet's rows one after another in little memory.

openpyxl finds the sheets and the styles; the rows are heard from the XML directly, because openpyxl keeps an element of every
row and cell that it has passed.
"""

import re
import warnings
import zipfile
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from agencies.engine.untrusted_archives import DAMAGED_ZIP
from ingestion.sources.base import SourceError
from ingestion.sources.xml_events import Attributes, Handler, finished, local_name

MAX_ROW = 1_048_576
MAX_COLUMN = 16_384
MAX_CELL_CHARACTERS = 40_000
"""Excel's own limit is 32,767."""
_LETTERS = re.compile(r"[A-Z]{1,3}", re.ASCII)
_LAST_SERIAL = 2_958_466
_WHOLE = re.compile(r"-?[0-9]+", re.ASCII)


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook: its name, its place in the archive, whether it is hidden."""

    name: str
    part: str
    is_hidden: bool


class Texts:
    """The workbook's shared texts in one block of bytes: a list of str objects takes several times as much."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, text: str) -> None:
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise IndexError(f"text {index} is not in the workbook")
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogatepass")


class _TextsHandler(Handler):
    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._parts: list[str] = []
        self._in_text = self._in_reading_aid = False

    def start(self, name: str, attrs: Attributes) -> None:
        local = local_name(name)
        if local == "si":
            self._parts = []
        elif local == "rPh":
            self._in_reading_aid = True
        elif local == "t":
            self._in_text = not self._in_reading_aid

    def characters(self, content: str) -> None:
        if self._in_text:
            self._parts.append(content)

    def end(self, name: str) -> None:
        local = local_name(name)
        if local == "t":
            self._in_text = False
        elif local == "rPh":
            self._in_reading_aid = False
        elif local == "si":
            self._texts.append("".join(self._parts))


Cell = tuple[str, int, str]
"""Type, style and stored text of a cell, as they stand in the file."""
Row = tuple[int, dict[int, Cell], bool]
"""The row's number in Excel, its wanted cells by column (the first is 0), and whether any cell of it holds more than blanks."""


class _RowsHandler(Handler):
    """Hears the wanted columns of a sheet; of the others only whether a row holds anything in the first ``width``."""

    def __init__(self, wanted: frozenset[int] | None, width: int) -> None:
        super().__init__()
        self._wanted, self._width = wanted, width
        self._row, self._column = 0, -1
        self._cells: dict[int, Cell] = {}
        self._type, self._style = "n", 0
        self._parts: list[str] = []
        self._listens = self._in_reading_aid = self._is_wanted = self._is_filled = False

    def start(self, name: str, attrs: Attributes) -> None:
        local = local_name(name)
        if local == "c":
            self._start_cell(attrs)
        elif local == "v" or (local == "t" and not self._in_reading_aid):
            self._listens = self._column < self._width
        elif local == "rPh":
            self._in_reading_aid = True
        elif local == "row":
            row = int(attrs.get("r") or self._row + 1)
            if not self._row < row <= MAX_ROW:
                raise ValueError(f"row {row} comes after row {self._row}")
            self._row, self._column, self._cells, self._is_filled = row, -1, {}, False

    def _start_cell(self, attrs: Attributes) -> None:
        letters = attrs.get("r", "").rstrip("0123456789")
        self._column = column_number(letters) if letters else self._column + 1
        if self._column >= MAX_COLUMN:
            raise ValueError(f"row {self._row} has more than {MAX_COLUMN:,} columns")
        self._is_wanted = self._wanted is None or self._column in self._wanted
        self._type, self._style = attrs.get("t", "n"), int(attrs.get("s") or 0)
        self._parts = []

    def characters(self, content: str) -> None:
        if self._listens:
            self._is_filled = self._is_filled or not content.isspace()
            if self._is_wanted:
                self._parts.append(content)

    def end(self, name: str) -> None:
        local = local_name(name)
        if local in ("v", "t"):
            self._listens = False
        elif local == "rPh":
            self._in_reading_aid = False
        elif local == "c":
            text = "".join(self._parts)
            if len(text) > MAX_CELL_CHARACTERS:
                raise ValueError(f"a cell of row {self._row} is longer than a cell can be")
            if text:
                self._cells[self._column] = (self._type, self._style, text)
        elif local == "row" and (self._cells or self._is_filled):
            self.ready.append((self._row, self._cells, self._is_filled))


@lru_cache(maxsize=1_024)
def column_number(letters: str) -> int:
    """The place of a column by its letters, the first is 0.

    >>> column_number("A"), column_number("AB")
    (0, 27)
    """
    if not _LETTERS.fullmatch(letters):
        raise ValueError(f"{letters[:10]!r} is no column")
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


class Workbook:
    """An opened .xlsx file: its sheets, and how its cells are read as text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Extensions, data validations and printers that openpyxl does not know are of no interest here.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._read_parts()
        except SourceError:
            raise
        # openpyxl meets a damaged part with whatever error its code happens to run into.
        except Exception as error:
            raise damaged(f"{type(error).__name__}: {error}") from error
        self._formats: dict[int, str] = {}

    def _read_parts(self) -> None:
        # openpyxl takes a tenth of a second to load, which every reader of other tables would wait for.
        from openpyxl.reader.excel import ExcelReader
        from openpyxl.styles.stylesheet import apply_stylesheet
        from openpyxl.utils.datetime import MAC_EPOCH

        # By content and not by name: openpyxl refuses a path that does not end in .xlsx, and the spool's do not.
        with self._path.open("rb") as file:
            reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
            reader.read_manifest()
            reader.read_workbook()
            apply_stylesheet(reader.archive, reader.wb)
            self._styles: Any = reader.wb
            self._is_mac = reader.wb.epoch == MAC_EPOCH
            self.sheets = [
                Sheet(sheet.name, relation.target, sheet.state != "visible")
                for sheet, relation in reader.parser.find_sheets()
                if relation.target in reader.valid_files and "chartsheet" not in relation.Type
            ]
            self._texts = Texts()
            part = next((n for n in reader.valid_files if n.lower() == "xl/sharedstrings.xml"), "")
            if part:
                with reader.archive.open(part) as stream:
                    for __ in finished(stream, _TextsHandler(self._texts), damaged):
                        pass

    def rows(
        self, sheet: Sheet, columns: frozenset[int] | None = None, width: int = MAX_COLUMN
    ) -> Iterator[Row]:
        """The sheet's rows that hold anything in the first ``width`` columns, with these columns' cells (None: all)."""
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(sheet.part) as stream:
                yield from finished(stream, _RowsHandler(columns, width), damaged)
        except DAMAGED_ZIP as error:
            raise damaged(str(error)) from error

    def text(self, cell: Cell) -> str:
        """A cell as text: numbers plain, dates as ISO 8601. Raises ``SourceError`` for a text that the workbook lacks."""
        kind, style, stored = cell
        if kind == "s":
            try:
                return self._texts[int(stored)]
            except (IndexError, ValueError) as error:
                raise damaged(str(error)) from error
        if kind == "b":
            return "true" if stored.strip() == "1" else "false"
        if kind == "n":
            return self._number(stored.strip(), self._date_format(style))
        return stored

    def _date_format(self, style: int) -> str:
        """ "date", "datetime" or "time" where numbers of this style are shown so, otherwise empty."""
        from openpyxl.styles.numbers import is_datetime

        if style not in self._formats:
            self._formats[style] = is_datetime(self._number_format(style)) or ""
        return self._formats[style]

    def _number_format(self, style: int) -> str:
        from openpyxl.styles.numbers import BUILTIN_FORMATS

        styles = self._styles._cell_styles
        if not 0 <= style < len(styles):
            return "General"
        number = styles[style].numFmtId
        if number in BUILTIN_FORMATS:
            return str(BUILTIN_FORMATS[number])
        own = self._styles._number_formats
        return str(own[number - 164]) if 0 <= number - 164 < len(own) else "General"

    def _number(self, stored: str, date_format: str) -> str:
        if not date_format and _WHOLE.fullmatch(stored):
            return stored
        try:
            number = float(stored)
        except ValueError:
            return stored
        if date_format and 0 <= number < _LAST_SERIAL:
            return serial_text(number, date_format, is_mac=self._is_mac)
        # Fifteen digits are what Excel shows: -87.629799999999997 was typed as -87.6298.
        return format(number, ".15g")


def serial_text(serial: float, date_format: str, *, is_mac: bool = False) -> str:
    """Excel's day number as ISO 8601; a date alone stays a date, so that its precision is known.

    >>> serial_text(45000.75, "datetime"), serial_text(45000, "date"), serial_text(0.5, "time")
    ('2023-03-15T18:00:00', '2023-03-15', '12:00:00')
    """
    epoch = datetime(1904, 1, 1) if is_mac else datetime(1899, 12, 30)  # noqa: DTZ001  # wall clock
    if not is_mac and serial < 60 and date_format != "time":
        # Excel believes that 1900 was a leap year.
        epoch += timedelta(days=1)
    # To the second: a day number carries a time of day with an error of microseconds.
    instant = epoch + timedelta(seconds=round(serial * 86_400))
    if date_format == "time" and serial < 1:
        return f"{instant:%H:%M:%S}"
    if date_format == "date" and instant == datetime(instant.year, instant.month, instant.day):  # noqa: DTZ001
        return f"{instant.date()}"
    return instant.isoformat()


def damaged(words: str) -> SourceError:
    """The workbook cannot be read: what to say."""
    return SourceError(
        _("The workbook is damaged (%(words)s).") % {"words": words[:200]},
        _("Open it in Excel, save it again as .xlsx and upload that. Nothing was imported."),
    )


def shown(cells: Mapping[int, Cell]) -> int:
    """How many cells of a row hold anything but blanks."""
    return sum(bool(text.strip()) for __, ___, text in cells.values())
