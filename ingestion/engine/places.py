"""Read places: numbers to longitude and latitude, and the question whether they lie in the agency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from ingestion.engine.mapping import WGS84_EPSG

if TYPE_CHECKING:
    from pyproj import Transformer

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

# Blocks on the limits and offsets of a hundred metres are usual in exports; half a kilometre keeps them.
DEFAULT_TOLERANCE_M = 500.0
METRES_PER_DEGREE = 111_320.0
# 0.0000001 degrees are a centimetre: rounding there makes a stored place equal to itself in every database.
DECIMALS = 7
_MANY, _WIDEST = 64, 24
"""From so many texts on, those of fewer characters are looked at as a table."""

PLACE_CODES = (
    "",
    "missing_coordinates",
    "bad_coordinates",
    "zero_coordinates",
    "swapped_coordinates",
    "coordinates_out_of_range",
    "outside_boundary",
)
OK, MISSING, BAD, ZERO, SWAPPED, RANGE, OUTSIDE = range(7)


@dataclass(frozen=True)
class Boundary:
    """Where the agency's incidents can lie: a polygon in WGS84, widened by a tolerance."""

    geometry: BaseGeometry
    tolerance_m: float = DEFAULT_TOLERANCE_M

    @classmethod
    def from_geojson(cls, geojson: Mapping[str, Any], tolerance_m: float = DEFAULT_TOLERANCE_M) -> "Boundary":
        """From a Polygon or MultiPolygon. Raises ``ValueError`` for any other or an empty one."""
        return cls.from_geometry(shape(geojson), tolerance_m)

    @classmethod
    def from_bbox(
        cls, bbox: tuple[float, float, float, float], tolerance_m: float = DEFAULT_TOLERANCE_M
    ) -> "Boundary":
        """From (west, south, east, north) in degrees."""
        return cls.from_geometry(shapely.box(*bbox), tolerance_m)

    @classmethod
    def from_geometry(cls, geometry: BaseGeometry, tolerance_m: float = DEFAULT_TOLERANCE_M) -> "Boundary":
        """From a shapely polygon in WGS84."""
        if geometry.is_empty or geometry.geom_type not in ("Polygon", "MultiPolygon"):
            raise ValueError(
                "The boundary must be a polygon with an area. Draw it under the agency in the admin."
            )
        lat = geometry.centroid.y
        stretch = max(np.cos(np.radians(lat)), 0.05)
        # Degrees of longitude are shorter than those of latitude: widen in a plane where both are alike.
        flat = shapely.transform(geometry, lambda xy: xy * np.array([stretch, 1.0]))
        tolerance_deg = tolerance_m / METRES_PER_DEGREE
        wide = flat.buffer(tolerance_deg, quad_segs=4) if tolerance_m > 0 else flat
        # A tenth of the tolerance is lost in simplification; the test of a quarter million points is 10 × faster.
        wide = wide.simplify(tolerance_deg / 10) if tolerance_m > 0 else wide
        widened = shapely.transform(wide, lambda xy: xy / np.array([stretch, 1.0]))
        shapely.prepare(widened)
        return cls(widened, tolerance_m)

    def contains(self, lon: Floats, lat: Floats) -> Bools:
        """True where the place lies inside the widened boundary; NaN lies outside."""
        inside: Bools = shapely.contains_xy(self.geometry, lon, lat)
        return inside


@dataclass(frozen=True)
class Places:
    """Longitude and latitude (NaN unless ``status`` is OK), an index into ``PLACE_CODES``, and how fine the place is told.

    ``precision_m`` is the distance between two places that the file's decimals can tell apart, at least 1; 0: unknown.
    """

    lon: Floats
    lat: Floats
    status: Codes
    precision_m: Ints


@lru_cache(maxsize=32)
def _unit_m(epsg: int) -> float:
    """Metres that one unit of the coordinate system spans, along a meridian where it is an angle."""
    from pyproj import CRS

    crs = CRS.from_epsg(epsg)
    factor = float(crs.axis_info[0].unit_conversion_factor)
    return float(np.degrees(factor)) * METRES_PER_DEGREE if crs.is_geographic else factor


