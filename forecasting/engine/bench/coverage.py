"""Where the sensors behind an events file reach: given as areas, or worked out from the events' own coverage column."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from forecasting.engine.bench.events import EventsFile
from forecasting.engine.bench.files import NO_GEOJSON, bytes_read
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.grid import project, to_metres
from ingestion.engine.tables import WatchedArea

REACH_M = 600.0
"""A sensor hears a shot about this far; what lies further from every alert of its area counts as unwatched."""
NEEDS_EVENTS = 20
"""Fewer alerts draw no area: a stray one would open a district."""
_NEXT = "give GeoJSON polygons in WGS84, each with an optional property valid_from (YYYY-MM-DD)."


def coverage_digest(path: Path | None) -> str | None:
    """What tells one coverage file from another."""
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def coverage_read(path: Path, epsg: int, categories: tuple[str, ...]) -> tuple[WatchedArea, ...]:
    """The areas of a GeoJSON file, for every category that is forecast. Raises ``BenchProblem`` with what is wrong."""
    data = bytes_read(path)
    try:
        features = json.loads(data.decode("utf-8-sig"))["features"]
        found = [_area(feature, epsg) for feature in features]
    except NO_GEOJSON as exc:
        raise BenchProblem(f"{path.name} is no coverage file ({exc}).", next_step=_NEXT) from exc
    if not found:
        raise BenchProblem(f"{path.name} holds no area.", next_step=_NEXT)
    return tuple(WatchedArea(name, area, since) for name in categories for area, since in found)


def _area(feature: dict[str, Any], epsg: int) -> tuple[Any, np.datetime64]:
    shape = shapely.make_valid(shapely.force_2d(shapely.geometry.shape(feature["geometry"])))
    if shape.area <= 0:
        raise ValueError("a feature without an area")
    since = (feature.get("properties") or {}).get("valid_from") or "1900-01-01"
    return to_metres(shape, epsg), np.datetime64(since, "s")


def coverage_of_events(
    events: EventsFile, epsg: int, before: np.datetime64, categories: tuple[str, ...]
) -> tuple[WatchedArea, ...]:
    """What the file's ``coverage`` column says: each named area reaches 600 m around its alerts, from its first one on.

    Only alerts known before the test are looked at. No column, or names with fewer than twenty alerts: nothing. A
    category most of whose events carry no name is not heard by sensors, but known everywhere.
    """
    known = events.known < before
    heard = [
        name
        for name in categories
        if _is_heard(events, known & (events.category == events.names.index(name)))
    ]
    areas: list[WatchedArea] = []
    for name in np.unique(events.coverage[known]):
        mine = np.flatnonzero(known & (events.coverage == name))
        if not name or len(mine) < NEEDS_EVENTS:
            continue
        area = _around(*project(events.lon[mine], events.lat[mine], epsg))
        first = events.occurred[mine].min().astype("datetime64[D]").astype("datetime64[s]")
        areas += [WatchedArea(category, area, first) for category in heard]
    return tuple(areas)


def _is_heard(events: EventsFile, mine: npt.NDArray[np.bool_]) -> bool:
    return bool(mine.any() and (events.coverage[mine] != "").mean() >= 0.5)


def _around(x_m: npt.NDArray[np.float64], y_m: npt.NDArray[np.float64]) -> Any:
    # Rounded: thousands of alerts at the same corners need no circle each.
    spots = np.unique(np.round(np.column_stack([x_m, y_m]) / 50.0) * 50.0, axis=0)
    circles = shapely.buffer(shapely.points(spots), REACH_M, quad_segs=4)
    # Grown and shrunk again, so that a quiet block between two loud ones is not a hole.
    return shapely.buffer(shapely.buffer(shapely.union_all(circles), REACH_M / 2), -REACH_M / 2)
