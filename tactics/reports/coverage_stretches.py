"""Minutes on record over stretches of time, by cell, beat and district: the tables that the maps over time are drawn from."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from missions_project.lib.days import day_and_month
from tactics.reports.asked import Asked
from tactics.reports.coverage_read import Dosed, Floats, Ints
from tactics.reports.coverage_tables import NOTHING, Districts, area_km2
from tactics.reports.shapes import Cell, Column, Reads, Table

MOST_STRETCHES = 12
"""As many maps fit on a sheet of paper."""
CELLS, BEATS, DISTRICTS = "cells-over-time", "beats-over-time", "districts-over-time"
"""Tables, and the maps that are drawn from them."""
_FROM = "_from_"


@dataclass(frozen=True)
class Stretches:
    """A period in at most twelve equal stretches of whole weeks; the last one may be shorter. ``of_day``: int64[days], which one each is in."""

    of_day: Ints
    dates: list[tuple[dt.date, dt.date]]

    @classmethod
    def of(cls, asked: Asked) -> "Stretches":
        weeks = -(-asked.days // 7)
        each = -(-weeks // MOST_STRETCHES) * 7
        of_day = (np.arange(asked.days) // each).astype(np.int64)
        firsts = [asked.first + dt.timedelta(days=at * each) for at in range(int(of_day[-1]) + 1)]
        return cls(
            of_day, [(first, min(first + dt.timedelta(days=each - 1), asked.last)) for first in firsts]
        )

    @property
    def titles(self) -> list[str]:
        """What each is called: its dates."""
        return [
            _("%(first)s to %(last)s") % {"first": day_and_month(first), "last": day_and_month(last)}
            for first, last in self.dates
        ]

    def columns(self, key: str, unit: str, reads: Reads = "") -> tuple[Column, ...]:
        """A column of minutes for each, titled by its dates as its map is."""
        return tuple(
            Column(f"{key}{_FROM}{first:%Y_%m_%d}", title, "number", unit=unit, digits=0, reads=reads)
            for (first, __), title in zip(self.dates, self.titles, strict=True)
        )

    def minutes(self, read: Dosed) -> Floats:
        """Minutes on record, at missions and without one: float64 [N, stretches]."""
        own = np.arange(len(read.spec), dtype=np.int64)
        delivered, passing = (
            one.by(own, len(own), self.of_day, len(self.dates)) for one in (read.delivered, read.passing)
        )
        return delivered + passing


class CellRows(Sequence[tuple[Cell, ...]]):
    """Rows of the table by cell, kept as arrays and worded whenever they are gone through: a large city has 25,600.

    ``cell``: the grid's numbers; ``codes``: (beat, district), which ``beat`` indexes, -1 for none; ``minutes``: float32 [cells, stretches],
    read to a hundredth.
    """

    def __init__(
        self, cell: Ints, codes: list[tuple[str, str]], beat: Ints, minutes: npt.NDArray[np.float32]
    ) -> None:
        self.cell, self.codes, self.beat, self.minutes = cell, codes, beat, minutes

    def __len__(self) -> int:
        return len(self.cell)

    @overload
    def __getitem__(self, at: int) -> tuple[Cell, ...]: ...

    @overload
    def __getitem__(self, at: slice) -> list[tuple[Cell, ...]]: ...

    def __getitem__(self, at: int | slice) -> tuple[Cell, ...] | list[tuple[Cell, ...]]:
        if isinstance(at, int):
            place = range(len(self))[at]
            return self[place : place + 1][0]
        codes = np.array([*self.codes, (None, None)], dtype=object)[self.beat[at]]
        minutes = self.minutes[at].astype(np.float64).round(2)
        # Column by column: row by row the rounding alone would take as long as the rest of the file.
        columns = (map(str, self.cell[at].tolist()), codes[:, 1].tolist(), codes[:, 0].tolist(), *minutes.T.tolist())  # fmt: skip
        return list(zip(*columns, strict=True))

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return iter(self[:])


def cell_stretches(read: Dosed, stretches: Stretches, minutes: Floats) -> tuple[Table, Ints]:
    """The table by cell, and the row of each cell of the grid in it (-1: outside the choice)."""
    order = np.lexsort((np.arange(len(read.spec)), -minutes.sum(axis=1)))
    order = order[read.kept[order]]
    row = np.full(len(read.spec), -1, dtype=np.int64)
    row[order] = np.arange(len(order))
    table = Table(
        CELLS,
        _("On record by cell, over time"),
        (
            Column("cell", _("Cell")),
            Column("district", _("District")),
            Column("beat", _("Beat")),
            *stretches.columns("minutes", "min"),
        ),
        CellRows(read.spec.cells[order], read.codes, read.beat[order], minutes[order].astype(np.float32)),
        note=_(
            "Unit-minutes on record, at missions and without one; cells with most of them first. The last stretch of time may be shorter than the others."
        ),
        empty=_("No cell of the grid lies inside the choice."),
        most_shown=50,
    )
    return table, row


def beat_stretches(read: Dosed, stretches: Stretches, minutes: Floats) -> tuple[Table, Ints]:
    """The table by beat, and the row of each cell's beat in it (-1: none, or outside the choice)."""
    return _areas(
        BEATS,
        _("On record by beat, over time"),
        (Column("district", _("District")), Column("beat", _("Beat"))),
        [(district, code) for code, district in read.codes],
        np.where(read.kept, read.beat, -1),
        read, stretches, minutes,
    )  # fmt: skip


def district_stretches(
    read: Dosed, districts: Districts, stretches: Stretches, minutes: Floats
) -> tuple[Table, Ints]:
    """The table by district, and the row of each cell's district in it (-1: none, or outside the choice)."""
    return _areas(
        DISTRICTS,
        _("On record by district, over time"),
        (Column("district", _("District")),),
        [(code,) for code in districts.codes],
        districts.of_cell,
        read, stretches, minutes,
    )  # fmt: skip


def _areas(
    slug: str, title: str, named: tuple[Column, ...], labels: list[tuple[str, ...]], of_cell: Ints,
    read: Dosed, stretches: Stretches, minutes: Floats,
) -> tuple[Table, Ints]:  # fmt: skip
    """A line for each area that has a cell inside the choice, and the line of each cell."""
    inside = of_cell >= 0
    size = np.bincount(of_cell[inside], minlength=len(labels))
    spent = [
        np.bincount(of_cell[inside], weights=one[inside], minlength=len(labels)).tolist() for one in minutes.T
    ]
    order = sorted(np.flatnonzero(size).tolist(), key=labels.__getitem__)
    row = np.full(len(labels) + 1, -1, dtype=np.int64)
    row[order] = np.arange(len(order))
    rows: list[tuple[Cell, ...]] = [
        (*labels[at], int(size[at]), *(one[at] / area_km2(read, int(size[at])) for one in spent))
        for at in order
    ]
    table = Table(
        slug,
        title,
        (
            *named,
            Column("cells", _("Cells"), "int"),
            *stretches.columns("minutes_per_km2", "min/km²", "per_km2"),
        ),
        rows,
        note=_(
            "Unit-minutes on record, at missions and without one, over the area of the cells whose middles lie in it. The last stretch of time may be shorter than the others."
        ),
        empty=NOTHING,
        most_shown=100,
    )
    return table, row[of_cell]


def drawn_columns(table: Table) -> list[tuple[int, str]]:
    """Where the columns of stretches stand in such a table, and their titles."""
    return [(at, one.title) for at, one in enumerate(table.columns) if _FROM in one.key]