def _decimals(texts: Sequence[str]) -> Ints:
    """Digits after the point; -1 where an exponent hides them."""
    if len(texts) >= _MANY:
        # The usual form, read at once: 41.8781 is the digits 418781 and a point.
        letters = np.array(texts, dtype=f"U{_WIDEST}")
        codes = letters.view(np.uint32).reshape(len(texts), _WIDEST)
        is_point, is_end = codes == ord("."), codes == 0
        is_digit = (codes >= ord("0")) & (codes <= ord("9"))
        is_sign = (codes[:, 0] == ord("-")) | (codes[:, 0] == ord("+"))
        is_plain = (is_point.sum(axis=1) == 1) & is_end[:, -1]
        others = is_point | is_end | is_digit
        others[:, 0] |= is_sign
        is_plain &= others.all(axis=1)
        counts = _WIDEST - 1 - is_end.sum(axis=1) - is_point.argmax(axis=1)
        # Nothing behind the point is no digit.
        is_plain &= counts > 0
        odd = np.flatnonzero(~is_plain)
        counts[odd] = [_decimals_of(texts[place]) for place in odd.tolist()]
        result: Ints = counts.astype(np.int64)
        return result
    return np.array([_decimals_of(text) for text in texts], dtype=np.int64)


def _decimals_of(text: str) -> int:
    point = text.find(".")
    if point < 0:
        return 0 if text.lstrip("+-").isdigit() else -1
    return len(text) - point - 1 if text[point + 1 :].isdigit() else -1


def place_precision_m(x_texts: Sequence[str], y_texts: Sequence[str], *, epsg: int = WGS84_EPSG) -> Ints:
    """How many metres lie between two places that these texts' decimals can tell apart; at least 1, 0 where unknown.

    The finer of the two axes counts: software drops trailing zeros of one by chance, of both hardly ever.

    >>> place_precision_m(["-87.63", "-87.6"], ["41.8", "41.88123"]).tolist()
    [1113, 1]
    """
    digits = np.maximum(_decimals(x_texts), _decimals(y_texts))
    steps_m = np.maximum(np.floor(_unit_m(epsg) * 10.0 ** -np.clip(digits, 0, 12)), 1).astype(np.int64)
    return np.where(digits < 0, 0, steps_m)


@lru_cache(maxsize=32)
def _transformer(epsg: int) -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(epsg, WGS84_EPSG, always_xy=True)


def _numbers(texts: Sequence[str]) -> Floats:
    # Here, not above: loading it takes a third of a second, for which every command would wait.
    import pandas as pd

    values: Floats = pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce").to_numpy(
        dtype=np.float64
    )
    return values


def _to_degrees(x: Floats, y: Floats, epsg: int) -> tuple[Floats, Floats]:
    if epsg == WGS84_EPSG:
        return x, y
    lon, lat = _transformer(epsg).transform(x, y)
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _on_earth(lon: Floats, lat: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        on_earth: Bools = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    return on_earth


def parse_places(
    x_texts: Sequence[str],
    y_texts: Sequence[str],
    *,
    epsg: int = WGS84_EPSG,
    boundary: Boundary | None = None,
) -> Places:
    """Read pairs of texts (already stripped) as places; x is longitude or easting.

    The first that applies is the status: missing (either is empty), bad (not a finite number), zero (both are 0, as
    systems write for "not geocoded"), out of range, swapped, outside. Without a boundary only swaps that leave the
    range of latitudes can be seen.
    """
    x, y = _numbers(x_texts), _numbers(y_texts)
    n = len(x)
    status = np.zeros(n, dtype=np.int8)

    def mark(mask: Bools, code: int) -> None:
        status[mask & (status == OK)] = code

    mark(np.array([not a or not b for a, b in zip(x_texts, y_texts, strict=True)], dtype=np.bool_), MISSING)
    mark(~(np.isfinite(x) & np.isfinite(y)), BAD)
    mark((np.abs(np.nan_to_num(x)) < 1e-6) & (np.abs(np.nan_to_num(y)) < 1e-6), ZERO)

    lon, lat = _to_degrees(x, y, epsg)
    lon, lat = np.round(lon, DECIMALS), np.round(lat, DECIMALS)
    on_earth = _on_earth(lon, lat)
    fits = on_earth & boundary.contains(lon, lat) if boundary is not None else on_earth
    doubtful = np.flatnonzero((status == OK) & ~fits)
    if doubtful.size:
        swapped_lon, swapped_lat = _to_degrees(y[doubtful], x[doubtful], epsg)
        swapped = _on_earth(swapped_lon, swapped_lat)
        if boundary is not None:
            swapped &= boundary.contains(swapped_lon, swapped_lat)
        status[doubtful] = np.where(swapped, SWAPPED, np.where(on_earth[doubtful], OUTSIDE, RANGE))
    good = status == OK
    return Places(
        lon=np.where(good, lon, np.nan),
        lat=np.where(good, lat, np.nan),
        status=status,
        precision_m=np.where(good, place_precision_m(x_texts, y_texts, epsg=epsg), 0),
    )
