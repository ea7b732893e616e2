"""Shapes in whatever coordinate system a file has them, turned into longitude and latitude."""

from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from ingestion.places.base import MAX_VERTICES, PlacesProblem

# A seventh decimal is a centimetre; places need a metre, and the browser loads every digit.
DECIMALS = 6


def shapes_in_degrees(shapes: Any, crs: str | None, file_name: str) -> Any:
    """A file's shapes in WGS84, to a metre. Raises ``PlacesProblem`` where they are not on the globe, or have too many points."""
    if crs is None:
        raise PlacesProblem(
            _("%(file_name)s does not say in which coordinate system it is (a Shapefile's .prj is missing).")
            % {"file_name": file_name},
            next_step=_("add the .prj file to the zip, give its EPSG code, or export as GeoJSON in WGS84."),
        )
    try:
        turn = Transformer.from_crs(CRS.from_user_input(crs), 4326, always_xy=True)
    except CRSError as exc:
        raise PlacesProblem(
            _("“%(crs)s” is not a coordinate system.") % {"crs": crs[:40]},
            next_step=_("give an EPSG code, e.g. EPSG:3435."),
        ) from exc
    if not len(shapes) or shapely.is_missing(shapes).all():
        return shapes
    points = int(shapely.get_num_coordinates(shapes).sum())
    if points > MAX_VERTICES:
        raise PlacesProblem(
            _("The outlines of %(file_name)s have %(points)s points; at most %(most)s are read.")
            % {"file_name": file_name, "points": f"{points:,}", "most": f"{MAX_VERTICES:,}"},
            next_step=_("simplify the outlines, or cut the file to the agency's area."),
        )
    degrees = shapely.transform(
        shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])).round(DECIMALS)
    )
    west, south, east, north = shapely.total_bounds(degrees)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        if np.isnan(west):
            return degrees
        raise PlacesProblem(
            _("%(file_name)s: coordinates up to (%(east)s, %(north)s) are not longitude and latitude.")
            % {"file_name": file_name, "east": f"{east:.0f}", "north": f"{north:.0f}"},
            next_step=_("correct the file's coordinate system."),
        )
    return degrees
