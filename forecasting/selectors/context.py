"""What stands near each cell: the agency's risk layers as numbers (bars, stops, vacant parcels, streets …)."""

import datetime as dt
import hashlib
import json
import threading
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry
from django.db.models import TextField
from django.db.models.functions import Cast
from scipy import ndimage
from scipy.spatial import cKDTree

from forecasting.engine.grid import GridSpec
from forecasting.engine.nearby import LayerAmount
from forecasting.models import Grid
from forecasting.selectors.grids import grid_spec, to_metres
from ingestion.models import ContextLayer

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

RADII_M = (150, 400)
"""Around the corner, and a few blocks. Standard deviations of the blur."""
_PAD_M = 1200
_KEPT = 32


@dataclass(frozen=True)
class LayerOnGrid:
    """One layer as the grid knows it: its columns float32[N, radii], and its places in metres if it has nothing else.

    ``unit``: ``places``, ``km`` (lines only), ``ha`` (areas only), or empty for a layer of mixed kinds.
    """

    name: str
    columns: Floats32
    unit: str
    points: Floats


_layers: dict[str, LayerOnGrid] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ContextBlock:
    """Static columns of every cell: ``values`` float32[N, C] with their ``names`` and a digest of what went in.

    ``layers`` by slug, for those who tell what stands near a cell.
    """

    values: Floats32 | None
    names: tuple[str, ...]
    labels: dict[str, str]
    digest: str
    layers: dict[str, LayerOnGrid]


def amounts_near(
    block: ContextBlock, spec: GridSpec, cells: list[int], reference: int
) -> list[tuple[LayerAmount, ...]]:
    """Return how much of each layer lies near these cells, against the city's middle cell. No query.

    Places are counted within the radius of the cell's centre (of half the cell where that is more); lines and areas are
    what the model's own column says, in kilometres and hectares.
    """
    x_m, y_m = spec.centres()
    wanted = [*cells, reference]
    out: list[list[LayerAmount]] = [[] for _ in cells]
    for slug, layer in block.layers.items():
        for number, radius in enumerate(RADII_M):
            within = max(float(radius), spec.cell_size_m / 2)
            if layer.unit == "places":
                amounts = _places_within(layer.points, x_m[wanted], y_m[wanted], within)
            elif layer.unit:
                area_ha = spec.cell_size_m**2 / 10_000 if layer.unit == "ha" else 1.0
                amounts = np.expm1(layer.columns[wanted, number].astype(np.float64)) * area_ha
            else:
                continue
            for row, amount in zip(out, amounts[:-1], strict=True):
                row.append(LayerAmount(slug, within, layer.unit, float(amount), float(amounts[-1])))
    return [tuple(row) for row in out]


def _places_within(points: Floats, x_m: Floats, y_m: Floats, radius_m: float) -> Floats:
    if not len(points):
        return np.zeros(len(x_m))
    found = cKDTree(points).query_ball_point(np.column_stack([x_m, y_m]), radius_m, return_length=True)
    return np.asarray(found, dtype=np.float64)


def column_names(slug: str) -> tuple[str, ...]:
    """The names of one layer's columns, such as ``bars_150m``."""
    return tuple(f"{slug}_{radius}m" for radius in RADII_M)


def context_block(grid: Grid, *, as_of: dt.datetime, names: tuple[str, ...] | None = None) -> ContextBlock:
    """Return the density of places, length of lines and share of area near each cell, for every risk layer.

    Points count 1 each, lines their kilometres, areas their share of the cell; blurred over 150 m and 400 m to
    what lies within about that distance, as log(1 + amount). A layer whose places were not known yet at
    ``as_of`` is left out. ``names`` fixes the columns to those of a training: a layer that is missing or not
    yet known then gives NaN, which models read as the city's average. One query; kept in memory by content.
    """
    layers = {
        slug: (text, valid_from, name)
        for slug, text, valid_from, name in ContextLayer.objects.filter(
            agency_id=grid.agency_id, kind=ContextLayer.Kind.RISK
        )
        .annotate(text=Cast("geojson", TextField()))
        .order_by("slug")
        .values_list("slug", "text", "valid_from", "name")
    }
    known = {slug: row for slug, row in layers.items() if row[1] is None or row[1] <= as_of.date()}
    spec = grid_spec(grid)
    digest = hashlib.sha256(grid.hash.encode())
    columns: dict[str, Floats32] = {}
    found: dict[str, LayerOnGrid] = {}
    for slug, (text, _, name) in known.items():
        if names is not None and not set(column_names(slug)) & set(names):
            continue
        fingerprint = hashlib.sha256(f"{grid.hash}\n{text}".encode()).hexdigest()
        digest.update(f"{slug}:{fingerprint}".encode())
        layer = found[slug] = _layer(fingerprint, spec, text, name)
        columns |= {column: layer.columns[:, number] for number, column in enumerate(column_names(slug))}
    wanted = tuple(columns) if names is None else names
    nothing = np.full(len(spec), np.nan, dtype=np.float32)
    labels = {
        column: f"{name} within about {radius} m"
        for slug, (_, _, name) in layers.items()
        for column, radius in zip(column_names(slug), RADII_M, strict=True)
    }
    return ContextBlock(
        values=np.column_stack([columns.get(name, nothing) for name in wanted]) if wanted else None,
        names=wanted,
        labels={name: labels.get(name, name) for name in wanted},
        digest=digest.hexdigest(),
        layers=found,
    )


