"""What stands near each cell: the agency's risk layers as numbers (bars, stops, vacant parcels, streets …)."""

import datetime as dt
import hashlib
import json
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import TextField
from django.db.models.functions import Cast

from forecasting.engine.grid import GridSpec
from forecasting.engine.places import RADII_M, column_names, layer_density
from forecasting.models import Grid
from forecasting.selectors.grids import grid_spec
from ingestion.models import ContextLayer

Floats32 = npt.NDArray[np.float32]

_KEPT = 32
_columns: dict[str, Floats32] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ContextBlock:
    """Static columns of every cell: ``values`` float32[N, C] with their ``names`` and a digest of what went in."""

    values: Floats32 | None
    names: tuple[str, ...]
    labels: dict[str, str]
    digest: str


def context_block(grid: Grid, *, as_of: dt.datetime, names: tuple[str, ...] | None = None) -> ContextBlock:
    """Return the density of places, length of lines and share of area near each cell, for every risk layer.

    Points count 1 each, lines their kilometres, areas their share of the cell; blurred over 150 m and 400 m to
    what lies within about that distance, as log(1 + amount). A layer whose places were not known yet at
    ``as_of`` is left out. ``names`` fixes the columns to those of a training: a layer that is missing or not
    yet known then gives NaN, which models read as the city's average. One query; kept in memory by content.
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
    for slug, (text, _, _) in known.items():
        if names is not None and not set(column_names(slug)) & set(names):
            continue
        fingerprint = hashlib.sha256(f"{grid.hash}\n{text}".encode()).hexdigest()
        digest.update(f"{slug}:{fingerprint}".encode())
        values = _layer_columns(fingerprint, spec, text)
        columns |= {name: values[:, number] for number, name in enumerate(column_names(slug))}
    wanted = tuple(columns) if names is None else names
    nothing = np.full(len(spec), np.nan, dtype=np.float32)
    labels = {
        column: f"{name} within about {radius} m"
        for slug, (_, _, name) in layers.items()
        for column, radius in zip(column_names(slug), RADII_M, strict=True)
    }
    return ContextBlock(
        values=np.column_stack([columns.get(name, nothing) for name in wanted]) if wanted else None,
        names=wanted,
        labels={name: labels.get(name, name) for name in wanted},
        digest=digest.hexdigest(),
    )


def _layer_columns(fingerprint: str, spec: GridSpec, text: str) -> Floats32:
    with _lock:
        if (known := _columns.get(fingerprint)) is not None:
            return known
    found = layer_density(spec, json.loads(text))
    with _lock:
        if len(_columns) >= _KEPT:
            _columns.pop(next(iter(_columns)))
        _columns[fingerprint] = found
    return found
