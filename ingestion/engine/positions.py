"""Positions of vehicles: unit, instant and place, judged in bulk. Nothing else of a row is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from ingestion.engine.context import CLOCK_TOLERANCE
from ingestion.engine.normalise import EARLIEST
from ingestion.engine.places import METRES_PER_DEGREE, OK, PLACE_CODES, parse_places
from ingestion.engine.rows import RowChunk
from ingestion.engine.timestamps import EMPTY, READ, UNREADABLE, parse_times

COLUMNS = ("unit", "at", "lon", "lat")
MAX_UNIT_CHARACTERS = 20
MARGIN_M = 3_000.0
"""Cars answer calls across the line; further out a position is a stray fix or the way home, and nobody's business."""

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Box:
    """West, south, east, north in degrees, edges included."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, bounds: Sequence[float], margin_m: float = MARGIN_M) -> "Box":
        """The box of these bounds (west, south, east, north), wider by a margin on each side."""
        west, south, east, north = bounds
        dlat = margin_m / METRES_PER_DEGREE
        dlon = dlat / max(np.cos(np.radians((south + north) / 2)), 0.05)
        return cls(west - dlon, south - dlat, east + dlon, north + dlat)

    def holds(self, lon: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = (
            (lon >= self.west) & (lon <= self.east) & (lat >= self.south) & (lat <= self.north)
        )
        return inside


@dataclass(frozen=True)
class Positions:
    """One element a row, in the order of the chunk. ``code`` is empty for a usable row, else a rejection code.

    ``at`` is UTC in seconds, NaT where unreadable; ``lon`` and ``lat`` are NaN unless they are a place on earth.
    """

    row_number: npt.NDArray[np.int64]
    unit: Objects
    at: Times
    lon: Floats
    lat: Floats
    code: Objects


def read_positions(
    chunk: RowChunk, *, zone: str, now: datetime, box: Box | None, date_format: str = "iso"
) -> Positions:
    """Judge each row: the first fault is its code. Naive times are the wall clock in ``zone``. An empty chunk is fine.

    Faults: missing_unit, field_too_long, nul_byte, missing_timestamp, bad_timestamp, future_timestamp (more than a
    quarter of an hour ahead), implausible_past, a place that is none, outside_boundary (outside ``box``).
    """
    units = [text.strip() for text in chunk.columns["unit"]]
    times = parse_times([text.strip() for text in chunk.columns["at"]], date_format=date_format, zone=zone)
    places = parse_places(
        [text.strip() for text in chunk.columns["lon"]], [text.strip() for text in chunk.columns["lat"]]
    )
    code = np.full(len(chunk), "", dtype=object)

    def mark(rows: npt.NDArray[np.bool_], name: str) -> None:
        code[rows & (code == "")] = name

    lengths = np.array([len(unit) for unit in units], dtype=np.int64)
    mark(lengths == 0, "missing_unit")
    mark(lengths > MAX_UNIT_CHARACTERS, "field_too_long")
    mark(np.array([not unit.isprintable() for unit in units], dtype=np.bool_), "bad_encoding")
    mark(times.status == EMPTY, "missing_timestamp")
    mark(times.status == UNREADABLE, "bad_timestamp")
    read = times.status == READ
    latest = np.datetime64(int((now + CLOCK_TOLERANCE).timestamp()), "s")
    mark(read & (times.utc > latest), "future_timestamp")
    mark(read & (times.utc < EARLIEST), "implausible_past")
    for status in np.unique(places.status):
        if status != OK:
            mark(places.status == status, PLACE_CODES[int(status)])
    if box is not None:
        mark((places.status == OK) & ~box.holds(places.lon, places.lat), "outside_boundary")
    unit_array = np.empty(len(units), dtype=object)
    unit_array[:] = units
    return Positions(chunk.row_numbers, unit_array, times.utc, places.lon, places.lat, code)
