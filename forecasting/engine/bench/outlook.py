"""Events and weather of a backtest, read from CSV files: what is on, what the sky does, and since when one knew."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecasting.engine.bench.files import bytes_read, unpacked
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.grid import project
from forecasting.engine.happenings import Happenings
from forecasting.engine.periods import Times
from forecasting.engine.surroundings import Surroundings
from forecasting.engine.weather import Weather
from ingestion.engine.privacy import screen_columns

Floats = npt.NDArray[np.float64]

_SECOND = "datetime64[s]"
_DAY, _HOUR = np.timedelta64(86_400, "s"), np.timedelta64(3_600, "s")
_EVENT = {
    "from": ("from", "start", "starts_at", "date"),
    "to": ("to", "end", "ends_at"),
    "announced": ("announced", "announced_at", "known_at"),
    "kind": ("kind", "type"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "longitude"),
    "attendance": ("attendance", "expected_attendance"),
}
_WEATHER = {
    "from": ("hour", "date", "valid_from", "time"),
    "issued": ("issued", "issued_at"),
    "tmax": ("tmax",),
    "tmin": ("tmin",),
    "temperature": ("temperature", "temp", "tavg"),
    "rain": ("prcp", "rain", "precipitation"),
    "snow": ("snow", "snowfall"),
}


@dataclass(frozen=True)
class EventsCalendar:
    """Scheduled events of one file, in degrees (NaN: the whole city) and local wall clock."""

    slug: str
    lat: Floats = field(repr=False)
    lon: Floats = field(repr=False)
    begin: Times = field(repr=False)
    end: Times = field(repr=False)
    announced: Times = field(repr=False)
    kind: tuple[str, ...] = field(repr=False)
    attendance: Floats = field(repr=False)
    digest: str = ""


@dataclass(frozen=True)
class WeatherTable:
    """The weather of one file, in local wall clock."""

    slug: str
    weather: Weather = field(repr=False)
    digest: str = ""


Outlook = EventsCalendar | WeatherTable


def kind_of_csv(path: Path) -> str:
    """What a CSV's header says that it holds: ``weather``, ``events`` or ``places``."""
    columns = set(_frame(path, rows=0)[0])
    if not columns & {"lat", "latitude", "y"} and columns & {"tmax", "tmin", "temperature", "temp", "prcp"}:
        return "weather"
    # A register of bars may have a kind and a date; only what is scheduled has a beginning and an announcement.
    return "events" if {"from", "announced"} <= columns or {"from", "to"} <= columns else "places"


def events_calendar(path: Path, slug: str) -> EventsCalendar:
    """Read scheduled events: from, to, announced, kind, and where they have a place lat and lon; attendance if known.

    ``from`` alone as a day is the whole day. Without ``announced`` nobody could know when one knew: refused.
    """
    frame, digest = _frame(path)
    found = _columns(frame, _EVENT, path, needed=("from", "announced", "kind"))
    begin, dated = _times(frame[found["from"]], "from", path)
    end = begin + np.where(dated, _DAY, 3 * _HOUR)
    if "to" in found:
        end, to_dated = _times(frame[found["to"]], "to", path)
        # "Until 4 July" means until that day is over.
        end = np.where(to_dated, end + _DAY, end)
    if (end <= begin).any():
        row = int(np.flatnonzero(end <= begin)[0])
        raise BenchProblem(
            f"{path.name}, row {row + 2}: the event ends before it begins.", next_step="mend that line."
        )
    announced, _ = _times(frame[found["announced"]], "announced", path)
    lat, lon = (_numbers(frame, found.get(name)) for name in ("lat", "lon"))
    bad = np.isfinite(lat) & ((np.abs(lat) > 90) | (np.abs(lon) > 180))
    if bad.any():
        raise BenchProblem(
            f"{path.name}, row {int(np.flatnonzero(bad)[0]) + 2}: not latitude and longitude.",
            next_step="give WGS84 degrees.",
        )
    kind = tuple(
        re.sub(r"\W+", "_", str(text).strip().lower()).strip("_") or "event" for text in frame[found["kind"]]
    )
    return EventsCalendar(
        slug, lat, lon, begin, end, announced, kind, _numbers(frame, found.get("attendance")), digest
    )


def weather_table(path: Path, slug: str) -> WeatherTable:
    """Read daily or hourly weather: date or hour, tmax and tmin or temperature (°C), prcp and snow (mm), issued.

    Without ``issued`` a row is an observation, known when its day or hour is over: never before the shift that it is
    about. With it, a row is seen by every forecast made after that instant.
    """
    frame, digest = _frame(path)
    found = _columns(frame, _WEATHER, path, needed=("from",))
    if not set(found) & {"tmax", "tmin", "temperature", "rain", "snow"}:
        raise BenchProblem(f"{path.name} holds no weather.", next_step="give tmax, tmin, prcp or snow.")
    begin, _ = _times(frame[found["from"]], "date", path)
    # A table of days starts every row at midnight.
    daily = bool(((begin - begin.astype("datetime64[D]")) == np.timedelta64(0, "s")).all())
    end = begin + (_DAY if daily else _HOUR)
    issued = end
    if "issued" in found:
        issued, _ = _times(frame[found["issued"]], "issued", path)
    temperature = _numbers(frame, found.get("temperature"))
    if "temperature" not in found:
        high, low = (_numbers(frame, found.get(name)) for name in ("tmax", "tmin"))
        temperature = np.where(np.isnan(high), low, np.where(np.isnan(low), high, (high + low) / 2))
    rain, snow = _numbers(frame, found.get("rain")), _numbers(frame, found.get("snow"))
    return WeatherTable(slug, Weather(begin, end, issued, temperature, rain, snow), digest)


