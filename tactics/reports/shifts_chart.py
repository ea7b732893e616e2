"""Who was where over a day, drawn on the server as SVG."""

import datetime as dt

from django.utils.translation import gettext as _

from agencies.clocks import clock_text
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, GREY, ORANGE, PURPLE, SKY
from missions_project.lib.lazy import gettext_lazy
from tactics.reports.shapes import Table

COLOURS = {
    gettext_lazy("Vehicle location"): BLUE,
    gettext_lazy("Officer's timer"): SKY,
    gettext_lazy("Dispatch record"): ORANGE,
    gettext_lazy("Entered by hand"): PURPLE,
}


def whereabouts_svg(table: Table | None) -> bytes | None:
    """A lane a unit, a bar a stay with the mission's number; hours of the first shift's day, on past midnight. The rows that the page shows."""
    if table is None or not table.rows:
        return None
    rows = table.rows[: table.most_shown or None]
    units = sorted({str(row[2]) for row in rows}, reverse=True)
    figure = paper(7.2, 1.0 + 0.22 * max(3, len(units)))
    axes = figure.subplots()
    colours = {str(source): colour for source, colour in COLOURS.items()}
    shown: set[str] = set()
    first = _hours(str(rows[0][6]))
    for row in rows:
        start, end = (_hours(str(row[column])) for column in (6, 7))
        # Rows are in order of arrival: an earlier hour than the first one's is the next day's.
        start += 24 * (start < first)
        end += 24 * (end < start)
        source = str(row[9])
        axes.barh(
            units.index(str(row[2])), max(end - start, 0.05), left=start, height=0.7, color=colours.get(source, GREY),
            label=None if source in shown else source,
        )  # fmt: skip
        axes.text(start, units.index(str(row[2])), f" {row[4]}", va="center", fontsize=9)
        shown.add(source)
    axes.set_yticks(range(len(units)), units, fontsize=9)
    axes.xaxis.set_major_formatter(lambda hour, __: _clock(hour))
    axes.set_xlabel(_("Agency's clock"))
    plain_axes(axes)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9, frameon=False)
    return svg(figure)


def _clock(hour: float) -> str:
    """Hours since the first day's midnight, as its agency reads a clock."""
    minutes = round(hour * 60) % (24 * 60)
    return clock_text(dt.time(minutes // 60, minutes % 60))


def _hours(clock: str) -> float:
    hour, minute = clock.split(":")
    return int(hour) + int(minute) / 60
