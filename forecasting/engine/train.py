"""The façade of the numeric core: train models, forecast a shift, say why. Arrays in, arrays out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.backtest import League, LeagueRow, held_out, league_run
from forecasting.engine.candidates import Candidate
from forecasting.engine.card import Groups
from forecasting.engine.checks import MODEL_VERSION, check_trained, check_training
from forecasting.engine.context import ContextScaler
from forecasting.engine.design import calendar_columns
from forecasting.engine.explain import Explanation, explain_cells
from forecasting.engine.features import MEMORIES_DAYS, History, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import ReportingLag
from forecasting.engine.parallel import TypePool, default_workers, single_threaded
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.sampling import rows_sample
from forecasting.engine.steps import Steps
from forecasting.engine.workshop import ShapeModel, Workshop, matrix, surface
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]

__all__ = [
    "Explanation",
    "Groups",
    "LeagueRow",
    "Periods",
    "ReportingLag",
    "ShiftWindow",
    "TrainedType",
    "explain",
    "explain_many",
    "forecast",
    "train",
]

MAX_SAMPLED_PERIODS = 2_200
MIN_PERIODS = 6


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


def train(
    *,
    grid: GridSpec,
    incidents: IncidentTable,
    periods: Periods,
    shifts: tuple[ShiftWindow, ...],
    targets: tuple[str, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    rng: np.random.Generator,
    progress: Progress = no_progress,
    budget_cells: int | None = None,
    workers: int | None = None,
    lag: Mapping[str, ReportingLag] | None = None,
    groups: Groups | None = None,
) -> dict[str, TrainedType]:
    """Train a model for every crime type, test it on recent weeks against plain counts, keep the better one.

    ``periods``: all shift instances of the training span, ascending; those that end after ``as_of_utc`` are left
    out. Incidents not yet known at ``as_of_utc`` are not looked at. ``context`` [N, C]: static columns such as the
    density of bars. ``budget_cells``: missions per shift, scored as an area of its own.
    ``workers``: crime types fitted at a time (one per core if None); it does not change the result. A type without any
    incident gets a flat surface of almost nothing. Fewer than six usable periods raise ``ValueError``.
    ``lag`` by category: what an analyst says of feeds without report times; the lag that ``known_utc`` shows is
    measured in any case. In the walk through the past only the measured one counts: there the late rows are present.
    ``groups``: areas such as beats, for the model card.
    """
    as_of_utc = as_of_utc.astype("datetime64[s]")
    check_training(grid, incidents, shifts, targets, context, context_names, periods)
    workshop = workshop_of(grid, incidents, shifts, targets, as_of_utc, context, context_names, lag or {})
    usable = periods.take(np.flatnonzero(periods.to_utc <= as_of_utc))
    if len(usable) < MIN_PERIODS:
        raise ValueError(
            f"Only {len(usable)} shift instances end before {as_of_utc}; training needs {MIN_PERIODS}. "
            "Import older incidents or train from an earlier date."
        )
    usable = after_burn_in(usable, workshop)
    origin, tested = held_out(usable, len(grid), rng)
    origin_days = float(days_since_epoch(origin))
    # Measured before the test begins: the league must not know how late the tested weeks were reported.
    lags = workshop.lags(origin_days)
    chosen = np.sort(rng.permutation(len(usable))[:MAX_SAMPLED_PERIODS])
    steps = Steps(progress, len(targets))
    rows = rows_sample(
        History(grid, workshop.events, lags),
        usable.take(chosen),
        workshop.sources,
        rng,
        inclusion=len(chosen) / len(usable),
        progress=steps.part(0.0, 0.2),
    )
    said = steps.counter(0.2, 0.5, "Fitting models")
    said_again: list[Callable[[], None]] = []

    def fitted(target: int) -> tuple[ShapeModel, list[Candidate]]:
        shape = workshop.shape_fit(rows, target, origin_days)
        entrants = workshop.fit(rows, target, shape, origin_days)[0]
        said()
        return shape, entrants

    def refitted(task: tuple[int, League]) -> TrainedType:
        one = refit(workshop, rows, *task, usable, lags)
        said_again[0]()
        return one

    with TypePool(default_workers(len(targets)) if workers is None else workers) as pool:
        pairs = pool.map(fitted, range(len(targets)))
        leagues = league_run(
            workshop,
            tested,
            [shape for shape, _ in pairs],
            [entrants for _, entrants in pairs],
            rng,
            budget_cells=budget_cells,
            lags=lags,
            progress=steps.part(0.5, 0.85),
            pool=pool,
            groups=groups,
        )
        del pairs
        lags = workshop.lags(workshop.as_of_days)
        said_again.append(steps.counter(0.85, 1.0, "Refitting the champions"))
        trained = pool.map(refitted, enumerate(leagues))
    return dict(zip(targets, trained, strict=True))


def refit(
    workshop: Workshop,
    rows: Any,
    target: int,
    league: League,
    usable: Periods,
    lags: tuple[ReportingLag, ...],
) -> TrainedType:
    """Fit the champion again on everything up to now."""
    slug, source = workshop.targets[target], workshop.sources[target]
    shape = workshop.shape_fit(rows, target, workshop.as_of_days)
    names = list(dict.fromkeys([league.champion, league.best_baseline]))
    (champion, *plain), _ = workshop.fit(rows, target, shape, workshop.as_of_days, names)
    return TrainedType(
        slug=slug,
        champion=league.champion,
        beats_baseline=league.beats_baseline,
        league=league.rows,
        model=TypeModel(
            shape,
            champion.estimator,
            len(workshop.grid),
            workshop.incidents.categories,
            lags=lags,
            said=workshop.said,
            baseline=plain[0].estimator if plain else None,
        ),
        trained_from=usable.from_utc[0],
        trained_to=usable.to_utc[-1],
        rows=len(rows.cell),
        events=round(float(workshop.events.weight[workshop.events.source == source].sum())),
        tested_events=league.events,
        tested_periods=league.periods,
        card=league.card,
    )


def forecast(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    progress: Progress = no_progress,
    lag: Mapping[str, ReportingLag] | None = None,
) -> dict[str, Floats32]:
    """Expected incidents per cell in one shift instance, for each trained type: float32 [N].

    Uses only incidents known before ``as_of_utc`` (and before the shift begins). ``categories`` of the table,
    shifts and context columns must be those of the training. Counts are raised by what is not reported yet, and by
    what will happen until the shift begins. ``lag`` by category: as for ``train``; None is what was said there.
    """
    check_trained(trained, grid, incidents, shifts, context_names, period)
    (found,) = forecast_many(
        trained=trained,
        grid=grid,
        incidents=incidents.known_before(as_of_utc.astype("datetime64[s]")),
        periods=period,
        shifts=shifts,
        context=context,
        context_names=context_names,
        progress=progress,
        lag=lag,
        issued_utc=as_of_utc.astype("datetime64[s]"),
    )
    return found


@single_threaded()
def forecast_many(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    periods: Periods,
    shifts: tuple[ShiftWindow, ...],
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    progress: Progress = no_progress,
    lag: Mapping[str, ReportingLag] | None = None,
    issued_utc: np.datetime64 | None = None,
) -> list[dict[str, Floats32]]:
    """Forecast ascending periods in one walk, each from what was known when it began (for tests and reports).

    ``lag``: as for ``forecast``; give {} where the table holds rows that were late then: they need no correction.
    ``issued_utc``: nothing later is known, whenever the periods begin.
    """
    events = events_of(grid, incidents, shifts)
    history = History(grid, events, lags_live(trained, incidents.categories, lag))
    issued = np.inf if issued_utc is None else float(days_since_epoch(issued_utc))
    calendar = calendar_columns(periods, shifts)
    scaled: dict[int, Floats32] = {}
    out: list[dict[str, Floats32]] = []
    for number in range(len(periods)):
        progress(number, len(periods), "Forecasting")
        start = float(days_since_epoch(periods.from_utc[number : number + 1])[0])
        history.move_to(start, min(start, issued))
        slot = int(periods.slot[number])
        rates, totals = history.rates(slot), history.totals()
        found: dict[str, Floats32] = {}
        for slug, one in trained.items():
            z = None
            if context is not None and one.model.shape.scaler is not None:
                scaler = one.model.shape.scaler
                z = scaled.setdefault(id(scaler), scaler.transform(context))
            found[slug] = shift_surface(
                one.model,
                rates,
                totals,
                periods.take([number]),
                calendar[number],
                z,
                history.watched(one.model.shape.layout.source),
            )
        out.append(found)
    progress(len(periods), len(periods), "Forecasting")
    return out


def shift_surface(
    model: TypeModel,
    rates: Floats32,
    totals: npt.NDArray[np.float64],
    period: Periods,
    calendar: Floats32,
    z: Floats32 | None,
    watched: npt.NDArray[np.bool_] | None = None,
) -> Floats32:
    """One crime type's expected counts in one shift: float32 [N].

    ``rates`` [N, sources, rates] and ``totals`` [sources, memories] as known then; ``calendar`` [6] of the shift.
    """
    shape, slot, n = model.shape, int(period.slot[0]), len(rates)
    source = shape.layout.source
    every_hour = np.broadcast_to(calendar, (n, len(calendar)))
    X = matrix(shape, rates, totals[source, len(MEMORIES_DAYS) - 1], every_hour, slot, np.arange(n), z)
    total = float(shape.level.predict(period, totals[None, source])[0])
    return surface(model.estimator, X, total, watched).astype(np.float32)


def explain_many(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    cells: Mapping[str, npt.NDArray[np.int64]],
    lag: Mapping[str, ReportingLag] | None = None,
) -> dict[str, list[Explanation]]:
    """Why these cells (positions in ``grid.cells``), type by type: the drivers as numbers, for one shift."""
    issued_utc = min(as_of_utc.astype("datetime64[s]"), period.from_utc[0])
    check_trained(trained, grid, incidents, shifts, context_names, period)
    return explain_cells(
        models={slug: trained[slug].model for slug in cells},
        grid=grid,
        incidents=incidents.known_before(issued_utc),
        period=period,
        shifts=shifts,
        context=context,
        context_names=context_names,
        cells={slug: np.asarray(places, dtype=np.int64) for slug, places in cells.items()},
        lags=lags_live(trained, incidents.categories, lag),
        issued_utc=issued_utc,
    )


def explain(*, cells: npt.NDArray[np.int64], target: str, **given: Any) -> list[Explanation]:
    """The same for one crime type."""
    return explain_many(cells={target: cells}, **given)[target]


def lags_live(
    trained: Mapping[str, TrainedType],
    categories: tuple[str, ...],
    said: Mapping[str, ReportingLag] | None = None,
) -> tuple[ReportingLag, ...]:
    """How late each source of a table reports: a crime type's own model says it, any other one for other sources."""
    models = [one.model for one in trained.values()]
    own = [trained[slug].model if slug in trained else models[0] for slug in categories] if models else []
    return tuple(model.live_lag(source, said) for source, model in enumerate(own))


