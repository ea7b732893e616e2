"""Single figures, units and times of weather documents, as services write them."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.engine.rejections import excerpt
from ingestion.engine.weather import WeatherProblem

_UNIT_WORDS = {
    "°c": "c",
    "degc": "c",
    "c": "c",
    "celsius": "c",
    "°f": "f",
    "degf": "f",
    "f": "f",
    "fahrenheit": "f",
    "k": "k",
    "mm": "mm",
    "inch": "in",
    "in": "in",
    "cm": "cm",
    "m": "m",
    "m/s": "ms",
    "m s-1": "ms",
    "km/h": "kmh",
    "km h-1": "kmh",
    "mp/h": "mph",
    "mph": "mph",
    "kn": "kn",
    "kt": "kn",
}


_FITTING = {
    "temperature": {"c", "f", "k"},
    "precipitation": {"mm", "in", "cm", "m"},
    "snow": {"mm", "in", "cm", "m"},
    "wind": {"ms", "kmh", "mph", "kn"},
}


def unit(written: Any, usual: str, name: str) -> str:
    """Our word for the unit of this figure; the usual one where none is written. Raises ``WeatherProblem`` for another one.

    >>> unit("km_h-1".replace("_", " "), "ms", "wind"), unit(None, "c", "temperature")
    ('kmh', 'c')
    """
    if written is None:
        return usual
    word = _UNIT_WORDS.get(str(written).strip().lower())
    # A temperature in millimetres is a known word too, and no figure of ours.
    if word is None or word not in _FITTING[name]:
        raise WeatherProblem(
            f"The unit {excerpt(str(written), 20)!r} is not known for {name}.", "ask for °C, mm, cm and m/s."
        )
    return word


def figure(value: Any) -> float | None:
    """A finite number; None for anything else, also for one that is too large to be a figure."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def moment(value: Any, offset_s: float) -> datetime:
    """An instant in UTC, from seconds since 1970 or ISO 8601; without an offset of its own it is ``offset_s`` ahead of UTC.

    Raises ``WeatherProblem`` for what is no time, or none of our age.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(float(value), tz=UTC)
        else:
            found = datetime.fromisoformat(str(value))
            if found.tzinfo is None:
                found = found.replace(tzinfo=UTC) - timedelta(seconds=offset_s)
            found = found.astimezone(UTC)
        # Nearer to the calendar's ends, the next hour would lie outside it.
        if not 1800 < found.year < 9000:
            raise ValueError
    except (ValueError, OverflowError, OSError) as exc:
        raise WeatherProblem(
            f"The hour {excerpt(str(value), 30)!r} is no time.",
            "ask the service again: the document is damaged.",
        ) from exc
    return found
