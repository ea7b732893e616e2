"""Weather as JSON, foreseen and measured: the documents of two public services, read by pure functions."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.engine.records import QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.engine.weather import (
    FIGURES,
    HOUR,
    Units,
    WeatherItem,
    WeatherProblem,
    WeatherRow,
    converted,
    implausible,
)
from ingestion.engine.weather_figures import figure, moment, unit
from ingestion.engine.weather_observations import station_hours

_WANTED = (
    "ask Open-Meteo for hourly=temperature_2m,precipitation,snowfall,wind_speed_10m, or the NWS for forecastGridData (what is "
    "foreseen) or stations/…/observations (what was measured)."
)


def read_weather_document(document: Any, *, issued_at: datetime) -> list[WeatherItem]:
    """Read weather as JSON: Open-Meteo's hourly arrays, a US NWS grid point, or the observations of an NWS station.

    Hours that are over when it is issued are observations, known since they were over; later ones are forecasts of
    ``issued_at`` (of the document's own update time, where it has one). Raises ``WeatherProblem`` for another shape,
    missing arrays or arrays of unequal length; single missing figures are None.
    """
    if not isinstance(document, Mapping):
        raise WeatherProblem(
            "The weather document is no JSON object.", "check the address that it came from."
        )
    if document.get("error"):
        reason = excerpt(str(document.get("reason", "")), 160)
        raise WeatherProblem(f"The weather service says: {reason or 'error'}.", "mend the address or wait.")
    if isinstance(document.get("hourly"), Mapping):
        rows = _open_meteo(document, issued_at)
    elif isinstance(document.get("properties"), Mapping) and "temperature" in document["properties"]:
        rows = _grid_point(document["properties"], issued_at)
    elif isinstance(document.get("features"), list):
        rows = station_hours(document["features"], read_at=issued_at)
    else:
        raise WeatherProblem(
            "The weather document has neither “hourly” arrays, nor the properties of an NWS grid point, nor observations.",
            _WANTED,
        )
    return [_checked(row, issued_at) for row in rows]


def _checked(row: WeatherRow, issued_at: datetime) -> WeatherItem:
    problem = implausible(row, max(issued_at, row.issued_at))
    if problem is None:
        return row
    shown = {name: str(value) for name, value in zip(FIGURES, row.figures, strict=True) if value is not None}
    when = row.valid_at.isoformat()
    return QuarantinedValue(row.row_number, Rejection(*problem), when, {"valid_at": when, **shown})


_ARRAYS = {
    "temperature": "temperature_2m",
    "precipitation": "precipitation",
    "snow": "snowfall",
    "wind": "wind_speed_10m",
}


def _open_meteo(document: Mapping[str, Any], issued_at: datetime) -> list[WeatherRow]:
    hourly = document["hourly"]
    times = hourly.get("time")
    if not isinstance(times, list) or not times:
        raise WeatherProblem("The weather document has no hourly times.", "ask for hourly figures.")
    arrays = {name: hourly[key] for name, key in _ARRAYS.items() if key in hourly}
    if not arrays.keys() & {"temperature", "precipitation", "snow"}:
        raise WeatherProblem(
            "The weather document has no hourly temperature, precipitation or snowfall.",
            "ask for hourly=temperature_2m,precipitation,snowfall,wind_speed_10m.",
        )
    for name, values in arrays.items():
        if not isinstance(values, list) or len(values) != len(times):
            raise WeatherProblem(
                f"The array {_ARRAYS[name]} has not as many hours as the times ({len(times)}).",
                "ask the service again: the document is damaged.",
            )
    given = document.get("hourly_units")
    written = given if isinstance(given, Mapping) else {}
    units = Units(
        **{
            name: unit(written.get(_ARRAYS[name]), usual, name)
            for name, usual in (
                ("temperature", "c"),
                ("precipitation", "mm"),
                ("snow", "cm"),
                ("wind", "kmh"),
            )
        }
    )
    offset = document.get("utc_offset_seconds", 0)
    if not isinstance(offset, int | float) or not abs(offset) <= 18 * 3600:
        raise WeatherProblem("The document's utc_offset_seconds is no offset.", "ask for timezone=UTC.")
    starts = [moment(value, float(offset)) for value in times]
    rows = []
    for index, start in enumerate(starts):
        # Amounts are those of the hour before: what fell until two o'clock belongs to the hour that began at one.
        after = index + 1
        follows = after < len(starts) and starts[after] - start == HOUR
        picked = {
            name: figure(values[index])
            if name in ("temperature", "wind")
            else figure(values[after])
            if follows
            else None
            for name, values in arrays.items()
        }
        rows.append(
            _issued(WeatherRow(index + 1, start, issued_at, 1, **converted(picked, units)), issued_at)
        )
    return [row for row in rows if any(figure is not None for figure in row.figures)]


def _issued(row: WeatherRow, issued_at: datetime) -> WeatherRow:
    return replace(row, issued_at=min(issued_at, row.ends_at))


_GRID_NAMES = {
    "temperature": "temperature",
    "precipitation": "quantitativePrecipitation",
    "snow": "snowfallAmount",
    "wind": "windSpeed",
}
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?)?")


def _grid_point(properties: Mapping[str, Any], issued_at: datetime) -> list[WeatherRow]:
    """NWS: each figure as a list of times with a duration; amounts are of the whole duration and spread over its hours."""
    if "updateTime" in properties:
        issued_at = min(issued_at, moment(properties["updateTime"], 0.0))
    hours: dict[datetime, dict[str, float | None]] = {}
    units: dict[str, str] = {}
    for name, key in _GRID_NAMES.items():
        block = properties.get(key)
        if not isinstance(block, Mapping) or not isinstance(block.get("values"), list):
            continue
        written = str(block.get("uom", "")).rsplit(":", 1)[-1].lower().replace("_", " ")
        units[name] = unit(written or None, {"temperature": "c", "wind": "kmh"}.get(name, "mm"), name)
        for entry in block["values"]:
            start, length = _span(entry)
            value = figure(entry.get("value"))
            share = value / length if value is not None and name in ("precipitation", "snow") else value
            for hour in range(length):
                hours.setdefault(start + hour * HOUR, {})[name] = share
    if not hours:
        raise WeatherProblem("The grid point holds no hours.", "ask for its forecastGridData.")
    known = Units(**{name: units.get(name, getattr(Units(), name)) for name in _GRID_NAMES})
    return [
        _issued(WeatherRow(number, start, issued_at, 1, **converted(hours[start], known)), issued_at)
        for number, start in enumerate(sorted(hours), 1)
    ]


def _span(entry: Any) -> tuple[datetime, int]:
    text = str(entry.get("validTime", "")) if isinstance(entry, Mapping) else ""
    start, _, duration = text.partition("/")
    match = _DURATION.fullmatch(duration)
    length = int(match[1] or 0) * 24 + int(match[2] or 0) if match else 0
    if not 0 < length <= 24 * 14:
        raise WeatherProblem(
            f"The time {excerpt(text, 40)!r} of the grid point has no length in hours.",
            "ask the service again.",
        )
    return moment(start, 0.0), length
