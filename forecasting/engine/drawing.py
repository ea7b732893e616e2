"""What all charts share: paper, axes, colours, the models' names, and an SVG file whose bytes repeat."""

from io import BytesIO
from typing import Any

MODEL_LABELS = {
    "all_history_counts": "All-history counts",
    "decayed_counts": "Decayed counts",
    "kernel_density": "Kernel density",
    "counts_and_kernel": "Counts + kernel density",
    "prospective_hotspot": "Prospective hot spot",
    "etas": "Self-exciting (ETAS)",
    "risk_terrain": "Risk terrain",
    "log_linear": "Log-linear",
    "boosting": "Boosting",
    "mixture": "Mixture of counts",
    "boosted_mixture": "Boosted mixture",
    "blend": "Blend of the learned",
}
CHAMPION, BASELINE, OTHER = "#0072B2", "#D55E00", "#999999"


def model_label(name: str) -> str:
    """What a league's entrant is called on pages, in reports and on the screen.

    >>> model_label("etas"), model_label("my_model")
    ('Self-exciting (ETAS)', 'My model')
    """
    return MODEL_LABELS.get(name, name.replace("_", " ").capitalize())


def paper(width: float, height: float) -> Any:
    """An empty figure of this size in hundreds of pixels."""
    # Not at the top: every command and worker would wait a third of a second for a library that only charts need.
    from matplotlib.figure import Figure

    # White paper in both themes: a chart in <img> cannot follow the page's colours.
    return Figure(figsize=(width, height), facecolor="white", layout="constrained")


def plain_axes(axes: Any) -> None:
    """A light grid and no frame."""
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def area_axis(axes: Any) -> None:
    """The flagged area below, on a log scale; crimes inside it on the left, from zero."""
    axes.set_xscale("log")
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], labels=["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel("Flagged area, % of the jurisdiction")
    axes.set_ylabel("Crimes inside, %")
    axes.set_ylim(bottom=0)


def legend(axes: Any, **how: Any) -> None:
    """Name the lines, if any has a name: an empty legend is a warning."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"loc": "best", "frameon": False} | how)


def svg(figure: Any) -> bytes:
    """The figure's file. Without date and random ids inside, so that the same figures give the same bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure.canvas = FigureCanvasSVG(figure)
    out = BytesIO()
    with rc_context({"svg.hashsalt": "missions"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
