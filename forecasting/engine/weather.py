"""Weather as it was foreseen: what one knew of a shift's weather when the forecast was issued, against the season's usual."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from forecasting.engine.periods import DAY_SECONDS, Periods, Times, days_since_epoch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NAMES = ("weather:warmth", "weather:rain", "weather:rain_amount", "weather:snow")
"""Against what is usual at the time of year: steps of 5 °C, wet or dry, log mm of rain, log mm of snow."""
WARMTH_STEP_C = 5.0
WET_FROM_MM = 1.0
LEAST_DAYS = 30.0
"""Days of weather before one speaks of the usual."""
_HARMONIC_DAYS = 15.0
"""Days' worth of evidence that the seasons do not differ: half a winter does not foretell the summer."""
_PAIR_DAYS = 20.0
_WEEK = 7.0


@dataclass(frozen=True)
class Weather:
    """Forecasts and observations as plain columns of shape [n]; NaN where a value is missing.

    A row holds for [``valid_from_utc``, ``valid_to_utc``), a day or an hour. ``issued_utc``: when it could be read; a
    forecast issues before it holds, an observation once it is over. Several rows for one time are several issues.
    Rows are ordered on entry; of two for the same time and issue the last stands.
    """

    valid_from_utc: Times
    valid_to_utc: Times
    issued_utc: Times
    temperature_c: Floats
    rain_mm: Floats
    snow_mm: Floats

    def __post_init__(self) -> None:
        columns = ("valid_to_utc", "issued_utc", "temperature_c", "rain_mm", "snow_mm")
        if any(len(getattr(self, name)) != len(self.valid_from_utc) for name in columns):
            raise ValueError("Weather needs equally long columns.")
        if (self.valid_to_utc <= self.valid_from_utc).any():
            raise ValueError("A row of weather must end after it begins.")
        order = np.lexsort((self.issued_utc, self.valid_from_utc))
        for name in ("valid_from_utc", *columns):
            object.__setattr__(self, name, getattr(self, name)[order])

    def __len__(self) -> int:
        return len(self.valid_from_utc)

    def take(self, rows: npt.ArrayLike) -> "Weather":
        """These rows."""
        at = np.asarray(rows)
        columns = (self.valid_from_utc, self.valid_to_utc, self.issued_utc)
        values = (self.temperature_c, self.rain_mm, self.snow_mm)
        return Weather(*(column[at] for column in columns), *(column[at] for column in values))

    @cached_property
    def values(self) -> Floats:
        """The variables as models see them, before the usual is taken off: [n, 4]."""
        wet = np.where(np.isfinite(self.rain_mm), self.rain_mm >= WET_FROM_MM, np.nan)
        rain, snow = (np.log1p(np.maximum(column, 0.0)) for column in (self.rain_mm, self.snow_mm))
        return np.column_stack([self.temperature_c / WARMTH_STEP_C, wet, rain, snow])

    @cached_property
    def _past(self) -> "_Past":
        return _Past(self)

    def foreseen(self, periods: Periods, issued_utc: Times) -> Floats:
        """Each period's weather against the usual, as one could know it at ``issued_utc`` [S]: [S, 4].

        For each part of the period the newest row issued before then; where there is none, the last weather that was
        over by then, the less of it the longer ago (``persistence``). The usual, too, comes from what was over by then.
        Until a month of weather is known everything is 0: as usual.
        """
        out = np.zeros((len(periods), len(NAMES)))
        if not len(self) or not len(periods):
            return out
        past = self._past
        usual = past.usual_at(issued_utc)
        covered = np.zeros_like(out)
        starts, slot = np.unique(self.valid_from_utc, return_inverse=True)
        # One sorted key, so that the newest issue before an instant is found for all periods at once.
        seconds, at = (_seconds(column) for column in (self.issued_utc, issued_utc))
        base = min(int(seconds.min()), int(at.min()))
        width = max(int(seconds.max()), int(at.max())) - base + 2
        key = slot * width + (seconds - base)
        first = np.searchsorted(starts, periods.from_utc - (self.valid_to_utc - self.valid_from_utc).max())
        last = np.searchsorted(starts, periods.to_utc)
        for step in range(int((last - first).max())):
            wanted = np.minimum(first + step, len(starts) - 1)
            row = np.searchsorted(key, wanted * width + (at - base), side="left") - 1
            row_at = np.maximum(row, 0)
            overlap = np.minimum(self.valid_to_utc[row_at], periods.to_utc) - np.maximum(
                self.valid_from_utc[row_at], periods.from_utc
            )
            share = overlap / (periods.to_utc - periods.from_utc)
            good = (first + step < last) & (row >= 0) & (slot[row_at] == wanted) & (share > 0)
            value = self.values[row_at] - past.expected(usual, past.middle[row_at])
            use = good[:, None] & np.isfinite(value)
            out += np.where(use, share[:, None] * np.where(use, value, 0.0), 0.0)
            covered += np.where(use, share[:, None], 0.0)
        middle = days_since_epoch(periods.from_utc) + periods.hours / 48.0
        out += np.maximum(1.0 - covered, 0.0) * past.persistence(issued_utc, middle)
        known = np.isfinite(usual).all(axis=2)
        result: Floats = np.where(known, out, 0.0)
        return result


