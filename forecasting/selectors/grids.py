"""Reading grids: their cells, and the beat of each cell."""

import hashlib
import json
import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat
from forecasting.engine.grid import GridSpec, to_metres
from forecasting.models import Grid
from missions_project.lib.errors import MissionsError

Ints = npt.NDArray[np.int64]
BUILD_A_GRID = gettext_lazy("Admin → Grids → Build grid, or `manage.py grid_build --agency SLUG`.")


@lru_cache(maxsize=8)
def _spec_of_bytes(grid_hash: str, data: bytes) -> GridSpec:
    spec = GridSpec.from_bytes(data)
    if spec.hash != grid_hash:
        raise ValueError("its fingerprint differs")
    return spec


def grid_spec(grid: Grid) -> GridSpec:
    """Return the grid as numbers; kept in memory. No query. Raises ``MissionsError`` for damaged bytes."""
    try:
        return _spec_of_bytes(grid.hash, bytes(grid.spec))
    except ValueError as error:
        raise MissionsError(
            _("Grid %(grid_pk)s cannot be read: %(error)s.") % {"grid_pk": grid.pk, "error": error},
            next_step=str(BUILD_A_GRID),
        ) from error


def active_grid(agency: Agency) -> Grid:
    """Return the grid that new forecasts use. One query. Raises ``MissionsError`` where there is none yet."""
    grid = Grid.objects.filter(agency=agency, is_active=True).first()
    if grid is None:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no active grid.") % {"agency_slug": agency.slug},
            next_step=str(BUILD_A_GRID),
        )
    return grid


def cells_by_agency() -> dict[int, int]:
    """Return how many cells each agency's active grid has, by agency id: what its work costs grows with them. One query."""
    return dict(Grid.objects.filter(is_active=True).values_list("agency_id", "n_cells"))


_beats: dict[tuple[str, str], Ints] = {}
_beats_lock = threading.Lock()


def cell_beats(grid: Grid) -> Ints:
    """Return the beat (its id) that each cell belongs to, -1 for none: int64[N], in the order of the grid's cells.

    A cell belongs to the beat that holds its centre (on a shared edge: the lower code). A centre in no beat,
    such as at the shore, goes to the nearest beat within one cell size. One query; kept in memory until a
    beat is redrawn.
    """
    rows = list(
        Beat.objects.filter(agency_id=grid.agency_id)
        .order_by("code")
        .annotate(text=Cast("geometry", TextField()))
        .values_list("pk", "text")
    )
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    with _beats_lock:
        if (known := _beats.get((grid.hash, digest))) is not None:
            return known
    found = _cell_beats(grid_spec(grid), rows)
    found.setflags(write=False)
    with _beats_lock:
        if len(_beats) > 7:
            _beats.pop(next(iter(_beats)))
        _beats[grid.hash, digest] = found
    return found


def _cell_beats(spec: GridSpec, rows: list[tuple[int, str]]) -> Ints:
    beat_of = np.full(len(spec), -1, dtype=np.int64)
    if not rows:
        return beat_of
    areas = np.array([to_metres(polygon_from_geojson(json.loads(text)), spec.epsg) for _, text in rows])
    ids = np.array([pk for pk, _ in rows], dtype=np.int64)
    points = shapely.points(*spec.centres())
    tree = shapely.STRtree(areas)
    cell, beat = tree.query(points, predicate="intersects")
    # Reversed, so that of several beats the first by code is written last and stays.
    order = np.lexsort((-beat, cell))
    beat_of[cell[order]] = ids[beat[order]]
    outside = np.flatnonzero(beat_of < 0)
    near, beat = tree.query_nearest(points[outside], max_distance=spec.cell_size_m)
    order = np.lexsort((-beat, near))
    beat_of[outside[near[order]]] = ids[beat[order]]
    return beat_of
