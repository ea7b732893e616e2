"""What every kind of file has in common once it gives records: samples, the survey, chunks cut alike each time.

A kind of file subclasses ``RecordFile`` and says how its records are read one after another; counting, older versions of a
record, rejections and memory that does not grow with the file are done here, once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rejections import Rejection
from ingestion.engine.rows import RowChunk, RowRejection
from ingestion.sources.base import FileSurvey, SourceError
from ingestion.sources.repeats import RepeatedKeys
from ingestion.sources.text import check_width, column_indices
from ingestion.words import said
from missions_project.lib.progress import Progress, no_progress

Ints = npt.NDArray[np.int64]
Record = tuple[int, list[str], Rejection | None]
"""The number by which a person finds it in the file, its wanted columns as text, and what is wrong with it if anything is."""

CHUNK_ROWS = 20_000
PROGRESS_EVERY = 20_000
HEADER_RECORDS = 1_000
MAX_COLUMNS = 500
"""More different keys than this mean that keys carry data (one key a record, for example)."""
MUST_OCCUR = ("external_id", "occurred_from")
"""Without these no row can be used: a file that names them nowhere is the wrong file."""


class RecordFile(ABC):
    """One file, opened: its header at once, its records in chunks."""

    format_name: ClassVar[str]
    header: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(_("There is no file %(name)s.") % {"name": path.name}, _("Check the path."))
        if path.stat().st_size == 0:
            raise SourceError(_("The file is empty."), _("Check that the export ran, and upload it again."))
        self._path = path
        self._surveyed: FileSurvey | None = None
        self._surveyed_columns: tuple[str, ...] | None = None
        self._superseded: Ints = np.zeros(0, dtype=np.int64)
        self._warnings: list[str] = []

    @abstractmethod
    def _records(self, columns: Sequence[str]) -> Iterator[Record]:
        """Every record, these columns only, in the order of the file. Raises ``SourceError`` for a file that is damaged.

        Values of other columns must not leave the parser.
        """

    def _expected(self) -> int:
        """How many records the file says that it has; 0 where it does not say."""
        return 0

    def sample(self, rows: int = 50) -> list[dict[str, str]]:
        """The first records as column → text, for the mapping wizard; what cannot be shown is empty."""
        found = islice(self._records(self.header), rows)
        return [dict(zip(self.header, values, strict=True)) for _, values, _ in found if values]

    def survey(self, mapping: FeedMapping | None = None, progress: Progress = no_progress) -> FileSurvey:
        """Look through the whole file once: count its records and meet what makes it unreadable.

        With a mapping that has no ``last_updated`` it also notes the records whose identifier comes again later in the file: the
        later one counts. Records without an identifier are never versions of each other.
        """
        columns = mapping.column_names if mapping else self.header
        if mapping:
            column_indices(self.header, mapping)
        if self._surveyed is not None and self._surveyed_columns == columns:
            return self._surveyed
        places = self._id_places(mapping, columns)
        count = 0
        with RepeatedKeys() as keys:
            for ordinal, (__, values, problem) in enumerate(self._records(columns)):
                count += 1
                if places and problem is None and values[places[-1]].strip():
                    keys.add(hash(tuple(values[place].strip() for place in places)), ordinal)
                if count % PROGRESS_EVERY == 0:
                    progress(count, max(self._expected(), count), "Looking through the file")
            self._superseded = keys.earlier()
        warnings = [*self._warnings, *([] if count else [_("The file has no rows.")])]
        self._surveyed_columns = columns
        self._surveyed = FileSurvey(
            count, self._path.stat().st_size, self.format_name, "", self.header, tuple(warnings)
        )
        return self._surveyed

    def chunks(
        self, mapping: FeedMapping, progress: Progress = no_progress, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator[RowChunk]:
        """The records, mapped columns only. Raises ``SourceError`` before the first chunk, not between two.

        Σ ``received`` over the chunks is the survey's ``row_count``; each chunk but the last answers for ``chunk_rows`` records.
        """
        total = self.survey(mapping, progress).row_count
        done = 0
        for chunk in self._chunks(mapping, chunk_rows):
            done += chunk.received
            yield chunk
            progress(done, total, "Reading rows")

    def head(self, mapping: FeedMapping, rows: int) -> Iterator[RowChunk]:
        """About so many records from the beginning, without a survey (earlier versions are not marked): for previews."""
        column_indices(self.header, mapping)
        done = 0
        for chunk in self._chunks(mapping, min(CHUNK_ROWS, rows)):
            yield chunk
            done += chunk.received
            if done >= rows:
                return

    def _chunks(self, mapping: FeedMapping, chunk_rows: int) -> Iterator[RowChunk]:
        columns = mapping.column_names
        fields = {column: name for name, column in reversed(list(mapping.columns.items()))}
        records = self._records(columns)
        first = 0
        while batch := list(islice(records, chunk_rows)):
            low, high = np.searchsorted(self._superseded, [first, first + len(batch)])
            older = set((self._superseded[low:high] - first).tolist())
            yield _chunk(batch, older, columns, fields)
            first += len(batch)

    def _id_places(self, mapping: FeedMapping | None, columns: Sequence[str]) -> list[int]:
        """Where the parts of the identifier stand, the record's own number last."""
        if mapping is None or "last_updated" in mapping.columns or "external_id" not in mapping.columns:
            return []
        names = [name for name in ("datasource", "external_id") if name in mapping.columns]
        return [columns.index(mapping.columns[name]) for name in names]


