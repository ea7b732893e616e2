"""Weather as it comes in: what an hour is, what it can be, and tables of days or hours. Forecasts keep their issue time."""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agencies.engine.local_time import aware
from ingestion.engine.privacy import tidy_column
from ingestion.engine.records import QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.engine.timestamps import DAY, EMPTY, READ, ParsedTimes, parse_times

HOUR = timedelta(hours=1)
_BATCH_ROWS = 5_000
FIGURES = ("temperature_c", "precipitation_mm", "snow_cm", "wind_ms")
PLAUSIBLE = {
    "temperature_c": (-90.0, 60.0),
    "precipitation_mm": (0.0, 2_000.0),
    "snow_cm": (0.0, 500.0),
    "wind_ms": (0.0, 120.0),
}
"""What weather can be; -9999 and the like stand for a gauge that did not work."""
_MISSING = (-999.0, -9999.0, 9999.0, 99999.0)


@dataclass(frozen=True)
class WeatherRow:
    """One hour (or one day of ``length_hours``): what it was or will be like, and when that could first be read."""

    row_number: int
    valid_at: datetime
    issued_at: datetime
    length_hours: int = 1
    temperature_c: float | None = None
    precipitation_mm: float | None = None
    snow_cm: float | None = None
    wind_ms: float | None = None

    @property
    def ends_at(self) -> datetime:
        return self.valid_at + self.length_hours * HOUR

    @property
    def is_forecast(self) -> bool:
        return self.issued_at < self.ends_at

    @property
    def figures(self) -> tuple[float | None, ...]:
        return (self.temperature_c, self.precipitation_mm, self.snow_cm, self.wind_ms)


WeatherItem = WeatherRow | QuarantinedValue


