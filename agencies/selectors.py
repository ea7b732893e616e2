"""Reading an agency's set-up."""

from typing import Any

import shapely
from django.http import HttpRequest

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, BaseMap, Beat, CrimeType, District, Shift


def agency_area(agency: Agency) -> shapely.MultiPolygon | None:
    """Return the jurisdiction in WGS84: as drawn, else the union of beats, else of districts; None without any.

    At most two queries.
    """
    if agency.boundary:
        return polygon_from_geojson(agency.boundary)
    for model in (Beat, District):
        areas = [polygon_from_geojson(value) for value in model.objects.filter(agency=agency).values_list("geometry", flat=True)]
        if areas:
            union = shapely.union_all(areas)
            return union if isinstance(union, shapely.MultiPolygon) else shapely.MultiPolygon([union])
    return None


def active_crime_types(agency: Agency) -> list[CrimeType]:
    """Return the types that are trained and planned, heaviest first. One query."""
    return list(CrimeType.objects.filter(agency=agency, is_active=True))


def shifts(agency: Agency) -> list[Shift]:
    """Return the agency's shifts by start time. One query."""
    return list(Shift.objects.filter(agency=agency))


def leaflet_settings(request: HttpRequest, agency: Agency) -> dict[str, Any]:
    """Return ``settings_overrides`` for ``{% leaflet_map %}``, and open the page's policy to its tile hosts.

    Without base maps the list of tiles is empty and the agency's own vector layers make the map. Two queries,
    one more where the boundary is derived.
    """
    request.map_agencies = [agency]  # type: ignore[attr-defined]  # read by ContentSecurityPolicyMiddleware
    tiles = [
        (base_map.name, base_map.url_template, {"attribution": base_map.attribution, "maxZoom": base_map.max_zoom})
        for base_map in BaseMap.objects.filter(agency=agency).order_by("-is_default", "name")
    ]
    overrides: dict[str, Any] = {"TILES": tiles}
    if (area := agency_area(agency)) is not None:
        overrides["SPATIAL_EXTENT"] = area.bounds
    return overrides
