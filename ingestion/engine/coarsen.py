"""Make old records coarse: the place to a square of about 100 metres, the time to the hour.

What is left says enough to count crimes by small area and shift, and too little to point at a door.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ingestion.engine.fingerprint import content_hashes
from ingestion.engine.places import DECIMALS
from ingestion.engine.records import NormalisedChunk

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

STEP_DEG = 0.0009
"""Height of a square: 100.2 metres of latitude."""
COARSE_M = 100
HOUR = "hour"
DAY = "day"
_HOUR_S = 3_600


def coarse_places(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The centre of the square of about 100 × 100 metres in which each place lies (degrees, WGS84).

    Squares are half-open and fixed on the earth, so a place that is coarse already stays where it is.

    >>> lon, lat = coarse_places(np.array([-87.6298, -87.62979]), np.array([41.8781, 41.87811]))
    >>> bool(lon[0] == lon[1]), bool(lat[0] == lat[1])
    (True, True)
    """
    centre_lat = (np.floor(lat / STEP_DEG) + 0.5) * STEP_DEG
    # Degrees of longitude shrink towards the poles: the width follows the row of squares, not the single place.
    width = STEP_DEG / np.maximum(np.cos(np.radians(centre_lat)), 0.01)
    centre_lon = (np.floor(lon / width) + 0.5) * width
    return np.round(centre_lon, DECIMALS), np.round(centre_lat, DECIMALS)


def hour_from(times: Times) -> Times:
    """The beginning of each instant's hour (UTC); NaT stays NaT."""
    hours: Times = times.astype("datetime64[h]").astype("datetime64[s]")
    return hours


def hour_to(times: Times) -> Times:
    """The last second of each instant's hour (UTC): an end or a report that moved back would be known too early."""
    ends: Times = hour_from(times) + np.timedelta64(_HOUR_S - 1, "s")
    return ends


def is_coarse(place_precision_m: npt.NDArray[np.int64], time_precision: Objects) -> Bools:
    """True for records that are at least as coarse already. 0 metres means that nobody knows: not coarse."""
    coarse_time = np.isin(time_precision.astype(str), (HOUR, DAY))
    return (place_precision_m >= COARSE_M) & coarse_time


def coarsen_chunk(chunk: NormalisedChunk, before: np.datetime64) -> NormalisedChunk:
    """The chunk with its records from before this instant made coarse, content hashes included; the others as they are.

    Idempotent. Dates alone keep their day. The moment of the last update stays: versions are compared by it.
    """
    precision_m = (
        chunk.place_precision_m
        if len(chunk.place_precision_m) == len(chunk)
        else np.zeros(len(chunk), np.int64)
    )
    rows = np.flatnonzero((chunk.occurred_from < before) & ~is_coarse(precision_m, chunk.time_precision))
    if not rows.size:
        return chunk
    lon, lat = chunk.lon.copy(), chunk.lat.copy()
    lon[rows], lat[rows] = coarse_places(lon[rows], lat[rows])
    precision_m = precision_m.copy()
    precision_m[rows] = np.maximum(precision_m[rows], COARSE_M)
    time_precision = chunk.time_precision.copy()
    timed = rows[time_precision[rows].astype(str) != DAY]
    start, end, reported = chunk.occurred_from.copy(), chunk.occurred_to.copy(), chunk.reported_at.copy()
    start[timed], end[timed] = hour_from(start[timed]), hour_to(end[timed])
    reported[rows] = hour_to(reported[rows])
    time_precision[timed] = HOUR
    coarse = replace(
        chunk,
        lon=lon,
        lat=lat,
        place_precision_m=precision_m,
        time_precision=time_precision,
        occurred_from=start,
        occurred_to=end,
        reported_at=reported,
    )
    hashes = _hashes(coarse)
    if chunk.unit is None:
        return replace(coarse, content_hash=hashes)
    unit = chunk.unit.copy()
    # An hour and a hundred metres are no visit any more: then the unit is only a trace of an officer.
    unit[rows] = ""
    kept = chunk.content_hash.copy()
    kept[rows] = hashes[rows]
    return replace(coarse, unit=unit, content_hash=kept)


def _hashes(chunk: NormalisedChunk) -> npt.NDArray[np.int64]:
    return content_hashes(
        texts=[column.tolist() for column in hash_texts(chunk)],
        times=(chunk.occurred_from, chunk.occurred_to, chunk.reported_at, chunk.last_updated),
        degrees=(chunk.lon, chunk.lat),
    )


def hash_texts(chunk: NormalisedChunk) -> tuple[Objects, ...]:
    """The text columns of a record's content, in the order in which they are hashed."""
    return chunk.crime_type, chunk.code, chunk.discovery, chunk.time_precision


def without_older(chunk: NormalisedChunk, before: np.datetime64, rule: str, message: str) -> NormalisedChunk:
    """The chunk without records from before this instant: they count as refused under the rule, and are kept nowhere."""
    old = chunk.occurred_from < before
    number = int(old.sum())
    if not number:
        return chunk
    keep = ~old
    columns = {
        name: getattr(chunk, name)[keep]
        for name in (
            *(
                "row_number",
                "external_id",
                "crime_type",
                "code",
                "occurred_from",
                "occurred_to",
                "reported_at",
            ),
            *("last_updated", "lon", "lat", "discovery", "time_precision", "content_hash"),
        )
    }
    if len(chunk.place_precision_m) == len(chunk):
        columns["place_precision_m"] = chunk.place_precision_m[keep]
    # Columns that only some feeds have: left as they were, they would belong to other rows.
    for name in ("stage", "stage_at", "is_gunfire", "unit"):
        if getattr(chunk, name) is not None:
            columns[name] = getattr(chunk, name)[keep]
    key = (rule, "too old")
    refused = chunk.refused.copy()
    refused[key] += number
    return replace(
        chunk, **columns, refused=refused, refusal_messages={**chunk.refusal_messages, key: message}
    )
