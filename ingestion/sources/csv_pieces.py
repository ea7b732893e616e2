"""Split the text of a CSV file into rows and columns, a megabyte at a time.

Python's reader says what a row is. Blocks of lines that hold nothing on which readers differ (quotation marks only around
whole fields, no line break within one, no blank line, no row of another length) are given to Arrow's, which splits ten times
as fast; all others go through Python's.
"""

import csv
import io
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from ingestion.engine.rows import Ints
from ingestion.sources.text import MAX_LINE_CHARACTERS
from missions_project.lib.ahead import made_ahead

Bytes = npt.NDArray[np.uint8]

BLOCK_CHARACTERS = 1024 * 1024
_QUOTE, _LF, _CR = b'"\n\r'


@dataclass(frozen=True)
class Piece:
    """The rows with the numbers ``first`` to ``end`` (excluded), blank ones counted.

    ``numbers`` and ``columns`` are those of the rows that are as wide as the header; ``ragged`` holds number and width of
    the others, blank ones left out. A column is an Arrow array, or a list where its texts cannot be written as UTF-8.
    """

    first: int
    end: int
    numbers: Ints
    columns: Mapping[str, Any]
    ragged: tuple[tuple[int, int], ...] = ()

    @property
    def byte_count(self) -> int | None:
        """Memory that the columns take; None where they are lists, which take ten times as much."""
        if any(isinstance(column, list) for column in self.columns.values()):
            return None
        return sum(column.nbytes for column in self.columns.values())


class KeptPieces:
    """Pieces that the first look through a file keeps in memory for the second: a usual file is unpacked and split once.

    Beyond so many bytes, and for other columns than these, they serve for nothing: memory must not grow with the file.
    """

    MAX_BYTES = 32 * 1024 * 1024

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._pieces: deque[Piece] = deque()
        self._bytes = 0
        self._is_whole = bool(columns)

    def add(self, piece: Piece) -> None:
        """Keep one more, or let go of all."""
        size = piece.byte_count
        self._bytes += size or 0
        if not self._is_whole or size is None or self._bytes > self.MAX_BYTES:
            self._is_whole = False
            self._pieces.clear()
            return
        self._pieces.append(piece)

    def serves(self, columns: tuple[str, ...]) -> bool:
        """Whether every piece of the file is here, with these columns."""
        return self._is_whole and self._columns == columns

    def taken(self) -> Iterator[Piece]:
        """Each piece, which is forgotten then."""
        while self._pieces:
            yield self._pieces.popleft()


