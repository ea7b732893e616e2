"""Stored records made coarse, a batch at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from ingestion.engine.coarsen import coarsen_chunk
from ingestion.engine.records import NormalisedChunk
from ingestion.models import CallForService, Fact
from ingestion.services.fact_rows import instant_texts

_EVER = np.datetime64("9999-12-31T00:00:00", "s")
_READ = (
    *("pk", "external_id", "crime_type__slug", "code", "occurred_from", "occurred_to", "reported_at"),
    *("last_updated_at", "lon", "lat", "discovery", "time_precision", "place_precision_m"),
)
_WRITTEN = (
    *("lon", "lat", "place_precision_m", "time_precision", "occurred_from", "occurred_to", "reported_at"),
    "content_hash",
)


def facts_coarsen(*, model: type[Fact], keys: Sequence[int]) -> int:
    """Make these records coarse: place to a square of 100 m, times to the hour. Returns how many. Two statements.

    Must run inside a transaction: an import may be writing the same record.
    """
    rows = model._default_manager.filter(pk__in=keys).order_by("pk")
    if connection.vendor == "postgresql":
        # Between reading and writing, an import could store a newer version: this one would overwrite it.
        rows = rows.select_for_update(of=("self",))
    values = list(rows.values_list(*_READ))
    if not values:
        return 0
    coarse = coarsen_chunk(_chunk(values), _EVER)
    changed = list(
        zip(
            coarse.lon.tolist(),
            coarse.lat.tolist(),
            coarse.place_precision_m.tolist(),
            coarse.time_precision.tolist(),
            instant_texts(coarse.occurred_from),
            instant_texts(coarse.occurred_to),
            instant_texts(coarse.reported_at),
            coarse.content_hash.tolist(),
            [row[0] for row in values],
            strict=True,
        )
    )
    quote = connection.ops.quote_name
    sets = ", ".join(f"{quote(name)} = %s" for name in _WRITTEN)
    if model is CallForService:
        # An hour and a hundred metres are no visit any more: the unit would only be a trace of an officer.
        sets += f", {quote('unit_code')} = ''"
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE id = %s", changed)  # nosec B608 - names are ours, values go by parameters
    return len(values)


def _times(values: Sequence[datetime | None]) -> npt.NDArray[np.datetime64]:
    seconds = [None if value is None else int(value.timestamp()) for value in values]
    return np.array(["NaT" if one is None else one for one in seconds], dtype="datetime64[s]")


def _texts(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = ["" if value is None else value for value in values]
    return array


def _chunk(values: Sequence[tuple[Any, ...]]) -> NormalisedChunk:
    columns: dict[str, list[Any]] = {
        name: list(column) for name, column in zip(_READ, zip(*values, strict=True), strict=True)
    }
    n = len(values)
    return NormalisedChunk(
        received=n,
        row_number=np.array(columns["pk"], dtype=np.int64),
        external_id=_texts(columns["external_id"]),
        crime_type=_texts(columns["crime_type__slug"]),
        code=_texts(columns["code"]),
        occurred_from=_times(columns["occurred_from"]),
        occurred_to=_times(columns["occurred_to"]),
        reported_at=_times(columns["reported_at"]),
        last_updated=_times(columns["last_updated_at"]),
        lon=np.array(columns["lon"], dtype=np.float64),
        lat=np.array(columns["lat"], dtype=np.float64),
        discovery=_texts(columns["discovery"]),
        time_precision=_texts(columns["time_precision"]),
        content_hash=np.zeros(n, dtype=np.int64),
        superseded=np.zeros(0, dtype=np.int64),
        place_precision_m=np.array([value or 0 for value in columns["place_precision_m"]], dtype=np.int64),
    )
