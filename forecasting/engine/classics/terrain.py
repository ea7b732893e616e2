"""Risk terrain: which kinds of place go with crime, told as a short list of factors and how much each multiplies risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from forecasting.engine.classics.declared import Declared, Floats, Ints, must_be_fitted
from forecasting.engine.classics.points import Points
from forecasting.engine.classics.selection import Table, penalised_screen, stepwise_bic
from forecasting.engine.grid import GridSpec
from forecasting.engine.models import RateEstimator

_TINY = 1e-12
_MOST_FACTORS = 60  # cells alike in all factors share a 64-bit number


@dataclass(frozen=True)
class RiskFactor:
    """One line of the risk terrain: cells where ``column`` is above ``threshold`` have ``times_risk`` the risk.

    ``above`` is False where the risk lies at or below the threshold ("near a bar" in a column of distances).
    """

    column: int
    threshold: float
    above: bool
    times_risk: float


class RiskTerrainRegressor(RateEstimator):
    """Counts per cell explained by a few yes-or-no facts of the place: near this, many of that.

    ``X`` [n, C] are columns of places (distances, densities; any scale), ``y`` [n] counts. Each column is tried in
    several forms: above each of its ``quantiles``, above its mean by ``spreads`` standard deviations, and above its
    lowest value ("any at all"). (1) A Poisson regression with an elastic net keeps the useful forms; (2) from the
    null model, forms are added and dropped as long as the BIC of a plain Poisson regression falls. Of each factor
    at most one form stays; with ``one_form_per_factor`` False several may.
    ``factors`` [C] numbers the factor of each column, where several columns are forms of one thing (the same bars
    within 100 m and 200 m); None: every column is a factor. At most ``max_factors`` are chosen.

    BIC with many forms to choose from lets a weak false factor through now and then, above all where incidents
    cluster more than Poisson counts do: read ``times_risk`` near one with doubt.

    ``terms_`` lists the chosen ``RiskFactor``s, strongest first; ``predict`` gives the expected count. Without any
    count the prediction is next to nothing; without a useful factor it is the mean. ``sample_weight`` is exposure:
    a row with weight two counts as two rows.

    Notes
    -----
    Caplan & Kennedy, "Risk Terrain Modeling" (2016); Caplan, Kennedy, Barnum & Piza, "Crime in context", Journal of
    Contemporary Criminal Justice 33 (2017), as the RTMDx utility reports its steps. Where we differ: RTMDx chooses
    the penalty by cross-validation; we take the AIC along the path (Stone 1977 shows the two to agree in the long
    run; the degrees of freedom are the nonzero coefficients, Zou, Hastie & Tibshirani 2007), so that no chance is
    involved and row order is irrelevant. RTMDx also tries a negative binomial; its means are alike, we leave it out.

    >>> X = np.repeat([[0.0], [1.0]], 100, axis=0); y = np.repeat([1, 3], 100)
    >>> fitted = RiskTerrainRegressor().fit(X, y)
    >>> [(one.column, one.above, round(one.times_risk, 3)) for one in fitted.terms_]
    [(0, True, 3.0)]
    """

    def __init__(
        self,
        quantiles: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
        spreads: tuple[float, ...] = (2.0,),
        factors: Sequence[int] | None = None,
        one_form_per_factor: bool = True,
        l1_ratio: float = 0.5,
        n_penalties: int = 20,
        max_factors: int = 12,
    ) -> None:
        self.quantiles = quantiles
        self.spreads = spreads
        self.factors = factors
        self.one_form_per_factor = one_form_per_factor
        self.l1_ratio = l1_ratio
        self.n_penalties = n_penalties
        self.max_factors = max_factors

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        X, y, weight = self._checked(X, y, sample_weight)
        X = np.asarray(X, dtype=np.float64)
        if not 0 < self.l1_ratio <= 1:
            raise ValueError(f"l1_ratio is {self.l1_ratio}; it must lie in (0, 1].")
        if not 1 <= self.max_factors <= _MOST_FACTORS:
            raise ValueError(f"max_factors is {self.max_factors}; it must be 1 to {_MOST_FACTORS}.")
        factors = np.arange(X.shape[1]) if self.factors is None else np.asarray(self.factors)
        if len(factors) != X.shape[1]:
            raise ValueError(f"factors names {len(factors)} columns, but X has {X.shape[1]}.")
        self.terms_: list[RiskFactor] = []
        self.n_screened_ = 0
        self.intercept_ = float(np.log(max(float(y @ weight), _TINY) / max(float(weight.sum()), _TINY)))
        # Rows without exposure say nothing, yet their values would add thresholds.
        used = np.flatnonzero(weight > 0)
        if float(y @ weight) <= 0:
            return self
        columns, thresholds = self._forms(X[used], weight[used])
        if len(columns) == 0:
            return self
        forms = X[used][:, columns] > thresholds
        table = Table(forms, y[used] * weight[used], weight[used])
        kept = penalised_screen(table, self.l1_ratio, self.n_penalties)
        self.n_screened_ = len(kept)
        groups = factors[columns] if self.one_form_per_factor else np.arange(len(columns))
        chosen, coefficients = stepwise_bic(table, kept, groups, self.max_factors)
        self.intercept_ = float(coefficients[0])
        for form, log_risk in zip(chosen, coefficients[1:], strict=True):
            above = bool(log_risk > 0)
            # "Far away is safe" and "near is risky" are one fact: told as what raises the risk.
            self.intercept_ += 0.0 if above else float(log_risk)
            self.terms_.append(
                RiskFactor(int(columns[form]), float(thresholds[form]), above, float(np.exp(abs(log_risk))))
            )
        self.terms_.sort(key=lambda term: (-term.times_risk, term.column, term.threshold))
        return self

    def _forms(self, X: Floats, weight: Floats) -> tuple[Ints, Floats]:
        """Every column's thresholds that split the cells in a way that no other of its thresholds does."""
        columns: list[int] = []
        thresholds: list[float] = []
        for column in range(X.shape[1]):
            order = np.argsort(X[:, column], kind="stable")
            values, mass = X[order, column], np.cumsum(weight[order])
            at = np.searchsorted(mass, np.asarray(self.quantiles) * mass[-1] * (1 - 1e-9))
            mean = np.average(values, weights=weight[order])
            spread = np.sqrt(np.average((values - mean) ** 2, weights=weight[order]))
            levels = [*values[np.minimum(at, len(values) - 1)], *(mean + s * spread for s in self.spreads)]
            seen = {0, len(values)}  # a form that holds everywhere or nowhere explains nothing
            # The lowest value asks "any at all?": the one form of a column that is mostly zero.
            for level in sorted({float(values[0]), *map(float, levels)}):
                below = int(np.searchsorted(values, level, side="right"))
                if below not in seen:
                    seen.add(below)
                    columns.append(column)
                    thresholds.append(level)
        return np.asarray(columns, dtype=np.int64), np.asarray(thresholds, dtype=np.float64)

    def predict(self, X: Any) -> Floats:
        check_is_fitted(self)
        X = np.asarray(validate_data(self, X, dtype=[np.float32, np.float64], reset=False), dtype=np.float64)
        log_rate = np.full(len(X), self.intercept_)
        for term in self.terms_:
            above = X[:, term.column] > term.threshold
            log_rate += np.where(above == term.above, np.log(term.times_risk), 0.0)
        result: Floats = np.exp(np.clip(log_rate, -50.0, 50.0))
        return result


