"""Risk as a sum of rates, the trees that correct it, and the blend with other opinions that is the usual champion.

Rules, targets and weights are those of ``forecasting.engine.models``.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from forecasting.engine.models import (
    TINY,
    BoostedPoisson,
    Floats,
    LogLinearPoisson,
    RateEstimator,
    blend,
    columns_of,
)
from forecasting.engine.newton import pieces


class NonNegativeMixture(RateEstimator):
    """Risk as a sum of rates with shares that are never negative, plus an even share for every cell.

    The shares maximise the Poisson likelihood with identity link by EM (each step is the expected number of
    incidents that each rate explains, over its exposure). ``mean_one`` names columns whose mean over all cells
    is exactly one: their exposure is then known and not estimated from the sample. ``pseudo_events`` are spread
    evenly over the columns beforehand, so that few incidents do not bet all on one rate.

    Notes
    -----
    EM for a mixture of known intensities: Veen & Schoenberg, JASA 103 (2008); also Richardson-Lucy.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]]); y = np.array([3.0, 1.0])
    >>> NonNegativeMixture(uniform=False, pseudo_events=0).fit(X, y).shares_.round(6).tolist()
    [3.0, 1.0]
    """

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        mean_one: Sequence[int] = (),
        uniform: bool = True,
        pseudo_events: float = 10.0,
        max_iter: int = 150,
        tol: float = 1e-7,
    ) -> None:
        self.columns = columns
        self.mean_one = mean_one
        self.uniform = uniform
        self.pseudo_events = pseudo_events
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        columns = list(range(X.shape[1])) if self.columns is None else list(self.columns)
        R = columns_of(X, self.columns)
        self._nonnegative(R)
        # In pieces: a product with whole columns would turn all of them into double precision first.
        exposure = np.zeros(R.shape[1])
        for rows in pieces(len(R)):
            exposure += weight[rows] @ R[rows]
        known = np.isin(columns, list(self.mean_one))
        exposure[known] = weight.sum()
        happened = np.flatnonzero(y * weight > 0)
        A, events = R[happened], (y * weight)[happened]
        if self.uniform:
            A = np.hstack([A, np.ones((len(A), 1), dtype=A.dtype)])
            exposure = np.append(exposure, weight.sum())
        exposure = np.maximum(exposure, TINY)
        n = A.shape[1]
        prior = self.pseudo_events / n
        shares = np.full(n, events.sum() / n) / exposure
        last = -np.inf
        for step in range(self.max_iter):
            rate = np.maximum(A @ shares.astype(A.dtype), TINY)
            explained = shares * ((events / rate).astype(A.dtype) @ A)
            shares = (explained + prior) * (events.sum() / max(events.sum() + prior * n, TINY)) / exposure
            if step % 10 == 9:
                score = float(events @ np.log(rate)) / max(events.sum(), TINY)
                if score - last < self.tol:
                    break
                last = score
        self.n_iter_ = step + 1
        self.shares_ = np.where(np.isfinite(shares), shares, 0.0)
        return self

    def predict(self, X: Any) -> Floats:
        R = columns_of(self._given(X), self.columns)
        self._nonnegative(R)
        shares = self.shares_.astype(R.dtype)
        return R @ shares[: R.shape[1]] + (shares[-1] if self.uniform else 0.0)


class BoostedMixture(RateEstimator):
    """A mixture of rates, corrected by small trees where it is regularly too high or too low.

    The trees are fitted to count / mixture with the mixture as exposure; ``strength`` (0 to 1) is the power of
    their correction that is used.
    """

    def __init__(
        self, mixture: Any = None, trees: BoostedPoisson | None = None, strength: float = 1.0
    ) -> None:
        self.mixture = mixture
        self.trees = trees
        self.strength = strength

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        self._nonnegative(X, None if self.mixture is None else ())
        self.mixture_ = clone(self.mixture or NonNegativeMixture()).fit(X, y, sample_weight=weight)
        base = np.maximum(self.mixture_.predict(X), TINY)
        self.trees_ = clone(self.trees or BoostedPoisson())
        # The mixture's own rate is one more column for the trees: beside the matrix, so that it is not copied for it.
        self.trees_.fit_beside(X, base, y / base, weight * base)
        return self

    def predict(self, X: Any) -> Floats:
        X = self._given(X)
        base = np.maximum(self.mixture_.predict(X), TINY)
        correction = self.trees_.predict_beside(X, base)
        result: Floats = base * np.maximum(correction, TINY) ** self.strength
        return result


class Blend(RateEstimator):
    """Several estimators as one: the weighted geometric mean of their risks (``blend``).

    ``estimators``: None stands for a log-linear model and a mixture; ``weights``: equal if None.
    """

    def __init__(
        self, estimators: Sequence[Any] | None = None, weights: Sequence[float] | None = None
    ) -> None:
        self.estimators = estimators
        self.weights = weights

    @classmethod
    def of_fitted(cls, estimators: Sequence[Any], weights: Sequence[float]) -> Self:
        """A blend of estimators that are fitted already, so that none is fitted twice."""
        made = cls(tuple(estimators), tuple(weights))
        made.estimators_, made.n_features_in_ = list(estimators), estimators[0].n_features_in_
        return made

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        parts = (LogLinearPoisson(), NonNegativeMixture()) if self.estimators is None else self.estimators
        self.estimators_ = [clone(part).fit(X, y, sample_weight=weight) for part in parts]
        return self

    def predict(self, X: Any) -> Floats:
        check_is_fitted(self)
        # Each part checks X itself: a copy here would be the largest array of a forecast.
        return self.combine([part.predict(X) for part in self.estimators_])

    def combine(self, risks: Sequence[Any]) -> Floats:
        """The mean of predictions that were made already."""
        return np.asarray(blend(risks, self.weights), dtype=np.float64)
