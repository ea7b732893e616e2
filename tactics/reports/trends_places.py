"""The parts of crime trends that look at places: repeats, near repeats, and cells that are new on the list."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from missions_project.lib.days import short_day
from tactics.engine.trends import KnoxTable, emerging_cells, near_repeats
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes
from tactics.reports.shapes import Cell, Column, Table

YEAR_OF_WEEKS = 364
"""Days between a week and the same week a year before: a year that keeps weekdays."""
RECENT_DAYS = 28
MOST_CELLS = 25
TYPES_AT_ONCE = 2
"""Crime types whose near repeats are counted side by side: numpy lets other threads run while it counts."""


def day64(day: dt.date) -> np.datetime64:
    return np.datetime64(day, "D")


def repeats_table(crimes: Crimes, asked: Asked) -> Table:
    inside = crimes.between(day64(asked.last) - (YEAR_OF_WEEKS - 1), day64(asked.last))
    rows: list[tuple[Cell, ...]] = []
    shuffles = set()
    # The type with most crimes first: begun last, it would run on alone.
    order = np.argsort(-np.bincount(crimes.kind[inside], minlength=len(crimes.types)), kind="stable").tolist()
    with ThreadPoolExecutor(TYPES_AT_ONCE) as threads:
        tables = dict(
            zip(order, threads.map(lambda at: _near_repeats(crimes, inside, at), order), strict=True)
        )
    for position, crime_type in enumerate(crimes.types):
        found = tables[position]
        shuffles.add(found.shuffles)
        previous_m = 0.0
        for i, metres in enumerate(found.metres):
            where = _("same place") if i == 0 else f"{max(previous_m, 1):.0f}–{metres:.0f} m"
            previous_m, previous_d = metres, 0
            for j, days in enumerate(found.days):
                ratio = float(found.ratio[i, j])
                rows.append(
                    (crime_type.name, where, _("%(least)s–%(most)s days") % {"least": previous_d, "most": days}, int(found.pairs[i, j]),
                     None if np.isnan(ratio) else ratio, float(found.p[i, j]))
                )  # fmt: skip
                previous_d = days + 1
    made = sorted(shuffles - {0})
    told = (
        f"{made[0]:,}"
        if len(made) == 1
        else _("%(least)s to %(most)s") % {"least": f"{made[0]:,}", "most": f"{made[-1]:,}"}
        if made
        else _("no")
    )
    return Table(
        "repeats",
        _("Repeats and near repeats, year to %(last)s") % {"last": short_day(asked.last)},
        (
            Column("crime_type", _("Crime type")), Column("distance", _("Distance"), reads="lengths"), Column("days", _("Between")),
            Column("pairs", _("Pairs"), "int"), Column("ratio", _("Knox ratio"), "number", digits=2), Column("p", "p", "number", digits=3),
        ),
        rows,
        note=_("Pairs of crimes so close in place and time, over the median of %(told)s shuffles of the dates; p: share of shuffles with as many. A ratio of 1.5 at 1–100 m and 0–7 days: half as many again as without repeats.") % {"told": told},
    )  # fmt: skip


def _near_repeats(crimes: Crimes, inside: npt.NDArray[np.bool_], position: int) -> KnoxTable:
    one = np.flatnonzero(inside & (crimes.kind == position))
    # A fixed seed: the same crimes give the same p-values on page and file.
    return near_repeats(
        crimes.x_m[one],
        crimes.y_m[one],
        crimes.day[one].astype(np.int64),
        rng=np.random.default_rng(len(one)),
    )


def emerging_table(crimes: Crimes, asked: Asked) -> Table:
    last = day64(asked.last)
    recent = crimes.between(last - (RECENT_DAYS - 1), last) & (crimes.cell >= 0)
    before = crimes.between(last - (YEAR_OF_WEEKS + RECENT_DAYS - 1), last - RECENT_DAYS) & (crimes.cell >= 0)
    lon, lat = crimes.spec.centres_lonlat()
    found: list[tuple[float, tuple[Cell, ...]]] = []
    for position, crime_type in enumerate(crimes.types):
        one = crimes.kind == position
        counts = [
            np.bincount(crimes.cell[one & part], minlength=len(crimes.spec)) for part in (recent, before)
        ]
        cells = emerging_cells(counts[0], counts[1], recent_days=RECENT_DAYS, before_days=YEAR_OF_WEEKS)
        for cell, n, expected, q in zip(cells.cell, cells.recent, cells.expected, cells.q, strict=True):
            beat = crimes.beat[(crimes.cell == cell) & (crimes.beat >= 0)]
            code, district = crimes.beats[int(np.bincount(beat).argmax())] if len(beat) else (None, None)
            # The key, as in other tables: files for maps draw this square, and without it the whole beat.
            place = (
                str(int(crimes.spec.cells[cell])),
                f"{lat[cell]:.5f}, {lon[cell]:.5f}",
                district,
                code,
            )
            found.append((float(q), (crime_type.name, *place, int(n), float(expected), float(q))))
    rows = [row for __, row in sorted(found, key=lambda item: item[0])[:MOST_CELLS]]
    return Table(
        "emerging",
        _("Emerging cells, %(days)s days to %(last)s") % {"days": RECENT_DAYS, "last": short_day(asked.last)},
        (
            Column("crime_type", _("Crime type")), Column("cell", _("Cell")), Column("middle", _("Middle of the cell (lat, lon)")),
            Column("district", _("District")), Column("beat", _("Beat")),
            Column("count", _("Crimes"), "int"), Column("expected", _("Expected"), "number", digits=2), Column("q", "q", "number", digits=3),
        ),
        rows,
        note=_("Cells with more crime than their own past year and the city's trend explain; of those listed at most one in "
        "twenty is expected to be chance."),
        empty=_("No cell stands out: what happened there lately is what their own past explains."),
    )  # fmt: skip
