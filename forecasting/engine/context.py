"""What the place itself says: bars, stops, empty houses. A rate for every cell from static columns."""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import PoissonRegressor

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


class ContextScaler:
    """Brings context columns to a common scale: clipped at zero spread, missing values become the mean."""

    def __init__(self, context: Floats32) -> None:
        values = context.astype(np.float64)
        finite = np.isfinite(values)
        count = np.maximum(finite.sum(axis=0), 1)
        self.mean = np.where(finite, values, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(finite, values - self.mean, 0.0) ** 2).sum(axis=0) / count)
        self.spread = np.where(spread > 1e-12, spread, 1.0)

    def transform(self, context: Floats32) -> Floats32:
        """Standardised columns, [N, C]; a column without spread becomes zero."""
        z = (context.astype(np.float64) - self.mean) / self.spread
        return np.where(np.isfinite(z), np.clip(z, -8.0, 8.0), 0.0).astype(np.float32)


class ContextRate:
    """Relative risk of every cell for each shift, from its static columns alone (log-linear, mean one).

    Each column enters as it is and dampened (sign * log(1 + |z|)), so that twenty bars need not be twenty times
    one bar. One regression per shift on the cells' counts, shrunk towards all shifts together. Picklable.
    """

    def __init__(self, n_slots: int) -> None:
        self.n_slots = n_slots
        self.rates: Floats32 = np.ones((n_slots, 1), dtype=np.float32)
        self.coef: Floats = np.zeros((n_slots, 0))

    @staticmethod
    def _terms(z: Floats32) -> Floats:
        wide = z.astype(np.float64)
        return np.hstack([wide, np.sign(wide) * np.log1p(np.abs(wide)), np.minimum(wide, 3.0) ** 2 / 3.0])

    def fit(self, z: Floats32, counts: Floats, seen: Floats | None = None) -> "ContextRate":
        """``z`` [N, C] standardised; ``counts`` [N, slots], each cell's incidents by shift of day.

        ``seen`` [N]: for which share of the time each cell was watched (always if None); silence elsewhere teaches nothing.
        """
        n_cells = len(z)
        terms = self._terms(z)
        total = counts.sum(axis=1)
        self.rates = np.ones((self.n_slots, n_cells), dtype=np.float32)
        self.coef = np.zeros((self.n_slots, terms.shape[1]))
        if total.sum() < 50:
            return self
        seen = np.ones(n_cells) if seen is None else seen
        overall, shared = self._rate(terms, total, seen, ridge_events=2.0)
        for slot in range(self.n_slots):
            rate, self.coef[slot] = overall, shared
            if counts[:, slot].sum() >= 50:
                own, more = self._rate(terms, counts[:, slot], overall * seen, ridge_events=20.0)
                rate, self.coef[slot] = overall * own, shared + more
            self.rates[slot] = (rate / rate[seen > 0].mean()).astype(np.float32)
        return self

    def log_terms(self, z: Floats32, slot: int) -> Floats:
        """What each column adds to the log rate in this shift, up to a constant: [m, C].

        Their sum differs from the log rate by the same number in every cell, unless a rate was cut off at a
        thousandth or a thousand of the average.
        """
        m, n_columns = z.shape
        if not self.coef[slot].size:
            return np.zeros((m, n_columns))
        terms: Floats = (self._terms(z) * self.coef[slot]).reshape(m, -1, n_columns).sum(axis=1)
        return terms

    @staticmethod
    def _rate(
        terms: Floats, counts: Floats, base: Floats, ridge_events: float
    ) -> tuple[Floats, npt.NDArray[np.float64]]:
        exposure = base * counts.sum() / base.sum()
        alpha = ridge_events / counts.sum()
        model = PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=60)
        at = np.flatnonzero(exposure > 0)
        model.fit(terms[at], counts[at] / exposure[at], sample_weight=exposure[at])
        rate: Floats = np.clip(model.predict(terms), 1e-3, 1e3)
        return rate, np.asarray(model.coef_, dtype=np.float64)
