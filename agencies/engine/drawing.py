"""What all charts of the product share: paper, axes, legend, and an SVG file whose bytes repeat."""

from io import BytesIO
from typing import Any


def paper(width: float, height: float) -> Any:
    """An empty figure of this size in hundreds of pixels."""
    # Not at the top: every command and worker would wait a third of a second for a library that only charts need.
    from matplotlib.figure import Figure

    # White paper in both themes, on PDFs and in files. A chart in <img> could follow the system's choice of dark by a style of
    # its own, but not the administration's switch: there it would be dark on a light page.
    return Figure(figsize=(width, height), facecolor="white", layout="constrained")


def plain_axes(axes: Any) -> None:
    """A light grid and no frame."""
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


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
