"""Hours of weather put together to days, each as it was known after every issue: models learn from days, whoever measures."""

import math

import numpy as np
import numpy.typing as npt

from forecasting.engine.periods import Times
from forecasting.engine.weather import Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_HOURS = 18
"""Hours of a day that must be known before one speaks of the day's weather."""


def weather_days(hours: Weather, day_from_utc: Times, day_to_utc: Times) -> Weather:
    """Put hours together to days: the mean temperature, the sums of rain and snow.

    ``day_from_utc``, ``day_to_utc`` [n]: the local day in which each row begins. Rows of half a day and more are passed on
    as they are. After each issue that tells of a day there is one row for it, from the newest that was known of every
    hour then; sums over fewer than all hours are raised to the whole day, and with fewer than 18 hours there is none.
    """
    length = (hours.valid_to_utc - hours.valid_from_utc) / np.timedelta64(1, "h")
    whole = np.flatnonzero(length >= 12)
    parts = np.flatnonzero(length < 12)
    days = hours.take(whole)
    if not len(parts):
        return days
    values = np.column_stack([hours.temperature_c, hours.rain_mm, hours.snow_mm])
    order = parts[np.lexsort((hours.valid_from_utc[parts], hours.issued_utc[parts], day_from_utc[parts]))]
    day, issued = day_from_utc[order], hours.issued_utc[order]
    new_issue = np.flatnonzero(np.r_[True, (day[1:] != day[:-1]) | (issued[1:] != issued[:-1])])
    ends = np.r_[new_issue[1:], len(order)]
    found: list[int] = []
    summed: list[list[float]] = []
    table = values[order].tolist()
    begins = hours.valid_from_utc[order].astype(np.int64).tolist()
    starts_day = np.r_[True, day[1:] != day[:-1]].tolist()
    whole_hours = ((day_to_utc[order] - day_from_utc[order]) / np.timedelta64(1, "h")).tolist()
    known: dict[int, list[float]] = {}
    sums, counts = [0.0] * 3, [0] * 3
    for first, last in zip(new_issue.tolist(), ends.tolist(), strict=True):
        if starts_day[first]:
            known, sums, counts = {}, [0.0] * 3, [0] * 3
        for at in range(first, last):
            # Running sums: counting each day anew after each of its 24 issues took seconds for eight years.
            for sign, row in ((-1, known.get(begins[at])), (1, table[at])):
                for k, value in enumerate(row or ()):
                    if value == value:
                        sums[k] += sign * value
                        counts[k] += sign
            known[begins[at]] = table[at]
        if max(counts) >= LEAST_HOURS:
            # Rounded: what is left of a figure that was taken out again must not tell one day from its like.
            means = [
                round(total / count, 9) if count >= LEAST_HOURS else math.nan
                for total, count in zip(sums, counts, strict=True)
            ]
            found.append(int(order[first]))
            summed.append([means[0], means[1] * whole_hours[first], means[2] * whole_hours[first]])
    if not found:
        return days
    at_rows, made = np.array(found), np.array(summed)
    return Weather(
        np.concatenate([days.valid_from_utc, day_from_utc[at_rows]]),
        np.concatenate([days.valid_to_utc, day_to_utc[at_rows]]),
        np.concatenate([days.issued_utc, hours.issued_utc[at_rows]]),
        np.concatenate([days.temperature_c, made[:, 0]]),
        np.concatenate([days.rain_mm, made[:, 1]]),
        np.concatenate([days.snow_mm, made[:, 2]]),
    )