class RiskTerrain(Declared):
    """The map of risky places: the same on every day, since it knows where things stand and not what happened lately.

    ``fit`` counts the incidents known before ``until_days`` in each cell and explains them by ``context`` [N, C]
    with a ``RiskTerrainRegressor`` (``regressor_``); ``intensity`` is the expected count of a period of this length.
    With ``context`` None (or without columns), or without any incident, every cell gets the same value.

    >>> from shapely import box
    >>> from forecasting.engine.grid import grid_build
    >>> nothing = Points(np.zeros(0, int), *(np.zeros(0) for _ in range(4)))
    >>> RiskTerrain().fit(nothing, grid_build(box(0, 0, 200, 100), 100.0, 32616), 1.0).intensity(nothing, 1.0, 1.0)
    array([1., 1.])
    """

    def __init__(self, regressor: RiskTerrainRegressor | None = None) -> None:
        self.regressor = regressor

    grid_: GridSpec | None = None

    def fit(self, points: Points, grid: GridSpec, until_days: float, context: Any = None) -> Self:
        """Learn the factors. A context of another length than the grid raises ``ValueError``."""
        self.grid_ = grid
        self.regressor_ = None
        self.per_day_ = np.ones(len(grid))
        known = points.known_before(until_days)
        if context is None or len(known) == 0:
            return self
        columns = np.asarray(context)
        if columns.ndim != 2 or len(columns) != len(grid):
            raise ValueError(
                f"Context has shape {columns.shape}; it must have one row for each of {len(grid)} cells."
            )
        if columns.shape[1] == 0:
            return self
        self.regressor_ = clone(self.regressor or RiskTerrainRegressor())
        counts = np.bincount(known.cell, minlength=len(grid)).astype(np.float64)
        self.regressor_.fit(columns, counts)
        watch_days = max(float(until_days - known.occurred_days.min()), 1.0)
        self.per_day_ = self.regressor_.predict(columns) / watch_days
        return self

    def intensity(self, points: Points, at_days: float, length_days: float) -> Floats:
        """Expected incidents in every cell over the period, [N]. ``points`` and ``at_days`` change nothing."""
        must_be_fitted(self.grid_, "RiskTerrain")
        return self.per_day_ * length_days
