"""What the forecast's charts share: colours, the models' names, and the axis of flagged areas."""

from typing import Any

from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import BLUE, GREY, VERMILION

__all__ = [
    "BASELINE",
    "CHAMPION",
    "MODEL_LABELS",
    "OTHER",
    "area_axis",
    "legend",
    "model_label",
    "paper",
    "plain_axes",
    "svg",
]

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
CHAMPION, BASELINE, OTHER = BLUE, VERMILION, GREY


def model_label(name: str) -> str:
    """What a league's entrant is called on pages, in reports and on the screen.

    >>> model_label("etas"), model_label("my_model")
    ('Self-exciting (ETAS)', 'My model')
    """
    return MODEL_LABELS.get(name, name.replace("_", " ").capitalize())


def area_axis(axes: Any) -> None:
    """The flagged area below, on a log scale; crimes inside it on the left, from zero."""
    axes.set_xscale("log")
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], labels=["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel("Flagged area, % of the jurisdiction")
    axes.set_ylabel("Crimes inside, %")
    axes.set_ylim(bottom=0)
