"""What passes over an agency's city, as a forecast of an instant may know it: scheduled events, weather, and who lives where."""

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from django.db.models import Max
from shapely.geometry import shape

from agencies.engine.local_time import local_to_utc, utc_to_local
from agencies.models import Agency
from forecasting.engine.census import people_column
from forecasting.engine.grid import project
from forecasting.engine.happenings import Happenings
from forecasting.engine.surroundings import NOTHING, Surroundings
from forecasting.engine.trained import TrainedType
from forecasting.engine.weather import Weather
from forecasting.engine.weather_days import weather_days
from forecasting.models import Grid
from forecasting.selectors.grids import grid_spec
from forecasting.selectors.inputs import HISTORY_DAYS
from ingestion.models import CensusArea, ScheduledEvent, WeatherHour

Floats32 = npt.NDArray[np.float32]

MOST_KINDS = 24
"""Kinds of events that a training tells apart: the most frequent ones. A calendar with a category for each event would
give the models a column for each."""
CENSUS_COLUMNS = {"population": "census_people", "vacant_units": "census_vacant_units"}
CENSUS_LABELS = {"census_people": "People living here", "census_vacant_units": "Vacant housing units"}
_KEPT = 8
_columns: OrderedDict[str, dict[str, Floats32]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class SurroundingsKnown:
    """Events and weather for the engine (None: the agency has neither), what they were for the record, and their digest."""

    surroundings: Surroundings | None
    record: dict[str, Any]
    digest: str

    def for_models(self, trained: Iterable[TrainedType]) -> Surroundings | None:
        """What to hand to the engine: models that learnt from events or weather need an answer, and be it that nothing passes."""
        if self.surroundings is None and any(one.model.shape.names != NOTHING for one in trained):
            return Surroundings()
        return self.surroundings

    def mixed_into(self, data_hash: str) -> str:
        """The fingerprint of the incidents with that of the surroundings; unchanged where there are none."""
        if self.surroundings is None:
            return data_hash
        return hashlib.blake2b(f"{data_hash} {self.digest}".encode(), digest_size=16).hexdigest()


def surroundings_known(
    agency: Agency, *, epsg: int, before: dt.datetime, kinds_at_most: int | None = None
) -> SurroundingsKnown:
    """Return events and weather as known before the instant, for training and forecasting alike. Two queries."""
    events, sky = (
        happenings(agency, epsg=epsg, before=before, kinds_at_most=kinds_at_most),
        weather(agency, before=before),
    )
    if not len(events) and not len(sky):
        return SurroundingsKnown(None, {}, "")
    digest = hashlib.sha256()
    for table in (events, sky):
        for name in sorted(table.__dataclass_fields__):
            value = getattr(table, name)
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    record = {
        "events": len(events),
        "kinds": list(events.kinds),
        "weather_rows": len(sky),
        "digest": digest.hexdigest(),
    }
    made = Surroundings(events if len(events) else None, sky if len(sky) else None)
    return SurroundingsKnown(made, record, digest.hexdigest())


def happenings(
    agency: Agency, *, epsg: int, before: dt.datetime, kinds_at_most: int | None = None
) -> Happenings:
    """Return the scheduled events that were announced before the instant, and when they were called off. One query.

    Those that were called off stay: a forecast of the time before reckoned with them, and a test of it must too. At most eight years back. ``kinds_at_most``: of more kinds only the most frequent ones.
    """
    rows = list(
        ScheduledEvent.objects.filter(
            agency=agency, announced_at__lt=before, ends_at__gt=before - dt.timedelta(days=HISTORY_DAYS)
        )
        # Fixed by what they are: in which order they were imported must not matter.
        .order_by("starts_at", "ends_at", "announced_at", "kind", "lon", "lat", "attendance", "cancelled_at")
        .values_list(
            "kind", "starts_at", "ends_at", "announced_at", "lon", "lat", "attendance", "cancelled_at"
        )
    )
    # Called off before it was known, or in the same second: no forecast ever saw it.
    rows = [row for row in rows if row[7] is None or row[7] > row[3]]
    names = [row[0].replace("-", "_") for row in rows]
    kinds = sorted(set(names))
    if kinds_at_most is not None and len(kinds) > kinds_at_most:
        kinds = sorted(sorted(kinds, key=lambda kind: (-names.count(kind), kind))[:kinds_at_most])
        kept = set(kinds)
        rows = [row for row, name in zip(rows, names, strict=True) if name in kept]
        names = [name for name in names if name in kept]
    if not rows:
        return Happenings.none()
    lon, lat, attendance = (
        np.array([np.nan if row[at] is None else row[at] for row in rows], dtype=np.float64)
        for at in (4, 5, 6)
    )
    x_m, y_m = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    placed = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    if len(placed):
        x_m[placed], y_m[placed] = project(lon[placed], lat[placed], epsg)
    number = {kind: at for at, kind in enumerate(kinds)}
    return Happenings(
        x_m=x_m,
        y_m=y_m,
        from_utc=_seconds([row[1] for row in rows]),
        to_utc=_seconds([row[2] for row in rows]),
        known_utc=_seconds([row[3] for row in rows]),
        off_utc=_off([row[7] for row in rows], before),
        kind=np.array([number[name] for name in names], dtype=np.int16),
        kinds=tuple(kinds),
        attendance=attendance,
    )


def weather(agency: Agency, *, before: dt.datetime) -> Weather:
    """Return the weather of eight years as issued before the instant, as days of the agency's calendar. One query.

    Hours are put together to days as known after each issue; days come as they are.
    """
    rows = list(
        WeatherHour.objects.filter(
            agency=agency, issued_at__lt=before, valid_at__gte=before - dt.timedelta(days=HISTORY_DAYS)
        )
        # Of two feeds that tell of one hour at once the later one stands, always the same.
        .order_by("valid_at", "issued_at", "feed_id")
        .values_list("valid_at", "length_hours", "issued_at", "temperature_c", "precipitation_mm", "snow_cm")
    )
    begin = _seconds([row[0] for row in rows])
    length = np.array([row[1] for row in rows], dtype=np.int64).astype("timedelta64[h]")
    figures = np.array(
        [[np.nan if v is None else v for v in row[3:]] for row in rows], dtype=np.float64
    ).reshape(-1, 3)
    found = Weather(
        begin,
        begin + length,
        _seconds([row[2] for row in rows]),
        figures[:, 0],
        figures[:, 1],
        figures[:, 2] * 10.0,
    )
    if not rows:
        return found
    day = utc_to_local(found.valid_from_utc, agency.time_zone).astype("datetime64[D]")
    first, last = (
        local_to_utc(edge.astype("datetime64[s]"), agency.time_zone).utc
        for edge in (day, day + np.timedelta64(1, "D"))
    )
    return weather_days(found, first, last)


def census_columns(agency: Agency, grid: Grid, *, as_of: dt.datetime) -> dict[str, Floats32]:
    """Return how many people live in each cell, and how many homes stand empty: log(1 + number), float32[N] by name.

    From the newest census that was published by then; empty where there is none. Two queries; kept in memory by content.
    """
    published = CensusArea.objects.filter(agency=agency, valid_from__lte=as_of.date())
    newest = published.aggregate(newest=Max("valid_from"))["newest"]
    if newest is None:
        return {}
    rows = list(published.filter(valid_from=newest).order_by("pk").values("geometry", *CENSUS_COLUMNS))
    key = hashlib.sha256(f"{grid.hash}\n{rows}".encode()).hexdigest()
    with _lock:
        if key in _columns:
            _columns.move_to_end(key)
            return dict(_columns[key])
    spec = grid_spec(grid)
    made: dict[str, Floats32] = {}
    for field, name in CENSUS_COLUMNS.items():
        known = [row for row in rows if row[field] is not None]
        # A figure that half of the city lacks would read as emptiness there.
        if 2 * len(known) > len(rows):
            outlines = [_outline(row["geometry"]) for row in known]
            made[name] = people_column(spec, outlines, [float(row[field]) for row in known])
    with _lock:
        _columns[key] = made
        while len(_columns) > _KEPT:
            _columns.popitem(last=False)
    return dict(made)


def _outline(geometry: dict[str, Any]) -> shapely.Geometry:
    return shape(geometry)


def _off(instants: list[dt.datetime | None], before: dt.datetime) -> npt.NDArray[np.datetime64]:
    """When each was called off as far as one knew before the instant; NaT where nobody knew of it."""
    known = [at is not None and at < before for at in instants]
    out = np.full(len(instants), "NaT", dtype="datetime64[s]")
    if any(known):
        out[known] = _seconds([at for at in instants if at is not None and at < before])
    return out


def _seconds(instants: list[dt.datetime]) -> npt.NDArray[np.datetime64]:
    return np.array([int(instant.timestamp()) for instant in instants], dtype=np.int64).astype(
        "datetime64[s]"
    )
