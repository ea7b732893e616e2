"""The ground of a backtest: the jurisdiction, its cells, and the layers of places that forecasts may see."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import shapely.geometry

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file, polygons_only
from forecasting.engine.bench.events import EventsFile
from forecasting.engine.bench.files import NO_GEOJSON, bytes_read, unpacked
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.census import people_column
from forecasting.engine.grid import GridSpec, grid_build, project, to_metres, utm_epsg
from forecasting.engine.places import column_names, layer_columns
from forecasting.engine.surroundings import Surroundings
from ingestion.engine.privacy import screen_columns

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

INSIDE_AT_LEAST = 0.02
"""Fewer events inside the boundary than this share: the two do not belong together."""


@dataclass(frozen=True)
class Layer:
    """Places of one kind as GeoJSON, and from which day on a forecast may know them (None: always).

    ``is_census``: areas with a property ``population``, of which the people in each cell are the one column.
    """

    slug: str
    collection: Mapping[str, Any] = field(repr=False)
    valid_from: np.datetime64 | None
    digest: str
    is_census: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of this layer."""
        return (self.slug,) if self.is_census else column_names(self.slug)

    def columns(self, grid: GridSpec) -> Floats32:
        """The layer's columns over a grid's cells: float32[N, names]."""
        if self.is_census:
            features = self.collection["features"]
            shapes = [shapely.geometry.shape(one["geometry"]) for one in features]
            people = [float(one["properties"]["population"]) for one in features]
            return people_column(grid, shapes, people)[:, None]
        return layer_columns(grid, dict(self.collection))


def boundary_read(path: Path) -> shapely.Geometry:
    """Read the jurisdiction as one area in WGS84: GeoJSON as it is written, GeoPackage and zipped Shapefile too.

    Crossing outlines are mended (``make_valid``), parts are joined. Raises ``BenchProblem`` for a file without
    areas or with coordinates that are no degrees.
    """
    data = bytes_read(path)
    try:
        if data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            shapes = _geojson_shapes(json.loads(data.decode("utf-8-sig")))
        else:
            shapes = [area.repaired or area.shape for area in areas_from_file(path).areas if area.shape]
        area = polygons_only(shapely.union_all(shapely.make_valid(np.array(shapes, dtype=object))))
    except (GeometryProblem, *NO_GEOJSON) as exc:
        raise BenchProblem(
            f"{path.name} cannot be read as a boundary ({exc}).",
            next_step="give the areas as GeoJSON in WGS84 (a FeatureCollection of polygons).",
        ) from exc
    if area is None:
        raise BenchProblem(
            f"{path.name} holds no area.", next_step="give polygons: districts, beats or a city limit."
        )
    west, south, east, north = area.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise BenchProblem(
            f"The boundary's coordinates reach ({east:.0f}, {north:.0f}): not longitude and latitude.",
            next_step="convert the boundary to WGS84 degrees.",
        )
    return area


def _geojson_shapes(value: dict[str, Any]) -> list[shapely.Geometry]:
    if value.get("type") == "FeatureCollection":
        geometries = [feature.get("geometry") for feature in value["features"]]
    else:
        geometries = [value.get("geometry") if value.get("type") == "Feature" else value]
    return [shapely.force_2d(shapely.geometry.shape(one)) for one in geometries if one]


def grid_from_boundary(area: shapely.Geometry, events: EventsFile, cell_size_m: float) -> GridSpec:
    """Cover the boundary with cells (at least a quarter inside). Raises ``BenchProblem`` where events lie elsewhere."""
    centre = area.centroid
    epsg = utm_epsg(centre.x, centre.y)
    grid = _grid(shapely.make_valid(to_metres(area, epsg)), cell_size_m, epsg)
    inside = (grid.locate(*project(events.lon, events.lat, epsg)) >= 0).mean()
    if inside < INSIDE_AT_LEAST:
        ok = (np.abs(events.lon) <= 90) & (np.abs(events.lat) <= 180)
        x, y = project(np.where(ok, events.lat, np.nan), np.where(ok, events.lon, np.nan), epsg)
        swapped = (grid.locate(x, y) >= 0).mean() > 0.5
        raise BenchProblem(
            f"Only {inside:.1%} of the events lie inside the boundary"
            + (": columns lat and lon look swapped." if swapped else "."),
            next_step="swap the two column names."
            if swapped
            else "give the boundary of the place that the events are from, in WGS84.",
        )
    return grid


