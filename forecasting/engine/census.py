"""How many people live in each cell, from census areas: the one census figure that a forecast reads."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from forecasting.engine.grid import GridSpec, to_metres

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def people_per_cell(spec: GridSpec, areas: Sequence[shapely.Geometry], people: Sequence[float]) -> Floats:
    """People in each cell, [N]: each area's (WGS84) are spread evenly over its surface.

    What lies outside every cell is lost; overlapping areas add up. An area without a usable outline counts nothing.

    Notes
    -----
    Areal weighting (Goodchild & Lam, Geo-Processing 1, 1980).
    """
    out = np.zeros(len(spec))
    valid = shapely.make_valid(np.array([to_metres(area, spec.epsg) for area in areas], dtype=object))
    size = shapely.area(valid)
    kept = np.flatnonzero(size > 0)
    if not len(kept):
        return out
    x, y = spec.x0_m + spec.cols * spec.cell_size_m, spec.y0_m + spec.rows * spec.cell_size_m
    squares = shapely.box(x, y, x + spec.cell_size_m, y + spec.cell_size_m)
    area, square = shapely.STRtree(squares).query(valid[kept], predicate="intersects")
    area = kept[area]
    share = shapely.area(shapely.intersection(valid[area], squares[square])) / size[area]
    np.add.at(out, square, np.asarray(people, dtype=np.float64)[area] * share)
    return out


def people_column(spec: GridSpec, areas: Sequence[shapely.Geometry], people: Sequence[float]) -> Floats32:
    """log(1 + people) of each cell as a context column: float32[N]."""
    return np.log1p(people_per_cell(spec, areas, people)).astype(np.float32)
