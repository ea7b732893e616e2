"""A table's column that is 0 in most rows, kept as the places and values of the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class MostlyZero:
    """Column [n] of float32: ``value`` at the ascending rows ``place`` (int32), 0 elsewhere. Reads like an array.

    A part of it (``column[rows]``: a slice, a mask or row numbers) and ``np.asarray(column)`` are plain arrays: read parts.
    """

    place: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    rows: int

    @staticmethod
    def of(values: npt.NDArray[Any], before: int = 0) -> "MostlyZero":
        """Keep what is not 0; the first of the values stands in row ``before``."""
        place = np.flatnonzero(values)
        return MostlyZero(
            (place + before).astype(np.int32), values[place].astype(np.float32), before + len(values)
        )

    @staticmethod
    def joined(parts: "list[MostlyZero]", rows: int) -> "MostlyZero":
        """One column of parts whose rows follow one another."""
        return MostlyZero(
            np.concatenate([np.empty(0, np.int32), *(one.place for one in parts)]),
            np.concatenate([np.empty(0, np.float32), *(one.value for one in parts)]),
            rows,
        )

    @property
    def shape(self) -> tuple[int]:
        """One element a row, as of an array."""
        return (self.rows,)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        if not isinstance(rows, slice):
            some: npt.NDArray[np.float32] = self.__array__()[rows]
            return some
        begin, end, step = rows.indices(self.rows)
        found = np.zeros(max(end - begin, 0), dtype=np.float32)
        first, last = np.searchsorted(self.place, (begin, end)).tolist()
        found[self.place[first:last] - begin] = self.value[first:last]
        return found[::step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        whole = np.zeros(self.rows, dtype=dtype or np.float32)
        whole[self.place] = self.value
        return whole

    def part(self, keep: npt.NDArray[np.bool_]) -> "MostlyZero":
        """The column of the rows where ``keep`` bool[n] is true."""
        kept = keep[self.place]
        place = np.cumsum(keep, dtype=np.int32)[self.place[kept]] - 1
        return MostlyZero(place.astype(np.int32), self.value[kept], int(keep.sum()))


def positive(column: Any) -> npt.NDArray[np.bool_]:
    """Where a column is above 0: bool[n]."""
    if not isinstance(column, MostlyZero):
        return np.asarray(column) > 0
    found = np.zeros(column.rows, dtype=np.bool_)
    found[column.place[column.value > 0]] = True
    return found