def _chunk(
    batch: Sequence[Record], older: set[int], columns: Sequence[str], fields: dict[str, str]
) -> RowChunk:
    kept: list[list[str]] = []
    numbers: list[int] = []
    superseded: list[int] = []
    rejections: list[RowRejection] = []
    for place, (number, values, problem) in enumerate(batch):
        if place in older:
            superseded.append(number)
        elif problem is not None:
            named = replace(problem, field=fields.get(problem.field, problem.field))
            rejections.append(RowRejection(number, named))
        else:
            numbers.append(number)
            kept.append(values)
    texts: Iterable[Sequence[str]] = zip(*kept, strict=True) if kept else ([] for _ in columns)
    return RowChunk(
        np.array(numbers, dtype=np.int64),
        dict(zip(columns, texts, strict=True)),
        tuple(rejections),
        np.array(superseded, dtype=np.int64),
    )


class KeyedFile(RecordFile):
    """A file whose records name their own columns (JSON, XML): not every record has every column."""

    fixed_columns: ClassVar[tuple[str, ...]] = ()
    record_word: ClassVar[str] = gettext_noop("record")

    @abstractmethod
    def _keys(self) -> Iterator[Iterable[str]]:
        """The columns that each record has, record after record."""

    def _settle_header(self, mapping: FeedMapping | None) -> None:
        """Find the columns: those of the first records, and mapped ones wherever in the file they come first.

        A mapped column that no record has is empty throughout (senders leave empty values out) and is named in a warning;
        but a file without the identifier or the time of occurrence is the wrong file, which ``column_indices`` then says.
        """
        seen: dict[str, None] = dict.fromkeys(self.fixed_columns)
        wanted = set(mapping.column_names) if mapping else set()
        for number, keys in enumerate(self._keys()):
            if number >= HEADER_RECORDS:
                if wanted <= seen.keys():
                    break
                keys = wanted.intersection(keys)
            seen.update(dict.fromkeys(keys))
            if len(seen) > MAX_COLUMNS + len(self.fixed_columns):
                raise SourceError(
                    _(
                        "More than %(columns)s different columns are named by record %(number)s: their keys carry data."
                    )
                    % {"columns": MAX_COLUMNS, "number": f"{number + 1:,}"},
                    _("Export the records with the same few keys each."),
                )
        if mapping:
            for name, column in mapping.columns.items():
                if column not in seen and name not in MUST_OCCUR:
                    seen[column] = None
                    self._warnings.append(
                        _("No %(record)s has %(column)s (mapped to %(field)s); it is read as empty.")
                        % {"record": said(self.record_word), "column": repr(column), "field": name}
                    )
        self.header = tuple(seen)
        check_width(self.header)
