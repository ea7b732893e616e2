"""The dosage and coverage report: minutes by cell, beat, district and week; the lower-risk areas' share; saturation."""

import datetime as dt
from typing import ClassVar

import numpy as np
import shapely
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import SEES_PLANS
from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, District
from forecasting.engine.grid import to_metres
from missions_project.lib.lazy import gettext_lazy
from tactics.reports.asked import Asked
from tactics.reports.coverage_chart import (
    DISTRICT_PANELS,
    cells_svg,
    districts_svg,
    map_height,
    over_time_svg,
    panels_height,
)
from tactics.reports.coverage_read import Dosed, Floats, Ints, dosed, low_share, most_in_window
from tactics.reports.coverage_stretches import (
    BEATS,
    CELLS,
    DISTRICTS,
    Stretches,
    beat_stretches,
    cell_stretches,
    district_stretches,
)
from tactics.reports.coverage_tables import (
    NAMES,
    NOTHING,
    Districts,
    Spent,
    beat_weeks_table,
    beats_table,
    cells_table,
    district_weeks_table,
    districts_table,
    low_risk_table,
    saturation_table,
    weeks_table,
)
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Chart, Figure, Report, Table


class CoverageReport(ReportKind):
    """Recommended minutes and minutes on record, on the map and by area and week; lower-risk areas; saturation."""

    slug: ClassVar[str] = "coverage"
    title: ClassVar[str] = gettext_lazy("Dosage and coverage")
    what: ClassVar[str] = gettext_lazy(
        "Minutes by cell, beat, district and week, on maps; the lower-risk areas' share; cells near their limit."
    )
    roles: ClassVar[frozenset[str]] = SEES_PLANS
    filters: ClassVar[tuple[str, ...]] = ("district", "beat", "shift")
    is_long: ClassVar[bool] = True

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read missions, presence, designs and areas. Nine queries.

        Raises ``MissionsError`` where there is no grid yet.
        """
        now = timezone.now()
        read = dosed(agency, asked, now)
        week, mondays = _weeks_of(asked)
        whole = Spent.of(read, np.where(read.kept, 0, -1), 1, np.zeros_like(week), 1)
        cells = {name: getattr(read, name).by_cell(len(read.spec)) for name in NAMES}
        present = cells["delivered"] + cells["passing"]
        most = most_in_window(read.recommended, len(read.spec), read.window, asked.days)
        share = {name: low_share(read.harm, cells[name]) for name in NAMES}
        districts = Districts(read)
        by_district = Spent.of(read, districts.of_cell, len(districts.codes), week, len(mondays))
        stretches = Stretches.of(asked)
        on_record = stretches.minutes(read)
        over_time = (
            cell_stretches(read, stretches, on_record),
            beat_stretches(read, stretches, on_record),
            district_stretches(read, districts, stretches, on_record),
        )
        n_cells = int(read.kept.sum())
        asked_for, done, passed = (float(getattr(whole, name).sum()) for name in NAMES)
        part = done / asked_for if asked_for else None
        seen = int(((present > 0) & read.kept).sum())
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=now,
            sentence=_sentence(part, seen, n_cells, share["recommended"], read.target),
            figures=(
                Figure(_("Recommended"), _("%(minutes)s min") % {"minutes": f"{asked_for:,.0f}"}, _("%(plans)s shifts") % {"plans": f"{read.plans:,}"}),
                Figure(_("On record at missions"), _("%(minutes)s min") % {"minutes": f"{done:,.0f}"}, _("%(part)s of these") % {"part": f"{100 * part:.0f} %"} if part is not None else ""),
                Figure(_("Without a mission"), _("%(minutes)s min") % {"minutes": f"{passed:,.0f}"}, _("units that passed or stayed")),
                Figure(_("Cells with any"), _("%(seen)s of %(n_cells)s") % {"seen": f"{seen:,}", "n_cells": f"{n_cells:,}"}, _("minutes on record")),
                Figure(
                    _("Lower-risk areas"),
                    _percent(share["recommended"]),
                    _("of recommended minutes; the draws' target: %(target)s") % {"target": _percent(read.target)},
                ),
                Figure(_("Cells near their limit"), f"{int((most >= read.soft).sum()):,}", _("%(soft)s min or more in %(window)s days") % {"soft": read.soft, "window": read.window}),
            ),
            tables=(
                weeks_table(read, week, mondays),
                low_risk_table(read, cells, share),
                saturation_table(read, most),
                districts_table(read, districts, by_district, present),
                beats_table(read, week, present),
                district_weeks_table(districts, by_district, mondays),
                beat_weeks_table(read, week, mondays),
                *(table for table, __ in over_time[1:]),
                cells_table(read, cells, most),
                over_time[0][0],
            ),
            charts=_charts(read, districts, stretches, tuple(table for table, __ in over_time)) if present.any() or asked_for else (),
            notes=(
                _("Minutes are unit-minutes: two units for ten minutes are twenty. What is on record depends on how complete the "
                "records are: Dosage → Completeness."),
                _("Lower-risk areas: the lower half of cells by expected harm, averaged over %(designs)s designs of the period. The target is the share of missions that the plans' chances gave to each plan's lower half before the draw; it follows from the policy's exploration share.") % {"designs": read.designs},
            ),
            about=(_("Missions and presence of ended shifts on the grid in use, by the local date on which the shift began"),),
            data={
                "grid": read.grid.pk,
                "spec": bytes(read.grid.spec),
                "recommended": cells["recommended"].astype(np.float32),
                "present": present.astype(np.float32),
                "kept": read.kept,
                "row_of_cell": {table.slug: row.astype(np.int32) for table, row in over_time},
                "outlines": _outlines(agency, read.spec.epsg),
            },
        )  # fmt: skip

    def chart(self, report: Report, slug: str) -> bytes | None:
        table = next((report.table(chart.table) for chart in report.charts if chart.slug == slug), None)
        if table is None:
            return None
        if slug == "districts":
            return districts_svg(table)
        return cells_svg(report.data) if slug == "cells" else over_time_svg(report.data, table)


def _weeks_of(asked: Asked) -> tuple[Ints, list[dt.date]]:
    """The week of each day of the period, and the weeks' Mondays."""
    start = asked.first - dt.timedelta(days=asked.first.weekday())
    week = (np.arange(asked.days) + asked.first.weekday()) // 7
    return week.astype(np.int64), [start + dt.timedelta(weeks=int(at)) for at in range(int(week[-1]) + 1)]


