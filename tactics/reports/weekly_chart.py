"""A line over weeks, drawn on the server as SVG."""

import datetime as dt

import numpy as np
from django.utils.translation import gettext as _

from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, VERMILION
from tactics.reports.days import date_axis
from tactics.reports.shapes import Table


def pai_svg(table: Table | None) -> bytes | None:
    """Prediction accuracy index by week, with the line of chance at 1."""
    if table is None or not table.rows:
        return None
    on = [dt.date.fromisoformat(str(row[0])) for row in table.rows]
    pai = np.array([np.nan if row[-1] is None else row[-1] for row in table.rows], dtype=float)
    figure = paper(7.2, 2.8)
    axes = figure.subplots()
    axes.axhline(1, color=VERMILION, linewidth=1, linestyle="--", label=_("Chance"))
    axes.plot(on, pai, "o-", color=BLUE, markersize=4, linewidth=1.4, label=_("Missions"))
    axes.set_ylabel(_("PAI (share of events ÷ share of boxes)"), fontsize=8)
    axes.set_ylim(bottom=0)
    date_axis(axes, 8)
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)
