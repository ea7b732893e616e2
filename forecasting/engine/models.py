"""Estimators that turn relative rates into relative risk; all follow scikit-learn's rules.

Every ``predict`` gives the expected count relative to an average cell (1 = average), for rows of a design
matrix whose columns are described in ``forecasting.engine.design``. ``sample_weight`` makes sampled rows stand
for all cells and periods. The target is ``y`` = count / exposure with weight * exposure.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from forecasting.engine.newton import moments, pieces, poisson_newton
from forecasting.engine.parallel import in_parts
from forecasting.engine.trees import Forest

Floats = npt.NDArray[np.floating[Any]]
Exact = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
TINY = 1e-12
_STEPS = 63
_FIRST_EVERY, _FIRST_FROM_ROWS = 8, 40_000
_PIECE = 8_192
"""Rows read at a time: their inputs stay in the processor's own memory."""


if TYPE_CHECKING:

    class _Regressor:
        """scikit-learn ships no types: as Any its bases would switch off the checks of every estimator here."""

        n_features_in_: int

        def __sklearn_tags__(self) -> Tags: ...
else:

    class _Regressor(RegressorMixin, BaseEstimator):
        pass


class RateEstimator(_Regressor):
    """What the estimators share: counts and rates are never negative."""

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[Matrix, Exact, Exact]:
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64], y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        if (y < 0).any():
            raise ValueError("Negative values in y: counts and rates cannot be below zero.")
        return X, y, _check_sample_weight(sample_weight, X, dtype=np.float64)

    def _given(self, X: Any) -> Matrix:
        """Rows to predict for, as scikit-learn checks them. A finite matrix of the right width passes at once: the many
        short predictions of a league would otherwise spend a quarter of their time on being checked."""
        check_is_fitted(self)
        if (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in (np.float32, np.float64)
            and len(X)
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
        ):
            with np.errstate(over="ignore", invalid="ignore"):
                if np.isfinite(X.sum()):
                    return X
        return validate_data(self, X, dtype=[np.float32, np.float64], reset=False)  # type: ignore[no-any-return]

    def _nonnegative(self, X: Matrix, columns: Sequence[int] | None = None) -> None:
        """Refuse negative values in these columns (all if None), without taking them out of the matrix."""
        together = columns is None or _in_a_row(columns)
        parts = [columns_of(X, columns)] if together else [X[:, column] for column in columns or ()]
        if any(part.size and part.min() < 0 for part in parts):
            raise ValueError("Negative values in data passed to X: rates cannot be below zero.")


def columns_of(X: Matrix, columns: Sequence[int] | None) -> Matrix:
    """These columns of a matrix, all if None."""
    if columns is None:
        return X
    if _in_a_row(columns):
        # A view: most callers take the first columns, and copying them took longer than using them.
        first = columns[0] if len(columns) else 0
        return X[:, first : first + len(columns)]
    return X[:, list(columns)]


def _in_a_row(columns: Sequence[int]) -> bool:
    return not len(columns) or list(columns) == list(range(columns[0], columns[0] + len(columns)))


class BestShare(RateEstimator):
    """A plain baseline: one fixed mix of counts, the best of a short list, plus an even share for all cells.

    ``specs`` is a tuple of mixes, each a tuple of (column, share); None tries each column alone. The mix and the
    even share are those with the highest weighted Poisson likelihood. Columns must have mean one per period.
    """

    def __init__(
        self,
        specs: tuple[tuple[tuple[int, float], ...], ...] | None = None,
        uniform_shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4),
    ) -> None:
        self.specs = specs
        self.uniform_shares = uniform_shares

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        specs = self.specs or tuple(((column, 1.0),) for column in range(X.shape[1]))
        self._nonnegative(X, sorted({column for spec in specs for column, _ in spec}))
        happened = np.flatnonzero(y * weight > 0)
        events = (y * weight)[happened]
        best = -np.inf
        self.spec_, self.uniform_share_ = specs[0], self.uniform_shares[-1]
        for spec in specs:
            rate = _mix(X, spec, happened)
            for share in self.uniform_shares:
                score = float(events @ np.log(np.maximum((1 - share) * rate + share, TINY)))
                if score > best + 1e-9:
                    best, self.spec_, self.uniform_share_ = score, spec, share
        self.level_ = float((y @ weight) / max(weight.sum(), TINY))
        return self

    def predict(self, X: Any) -> Floats:
        X = self._given(X)
        self._nonnegative(X, [column for column, _ in self.spec_])
        rate = _mix(X, self.spec_, slice(None))
        risk: Floats = self.level_ * ((1 - self.uniform_share_) * rate + self.uniform_share_)
        return risk


