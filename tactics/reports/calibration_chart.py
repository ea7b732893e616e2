"""Expected against observed counts by tenth of the cells, drawn on the server as SVG."""

from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, INK
from tactics.reports.caught import TENTHS
from tactics.reports.shapes import Cell, Chart, Table

HEIGHT = 460
NUMBER_WIDTH = 0.027
"""How far apart two tenths lie, in parts of the axis, that both have room for their numbers."""
Floats = npt.NDArray[np.float64]


def calibration_charts(table: Table) -> tuple[Chart, ...]:
    """The chart and what it shows in words; none where nothing was expected."""
    tenths = _tenths(table)
    if not tenths or not any(_number(row, table, "expected") for row in tenths):
        return ()
    riskiest, calmest = tenths[0], tenths[-1]
    alt = _(
        "Observed events against expected ones in ten groups of cells, from 1, the riskiest tenth, to 10, with 95 %% intervals where they are known. "
        "On the diagonal as many were observed as were expected; above it more. Tenth 1: %(expected_first)s expected, %(observed_first)s observed; "
        "tenth 10: %(expected_last)s expected, %(observed_last)s observed."
    ) % {
        "expected_first": f"{_number(riskiest, table, 'expected'):,.1f}",
        "observed_first": f"{_number(riskiest, table, 'observed'):,.0f}",
        "expected_last": f"{_number(calmest, table, 'expected'):,.1f}",
        "observed_last": f"{_number(calmest, table, 'observed'):,.0f}",
    }
    return (
        Chart(
            "calibration", _("Expected against observed, by tenth of the cells"), alt, table.slug, 720, HEIGHT
        ),
    )


def calibration_svg(table: Table | None) -> bytes | None:
    """A mark for each tenth with its number, whiskers of its interval, and the diagonal of a forecast that is right on average.

    Both axes are square roots: the riskiest tenth holds a hundred times what the last one does, and chance moves all alike there.
    """
    if table is None or not (rows := _tenths(table)):
        return None
    expected, observed = (
        np.array([_number(row, table, key) for row in rows]) for key in ("expected", "observed")
    )
    low, high = _observed_ends(rows, table, expected)
    known = np.isfinite(low)
    figure = paper(7.2, HEIGHT / 100)
    axes = figure.subplots()
    top = 1.1 * max(1.0, float(np.nanmax([*expected, *observed, *high])))
    axes.plot([0, top], [0, top], "--", color=INK, linewidth=1, label=_("As many as expected"))
    if known.any():
        # Rounding may put an end of no width on the wrong side.
        reach = [np.maximum(observed - low, 0)[known], np.maximum(high - observed, 0)[known]]
        axes.errorbar(
            expected[known], observed[known], yerr=reach, fmt="o", color=BLUE, markersize=5, elinewidth=1, capsize=3, clip_on=False,
            label=_("A tenth of the cells (1: the riskiest), with its interval"),
        )  # fmt: skip
    if not known.all():
        axes.plot(
            expected[~known], observed[~known], "o", color=BLUE, markerfacecolor="white", markersize=5, clip_on=False,
            label=_("A tenth of the cells, interval not known"),
        )  # fmt: skip
    _numbers(axes, rows, expected, np.where(known, high, observed), top)
    _square_roots(axes, top)
    axes.set_xlabel(_("Expected events, in the shifts that were laid out"), fontsize=9)
    axes.set_ylabel(_("Observed events"), fontsize=9)
    plain_axes(axes)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False, fontsize=9
    )
    return svg(figure)


def _numbers(axes: Any, rows: list[tuple[Cell, ...]], expected: Floats, above: Floats, top: float) -> None:
    """The tenths' numbers above their whiskers, but for those that would stand on the one before: they go by the order."""
    last = -np.inf
    for row, x, y in sorted(zip(rows, expected, above, strict=True), key=lambda one: float(one[1])):
        if np.sqrt(x) - last < NUMBER_WIDTH * np.sqrt(top):
            continue
        last = np.sqrt(x)
        axes.annotate(
            str(row[1]), (x, y), xytext=(0, 5), textcoords="offset points", fontsize=9, color=INK, ha="center", va="bottom",
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _square_roots(axes: Any, top: float) -> None:
    """Both axes from 0 to ``top``, square roots, with the same round ticks."""
    series = [0.0] + [digit * 10.0**power for power in range(-2, 8) for digit in (1, 2, 5)]
    ticks = [0.0]
    for one in series:
        if one <= top and np.sqrt(one) - np.sqrt(ticks[-1]) >= 0.09 * np.sqrt(top):
            ticks.append(one)
    for axis, limit in ((axes.set_xscale, axes.set_xlim), (axes.set_yscale, axes.set_ylim)):
        axis("function", functions=(lambda values: np.sqrt(np.maximum(values, 0)), np.square))
        limit(0, top)
    words = [f"{one:,g}" for one in ticks]
    axes.set_xticks(ticks, words, fontsize=9)
    axes.set_yticks(ticks, words, fontsize=9)


def _tenths(table: Table) -> list[tuple[Cell, ...]]:
    """The table's last rows: the tenths, the riskiest first."""
    return list(table.rows[-TENTHS:])


def _number(row: tuple[Cell, ...], table: Table, key: str) -> float:
    """A cell as a number, NaN where it is not known."""
    value = row[[column.key for column in table.columns].index(key)]
    return float("nan") if value is None else float(value)


def _observed_ends(rows: list[tuple[Cell, ...]], table: Table, expected: Floats) -> tuple[Floats, Floats]:
    """The interval of expected over observed, turned into counts that would be observed; NaN where it is not known."""
    least, most = (
        np.array([_number(row, table, f"expected_over_observed_{end}") for row in rows])
        for end in ("from", "to")
    )
    # Without an upper end of the ratio nothing at all may be observed.
    low = np.where(np.isnan(most), np.where(np.isnan(least), np.nan, 0.0), expected / most)
    return low, expected / least
