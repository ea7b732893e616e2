"""The replay: at each origin all models are fitted, and every period until the next one is forecast and scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from forecasting.engine.bench.contest import (
    EVEN_SHARES,
    Contest,
    Instant,
    Setting,
    contest_fit,
    learnable,
    points_of,
    surfaces_of,
    with_even_share,
)
from forecasting.engine.bench.protocol import validation
from forecasting.engine.candidates import BASELINES
from forecasting.engine.classics.points import Points
from forecasting.engine.design import calendar_columns
from forecasting.engine.features import MEMORIES_DAYS, History, events_of, surfaces
from forecasting.engine.grid import GridSpec
from forecasting.engine.metrics import area_cells, hits_at, ideal_hits, log_score
from forecasting.engine.parallel import TypePool
from forecasting.engine.periods import MIN_PERIODS, Periods, days_since_epoch
from forecasting.engine.surroundings import NOTHING
from forecasting.engine.workshop import matrix
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FALLBACK = "counts_and_kernel"
_ALL = len(MEMORIES_DAYS) - 1


@dataclass(frozen=True)
class Choices:
    """What the time before the test decided for each crime type.

    ``by_log`` [T] and ``by_area`` [T, areas] are numbers of baselines in ``BASELINES``; ``even`` [T, models] the
    even share of each model (0 but for point processes). ``periods`` and ``events`` [T] tell on how much.
    """

    by_log: Ints
    by_area: Ints
    even: Floats
    periods: int
    events: Ints

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                by_log=self.by_log,
                by_area=self.by_area,
                even=self.even,
                periods=self.periods,
                events=self.events,
            )

    @staticmethod
    def load(path: Path) -> "Choices":
        with np.load(path) as kept:
            return Choices(
                kept["by_log"], kept["by_area"], kept["even"], int(kept["periods"]), kept["events"]
            )


@dataclass(frozen=True)
class Block:
    """The periods of one origin, scored from the float32 surfaces. T types, M models, S periods, A areas.

    ``hits`` [T, M, S, A], ``ideal`` [T, S, A], ``log_scores`` and ``expected`` [T, M, S], ``inside`` and
    ``outside`` [T, S]: events in and beyond the grid's cells. ``stand_in`` [T, M]: a model that could not be
    fitted, for which the best baseline stood in. ``fit_seconds``, ``forecast_seconds`` [T, M].
    ``walk_seconds``: collecting the rows that all models learn from.
    """

    hits: Floats
    ideal: Floats
    log_scores: Floats
    expected: Floats
    inside: Floats
    outside: Floats
    stand_in: npt.NDArray[np.bool_]
    fit_seconds: Floats
    forecast_seconds: Floats
    walk_seconds: float

    @staticmethod
    def empty(n_types: int, n_models: int, n_periods: int, n_areas: int) -> "Block":
        shape = (n_types, n_models, n_periods)
        return Block(
            hits=np.zeros((*shape, n_areas)),
            ideal=np.zeros((n_types, n_periods, n_areas)),
            log_scores=np.zeros(shape),
            expected=np.zeros(shape),
            inside=np.zeros((n_types, n_periods)),
            outside=np.zeros((n_types, n_periods)),
            stand_in=np.zeros(shape[:2], dtype=bool),
            fit_seconds=np.zeros(shape[:2]),
            forecast_seconds=np.zeros(shape[:2]),
            walk_seconds=0.0,
        )


def choices_make(setting: Setting, pool: TypePool, progress: Progress) -> Choices:
    """Choose each type's best baselines, and the point processes' even shares, on the time before the test.

    The baseline for the log score is the one with the best; for each area the one with most hits there and at
    twice the area. Ties go to the first. Without enough history ``counts_and_kernel`` and a share of 0.1 stand.
    """
    grid, plan = setting.ground.grid, setting.plan
    areas = area_cells(len(grid), grid.cell_size_m)
    n_types, n_models = len(setting.targets), len(setting.models)
    even = np.zeros((n_types, n_models))
    classics = [number for number, name in enumerate(setting.models) if name in setting.classics]
    begin = plan.test.from_utc[0]
    tried = validation(
        plan,
        plan.history(setting.first(begin), begin),
        _rarest_daily_rate(setting, begin),
        setting.rng(0, 0),
    )
    if len(tried) == 0 or len(learnable(setting, tried.from_utc[0])) < MIN_PERIODS:
        even[:, classics] = 0.1
        stand = np.full(n_types, BASELINES.index(FALLBACK))
        return Choices(stand, np.repeat(stand[:, None], len(areas), 1), even, 0, np.zeros(n_types, np.int64))
    models = [name for name in setting.models if name in BASELINES or name in setting.classics]
    stage = "Before the test"
    contest = contest_fit(setting, tried.from_utc[0], models, setting.rng(0, 1), pool, progress, stage)
    double = {f"{label} twice": min(2 * k, len(grid)) for label, k in areas.items()}
    hits = np.zeros((n_types, len(BASELINES), len(areas)))
    logs = np.zeros((n_types, len(BASELINES)))
    even_logs = np.zeros((n_types, n_models, len(EVEN_SHARES)))
    events = np.zeros(n_types, dtype=np.int64)

    def book(target: int, number: int, found: "_Found") -> None:
        cells, counts = found.cells, found.counts
        events[target] += int(counts.sum())
        for which, name in enumerate(BASELINES):
            expected = found.learned[name]
            logs[target, which] += log_score(expected, cells, counts)
            hits[target, which] += hits_at(expected, cells, counts, areas)
            hits[target, which] += hits_at(expected, cells, counts, double)
        for which in classics:
            plain = found.processes[setting.models[which]]
            for choice, share in enumerate(EVEN_SHARES):
                even_logs[target, which, choice] += log_score(
                    with_even_share(plain, share, found.watched), cells, counts
                )

    # Scored by what was known when the test began: an event reported later must not choose a baseline.
    outcomes = _Outcomes(setting.incidents.known_before(begin), grid)
    _walk(setting, contest, tried, pool, progress, f"{stage}: choosing the best baseline", outcomes, book)
    even[:, classics] = np.array(EVEN_SHARES)[even_logs[:, classics].argmax(axis=2)]
    return Choices(logs.argmax(axis=1), hits.argmax(axis=1), even, len(tried), events)


def block_run(
    setting: Setting, choices: Choices, number: int, pool: TypePool, progress: Progress
) -> tuple[Block, list[Floats32]]:
    """Fit at the block's origin, forecast its periods: (scores, the written model's surfaces [S, N] by type)."""
    grid = setting.ground.grid
    first, last = setting.plan.blocks[number]
    periods = setting.plan.test.take(np.arange(first, last))
    areas = area_cells(len(grid), grid.cell_size_m)
    n_types, n_models = len(setting.targets), len(setting.models)
    origin = setting.plan.origin(number)
    stage = f"Fit {number + 1} of {len(setting.plan.blocks)} ({origin.astype('datetime64[D]')})"
    contest = contest_fit(setting, origin, setting.models, setting.rng(1, number), pool, progress, stage)
    block = Block.empty(n_types, n_models, len(periods), len(areas))
    written = setting.models.index(setting.written)
    kept = [np.zeros((len(periods), len(grid)), dtype=np.float32) for _ in setting.targets]
    for target, one in enumerate(contest.types):
        for model, name in enumerate(setting.models):
            block.fit_seconds[target, model] = one.seconds.get(name, 0.0)
            block.stand_in[target, model] = name not in one.seconds

    def book(target: int, at: int, found: "_Found") -> None:
        best = BASELINES[choices.by_log[target]]
        block.inside[target, at] = found.counts.sum()
        block.outside[target, at] = found.outside
        block.ideal[target, at] = ideal_hits(found.counts, areas)
        for model, name in enumerate(setting.models):
            if name in found.processes:
                expected = with_even_share(found.processes[name], choices.even[target, model], found.watched)
            else:
                expected = found.learned.get(name, found.learned[best])
            # Scored as written: a float64 surface has fewer ties than the file that others will score.
            stored = expected.astype(np.float32)
            if model == written:
                kept[target][at] = stored
            wide = stored.astype(np.float64)
            block.hits[target, model, at] = hits_at(wide, found.cells, found.counts, areas)
            block.log_scores[target, model, at] = log_score(wide, found.cells, found.counts)
            block.expected[target, model, at] = wide.sum()
            block.forecast_seconds[target, model] += found.seconds.get(name, 0.0)

    outcomes = _Outcomes(setting.incidents, grid)
    _walk(setting, contest, periods, pool, progress, f"{stage}: forecasting", outcomes, book)
    return _with_walk(block, contest.walk_seconds), kept


def _with_walk(block: Block, seconds: float) -> Block:
    return Block(**{**block.__dict__, "walk_seconds": seconds})


@dataclass(frozen=True)
class _Found:
    """One period of one type: every model's surface, where events happened, and how long each model took."""

    learned: dict[str, Floats]
    processes: dict[str, Floats]
    cells: Ints
    counts: Floats
    outside: int
    seconds: dict[str, float]
    watched: npt.NDArray[np.bool_] | None


