"""The report builder's chart: lines over weeks and months, bars otherwise; drawn on the server from the report's own table."""

import datetime as dt
import textwrap
from collections import defaultdict
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import QUIET
from missions_project.lib.lazy import gettext_lazy
from tactics.reports.shapes import Table

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
MOST_SERIES = 7
MOST_BARS = 40
REST = gettext_lazy("All others")
TIMES = ("week", "month")


def bars_height(bars: int, splits: int) -> int:
    """Pixels of a chart of so many bars: a key of pieces beside it needs room for all of them.

    >>> bars_height(2, 1), bars_height(2, 2), bars_height(90, 2)
    (154, 264, 990)
    """
    return 110 + 22 * max(min(bars, MOST_BARS), MOST_SERIES if splits > 1 else 1)


def built_svg(table: Table, splits: list[str]) -> bytes:
    """Draw the table ``lines``: at most seven series, the largest by name and the others as one; at most forty bars.

    Over time each series is a line; otherwise each line of the table is a bar, pieces of it the second split's.
    """
    time = next((name for name in splits if name in TIMES), None)
    return _over_time(table, splits, time) if time else _bars(table, splits)


def _series(table: Table, along: int, other: int | None) -> tuple[list[str], dict[str, list[float]]]:
    """Labels along the axis, and by series its values there; without a second split one series of the measure's name."""
    value = 2 if other is not None else 1
    labels = list(dict.fromkeys(str(row[along]) for row in table.rows))
    sums: dict[str, float] = defaultdict(float)
    name = str(table.columns[value].title)
    for row in table.rows:
        sums[str(row[other]) if other is not None else name] += float(row[value] or 0)
    largest = sorted(sums, key=lambda one: -sums[one])
    named = set(largest if len(largest) <= MOST_SERIES else largest[: MOST_SERIES - 1])
    kept = [one for one in sums if one in named] + ([str(REST)] if len(named) < len(sums) else [])
    place = {label: position for position, label in enumerate(labels)}
    values: dict[str, list[float]] = {one: [0.0] * len(labels) for one in kept}
    for row in table.rows:
        one = str(row[other]) if other is not None else name
        values[one if one in named else str(REST)][place[str(row[along])]] += float(row[value] or 0)
    # Hours are told as the agency reads a clock; an axis of time writes its dates itself.
    if table.columns[along].key not in TIMES:
        labels = [table.columns[along].shown(label) for label in labels]
    return labels, values if other is None else {
        table.columns[other].shown(one): own for one, own in values.items()
    }


def _compared(table: Table, splits: list[str]) -> list[tuple[str, list[float]]]:
    """The earlier periods' values, where the table is split once."""
    if len(splits) > 1:
        return []
    found = [(at, c.title) for at, c in enumerate(table.columns) if c.key in ("before", "year")]
    return [
        (title, [np.nan if row[at] is None else float(str(row[at])) for row in table.rows])
        for at, title in found
    ]


def _over_time(table: Table, splits: list[str], time: str) -> bytes:
    along = splits.index(time)
    labels, series = _series(table, along, 1 - along if len(splits) == 2 else None)
    on = [dt.date.fromisoformat(label if time == "week" else f"{label}-01") for label in labels]
    figure = paper(7.2, 3.2)
    axes = figure.subplots()
    for number, (name, values) in enumerate(series.items()):
        axes.plot(
            on, values, color=COLOURS[number % len(COLOURS)], linestyle=LINES[number % len(LINES)], linewidth=1.6,
            marker="o" if len(on) < 15 else None, markersize=4, label=name,
        )  # fmt: skip
    for number, (name, values) in enumerate(_compared(table, splits)):
        axes.plot(on, values, color=QUIET, linestyle=LINES[1 + number], linewidth=1.2, label=name)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(_unit(table, splits), fontsize=9)
    date_axis(axes, 8)
    _finish(axes)
    return svg(figure)


def _bars(table: Table, splits: list[str]) -> bytes:
    labels, series = _series(table, 0, 1 if len(splits) == 2 else None)
    shown = min(len(labels), MOST_BARS)
    figure = paper(7.2, bars_height(shown, len(splits)) / 100)
    axes = figure.subplots()
    left = np.zeros(shown)
    places = np.arange(shown)
    for number, (name, values) in enumerate(series.items()):
        width = np.array(values[:shown])
        axes.barh(places, width, left=left, height=0.7, color=COLOURS[number % len(COLOURS)], label=name,
                  edgecolor="white", linewidth=0.4)  # fmt: skip
        left += width
    for number, (name, past) in enumerate(_compared(table, splits)):
        axes.plot(past[:shown], places, linestyle="none", marker="|D"[number], color="#D55E00" if number else "black",
                  markersize=4 if number else 12, label=name)  # fmt: skip
    axes.set_yticks(places, labels[:shown], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(_unit(table, splits), fontsize=9)
    if shown < len(labels):
        axes.set_title(
            _("The first %(shown)s of %(labels)s") % {"shown": shown, "labels": len(labels)},
            fontsize=9,
            loc="left",
        )
    _finish(axes)
    return svg(figure)


def _unit(table: Table, splits: list[str]) -> str:
    column = table.columns[len(splits)]
    return column.heading


def _finish(axes: Any) -> None:
    axes.tick_params(labelsize=9)
    plain_axes(axes)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        handles, names = axes.get_legend_handles_labels()
        # Long names in several lines: in one they would take the width of the bars.
        short = [textwrap.fill(name, 24) for name in names]
        legend(axes, handles=handles, labels=short, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