def _layer(fingerprint: str, spec: GridSpec, text: str, name: str) -> LayerOnGrid:
    with _lock:
        if (known := _layers.get(fingerprint)) is not None:
            return replace(known, name=name)
    made = _layer_on_grid(spec, json.loads(text), name)
    with _lock:
        if len(_layers) >= _KEPT:
            _layers.pop(next(iter(_layers)))
        _layers[fingerprint] = made
    return made


def _layer_on_grid(spec: GridSpec, collection: dict[str, object], name: str) -> LayerOnGrid:
    parts = _parts(spec, collection)
    kinds = set(shapely.get_dimensions(parts).tolist())
    unit = {frozenset({0}): "places", frozenset({1}): "km", frozenset({2}): "ha"}.get(frozenset(kinds), "")
    points = shapely.get_coordinates(parts) if unit == "places" else np.zeros((0, 2))
    return LayerOnGrid(name, _density(spec, parts), unit, points)


def layer_density(spec: GridSpec, collection: dict[str, object]) -> Floats32:
    """Return one layer's columns, float32[N, radii]. Features without a usable geometry count nothing. No query."""
    return _density(spec, _parts(spec, collection))


def _parts(spec: GridSpec, collection: dict[str, object]) -> npt.NDArray[np.object_]:
    """Every point, line and area of the collection on its own, in metres."""
    shapes = [shape for shape in map(_shape, _features(collection)) if shape is not None]
    metres = np.array([to_metres(shape, spec.epsg) for shape in shapes], dtype=object)
    parts: npt.NDArray[np.object_] = shapely.get_parts(metres)
    return parts


def _density(spec: GridSpec, parts: npt.NDArray[np.object_]) -> Floats32:
    pad = -(-_PAD_M // int(spec.cell_size_m)) + 1
    raster = np.zeros((spec.n_rows + 2 * pad, spec.n_cols + 2 * pad))
    if len(parts):
        kind = shapely.get_dimensions(parts)
        points = shapely.get_coordinates(parts[kind == 0])
        _add(raster, spec, pad, points, np.ones(len(points)))
        _add(raster, spec, pad, *_along(parts[kind == 1], spec.cell_size_m / 4))
        _add_areas(raster, spec, pad, parts[kind == 2])
    columns = []
    for radius in RADII_M:
        sigma = max(radius / spec.cell_size_m, 0.4)
        # Times the kernel's area: "how many within about this distance", whatever the cell size.
        near = ndimage.gaussian_filter(raster, sigma, mode="constant", truncate=3.0) * 2 * np.pi * sigma**2
        columns.append(np.log1p(near[spec.rows + pad, spec.cols + pad]))
    return np.column_stack(columns).astype(np.float32)


def _features(collection: dict[str, object]) -> list[dict[str, object]]:
    features = collection.get("features")
    return features if isinstance(features, list) else []


def _shape(feature: dict[str, object]) -> shapely.Geometry | None:
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict):
        return None
    try:
        shape = shapely.force_2d(shapely.geometry.shape(geometry))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, shapely.errors.GEOSException):
        return None
    return None if shape.is_empty else shape


def _add(raster: Floats, spec: GridSpec, pad: int, places: Floats, weight: Floats) -> None:
    col = np.floor((places[:, 0] - spec.x0_m) / spec.cell_size_m).astype(np.int64) + pad
    row = np.floor((places[:, 1] - spec.y0_m) / spec.cell_size_m).astype(np.int64) + pad
    inside = (row >= 0) & (row < raster.shape[0]) & (col >= 0) & (col < raster.shape[1])
    np.add.at(raster, (row[inside], col[inside]), weight[inside])


def _along(lines: npt.NDArray[np.object_], step_m: float) -> tuple[Floats, Floats]:
    """Points along the lines, each with the kilometres of line it stands for."""
    length = shapely.length(lines)
    pieces = np.maximum(np.ceil(length / step_m).astype(np.int64), 1)
    line = np.repeat(np.arange(len(lines)), pieces)
    number = np.arange(len(line)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = length[line] / pieces[line]
    places = shapely.get_coordinates(shapely.line_interpolate_point(lines[line], (number + 0.5) * share))
    return places, share / 1000.0


def _add_areas(raster: Floats, spec: GridSpec, pad: int, areas: npt.NDArray[np.object_]) -> None:
    """Add the share of each cell that the areas cover (overlaps count twice, as two places do)."""
    if not len(areas):
        return
    size = spec.cell_size_m
    row, col = np.divmod(np.arange(raster.size), raster.shape[1])
    x, y = spec.x0_m + (col - pad) * size, spec.y0_m + (row - pad) * size
    squares = shapely.box(x, y, x + size, y + size)
    valid = shapely.make_valid(areas)
    area, square = shapely.STRtree(squares).query(valid, predicate="intersects")
    share = shapely.area(shapely.intersection(valid[area], squares[square])) / size**2
    np.add.at(raster.reshape(-1), square, share)
