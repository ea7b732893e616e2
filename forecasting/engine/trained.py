"""What a training leaves behind: a crime type's model, and the record of how it was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from forecasting.engine.backtest import LeagueRow
from forecasting.engine.checks import MODEL_VERSION
from forecasting.engine.lag import ReportingLag
from forecasting.engine.workshop import ShapeModel


@dataclass(frozen=True)
class TypeModel:
    """What joblib stores for one crime type: the champion, its columns, and how many cells it was made for.

    ``lags``: how late each source reports, as measured at the end of the training; ``said``: what came on top of it
    by category, for feeds without report times.
    """

    shape: ShapeModel
    estimator: Any
    n_cells: int
    categories: tuple[str, ...]
    version: int = MODEL_VERSION
    lags: tuple[ReportingLag, ...] = ()
    said: Mapping[str, ReportingLag] = field(default_factory=dict)

    baseline: Any = None
    """The best plain count, fitted on the same incidents: what the model in service is watched against. None where the
    champion is that plain count."""

    def live_lag(self, source: int, said: Mapping[str, ReportingLag] | None = None) -> ReportingLag:
        """How late a source reports; ``said`` (that of the training if None) comes on top of what was measured."""
        measured = self.lags[source] if self.lags else ReportingLag.none()
        return measured.with_said((self.said if said is None else said).get(self.categories[source]))


@dataclass(frozen=True)
class TrainedType:
    """The model that goes live for one crime type, and the league that chose it.

    ``beats_baseline`` False means that no learned model was better: the best plain count is live instead.
    ``rows`` are the sampled training rows, ``events`` the type's incidents inside the grid.
    """

    slug: str
    champion: str
    beats_baseline: bool
    league: tuple[LeagueRow, ...]
    model: TypeModel
    trained_from: np.datetime64
    trained_to: np.datetime64
    rows: int
    events: int
    tested_events: int
    tested_periods: int
    card: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The record for the model page, made of JSON's own types only."""
        return {
            "slug": self.slug,
            "champion": self.champion,
            "beats_baseline": self.beats_baseline,
            "trained_from": str(self.trained_from),
            "trained_to": str(self.trained_to),
            "rows": self.rows,
            "events": self.events,
            "tested_events": self.tested_events,
            "tested_periods": self.tested_periods,
            "league": [row.as_dict() for row in self.league],
            "reporting_lag": self.model.live_lag(self.model.shape.layout.source).as_dict(),
            "card": self.card,
        }

    def plain(self) -> "TrainedType | None":
        """The best plain count as a model of its own, to forecast beside the champion; None where it is the champion."""
        if self.model.baseline is None:
            return None
        return replace(self, model=replace(self.model, estimator=self.model.baseline, baseline=None))