def _outlines(agency: Agency, epsg: int) -> list[Floats]:
    """The districts' outlines in the grid's metres, with no more points than a small map can show. One query."""
    rows = District.objects.filter(agency=agency).values_list("code", "geometry")
    found = []
    for __, geometry in rows:
        shape = to_metres(polygon_from_geojson(geometry), epsg).simplify(50.0)
        found += [shapely.get_coordinates(part.exterior) for part in getattr(shape, "geoms", [shape])]
    return found


def _charts(read: Dosed, districts: Districts, stretches: Stretches, over_time: tuple[Table, ...]) -> tuple[Chart, ...]:  # fmt: skip
    shape = read.spec.n_rows / read.spec.n_cols
    over_time_px = round(100 * map_height(shape, len(stretches.dates), 4))
    by_area = _("A map for each stretch of weeks, all on one scale: minutes on record for each unit of area.")
    words = {
        CELLS: (
            "weeks",
            _("Minutes on record by cell, over time"),
            _("A map for each stretch of weeks, all on one scale."),
        ),
        BEATS: (BEATS, _("Minutes on record by beat, over time"), by_area),
        DISTRICTS: (DISTRICTS, _("Minutes on record by district, over time"), by_area),
    }
    return (
        Chart("cells", _("Minutes by cell"), _("Two maps: recommended minutes, and minutes on record."), "cells", 720, round(100 * map_height(shape, 2, 2))),
        *(Chart(*words[table.slug], table.slug, 720, over_time_px) for table in over_time if table.rows),
        _district_panels(len(set(districts.of_cell.tolist()) - {-1})),
    )  # fmt: skip


def _district_panels(districts: int) -> Chart:
    told = {"most": f"{DISTRICT_PANELS:,}", "districts": f"{districts:,}"}
    title = _("Hours a week by district")
    alt = _("Recommended and delivered unit-hours a week, a panel a district.")
    if districts > DISTRICT_PANELS:
        title = _("Hours a week by district: the first %(most)s of %(districts)s by code") % told
        alt = (
            _(
                "Recommended and delivered unit-hours a week, a panel a district: the first %(most)s of %(districts)s by code."
            )
            % told
        )
    return Chart("districts", title, alt, "district-weeks", 720, round(100 * panels_height(districts)))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _sentence(part: float | None, seen: int, cells: int, low: float | None, target: float | None) -> str:
    if part is None and not seen:
        return NOTHING
    told = {
        "seen": f"{seen:,}",
        "cells": f"{cells:,}",
        "part": "" if part is None else f"{100 * part:.0f} %",
        "low": "" if low is None else f"{100 * low:.0f}",
        "target": "" if target is None else f"{100 * target:.0f}",
    }
    if part is None:
        words = _("Units were in %(seen)s of %(cells)s cells.")
    elif low is None or target is None:
        words = _(
            "Units were in %(seen)s of %(cells)s cells and delivered %(part)s of the recommended minutes."
        )
    else:
        words = _(
            "Units were in %(seen)s of %(cells)s cells and delivered %(part)s of the recommended minutes; %(low)s %% of "
            "recommended minutes lay in the lower-risk half of cells (target %(target)s %%)."
        )
    return words % told
