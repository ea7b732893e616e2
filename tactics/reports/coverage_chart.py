"""The maps and panels of dosage and coverage, drawn on the server as SVG."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.clocks import KM2_A_SQUARE_MILE, MILE_M, is_imperial, lengths_read
from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import INK, NOTHING
from forecasting.engine.grid import GridSpec
from tactics.reports.coverage_stretches import DISTRICTS, drawn_columns
from tactics.reports.shapes import Table

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
DISTRICT_PANELS = 30
COLOURS = "cividis"
"""Perceptually uniform, and the same to people who cannot tell red from green (Nuñez and others 2018)."""
OUTSIDE = NOTHING


@dataclass(frozen=True)
class Maps:
    """Small multiples on one scale. ``of_cell``: int[N], which of a map's amounts each cell of the grid shows, -1 none."""

    of_cell: Ints
    named: Sequence[tuple[str, Floats]]
    label: str
    outside: str
    """What is grey."""
    parted: Ints | None = None
    """int[N], the district of each cell, where thin lines part what lies in one district; districts have lines of their own."""


def map_height(shape: float, maps: int, columns: int) -> float:
    """Hundreds of pixels that so many maps take in rows of so many; ``shape`` is a map's height over its width."""
    rows = -(-maps // columns)
    return float(rows * (0.3 + min(max(shape, 0.4), 2.0) * 6.6 / columns) + (1.2 if columns < 3 else 0.9))


def cells_svg(data: dict[str, Any]) -> bytes:
    """Recommended minutes and minutes on record, side by side on one scale."""
    named = [(_("Recommended"), data["recommended"]), (_("On record"), data["present"])]
    own = np.where(data["kept"], np.arange(len(data["kept"])), -1)
    label = _of_cells(data, _("Unit-minutes in the period, by cell"))
    return _drawn(data, Maps(own, named, label, _("Outside the grid, or the choice")), 2)


def over_time_svg(data: dict[str, Any], table: Table) -> bytes | None:
    """Minutes on record in each stretch of weeks, all on one scale: of each cell, or for the area of each beat or district.

    None for a report that is kept from before its tables held these figures.
    """
    numbers = data.get("row_of_cell", {})
    if table.slug not in numbers or not table.rows:
        return None
    rows = list(table.rows)
    named = [(title, np.array([row[at] for row in rows], dtype=np.float64)) for at, title in drawn_columns(table)]  # fmt: skip
    own = numbers[table.slug]
    if table.place == "cell":
        label = _of_cells(data, _("Unit-minutes on record, by cell"))
        return _drawn(data, Maps(own, named, label, _("Outside the grid, or the choice")), 4)
    by_beat, outside = table.place == "beat", _("Outside all beats, or the choice")
    words = {
        (True, False): _("Unit-minutes on record per km² (thin lines: beats; strong ones: districts)"),
        (True, True): _("Unit-minutes on record per square mile (thin lines: beats; strong ones: districts)"),
        (False, False): _("Unit-minutes on record per km² (lines: districts)"),
        (False, True): _("Unit-minutes on record per square mile (lines: districts)"),
    }
    if is_imperial():
        named = [(title, amounts * KM2_A_SQUARE_MILE) for title, amounts in named]
    parted = numbers[DISTRICTS] if by_beat else None
    return _drawn(data, Maps(own, named, words[by_beat, is_imperial()], outside, parted), 4)


def _of_cells(data: dict[str, Any], label: str) -> str:
    """What the scale says under maps of cells."""
    words = _("%(label)s (cell: %(cell_size_m)s m; lines: districts)")
    size_m = GridSpec.from_bytes(data["spec"]).cell_size_m
    return lengths_read(words % {"label": label, "cell_size_m": f"{size_m:g}"})


def _drawn(data: dict[str, Any], maps: Maps, columns: int) -> bytes:
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    spec = GridSpec.from_bytes(data["spec"])
    rows = -(-len(maps.named) // columns)
    figure = paper(7.2, map_height(spec.n_rows / spec.n_cols, len(maps.named), columns))
    panels = figure.subplots(rows, columns, squeeze=False)
    numbers = _laid_out(spec, maps.of_cell)
    some = np.concatenate([values[np.unique(numbers[numbers >= 0])] for __, values in maps.named])
    some = some[some > 0]
    # One busy cell must not make all others look empty: the scale ends at the 99.5th percentile, and says so.
    top = max(float(np.quantile(some, 0.995, method="higher")), 1.0) if len(some) else 1.0
    # Square root: most cells have few minutes, some have hundreds.
    scale = PowerNorm(0.5, vmin=0, vmax=top, clip=True)
    colours = colormaps[COLOURS].with_extremes(bad=(0, 0, 0, 0))
    extent = (
        spec.x0_m, spec.x0_m + spec.n_cols * spec.cell_size_m, spec.y0_m, spec.y0_m + spec.n_rows * spec.cell_size_m,
    )  # fmt: skip
    image = None
    edges = None if maps.parted is None else _edges(spec, numbers, _laid_out(spec, maps.parted))
    for axes, (title, values) in zip(panels.ravel(), maps.named, strict=False):
        image = axes.imshow(
            np.append(values, np.nan)[numbers], origin="lower", extent=extent, cmap=colours, norm=scale, interpolation="none"
        )  # fmt: skip
        if edges is not None:
            # As a picture: as lines twelve maps of 277 beats would be more than a megabyte.
            axes.add_collection(_lines(edges), autolim=False)
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
    for axes in panels.ravel()[len(maps.named) :]:
        axes.set_axis_off()
    beyond = "max" if len(some) and float(some.max()) > top else "neither"
    bar = figure.colorbar(image, ax=panels, location="bottom", fraction=0.05, aspect=50, pad=0.02, extend=beyond)  # fmt: skip
    bar.set_label(maps.label, fontsize=9)
    bar.ax.tick_params(labelsize=9)
    # Few, and none at the bent end of the scale, where their labels would run into each other.
    bar.set_ticks([one for one in MaxNLocator(5).tick_values(0.0, top) if 0 <= one <= 0.97 * top])
    if (numbers < 0).any():
        grey = Patch(facecolor=OUTSIDE, edgecolor=INK, linewidth=0.5, label=maps.outside)
        figure.legend(handles=[grey], loc="outside upper right", frameon=False, fontsize=9)
    return svg(figure)


def _laid_out(spec: GridSpec, of_cell: Ints) -> Ints:
    """Numbers of cells as int64 [rows, columns], -1 where there is no cell."""
    found = np.full((spec.n_rows, spec.n_cols), -1, dtype=np.int64)
    found[spec.rows, spec.cols] = of_cell
    return found


def _edges(spec: GridSpec, numbers: Ints, within: Ints) -> Floats:
    """The sides between cells of different numbers inside one area, in metres: float64 [sides, 2 ends, (x, y)]."""
    row, column = np.nonzero((numbers[:, 1:] != numbers[:, :-1]) & (within[:, 1:] == within[:, :-1]))
    upright = np.stack([column + 1, row, column + 1, row + 1], axis=1)
    row, column = np.nonzero((numbers[1:] != numbers[:-1]) & (within[1:] == within[:-1]))
    level = np.stack([column, row + 1, column + 1, row + 1], axis=1)
    sides = np.concatenate([upright, level]).reshape(-1, 2, 2)
    return np.array([spec.x0_m, spec.y0_m]) + sides * spec.cell_size_m


def _lines(edges: Floats) -> Any:
    from matplotlib.collections import LineCollection

    return LineCollection(list(edges), colors="white", linewidths=0.4, rasterized=True, antialiaseds=False)


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


def panels_height(districts: int) -> float:
    """Hundreds of pixels that the panels of so many districts take."""
    return 0.8 + 1.3 * -(-min(districts, DISTRICT_PANELS) // 3)


def districts_svg(table: Table | None) -> bytes | None:
    """Small multiples on one scale: unit-hours a week delivered (bars) and recommended (steps), a panel a district, the first thirty.

    Where there are more the drawing says so, as its title on the page does: it may be looked at by itself.
    """
    if table is None or not table.rows:
        return None
    every = list(dict.fromkeys(str(row[0]) for row in table.rows))
    codes = every[:DISTRICT_PANELS]
    columns = 3
    figure = paper(7.2, panels_height(len(every)))
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
    if len(every) > len(codes):
        told = {"most": f"{len(codes):,}", "districts": f"{len(every):,}"}
        figure.supxlabel(_("The first %(most)s of %(districts)s districts by code") % told, fontsize=9)
    figure.supylabel(_("Unit-hours a week"), fontsize=9)
    return svg(figure)