class WeatherProblem(ValueError):
    """The document or table cannot be read at all; ``next_step`` says what to do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


@dataclass(frozen=True)
class Units:
    """In which units a source gives its figures."""

    temperature: str = "c"
    precipitation: str = "mm"
    snow: str = "cm"
    wind: str = "ms"


_TO_CELSIUS = {"c": (1.0, 0.0), "f": (5 / 9, -160 / 9), "k": (1.0, -273.15)}
_TO_MM = {"mm": 1.0, "in": 25.4, "cm": 10.0, "tenths_mm": 0.1, "m": 1000.0}
_TO_MS = {"ms": 1.0, "kmh": 1 / 3.6, "mph": 0.44704, "kn": 0.514444}


def converted(values: Mapping[str, float | None], units: Units) -> dict[str, float | None]:
    """The figures in our own units: °C, mm, cm, m/s.

    >>> converted({"temperature": 50.0, "snow": 1.0}, Units(temperature="f", snow="in"))
    {'temperature_c': 10.0, 'precipitation_mm': None, 'snow_cm': 2.54, 'wind_ms': None}
    """
    factor, shift = _TO_CELSIUS[units.temperature]
    scale = {
        "precipitation": _TO_MM[units.precipitation],
        "snow": _TO_MM[units.snow] / 10.0,
        "wind": _TO_MS[units.wind],
    }
    heat = values.get("temperature")
    out: dict[str, float | None] = {
        "temperature_c": None if heat is None else round(heat * factor + shift, 4)
    }
    for name, target in (("precipitation", "precipitation_mm"), ("snow", "snow_cm"), ("wind", "wind_ms")):
        value = values.get(name)
        out[target] = None if value is None else round(value * scale[name], 4)
    return out


COLUMNS: dict[str, tuple[str, ...]] = {
    "valid_at": ("valid at", "time", "hour", "date", "datetime", "valid from", "timestamp", "day"),
    "issued_at": ("issued at", "issued", "issue time", "run", "reference time"),
    "temperature": ("temperature", "temp", "tavg", "temperature c", "temperature 2m", "tmpc", "tmpf"),
    "high": ("tmax", "temperature max", "max temp", "high"),
    "low": ("tmin", "temperature min", "min temp", "low"),
    "precipitation": ("precipitation", "prcp", "precip", "rain", "precipitation mm", "p01i"),
    "snow": ("snow", "snowfall", "snow cm", "snow mm"),
    "wind": ("wind", "wind speed", "awnd", "wind ms", "wind speed 10m"),
}


def read_weather_csv(text: str, *, zone: str, now: datetime, units: Units) -> Iterator[WeatherItem]:
    """Read a table of days or hours, row by row: usable ones and those to keep aside, in the file's order.

    Dates without an hour are days of the zone. Without an issue time a row is an observation, known when its time is over.
    Raises ``WeatherProblem`` before the first row where the header does not say enough.
    """
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t|", key=first.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [tidy_column(cell) for cell in next(table, [])]
    at = {
        name: place
        for name, words in COLUMNS.items()
        if (place := next((header.index(word) for word in words if word in header), -1)) >= 0
    }
    if "valid_at" not in at:
        raise WeatherProblem(
            "The table has no column that says of which day or hour a row is.",
            "name one of its columns date or time.",
        )
    if not at.keys() & {"temperature", "high", "low", "precipitation", "snow"}:
        raise WeatherProblem(
            "The table holds no weather.", "give temperature (or tmax and tmin), precipitation or snow."
        )
    return _csv_rows(table, len(header), at, zone, now, units)


def _csv_rows(
    table: Iterator[list[str]], width: int, at: Mapping[str, int], zone: str, now: datetime, units: Units
) -> Iterator[WeatherItem]:
    batch: list[tuple[int, dict[str, str] | None]] = []
    for number, cells in enumerate(table, 2):
        if not any(cell.strip() for cell in cells):
            continue
        fits = len(cells) == width
        batch.append((number, {name: cells[place].strip() for name, place in at.items()} if fits else None))
        if len(batch) >= _BATCH_ROWS:
            yield from _csv_batch(batch, zone, now, units)
            batch = []
    yield from _csv_batch(batch, zone, now, units)


def _csv_batch(
    batch: list[tuple[int, dict[str, str] | None]], zone: str, now: datetime, units: Units
) -> Iterator[WeatherItem]:
    """Rows with their times read as two columns: read one by one, nine years of hours took forty seconds."""
    whole = [values for _, values in batch if values is not None]
    texts = [values["valid_at"] for values in whole] + [values.get("issued_at", "") for values in whole]
    read = parse_times(texts, date_format="iso", zone=zone)
    place = 0
    for number, values in batch:
        if values is None:
            yield QuarantinedValue(number, Rejection("wrong_column_count"), "", {})
            continue
        yield _csv_item(number, values, read, (place, place + len(whole)), now, units)
        place += 1


def _csv_item(
    number: int, values: dict[str, str], read: ParsedTimes, at: tuple[int, int], now: datetime, units: Units
) -> WeatherItem:
    """One row; ``at`` are the places of its two times among those read."""
    key, (valid, issue) = excerpt(values["valid_at"]), at

    def aside(code: str, field: str) -> QuarantinedValue:
        shown = {name: excerpt(value) for name, value in values.items()}
        return QuarantinedValue(number, Rejection(code, field, shown.get(field, "")), key, shown)

    if read.status[valid] != READ:
        return aside("missing_timestamp" if read.status[valid] == EMPTY else "bad_timestamp", "valid_at")
    if read.status[issue] not in (READ, EMPTY):
        return aside("bad_timestamp", "issued_at")
    starts = aware(read.utc[valid])
    # By the hour itself: written in another way, a later file must close what is kept aside of it.
    key = starts.isoformat()
    length = 1
    if read.precision[valid] == DAY:
        # A day of the clock change has 23 or 25 hours.
        length = max(1, round(((aware(read.end_utc[valid]) - starts).total_seconds() + 1) / 3600))
    numbers: dict[str, float | None] = {}
    for name in ("temperature", "high", "low", "precipitation", "snow", "wind"):
        try:
            numbers[name] = _number(values.get(name, ""))
        except ValueError:
            return aside("bad_number", name)
    high, low = numbers["high"], numbers["low"]
    if numbers["temperature"] is None:
        numbers["temperature"] = (
            (high + low) / 2 if high is not None and low is not None else high if low is None else low
        )
    issued = aware(read.utc[issue]) if read.status[issue] == READ else starts + length * HOUR
    row = WeatherRow(number, starts, issued, length, **converted(numbers, units))
    if (problem := implausible(row, now)) is not None:
        return aside(*problem)
    return row


def implausible(row: WeatherRow, now: datetime) -> tuple[str, str] | None:
    """The code and field of what cannot be, or None."""
    if row.valid_at.year < 1970:
        return "implausible_past", "valid_at"
    if row.issued_at > now + HOUR:
        # An observation of a day that is not over yet, or an issue from the future: nobody could have read it.
        return "future_timestamp", "issued_at"
    for name, value in zip(FIGURES, row.figures, strict=True):
        low, high = PLAUSIBLE[name]
        if value is not None and not low <= value <= high:
            return "bad_number", name.rsplit("_", 1)[0]
    return None


def _number(text: str) -> float | None:
    """A figure; None for an empty cell and the usual marks of a missing one. Raises ``ValueError`` for other words."""
    word = text.strip()
    if word.lower() in ("", "na", "nan", "null", "none", "m", "-"):
        return None
    # A trace of rain is rain that no gauge measures.
    number = 0.0 if word in ("T", "t") else float(word)
    if not math.isfinite(number):
        return None
    return None if number in _MISSING else number