def grid_from_events(events: EventsFile, cell_size_m: float) -> GridSpec:
    """Cover the convex hull of the events (those before the test only!), buffered by one cell."""
    epsg = utm_epsg(float(np.median(events.lon)), float(np.median(events.lat)))
    x, y = project(events.lon, events.lat, epsg)
    good = np.isfinite(x) & np.isfinite(y)
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack([x[good], y[good]])))
    return _grid(shapely.buffer(hull, cell_size_m), cell_size_m, epsg)


def _grid(area_m: shapely.Geometry, cell_size_m: float, epsg: int) -> GridSpec:
    try:
        return grid_build(area_m, cell_size_m, epsg)
    except ValueError as exc:
        raise BenchProblem(
            f"No grid: {exc}",
            next_step="choose another --cell-size-m, or give --boundary (one stray place stretches the events' hull).",
        ) from exc


def layer_from_csv(path: Path, slug: str, valid_from: np.datetime64 | None) -> Layer:
    """Read a CSV (may be gzipped) with lat and lon columns as points. Nothing else of it is kept."""
    plain = unpacked(path, bytes_read(path))
    try:
        header = [str(name) for name in pd.read_csv(BytesIO(plain), nrows=0, encoding="utf-8-sig").columns]
        found = {name.strip().lower(): name for name in reversed(header)}
        lat, lon = (
            next(found[name] for name in names if name in found)
            for names in (("lat", "latitude", "y"), ("lon", "lng", "longitude", "x"))
        )
    except (StopIteration, RuntimeError, ValueError) as exc:
        raise BenchProblem(
            f"{path.name} has no columns lat and lon.", next_step="give WGS84 degrees in columns lat and lon."
        ) from exc
    if violations := screen_columns(name for name in header if name not in (lat, lon)):
        raise BenchProblem(
            f"{path.name}: {violations[0].message}", next_step="give places, not people: drop that column."
        )
    try:
        frame = pd.read_csv(BytesIO(plain), usecols=[lat, lon], encoding="utf-8-sig")
    except ValueError as exc:
        raise BenchProblem(
            f"{path.name} cannot be read as CSV ({str(exc).strip()}).", next_step="mend that line."
        ) from exc
    y, x = (pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64) for name in (lat, lon))
    ok = np.isfinite(x) & np.isfinite(y) & (np.abs(y) <= 90) & (np.abs(x) <= 180) & ((x != 0) | (y != 0))
    if not ok.any():
        raise BenchProblem(f"{path.name} holds no usable place.", next_step="check its lat and lon columns.")
    points = {"type": "MultiPoint", "coordinates": np.column_stack([x[ok], y[ok]]).tolist()}
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": points}]}
    return Layer(slug, collection, valid_from, hashlib.sha256(plain).hexdigest())


@dataclass
class Ground:
    """The grid and the layers' columns, each layer counted once."""

    grid: GridSpec
    layers: Sequence[Layer] = ()
    surroundings: Surroundings | None = None
    _columns: dict[str, Floats32] = field(default_factory=dict, repr=False)

    def context(self, origin: np.datetime64) -> tuple[Floats32 | None, tuple[str, ...]]:
        """The columns of the layers that were valid on the origin's day: ([N, C] or None, names)."""
        day = origin.astype("datetime64[D]")
        known = [layer for layer in self.layers if layer.valid_from is None or layer.valid_from <= day]
        if not known:
            return None, ()
        for layer in known:
            if layer.slug not in self._columns:
                self._columns[layer.slug] = layer.columns(self.grid)
        names = tuple(name for layer in known for name in layer.names)
        return np.column_stack([self._columns[layer.slug] for layer in known]), names
