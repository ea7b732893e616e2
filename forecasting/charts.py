"""Charts of the model page, drawn on the server as SVG and shown through <img>."""

from io import BytesIO
from typing import Any

from forecasting.models import ModelVersion

VERSION = 1
LABELS = {
    "all_history_counts": "All-history counts",
    "decayed_counts": "Decayed counts",
    "kernel_density": "Kernel density",
    "counts_and_kernel": "Counts + kernel density",
    "log_linear": "Log-linear",
    "boosting": "Boosting",
    "mixture": "Mixture of counts",
    "boosted_mixture": "Boosted mixture",
    "blend": "Blend of the learned",
}
_CHAMPION, _BASELINE, _OTHER = "#0072B2", "#D55E00", "#999999"


def model_label(name: str) -> str:
    """What a league entrant is called on pages."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def hit_rate_svg(version: ModelVersion) -> bytes:
    """Draw the hit rate by flagged area: champion and best baseline with 95 % intervals, the others thin."""
    # Not at the top: every command and worker would wait a third of a second for a library that only this page needs.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    league = version.summary.get("league", [])
    best_baseline = next((row["name"] for row in league if row["is_baseline"]), None)
    # White paper in both themes: a chart in <img> cannot follow the page's colours.
    figure = Figure(figsize=(7.2, 3.6), facecolor="white", layout="constrained")
    axes = figure.subplots()
    for row in reversed(league):
        champion, baseline = row["name"] == version.champion, row["name"] == best_baseline
        share, middle, low, high = _points(row)
        colour = _CHAMPION if champion else _BASELINE if baseline else _OTHER
        label = None
        if champion or baseline:
            label = model_label(row["name"]) + (" (live)" if champion else " (best plain count)")
            axes.fill_between(share, low, high, color=colour, alpha=0.15, linewidth=0)
        width = 2.2 if champion or baseline else 0.8
        axes.plot(
            share,
            middle,
            color=colour,
            linewidth=width,
            marker="o" if label else None,
            markersize=4,
            label=label,
        )
    axes.set_xscale("log")
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], labels=["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel("Flagged area, % of the jurisdiction")
    axes.set_ylabel("Crimes inside, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", frameon=False)
    figure.canvas = FigureCanvasSVG(figure)
    out = BytesIO()
    # No date inside: the same model gives the same bytes, so the browser's copy stays valid.
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _points(row: dict[str, Any]) -> tuple[list[float], list[float], list[float], list[float]]:
    known = [
        (float(area["area"].rstrip("%")), area["hit_rate"])
        for area in row["areas"]
        if area["area"].endswith("%") and area["hit_rate"]["value"] is not None
    ]
    known.sort(key=lambda item: item[0])
    rates = [rate for _, rate in known]
    return (
        [share for share, _ in known],
        [100 * rate["value"] for rate in rates],
        [100 * (rate["low"] if rate["low"] is not None else rate["value"]) for rate in rates],
        [100 * (rate["high"] if rate["high"] is not None else rate["value"]) for rate in rates],
    )
