"""Layers for a backtest, from files: the same door as the product's layers, without a database."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from agencies.lookups import date_from_text
from forecasting.engine.bench.ground import Layer, layer_from_csv
from ingestion.services.layers import layer_geojson
from missions_project.lib.errors import MissionsError

_CSV = re.compile(r"\.(csv|txt)(\.gz)?$", re.IGNORECASE)


def backtest_layers_read(*, values: list[str]) -> list[Layer]:
    """Read ``FILE`` or ``FILE@YYYY-MM-DD`` (valid from that day) each: GeoJSON, GeoPackage, zipped Shapefile or CSV.

    Files about persons are refused as for the product's layers. No query.
    """
    layers: list[Layer] = []
    for value in values:
        name, mark, day = value.rpartition("@")
        dated = bool(mark) and re.fullmatch(r"\d{4}-\d\d-\d\d", day) is not None
        path = Path(name if dated else value)
        valid_from = np.datetime64(date_from_text(day)) if dated else None
        if not path.is_file():
            raise MissionsError(f"There is no file {path}.", next_step="check the path of --layers.")
        slug = re.sub(r"\W+", "_", path.name.split(".")[0].lower()).strip("_") or "layer"
        if any(layer.slug == slug for layer in layers):
            raise MissionsError(f"Two layers are called {slug}.", next_step="rename one of the files.")
        if _CSV.search(path.name):
            layers.append(layer_from_csv(path, slug, valid_from))
        else:
            collection = layer_geojson(path)
            digest = hashlib.sha256(json.dumps(collection, sort_keys=True).encode()).hexdigest()
            layers.append(Layer(slug, collection, valid_from, digest))
    return layers