def _mix(X: Matrix, spec: tuple[tuple[int, float], ...], rows: Any) -> Exact:
    total: Exact = np.zeros(len(X))[rows]
    for column, share in spec:
        total += share * X[rows, column]
    return total


class LogLinearPoisson(RateEstimator):
    """Log-linear Poisson regression on the logs of the rates: risk is a product of powers of what was counted.

    ``columns`` are logged as log(x + floor), ``plain`` enter as they are; all are standardised before a ridge
    penalty worth ``ridge_events`` incidents.
    """

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        plain: Sequence[int] = (),
        floor: float = 0.1,
        ridge_events: float = 5.0,
        max_iter: int = 30,
    ) -> None:
        self.columns = columns
        self.plain = plain
        self.floor = floor
        self.ridge_events = ridge_events
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        self._nonnegative(X, self.columns)
        # Zero-weight rows carry no information but would shift the scaling.
        scale_by = weight + TINY * (weight.sum() <= 0)
        self.mean_, spread = moments(lambda rows: self._logs(X[rows]), scale_by)
        self.spread_ = np.where(spread > 1e-6, spread, 1.0)
        # Poisson likelihood needs a positive mean; an empty history predicts (almost) nothing everywhere.
        if float(y @ weight) <= 0:
            self.coef_, self.intercept_ = np.zeros(len(self.mean_)), float(np.log(TINY))
            return self
        beta: Exact = np.append(np.zeros(len(self.mean_)), np.log(y @ weight / weight.sum()))
        # A part of the rows shows most of the way at a fraction of the cost; all rows then need a few steps only.
        for every in (_FIRST_EVERY, 1) if len(X) >= _FIRST_FROM_ROWS else (1,):
            beta, self.n_iter_ = self._newton(X[::every], y[::every], weight[::every], beta)
        self.coef_, self.intercept_ = beta[:-1], float(beta[-1])
        return self

    def _newton(self, X: Matrix, y: Exact, weight: Exact, beta: Exact) -> tuple[Exact, int]:
        events = float(y @ weight)
        if events <= 0:
            return beta, 1
        alpha = self.ridge_events / max(events, 1.0)
        return poisson_newton(lambda rows: self._standard(X[rows]), y, weight, alpha, beta, self.max_iter)

    def _logs(self, X: Matrix) -> Exact:
        taken = columns_of(X, self.columns)
        n = taken.shape[1]
        logs = np.empty((len(X), n + len(self.plain)), dtype=np.float64)
        np.add(taken, self.floor, out=logs[:, :n], dtype=np.float64)
        np.log(logs[:, :n], out=logs[:, :n])
        logs[:, n:] = X[:, list(self.plain)]
        return logs

    def _standard(self, X: Matrix) -> Exact:
        logs = self._logs(X)
        logs -= self.mean_
        logs /= self.spread_
        return logs

    def predict(self, X: Any) -> Floats:
        X = self._given(X)
        self._nonnegative(X, self.columns)

        def read(part: slice) -> Exact:
            mine = X[part]
            eta = np.empty(len(mine))
            for rows in pieces(len(mine)):
                eta[rows] = self._standard(mine[rows]) @ self.coef_
            eta += self.intercept_
            risk: Exact = np.exp(np.clip(eta, -50.0, 20.0, out=eta), out=eta)
            return risk

        return in_parts(read, len(X))


