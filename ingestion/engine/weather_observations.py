"""What a weather station has measured, as JSON of the US National Weather Service; read by pure functions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from ingestion.engine.rejections import excerpt
from ingestion.engine.weather import HOUR, Units, WeatherProblem, WeatherRow, converted
from ingestion.engine.weather_figures import figure, moment, unit

_NAMES = {"temperature": "temperature", "precipitation": "precipitationLastHour", "wind": "windSpeed"}
_USUAL = {"temperature": "c", "precipitation": "mm", "wind": "kmh"}
_REFUSED_QUALITY = frozenset({"X", "Q"})
"""Marks of the service's own quality control: failed, or questioned."""


def station_hours(features: Sequence[Any], *, read_at: datetime) -> list[WeatherRow]:
    """Put a station's observations together to the hours in which they were made, oldest first.

    Temperature and wind are means of the hour's observations; rain is the largest "last hour" told in it: specials between
    the hours tell only of a part. An hour that is not over at ``read_at`` is left for the next reading, and each hour counts
    as known when it is over. Raises ``WeatherProblem`` for a list without observations or with times that are none.
    """
    told: dict[datetime, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seen = 0
    for feature in features:
        properties = feature.get("properties") if isinstance(feature, Mapping) else None
        if not isinstance(properties, Mapping) or "timestamp" not in properties:
            continue
        seen += 1
        start = (
            moment(properties["timestamp"], 0.0).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        )
        for name, key in _NAMES.items():
            if (value := _value(properties.get(key), name)) is not None:
                told[start][name].append(value)
    if not seen:
        raise WeatherProblem(
            "The document holds no observations.",
            "ask the NWS for stations/…/observations of a station that reports, or for forecastGridData.",
        )
    rows = []
    for number, start in enumerate(sorted(told), 1):
        if start + HOUR > read_at:
            continue
        figures: dict[str, float | None] = {
            name: max(values) if name == "precipitation" else round(fmean(values), 4)
            for name, values in told[start].items()
        }
        rows.append(WeatherRow(number, start, start + HOUR, 1, **converted(figures, Units())))
    return rows


def _value(block: Any, name: str) -> float | None:
    """The figure in °C, mm or m/s; None where there is none, or where the service itself doubts it."""
    if not isinstance(block, Mapping) or block.get("qualityControl") in _REFUSED_QUALITY:
        return None
    value = figure(block.get("value"))
    if value is None:
        return None
    written = excerpt(str(block.get("unitCode", "")), 40).rsplit(":", 1)[-1].lower().replace("_", " ")
    given = Units(**{name: unit(written or None, _USUAL[name], name)})
    target = {"temperature": "temperature_c", "precipitation": "precipitation_mm", "wind": "wind_ms"}[name]
    return converted({name: value}, given)[target]