def workshop_of(
    grid: GridSpec,
    incidents: IncidentTable,
    shifts: tuple[ShiftWindow, ...],
    targets: tuple[str, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None,
    context_names: tuple[str, ...],
    said: Mapping[str, ReportingLag],
) -> Workshop:
    known = incidents.known_before(as_of_utc)
    scaler = ContextScaler(context) if context is not None and context_names else None
    return Workshop(
        grid=grid,
        incidents=known,
        events=events_of(grid, known, shifts),
        shifts=shifts,
        targets=targets,
        context_names=context_names if scaler is not None else (),
        scaler=scaler,
        z=scaler.transform(context) if scaler is not None and context is not None else None,
        as_of_days=float(days_since_epoch(as_of_utc)),
        said=said,
    )


def after_burn_in(periods: Periods, workshop: Workshop) -> Periods:
    """Leave out the first shifts: long memories are still empty there and would teach the wrong weights."""
    starts = days_since_epoch(periods.from_utc)
    occurred = workshop.events.occurred_days
    first = float(occurred.min()) if len(occurred) else float(starts[0])
    first = max(first, float(starts[0]) - 3650.0)
    wait = min(120.0, 0.2 * max(float(starts[-1]) - first, 0.0))
    late = np.flatnonzero(starts >= first + wait)
    return periods.take(late) if len(late) >= MIN_PERIODS else periods
