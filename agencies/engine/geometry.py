"""Geometry as it arrives (GeoJSON) turned into shapes that can be computed with, or refused with the reason."""

from collections.abc import Mapping
from typing import Any

import shapely
import shapely.geometry
from shapely.validation import explain_validity


class GeometryProblem(ValueError):
    """The geometry cannot be used; the message says why and what to do."""


def polygon_from_geojson(value: Mapping[str, Any] | None) -> shapely.MultiPolygon:
    """Return the area as a valid MultiPolygon in WGS84 degrees.

    Accepts a GeoJSON Polygon or MultiPolygon with closed rings. Raises ``GeometryProblem`` for another type,
    an open or crossing ring, an empty area, or coordinates outside WGS84's range.
    """
    kind = value.get("type") if isinstance(value, Mapping) else None
    if value is None or kind not in ("Polygon", "MultiPolygon"):
        raise GeometryProblem(
            f"Expected a Polygon or MultiPolygon, got {kind or type(value).__name__}. Draw an area."
        )
    try:
        polygons = [value["coordinates"]] if kind == "Polygon" else value["coordinates"]
        for rings in polygons:
            for ring in rings:
                if len(ring) < 4 or ring[0][:2] != ring[-1][:2]:
                    raise GeometryProblem(
                        "A ring has fewer than four points or does not end where it starts. Close the shape."
                    )
        shape = shapely.force_2d(shapely.geometry.shape(dict(value)))
    except GeometryProblem:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, shapely.errors.GEOSException) as exc:
        raise GeometryProblem(
            f"The coordinates cannot be read ({exc}). Draw the area again or upload a file."
        ) from exc
    if shape.is_empty or shape.area == 0:
        raise GeometryProblem("The area is empty. Draw an area.")
    if not shape.is_valid:
        raise GeometryProblem(
            f"The outline is not valid: {explain_validity(shape)}. Move the crossing edges apart; an outline may "
            "not cross itself."
        )
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise GeometryProblem(
            f"Coordinates up to ({east:.0f}, {north:.0f}) are not longitude and latitude. Convert the file to WGS84."
        )
    return shape if isinstance(shape, shapely.MultiPolygon) else shapely.MultiPolygon([shape])


def geojson_from_polygon(shape: shapely.Polygon | shapely.MultiPolygon) -> dict[str, Any]:
    """The area as a GeoJSON MultiPolygon: the one form in which areas are stored."""
    area = shape if isinstance(shape, shapely.MultiPolygon) else shapely.MultiPolygon([shape])
    result: dict[str, Any] = shapely.geometry.mapping(area)
    return {"type": "MultiPolygon", "coordinates": _lists(result["coordinates"])}


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
