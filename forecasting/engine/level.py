"""How many incidents the whole city expects in a shift; where they fall is another model's question."""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import PoissonRegressor

from forecasting.engine.features import MEMORIES_DAYS
from forecasting.engine.periods import Periods, days_since_epoch, weekday_of

Floats = npt.NDArray[np.float64]

_SHORT, _MIDDLE, _LONG = (MEMORIES_DAYS.index(days) for days in (12.0, 45.0, 450.0))
SEASON_NEEDS_DAYS = 420.0
RECENCY_HALF_LIFE_DAYS = 400.0
LONG_PERIOD_HOURS = 4 * 24.0
EXTRA_SCALE = 0.2
"""Events and weather are held back 25 times as much as the calendar: by 250 incidents' worth. Measured on Chicago, 19
months: what weather brings stays, what games cost by chance goes (benchmarks/levels.py)."""


class LevelModel:
    """Expected city-wide counts of one crime type per shift instance.

    A Poisson regression: the long-run rate is the exposure; slot, weekday, season and the recent rate against
    the long-run one are the terms. With fewer than 30 incidents the long-run rate alone speaks. Recent shifts
    weigh more (half-life 400 days). Picklable.

    ``extra`` terms [S, T] of about unit spread (weather against the usual, events that are on) enter as they are and by
    shift of day. The ridge holds them at nothing unless the counts speak for them; without them nothing changes.
    """

    n_extra = 0
    # Of the class: a model that was stored before there were extra terms has none.

    def __init__(self, n_slots: int, first_event_days: float) -> None:
        self.n_slots = n_slots
        self.first_event_days = first_event_days
        self.scale = 1.0
        self._model: PoissonRegressor | None = None
        self._season = False
        self._long_periods = False

    def _long_rate(self, periods: Periods, totals: Floats) -> tuple[Floats, Floats]:
        """Smoothed incidents a day by memory (12, 45, 450 days): [S, 3], and the exposure in incidents, [S]."""
        age = np.maximum(days_since_epoch(periods.from_utc) - self.first_event_days, 0.25)
        half = np.array([MEMORIES_DAYS[k] for k in (_SHORT, _MIDDLE, _LONG)])
        seen_days = half / np.log(2.0) * (1.0 - np.exp2(-age[:, None] / half))
        long_rate = totals[:, _LONG] / seen_days[:, 2]
        counts = totals[:, [_SHORT, _MIDDLE, _LONG]]
        # Five incidents' worth of the long-run rate steadies the short memories.
        steady = np.minimum(5.0, seen_days * long_rate[:, None])
        rate = (counts + steady) / np.maximum(
            seen_days + steady / np.maximum(long_rate[:, None], 1e-12), 1e-12
        )
        return rate, rate[:, 2] * periods.hours / 24.0

    def _terms(self, periods: Periods, rate: Floats, extra: Floats | None = None) -> Floats:
        n = len(periods)
        day = weekday_of(periods.local_from)
        slot = np.zeros((n, self.n_slots))
        slot[np.arange(n), periods.slot] = 1.0
        weekday = np.zeros((n, 7))
        weekday[np.arange(n), day] = 1.0
        both = (slot[:, :, None] * weekday[:, None, :]).reshape(n, -1) * 0.5
        safe = np.maximum(rate, 1e-12)
        recent = np.log(safe[:, :2] / safe[:, 2:])
        # A period of weeks holds every weekday: the one on which it starts is noise.
        parts = [slot, recent] if self._long_periods else [slot, weekday, both, recent]
        if self._season:
            local = periods.local_from.astype("datetime64[s]")
            turn = (local - local.astype("datetime64[Y]")) / np.timedelta64(1, "s") / (365.25 * 86_400)
            angle = 2 * np.pi * turn[:, None] * np.array([1.0, 2.0])
            parts += [np.sin(angle), np.cos(angle)]
        if self.n_extra:
            # Nothing known of them is the usual weather and no event.
            known = np.zeros((n, self.n_extra)) if extra is None else extra * EXTRA_SCALE
            parts += [known, (known[:, :, None] * slot[:, None, :]).reshape(n, -1) * 0.5]
        return np.hstack(parts)

    def fit(
        self,
        periods: Periods,
        totals: Floats,
        counts: Floats,
        completeness: Floats,
        extra: Floats | None = None,
    ) -> "LevelModel":
        """``totals`` [S, memories] as known at each start; ``counts`` [S]; ``completeness`` [S] share reported."""
        self.n_extra = 0 if extra is None else extra.shape[1]
        rate, exposure = self._long_rate(periods, totals)
        exposure = exposure * completeness
        ok = (exposure > 1e-9) & (totals[:, _LONG] > 1.0)
        if counts[ok].sum() < 30 or ok.sum() < 30:
            seen, expected = float(counts[ok].sum()), float(exposure[ok].sum())
            self.scale = (seen + 1.0) / (expected + 1.0) if ok.any() else 1.0
            return self
        start = days_since_epoch(periods.from_utc)
        self._long_periods = bool(np.median(periods.hours) > LONG_PERIOD_HOURS)
        self._season = bool(start[ok].max() - start[ok].min() >= SEASON_NEEDS_DAYS)
        weight = exposure[ok] * np.exp2((start[ok] - start[ok].max()) / RECENCY_HALF_LIFE_DAYS)
        # The ridge is worth ten incidents, whatever the sample's size.
        alpha = 10.0 / max(float((counts[ok] / exposure[ok] * weight).sum()), 1.0)
        model = PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=50)
        self._model = model.fit(
            self._terms(periods, rate, extra)[ok], counts[ok] / exposure[ok], sample_weight=weight
        )
        return self

    def predict(self, periods: Periods, totals: Floats, extra: Floats | None = None) -> Floats:
        """Expected incidents in each period, [S]; never negative, never NaN."""
        rate, exposure = self._long_rate(periods, totals)
        factor = np.full(len(periods), self.scale)
        if self._model is not None:
            factor = np.asarray(self._model.predict(self._terms(periods, rate, extra)), dtype=np.float64)
        # A level more than six times off its own long run is a fault in the data, not a forecast.
        result: Floats = exposure * np.clip(factor, 0.0, 6.0)
        return result

    def log_terms(self, slot: int, extra: Floats) -> Floats:
        """What each extra term adds to the log level in a shift of this slot: [T]."""
        n = self.n_extra
        if self._model is None or not n:
            return np.zeros(n)
        own = self._model.coef_[-n * (1 + self.n_slots) :]
        by_slot = own[n:].reshape(n, self.n_slots)[:, slot] * 0.5
        result: Floats = (own[:n] + by_slot) * extra * EXTRA_SCALE
        return result
