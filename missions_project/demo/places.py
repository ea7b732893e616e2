"""Points in Riverton: published locations along the streets, named spots and areas, and the map projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from missions_project.demo.streets import Street
from missions_project.demo.terrain import CENTRE_X_M, CENTRE_Y_M, EPSG, Floats, Water

PLACE_SPACING_M = 105.0

_TO_LONLAT = Transformer.from_crs(EPSG, 4326, always_xy=True)
_TO_METRES = Transformer.from_crs(4326, EPSG, always_xy=True)


def to_lonlat(x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return longitude and latitude (WGS84) of points in the city's metres."""
    lon, lat = _TO_LONLAT.transform(np.asarray(x_m), np.asarray(y_m))
    return np.asarray(lon), np.asarray(lat)


def to_metres(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the city's metres of points in WGS84."""
    x_m, y_m = _TO_METRES.transform(np.asarray(lon), np.asarray(lat))
    return np.asarray(x_m), np.asarray(y_m)


@dataclass(frozen=True)
class Places:
    """The published locations: points about 100 m apart along every street, as portals round addresses to the block.

    x_m, y_m are computed back from the rounded lon, lat, so that a file's coordinates fall on them exactly.
    """

    x_m: Floats
    y_m: Floats
    lon: Floats
    lat: Floats
    on_main: npt.NDArray[np.bool_]
    street: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x_m)


@dataclass(frozen=True)
class Area:
    """A beat, district, block group or park. parent: for a beat, the code of the district it lies in."""

    name: str
    shape: BaseGeometry
    code: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Spot:
    """A named point of interest. kind: bar, rail, bus, school, vacant, stadium, arena, fairground."""

    name: str
    kind: str
    x_m: float
    y_m: float


def places_along(
    streets: list[Street], ground: Water, closed: BaseGeometry, industry: BaseGeometry
) -> Places:
    xs, ys, mains, owners = [], [], [], []
    for index, street in enumerate(streets):
        if street.kind == "bridge":
            continue
        n = max(1, round(street.line.length / PLACE_SPACING_M))
        points = shapely.line_interpolate_point(street.line, (np.arange(n) + 0.5) / n, normalized=True)
        xs.append(shapely.get_x(points))
        ys.append(shapely.get_y(points))
        mains.append(np.full(n, street.kind != "local"))
        owners.append(np.full(n, index))
    x, y = np.concatenate(xs), np.concatenate(ys)
    nobody = shapely.union_all([ground.river, closed.buffer(-10.0)])
    shapely.prepare(nobody)
    shapely.prepare(industry)
    keep = ~shapely.contains_xy(nobody, x, y)
    # Yards have few addresses: every third place there is enough.
    keep &= ~shapely.contains_xy(industry, x, y) | (np.arange(len(x)) % 3 == 0)
    lon, lat = to_lonlat(x[keep], y[keep])
    lon, lat = np.round(lon, 5), np.round(lat, 5)
    x_m, y_m = to_metres(lon, lat)
    return Places(x_m, y_m, lon, lat, np.concatenate(mains)[keep], np.concatenate(owners)[keep])


def distance_from_centre_m(x_m: Floats, y_m: Floats) -> Floats:
    """Return the distance from the old court house."""
    return np.hypot(x_m - CENTRE_X_M, y_m - CENTRE_Y_M)