class CsvPieces:
    """The pieces of one text, in order. Raises ``csv.Error`` for what no reader can split; ``record`` is what it choked on."""

    def __init__(self, text: TextIO, *, delimiter: str, width: int, indices: Mapping[str, int]) -> None:
        self._text = text
        self._delimiter = delimiter
        self._width = width
        self._indices = indices
        self._reads: Generator[str, None, None]
        self._rest = ""
        self._queue: deque[str] = deque()
        self._reader = csv.reader(self, delimiter=delimiter)
        self.number = 0
        """Number of the last row that was read."""
        self.record: list[str] = []
        self.last: list[str] = []
        """The lines of the last row, where they are more than one."""
        self.undecodable_lines = 0
        self.has_decoded = False

    def pieces(self) -> Iterator[Piece]:
        """The rows behind the header."""
        # Unpacking takes as long as splitting, and lets others work.
        with closing(made_ahead(iter(partial(self._text.read, BLOCK_CHARACTERS), ""))) as self._reads:
            while self._fill():
                if self._row():
                    break
            # What came in one block with the header.
            block = "".join(self._queue)
            self._queue.clear()
            while block or (block := self._block()):
                yield self._plain(block) or self._odd(block)
                block = ""

    # ---- blocks of lines

    def _block(self) -> str:
        """The next lines, whole; empty at the end."""
        parts = [self._rest]
        self._rest = ""
        for data in self._reads:
            # A carriage return at the very end may be half of a line's end.
            cut = max(data.rfind("\n"), data.rfind("\r", 0, len(data) - 1)) + 1
            if cut:
                self._rest = data[cut:]
                parts.append(data[:cut])
                break
            parts.append(data)
            # A "line" without an end would be read whole, and may be as long as the disk is.
            if sum(map(len, parts)) >= MAX_LINE_CHARACTERS:
                self.record = parts
                raise csv.Error("field larger than field limit")
        block = "".join(parts)
        if not block.isascii():
            self._look_at_encoding(block)
        return block

    def _look_at_encoding(self, block: str) -> None:
        marks = sum("\udc80" <= character <= "\udcff" for character in set(block))
        self.has_decoded |= len([c for c in set(block) if c > "\x7f"]) > marks
        if marks:
            self.undecodable_lines += sum(
                any("\udc80" <= character <= "\udcff" for character in line)
                for line in io.StringIO(block, newline="")
                if not line.isascii()
            )

    # ---- Python's reader

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, for the reader: also beyond the block, where a row goes on there."""
        if not self._fill():
            raise StopIteration
        line = self._queue.popleft()
        self.record.append(line)
        return line

    def _fill(self) -> bool:
        if not self._queue:
            self._queue.extend(io.StringIO(self._block(), newline=""))
        return bool(self._queue)

    def _row(self) -> list[str]:
        self.record.clear()
        row = next(self._reader)
        self.number += 1
        self.last = self.record[:] if len(self.record) > 1 else []
        return row

    def _odd(self, block: str) -> Piece:
        first = self.number + 1
        numbers: list[int] = []
        rows: list[list[str]] = []
        ragged: list[tuple[int, int]] = []
        self._queue.extend(io.StringIO(block, newline=""))
        while self._queue:
            row = self._row()
            if len(row) == self._width:
                numbers.append(self.number)
                rows.append(row)
            elif row:
                ragged.append((self.number, len(row)))
        columns = {name: _dense([row[index] for row in rows]) for name, index in self._indices.items()}
        return Piece(first, self.number + 1, np.array(numbers, dtype=np.int64), columns, tuple(ragged))

    # ---- Arrow's reader

    def _plain(self, block: str) -> Piece | None:
        """The block as Arrow splits it; None where Python might split it in another way."""
        data = plain_bytes(block, self._delimiter)
        if data is None:
            return None
        # Here, not above: loading it takes a tenth of a second, for which every command would wait.
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        wanted = sorted({0, *self._indices.values()})
        names = [str(index) for index in range(self._width)]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(data) + 1, column_names=names
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=False, ignore_empty_lines=False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    check_utf8=False,
                    strings_can_be_null=False,
                    include_columns=[str(index) for index in wanted],
                    column_types=dict.fromkeys(names, pa.string()),
                ),
            )
        except pa.ArrowInvalid:
            # A row of another length: Python's reader says which.
            return None
        first = self.number + 1
        self.number += table.num_rows
        self.last = []
        return Piece(
            first,
            self.number + 1,
            np.arange(first, self.number + 1, dtype=np.int64),
            {name: table[str(index)].combine_chunks() for name, index in self._indices.items()},
        )


def _dense(texts: list[str]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(texts, pa.string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        # Marks of undecodable bytes: the row is told so later.
        return texts


def plain_bytes(block: str, delimiter: str) -> bytes | None:
    """The lines as bytes, if every reader of CSV splits them alike; None if there is any doubt.

    >>> plain_bytes('1,"a ""b"", c"\\n', ","), plain_bytes('1,a "b" c\\n', ",")
    (b'1,"a ""b"", c"\\n', None)
    """
    if block[0] in "\n\r\ufeff" or "\x00" in block or "\n\n" in block or "\n\r" in block:
        return None
    if "\r" in block and block.count("\r") != block.count("\r\n"):
        return None
    try:
        data = block.encode("utf-8")
    except UnicodeEncodeError:
        return None
    octets = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(octets == _LF)
    # Python refuses a field beyond its limit, and says where it is; no field is longer than its line.
    if int(np.diff(ends, prepend=-1, append=len(octets)).max()) > csv.field_size_limit():
        return None
    if '"' in block and not _is_well_quoted(octets, ends, ord(delimiter)):
        return None
    return data


def _is_well_quoted(octets: Bytes, ends: Ints, delimiter: int) -> bool:
    """Whether quotation marks stand only around whole fields and, doubled, within those, and no line ends within one."""
    marks = np.flatnonzero(octets == _QUOTE)
    if marks.size % 2 or bool((np.searchsorted(marks, ends) % 2).any()):
        return False
    opening, closing = marks[::2], marks[1::2]
    before = np.where(opening > 0, octets[opening - 1], _LF)
    after = np.where(closing < len(octets) - 1, octets[np.minimum(closing + 1, len(octets) - 1)], _LF)
    # An opening mark right behind a closing one is the second half of a doubled one.
    doubled = np.zeros(opening.size, dtype=np.bool_)
    doubled[1:] = opening[1:] == closing[:-1] + 1
    starts = (before == delimiter) | (before == _LF) | doubled
    stops = (after == delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    return bool(starts.all() and stops.all())
