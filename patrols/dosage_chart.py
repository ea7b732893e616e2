"""The chart of recommended against delivered dose, drawn on the server as SVG."""

from django.utils.translation import gettext as _

from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import BLUE, ORANGE, PURPLE, SKY
from patrols.dosage import SOURCE_LABELS, DosageReport
from patrols.engine.reconcile import SOURCES

COLOURS = {"avl": BLUE, "timer": SKY, "cad": ORANGE, "manual": PURPLE}
HATCHES = {"avl": "", "timer": "//", "cad": "..", "manual": "xx"}
"""Besides the colour: a print in black and white must still tell the sources apart."""
MOST_BEATS = 25


def chart_size(report: DosageReport) -> tuple[int, int]:
    """Width and height of the chart in pixels: a page that reserves its place does not jump when it comes."""
    lines = min(len(report.beats), MOST_BEATS)
    return 720, round(150 + 26 * max(lines, 4))


def dosage_svg(report: DosageReport) -> bytes:
    """Draw hours a beat: a tick for what was recommended, a bar of what was delivered, in parts by source.

    The 25 beats with the most recommended minutes; the table on the page has all.
    """
    busiest = sorted(report.beats, key=lambda line: (-line.recommended, line.name))[:MOST_BEATS]
    lines = sorted(busiest, key=lambda line: line.name, reverse=True)
    width, height = chart_size(report)
    figure = paper(width / 100, height / 100)
    axes = figure.subplots()
    at = range(len(lines))
    left = [0.0] * len(lines)
    for source in SOURCES:
        hours = [line.by_source[source] / 60 for line in lines]
        # A lazy text is no str to matplotlib: it takes it for a list of labels, one for each bar.
        if any(hours):
            # A translated label that is no string yet is taken for a list of letters, one a bar.
            axes.barh(
                at, hours, left=left, height=0.6, color=COLOURS[source], hatch=HATCHES[source], edgecolor="white",
                linewidth=0.4, label=str(SOURCE_LABELS[source]),
            )  # fmt: skip
        left = [a + b for a, b in zip(left, hours, strict=True)]
    if lines:
        labels = [_("Beat %(line)s") % {"line": line.name} for line in lines]
        axes.plot(
            [line.recommended / 60 for line in lines], at, "|", color="black", markersize=13, markeredgewidth=2.2,
            label=_("Recommended"),
        )  # fmt: skip
        axes.set_yticks(at, labels)
        axes.set_ylim(-0.7, len(lines) - 0.3)
    else:
        axes.text(
            0.5, 0.5, _("no missions of ended shifts"), transform=axes.transAxes, ha="center", va="center"
        )
        axes.set_yticks([])
    axes.set_xlim(left=0)
    axes.set_xlabel(_("Unit-hours at missions"))
    plain_axes(axes)
    legend(axes, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
    return svg(figure)
