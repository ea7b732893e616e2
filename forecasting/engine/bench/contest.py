"""The contest at one origin: every method fitted on what was known then, and every method's surface for a period."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.bench.ground import Ground
from forecasting.engine.bench.protocol import Timetable
from forecasting.engine.candidates import BASELINES, LEARNED, Candidate, entrants
from forecasting.engine.classics.points import PointProcess, Points
from forecasting.engine.features import History
from forecasting.engine.lag import ReportingLag
from forecasting.engine.leftout import LEFT_OUT
from forecasting.engine.mixture import Blend
from forecasting.engine.parallel import TypePool
from forecasting.engine.periods import MIN_PERIODS, Periods, after_burn_in, days_since_epoch
from forecasting.engine.sampling import (
    MAX_SAMPLED_PERIODS,
    SampledRows,
    background_rows,
    rows_sample,
)
from forecasting.engine.train import workshop_of
from forecasting.engine.workshop import ShapeModel, Workshop, spread
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

EVEN_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares spread evenly over the city that a point-process method may be given; the log score needs one."""
CHAMPION = "blend"
Makers = Mapping[str, Callable[[], PointProcess]]


@dataclass(frozen=True)
class Setting:
    """Everything that a replay needs to know; the same setting and seed give the same forecasts, bit for bit.

    ``incidents`` hold every usable event, ``targets`` (those forecast) first among its categories. ``models`` are
    the entrants in the league's order, baselines first. ``classics`` makes the point-process methods.
    """

    ground: Ground
    incidents: IncidentTable
    plan: Timetable
    targets: tuple[str, ...]
    models: tuple[str, ...]
    classics: Makers = field(repr=False)
    seed: int = 0

    def rng(self, *path: int) -> np.random.Generator:
        """Chance of one stage: independent of what ran before, so that a resumed run goes on alike."""
        return np.random.default_rng([self.seed, *path])

    def first(self, origin: np.datetime64) -> np.datetime64:
        """When the first event happened of which one knew at the origin (the origin itself if of none)."""
        known = self.incidents.occurred_utc[self.incidents.known_utc < origin]
        begin: np.datetime64 = known[0] if len(known) else origin.astype("datetime64[s]")
        return begin

    @property
    def written(self) -> str:
        """The model whose forecast is written: the champion blend, or else the last one named."""
        return CHAMPION if CHAMPION in self.models else self.models[-1]


@dataclass(frozen=True)
class Contestants:
    """What is fitted for one crime type at one origin. ``seconds`` of each fit by model."""

    shape: ShapeModel
    candidates: Sequence[Candidate]
    processes: Mapping[str, PointProcess]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """All crime types' contestants at one origin, with the standardised layers that they saw."""

    origin: np.datetime64
    types: Sequence[Contestants]
    z: Floats32 | None
    walk_seconds: float
    lags: tuple[ReportingLag, ...] = ()


def points_of(setting: Setting, incidents: IncidentTable, target: int) -> Points:
    """One crime type's events inside the grid, ascending by when they became known."""
    grid = setting.ground.grid
    cell = grid.locate(incidents.x_m, incidents.y_m)
    mine = np.flatnonzero((cell >= 0) & (incidents.category == target))
    occurred = days_since_epoch(incidents.occurred_utc[mine])
    known = days_since_epoch(incidents.known_utc[mine])
    order = np.lexsort((incidents.y_m[mine], incidents.x_m[mine], occurred, known))
    mine = mine[order]
    return Points(cell[mine], incidents.x_m[mine], incidents.y_m[mine], occurred[order], known[order])


def learnable(setting: Setting, origin: np.datetime64) -> Periods:
    """The periods that models fitted at this origin may learn from, first weeks left out: [P]."""
    history = setting.plan.history(setting.first(origin), origin)
    return after_burn_in(history, float(days_since_epoch(history.from_utc[0]))) if len(history) else history


