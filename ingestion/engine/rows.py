"""Rows of a file on their way to becoming facts: text by column, with their numbers."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.engine.rejections import Rejection

Ints = npt.NDArray[np.int64]


class TextColumn(Sequence[str]):
    """A column that is kept more densely than as a list of texts, and says by itself what is slow to find out of one."""

    @abstractmethod
    def stripped(self, rows: Ints) -> list[str]:
        """The texts of these rows, in this order, without blanks around them (as ``str.strip`` understands blanks)."""

    @abstractmethod
    def distinct(self) -> tuple[Ints, list[str]]:
        """For each row an index into the different texts, and these."""


def stripped_texts(column: Sequence[str], rows: Ints) -> list[str]:
    """The texts of these rows of a column, in this order, without blanks around them."""
    if isinstance(column, TextColumn):
        return column.stripped(rows)
    return [column[row].strip() for row in rows.tolist()]


def distinct_texts(column: Sequence[str]) -> tuple[Ints, list[str]]:
    """For each row an index into the column's different texts, and these: what depends on the text is asked once for each.

    >>> index, texts = distinct_texts(["B", "A", "B"])
    >>> index.tolist(), texts
    ([0, 1, 0], ['B', 'A'])
    """
    if isinstance(column, TextColumn):
        return column.distinct()
    seen: dict[str, int] = {}
    index = [seen.setdefault(text, len(seen)) for text in column]
    return np.array(index, dtype=np.int64), list(seen)


@dataclass(frozen=True)
class RowRejection:
    """A row that could not even be split into columns. Its text is not kept: nobody knows what is in it."""

    row_number: int
    rejection: Rejection


@dataclass(frozen=True)
class RowChunk:
    """A few thousand rows, the mapped columns only.

    ``row_numbers`` counts as a spreadsheet does: the header is row 1, blank rows count. ``columns`` maps a
    column's name to its texts, one a row. ``superseded_row_numbers`` are rows whose identifier comes
    again later in the file; they are received and count as unchanged.
    """

    row_numbers: Ints
    columns: Mapping[str, Sequence[str]]
    rejections: tuple[RowRejection, ...] = ()
    superseded_row_numbers: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.row_numbers)

    @property
    def received(self) -> int:
        """Rows of the file that this chunk answers for."""
        return len(self.row_numbers) + len(self.rejections) + len(self.superseded_row_numbers)

    @classmethod
    def from_rows(
        cls,
        rows: Sequence[Mapping[str, str]],
        columns: Sequence[str],
        row_numbers: Sequence[int] | None = None,
    ) -> "RowChunk":
        """A chunk from rows as mappings (quarantine replay, push); a column that a row lacks is empty there."""
        numbers = (
            np.arange(1, len(rows) + 1) if row_numbers is None else np.asarray(row_numbers, dtype=np.int64)
        )
        return cls(
            row_numbers=numbers.astype(np.int64),
            columns={name: [row.get(name, "") for row in rows] for name in columns},
        )