def surroundings_of(outlook: Sequence[Outlook], epsg: int) -> Surroundings | None:
    """All files together, events in the grid's metres. None without any."""
    calendars = [one for one in outlook if isinstance(one, EventsCalendar)]
    tables = [one.weather for one in outlook if isinstance(one, WeatherTable)]
    if not calendars and not tables:
        return None
    return Surroundings(_happenings(calendars, epsg), _weather(tables))


def _happenings(calendars: Sequence[EventsCalendar], epsg: int) -> Happenings | None:
    if not calendars:
        return None
    lat, lon, attendance = (
        np.concatenate([getattr(one, name) for one in calendars]) for name in ("lat", "lon", "attendance")
    )
    begin, end, announced = (
        np.concatenate([getattr(one, name) for one in calendars]) for name in ("begin", "end", "announced")
    )
    names = [kind for one in calendars for kind in one.kind]
    kinds = tuple(sorted(set(names)))
    x_m, y_m = np.full(len(lat), np.nan), np.full(len(lat), np.nan)
    placed = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
    if len(placed):
        x_m[placed], y_m[placed] = project(lon[placed], lat[placed], epsg)
    kind = np.array([kinds.index(name) for name in names], dtype=np.int16)
    made = Happenings(x_m, y_m, begin, end, announced, kind, kinds, attendance)
    # Whole order fixed by values: the file's order of rows must not matter.
    return made.take(np.lexsort((attendance, y_m, x_m, kind, announced, end, begin)))


def _weather(tables: Sequence[Weather]) -> Weather | None:
    if not tables:
        return None
    names = ("valid_from_utc", "valid_to_utc", "issued_utc", "temperature_c", "rain_mm", "snow_mm")
    return Weather(*(np.concatenate([getattr(one, name) for one in tables]) for name in names))


def _frame(path: Path, rows: int | None = None) -> tuple[pd.DataFrame, str]:
    plain = unpacked(path, bytes_read(path))
    try:
        frame = pd.read_csv(BytesIO(plain), nrows=rows, encoding="utf-8-sig")
    except (ValueError, RuntimeError) as exc:
        raise BenchProblem(
            f"{path.name} cannot be read as CSV ({str(exc).strip()}).", next_step="mend the file."
        ) from exc
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    return frame, hashlib.sha256(plain).hexdigest()


def _columns(
    frame: pd.DataFrame, wanted: dict[str, tuple[str, ...]], path: Path, needed: Sequence[str]
) -> dict[str, str]:
    """Which column of the file holds what. Files about persons are refused."""
    known = {name for names in wanted.values() for name in names}
    if violations := screen_columns(name for name in frame.columns if name not in known):
        raise BenchProblem(
            f"{path.name}: {violations[0].message}", next_step="give events, not people: drop that column."
        )
    found = {}
    for key, names in wanted.items():
        column = next((name for name in names if name in frame.columns), None)
        if column is not None:
            found[key] = column
    missing = [name for name in needed if name not in found]
    if missing:
        raise BenchProblem(
            f"{path.name} has no column {' or '.join(wanted[missing[0]])}.",
            next_step="add that column; docs/backtest.md says what it holds.",
        )
    if not len(frame):
        raise BenchProblem(f"{path.name} holds no row.", next_step="check that the export ran.")
    return found


def _times(column: pd.Series, name: str, path: Path) -> tuple[Times, npt.NDArray[np.bool_]]:
    """Local wall clock in seconds, and which rows hold a day without an hour."""
    try:
        read = pd.to_datetime(column, format="ISO8601", errors="coerce")
    except (ValueError, TypeError):
        read = pd.Series(pd.NaT, index=column.index)
    if not isinstance(read.dtype, np.dtype) or read.isna().any():
        row = 0 if not isinstance(read.dtype, np.dtype) else int(np.flatnonzero(read.isna())[0])
        raise BenchProblem(
            f"{path.name}, row {row + 2}, column {name}: {column.iloc[row]!r} is no local time without a zone.",
            next_step="write 2018-05-01 or 2018-05-01 19:05.",
        )
    return read.to_numpy(_SECOND), (column.astype(str).str.strip().str.len() <= 10).to_numpy()


def _numbers(frame: pd.DataFrame, column: str | None) -> Floats:
    if column is None:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64)
