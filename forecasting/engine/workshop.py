"""What training and forecasting share: one place where events, rows and city totals become fitted models."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.candidates import (
    BLEND_WEIGHTS,
    BLENDED,
    Candidate,
    candidate_estimator,
    entrants,
)
from forecasting.engine.context import ContextRate, ContextScaler
from forecasting.engine.design import Layout, calendar_columns, context_part
from forecasting.engine.effects import USUAL_DAYS, EventEffect, calendar_terms, event_effect, usual_effect
from forecasting.engine.features import MEMORIES_DAYS, Events
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import LOWEST_SHARE, ReportingLag, lag_measure, lags_measured
from forecasting.engine.leftout import PREFIX, WithoutFamily
from forecasting.engine.level import LevelModel
from forecasting.engine.mixture import Blend
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.sampling import SampledRows
from forecasting.engine.surroundings import NOTHING, Names, Passing, Surroundings
from ingestion.engine.tables import IncidentTable

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

ROW_RECENCY_HALF_LIFE_DAYS = 900.0
_ALL = len(MEMORIES_DAYS) - 1
_PIECE = 4_096
MOST_EVENT_PAIRS = 5_000_000
"""Cells near an event in a shift, over all kinds and radii, from which effects are learnt."""


@dataclass
class ShapeModel:
    """Everything of one crime type but the champion itself: columns, context rate, city-wide level. Picklable."""

    layout: Layout
    level: LevelModel
    context_rate: ContextRate | None
    scaler: ContextScaler | None
    names: Names = NOTHING
    effect: EventEffect | None = None

    def passing_rows(
        self, passing: Passing | None, period: npt.NDArray[np.int64] | int, cells: npt.NDArray[np.int64]
    ) -> Floats32 | None:
        """What passes as the design matrix has it, [m, P]: events by their log effect. None where nothing does."""
        if passing is None or not self.names.cells:
            return None
        out = passing.at(period, cells)
        if self.effect is not None:
            n_local = len(self.names.local)
            out[:, :n_local] = self.effect.rows(out[:, :n_local], passing.slot[period], cells)
        return out


@dataclass(frozen=True)
class Workshop:
    """The material of one training run. ``incidents`` holds only what was known before ``as_of_days``.

    ``said`` are lags by category of which the table itself shows nothing: its report times are missing.
    """

    grid: GridSpec
    incidents: IncidentTable
    events: Events
    shifts: tuple[ShiftWindow, ...]
    targets: tuple[str, ...]
    context_names: tuple[str, ...]
    scaler: ContextScaler | None
    z: Floats32 | None
    as_of_days: float
    said: Mapping[str, ReportingLag] = field(default_factory=dict)
    surroundings: Surroundings | None = None
    names: Names = NOTHING
    _passing: dict[int, tuple[Periods, Passing]] = field(default_factory=dict, repr=False, compare=False)

    def passing(self, periods: Periods) -> Passing | None:
        """What was known of each period when it began, worked out once; None where nothing passes."""
        if self.surroundings is None or self.names == NOTHING:
            return None
        # The periods are kept with it: a number alone may be given to another object later.
        found = self._passing.get(id(periods))
        if found is None:
            found = periods, self.surroundings.passing(self.names, self.grid, periods)
            self._passing[id(periods)] = found
        return found[1]

    @property
    def sources(self) -> list[int]:
        return [self.incidents.categories.index(slug) for slug in self.targets]

    def counts(self, periods: Periods, source: int, known_before_days: float) -> Floats:
        """City-wide incidents inside the grid in each period, as known at an instant: [S]."""
        use = (self.events.source == source) & (self.events.known_days < known_before_days)
        at, mass = self.events.occurred_days[use], self.events.weight[use]
        order = np.argsort(at, kind="stable")
        at, until = at[order], np.concatenate([[0.0], np.cumsum(mass[order])])
        low = np.searchsorted(at, days_since_epoch(periods.from_utc))
        high = np.searchsorted(at, days_since_epoch(periods.to_utc))
        counts: Floats = until[high] - until[low]
        return counts

    def lags(self, known_before_days: float) -> tuple[ReportingLag, ...]:
        """How late each source reports, as far as the table showed it at an instant."""
        events = self.events
        columns = (events.source, events.occurred_days, events.known_days, events.weight)
        return lags_measured(*columns, events.n_sources, known_before_days)

    def shape_fit(self, rows: SampledRows, target: int, cutoff_days: float) -> ShapeModel:
        """Fit the level and the context rate of one target from what was known before the cut-off."""
        source = self.sources[target]
        layout = Layout(
            source, self.incidents.categories, self.context_names, len(self.grid), self.names.cells
        )
        passing = self.passing(rows.periods)
        ended = np.flatnonzero(days_since_epoch(rows.periods.to_utc) <= cutoff_days)
        periods = rows.periods.take(ended)
        mine = (self.events.source == source) & (self.events.known_days < cutoff_days)
        first = float(self.events.occurred_days[mine].min()) if mine.any() else cutoff_days
        level = LevelModel(len(self.shifts), first)
        counts = self.counts(periods, source, cutoff_days)
        complete = self.complete(periods, source, cutoff_days)
        terms = None if passing is None else passing.terms[ended]
        level.fit(periods, rows.city_totals[ended, source], counts, complete, terms)
        context_rate = None
        if self.z is not None:
            cells = np.zeros((len(self.grid), len(self.shifts)))
            for slot in range(len(self.shifts)):
                at = mine & self.events.member[:, slot]
                cells[:, slot] = np.bincount(self.events.cell[at], self.events.weight[at], len(self.grid))
            context_rate = ContextRate(len(self.shifts)).fit(
                self.z, cells, self._seen(source, cutoff_days, first)
            )
        effect = None
        if passing is not None and passing.local:
            expected = level.predict(periods, rows.city_totals[ended, source], terms) * complete
            effect = self._effect(passing, ended, periods, mine, expected)
        return ShapeModel(layout, level, context_rate, self.scaler, self.names, effect)

    def _effect(
        self,
        passing: Passing,
        ended: npt.NDArray[np.int64],
        periods: Periods,
        mine: npt.NDArray[np.bool_],
        expected: Floats,
    ) -> EventEffect:
        """What each kind of event does to the cells near it, from the periods that have ended."""
        # In a city of ten thousand street fairs a part of the shifts tells as much, in memory that there is.
        pairs = sum(int(np.diff(one.indptr)[ended].sum()) for one in passing.local)
        if pairs > MOST_EVENT_PAIRS:
            n_kept = max(MOST_EVENT_PAIRS * len(ended) // pairs, 1)
            kept = np.sort(np.random.default_rng(0).permutation(len(ended))[:n_kept])
            ended, periods, expected = ended[kept], periods.take(kept), expected[kept]
        own = np.flatnonzero(mine)
        at, begin = self.events.occurred_days[own], days_since_epoch(periods.from_utc)
        order = np.argsort(at, kind="stable")
        low = np.searchsorted(at[order], begin)
        size = np.searchsorted(at[order], days_since_epoch(periods.to_utc)) - low
        # Periods may overlap, as weeks from every day on do: an incident counts in each that holds it.
        period = np.repeat(np.arange(len(periods)), size)
        own = own[order[np.arange(len(period)) - np.repeat(np.cumsum(size) - size, size) + low[period]]]
        near, slot = [one[ended] for one in passing.local], periods.slot.astype(np.int64)
        coef = event_effect(
            near,
            slot,
            expected,
            calendar_terms(periods),
            period,
            self.events.cell[own].astype(np.int64),
            self.events.weight[own],
        )
        last = np.flatnonzero(begin >= begin[-1] - USUAL_DAYS) if len(begin) else ended[:0]
        kinds = [context_part(name) for name in self.names.local]
        return EventEffect(
            coef, usual_effect([one[last] for one in near], coef, kinds, slot[last], len(self.shifts))
        )

    def _seen(self, source: int, at_days: float, first_days: float) -> Floats | None:
        """For which share of the time since the first incident each cell was watched, [N]; None where all were."""
        if source not in self.events.watch.since_days:
            return None
        seen: Floats = self.events.watch.exposure(source, at_days, first_days, np.array([np.inf]))[:, 0]
        return seen if seen.any() else None

    def complete(self, periods: Periods, source: int, cutoff_days: float) -> Floats:
        """Which share of each period's incidents is in the table and was known at the cut-off: [S]."""
        events, ended = self.events, days_since_epoch(periods.to_utc)
        mine = np.flatnonzero(events.source == source)
        columns = (events.occurred_days[mine], events.known_days[mine])
        share = lag_measure(*columns, cutoff_days, events.weight[mine]).known(cutoff_days - ended)
        said = self.said.get(self.incidents.categories[source])
        if said is not None:
            # Rows without report times look known at once; those that are still to come are in no table.
            share = share * said.known(self.as_of_days - ended)
        complete: Floats = np.clip(share, LOWEST_SHARE, 1.0)
        return complete

    def training_set(
        self, rows: SampledRows, target: int, shape: ShapeModel, cutoff_days: float
    ) -> tuple[Floats32, Floats, Floats]:
        """The design matrix, rates (count / exposure) and weights of one target up to a cut-off."""
        source = self.sources[target]
        at, y, weight = rows.for_target(target, cutoff_days, cutoff_days, source)
        passing = self.passing(rows.periods)
        terms = None if passing is None else passing.terms
        expected = shape.level.predict(rows.periods, rows.city_totals[:, source], terms)
        expected = expected * self.complete(rows.periods, source, cutoff_days)
        period = rows.period[at]
        n_watched = rows.watch.n_watched(source, days_since_epoch(rows.periods.from_utc), len(self.grid))
        exposure = np.maximum((expected / n_watched)[period], 1e-12)
        age = cutoff_days - days_since_epoch(rows.periods.to_utc)[period]
        recency = np.exp2(-age / ROW_RECENCY_HALF_LIFE_DAYS)
        X = np.empty((len(at), len(shape.layout.names)), dtype=np.float32)
        calendar, slot = calendar_columns(rows.periods, self.shifts), rows.periods.slot.astype(np.int64)
        # In pieces: the rates of all sources for all of a type's rows would be several times the matrix itself.
        for low in range(0, len(at), _PIECE):
            some, when = at[low : low + _PIECE], period[low : low + _PIECE]
            X[low : low + _PIECE] = matrix(
                shape,
                rows.rates[some],
                rows.city_totals[when, source, _ALL],
                calendar[when],
                slot[when],
                rows.cell[some].astype(np.int64),
                self.z,
                shape.passing_rows(passing, when.astype(np.int64), rows.cell[some].astype(np.int64)),
            )
        return X, y / exposure, weight.astype(np.float64) * exposure * recency

    def n_events(self, rows: SampledRows, target: int, cutoff_days: float) -> int:
        """How many incidents of one target the sampled rows hold: those in one cell and shift count once."""
        counts = rows.for_target(target, cutoff_days, cutoff_days, self.sources[target])[1]
        # An incident that is spread over twenty shifts is still one.
        return min(int(np.count_nonzero(counts)), round(float(counts.sum())))

    def fit(
        self,
        rows: SampledRows,
        target: int,
        shape: ShapeModel,
        cutoff_days: float,
        names: Sequence[str] | None = None,
    ) -> tuple[list[Candidate], int]:
        """Fit these entrants (all that may take part if None): (candidates, incidents in the sampled rows)."""
        X, y, weight = self.training_set(rows, target, shape, cutoff_days)
        n_events = self.n_events(rows, target, cutoff_days)
        wanted = entrants(n_events) if names is None else tuple(names)
        single = [name for name in wanted if name != "blend"]
        if "blend" in wanted:
            single += [name for name in BLENDED if name not in single]
        fitted: dict[str, Candidate] = {}
        for name in single:
            started = time.perf_counter()
            estimator = entrant(name, shape.layout, n_events).fit(X, y, sample_weight=weight)
            fitted[name] = Candidate(name, estimator, time.perf_counter() - started)
        if "blend" in wanted:
            parts = [fitted[name] for name in BLENDED]
            estimator = Blend.of_fitted([part.estimator for part in parts], BLEND_WEIGHTS)
            fitted["blend"] = Candidate("blend", estimator, sum(part.seconds for part in parts))
        return [fitted[name] for name in wanted], n_events


