"""The charts of crime trends, drawn on the server as SVG from the report's own tables."""

import datetime as dt

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.clocks import hour_text
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, SEQUENTIAL, VERMILION
from tactics.reports.shapes import Table

LEGEND = 0.3
"""Height of the key, in hundreds of pixels."""


def weeks_svg(table: Table | None) -> bytes | None:
    """Small multiples: crimes a week by type, a band where chance keeps to, a mark where it does not."""
    if table is None:
        return None
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    rows = max(1, (len(names) + 1) // 2)
    figure = paper(7.2, 1.8 * rows + LEGEND)
    grid = figure.subplots(rows, 2, squeeze=False, sharex=True)
    for axes, name in zip(grid.ravel(), names, strict=False):
        own = [row for row in table.rows if row[0] == name]
        on = [dt.date.fromisoformat(str(row[1])) for row in own]
        count, mean, low, high = (
            np.array([np.nan if row[i] is None else row[i] for row in own], dtype=float) for i in (2, 3, 4, 5)
        )
        axes.fill_between(on, low, high, color=BLUE, alpha=0.15, linewidth=0, label=_("What chance allows"))
        axes.plot(on, mean, color=BLUE, linewidth=1, label=_("Mean of earlier years"))
        axes.plot(on, count, color="black", linewidth=1.2, label=_("Crimes"))
        outside = (count > high) | (count < low)
        axes.plot(
            np.array(on)[outside], count[outside], "o", color=VERMILION, markersize=4, label=_("Outside")
        )
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_ylim(bottom=0)
        axes.set_ylabel(_("Crimes a week"), fontsize=9)
        axes.tick_params(labelsize=9)
        date_axis(axes, 5)
        plain_axes(axes)
    for axes in grid.ravel()[len(names) :]:
        axes.set_axis_off()
        # Nothing stands below the chart above it: that one carries the dates of its column.
        grid[rows - 2, 1].tick_params(labelbottom=rows > 1)
    # One key for all of them, in a line of its own above.
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return svg(figure)


def hours_svg(table: Table | None) -> bytes | None:
    """A heat map, weekday × hour, in crimes; every other hour is named."""
    if table is None:
        return None
    values = np.array([[float(value or 0) for value in row[1:]] for row in table.rows])
    figure = paper(7.2, 2.6)
    axes = figure.subplots()
    axes.tick_params(labelsize=9)
    image = axes.imshow(values, cmap=SEQUENTIAL, aspect="auto", vmin=0)
    axes.set_yticks(range(7), [str(row[0])[:3] for row in table.rows])
    axes.set_xticks(range(0, 24, 2), [hour_text(dt.time(hour)) for hour in range(0, 24, 2)])
    axes.set_xlabel(_("Hour of the day (agency's clock)"), fontsize=9)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label(_("Crimes"), fontsize=9)
    bar.ax.tick_params(labelsize=9)
    return svg(figure)