class _Outcomes:
    """What happened in each period, by type: distinct cells with counts, and events beyond the cells."""

    def __init__(self, table: IncidentTable, grid: GridSpec) -> None:
        self.at = table.occurred_utc
        self.cell = grid.locate(table.x_m, table.y_m)
        self.category = table.category

    def of(self, target: int, begin: np.datetime64, end: np.datetime64) -> tuple[Ints, Floats, int]:
        low, high = np.searchsorted(self.at, [begin, end], side="left")
        cell = self.cell[low:high][self.category[low:high] == target]
        cells, counts = np.unique(cell[cell >= 0], return_counts=True)
        return cells, counts.astype(np.float64), int((cell < 0).sum())


def outcomes_of(setting: Setting, target: int) -> list[tuple[Ints, Floats]]:
    """Where the type's events fell in each period of the test: [(distinct cells, counts)]."""
    outcomes, test = _Outcomes(setting.incidents, setting.ground.grid), setting.plan.test
    return [
        outcomes.of(target, begin, end)[:2] for begin, end in zip(test.from_utc, test.to_utc, strict=True)
    ]


def _walk(
    setting: Setting,
    contest: Contest,
    periods: Periods,
    pool: TypePool,
    progress: Progress,
    label: str,
    outcomes: "_Outcomes",
    book: "_Book",
) -> None:
    """Walk through the periods once; all types share the counts, all models of a type its design matrix."""
    grid, plan = setting.ground.grid, setting.plan
    # The methods are not even given what was not known yet when the last period began.
    known = setting.incidents.known_before(periods.from_utc[-1])
    history = History(grid, events_of(grid, known, plan.shifts), contest.lags)
    points: Sequence[Points] = [points_of(setting, known, target) for target in range(len(setting.targets))]
    calendar = calendar_columns(periods, plan.shifts)
    names, around = contest.types[0].shape.names, setting.ground.surroundings
    passing = around.passing(names, grid, periods) if around is not None and names != NOTHING else None
    every_cell = np.arange(len(grid))
    starts, ends = days_since_epoch(periods.from_utc), days_since_epoch(periods.to_utc)
    for number, rates, totals in surfaces(history, periods):
        progress(number, len(periods), label)

        def one(target: int, number: int = number, rates: Floats32 = rates, totals: Floats = totals) -> None:
            mine, slot = contest.types[target], int(periods.slot[number])
            X = matrix(
                mine.shape,
                rates,
                totals[target, _ALL],
                np.broadcast_to(calendar[number], (len(grid), calendar.shape[1])),
                slot,
                every_cell,
                contest.z,
                mine.shape.passing_rows(passing, number, every_cell),
            )
            terms = None if passing is None else passing.terms[[number]]
            total = float(mine.shape.level.predict(periods.take([number]), totals[None, target], terms)[0])
            begin = float(starts[number])
            past = points[target].known_before(begin)
            watched = history.watch.cells(target, begin)
            instant = Instant(X, total, past, begin, float(ends[number]) - begin, watched)
            seconds: dict[str, float] = {}
            learned, processes = surfaces_of(mine, instant, seconds)
            happened = outcomes.of(target, periods.from_utc[number], periods.to_utc[number])
            book(target, number, _Found(learned, processes, *happened, seconds, watched))

        pool.map(one, range(len(setting.targets)))
    progress(len(periods), len(periods), label)


class _Book(Protocol):
    """Called with (type, number of the period, what was found) from any worker."""

    def __call__(self, target: int, number: int, found: _Found, /) -> None: ...


def _rarest_daily_rate(setting: Setting, begin: np.datetime64) -> float:
    """Events a day of the rarest type over the year before the test."""
    table = setting.incidents.known_before(begin)
    recent = table.occurred_utc >= begin - np.timedelta64(365, "D")
    days = min(365.0, float((begin - setting.first(begin)) / np.timedelta64(1, "D")))
    counts = [int((table.category[recent] == target).sum()) for target in range(len(setting.targets))]
    return min(counts) / max(days, 1.0)