def entrant(name: str, layout: Layout, n_events: int) -> Any:
    """An unfitted entrant by name, those with a family left out too."""
    if not name.startswith(PREFIX):
        return candidate_estimator(name, layout, n_events)
    parts = [candidate_estimator(part, layout, n_events) for part in BLENDED]
    return WithoutFamily(layout, name.removeprefix(PREFIX), parts, BLEND_WEIGHTS)


def matrix(
    shape: ShapeModel,
    rates: Floats32,
    all_time_total: npt.ArrayLike,
    calendar: Floats32,
    slot: npt.NDArray[np.int64] | int,
    cells: npt.NDArray[np.int64],
    z: Floats32 | None,
    passing: Floats32 | None = None,
) -> Floats32:
    """The design matrix of these cells: context is looked up, everything else is given row by row."""
    context_rate = context = None
    if shape.context_rate is not None and z is not None:
        context_rate, context = shape.context_rate.rates[slot, cells], z[cells]
    return shape.layout.matrix(rates, all_time_total, calendar, context_rate, context, passing)


def surface(
    estimator: Any, X: Floats32, expected_total: float, watched: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """Expected counts of every cell, by an estimator's relative risk: ``spread`` of what it predicts. [N]"""
    return spread(estimator.predict(X), expected_total, watched)


def spread(
    predicted: npt.ArrayLike, expected_total: float, watched: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """Expected counts of every cell: relative risk spread over the city so that the sum is the level. [N]

    Where ``watched`` [N] is False nothing is expected: nothing could be seen there. A risk of nothing anywhere is an
    even one.
    """
    risk = np.maximum(np.asarray(predicted, dtype=np.float64), 0.0)
    if watched is not None:
        risk = np.where(watched, risk, 0.0)
    total = float(risk.sum())
    if not np.isfinite(total) or total <= 0:
        even = np.ones(len(risk)) if watched is None or not watched.any() else watched.astype(np.float64)
        return even * (expected_total / max(float(even.sum()), 1.0))
    return risk * (expected_total / total)
