"""Names for boxes that an officer recognises: the nearest street corner, where the agency loaded its streets."""

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry

from agencies.models import Agency
from forecasting.engine.grid import project
from ingestion.models import ContextLayer

STREETS_SLUG = "streets"
NEAR_M = 600.0


def place_names(
    agency: Agency, *, x_m: npt.NDArray[np.float64], y_m: npt.NDArray[np.float64], epsg: int
) -> list[str]:
    """Return "Elm St & 4th Ave" for each point: its two nearest streets of different names within 600 m.

    One name where only one street is near; empty where none is, or where no layer "streets" with names is loaded.
    One query.
    """
    layer = ContextLayer.objects.filter(agency=agency, slug=STREETS_SLUG).first()
    named = [
        (str(feature["properties"]["name"]), shapely.geometry.shape(feature["geometry"]))
        for feature in (layer.geojson.get("features", []) if layer else [])
        if (feature.get("properties") or {}).get("name")
    ]
    if not named or len(x_m) == 0:
        return [""] * len(x_m)
    names = [name for name, _ in named]
    lines = shapely.transform(
        np.array([line for _, line in named]), lambda p: np.column_stack(project(p[:, 0], p[:, 1], epsg))
    )
    tree = shapely.STRtree(lines)
    points = shapely.points(x_m, y_m)
    point_of, line_of = tree.query(points, predicate="dwithin", distance=NEAR_M)
    distance = shapely.distance(points[point_of], lines[line_of])
    found: list[list[str]] = [[] for _ in range(len(points))]
    for index in np.lexsort((line_of, distance, point_of)).tolist():
        near, name = found[point_of[index]], names[line_of[index]]
        if len(near) < 2 and name not in near:
            near.append(name)
    return [" & ".join(near) for near in found]
