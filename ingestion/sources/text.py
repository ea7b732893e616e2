"""Find out how a text file is written: its encoding, its delimiter, its header."""

import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TextIO

from django.utils.translation import gettext as _

from ingestion.engine.mapping import DELIMITERS, FeedMapping
from ingestion.places.base import width_problem
from ingestion.sources.base import SourceError

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
FALLBACK_ENCODING = "cp1252"
MAX_LINE_CHARACTERS = 8 * 1024 * 1024
_DATA_LIKE = re.compile(r"[\d\s.,:/+T-]*\d[\d\s.,:/+T-]*(?:[AP]M)?", re.ASCII)


def encoding_of_head(head: bytes) -> str:
    """The encoding that a byte-order mark declares; UTF-8 without one."""
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8"


def decode_errors(encoding: str) -> str:
    """How undecodable bytes are carried along: as marks that quarantine their row, where the codec can."""
    return "strict" if encoding.replace("_", "-").startswith(("utf-16", "utf-32")) else "surrogateescape"


class Lines:
    """Lines of text on their way to the CSV reader; remembers the record in hand."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        record = self.record
        # A "line" without an end would be read whole, and may be as long as the disk is.
        for line in iter(partial(self._text.readline, MAX_LINE_CHARACTERS), ""):
            record.append(line)
            if len(line) == MAX_LINE_CHARACTERS:
                raise csv.Error("field larger than field limit")
            yield line


def sniff_delimiter(lines: Sequence[str], declared: str = "") -> str:
    """The delimiter that splits the header into most columns, and most of the next rows into as many.

    Raises ``SourceError`` where nothing splits it, or where the declared one does not and another does.
    """
    counts = {delimiter: _columns_agreeing(lines, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
    if declared:
        if counts[declared][1] >= 2:
            return declared
        if counts[best][1] >= 2:
            raise SourceError(
                _(
                    "The mapping says that columns are parted by a %(delimiter_names)s, but the header (row 1) has only one column so; a %(delimiter_names_2)s parts it into %(counts)s."
                )
                % {
                    "delimiter_names": DELIMITER_NAMES[declared],
                    "delimiter_names_2": DELIMITER_NAMES[best],
                    "counts": counts[best][1],
                },
                _(
                    "Set the delimiter in the mapping to %(delimiter_names)s, or leave it empty to find it out."
                )
                % {"delimiter_names": DELIMITER_NAMES[best]},
                row=1,
            )
    if counts[best][1] < 2:
        raise SourceError(
            _(
                "The first row has only one column, whichever delimiter is tried (comma, semicolon, tab, vertical bar)."
            ),
            _("Check that this is a CSV file whose first row names the columns."),
            row=1,
        )
    return best


def _columns_agreeing(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if not rows or len(rows[0]) < 2:
        return (0, 1)
    return (sum(len(row) == len(rows[0]) for row in rows) * len(rows[0]), len(rows[0]))


def tidy_header(row: Sequence[str]) -> tuple[str, ...]:
    """The column names without surrounding blanks and byte-order mark."""
    return tuple(name.replace("\ufeff", "").strip() for name in row)


def check_width(header: Sequence[str]) -> None:
    """Raise ``SourceError`` where a file has more columns, or longer names, than are read."""
    if problem := width_problem(header):
        raise SourceError(*problem)


def first_line_too_long(most: int) -> SourceError:
    """What to say of a file whose first line goes on after so many characters: it names no columns, or too many."""
    return SourceError(
        _("The file's first line is longer than %(most)s characters.") % {"most": f"{most:,}"},
        _("check that its first line holds the columns' names, and export the columns that are needed."),
        row=1,
    )


def check_header(header: Sequence[str]) -> None:
    """Raise ``SourceError`` if the first row holds data or cannot be names."""
    if any("\x00" in name for name in header):
        raise SourceError(
            _("The header (row 1) holds NUL bytes."),
            _("The export is damaged: export it again as UTF-8."),
            row=1,
        )
    filled = [name for name in header if name]
    if not filled:
        raise SourceError(
            _("The header (row 1) is blank."), _("Put the column names into the first row."), row=1
        )
    if sum(bool(_DATA_LIKE.fullmatch(name)) for name in filled) * 2 > len(filled):
        raise SourceError(
            _("The first row looks like data (%(filled)s …), not like column names.")
            % {"filled": ", ".join(filled[:3])},
            _("Put the column names into the first row and upload the file again."),
            row=1,
        )


def column_indices(header: Sequence[str], mapping: FeedMapping) -> dict[str, int]:
    """Where each mapped column stands. Raises ``SourceError`` that names a missing or repeated one."""
    for field_name, column in mapping.columns.items():
        times = header.count(column)
        if times == 0:
            near = difflib.get_close_matches(column, header, n=1)
            hint = _(" (did you mean %(name)s?)") % {"name": repr(near[0])} if near else ""
            raise SourceError(
                _(
                    "Column %(column)s, mapped to %(field_name)s, is not in the file%(hint)s. It has: %(header)s."
                )
                % {
                    "column": f"{column!r}",
                    "field_name": field_name,
                    "hint": hint,
                    "header": ", ".join(header),
                },
                _("Mend the feed's mapping, or check that this is the right file for this feed."),
                row=1,
                column=column,
            )
        if times > 1:
            raise SourceError(
                _("Column %(column)s, mapped to %(field_name)s, is in the header %(times)s times.")
                % {"column": f"{column!r}", "field_name": field_name, "times": times},
                _("Rename one of them in the file: which one is meant cannot be guessed."),
                row=1,
                column=column,
            )
    return {column: header.index(column) for column in mapping.column_names}


def field_at_limit(record: str, delimiter: str, limit: int) -> int:
    """The index of the field of this record that grows beyond the limit (0 if none does)."""
    index, length, quoted = 0, 0, False
    for character in record:
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            index, length = index + 1, 0
            continue
        length += 1
        if length > limit:
            return index
    return 0
