"""The risk surface as a picture that lies on a web map: one PNG, aligned to Web Mercator, with its legend."""

import math
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _
from PIL import Image

from agencies.engine.palette import sequential
from forecasting.engine.grid import GridSpec, project, unproject

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

VERSION = 2
"""Part of every picture's ETag: raised when the same numbers are to look different."""
QUANTILES = (0.0, 0.4, 0.7, 0.85, 0.93, 0.97, 0.985, 0.995)
"""Class limits among the cells above zero. Narrow at the top: that is where cars are sent."""
PIXELS_PER_CELL = 16
MAX_PIXELS = 3_000_000
"""A cell's edge is off by half a pixel at most: sixteen a cell in a town, about seven in a city of 27,000 cells."""
EARTH_RADIUS_M = 6_378_137.0


@dataclass(frozen=True)
class Frame:
    """Where the picture lies, and which cell each pixel shows.

    ``west, south, east, north`` in degrees (WGS84); ``cell`` int32[height, width] holds positions in the grid's
    cells, -1 outside; row 0 is the north. Rows are evenly spaced in Mercator's y: Leaflet stretches a picture
    evenly over the screen, so evenly spaced latitudes would shift it by up to a cell.
    """

    west: float
    south: float
    east: float
    north: float
    cell: Ints

    @property
    def bounds(self) -> list[list[float]]:
        """As Leaflet wants them: [[south, west], [north, east]]."""
        return [[self.south, self.west], [self.north, self.east]]


def _mercator(lat: npt.ArrayLike) -> Floats:
    result: Floats = EARTH_RADIUS_M * np.arctanh(np.sin(np.radians(np.asarray(lat, dtype=np.float64))))
    return result


def _latitude(y_m: Floats) -> Floats:
    result: Floats = np.degrees(np.arcsin(np.tanh(y_m / EARTH_RADIUS_M)))
    return result


@lru_cache(maxsize=4)
def mercator_frame(spec: GridSpec) -> Frame:
    """Prepare the picture's frame for a grid. Kept in memory: it is the same for every shift and crime type."""
    size = spec.cell_size_m
    # The corners alone are not the outermost points of a tilted rectangle: walk its whole edge.
    along_x = np.linspace(spec.x0_m, spec.x0_m + spec.n_cols * size, 50)
    along_y = np.linspace(spec.y0_m, spec.y0_m + spec.n_rows * size, 50)
    x = np.concatenate([along_x, along_x, np.full(50, along_x[0]), np.full(50, along_x[-1])])
    y = np.concatenate([np.full(50, along_y[0]), np.full(50, along_y[-1]), along_y, along_y])
    lon, lat = unproject(x, y, spec.epsg)
    west, east, south, north = float(lon.min()), float(lon.max()), float(lat.min()), float(lat.max())
    low, high = _mercator([south, north])
    width_m = EARTH_RADIUS_M * math.radians(east - west)
    pixel_m = size / math.cos(math.radians((south + north) / 2)) / PIXELS_PER_CELL
    pixel_m = max(pixel_m, math.sqrt(width_m * (high - low) / MAX_PIXELS))
    width, height = math.ceil(width_m / pixel_m), math.ceil((high - low) / pixel_m)
    pixel_lon = west + (np.arange(width) + 0.5) * (east - west) / width
    pixel_lat = _latitude(high - (np.arange(height) + 0.5) * (high - low) / height)
    lon_of, lat_of = np.meshgrid(pixel_lon, pixel_lat)
    x_m, y_m = project(lon_of.ravel(), lat_of.ravel(), spec.epsg)
    cell = spec.locate(x_m, y_m).astype(np.int32).reshape(height, width)
    cell.setflags(write=False)
    return Frame(west, south, east, north, cell)


def class_limits(values: npt.ArrayLike) -> Floats:
    """Lower limits of the colour classes, ascending; values of zero belong to none. Empty for an empty surface."""
    positive = np.asarray(values, dtype=np.float64)
    positive = positive[positive > 0]
    if len(positive) == 0:
        return np.zeros(0)
    # A surface with few different values has fewer classes, never two with the same limit.
    return np.unique(np.quantile(positive, QUANTILES, method="nearest"))


def class_colours(n: int) -> list[str]:
    """One colour a class, from the low to the high end of the scale for amounts."""
    return sequential(n)


def class_opacities(n: int) -> list[int]:
    """0 to 255, rising: where little is expected the streets beneath stay readable."""
    return [100 + round(155 * (k / max(n - 1, 1)) ** 0.4) for k in range(n)]


def legend_rows(values: npt.ArrayLike) -> list[dict[str, str]]:
    """The legend, highest class first: colour and range of expected counts."""
    limits = class_limits(values)
    if len(limits) == 0:
        return []
    upper = [*limits[1:], float(np.max(values))]
    rows = [
        {
            "colour": colour,
            "label": f"{short(low)} – {short(high)}"
            if number
            else _("up to %(short)s") % {"short": short(high)},
        }
        for number, (colour, low, high) in enumerate(
            zip(class_colours(len(limits)), limits, upper, strict=True)
        )
    ]
    return rows[::-1]


def short(value: float) -> str:
    """A small number that can be read: two significant figures, and no exponent.

    >>> short(0.03412), short(0.5), short(12.3), short(0.000056), short(0.0000001), short(0)
    ('0.034', '0.50', '12', '0.000056', '< 0.000001', '0')
    """
    if value == 0:
        return "0"
    if abs(value) < 1e-6:
        return "< 0.000001"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def overlay_png(spec: GridSpec, values: npt.ArrayLike) -> bytes:
    """Draw the surface as a palette PNG: transparent outside the grid and where nothing is expected."""
    vector = np.asarray(values, dtype=np.float64)
    limits = class_limits(vector)
    # 0 is transparent; class k is colour k + 1.
    number = np.where(vector > 0, np.searchsorted(limits, vector, side="right"), 0).astype(np.uint8)
    cell = mercator_frame(spec).cell
    pixels = np.where(cell >= 0, number[cell], 0).astype(np.uint8)
    image = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    colours = class_colours(len(limits))
    rgb = [0, 0, 0] + [int(colour[at : at + 2], 16) for colour in colours for at in (1, 3, 5)]
    image.putpalette(rgb)
    out = BytesIO()
    image.save(out, "PNG", transparency=bytes([0, *class_opacities(len(limits))]), compress_level=6)
    return out.getvalue()