class BoostedPoisson(RateEstimator):
    """Gradient-boosted trees with Poisson loss, straight on the rates.

    ``ratios`` adds column pairs a / b. ``l2_events`` shrinks each leaf as if that many expected incidents had
    turned out as on average. Of more than ``max_rows`` rows an even random sample is used.
    """

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        ratios: Sequence[tuple[int, int]] = (),
        max_iter: int = 60,
        learning_rate: float = 0.1,
        max_leaf_nodes: int = 10,
        min_samples_leaf: int = 100,
        l2_events: float = 20.0,
        max_rows: int = 60_000,
        random_state: int | None = 0,
    ) -> None:
        self.columns = columns
        self.ratios = ratios
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_events = l2_events
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        return self.fit_beside(X, None, y, weight)

    def fit_beside(self, X: Matrix, beside: Floats | None, y: Exact, weight: Exact) -> Self:
        """``fit`` for a matrix that was checked; ``beside`` [n] is one more column after its last one.

        Only the columns and rows that the trees learn from are read: no second matrix is made.
        """
        self.n_features_in_ = X.shape[1] + (beside is not None)
        self.forest_, self.n_iter_ = None, 1
        events, happened = float(y @ weight), int(np.count_nonzero(y * weight))
        self.level_ = events / max(float(weight.sum()), TINY)
        if events <= 0:
            return self
        rows: Any = slice(None)
        if len(X) > self.max_rows:
            # Every row stands for len / max_rows rows: a common factor, which changes no fitted mean.
            rows = np.random.default_rng(self.random_state).permutation(len(X))[: self.max_rows]
            y, weight = y[rows], weight[rows]
            events, happened = float(y @ weight), int(np.count_nonzero(y * weight))
            if events <= 0:
                return self
        # In these units the ridge is a number of incidents: a leaf with fewer says little against the mean.
        weight = weight * (happened / events)
        trees = HistGradientBoostingRegressor(
            loss="poisson",
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_events,
            max_bins=_STEPS + 1,
            early_stopping=False,
            random_state=self.random_state,
        )
        sources = self._sources()
        edges, steps = [], np.empty((len(y), len(sources)), dtype=np.float64, order="F")
        for number, source in enumerate(sources):
            values = self._input(X, beside, rows, source)
            edges.append(_step_edges(values))
            steps[:, number] = _steps(values, edges[-1])
        trees.fit(steps, y, sample_weight=weight)
        self.forest_, self.n_iter_ = Forest.of(trees, edges), int(trees.n_iter_)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        return tags

    def _sources(self) -> list[tuple[int, ...]]:
        """Where each input of the trees comes from: a column, or the two columns of a ratio."""
        columns = range(self.n_features_in_) if self.columns is None else self.columns
        return [*((column,) for column in columns), *((a, b) for a, b in self.ratios)]

    def _input(self, X: Matrix, beside: Floats | None, rows: Any, source: tuple[int, ...]) -> Floats:
        taken = [
            X[rows, column]
            if beside is None or column < X.shape[1]
            else beside[rows].astype(X.dtype, copy=False)
            for column in source
        ]
        value: Floats = taken[0] if len(taken) == 1 else (taken[0] + 0.1) / (taken[1] + 0.1)
        return value.astype(np.float32, copy=False) if len(self.ratios) else value

    def predict(self, X: Any) -> Floats:
        X = self._given(X)
        return self.predict_beside(X, None)

    def predict_beside(self, X: Matrix, beside: Floats | None) -> Floats:
        """``predict`` for a matrix that was checked; ``beside`` as for ``fit_beside``."""
        if self.forest_ is None:
            return np.zeros(len(X))
        forest, sources = self.forest_, self._sources()

        def read(rows: slice) -> Exact:
            logs = np.empty(rows.stop - rows.start)
            for low in range(rows.start, rows.stop, _PIECE):
                some = slice(low, min(low + _PIECE, rows.stop))
                inputs = np.stack([self._input(X, beside, some, source) for source in sources])
                logs[low - rows.start : some.stop - rows.start] = forest.logs(inputs)
            risk: Exact = np.exp(logs)
            return risk

        # Each row is read on its own: parts give the same bits as the whole.
        return in_parts(read, len(X))


def _steps(values: Floats, edges: Floats) -> npt.NDArray[np.uint8]:
    """How many edges lie below each value: what the trees learn from. Values [n], at most 255 ascending edges."""
    steps = np.zeros(len(values), dtype=np.uint8)
    for low in range(0, len(values), _PIECE):
        some, count = values[low : low + _PIECE], steps[low : low + _PIECE]
        # Comparing a piece with every edge is several times faster than a search, whose branches no processor foresees.
        for edge in edges:
            count += some > edge
    return steps


def _step_edges(values: Floats) -> Floats:
    """Up to 63 quantiles of a column. scikit-learn would sort the column anew for each weighted quantile, which
    was measured to take most of a fit; columns with few distinct values are left as they are."""
    ascending: Floats = np.sort(values)
    distinct = ascending[np.concatenate([[True], ascending[1:] != ascending[:-1]])]
    if len(distinct) <= _STEPS:
        few: Floats = distinct
        return few
    at = np.floor(np.linspace(0, 1, _STEPS + 1)[1:-1] * (len(values) - 1)).astype(np.int64)
    edges: Floats = np.unique(ascending[at])
    return edges


def blend(risks: Sequence[Floats], weights: Sequence[float] | None = None) -> Floats:
    """Several opinions as one: the weighted geometric mean of their risks. Equal weights if None."""
    share = (
        np.full(len(risks), 1.0 / len(risks)) if weights is None else np.asarray(weights, dtype=np.float64)
    )
    total = np.zeros(len(risks[0]))
    for part, risk in zip(share / share.sum(), risks, strict=True):
        total += part * np.log(np.maximum(risk, TINY))
    result: Floats = np.exp(total)
    return result
