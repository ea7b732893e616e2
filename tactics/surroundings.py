"""What a box is near: shops, schools, parks …, as the agency's own map layers tell."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry

from agencies.models import Agency
from forecasting.engine.grid import GridSpec, project
from ingestion.models import ContextLayer
from tactics.models import PlaceKind, PlaceLayer

NEAR_M = 100
"""From the edge of the box, where an agency has not said otherwise."""
USUAL_SLUGS: Mapping[str, frozenset[str]] = {
    PlaceKind.BUSINESSES: frozenset(
        {"businesses", "shops", "stores", "retail", "commercial", "bars", "restaurants", "convenience_stores"}
    ),
    PlaceKind.NIGHTLIFE: frozenset({"bars", "nightlife", "clubs", "bars_and_clubs"}),
    PlaceKind.SCHOOLS: frozenset({"schools", "school"}),
    PlaceKind.PARKS: frozenset({"parks", "park", "playgrounds"}),
    PlaceKind.RESIDENTIAL: frozenset({"residential", "housing", "homes", "residential_zones"}),
    PlaceKind.TRANSIT: frozenset({"transit", "transit_stops", "stations", "bus_stops"}),
    PlaceKind.VACANT: frozenset({"vacant", "vacant_parcels", "vacant_lots", "vacant_buildings"}),
}
"""Layers with these slugs tell of the kind by themselves; hyphens count as underscores."""


@dataclass(frozen=True)
class LayerUse:
    """A layer that tells of a kind of place, and how near a box has to be."""

    layer_id: int
    name: str
    near_m: float


@dataclass(frozen=True)
class Surroundings:
    """Of which kinds something is ``known``, and the kinds that each box is ``near``: one set a box, in the order asked."""

    known: frozenset[str] = frozenset()
    near: list[frozenset[str]] = field(default_factory=list)


def layers_by_kind(agency: Agency, *, on: dt.date | None = None) -> dict[str, list[LayerUse]]:
    """Return the layers that tell of each kind of place; kinds without any are left out. One query.

    What the agency set under Place layers decides for its kind; for other kinds the usual slugs do. Layers that are
    valid from a later date than ``on`` are not known yet.
    """
    rows = ContextLayer.objects.filter(agency=agency).exclude(kind=ContextLayer.Kind.COVERAGE)
    found: dict[str, list[LayerUse]] = defaultdict(list)
    usual: dict[str, list[LayerUse]] = defaultdict(list)
    seen: set[int] = set()
    for pk, slug, name, valid_from, kind, near_m in rows.order_by("pk").values_list(
        "pk", "slug", "name", "valid_from", "placelayer__kind", "placelayer__near_m"
    ):
        if on is not None and valid_from is not None and valid_from > on:
            continue
        if kind:
            found[kind].append(LayerUse(pk, name, float(near_m)))
        if pk not in seen:
            seen.add(pk)
            for own, slugs in USUAL_SLUGS.items():
                if slug.replace("-", "_") in slugs:
                    usual[own].append(LayerUse(pk, name, float(NEAR_M)))
    return {**usual, **found}


def surroundings(
    agency: Agency, spec: GridSpec, cells: npt.ArrayLike, kinds: Collection[str], *, on: dt.date | None = None
) -> Surroundings:
    """Say what each of these cells (stable ids) is near, of the kinds asked for. At most two queries; none for no kind.

    A box is near when its edge is at most the layer's distance from a place. A cell that the grid does not keep is near
    nothing.
    """
    ids = np.asarray(cells, dtype=np.int64)
    if not kinds:
        return Surroundings(near=[frozenset()] * len(ids))
    wanted = {kind: uses for kind, uses in layers_by_kind(agency, on=on).items() if kind in kinds}
    keys = {use.layer_id for uses in wanted.values() for use in uses}
    shapes = (
        {
            pk: _parts(geojson, spec.epsg)
            for pk, geojson in ContextLayer.objects.filter(pk__in=keys).values_list("pk", "geojson")
        }
        if keys
        else {}
    )
    x_m = spec.x0_m + (ids % spec.n_cols) * spec.cell_size_m
    y_m = spec.y0_m + (ids // spec.n_cols) * spec.cell_size_m
    boxes = shapely.box(x_m, y_m, x_m + spec.cell_size_m, y_m + spec.cell_size_m)
    kept = spec.index_of(ids) >= 0
    near = {kind: np.zeros(len(ids), dtype=np.bool_) for kind in wanted}
    for kind, uses in wanted.items():
        for use in uses:
            parts = shapes.get(use.layer_id)
            if parts is not None and len(parts) and len(ids):
                found, _ = shapely.STRtree(parts).query(boxes, predicate="dwithin", distance=use.near_m)
                near[kind][found] = True
        near[kind] &= kept
    return Surroundings(
        frozenset(wanted),
        [frozenset(kind for kind in wanted if near[kind][row]) for row in range(len(ids))],
    )


def _parts(collection: dict[str, object], epsg: int) -> npt.NDArray[np.object_]:
    """Every point, line and area of a layer in metres. Features without a usable geometry are left out."""
    features = collection.get("features") if isinstance(collection, dict) else None
    geometries = [row.get("geometry") for row in features or [] if isinstance(row, dict)]  # type: ignore[attr-defined]
    shapes = []
    for geometry in geometries:
        try:
            shapes.append(shapely.geometry.shape(geometry))
        except (AttributeError, TypeError, ValueError, shapely.errors.ShapelyError):
            # A feature without a place is legal GeoJSON.
            continue
    if not shapes:
        return np.empty(0, dtype=np.object_)
    parts = shapely.get_parts(np.array(shapes, dtype=np.object_))
    metres: npt.NDArray[np.object_] = shapely.transform(
        parts, lambda p: np.column_stack(project(p[:, 0], p[:, 1], epsg))
    )
    return metres[~(shapely.is_missing(metres) | shapely.is_empty(metres))]


def kinds_without_layer(agency: Agency) -> list[str]:
    """The kinds of place that no layer of the agency tells of, in words. One query."""
    known = layers_by_kind(agency)
    return [str(kind.label) for kind in PlaceKind if kind not in known]


__all__ = [
    "NEAR_M",
    "USUAL_SLUGS",
    "LayerUse",
    "PlaceLayer",
    "Surroundings",
    "kinds_without_layer",
    "layers_by_kind",
    "surroundings",
]
