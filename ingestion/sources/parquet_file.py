"""A Parquet file, the form in which large tables travel between data warehouses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.sources.base import FileSurvey, SourceError, parameter, register
from ingestion.sources.containers import MEGABYTE
from ingestion.sources.recognise import check_kind
from ingestion.sources.records import Record, RecordFile
from ingestion.sources.text import check_width
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.progress import Progress, no_progress

BATCH_ROWS = 2_000


@dataclass(frozen=True)
class ParquetFileParameters:
    """What an administrator can set for a Parquet feed."""

    max_unpacked_mb: int = parameter(
        4096,
        label=gettext_lazy("Largest size (MB, unpacked)"),
        help=gettext_lazy(
            "A file whose columns unpack to more is refused before anything of it is imported."
        ),
        minimum=1,
    )
    max_group_mb: int = parameter(
        1024,
        label=gettext_lazy("Largest row group (MB, unpacked)"),
        help=gettext_lazy("A row group is held in memory: a larger one is refused."),
        minimum=1,
    )
    max_rows: int = parameter(
        100_000_000,
        label=gettext_lazy("Largest number of rows"),
        help=gettext_lazy("A few kilobytes can describe thousands of millions of equal rows."),
        minimum=1,
    )


class ParquetFile(RecordFile):
    """One Parquet file, opened. A record's number is its place in the file, the first is 1.

    Timestamps with a zone come as UTC with a Z, those without as wall clock; decimals as they are written. Nested and binary
    columns are no columns here; a mapping that names one is refused.
    """

    format_name = "Parquet"

    def __init__(
        self, path: Path, parameters: ParquetFileParameters, mapping: FeedMapping | None = None
    ) -> None:
        super().__init__(path)
        self._limits = parameters
        with self._opened() as file:
            schema, self._rows = file.schema_arrow, file.metadata.num_rows
            check_width(schema.names)
            unpacked = sum(
                file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)
            )
        if unpacked > parameters.max_unpacked_mb * MEGABYTE or self._rows > parameters.max_rows:
            raise SourceError(
                _(
                    "The file holds %(rows)s rows, %(unpacked)s MB when unpacked; that is more than this feed accepts."
                )
                % {"rows": f"{self._rows:,}", "unpacked": f"{unpacked // MEGABYTE:,}"},
                _("Split it (by year, for example), or raise the feed's limits if the machine can bear it."),
            )
        self._unread = {field.name: str(field.type)[:60] for field in schema if not is_plain(field.type)}
        self.header = tuple(field.name for field in schema if field.name not in self._unread)
        if not self.header:
            raise SourceError(
                _("The file has no plain column: %(columns)s.")
                % {"columns": ", ".join(self._unread) or _("none at all")},
                _("Export a flat table."),
            )
        for name, column in mapping.columns.items() if mapping else ():
            self._check_plain(name, column)

    def _check_plain(self, name: str, column: str) -> None:
        if column in self._unread:
            raise SourceError(
                _("Column %(column)s, mapped to %(name)s, is nested or binary (%(unread)s).")
                % {"column": repr(column), "name": name, "unread": self._unread[column]},
                _("Export the part that is meant as a column of its own, and map that."),
                column=column,
            )

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._path, memory_map=False) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise SourceError(
                _("The Parquet file is damaged or cut off (%(words)s).") % {"words": words},
                _("Send or export it again; nothing was imported."),
            ) from error

    def _expected(self) -> int:
        return int(self._rows)

    def survey(self, mapping: FeedMapping | None = None, progress: Progress = no_progress) -> FileSurvey:
        """Look through the mapped columns once. Raises ``SourceError`` as ``RecordFile.survey``, and for a nested column."""
        for name, column in mapping.columns.items() if mapping else ():
            self._check_plain(name, column)
        return super().survey(mapping, progress)

    def _records(self, columns: Sequence[str]) -> Iterator[Record]:
        number = 0
        # An empty list of columns would give no batches, and no count.
        read = list(columns) or [self.header[0]]
        with self._opened() as file:
            self._check_groups(file.metadata)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=read, use_threads=False):
                texts = [column_texts(batch.column(column)) for column in columns]
                for values in zip(*texts, strict=True) if texts else [()] * batch.num_rows:
                    number += 1
                    yield number, list(values), None

    def _check_groups(self, metadata: Any) -> None:
        # Of a group as a whole, never of its columns one by one: Arrow ends the whole process where the statistics of a
        # column's chunk are damaged (`RowGroupMetaData.column` in pyarrow 26 raises past Python).
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).total_byte_size
            if size > self._limits.max_group_mb * MEGABYTE:
                raise SourceError(
                    _("Row group %(group)s holds %(size)s MB when unpacked; at most %(max_group_mb)s MB fit.")
                    % {
                        "group": group + 1,
                        "size": f"{size // MEGABYTE:,}",
                        "max_group_mb": f"{self._limits.max_group_mb:,}",
                    },
                    _("Write the file with smaller row groups (a million rows or fewer)."),
                )


def is_plain(kind: Any) -> bool:
    """Whether a column of this type has one value a row that can be read as text."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return is_plain(kind.value_type)
    tests = (
        *(types.is_string, types.is_large_string, types.is_string_view, types.is_boolean, types.is_null),
        *(types.is_integer, types.is_floating, types.is_decimal),
        *(types.is_timestamp, types.is_date, types.is_time),
    )
    return any(test(kind) for test in tests)


