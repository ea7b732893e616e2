"""The curves of the time until the next crime, drawn on the server as SVG and labelled for what they are."""

from typing import Any

from django.utils.translation import gettext as _

from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import BLUE, GREEN, PURPLE, QUIET, VERMILION

COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
DASHES = ("-", "--", "-.", ":")
"""Besides the colour: a print in black and white must still tell the lines apart."""


def curves_svg(curves: list[dict[str, Any]], *, clock: str) -> bytes:
    """Draw the share of boxes with a crime against the minutes since the clock's start, with pointwise bands."""
    figure = paper(7.2, 3.6)
    axes = figure.subplots()
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        label = _("%(name)s (%(boxes)s, %(crimes)s with a crime)") % {
            "name": curve["name"],
            "boxes": f"{curve['boxes']:,}",
            "crimes": f"{curve['crimes']:,}",
        }
        axes.step(
            curve["minutes"], [100 * one for one in curve["share"]], DASHES[number % len(DASHES)], where="post",
            color=colour, linewidth=1.8, label=label,
        )  # fmt: skip
        axes.fill_between(
            curve["minutes"], [100 * one for one in curve["low"]], [100 * one for one in curve["high"]], step="post",
            color=colour, alpha=0.12, linewidth=0,
        )  # fmt: skip
    if not curves:
        axes.text(0.5, 0.5, _("no visits were counted in this period"), transform=axes.transAxes, ha="center")
    axes.set_title(_("Descriptive"), loc="right", fontsize=9, color=QUIET)
    axes.set_xlabel(_("Minutes since %(clock)s") % {"clock": clock})
    axes.set_ylabel(_("Boxes with a crime by then, %"))
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    plain_axes(axes)
    legend(axes, loc="upper left", fontsize=9)
    return svg(figure)