class _Past:
    """What was over at each instant: the usual of the season, the last deviation from it, and how long such last.

    Everything is summed up week by week as it became known, so that later rows change nothing that was computed before.
    """

    def __init__(self, weather: Weather) -> None:
        length = weather.valid_to_utc - weather.valid_from_utc
        self.middle = days_since_epoch(weather.valid_from_utc) + length / np.timedelta64(1, "s") / (
            2 * DAY_SECONDS
        )
        self._hourly = bool(np.median(length / np.timedelta64(1, "h")) < 12)
        # A forecast becomes the best account of what happened once its time is over.
        settled = np.maximum(weather.issued_utc, weather.valid_to_utc)
        # Of several forecasts for one time the newest is nearest to what happened.
        order = np.lexsort((-_seconds(weather.issued_utc), weather.valid_from_utc, settled))
        _, firsts = np.unique(weather.valid_from_utc[order], return_index=True)
        order = order[np.sort(firsts)]
        self.settled, self.over = settled[order], self.middle[order]
        value = weather.values[order]
        days = length[order] / np.timedelta64(1, "D")
        week = np.floor(days_since_epoch(self.settled) / _WEEK).astype(np.int64)
        self._first_week = int(week.min())
        n_weeks = int(week.max()) - self._first_week + 1
        basis = self._basis(self.over)
        width, n_values = basis.shape[1], value.shape[1]
        gram = np.zeros((n_weeks, n_values, width, width))
        moment = np.zeros((n_weeks, n_values, width))
        weight = np.where(np.isfinite(value), days[:, None], 0.0)
        filled = np.where(np.isfinite(value), value, 0.0)
        np.add.at(gram, week - self._first_week, weight[:, :, None, None] * _outer(basis)[:, None])
        np.add.at(moment, week - self._first_week, (weight * filled)[:, :, None] * basis[:, None])
        gram, moment = np.cumsum(gram, axis=0), np.cumsum(moment, axis=0)
        # The hours of the day are soon known.
        ridge = np.diag([1e-9, *[_HARMONIC_DAYS] * 4, *[1.0] * (width - 5)])
        known_days = gram[:, :, 0, 0]
        fitted = np.linalg.solve(gram + ridge, moment[..., None])[..., 0]
        fitted[known_days < LEAST_DAYS] = np.nan
        # Row k: the usual as known when week k began; nothing is known in the first.
        self._usual = np.concatenate([np.full((1, n_values, width), np.nan), fitted])
        away = value - self.expected(self.usual_at(self.settled), self.over)
        self.away = np.where(np.isfinite(away), away, 0.0)
        self._lasting = self._lasting_fit(week, n_weeks)

    def _lasting_fit(self, week: Ints, n_weeks: int) -> Floats:
        """How much of a deviation is left after a day, by week and variable: the regression on the day before."""
        order = np.argsort(self.over, kind="stable")
        before = np.searchsorted(self.over[order], self.over[order] - 1.0 + 1e-6, side="right") - 1
        ok = (before >= 0) & (np.abs(self.over[order][before] - (self.over[order] - 1.0)) < 0.1)
        now, then = order[ok], order[before[ok]]
        known = np.maximum(week[now], week[then]) - self._first_week
        both = np.zeros((n_weeks, self.away.shape[1]))
        square = np.zeros_like(both)
        np.add.at(both, known, self.away[now] * self.away[then])
        np.add.at(square, known, self.away[then] ** 2)
        spread = np.cumsum(square, axis=0)
        pairs = np.cumsum(np.bincount(known, minlength=n_weeks))[:, None]
        prior = _PAIR_DAYS * spread / np.maximum(pairs, 1.0)
        left = np.clip(np.cumsum(both, axis=0) / np.maximum(spread + prior, 1e-12), 0.0, 0.98)
        return np.concatenate([np.zeros((1, left.shape[1])), left])

    def _basis(self, days: Floats) -> Floats:
        turn = 2 * np.pi * days / 365.2425
        parts = [np.ones_like(days), np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
        if self._hourly:
            hour = 2 * np.pi * (days % 1.0)
            parts += [np.sin(hour), np.cos(hour)]
        return np.stack(parts, axis=1)

    def _week(self, instants: Times) -> Ints:
        week = np.floor(days_since_epoch(instants) / _WEEK).astype(np.int64) - self._first_week
        return np.clip(week, 0, len(self._usual) - 1)

    def usual_at(self, instants: Times) -> Floats:
        """The season's curves as known at each instant, [m, 4, terms]; NaN before a month was over."""
        return self._usual[self._week(instants)]

    def expected(self, usual: Floats, days: Floats) -> Floats:
        """The usual at these times of year, each by its own curve: [m, 4]."""
        result: Floats = np.einsum("mvk,mk->mv", usual, self._basis(days))
        return result

    def persistence(self, issued_utc: Times, days: Floats) -> Floats:
        """What is left of the last deviation that was over at each instant, at these times: [m, 4]."""
        row = np.searchsorted(self.settled, issued_utc, side="left") - 1
        last = np.maximum(row, 0)
        ahead = np.maximum(days - self.over[last], 0.0)
        left = self._lasting[self._week(issued_utc)] ** ahead[:, None]
        result: Floats = np.where((row >= 0)[:, None], left * self.away[last], 0.0)
        return result


def _outer(basis: Floats) -> Floats:
    result: Floats = basis[:, :, None] * basis[:, None, :]
    return result


def _seconds(instants: Times) -> Ints:
    return np.asarray(instants, "datetime64[s]").astype(np.int64)
