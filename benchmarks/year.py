"""A year of the demo city: forecast, plan, patrol, learn from what is reported, and again, three times a day.

The city is Riverton with its beats, crime types, weather, season, repeats and days of 23 and 25 hours. Its forecast is the
engine's own, fitted anew every four weeks and advanced before each shift; the plan is the product's own ``plan_draw``, with its
cool-down, saturation, caps and floor. Missions are felt: a part of the crimes in a visited box, from the first visit to the end
of the shift, does not happen, and half of that happens next door instead. So the forecast sees a city that its own
missions have changed. What officers come upon themselves is not learnt from, unless a ``Loop`` says so.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from benchmarks.thieves import Thief, Watch, best_boxes
from benchmarks.year_city import BLOCK_SHIFTS, DAY, SHIFT_MINUTES, SHIFTS, YearCity
from benchmarks.year_forecasts import forecaster_of
from ingestion.engine.tables import IncidentTable
from missions_project.demo.intensity import CRIME_TYPES
from missions_project.demo.profiles import utc_s_to_local
from missions_project.lib.progress import Progress, no_progress
from patrols.engine.oversight import predictability
from patrols.engine.plan import DesignPolicy, PlanDraw, plan_draw

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOUND_PER_MISSION = 0.1
"""Crimes that officers come upon in a mission to an average box; up to ten times as many where there is more."""


@dataclass(frozen=True)
class Loop:
    """How a year is run: what trains the forecast, how boxes are chosen, what missions do.

    ``prevented``: chance that a crime in a visited box does not happen; ``displaced``: share of those that happens next door;
    ``carried_out``: share of missions. ``forecast``: a champion of the engine's, or "kernel".
    """

    name: str
    randomised: bool = True
    found_trains: bool = False
    prevented: float = 2 / 3
    displaced: float = 0.5
    carried_out: float = 0.8
    forecast: str = "blend"


@dataclass(eq=False)
class YearRecord:
    """What a year leaves: sums by cell, sums by block of four weeks, and what each thief guessed.

    float64[N]: ``promised`` (sum of floors), ``expected`` (of chances), ``variance`` (of chance × its complement), ``visited``.
    [blocks, N]: ``pi`` (missions expected), ``missions``, ``believed`` (the forecast's harm). [thieves, S]: ``hits`` and
    ``hits_variance``; [S]: ``bound`` and ``drawn``. ``visits``: per shift, cells, [n, V] starts in minutes since the year
    began, and minutes of each visit.
    """

    city: YearCity
    shifts: int
    promised: Floats
    expected: Floats
    variance: Floats
    visited: Floats
    pi: Floats
    missions: Floats
    believed: Floats
    hits: Floats
    hits_variance: Floats
    bound: Floats
    drawn: Floats
    names: tuple[str, ...]
    visits: list[tuple[Ints, Floats, Floats]] = field(default_factory=list)
    unplanned: int = 0
    prevented: int = 0
    found: int = 0

    @classmethod
    def empty(cls, city: YearCity, shifts: int, names: tuple[str, ...]) -> Self:
        """A record of nothing yet."""
        n, blocks = len(city.grid), -(-shifts // BLOCK_SHIFTS)
        by_cell: dict[str, Any] = {
            name: np.zeros(n) for name in ("promised", "expected", "variance", "visited")
        }
        by_block: dict[str, Any] = {name: np.zeros((blocks, n)) for name in ("pi", "missions", "believed")}
        by_thief: dict[str, Any] = {
            name: np.zeros((len(names), shifts)) for name in ("hits", "hits_variance")
        }
        by_shift: dict[str, Any] = {name: np.zeros(shifts) for name in ("bound", "drawn")}
        return cls(city=city, shifts=shifts, names=names, **by_cell, **by_block, **by_thief, **by_shift)


class _Past:
    """Planned minutes and days since the last mission, as ``patrols.selectors.planned_history`` counts them."""

    def __init__(self, n: int, policy: DesignPolicy) -> None:
        self._window = policy.saturation_window_days * DAY
        self._recent: deque[tuple[np.datetime64, Ints, Floats]] = deque()
        self._minutes, self._ended = np.zeros(n), np.full(n, np.datetime64("NaT"), dtype="datetime64[s]")

    def before(self, start: Any) -> tuple[Floats, Floats]:
        while self._recent and start - self._recent[0][0] >= self._window:
            _, cells, spent = self._recent.popleft()
            self._minutes[cells] -= spent
        days = np.asarray((start - self._ended) / DAY, dtype=np.float64)
        return self._minutes.copy(), np.where(np.isnan(days), np.inf, np.maximum(days, 0.0))

    def add(self, ends: np.datetime64, cells: Ints, spent: Floats) -> None:
        self._minutes[cells] += spent
        self._recent.append((ends, cells, spent))
        self._ended[cells] = ends


def run_year(
    city: YearCity,
    loop: Loop,
    *,
    shifts: int,
    k: int,
    units: int,
    thieves: tuple[Thief, ...] = (),
    policy: DesignPolicy | None = None,
    seed: int = 1,
    progress: Progress = no_progress,
) -> YearRecord:
    """Run the loop shift by shift and return what it leaves. Equal arguments give equal years.

    ``k`` missions and ``units`` units per beat and shift. Thieves guess before each draw, and then see it.
    """
    policy = policy or DesignPolicy()
    rng = np.random.default_rng([seed, 0])
    n, beats = len(city.grid), [int(beat) for beat in city.beats]
    x_m, y_m = city.grid.centres()
    past, watch = _Past(n, policy), Watch(city.beat_of_cell, k)
    forecaster = forecaster_of(city, loop.forecast, seed)
    record = YearRecord.empty(city, shifts, tuple(thief.name for thief in thieves))
    begun = city.periods.from_utc[city.starts]
    event_rows = np.searchsorted(city.events.occurred_utc, city.periods.from_utc)
    known = city.events.take(np.arange(event_rows[city.starts]))
    for shift in range(shifts):
        progress(shift, shifts, loop.name)
        number, block = city.starts + shift, shift // BLOCK_SHIFTS
        start, ends = city.periods.from_utc[number], city.periods.to_utc[number]
        harm = forecaster.harm(number, known, refit=shift % BLOCK_SHIFTS == 0)
        minutes, days = past.before(start)
        if loop.randomised:
            plan = plan_draw(
                harm=harm,
                beat_of_cell=city.beat_of_cell,
                beat_k=dict.fromkeys(beats, k),
                beat_units=dict.fromkeys(beats, units),
                suppressed=np.zeros(n, dtype=np.bool_),
                planned_minutes=minutes,
                days_since_last=days,
                x_m=x_m,
                y_m=y_m,
                shift_minutes=SHIFT_MINUTES,
                policy=policy,
                seed=int(rng.integers(2**62)),
            )
            cells, first, spent = _judge_plan(record, plan, block, shift, watch, thieves, harm, minutes, days)
            offset = (start - begun) / np.timedelta64(60, "s")
            record.visits.append((cells, plan.visit_start_minutes[plan.drawn_rows] + offset, spent[:, None]))
            spent = spent * np.isfinite(plan.visit_start_minutes[plan.drawn_rows]).sum(axis=1)
        else:
            cells = best_boxes(harm, city.beat_of_cell, k)
            first, spent = np.zeros(len(cells)), np.full(len(cells), 39.0)
        past.add(ends, cells, spent)
        record.visited[cells] += 1
        record.missions[block, cells] += 1
        record.believed[block] += harm
        last = event_rows[number + 1] if number + 1 < len(event_rows) else len(city.events)
        happened = city.events.take(np.arange(event_rows[number], last))
        known = _appended(known, _lived_through(record, loop, city, happened, cells, first, start, ends, rng))
    progress(shifts, shifts, loop.name)
    return record


def _judge_plan(
    record: YearRecord,
    plan: PlanDraw,
    block: int,
    shift: int,
    watch: Watch,
    thieves: tuple[Thief, ...],
    harm: Floats,
    minutes: Floats,
    days: Floats,
) -> tuple[Ints, Floats, Floats]:
    """Let the thieves guess, add the draw to the sums; return drawn cells, first starts (minutes) and dose a visit."""
    record.unplanned += len(plan.infeasible)
    rows = plan.drawn_rows
    cells = plan.cell[rows]
    pi = np.zeros(len(harm))
    pi[plan.cell] = plan.pi
    drawn = np.zeros(len(harm), dtype=np.bool_)
    drawn[cells] = True
    k_of = {int(beat): int(k) for beat, k in zip(plan.beat_id, plan.beat_k, strict=True)}
    record.bound[shift] = predictability(plan.pi, plan.beat, k_of) * float(plan.beat_k.sum())
    record.drawn[shift] = len(rows)
    seen = watch.seen(harm, minutes, days, slot=shift % len(SHIFTS))
    for row, thief in enumerate(thieves):
        named = best_boxes(thief.score(seen, pi), record.city.beat_of_cell, watch.k)
        record.hits[row, shift] = drawn[named].sum()
        # Draws of a fixed size with negative correlations: the true variance is at most this.
        record.hits_variance[row, shift] = (pi[named] * (1 - pi[named])).sum()
    for thief in thieves:
        thief.learn(seen, drawn)
    watch.add(drawn, slot=shift % len(SHIFTS))
    record.promised[plan.cell] += plan.floor
    record.expected[plan.cell] += plan.pi
    record.variance[plan.cell] += plan.pi * (1 - plan.pi)
    record.pi[block, plan.cell] += plan.pi
    return cells, plan.visit_start_minutes[rows, 0], plan.dose_minutes[rows]


def _lived_through(
    record: YearRecord,
    loop: Loop,
    city: YearCity,
    events: IncidentTable,
    cells: Ints,
    first: Floats,
    start: np.datetime64,
    ends: np.datetime64,
    rng: np.random.Generator,
) -> IncidentTable:
    """Return what is reported of a shift's crimes after its missions, and what officers found where that is learnt."""
    done = rng.random(len(cells)) < loop.carried_out
    since = np.full(len(city.grid), np.datetime64("NaT"), dtype="datetime64[s]")
    since[cells[done]] = start + (60 * first[done]).astype(np.int64).astype("timedelta64[s]")
    cell = city.grid.locate(events.x_m, events.y_m)
    felt = (cell >= 0) & (events.occurred_utc >= since[cell]) & (events.occurred_utc < ends)
    stopped = felt & (rng.random(len(events)) < loop.prevented)
    moved = stopped & (rng.random(len(events)) < loop.displaced)
    record.prevented += int(stopped.sum() - moved.sum())
    angle = rng.integers(0, 4, len(events)) * (np.pi / 2)
    x_m = np.where(moved, events.x_m + city.grid.cell_size_m * np.round(np.cos(angle)), events.x_m)
    y_m = np.where(moved, events.y_m + city.grid.cell_size_m * np.round(np.sin(angle)), events.y_m)
    kept = ~stopped | moved
    parts = [(x_m[kept], y_m[kept], events.occurred_utc[kept], events.known_utc[kept], events.category[kept])]
    relative = city.true_harm / city.true_harm.mean()
    n = rng.poisson(FOUND_PER_MISSION * np.minimum(relative[cells[done]], 10.0))
    record.found += int(n.sum())
    if loop.found_trains and n.sum():
        where = np.repeat(cells[done], n)
        centre_x, centre_y = city.grid.centres()
        kind = rng.choice(
            len(CRIME_TYPES), len(where), p=np.bincount(city.events.category) / len(city.events)
        )
        at = since[where]
        parts.append((centre_x[where], centre_y[where], at, at, kind.astype(np.int16)))
    x_m, y_m, at, known, category = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    local = utc_s_to_local(at[order].astype(np.int64))
    return IncidentTable(
        x_m[order], y_m[order], at[order], at[order], local, known[order], category[order], CRIME_TYPES
    )


def _appended(table: IncidentTable, new: IncidentTable) -> IncidentTable:
    names = ("x_m", "y_m", "occurred_utc", "occurred_to_utc", "occurred_local", "known_utc", "category")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name), getattr(new, name)]) for name in names
    }
    return replace(table, **columns)
