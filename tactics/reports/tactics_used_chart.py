"""The charts of the tactic report, drawn on the server as SVG from the report's own tables."""

import datetime as dt
import textwrap

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.clocks import hour_text
from agencies.engine.drawing import paper, plain_axes, svg
from tactics.reports.shapes import Table

BLUE = "#0072B2"


def uses_svg(table: Table) -> bytes:
    """Small multiples on one scale: unit-hours a week, one panel a tactic."""
    names = sorted({str(row[1]) for row in table.rows})
    weeks = sorted({str(row[0]) for row in table.rows})
    hours = np.zeros((len(names), len(weeks)))
    for row in table.rows:
        hours[names.index(str(row[1])), weeks.index(str(row[0]))] = float(row[3] or 0.0) / 60
    on = [dt.date.fromisoformat(week) for week in weeks]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = paper(7.2, 0.6 + 1.3 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, name, own in zip(panels.ravel(), names, hours, strict=False):
        axes.bar(on, own, width=6, align="edge", color=BLUE)
        axes.set_title(textwrap.fill(name, 30), fontsize=9, loc="left")
        axes.tick_params(labelsize=9)
        date_axis(axes, 4)
        axes.xaxis.get_offset_text().set_fontsize(9)
        plain_axes(axes)
    for axes in panels.ravel()[len(names) :]:
        axes.set_axis_off()
    figure.supylabel(_("Unit-hours a week"), fontsize=9)
    return svg(figure)


def followed_svg(table: Table) -> bytes:
    """A dot a tactic with its 95 % interval, the number of missions beside it; the last line is all of them."""
    rows = list(reversed(table.rows))
    figure = paper(7.2, 0.9 + 0.26 * len(rows))
    axes = figure.subplots()
    for at, row in enumerate(rows):
        if row[4] is None:
            continue
        share, low, high = (100 * float(value or 0.0) for value in row[4:7])
        axes.plot([low, high], [at, at], color=BLUE, linewidth=1.6)
        axes.plot([share], [at], "o" if row[0] != _("All") else "D", color=BLUE, markersize=5)
    axes.set_yticks(
        range(len(rows)),
        [
            _("%(tactic)s (%(done)s of %(seen)s missions)")
            % {"tactic": row[0], "done": f"{row[3]:,}", "seen": f"{row[2]:,}"}
            for row in rows
        ],
        fontsize=9,
    )
    axes.set_xlim(0, 100)
    # Under the names as well: under the axis alone it would be cut at the edge.
    figure.supxlabel(_("Recommended tactic done at visited missions, % (line: interval of 95 %)"), fontsize=9)
    axes.tick_params(labelsize=9)
    plain_axes(axes)
    return svg(figure)


def hours_svg(table: Table) -> bytes:
    """A heat map, tactic × hour of the day, in unit-hours."""
    values = np.array([[float(value or 0) / 60 for value in row[1:]] for row in table.rows])
    figure = paper(7.2, 1.2 + 0.28 * len(values))
    axes = figure.subplots()
    image = axes.imshow(values, cmap="cividis", aspect="auto", vmin=0)
    axes.set_yticks(range(len(values)), [str(row[0]) for row in table.rows], fontsize=9)
    hours = range(0, 24, 3)
    axes.set_xticks(hours, [hour_text(dt.time(hour)) for hour in hours], fontsize=9)
    axes.set_xlabel(_("Hour of arrival (agency's clock)"), fontsize=9)
    figure.colorbar(image, ax=axes, label=_("Unit-hours"))
    return svg(figure)
