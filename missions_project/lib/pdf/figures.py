"""Charts on a PDF's page as lines and words, not as a picture: sharp at every size, and their words can be searched for."""

from typing import Any

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase, GraphicsContextBase, RendererBase
from matplotlib.path import Path
from PIL import Image
from reportlab.lib.utils import ImageReader

from missions_project.lib.pdf.paper import BOLD, FACE

INCH = 72.0
IMAGE_DPI = 216.0
HATCH_TILE = 72.0
"""A hatch repeats each inch, as matplotlib's own files have it."""


def figure_size(figure: Any) -> tuple[float, float]:
    """Width and height of a matplotlib figure in points."""
    width, height = figure.get_size_inches()
    return float(width) * INCH, float(height) * INCH


def figure_drawn(figure: Any, canvas: Any) -> None:
    """Draw a matplotlib figure on a page, its lower left corner where the page's origin is now."""
    figure.set_dpi(INCH)
    renderer = _Renderer(canvas, *figure_size(figure))
    figure.canvas = _Canvas(figure, renderer)
    figure.draw(renderer)


class _Canvas(FigureCanvasBase):
    """Tells the layout which renderer will draw, so that it measures with no other."""

    def __init__(self, figure: Any, renderer: RendererBase) -> None:
        super().__init__(figure)
        self._renderer = renderer

    def get_renderer(self) -> RendererBase:
        return self._renderer


