"""What stands near each cell: the agency's risk layers as numbers (bars, stops, vacant parcels, streets …)."""

import datetime as dt
import hashlib
import json
import threading
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from django.db.models import TextField
from django.db.models.functions import Cast

from forecasting.engine.grid import GridSpec
from forecasting.engine.nearby import LayerAmount
from forecasting.engine.places import RADII_M, column_names, layer_parts, parts_columns
from forecasting.models import Grid
from forecasting.selectors.grids import grid_spec
from forecasting.selectors.surroundings import CENSUS_LABELS, census_columns
from ingestion.models import ContextLayer

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_KEPT = 32


@dataclass(frozen=True)
class LayerOnGrid:
    """One layer as the grid knows it: its columns float32[N, radii], and its places in metres if it has nothing else.

    ``unit``: ``places``, ``km`` (lines only), ``ha`` (areas only), or empty for a layer of mixed kinds.
    """

    name: str
    columns: Floats32
    unit: str
    points: Floats


_layers: dict[str, LayerOnGrid] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ContextBlock:
    """Static columns of every cell: ``values`` float32[N, C] with their ``names`` and a digest of what went in.

    ``layers`` by slug, for those who tell what stands near a cell.
    """

    values: Floats32 | None
    names: tuple[str, ...]
    labels: dict[str, str]
    digest: str
    layers: dict[str, LayerOnGrid]


def amounts_near(
    block: ContextBlock, spec: GridSpec, cells: list[int], reference: int
) -> list[tuple[LayerAmount, ...]]:
    """Return how much of each layer lies near these cells, against the city's middle cell. No query.

    Places are counted within the radius of the cell's centre (of half the cell where that is more); lines and areas are
    what the model's own column says, in kilometres and hectares.
    """
    x_m, y_m = spec.centres()
    wanted = [*cells, reference]
    out: list[list[LayerAmount]] = [[] for _ in cells]
    for slug, layer in block.layers.items():
        for number, radius in enumerate(RADII_M):
            within = max(float(radius), spec.cell_size_m / 2)
            if layer.unit == "places":
                amounts = _places_within(layer.points, x_m[wanted], y_m[wanted], within)
            elif layer.unit:
                area_ha = spec.cell_size_m**2 / 10_000 if layer.unit == "ha" else 1.0
                amounts = np.expm1(layer.columns[wanted, number].astype(np.float64)) * area_ha
            else:
                continue
            for row, amount in zip(out, amounts[:-1], strict=True):
                row.append(LayerAmount(slug, within, layer.unit, float(amount), float(amounts[-1])))
    return [tuple(row) for row in out]


def _places_within(points: Floats, x_m: Floats, y_m: Floats, radius_m: float) -> Floats:
    # Here, not above: loading it takes a third of a second, for which every command would wait.
    from scipy.spatial import cKDTree

    if not len(points):
        return np.zeros(len(x_m))
    found = cKDTree(points).query_ball_point(np.column_stack([x_m, y_m]), radius_m, return_length=True)
    return np.asarray(found, dtype=np.float64)


def context_block(grid: Grid, *, as_of: dt.datetime, names: tuple[str, ...] | None = None) -> ContextBlock:
    """Return the density of places, length of lines and share of area near each cell, and the nearest, for every risk layer.

    Points count 1 each, lines their kilometres, areas their share of the cell; blurred over 150 m and 400 m to
    what lies within about that distance, as log(1 + amount); the nearest as exp(-distance / 300 m). A layer whose places were not known yet at
    ``as_of`` is left out. ``names`` fixes the columns to those of a training: a layer that is missing or not
    yet known then gives NaN, which models read as the city's average. After them the census's people (and empty homes) of each
    cell, where the agency has them. Three queries; kept in memory by content.
    """
    layers = {
        slug: (text, valid_from, name)
        for slug, text, valid_from, name in ContextLayer.objects.filter(
            agency_id=grid.agency_id, kind=ContextLayer.Kind.RISK
        )
        .annotate(text=Cast("geojson", TextField()))
        .order_by("slug")
        .values_list("slug", "text", "valid_from", "name")
    }
    known = {slug: row for slug, row in layers.items() if row[1] is None or row[1] <= as_of.date()}
    spec = grid_spec(grid)
    digest = hashlib.sha256(grid.hash.encode())
    columns: dict[str, Floats32] = {}
    found: dict[str, LayerOnGrid] = {}
    for slug, (text, _, name) in known.items():
        if names is not None and not set(column_names(slug)) & set(names):
            continue
        fingerprint = hashlib.sha256(f"{grid.hash}\n{text}".encode()).hexdigest()
        digest.update(f"{slug}:{fingerprint}".encode())
        layer = found[slug] = _layer(fingerprint, spec, text, name)
        columns |= {column: layer.columns[:, number] for number, column in enumerate(column_names(slug))}
    people = census_columns(grid.agency, grid, as_of=as_of)
    for name, column in sorted(people.items()):
        if names is None or name in names:
            columns[name] = column
            digest.update(f"{name}:{hashlib.sha256(column.tobytes()).hexdigest()}".encode())
    wanted = tuple(columns) if names is None else names
    nothing = np.full(len(spec), np.nan, dtype=np.float32)
    labels = {
        column: f"{name} within about {radius} m" if radius else f"{name}, nearness of the nearest"
        for slug, (_, _, name) in layers.items()
        for column, radius in zip(column_names(slug), (*RADII_M, 0), strict=True)
    }
    return ContextBlock(
        values=np.column_stack([columns.get(name, nothing) for name in wanted]) if wanted else None,
        names=wanted,
        labels={name: labels.get(name, CENSUS_LABELS.get(name, name)) for name in wanted},
        digest=digest.hexdigest(),
        layers=found,
    )


def _layer(fingerprint: str, spec: GridSpec, text: str, name: str) -> LayerOnGrid:
    with _lock:
        if (known := _layers.get(fingerprint)) is not None:
            return replace(known, name=name)
    made = _layer_on_grid(spec, json.loads(text), name)
    with _lock:
        if len(_layers) >= _KEPT:
            _layers.pop(next(iter(_layers)))
        _layers[fingerprint] = made
    return made


def _layer_on_grid(spec: GridSpec, collection: dict[str, object], name: str) -> LayerOnGrid:
    parts = layer_parts(spec, collection)
    kinds = set(shapely.get_dimensions(parts).tolist())
    unit = {frozenset({0}): "places", frozenset({1}): "km", frozenset({2}): "ha"}.get(frozenset(kinds), "")
    points = shapely.get_coordinates(parts) if unit == "places" else np.zeros((0, 2))
    return LayerOnGrid(name, parts_columns(spec, parts), unit, points)