def contest_fit(
    setting: Setting,
    origin: np.datetime64,
    models: Sequence[str],
    rng: np.random.Generator,
    pool: TypePool,
    progress: Progress,
    stage: str,
) -> Contest:
    """Fit these models for every crime type on what was known before the origin. One walk through the history.

    ``stage`` is how the progress calls this fit. A learned model without enough events (``LEARNED_NEEDS_EVENTS``) is
    left out for that type. With fewer than six periods to learn from ``ValueError`` is raised.
    """
    begun = time.perf_counter()
    grid = setting.ground.grid
    context, names = setting.ground.context(origin)
    workshop = workshop_of(
        *(grid, setting.incidents, setting.plan.shifts, setting.targets, origin, context, names),
        surroundings=setting.ground.surroundings,
    )
    lags = workshop.lags(workshop.as_of_days)
    usable = learnable(setting, origin)
    if len(usable) < MIN_PERIODS:
        raise ValueError(f"Only {len(usable)} periods end before {origin}; a fit needs {MIN_PERIODS}.")
    chosen = np.sort(rng.permutation(len(usable))[:MAX_SAMPLED_PERIODS])
    rows = rows_sample(
        History(grid, workshop.events, lags),
        usable.take(chosen),
        workshop.sources,
        rng,
        # Months are few: each must give more rows.
        background_per_period=background_rows(len(chosen), at_most=600),
        inclusion=len(chosen) / len(usable),
        progress=lambda done, total, _: progress(done, total, f"{stage}: collecting history"),
    )
    walked = time.perf_counter() - begun
    n_types, fitted = len(setting.targets), itertools.count(1)
    progress(0, n_types, f"{stage}: fitting models")

    def fit(target: int) -> Contestants:
        one = _fit(setting, workshop, rows, target, models)
        progress(next(fitted), n_types, f"{stage}: fitting models")
        return one

    return Contest(origin, pool.map(fit, range(len(setting.targets))), workshop.z, walked, lags)


def _fit(
    setting: Setting, workshop: Workshop, rows: SampledRows, target: int, models: Sequence[str]
) -> Contestants:
    cutoff = workshop.as_of_days
    shape = workshop.shape_fit(rows, target, cutoff)
    able = entrants(workshop.n_events(rows, target, cutoff))
    able = (*able, *LEFT_OUT) if set(able) >= set(LEARNED) else able
    names = [name for name in models if name in able]
    candidates, _ = workshop.fit(rows, target, shape, cutoff, names)
    seconds = {candidate.name: candidate.seconds for candidate in candidates}
    processes: dict[str, PointProcess] = {}
    points = points_of(setting, workshop.incidents, target)
    for name in models:
        if name in setting.classics:
            begun = time.perf_counter()
            processes[name] = setting.classics[name]().fit(points, workshop.grid, cutoff, workshop.z)
            seconds[name] = time.perf_counter() - begun
    return Contestants(shape, candidates, processes, seconds)


@dataclass(frozen=True)
class Instant:
    """One period of one crime type, ready to be forecast: the design matrix and the city-wide level."""

    X: Floats32 = field(repr=False)
    total: float
    points: Points = field(repr=False)
    at_days: float
    length_days: float
    watched: Bools | None = field(default=None, repr=False)


def surfaces_of(
    contestants: Contestants, instant: Instant, seconds: dict[str, float]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Each model's expected counts per cell: (learned and baselines, point processes without an even share), [N].

    The parts of a blend are predicted once. ``seconds`` collects the time by model; a blend's is its parts' and
    its own.
    """
    done: dict[int, tuple[Floats, float]] = {}

    def risk_of(estimator: Any) -> tuple[Floats, float]:
        if id(estimator) not in done:
            begun = time.perf_counter()
            if isinstance(estimator, Blend):
                found = [risk_of(part) for part in estimator.estimators_]
                begun = time.perf_counter() - sum(taken for _, taken in found)
                risk = estimator.combine([part for part, _ in found])
            else:
                risk = estimator.predict(instant.X)
            done[id(estimator)] = np.asarray(risk, np.float64), time.perf_counter() - begun
        return done[id(estimator)]

    learned: dict[str, Floats] = {}
    for candidate in contestants.candidates:
        risk, taken = risk_of(candidate.estimator)
        learned[candidate.name] = spread(risk, instant.total, instant.watched)
        seconds[candidate.name] = seconds.get(candidate.name, 0.0) + taken
    processes: dict[str, Floats] = {}
    for name, process in contestants.processes.items():
        begun = time.perf_counter()
        risk = process.intensity(instant.points, instant.at_days, instant.length_days)
        processes[name] = spread(risk, instant.total, instant.watched)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun
    return learned, processes


def with_even_share(expected: Floats, share: float, watched: Bools | None = None) -> Floats:
    """A surface of which this share is spread evenly: no cell is ruled out but those not watched, the sum stays. [N]"""
    even = np.ones(len(expected)) if watched is None or not watched.any() else watched.astype(np.float64)
    mixed: Floats = (1.0 - share) * expected + share * expected.sum() * even / even.sum()
    return mixed


def models_choose(wanted: Sequence[str], classics: Sequence[str]) -> tuple[str, ...]:
    """The entrants of a run in the league's order: baselines always, then those asked for (all if none is).

    The blend without a family of columns (``without_recent_here`` …) takes part only where it is asked for.

    >>> models_choose(["etas"], ["etas"])
    ('all_history_counts', 'decayed_counts', 'kernel_density', 'counts_and_kernel', 'etas')
    """
    known = (*BASELINES, *classics, *LEARNED, *LEFT_OUT)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"Unknown model {', '.join(unknown)}. Known: {', '.join(known)}.")
    of_all = (*classics, *LEARNED)
    return tuple(name for name in known if name in BASELINES or name in (wanted or of_all))
