"""The tables of dosage and coverage, each made from what was read once."""

import datetime as dt
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from django.utils.translation import gettext as _

from missions_project.lib.lazy import gettext_lazy
from tactics.reports.coverage_read import Dosed, Floats, Ints, low_share
from tactics.reports.shapes import Cell, Column, Table

NOTHING = gettext_lazy("No mission of an ended shift, and no presence on record, in this period.")
NAMES = ("recommended", "delivered", "passing")
MINUTES = (
    Column("recommended_minutes", gettext_lazy("Recommended"), "number", unit="min", digits=0),
    Column("delivered_minutes", gettext_lazy("At missions"), "number", unit="min", digits=0, about=gettext_lazy("On record, from all sources")),
    Column("passing_minutes", gettext_lazy("Without a mission"), "number", unit="min", digits=0, about=gettext_lazy("Units that passed or stayed")),
)  # fmt: skip
SHARE = Column(
    "share_delivered",
    gettext_lazy("Share"),
    "share",
    digits=0,
    about=gettext_lazy("At missions, of the recommended minutes"),
)


@dataclass(frozen=True)
class Spent:
    """Recommended, delivered and passing minutes of the same groups and periods: float64 [groups, periods] each."""

    recommended: Floats
    delivered: Floats
    passing: Floats

    @classmethod
    def of(cls, read: Dosed, group: Ints, groups: int, period: Ints, periods: int) -> "Spent":
        return cls(*(getattr(read, name).by(group, groups, period, periods) for name in NAMES))

    def line(self, *at: int | slice) -> tuple[Cell, ...]:
        """The three sums and the share, of one group and period or of several."""
        asked, done, passed = (float(getattr(self, name)[at].sum()) for name in NAMES)
        return asked, done, passed, done / asked if asked else None


class Districts:
    """Districts by code, and which one each cell is in (-1: none, or outside the choice)."""

    def __init__(self, read: Dosed) -> None:
        self.codes = sorted({district for __, district in read.codes})
        number = np.array([self.codes.index(code) for __, code in read.codes] + [-1], dtype=np.int64)
        self.of_cell: Ints = np.where(read.kept, number[read.beat], -1)


def weeks_table(read: Dosed, week: Ints, mondays: list[dt.date]) -> Table:
    n = len(read.spec)
    group = np.where(read.kept, np.arange(n), -1).astype(np.int64)
    rows: list[tuple[Cell, ...]] = []
    for at, monday in enumerate(mondays):
        only = np.where(week == at, 0, 1).astype(np.int64)
        asked, done, passed = (getattr(read, name).by(group, n, only, 2)[:, 0] for name in NAMES)
        total = float(asked.sum())
        rows.append(
            (monday.isoformat(), total, float(done.sum()), float(passed.sum()), float(done.sum()) / total if total else None,
             int((asked > 0).sum()), int((done + passed > 0).sum()), low_share(read.harm, asked), low_share(read.harm, done))
        )  # fmt: skip
    return Table(
        "weeks",
        _("By week"),
        (
            Column("week_from", _("Week from")), *MINUTES, SHARE, Column("cells_recommended", _("Cells with a mission"), "int"),
            Column("cells_present", _("Cells with minutes"), "int"),
            Column("low_risk_recommended", _("Lower-risk, recommended"), "share"),
            Column("low_risk_delivered", _("Lower-risk, at missions"), "share"),
        ),
        rows,
        note=_("The first and the last week may be cut by the period."),
        empty=NOTHING,
    )  # fmt: skip


