"""The report's one picture: estimates with their intervals, drawn on the server as SVG."""

from typing import Any

from django.utils.translation import gettext as _

from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, INK, VERMILION
from missions_project.lib.lazy import gettext_lazy
from tactics.studies.words import effect_of

SHORT = {
    "net": gettext_lazy("Net effect of the plan"),
    "direct": gettext_lazy("Direct effect"),
    "contrast": gettext_lazy("Drawn against not drawn (AIPW)"),
    "overlap": gettext_lazy("Overlap-weighted"),
    "hajek": gettext_lazy("Without forecast (Hájek)"),
    "plain": gettext_lazy("Plain average"),
}
HEADLINE, OTHER, PART = BLUE, INK, VERMILION
WIDEST = 150.0
"""Per cent at which an axis ends: a wide interval would squeeze all others into a line."""


def effect_svg(figures: dict[str, Any]) -> bytes:
    """Draw each estimate as a point with its interval, per cent of crime prevented; zero is a line through all."""
    rows: list[tuple[str, float | None, float | None, float | None, str]] = []
    for key, label in SHORT.items():
        one = effect_of(figures, key)
        if one is not None and one["estimate"] is not None:
            colour = HEADLINE if key == "net" else OTHER
            rows.append((str(label), one["estimate"], one["low"], one["high"], colour))
    for group in ("by_type", "by_district"):
        for part in figures.get(group, []):
            if part["pulled"] is not None:
                rows.append((part["name"], part["pulled"], part["pulled_low"], part["pulled_high"], PART))
    figure = paper(7.2, 1.1 + 0.34 * max(len(rows), 3))
    axes = figure.subplots()
    edges = [0.0]
    for at, (__, estimate, low, high, colour) in enumerate(reversed(rows)):
        middle = 100 * (estimate or 0.0)
        edges.append(middle)
        if low is not None and high is not None:
            axes.plot([100 * low, 100 * high], [at, at], color=colour, linewidth=2.2, solid_capstyle="round")
            edges += [100 * low, 100 * high]
        # Without an interval the point is hollow: an estimate that nobody should lean on.
        axes.plot(
            [middle],
            [at],
            "o",
            color=colour,
            markersize=7,
            markerfacecolor=colour if low is not None else "white",
        )
    axes.axvline(0.0, color="black", linewidth=1.0)
    axes.set_yticks(range(len(rows)), [label for label, *__ in reversed(rows)])
    low, high = max(min(edges), -WIDEST), min(max(edges), WIDEST)
    pad = 0.06 * max(high - low, 10.0)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(-0.7, max(len(rows), 1) - 0.3)
    axes.set_xlabel(_("Crime prevented, % (right of the line: less crime; left: more)"))
    plain_axes(axes)
    if not rows:
        axes.text(0.5, 0.5, _("no estimate"), transform=axes.transAxes, ha="center")
    return svg(figure)
