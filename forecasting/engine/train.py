"""The façade of the numeric core: train models, forecast a shift, say why. Arrays in, arrays out."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from forecasting.engine.backtest import League, LeagueRow, held_out, league_run
from forecasting.engine.candidates import Candidate
from forecasting.engine.card import Groups
from forecasting.engine.checks import check_training
from forecasting.engine.context import ContextScaler
from forecasting.engine.explain import Explanation
from forecasting.engine.features import History, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import ReportingLag
from forecasting.engine.parallel import TypePool, default_workers
from forecasting.engine.periods import MIN_PERIODS, Periods, ShiftWindow, after_burn_in, days_since_epoch
from forecasting.engine.predict import explain, explain_many, forecast, forecast_many
from forecasting.engine.sampling import (
    MAX_SAMPLED_PERIODS,
    SampledRows,
    background_rows,
    rows_sample,
)
from forecasting.engine.steps import Steps
from forecasting.engine.surroundings import NOTHING, Surroundings
from forecasting.engine.trained import TrainedType, TypeModel
from forecasting.engine.workshop import ShapeModel, Workshop
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
    "forecast_many",
    "train",
]


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
    surroundings: Surroundings | None = None,
) -> dict[str, TrainedType]:
    """Train a model for every crime type, test it on recent weeks against plain counts, keep the better one.

    ``periods``: all shift instances of the training span, ascending; those that end after ``as_of_utc`` are left
    out. Incidents not yet known at ``as_of_utc`` are not looked at. ``context`` [N, C]: static columns such as the
    density of bars. ``budget_cells``: missions per shift, scored as an area of its own.
    ``workers``: crime types fitted at a time (one per core if None); it does not change the result. A type without any
    incident gets a flat surface of almost nothing. Fewer than six usable periods raise ``ValueError``.
    ``lag`` by category: what an analyst says of feeds without report times; the lag that ``known_utc`` shows is
    measured in any case. In the walk through the past only the measured one counts: there the late rows are present.
    ``groups``: areas such as beats, for the model card. ``surroundings``: scheduled events and weather; of both only what
    was known when each period began.
    """
    as_of_utc = as_of_utc.astype("datetime64[s]")
    check_training(grid, incidents, shifts, targets, context, context_names, periods)
    workshop = workshop_of(
        grid, incidents, shifts, targets, as_of_utc, context, context_names, lag, surroundings
    )
    usable = learnable_periods(periods, workshop, as_of_utc)
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
        background_per_period=background_rows(len(chosen)),
        inclusion=len(chosen) / len(usable),
        progress=steps.part(0.0, 0.2),
        workers=default_workers(len(targets)) if workers is None else workers,
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
    rows: SampledRows,
    target: int,
    league: League,
    usable: Periods,
    lags: tuple[ReportingLag, ...],
) -> TrainedType:
    """Fit the champion again on everything up to now."""
    slug, source = workshop.targets[target], workshop.sources[target]
    shape = workshop.shape_fit(rows, target, workshop.as_of_days)
    names = [league.champion]
    if league.best_baseline not in (None, league.champion):
        names.append(str(league.best_baseline))
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


def workshop_of(
    grid: GridSpec,
    incidents: IncidentTable,
    shifts: tuple[ShiftWindow, ...],
    targets: tuple[str, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None,
    context_names: tuple[str, ...],
    said: Mapping[str, ReportingLag] | None = None,
    surroundings: Surroundings | None = None,
) -> Workshop:
    """Everything that a training reads, as known at this instant. ``said``: as ``lag`` of ``train``."""
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
        said=said or {},
        surroundings=surroundings,
        names=NOTHING if surroundings is None else surroundings.names(as_of_utc),
    )


def learnable_periods(periods: Periods, workshop: Workshop, as_of_utc: np.datetime64) -> Periods:
    """The shift instances that have ended, without the first ones; fewer than six ended ones raise ``ValueError``."""
    ended = periods.take(np.flatnonzero(periods.to_utc <= as_of_utc))
    if len(ended) < MIN_PERIODS:
        raise ValueError(
            f"Only {len(ended)} shift instances end before {as_of_utc}; training needs {MIN_PERIODS}. "
            "Import older incidents or train from an earlier date."
        )
    occurred = workshop.events.occurred_days
    first = occurred.min() if len(occurred) else days_since_epoch(ended.from_utc[0])
    return after_burn_in(ended, float(first))