def low_risk_table(read: Dosed, cells: dict[str, Floats], share: dict[str, float | None]) -> Table:
    words = {
        "recommended": _("Recommended minutes"),
        "delivered": _("Minutes at missions"),
        "passing": _("Minutes without a mission"),
    }
    known = ~np.isnan(read.harm)
    rows: list[tuple[Cell, ...]] = [
        (
            words[name],
            float(cells[name][known].sum()),
            share[name],
            read.target if name != "passing" else None,
        )
        for name in NAMES
        if known.any()
    ]
    return Table(
        "low-risk",
        _("Lower-risk areas"),
        (
            Column("what", _("What")), Column("minutes", _("Minutes"), "number", unit="min", digits=0),
            Column("share", _("Share in the lower half"), "share"), Column("target", _("Target"), "share"),
        ),
        rows,
        note=_("Half of all cells are in the lower half: 50 % would be a spread that takes no notice of risk."),
        empty=_("No plan with a stored design in this period."),
    )  # fmt: skip


def saturation_table(read: Dosed, most: Floats) -> Table:
    n = int(read.kept.sum())
    rows: list[tuple[Cell, ...]] = [
        (words, limit, int((most >= limit).sum()), float((most >= limit).sum() / n) if n else None)
        for words, limit in (
            (_("Half of the soft limit"), read.soft // 2),
            (_("Soft limit"), read.soft),
            (_("Hard limit"), read.hard),
        )
    ]
    return Table(
        "saturation",
        _("Saturation: recommended minutes in any %(window)s days") % {"window": read.window},
        (
            Column("limit", _("Limit")), Column("minutes", _("Minutes"), "int", unit="min"),
            Column("cells", _("Cells that reached it"), "int"), Column("share", _("Share of cells"), "share", digits=2),
        ),
        rows,
        note=_("Limits of the active policy. The most that any cell had: %(max)s minutes. From the soft limit on a cell's chance falls, the hard one takes it out of the draw; missions that people add are not held back.") % {"max": f"{float(most.max(initial=0.0)):,.0f}"},
    )  # fmt: skip


def area_km2(read: Dosed, n_cells: int) -> float:
    """The area of so many cells."""
    return n_cells * (read.spec.cell_size_m / 1000) ** 2


_BY_AREA = (
    *MINUTES,
    SHARE,
    Column("cells", gettext_lazy("Cells"), "int"),
    Column("cells_present", gettext_lazy("Cells with minutes"), "int"),
    Column(
        "minutes_per_km2",
        gettext_lazy("On record per km²"),
        "number",
        unit="min/km²",
        digits=0,
        reads="per_km2",
    ),
)


def _by_area(
    read: Dosed, labels: list[tuple[Cell, ...]], of_cell: Ints, spent: Spent, present: Floats
) -> list[tuple[Cell, ...]]:
    """A line for each area that has a cell inside the choice."""
    size = np.bincount(of_cell[of_cell >= 0], minlength=len(labels))
    seen = np.bincount(of_cell[(of_cell >= 0) & (present > 0)], minlength=len(labels))
    rows: list[tuple[Cell, ...]] = []
    for at in np.flatnonzero(size).tolist():
        line = spent.line(at, slice(None))
        on_record = float(spent.delivered[at].sum() + spent.passing[at].sum())
        rows.append((*labels[at], *line, int(size[at]), int(seen[at]), on_record / area_km2(read, int(size[at]))))  # fmt: skip
    return rows


def districts_table(read: Dosed, districts: Districts, spent: Spent, present: Floats) -> Table:
    rows = _by_area(read, [(code,) for code in districts.codes], districts.of_cell, spent, present)
    return Table(
        "districts", _("By district"), (Column("district", _("District")), *_BY_AREA), rows, empty=NOTHING
    )


def beats_table(read: Dosed, week: Ints, present: Floats) -> Table:
    of_cell = np.where(read.kept, read.beat, -1)
    spent = Spent.of(read, of_cell, len(read.codes), np.zeros_like(week), 1)
    labels: list[tuple[Cell, ...]] = [(district, code) for code, district in read.codes]
    rows = sorted(_by_area(read, labels, of_cell, spent, present), key=lambda row: (str(row[0]), str(row[1])))
    return Table(
        "beats",
        _("By beat"),
        (Column("district", _("District")), Column("beat", _("Beat")), *_BY_AREA),
        rows,
        note=_("A cell belongs to the beat that holds its middle, as beats are drawn now."),
        empty=NOTHING,
        most_shown=100,
    )


def district_weeks_table(districts: Districts, spent: Spent, mondays: list[dt.date]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (code, monday.isoformat(), *spent.line(at, week))
        for at, code in enumerate(districts.codes)
        if (districts.of_cell == at).any()
        for week, monday in enumerate(mondays)
    ]
    columns = (Column("district", _("District")), Column("week_from", _("Week from")), *MINUTES, SHARE)
    return Table("district-weeks", _("By district and week"), columns, rows, empty=NOTHING, most_shown=100)


def beat_weeks_table(read: Dosed, week: Ints, mondays: list[dt.date]) -> Table:
    of_cell = np.where(read.kept, read.beat, -1)
    spent = Spent.of(read, of_cell, len(read.codes), week, len(mondays))
    some = spent.recommended + spent.delivered + spent.passing > 0
    rows: list[tuple[Cell, ...]] = [
        (read.codes[at][0], mondays[number].isoformat(), *spent.line(at, number))
        for at, number in zip(*(one.tolist() for one in np.nonzero(some)), strict=True)
    ]
    columns = (Column("beat", _("Beat")), Column("week_from", _("Week from")), *MINUTES, SHARE)
    note = _("Weeks of a beat without any minutes are left out.")
    return Table("beat-weeks", _("By beat and week"), columns, rows, note=note, empty=NOTHING, most_shown=100)


def cells_table(read: Dosed, cells: dict[str, Floats], most: Floats) -> Table:
    lon, lat = read.spec.centres_lonlat()
    days = _days_present(read)
    on_record = cells["delivered"] + cells["passing"]
    order = np.lexsort((np.arange(len(read.spec)), -on_record))
    order = order[read.kept[order]]
    codes = np.array([*read.codes, (None, None)], dtype=object)[read.beat[order]]
    numbers = (lat.round(6), lon.round(6), *(cells[name] for name in NAMES), on_record, days, most)
    # Column by column: a large city has 25,600 cells.
    rows: list[tuple[Cell, ...]] = list(
        zip(
            map(str, read.spec.cells[order].tolist()),
            codes[:, 1].tolist(),
            codes[:, 0].tolist(),
            *(values[order].tolist() for values in numbers),
            (most[order] / read.hard).tolist() if read.hard else repeat(None),
            strict=False,
        )
    )
    return Table(
        "cells",
        _("By cell"),
        (
            Column("cell", _("Cell")), Column("district", _("District")), Column("beat", _("Beat")),
            Column("lat", _("Latitude"), "number", digits=5), Column("lon", _("Longitude"), "number", digits=5), *MINUTES,
            Column("minutes_on_record", _("On record"), "number", unit="min", digits=0),
            Column("days_with_minutes", _("Days with minutes"), "int"),
            Column("most_minutes", _("Most in %(window)s days") % {"window": read.window}, "number", unit="min", digits=0, about=_("Recommended")),
            Column("share_of_limit", _("Of the hard limit"), "share", digits=0),
        ),
        rows,
        note=_("Cells of %(cell_size_m)s m, those with most minutes on record first; latitude and longitude of the middle.") % {"cell_size_m": f"{read.spec.cell_size_m:g}"},
        empty=_("No cell of the grid lies inside the choice."),
        most_shown=50,
    )  # fmt: skip


def _days_present(read: Dosed) -> Ints:
    pairs = np.unique(
        np.concatenate([np.stack([one.cell, one.day]) for one in (read.delivered, read.passing)], axis=1),
        axis=1,
    )
    found: Ints = np.bincount(pairs[0].astype(np.int64), minlength=len(read.spec)).astype(np.int64)
    return found
