"""Lines over weeks, drawn on the server as SVG."""

import datetime as dt

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, GREY, VERMILION
from tactics.reports.shapes import Table

MARGIN = dt.timedelta(days=4)
FEW = 4
"""Up to so many weeks each is named under the axis."""


def pai_svg(table: Table | None) -> bytes | None:
    """Prediction accuracy index by week, of missions and of a plain count's boxes, with the line of chance at 1."""
    if table is None or not table.rows:
        return None
    from matplotlib.dates import DateFormatter, date2num
    from matplotlib.ticker import FixedLocator

    on = [dt.date.fromisoformat(str(row[0])) for row in table.rows]
    plain, pai = np.array([row[-2:] for row in table.rows], dtype=float).T
    figure = paper(7.2, 2.8)
    axes = figure.subplots()
    axes.axhline(1, color=VERMILION, linewidth=1, linestyle="--", label=_("Chance"))
    axes.plot(on, plain, "s:", color=GREY, markersize=3, linewidth=1.2, label=_("A plain count"))
    axes.plot(on, pai, "o-", color=BLUE, markersize=4, linewidth=1.4, label=_("Missions"))
    # Above and not at the side, where it would be longer than the axis in some languages.
    axes.set_title(_("PAI (share of events ÷ share of boxes)"), fontsize=9, loc="left")
    # From Monday to Monday, with room beside the first and the last: one week alone would else stand in four years.
    axes.set_xlim(on[0] - MARGIN, on[-1] + MARGIN)
    axes.set_ylim(0, max(2.0, 1.15 * float(np.nanmax([1.0, *pai, *plain]))))
    if len(on) > FEW:
        date_axis(axes, 8)
    else:
        axes.xaxis.set_major_locator(FixedLocator(date2num(on)))
        axes.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=3)
    return svg(figure)
