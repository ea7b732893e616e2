"""Lines over weeks, drawn on the server as SVG."""

import datetime as dt

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, GREY, VERMILION
from missions_project.lib.days import short_day
from tactics.reports.shapes import Table

MARGIN = dt.timedelta(days=4)
FEW = 4
"""Up to so many weeks each is named under the axis."""
LEGEND = 0.5
"""Height of the key, in hundreds of pixels."""


def pai_svg(table: Table | None) -> bytes | None:
    """Prediction accuracy index by week with its intervals, and of a plain count's boxes, with the line of chance at 1.

    A week whose interval is not known has a hollow mark and no whiskers.
    """
    if table is None or not table.rows:
        return None
    from matplotlib.dates import date2num
    from matplotlib.ticker import FixedLocator

    keys = [column.key for column in table.columns]
    at = [keys.index(key) for key in ("pai_plain_count", "pai", "pai_low", "pai_high")]
    on = [dt.date.fromisoformat(str(row[0])) for row in table.rows]
    plain, pai, low, high = np.array([[row[one] for one in at] for row in table.rows], dtype=float).T
    figure = paper(7.2, 2.8 + LEGEND)
    axes = figure.subplots()
    axes.axhline(1, color=VERMILION, linewidth=1, linestyle="--", label=_("Chance"))
    axes.plot(on, plain, "s:", color=GREY, markersize=3, linewidth=1.2, label=_("A plain count"))
    axes.plot(on, pai, "-", color=BLUE, linewidth=1.4)
    known, unknown = np.isfinite(low), np.isfinite(pai) & ~np.isfinite(low)
    dates = np.array(on)
    if known.any():
        reach = [np.maximum(pai - low, 0)[known], np.maximum(high - pai, 0)[known]]
        axes.errorbar(
            dates[known], pai[known], yerr=reach, fmt="o", color=BLUE, markersize=4,
            elinewidth=1, capsize=2, label=_("Missions, with their interval"),
        )  # fmt: skip
    if unknown.any():
        axes.plot(
            dates[unknown], pai[unknown], "o", color=BLUE, markerfacecolor="white", markersize=4, clip_on=False,
            label=_("Missions, too few events or days for an interval"),
        )  # fmt: skip
    # Above and not at the side, where it would be longer than the axis in some languages.
    axes.set_title(_("PAI (share of events ÷ share of boxes)"), fontsize=9, loc="left")
    # From Monday to Monday, with room beside the first and the last: one week alone would else stand in four years.
    axes.set_xlim(on[0] - MARGIN, on[-1] + MARGIN)
    axes.set_ylim(0, max(2.0, 1.08 * float(np.nanmax([1.0, *pai, *plain, *high]))))
    if len(on) > FEW:
        date_axis(axes, 8)
    else:
        axes.xaxis.set_major_locator(FixedLocator(date2num(on)))
        axes.xaxis.set_ticklabels([short_day(day) for day in on])
    axes.set_xlabel(_("Week from"), fontsize=9)
    plain_axes(axes)
    # In a line of its own above: whiskers reach where a key inside would stand.
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False, fontsize=9
    )
    return svg(figure)
