"""The champion blend with one family of columns left out, fitted anew: what each family is worth."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from forecasting.engine.ablation import neutral_columns
from forecasting.engine.design import CALENDAR, FAMILIES, Layout
from forecasting.engine.models import blend

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

PREFIX = "without_"
LEFT_OUT = tuple(f"{PREFIX}{family}" for family in FAMILIES)
"""Entrants of a backtest that are asked for by name: the blend without one family."""


class WithoutFamily:
    """Estimators that never see one family: its columns are the same in every row, in the fit and afterwards.

    A rate of this shift of day becomes the same rate of all hours, any other rate that of an average cell, places and
    calendar columns 0. Columns worked out from several families (shrunk rates) go with their own. Picklable.
    """

    def __init__(
        self, layout: Layout, family: str, estimators: Sequence[Any], weights: Sequence[float]
    ) -> None:
        self.estimators = list(estimators)
        self.weights = list(weights)
        self._neutral = neutral_columns(layout, family)
        self._still = (
            [number for number, name in enumerate(layout.names) if name in CALENDAR]
            if family == "calendar"
            else []
        )

    def _without(self, X: Floats32) -> Floats32:
        out = X.copy()
        for column, (kind, what) in self._neutral.items():
            out[:, column] = X[:, what] if kind == "column" else what
        out[:, self._still] = 0.0
        return out

    def fit(self, X: Floats32, y: Floats, sample_weight: Floats) -> Self:
        kept = self._without(X)
        for estimator in self.estimators:
            estimator.fit(kept, y, sample_weight=sample_weight)
        return self

    def predict(self, X: Floats32) -> Floats:
        kept = self._without(X)
        return np.asarray(blend([one.predict(kept) for one in self.estimators], self.weights), np.float64)
