"""Fit one named model for every crime type without a contest: for speed figures, drills and saved states."""

import numpy as np
import numpy.typing as npt

from forecasting.engine.backtest import League
from forecasting.engine.candidates import LEARNED_NEEDS_EVENTS
from forecasting.engine.checks import check_training
from forecasting.engine.features import History
from forecasting.engine.grid import GridSpec
from forecasting.engine.parallel import TypePool, default_workers
from forecasting.engine.periods import Periods, ShiftWindow
from forecasting.engine.sampling import (
    MAX_SAMPLED_PERIODS,
    SampledRows,
    background_rows,
    rows_sample,
)
from forecasting.engine.steps import Steps
from forecasting.engine.surroundings import Surroundings
from forecasting.engine.train import (
    TrainedType,
    learnable_periods,
    refit,
    workshop_of,
)
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]

CHAMPION = "blend"
RARE_CHAMPION = "kernel_density"


def fit_champions(
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
    champion: str = CHAMPION,
    progress: Progress = no_progress,
    workers: int | None = None,
    max_periods: int = MAX_SAMPLED_PERIODS,
    surroundings: Surroundings | None = None,
) -> dict[str, TrainedType]:
    """Fit the usual champion for every crime type at once, without testing it against anything.

    The same material, rows and columns as ``train``, but no league: what is returned has ``beats_baseline`` False,
    an empty league and nothing tested, so it must not go live where a league is asked for. A type with fewer than 50
    sampled incidents gets kernel density instead. ``max_periods``: shift instances sampled. Arguments and errors
    otherwise as for ``train``.
    """
    as_of_utc = as_of_utc.astype("datetime64[s]")
    check_training(grid, incidents, shifts, targets, context, context_names, periods)
    workshop = workshop_of(
        grid, incidents, shifts, targets, as_of_utc, context, context_names, surroundings=surroundings
    )
    usable = learnable_periods(periods, workshop, as_of_utc)
    chosen = np.sort(rng.permutation(len(usable))[:max_periods])
    steps = Steps(progress, len(targets))
    lags = workshop.lags(workshop.as_of_days)
    rows = rows_sample(
        History(grid, workshop.events, lags),
        usable.take(chosen),
        workshop.sources,
        rng,
        background_per_period=background_rows(len(chosen)),
        inclusion=len(chosen) / len(usable),
        progress=steps.part(0.0, 0.4),
        workers=default_workers(len(targets)) if workers is None else workers,
    )
    said = steps.counter(0.4, 1.0, "Fitting models")

    def fitted(target: int) -> TrainedType:
        enough = workshop.n_events(rows, target, workshop.as_of_days) >= LEARNED_NEEDS_EVENTS
        one = refit(workshop, rows, target, _untested(champion if enough else RARE_CHAMPION), usable, lags)
        said()
        return one

    # The longest fits first: a worker that starts the longest one last would keep everybody waiting.
    order = sorted(range(len(targets)), key=lambda target: -_kept_events(rows, target))
    with TypePool(default_workers(len(targets)) if workers is None else workers) as pool:
        trained = dict(zip(order, pool.map(fitted, order), strict=True))
    return {slug: trained[target] for target, slug in enumerate(targets)}


def _kept_events(rows: SampledRows, target: int) -> int:
    return int(np.count_nonzero(rows.kept[:, target]))


def _untested(champion: str) -> League:
    """What stands where a league's verdict would: nothing was compared, so nothing was beaten."""
    return League(champion=champion, beats_baseline=False, rows=(), events=0, periods=0)