class _Renderer(RendererBase):
    """Matplotlib's drawing as operators of a page: paths, hatches, clips, words, and pictures where a chart holds one."""

    def __init__(self, canvas: Any, width: float, height: float) -> None:
        super().__init__()
        self.page, self.size = canvas, (width, height)

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.size

    def flipy(self) -> bool:
        return False

    def points_to_pixels(self, points: Any) -> Any:
        return points

    def draw_path(self, gc: GraphicsContextBase, path: Any, transform: Any, rgbFace: Any = None) -> None:
        page = self.page
        page.saveState()
        self._clip(gc)
        is_filled, is_stroked = self._pens(gc, rgbFace)
        if is_filled or is_stroked:
            page.drawPath(self._path(path, transform), stroke=int(is_stroked), fill=int(is_filled))
        if gc.get_hatch():
            self._hatch(gc, path, transform)
        page.restoreState()

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:  # fmt: skip
        page = self.page
        page.saveState()
        self._clip(gc)
        page.setFillColorRGB(*gc.get_rgb()[:3])
        page.setFillAlpha(_alpha(gc, gc.get_rgb()))
        page.translate(float(x), float(y))
        page.rotate(float(angle))
        is_bold = prop.get_weight() in ("bold", "semibold", "heavy", "black", 600, 700, 800, 900)
        page.setFont(BOLD if is_bold else FACE, float(prop.get_size_in_points()))
        page.drawString(0, 0, s)
        page.restoreState()

    def draw_image(self, gc: GraphicsContextBase, x: float, y: float, im: Any, transform: Any = None) -> None:
        """Put a picture on the page: ``im`` is (rows, columns, 4) of bytes, red to alpha, the lowest row of the picture first.

        With a transform the picture is as the chart holds it, and the transform says where its unit square lies; without, it
        is scaled for ``get_image_magnification`` already. What lies outside the chart's clip path is not drawn.
        """
        rows, columns = im.shape[:2]
        if rows == 0 or columns == 0:
            return
        page = self.page
        page.saveState()
        self._clip(gc)
        page.translate(float(x), float(y))
        if transform is None:
            # Matplotlib has blended the chart's alpha into the picture already: once more would make it paler.
            page.setFillAlpha(1.0)
            page.scale(columns / self.get_image_magnification(), rows / self.get_image_magnification())
        else:
            page.setFillAlpha(_alpha(gc, ()))
            page.transform(*(float(one) for one in transform.frozen().to_values()))
        picture = ImageReader(Image.fromarray(np.ascontiguousarray(im[::-1])))
        # What is clear in the picture stays clear on the page: its alpha goes along as a soft mask.
        page.drawImage(picture, 0, 0, 1, 1, mask="auto")
        page.restoreState()

    def get_image_magnification(self) -> float:
        """Pixels of a picture for each point of the page: sharp at arm's length, and a page stays small."""
        return IMAGE_DPI / INCH

    def option_scale_image(self) -> bool:
        return True

    def _pens(self, gc: GraphicsContextBase, face: Any) -> tuple[bool, bool]:
        """Set colours, width and dashes; return whether there is anything to fill and to draw along."""
        page, stroke = self.page, gc.get_rgb()
        width = float(gc.get_linewidth())
        if face is not None:
            page.setFillColorRGB(*(float(one) for one in face[:3]))
            page.setFillAlpha(_alpha(gc, face))
        if width > 0:
            page.setStrokeColorRGB(*stroke[:3])
            page.setStrokeAlpha(_alpha(gc, stroke))
            page.setLineWidth(width)
            page.setLineJoin({"miter": 0, "round": 1, "bevel": 2}[str(gc.get_joinstyle())])
            page.setLineCap({"butt": 0, "round": 1, "projecting": 2}[str(gc.get_capstyle())])
            pattern: Any = gc.get_dashes()
            offset, dashes = pattern
            page.setDash([float(one) for one in dashes] if dashes is not None else [], float(offset or 0.0))
        return face is not None and _alpha(gc, face) > 0, width > 0 and _alpha(gc, stroke) > 0

    def _path(self, path: Any, transform: Any) -> Any:
        made, at = self.page.beginPath(), (0.0, 0.0)
        for points, code in path.iter_segments(transform, simplify=False):
            p = [float(one) for one in points]
            if code == Path.MOVETO:
                made.moveTo(*p)
            elif code == Path.LINETO:
                made.lineTo(*p)
            elif code == Path.CURVE3:
                # A page knows cubic curves only.
                (x0, y0), (x1, y1, x2, y2) = at, p
                p = [
                    x0 + (x1 - x0) * 2 / 3,
                    y0 + (y1 - y0) * 2 / 3,
                    x2 + (x1 - x2) * 2 / 3,
                    y2 + (y1 - y2) * 2 / 3,
                    x2,
                    y2,
                ]
                made.curveTo(*p)
            elif code == Path.CURVE4:
                made.curveTo(*p)
            elif code == Path.CLOSEPOLY:
                made.close()
                continue
            at = (p[-2], p[-1])
        return made

    def _clip(self, gc: GraphicsContextBase) -> None:
        box: Any = gc.get_clip_rectangle()
        if box is not None:
            outline = self.page.beginPath()
            outline.rect(*(float(one) for one in box.bounds))
            self.page.clipPath(outline, stroke=0, fill=0)
        path, transform = gc.get_clip_path()
        if path is not None:
            self.page.clipPath(self._path(path, transform), stroke=0, fill=0)

    def _hatch(self, gc: GraphicsContextBase, path: Any, transform: Any) -> None:
        page, hatch = self.page, gc.get_hatch_path()
        box = path.get_extents(transform)
        page.clipPath(self._path(path, transform), stroke=0, fill=0)
        page.setStrokeColorRGB(*_rgb(gc.get_hatch_color()))
        page.setStrokeAlpha(1.0)
        page.setLineWidth(float(gc.get_hatch_linewidth()))
        page.setDash([], 0)
        from matplotlib.transforms import Affine2D

        for column in range(int(box.x0 // HATCH_TILE), int(box.x1 // HATCH_TILE) + 1):
            for row in range(int(box.y0 // HATCH_TILE), int(box.y1 // HATCH_TILE) + 1):
                tile = Affine2D().scale(HATCH_TILE).translate(column * HATCH_TILE, row * HATCH_TILE)
                page.drawPath(self._path(hatch, tile), stroke=1, fill=0)


def _alpha(gc: GraphicsContextBase, colour: Any) -> float:
    if gc.get_forced_alpha():
        return float(gc.get_alpha())
    return float(colour[3]) if len(colour) > 3 else 1.0


def _rgb(colour: Any) -> tuple[float, float, float]:
    red, green, blue = (float(one) for one in colour[:3])
    return red, green, blue
