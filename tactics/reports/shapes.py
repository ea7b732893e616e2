"""What every report is made of: a sentence, figures, tables and charts. Pages, files, API and e-mails show the same."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from agencies.clocks import (
    KM2_A_SQUARE_MILE,
    clock_read,
    date_read,
    hour_text,
    is_imperial,
    is_twelve,
    lengths_read,
)
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.table_rows import table_rows
from tactics.reports.asked import Asked

MOST_IN_WORKBOOK = 50_000
"""Rows of a table in a workbook: it is made in one piece while somebody waits, or for an e-mail. The other files stream."""
PLACES = ("cell", "beat", "district")
"""Columns of these keys hold places, the finest first: a table that has one can be shown on a map. A cell is of the grid whose
key the report holds as ``data["grid"]``."""
Kind = Literal["text", "int", "number", "share"]
Reads = Literal["", "clock", "hour", "lengths", "per_km2"]
"""What people read in their agency's clock and units while files keep 24 hours and metres: cells such as "16:40"; a column's
title, an hour such as "16"; cells such as "1–100 m"; numbers for each square kilometre."""
Cell = str | int | float | None
"""None: not known, shown as a dash and left empty in files."""


def _say(thing: Any) -> None:
    """Fix texts in the language in which the report is made: it is kept, drawn and written to files as it was read."""
    for name, value in vars(thing).items():
        if isinstance(value, Promise):
            object.__setattr__(thing, name, str(value))


@dataclass(frozen=True)
class Column:
    """A column: ``key`` in files and the API, ``title`` on paper. A ``share`` is 0..1 and shown in per cent.

    ``reads`` is what of it is worded for people, when it is shown and not before: a report is kept, and an agency's clock may change.
    """

    key: str
    title: str
    kind: Kind = "text"
    unit: str = ""
    digits: int = 1
    about: str = ""
    reads: Reads = ""

    def shown(self, value: Cell) -> str:
        """The value as people read it.

        >>> Column("a", "A", "share").shown(0.123), Column("week", "Week").shown("2026-03-02")
        ('12.3 %', '2\\xa0Mar\\xa02026')
        >>> Column("a", "A", "share", digits=0).shown(-0.003)
        '0 %'
        """
        if value is None:
            return "–"
        if isinstance(value, str):
            return _READ[self.reads](value) if self.reads in _READ else date_read(value)
        if self.reads == "per_km2" and is_imperial():
            value *= KM2_A_SQUARE_MILE
        if self.kind == "share":
            return f"{100 * value:z,.{self.digits}f} %"
        return f"{value:z,.{0 if self.kind == 'int' else self.digits}f}"

    @property
    def heading(self) -> str:
        """The title with its unit, unless the title says it: "Minutes" needs no "min" behind it.

        >>> Column("a", "Delivered", unit="min").heading, Column("b", "Minutes a visit", unit="min").heading
        ('Delivered (min)', 'Minutes a visit')
        """
        is_said = self.unit == "min" and re.search(r"\bminut", self.title, re.IGNORECASE)
        words = f"{self.title} ({self.unit})" if self.unit and not is_said else self.title
        if self.reads == "per_km2" and is_imperial():
            return words.replace("km²", "mi²")
        if self.reads == "hour" and is_twelve():
            return words.replace(self.title, hour_text(dt.time(int(self.title[:2]))), 1)
        return words

    @property
    def is_number(self) -> bool:
        return self.kind != "text"


_READ = {"clock": clock_read, "lengths": lengths_read}


@dataclass(frozen=True)
class Table:
    """A table with all its rows; the first table of a report is the one that a CSV file holds unless asked otherwise.

    ``most_shown`` rows are on the page, all of them where it is 0; files hold all, but for a workbook. ``rows`` of a long table may be read
    anew each time they are gone through: files take them once, part by part.
    """

    slug: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    note: str = ""
    empty: str = gettext_lazy("Nothing in this period. Choose other days or fewer filters.")
    most_shown: int = 0

    def __post_init__(self) -> None:
        _say(self)
        object.__setattr__(self, "columns", tuple(replace(column) for column in self.columns))
        for column in self.columns:
            _say(column)

    @property
    def is_cut(self) -> bool:
        """Whether the page leaves rows out."""
        return 0 < self.most_shown < len(self.rows)

    @property
    def in_workbook(self) -> int:
        """How many rows, the first ones, a workbook holds."""
        return min(len(self.rows), MOST_IN_WORKBOOK)

    @property
    def note_shown(self) -> str:
        """The note as people read it; files hold ``note``."""
        return lengths_read(self.note)

    @property
    def is_streamed(self) -> bool:
        """Whether the rows are read anew each time they are gone through: then no answer should hold all at once."""
        return not isinstance(self.rows, (list, tuple))

    @property
    def place(self) -> str:
        """The column that says where a row is, the finest one: ``cell``, ``beat`` or ``district``; empty without any.

        >>> Table("a", "A", (Column("district", "District"), Column("beat", "Beat")), []).place
        'beat'
        """
        keys = {column.key for column in self.columns}
        return next((name for name in PLACES if name in keys), "")

    @property
    def shown(self) -> list[list[tuple[Column, str]]]:
        """The rows as people read them, each cell with its column."""
        return [
            [(column, column.shown(value)) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows[: self.most_shown or None]
        ]

    @property
    def drawn(self) -> SafeString:
        """The same rows as HTML."""
        return table_rows(
            ([text for _column, text in row] for row in self.shown),
            [column.is_number for column in self.columns],
        )


@dataclass(frozen=True)
class Figure:
    """One number with its name, in words that need no table."""

    label: str
    value: str
    note: str = ""

    def __post_init__(self) -> None:
        _say(self)


@dataclass(frozen=True)
class Chart:
    """A drawing, made when asked for. ``alt`` says what it shows; ``table`` names the table that holds its numbers."""

    slug: str
    title: str
    alt: str
    table: str
    width: int = 720
    height: int = 320

    def __post_init__(self) -> None:
        _say(self)


@dataclass(frozen=True)
class Report:
    """One report, read once. ``about`` is what each file says of itself: data, limits of what was counted.

    ``model`` names the model versions behind the missions of the period; ``report_made`` fills it in.
    """

    slug: str
    title: str
    agency: str
    agency_slug: str
    zone: str
    asked: Asked
    made_at: dt.datetime
    sentence: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    model: str = "none"
    data: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _say(self)

    @property
    def drawn(self) -> list[tuple[Chart, str]]:
        """Each chart with the title of the table that holds its numbers."""
        titles = {table.slug: table.title for table in self.tables}
        return [(chart, titles.get(chart.table, chart.table)) for chart in self.charts]

    @property
    def filled(self) -> list[Table]:
        """The tables that hold anything."""
        return [table for table in self.tables if table.rows]

    @property
    def unfilled(self) -> list[tuple[str, list[Table]]]:
        """Why the other tables hold nothing, each reason once. What the report's sentence says is not said again."""
        found: dict[str, list[Table]] = {}
        for table in self.tables:
            if not table.rows:
                found.setdefault("" if table.empty == self.sentence else table.empty, []).append(table)
        return list(found.items())

    def table(self, slug: str) -> Table | None:
        """The table of this name, the first one for an empty name, None for another."""
        return next((table for table in self.tables if slug in ("", table.slug)), None)

    @property
    def provenance(self) -> list[str]:
        """What stands at the head of every file."""
        return [
            f"{self.title}, {self.agency}",
            _("%(asked)s; times in %(zone)s") % {"asked": self.asked.words, "zone": self.zone},
            *self.about,
            _("Model: %(model)s") % {"model": self.model},
            _("Generated at %(at)s") % {"at": f"{self.made_at:%Y-%m-%dT%H:%M:%SZ}"},
        ]

    def file_name(self, table: str, ending: str) -> str:
        part = f"-{table}" if table else ""
        return f"{self.agency_slug}-{self.slug}{part}-{self.asked.first}-{self.asked.last}.{ending}"
