"""The power curves of an experiment, drawn on the server as SVG."""

from django.utils.translation import gettext as _

from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import BLUE, DEEP_GREEN, GREEN, PURPLE, SKY, VERMILION
from tactics.experiment import ENOUGH, ExperimentShown, duration_words

COLOURS = (SKY, BLUE, GREEN, VERMILION, PURPLE)
MARKS = ("o", "s", "^", "D", "v")
"""Besides the colour: a print in black and white must still tell the lines apart."""


def experiment_svg(shown: ExperimentShown) -> bytes:
    """Draw the chance of showing each fall, a line a length: the contrast in the boxes whole, the net effect dashed."""
    figure = paper(7.6, 4.0)
    axes = figure.subplots()
    axes.axhspan(100 * ENOUGH, 100, color=GREEN, alpha=0.08, linewidth=0)
    axes.annotate(
        _("four of five studies show it"), (0.5, 100 * ENOUGH), xytext=(2, 3), textcoords="offset points", fontsize=9,
        color=DEEP_GREEN,
    )  # fmt: skip
    for number, row in enumerate(shown.by_days):
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        is_asked = row["days"] == shown.choices.days
        for curve, dashes, name in ((row["curve"], "-", "contrast"), (row["net_curve"], "--", "net")):
            axes.plot(
                [100 * effect for effect, __ in curve], [100 * power for __, power in curve], dashes, color=colour,
                marker=mark, markersize=4, linewidth=2.6 if is_asked else 1.2,
                label=f"{duration_words(row['days'])}, {name}",
            )  # fmt: skip
    axes.set_xlim(0, 51)
    axes.set_ylim(0, 101)
    axes.set_xlabel(_("Share of crime prevented by a mission that is carried out, %"))
    axes.set_ylabel(_("Studies that would show it, %"))
    plain_axes(axes)
    legend(axes, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    return svg(figure)
