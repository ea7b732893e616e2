"""The charts of a pack, drawn from its stored tables: parts as bars, ratios as points with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from agencies.engine.drawing import paper, plain_axes, svg
from tactics.transparency.shapes import written_in

COLOURS = ("#56B4E9", "#E69F00", "#0072B2")
HATCHES = ("", "//", "")
HEAD_IN = 1.0
"""Inches of a chart's height for its axis and legend."""
MOST_BARS = 40
"""An agency with more areas gets a chart of the largest and a table of all."""


def chart_of(content: Mapping[str, Any], slug: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a chart of the pack with the table that it is drawn from; None for a name that it has not."""
    for section in content.get("sections", []):
        for chart in section["charts"]:
            if chart["slug"] == slug:
                return chart, next(table for table in section["tables"] if table["slug"] == chart["table"])
    return None


def charts_drawn(content: Mapping[str, Any]) -> dict[str, bytes]:
    """Return every chart of the pack as SVG, by name."""
    found = {}
    with written_in(content):
        for section in content.get("sections", []):
            for chart in section["charts"]:
                table = next(one for one in section["tables"] if one["slug"] == chart["table"])
                found[chart["slug"]] = chart_svg(chart, table)
    return found


def chart_svg(chart: Mapping[str, Any], table: Mapping[str, Any]) -> bytes:
    """Draw one chart, in the language in which this is called. The same pack gives the same bytes. Without any number it says so."""
    return svg(chart_figure(chart, table))


def bars_within(inches: float, n_series: int) -> int:
    """How many rows a dense chart of this height holds, at most as many as any chart shows.

    >>> bars_within(5.7, 3), bars_within(90.0, 2)
    (10, 40)
    """
    return min(int((inches - HEAD_IN) / _row_in(n_series, is_dense=True)), MOST_BARS)


def _row_in(n_series: int, *, is_dense: bool) -> float:
    return 0.11 * n_series + 0.12 if is_dense else 0.17 * n_series + 0.13


def chart_figure(
    chart: Mapping[str, Any], table: Mapping[str, Any], *, most_bars: int = MOST_BARS, is_dense: bool = False
) -> Any:
    """Draw one chart on an empty figure, for whichever kind of file. More rows than ``most_bars``: the largest, and it says so.

    A dense one has thinner bars, for paper.
    """
    column = {one["key"]: at for at, one in enumerate(table["columns"])}
    titles = {one["key"]: one["title"] for one in table["columns"]}
    is_share = table["columns"][column[chart["values"][0]]]["kind"] == "share"
    rows = [row for row in table["rows"] if any(row[column[one]] is not None for one in chart["values"])]
    left_out = max(len(rows) - most_bars, 0)
    if left_out:
        rows = sorted(rows, key=lambda row: -(row[column[chart["values"][-1]]] or 0.0))[:most_bars]
    if not rows:
        return _nothing()
    names = [str(row[column[chart["label"]]]) for row in rows]
    scale = 100.0 if is_share else 1.0
    n_bars = len(chart["values"])
    figure = paper(7.2, max(1.6, HEAD_IN + len(rows) * _row_in(n_bars, is_dense=is_dense)))
    axes = figure.subplots()
    at = np.arange(len(rows))[::-1].astype(float)
    if chart["low"] and n_bars == 1:
        _points(axes, at, rows, chart, column, scale, bars=not chart["even"])
    else:
        height = 0.8 / n_bars
        for number, key in enumerate(chart["values"]):
            values = [scale * (row[column[key]] or 0.0) for row in rows]
            axes.barh(
                at + (n_bars / 2 - 0.5 - number) * height, values, height=height * 0.92, color=COLOURS[number % 3],
                hatch=HATCHES[number % 3], edgecolor="white", linewidth=0.5, label=titles[key],
            )  # fmt: skip
        # Above the bars: inside, the legend hides the longest one.
        figure.legend(loc="outside upper left", ncols=n_bars, frameon=False, fontsize=9)
        axes.set_ylim(-0.6, len(rows) - 0.4)
    if chart["even"]:
        axes.axvline(1.0, color="black", linewidth=1, linestyle="--")
    axes.set_yticks(at, names)
    axes.set_xlabel(chart["unit"] or (_("Per cent") if is_share else titles[chart["values"][0]]), fontsize=9)
    axes.tick_params(labelsize=9)
    if left_out:
        axes.set_title(
            _("The %(most)s largest; %(more)s more are in the table") % {"most": most_bars, "more": left_out},
            fontsize=9,
            loc="left",
        )
    plain_axes(axes)
    axes.set_xlim(left=0)
    return figure


def _points(
    axes: Any, at: Any, rows: Any, chart: Any, column: dict[str, int], scale: float, *, bars: bool
) -> None:
    value, low, high = (
        column[chart[key]] if key != "values" else column[chart[key][0]] for key in ("values", "low", "high")
    )
    for y, row in zip(at, rows, strict=True):
        middle = scale * row[value]
        if bars:
            axes.barh(y, middle, height=0.6, color=COLOURS[0])
        else:
            axes.plot(middle, y, "o", color=COLOURS[2], markersize=5)
        if row[low] is not None and row[high] is not None:
            axes.plot([scale * row[low], scale * row[high]], [y, y], color="black", linewidth=1.4)
    axes.set_ylim(-0.7, len(rows) - 0.3)


def _nothing() -> Any:
    figure = paper(7.2, 0.8)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, _("No figure in this period"), ha="center", va="center", fontsize=11)
    return figure
