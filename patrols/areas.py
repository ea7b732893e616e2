"""Between what a person points at on a map and the grid's cells."""

from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _

from agencies.engine.geometry import GeometryProblem, polygon_from_geojson
from forecasting.engine.grid import GridSpec, project, unproject
from missions_project.lib.errors import MissionsError


def cells_of_area(spec: GridSpec, area: dict[str, Any]) -> list[int]:
    """Return the ids of the cells that a click (Point) or a drawn area (Polygon, MultiPolygon; WGS84) means, ascending.

    A cell belongs to an area that its centre lies in; an area too small to hold any centre means the cell under its
    middle. Outside the grid: none. Raises ``MissionsError`` for anything that is no place.
    """
    try:
        if area.get("type") == "Point":
            x, y = (float(value) for value in area["coordinates"][:2])
            if not (abs(x) <= 180 and abs(y) <= 90):
                raise ValueError("outside the world")
            return _cell_under(spec, x, y)
        shape = polygon_from_geojson(area)
    except (GeometryProblem, KeyError, TypeError, ValueError, AttributeError) as exc:
        raise MissionsError(
            _("What was drawn is no area."),
            next_step=_("click a cell, or draw a box without crossing lines."),
        ) from exc
    lon, lat = spec.centres_lonlat()
    inside = np.flatnonzero(shapely.contains_xy(shape, lon, lat))
    if len(inside):
        return [int(cell) for cell in spec.cells[inside]]
    middle = shape.representative_point()
    return _cell_under(spec, middle.x, middle.y)


def _cell_under(spec: GridSpec, lon: float, lat: float) -> list[int]:
    index = int(spec.locate(*project([lon], [lat], spec.epsg))[0])
    return [int(spec.cells[index])] if index >= 0 else []


def box_rings(spec: GridSpec, cell_ids: list[int]) -> list[list[list[float]]]:
    """Return each cell's outline as a closed ring of [lon, lat]. Ids off the grid raise ``ValueError``."""
    at = spec.index_of(list(cell_ids))
    if (at < 0).any():
        raise ValueError("A mission lies outside the plan's grid.")
    rings = shapely.get_coordinates(spec.boxes()[at]).reshape(-1, 5, 2)
    lon, lat = unproject(rings[..., 0].ravel(), rings[..., 1].ravel(), spec.epsg)
    pairs = np.round(np.column_stack([lon, lat]), 6).reshape(-1, 5, 2)
    result: list[list[list[float]]] = pairs.tolist()
    return result


def area_of_cells(spec: GridSpec, cell_ids: list[int]) -> dict[str, Any]:
    """Return the cells as one MultiPolygon in WGS84, a little smaller than they are, so that their corners do not touch."""
    at = spec.index_of(cell_ids)
    squares = shapely.buffer(spec.boxes()[at], -0.02 * spec.cell_size_m, join_style="mitre")
    rings = shapely.get_coordinates(squares).reshape(len(cell_ids), -1, 2)
    polygons = []
    for ring in rings:
        lon, lat = unproject(ring[:, 0], ring[:, 1], spec.epsg)
        polygons.append([np.round(np.column_stack([lon, lat]), 6).tolist()])
    return {"type": "MultiPolygon", "coordinates": polygons}
