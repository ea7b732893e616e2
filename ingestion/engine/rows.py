"""Rows of a file on their way to becoming facts: text by column, with their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.engine.rejections import Rejection

Ints = npt.NDArray[np.int64]


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
