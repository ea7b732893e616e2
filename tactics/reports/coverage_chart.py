"""The maps and panels of dosage and coverage, drawn on the server as SVG."""

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.clocks import MILE_M, is_imperial, lengths_read
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import INK, NOTHING
from forecasting.engine.grid import GridSpec
from tactics.reports.shapes import Table

DISTRICT_PANELS = 30
COLOURS = "cividis"
"""Perceptually uniform, and the same to people who cannot tell red from green (Nuñez and others 2018)."""
OUTSIDE = NOTHING


def map_height(shape: float, maps: int, columns: int) -> float:
    """Hundreds of pixels that so many maps take in rows of so many; ``shape`` is a map's height over its width."""
    rows = -(-maps // columns)
    return float(rows * (0.3 + min(max(shape, 0.4), 2.0) * 6.6 / columns) + (0.9 if columns < 3 else 0.6))


def cells_svg(data: dict[str, Any]) -> bytes:
    """Recommended minutes and minutes on record, side by side on one scale."""
    maps = [(_("Recommended"), data["recommended"]), (_("On record"), data["present"])]
    return _maps(data, maps, 2, _("Unit-minutes in the period, by cell"))


def weeks_svg(data: dict[str, Any]) -> bytes:
    """Minutes on record in each stretch of weeks, all on one scale."""
    return _maps(data, data["steps"], 4, _("Unit-minutes on record, by cell"))


def _maps(data: dict[str, Any], maps: list[tuple[str, npt.NDArray[np.float32]]], columns: int, label: str) -> bytes:  # fmt: skip
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import MaxNLocator

    spec = GridSpec.from_bytes(data["spec"])
    rows = -(-len(maps) // columns)
    figure = paper(7.2, map_height(spec.n_rows / spec.n_cols, len(maps), columns))
    panels = figure.subplots(rows, columns, squeeze=False)
    inside = np.concatenate([values[data["kept"]] for __, values in maps])
    some = inside[inside > 0]
    # One busy cell must not make all others look empty: the scale ends at the 99.5th percentile, and says so.
    top = max(float(np.quantile(some, 0.995)), 1.0) if len(some) else 1.0
    # Square root: most cells have few minutes, some have hundreds.
    scale = PowerNorm(0.5, vmin=0, vmax=top, clip=True)
    colours = colormaps[COLOURS].with_extremes(bad=(0, 0, 0, 0))
    extent = (
        spec.x0_m, spec.x0_m + spec.n_cols * spec.cell_size_m, spec.y0_m, spec.y0_m + spec.n_rows * spec.cell_size_m,
    )  # fmt: skip
    image = None
    for axes, (title, values) in zip(panels.ravel(), maps, strict=False):
        raster = np.full((spec.n_rows, spec.n_cols), np.nan, dtype=np.float32)
        raster[spec.rows, spec.cols] = np.where(data["kept"], values, np.nan)
        image = axes.imshow(
            raster, origin="lower", extent=extent, cmap=colours, norm=scale, interpolation="none"
        )
        for outline in data["outlines"]:
            axes.plot(outline[:, 0], outline[:, 1], color="#ffffff", linewidth=1.2)
            axes.plot(outline[:, 0], outline[:, 1], color=INK, linewidth=0.5)
        axes.set_facecolor(OUTSIDE)
        axes.set_xlim(extent[:2])
        axes.set_ylim(extent[2:])
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
    _scale_bar(panels.ravel()[0], extent)
    for axes in panels.ravel()[len(maps) :]:
        axes.set_axis_off()
    beyond = "max" if len(some) and float(some.max()) > top else "neither"
    bar = figure.colorbar(image, ax=panels, location="bottom", fraction=0.05, aspect=50, pad=0.02, extend=beyond)  # fmt: skip
    bar.set_label(
        lengths_read(
            _("%(label)s (cell: %(cell_size_m)s m; lines: districts)")
            % {"label": label, "cell_size_m": f"{spec.cell_size_m:g}"}
        ),
        fontsize=9,
    )
    bar.ax.tick_params(labelsize=9)
    # Few, and none at the bent end of the scale, where their labels would run into each other.
    bar.set_ticks([one for one in MaxNLocator(5).tick_values(0.0, top) if 0 <= one <= 0.97 * top])
    return svg(figure)


def _scale_bar(axes: Any, extent: tuple[float, float, float, float]) -> None:
    """A length in kilometres or miles, about a quarter of the map's width."""
    west, east, south, north = extent
    unit_m = MILE_M if is_imperial() else 1000
    units = next((one for one in (20, 10, 5, 2, 1, 0.5) if unit_m * one <= (east - west) / 3), 0.2)
    if is_imperial():
        words = _("%(metres)s miles") % {"metres": f"{units:g}"}
    else:
        words = _("%(km)s km") % {"km": f"{units:g}"}
    x, y = west + 0.03 * (east - west), south + 0.04 * (north - south)
    axes.plot([x, x + unit_m * units], [y, y], color="white", linewidth=4, solid_capstyle="butt")
    axes.plot([x, x + unit_m * units], [y, y], color="black", linewidth=2, solid_capstyle="butt")
    axes.text(x + unit_m * units / 2, y + 0.015 * (north - south), words, ha="center", va="bottom", fontsize=9,
              bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1})  # fmt: skip


def districts_svg(table: Table | None) -> bytes | None:
    """Small multiples on one scale: unit-hours a week delivered (bars) and recommended (steps), a panel a district."""
    if table is None or not table.rows:
        return None
    codes = list(dict.fromkeys(str(row[0]) for row in table.rows))[:DISTRICT_PANELS]
    columns = 3
    figure = paper(7.2, 0.8 + 1.3 * -(-len(codes) // columns))
    panels = figure.subplots(-(-len(codes) // columns), columns, squeeze=False, sharex=True, sharey=True)
    for axes, code in zip(panels.ravel(), codes, strict=False):
        own = [row for row in table.rows if row[0] == code]
        on = [dt.date.fromisoformat(str(row[1])) for row in own]
        asked, done = (np.array([float(row[at] or 0.0) / 60 for row in own]) for at in (2, 3))
        axes.bar(on, done, width=6, align="edge", color="#56B4E9", label=_("At missions"))
        edges = [*on, on[-1] + dt.timedelta(days=7)]
        axes.step(
            edges, [*asked, asked[-1]], where="post", color="black", linewidth=1, label=_("Recommended")
        )
        axes.set_title(_("District %(code)s") % {"code": code}, fontsize=9, loc="left")
        axes.tick_params(labelsize=9)
        date_axis(axes, 4)
        axes.xaxis.get_offset_text().set_fontsize(9)
        plain_axes(axes)
    for axes in panels.ravel()[len(codes) :]:
        axes.set_axis_off()
    # After all panels: a limit set earlier would hold the scale that they share at the first one's height.
    panels.ravel()[0].set_ylim(bottom=0)
    figure.legend(
        *panels.ravel()[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=2,
        fontsize=9,
        frameon=False,
    )
    figure.supylabel(_("Unit-hours a week"), fontsize=9)
    return svg(figure)
