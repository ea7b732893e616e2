"""A chart that holds a picture (a heat map, a surface of risk) comes onto a PDF's page with it: in place, clear where it is clear."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from pypdf import PdfReader
from reportlab.pdfgen.canvas import Canvas

from missions_project.lib.pdf.figures import figure_drawn, figure_size


def page_of(figure: Figure) -> Any:
    """The page of a PDF that holds only this figure."""
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=figure_size(figure))
    figure_drawn(figure, canvas)
    canvas.save()
    return PdfReader(io.BytesIO(written.getvalue())).pages[0]


def chart(values: Any, **how: Any) -> tuple[Figure, Any]:
    """A chart of 288 × 144 points that its picture fills from edge to edge."""
    figure = Figure(figsize=(4, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes.imshow(values, aspect="auto", **how)


def placed(page: Any) -> list[list[float]]:
    """The matrices in force when a picture is drawn, as (a, b, c, d, e, f) on the page."""
    found: list[list[float]] = []
    page.extract_text(
        visitor_operand_before=lambda op, _, cm, __: found.append(list(cm)) if op == b"Do" else None
    )
    return found


COLOURS = np.array(
    [[[255, 0, 0, 255], [0, 255, 0, 255]], [[0, 0, 255, 255], [255, 255, 255, 0]]], dtype=np.uint8
)
"""Red and green above, blue and nothing below."""


@pytest.mark.parametrize("interpolation", ["none", "nearest"])
def test_a_picture_is_on_the_page_the_right_way_up(interpolation: str) -> None:
    figure, _ = chart(COLOURS, interpolation=interpolation)
    page = page_of(figure)
    (image,) = page.images
    picture = image.image.convert("RGBA")
    width, height = picture.size
    ((a, b, c, d, e, f),) = placed(page)
    assert (b, c, e) == (0, 0, 0)
    # Where the matrix turns the picture over, its lowest row lies at the top of the page.
    is_turned = d < 0
    assert (a, abs(d), f) == pytest.approx((288, 144, 144 if is_turned else 0), abs=0.7)
    top, bottom = (height - 1, 0) if is_turned else (0, height - 1)
    assert picture.getpixel((0, top)) == (255, 0, 0, 255)
    assert picture.getpixel((width - 1, top)) == (0, 255, 0, 255)
    assert picture.getpixel((0, bottom)) == (0, 0, 255, 255)
    assert picture.getpixel((width - 1, bottom))[3] == 0


def test_what_is_not_filled_in_is_sharp_enough_for_print() -> None:
    figure, _ = chart(np.arange(12.0).reshape(3, 4), interpolation="nearest")
    (image,) = page_of(figure).images
    # Three pixels for each point of 4 by 2 inches.
    assert image.image.size == pytest.approx((864, 432), abs=3)


def alphas(page: Any) -> set[float]:
    states = page["/Resources"].get("/ExtGState", {}).values()
    return {float(state["/ca"]) for one in states if "/ca" in (state := one.get_object())}


def test_a_pale_picture_is_pale_once() -> None:
    opaque = np.full((2, 2, 4), 255, dtype=np.uint8)
    as_it_is, _ = chart(opaque, interpolation="none", alpha=0.4)
    page = page_of(as_it_is)
    (image,) = page.images
    assert 0.4 in alphas(page)
    scaled, _ = chart(opaque, interpolation="nearest", alpha=0.4)
    page = page_of(scaled)
    (image,) = page.images
    # Blended into the picture: the page adds nothing.
    assert image.image.convert("RGBA").getpixel((10, 10))[3] == pytest.approx(102, abs=1)
    assert 0.4 not in alphas(page)


def before_the_picture(page: Any) -> str:
    """The page's operators up to the one that draws its picture, one a line."""
    written: str = page.get_contents().get_data().decode("latin-1")
    return re.sub(r"\s+(?=(?:c|cm|Do)\b)", " ", written[: written.index(" Do")].replace(" c ", " c\n"))


def test_a_clip_path_cuts_the_picture() -> None:
    figure, image = chart(COLOURS, interpolation="none")
    plain = before_the_picture(page_of(figure))
    image.set_clip_path(Circle((0.5, 0.5), 0.4, transform=image.axes.transData))
    cut = before_the_picture(page_of(figure))
    # A circle is curves, and is made the clip (W*) before the picture is drawn.
    assert sum(line.endswith(" c") for line in cut.splitlines()) >= 4
    assert cut.count("W* n") == plain.count("W* n") + 1
    assert " c\n" not in plain


def test_an_empty_picture_and_one_outside_its_axes_draw_nothing() -> None:
    figure, image = chart(np.zeros((0, 0)), interpolation="none")
    assert not list(page_of(figure).images)
    figure, image = chart(COLOURS, interpolation="nearest", extent=(0, 1, 0, 1))
    image.axes.set_xlim(5, 6)
    assert not list(page_of(figure).images)
