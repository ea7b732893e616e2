"""What a map layer draws, as rows of a table: read from the layer's own GeoJSON, so that both always say the same."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry

from forecasting.engine.grid import project, utm_epsg
from forecasting.selectors.layers import MapLayer

_KEPT = 16
_shapes: "OrderedDict[str, tuple[LayerShape, ...]]" = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class LayerShape:
    """One thing on a map. ``kind`` is point, line or area; ``lon`` and ``lat`` lie on it, in its middle where it has one.

    ``length_m`` is a line's length and ``area_m2`` an area's size, zero for all others. Beats and districts have a ``code``,
    beats the code of their ``district``.
    """

    number: int
    kind: str
    name: str
    code: str
    district: str
    lon: float
    lat: float
    length_m: float
    area_m2: float


def layer_shapes(layer: MapLayer) -> tuple[LayerShape, ...]:
    """Return what the layer draws, numbered from 1 in its own order. No query; kept in memory until the layer changes."""
    with _lock:
        if layer.etag in _shapes:
            _shapes.move_to_end(layer.etag)
            return _shapes[layer.etag]
    made = _made(json.loads(layer.body())["features"])
    with _lock:
        _shapes[layer.etag] = made
        while len(_shapes) > _KEPT:
            _shapes.popitem(last=False)
    return made


def _made(features: list[dict[str, Any]]) -> tuple[LayerShape, ...]:
    if not features:
        return ()
    shapes = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features], dtype=object)
    drawn = np.array([not shape.is_empty for shape in shapes])
    # An empty shape has no middle; a map draws nothing for it either.
    middles = np.full((len(shapes), 2), np.nan)
    middles[drawn] = shapely.get_coordinates(_middles(shapes[drawn]))
    first = middles[drawn][0] if drawn.any() else (0.0, 0.0)
    epsg = utm_epsg(float(first[0]), float(first[1]))
    metric = shapely.transform(shapes, lambda at: np.stack(project(at[:, 0], at[:, 1], epsg), axis=1))
    kinds = np.array(["point", "line", "area"])[np.clip(shapely.get_dimensions(shapes), 0, 2)]
    lengths, areas = shapely.length(metric), shapely.area(metric)
    return tuple(
        LayerShape(
            number=number,
            kind=str(kinds[at]),
            name=str(facts.get("name", "")),
            code=str(facts.get("code", "")),
            district=str(facts.get("district", "") or ""),
            lon=float(middles[at, 0]),
            lat=float(middles[at, 1]),
            length_m=float(lengths[at]) if kinds[at] == "line" else 0.0,
            area_m2=float(areas[at]),
        )
        for number, (at, facts) in enumerate(
            ((at, features[at].get("properties") or {}) for at in np.flatnonzero(drawn)), start=1
        )
    )


def _middles(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """A point on each shape: half-way along a line, inside an area, the centre of several points."""
    whole_lines = shapely.get_type_id(shapes) == shapely.GeometryType.LINESTRING
    found: npt.NDArray[np.object_] = shapely.point_on_surface(shapes)
    found[whole_lines] = shapely.line_interpolate_point(shapes[whole_lines], 0.5, normalized=True)
    return found
