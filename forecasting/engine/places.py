"""What stands near each cell, from a map layer: how much of it around the corner and a few blocks on, and how near the nearest."""

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry
from scipy import ndimage

from forecasting.engine.grid import GridSpec, to_metres

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

RADII_M = (150, 400)
"""Around the corner, and a few blocks. Standard deviations of the blur."""
NEAREST = "_nearest"
"""How the name of a layer's column of distance ends."""
NEAREST_M = 300.0
"""Over so many metres the pull of the nearest place falls to 0.37."""
_PAD_M = 1200


def column_names(slug: str) -> tuple[str, ...]:
    """The names of one layer's columns: ``bars_150m``, ``bars_400m``, ``bars_nearest``."""
    return (*(f"{slug}_{radius}m" for radius in RADII_M), f"{slug}{NEAREST}")


def layer_columns(spec: GridSpec, collection: dict[str, object]) -> Floats32:
    """All columns of a layer (a GeoJSON FeatureCollection in WGS84), as ``column_names`` names them: float32[N, 3]."""
    return parts_columns(spec, layer_parts(spec, collection))


def parts_columns(spec: GridSpec, parts: npt.NDArray[np.object_]) -> Floats32:
    """``layer_columns`` of parts that were taken apart already."""
    return np.column_stack([parts_density(spec, parts), parts_nearest(spec, parts)])


def layer_parts(spec: GridSpec, collection: dict[str, object]) -> npt.NDArray[np.object_]:
    """Every point, line and area of the collection on its own, in metres."""
    shapes = [shape for shape in map(_shape, _features(collection)) if shape is not None]
    metres = np.array([to_metres(shape, spec.epsg) for shape in shapes], dtype=object)
    parts: npt.NDArray[np.object_] = shapely.get_parts(metres)
    return parts


def parts_density(spec: GridSpec, parts: npt.NDArray[np.object_]) -> Floats32:
    """How much of a layer lies near each cell: float32[N, radii].

    Points count 1 each, lines their kilometres, areas their share of the cell; blurred over 150 m and 400 m to
    what lies within about that distance, as log(1 + amount). Features without a usable geometry count nothing.
    """
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


def parts_nearest(spec: GridSpec, parts: npt.NDArray[np.object_]) -> Floats32:
    """How near the nearest place is to each cell's centre: exp(-distance / 300 m), float32[N]; 0 without any place."""
    out = np.zeros(len(spec), dtype=np.float32)
    kept = parts[~(shapely.is_missing(parts) | shapely.is_empty(parts))] if len(parts) else parts
    if len(kept):
        centres = shapely.points(np.column_stack(spec.centres()))
        (cell, _), distance = shapely.STRtree(kept).query_nearest(
            centres, all_matches=False, return_distance=True
        )
        out[cell] = np.exp(-distance / NEAREST_M)
    return out


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
