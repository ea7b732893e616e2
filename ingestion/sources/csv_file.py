"""The feed kind that agencies start with: a CSV or TSV file, compressed or not."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rejections import Rejection
from ingestion.engine.rows import RowChunk, RowRejection
from ingestion.sources.arrow_texts import ArrowTexts
from ingestion.sources.base import FileSurvey, SourceError, parameter, register
from ingestion.sources.containers import BLOCK_BYTES, MEGABYTE, Limits, check_is_text, opened
from ingestion.sources.csv_pieces import CsvPieces, KeptPieces, Piece
from ingestion.sources.recognise import check_kind
from ingestion.sources.repeats import RepeatedKeys
from ingestion.sources.text import (
    FALLBACK_ENCODING,
    Lines,
    check_header,
    check_width,
    column_indices,
    decode_errors,
    encoding_of_head,
    field_at_limit,
    first_line_too_long,
    sniff_delimiter,
    tidy_header,
)
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.progress import Progress, no_progress

Ints = npt.NDArray[np.int64]

CHUNK_ROWS = 20_000
SNIFF_LINES = 30
# Less than the CSV reader's limit on one field, so that sniffing cannot stumble over it.
SNIFF_CHARACTERS = 100_000


@dataclass(frozen=True)
class CsvFileParameters:
    """What an administrator can set for a CSV feed."""

    max_unpacked_mb: int = parameter(
        4096,
        label=gettext_lazy("Largest size (MB, unpacked)"),
        help=gettext_lazy("A file that unpacks to more is refused before anything of it is imported."),
        minimum=1,
    )
    max_ratio: int = parameter(
        200,
        label=gettext_lazy("Largest compression ratio"),
        help=gettext_lazy("A compressed file that grows by more than this is refused as a bomb."),
        minimum=2,
    )


class CsvFile:
    """One file, opened: its header at once, its rows in chunks. Memory does not grow with the file."""

    def __init__(self, path: Path, parameters: CsvFileParameters, mapping: FeedMapping | None = None) -> None:
        self._path = path
        self._limits = Limits(parameters.max_unpacked_mb * MEGABYTE, parameters.max_ratio)
        self._surveyed: FileSurvey | None = None
        self._superseded: Ints = np.zeros(0, dtype=np.int64)
        self._surveyed_id: tuple[str, ...] = ()
        self._kept = KeptPieces(())
        declared_encoding = mapping.encoding if mapping else ""
        head = self._head()
        if not declared_encoding.replace("_", "-").startswith(("utf-16", "utf-32")):
            check_is_text(head)
        self.encoding = declared_encoding or encoding_of_head(head)
        self._encoding_declared = bool(declared_encoding)
        lines = self._first_lines()
        self.delimiter = sniff_delimiter(lines, mapping.delimiter if mapping else "")
        self.header = tidy_header(next(row for row in csv.reader(lines, delimiter=self.delimiter) if row))
        check_width(self.header)
        if mapping is None or not set(mapping.column_names) <= set(self.header):
            check_header(self.header)

    def _head(self) -> bytes:
        if not self._path.is_file():
            raise SourceError(
                _("There is no file %(name)s.") % {"name": self._path.name}, _("Check the path.")
            )
        with opened(self._path, self._limits) as (stream, _name):
            head = stream.read(BLOCK_BYTES)
        if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00"):
            raise SourceError(_("The file is empty."), _("Check that the export ran, and upload it again."))
        return head

    def _first_lines(self) -> list[str]:
        lines: list[str] = []
        with self._text() as (text, _where):
            # The header decides; huge fields further down are the survey's to name, by row and column.
            for line in (text.readline(SNIFF_CHARACTERS) for _ in range(SNIFF_LINES)):
                if lines and sum(map(len, lines)) + len(line) > SNIFF_CHARACTERS:
                    break
                if not lines and len(line) == SNIFF_CHARACTERS and not line.endswith(("\n", "\r")):
                    # Half a header would do for a whole one, and every row be of another length.
                    raise first_line_too_long(SNIFF_CHARACTERS)
                if line.strip():
                    lines.append(line)
        try:
            list(csv.reader(lines))
        except csv.Error as error:
            raise SourceError(
                _("The first rows cannot be split into columns (%(error)s).") % {"error": error},
                _("Check that this is a CSV file whose first row names the columns."),
                row=1,
            ) from error
        return lines

    @contextmanager
    def _text(self) -> Iterator[tuple[io.TextIOWrapper, Callable[[], int]]]:
        with opened(self._path, self._limits) as (stream, guard):
            text = io.TextIOWrapper(
                stream, encoding=self.encoding, errors=decode_errors(self.encoding), newline=""
            )
            try:
                yield text, lambda: guard.given_bytes
            except UnicodeDecodeError as error:
                raise SourceError(
                    _("The file is not written in %(encoding)s throughout (%(reason)s).")
                    % {"encoding": self.encoding, "reason": error.reason},
                    _("Export it again as UTF-8, or correct the encoding in the mapping."),
                ) from error
            finally:
                text.detach()

    def sample(self, rows: int = 50) -> list[dict[str, str]]:
        """The first rows as column → text; rows of another length than the header are left out."""
        found: list[dict[str, str]] = []
        number = 0
        with self._text() as (text, _where):
            lines = Lines(text)
            try:
                for row in csv.reader(lines, delimiter=self.delimiter):
                    number += 1
                    lines.record.clear()
                    # The header comes first; it is as wide as itself.
                    if len(row) == len(self.header):
                        found.append(dict(zip(self.header, row, strict=True)))
                    if len(found) > rows:
                        break
            except csv.Error as error:
                raise self._unreadable(error, number + 1, "".join(lines.record)) from error
        return found[1:]

    def survey(self, mapping: FeedMapping | None = None, progress: Progress = no_progress) -> FileSurvey:
        """Look through the whole file once: count its rows, settle its encoding, meet what makes it unreadable.

        With a mapping that has no ``last_updated`` it also notes the rows whose identifier comes again later in the
        file: the later one counts, whatever becomes of it and in whichever chunk it lies, so
        that importing a file twice changes nothing.
        """
        id_columns = self._id_columns(mapping)
        wanted = mapping.column_names if mapping else ()
        if self._surveyed is not None and self._surveyed_id == id_columns:
            return self._surveyed
        size_mb = max(self._path.stat().st_size // MEGABYTE, 1)
        count = ragged = 0
        kept = KeptPieces(wanted)
        with RepeatedKeys() as keys, self._text() as (text, position):
            pieces = self._pieces(text, column_indices(self.header, mapping) if mapping else {})
            try:
                for piece in pieces.pieces():
                    count += len(piece.numbers) + len(piece.ragged)
                    ragged += len(piece.ragged)
                    if id_columns:
                        keys.add_many(*_named_rows(piece, id_columns))
                    kept.add(piece)
                    if done_mb := position() // MEGABYTE:
                        progress(done_mb, max(size_mb, done_mb), "Looking through the file")
            except csv.Error as error:
                raise self._unreadable(error, pieces.number + 1, "".join(pieces.record)) from error
            if "".join(pieces.last).count('"') % 2:
                raise SourceError(
                    _(
                        "A quotation mark that is opened in row %(number)s is never closed; the rest of the file hangs on it."
                    )
                    % {"number": pieces.number},
                    _("Close or remove it in the file, and import again. Nothing was imported."),
                    row=pieces.number,
                )
            byte_count = position()
            self._superseded = keys.earlier()
        self._kept = kept
        warnings = self._settle_encoding(pieces)
        if count == 0:
            warnings.append(_("The file has a header and no rows."))
        if ragged:
            warnings.append(
                _("%(rows)s rows have more or fewer columns than the header; they are quarantined.")
                % {"rows": f"{ragged:,}"}
            )
        self._surveyed_id = id_columns
        self._surveyed = FileSurvey(
            count, byte_count, self.encoding, self.delimiter, self.header, tuple(warnings)
        )
        return self._surveyed

    def chunks(
        self, mapping: FeedMapping, progress: Progress = no_progress, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator[RowChunk]:
        """The rows, mapped columns only. Raises ``SourceError`` before the first chunk, not between two.

        Blank lines are no rows. Rows of another length than the header come as rejections of their chunk, without
        their text. Σ ``received`` over the chunks is the survey's ``row_count``.
        """
        column_indices(self.header, mapping)
        total = self.survey(mapping, progress).row_count
        done = 0
        for chunk in self._chunks(mapping, chunk_rows):
            done += chunk.received
            yield chunk
            progress(done, total, "Reading rows")

    def head(self, mapping: FeedMapping, rows: int) -> Iterator[RowChunk]:
        """About so many rows from the beginning, without a survey (earlier versions are not marked): for previews."""
        done = 0
        for chunk in self._chunks(mapping, min(CHUNK_ROWS, rows)):
            yield chunk
            done += chunk.received
            if done >= rows:
                return

    def _pieces(self, text: io.TextIOWrapper, indices: dict[str, int]) -> CsvPieces:
        return CsvPieces(text, delimiter=self.delimiter, width=len(self.header), indices=indices)

    def _all_pieces(self, mapping: FeedMapping) -> Iterator[Piece]:
        """From memory where the survey has kept them, which serves once; otherwise from the file."""
        kept, self._kept = self._kept, KeptPieces(())
        if kept.serves(mapping.column_names):
            yield from kept.taken()
            return
        del kept
        with self._text() as (text, _where):
            yield from self._pieces(text, column_indices(self.header, mapping)).pieces()

    def _chunks(self, mapping: FeedMapping, chunk_rows: int) -> Iterator[RowChunk]:
        held: list[Piece] = []
        start = end = 0
        for piece in self._all_pieces(mapping):
            if not held:
                start = piece.first
            held.append(piece)
            end = piece.end
            while end >= start + chunk_rows:
                yield self._chunk(held, start, start + chunk_rows, mapping)
                start += chunk_rows
                held = [one for one in held if one.end > start]
        if end > start:
            yield self._chunk(held, start, end, mapping)

    def _chunk(self, pieces: list[Piece], start: int, end: int, mapping: FeedMapping) -> RowChunk:
        """The rows with the numbers ``start`` to ``end`` (excluded)."""
        cuts = [slice(*np.searchsorted(piece.numbers, [start, end])) for piece in pieces]
        numbers = np.concatenate(
            [piece.numbers[cut] for piece, cut in zip(pieces, cuts, strict=True)] or [self._superseded[:0]]
        )
        ragged = tuple(
            RowRejection(number, _wrong_count(length, len(self.header)))
            for piece in pieces
            for number, length in piece.ragged
            if start <= number < end
        )
        # Only the stretch of these rows: looking all of them up for each chunk takes hours where half a file repeats.
        low, high = np.searchsorted(self._superseded, [start, end])
        is_older = np.isin(numbers, self._superseded[low:high], assume_unique=True)
        keep = np.flatnonzero(~is_older)
        columns = {
            column: _joined(
                [piece.columns[column][cut] for piece, cut in zip(pieces, cuts, strict=True)], keep
            )
            for column in mapping.column_names
        }
        return RowChunk(numbers[keep], columns, ragged, numbers[is_older])

    def _id_columns(self, mapping: FeedMapping | None) -> tuple[str, ...]:
        if mapping is None or "last_updated" in mapping.columns:
            return ()
        return tuple(
            mapping.columns[name] for name in ("datasource", "external_id") if name in mapping.columns
        )

    def _settle_encoding(self, pieces: CsvPieces) -> list[str]:
        """Fall back to Windows-1252 where nothing speaks for UTF-8; otherwise the odd rows are quarantined."""
        if not pieces.undecodable_lines:
            return []
        if self._encoding_declared or pieces.has_decoded or self.encoding != "utf-8":
            return [
                _(
                    "%(lines)s lines hold bytes that are not %(encoding)s; a row whose mapped columns hold them is "
                    "quarantined as bad_encoding."
                )
                % {"lines": f"{pieces.undecodable_lines:,}", "encoding": self.encoding}
            ]
        self._kept = KeptPieces(())
        self.encoding = FALLBACK_ENCODING
        return [
            _("The file is not UTF-8 (%(lines)s lines); it is read as %(encoding)s (Western Windows).")
            % {"lines": f"{pieces.undecodable_lines:,}", "encoding": FALLBACK_ENCODING}
        ]

    def _unreadable(self, error: csv.Error, number: int, record: str) -> SourceError:
        limit = csv.field_size_limit()
        if "field limit" not in str(error):
            return SourceError(
                _("Row %(number)s cannot be split into columns (%(error)s).")
                % {"number": number, "error": error},
                _("Mend this row in the file."),
                row=number,
            )
        index = field_at_limit(record, self.delimiter, limit)
        column = self.header[index] if index < len(self.header) else f"column {index + 1}"
        return SourceError(
            _("Row %(number)s, column %(column)s: the field is longer than %(limit)s characters.")
            % {"number": number, "column": repr(column), "limit": f"{limit:,}"},
            _(
                "Usually a quotation mark before it is never closed: close it in the file, or shorten the field, and import "
                "again. Nothing was imported."
            ),
            row=number,
            column=column,
        )


def _named_rows(piece: Piece, id_columns: tuple[str, ...]) -> tuple[Ints, Ints]:
    """A hash of each row's identifier, and the row's number.

    Rows without an identifier are left out: they are no versions of each other, and each is told so.
    """
    ids = [
        column if isinstance(column := piece.columns[name], list) else column.to_pylist()
        for name in id_columns
    ]
    keys = ids[0] if len(ids) == 1 else zip(*ids, strict=True)
    hashes = np.fromiter(map(hash, keys), dtype=np.int64, count=len(piece.numbers))
    named = np.flatnonzero(np.fromiter(map(len, map(str.strip, ids[-1])), dtype=np.int64, count=len(hashes)))
    return hashes[named], piece.numbers[named]


def _joined(parts: list[Any], rows: Ints) -> Sequence[str]:
    """These rows of the parts of one column."""
    if any(isinstance(part, list) for part in parts):
        whole = [text for part in parts for text in (part if isinstance(part, list) else part.to_pylist())]
        return [whole[row] for row in rows.tolist()]
    column = ArrowTexts.joined(parts)
    return column if len(rows) == len(column) else ArrowTexts(column.rows(rows))


def _wrong_count(length: int, width: int) -> Rejection:
    return Rejection("wrong_column_count", "", f"{length} columns instead of {width}")


@register
class CsvFileSource:
    """A table in a text file: comma, semicolon, tab or bar; plain, gz, bz2, xz or a zip with one file."""

    kind: ClassVar[str] = "csv_file"
    label: ClassVar[str] = gettext_lazy("CSV file")
    help: ClassVar[str] = gettext_lazy(
        "A CSV or TSV file that is uploaded or named on the command line. Compressed files are read as they are."
    )
    Parameters: ClassVar[type] = CsvFileParameters

    def __init__(self, parameters: CsvFileParameters | None = None) -> None:
        self.parameters = parameters or CsvFileParameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> CsvFile:
        """Open one file. Raises ``SourceError`` for an empty file, another format or a wrong delimiter."""
        check_kind(Path(path), self.kind)
        return CsvFile(Path(path), self.parameters, mapping)