def column_texts(column: Any) -> list[str]:
    """A column's values as text, empty where there is none."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_timestamp(kind):
        return _instants(column)
    if types.is_floating(kind):
        return _floats(column)
    if types.is_time(kind):
        return ["" if v is None else v.isoformat("seconds") for v in column.to_pylist()]
    if types.is_null(kind):
        return [""] * len(column)
    if types.is_decimal(kind):
        return ["" if v is None else format(v, "f") for v in column.to_pylist()]
    if not types.is_string(kind):
        column = column.cast(pa.string())
    return [value or "" for value in column.to_pylist()]


def _instants(column: Any) -> list[str]:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    import pyarrow as pa

    missing = np.asarray(column.is_null())
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    texts = np.datetime_as_string((numbers // per_second).astype("datetime64[s]"))
    # A column with a zone holds instants; its zone only says how they are shown.
    suffix = "Z" if column.type.tz else ""
    return ["" if gone else f"{text}{suffix}" for text, gone in zip(texts.tolist(), missing, strict=True)]


def _floats(column: Any) -> list[str]:
    import pyarrow as pa

    # As text by Arrow: it knows how few digits a 32-bit float has.
    return [_float_text(text) for text in column.cast(pa.string()).to_pylist()]


def _float_text(text: str | None) -> str:
    """Identifiers with gaps become floats on their way through data frames: 2.025e+11 is 202500000000.

    >>> _float_text("2.02500000123e+11"), _float_text("41.88"), _float_text("7.0"), _float_text("nan")
    ('202500000123', '41.88', '7', '')
    """
    if text is None or text == "nan":
        return ""
    if "e" in text and (number := float(text)).is_integer() and abs(number) < 2**53:
        return str(int(number))
    return text.removesuffix(".0")


@register
class ParquetFileSource:
    """A flat Parquet table."""

    kind: ClassVar[str] = "parquet_file"
    label: ClassVar[str] = gettext_lazy("Parquet file")
    help: ClassVar[str] = gettext_lazy("A Parquet file with flat columns, read by row groups.")
    Parameters: ClassVar[type] = ParquetFileParameters

    def __init__(self, parameters: ParquetFileParameters | None = None) -> None:
        self.parameters = parameters or ParquetFileParameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> ParquetFile:
        """Open one file. Raises ``SourceError`` for another format, a damaged one, or a mapped column that is nested."""
        check_kind(Path(path), self.kind)
        return ParquetFile(Path(path), self.parameters, mapping)
