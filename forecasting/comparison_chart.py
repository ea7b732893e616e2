"""The chart of two versions side by side, drawn on the server as SVG."""

import hashlib

from django.utils.translation import gettext as _

from forecasting.charts import VERSION
from forecasting.engine.drawing import BASELINE, CHAMPION, legend, paper, plain_axes, svg
from forecasting.models import ModelVersion


def etag(one: ModelVersion, other: ModelVersion) -> str:
    """Changes with either version and the way of drawing."""
    text = f"{VERSION}:{one.pk}:{one.artefact_hash}:{other.pk}:{other.artefact_hash}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def comparison_svg(one: ModelVersion, other: ModelVersion) -> bytes:
    """Draw hit rate and PAI from one cell to a fifth of the area: both champions with their 95 % intervals."""
    figure = paper(7.2, 3.4)
    hits, pai = figure.subplots(1, 2)
    smallest = 1.0
    for version, colour, style in ((other, BASELINE, "--"), (one, CHAMPION, "-")):
        curve = version.summary.get("card", {}).get("curve", {"share": [], "champion": []})
        known = [
            (100 * share, row)
            for share, row in zip(curve["share"], curve["champion"], strict=True)
            if row["value"] is not None
        ]
        x = [share for share, _ in known]
        smallest = min([smallest, *x])
        for axes, scales in ((hits, [100.0] * len(x)), (pai, [100.0 / share for share in x])):
            rows = [(row, scale) for (_, row), scale in zip(known, scales, strict=True)]
            axes.plot(
                x,
                [row["value"] * scale for row, scale in rows],
                color=colour,
                linestyle=style,
                linewidth=1.8,
                label=_version_label(version) if known else None,
            )
            low, high = (
                [(row["value"] if row[end] is None else row[end]) * scale for row, scale in rows]
                for end in ("low", "high")
            )
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    hits.set_ylabel(_("Crimes inside, %"))
    pai.set_ylabel(_("PAI: times better than chance"))
    for axes in (hits, pai):
        axes.set_xscale("log")
        ticks = [tick for tick in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 20) if tick >= 0.7 * smallest]
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(_("Flagged area, %"))
        axes.set_ylim(bottom=0)
        plain_axes(axes)
    legend(hits, fontsize=9)
    return svg(figure)


def _version_label(version: ModelVersion) -> str:
    number = f"v{version.number}"
    return _("%(version)s (live)") % {"version": number} if version.is_live else number
