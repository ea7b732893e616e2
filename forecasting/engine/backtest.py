"""The league: every model forecasts held-out recent weeks, shift by shift, and the best plain count must be beaten."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.ablation import KeptRows, ablation
from forecasting.engine.candidates import Candidate
from forecasting.engine.card import (
    Entrant,
    Groups,
    card,
    curve_cells,
    hits_within,
    tallies,
)
from forecasting.engine.design import calendar_columns
from forecasting.engine.features import MEMORIES_DAYS, History, surfaces
from forecasting.engine.lag import ReportingLag
from forecasting.engine.metrics import (
    MAIN_AREA,
    AreaScore,
    Estimate,
    Scores,
    area_cells,
    area_scores,
    bootstrap_weeks,
    ideal_hits,
    log_score,
    ratio_estimate,
    week_blocks,
    worst_ranks,
)
from forecasting.engine.mixture import Blend
from forecasting.engine.parallel import TypePool
from forecasting.engine.periods import Periods, days_since_epoch
from forecasting.engine.workshop import ShapeModel, Workshop, matrix, spread, surface
from missions_project.lib.progress import Progress, no_progress

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EVALUATED_CELLS = 900_000
BEATS_PROBABILITY = 0.9


@dataclass(frozen=True)
class LeagueRow:
    """One model's record on the held-out weeks.

    ``log_skill`` is nats per incident against the best baseline's log score; ``log_score`` the mean per
    cell-period; ``calibration`` expected / observed. ``seconds`` is the fit.
    """

    name: str
    is_baseline: bool
    areas: tuple[AreaScore, ...]
    log_score: float
    log_skill: Estimate
    calibration: Estimate
    seconds: float
    chance_better: float

    def area(self, label: str) -> AreaScore | None:
        """The figures at one area, None where the city is smaller than it."""
        return next((area for area in self.areas if area.area == label), None)

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "is_baseline": self.is_baseline,
            "areas": [area.as_dict() for area in self.areas],
            "log_score": self.log_score,
            "log_skill": self.log_skill.as_dict(),
            "calibration": self.calibration.as_dict(),
            "seconds": self.seconds,
            "chance_better": self.chance_better,
        }


@dataclass(frozen=True)
class League:
    """All rows, best first; the champion; and whether it is a learned model that beat the best baseline.

    ``card`` holds the figures of the model card (``forecasting.engine.card``).
    """

    rows: tuple[LeagueRow, ...]
    champion: str
    beats_baseline: bool
    events: int
    periods: int
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def best_baseline(self) -> str | None:
        """The plain count with the best log score; None where nothing was compared."""
        return next((row.name for row in self.rows if row.is_baseline), None)


def held_out(periods: Periods, n_cells: int, rng: np.random.Generator) -> tuple[np.datetime64, Periods]:
    """Choose the test: (origin, periods after it). Up to 13 weeks, at most a quarter of the span.

    At most 120 shifts and about 900,000 cell forecasts are tested per model: in a large city evenly spread shifts, as many of
    each slot, stand for all.
    """
    end, start = periods.to_utc[-1], periods.from_utc[0]
    days = (end - start) / np.timedelta64(1, "D")
    weeks = int(np.clip(days / 4 // 7, 1, 13))
    origin = end - np.timedelta64(weeks * 7, "D")
    after = np.flatnonzero(periods.from_utc >= origin)
    budget = int(np.clip(EVALUATED_CELLS // n_cells, 28, 120))
    if len(after) > budget:
        # A random start in each stretch: an even step would always hit the same slot of the day.
        edges = np.linspace(0, len(after), budget + 1)
        after = after[np.unique(np.floor(edges[:-1] + rng.random(budget) * np.diff(edges)).astype(np.int64))]
    return origin, periods.take(after)


def league_run(
    workshop: Workshop,
    periods: Periods,
    shapes: Sequence[ShapeModel],
    candidates: Sequence[Sequence[Candidate]],
    rng: np.random.Generator,
    budget_cells: int | None = None,
    progress: Progress = no_progress,
    lags: Sequence[ReportingLag] | None = None,
    *,
    pool: TypePool,
    groups: Groups | None = None,
) -> list[League]:
    """Forecast every held-out period from what was known at its start, score all targets in one walk.

    The models were fitted before the first period; only the counts they read roll forward. An incident that may have
    happened in several shifts counts in each with its share, as in training: over all shifts it counts once. Expected
    counts are compared with what is known so far: they are lowered by what is still to come of the last days.
    ``groups``: areas such as beats, for the accuracy of each on the model card.
    """
    grid, events = workshop.grid, workshop.events
    areas = area_cells(len(grid), grid.cell_size_m, budget_cells)
    starts, ends = days_since_epoch(periods.from_utc), days_since_epoch(periods.to_utc)
    calendar = calendar_columns(periods, workshop.shifts)
    passing = workshop.passing(periods)
    n_areas, n = len(areas), len(periods)
    book = [
        [
            Scores(*(np.zeros((n, n_areas)) for _ in range(2)), *(np.zeros(n) for _ in range(3)))
            for _ in entrants
        ]
        for entrants in candidates
    ]
    blocks = week_blocks(periods)
    weeks = int(blocks.max()) + 1 if n else 0
    points = curve_cells(len(grid))
    main_areas = np.array(list(areas.values()))
    sums = tallies([len(entrants) for entrants in candidates], n, weeks, len(grid), groups)
    group_observed = [np.zeros((weeks, len(groups.names) if groups else 0)) for _ in candidates]
    kept = [KeptRows() for _ in candidates]
    # Spawned: the bootstrap's own draws stay what they were, and each target's do not wait for another's.
    luck = rng.spawn(len(candidates))
    every_cell = np.arange(len(grid))
    by_source = {source: np.flatnonzero(events.source == source) for source in workshop.sources}
    # The last tested days are not all reported yet: a forecast of all incidents would look too high.
    complete = {source: workshop.complete(periods, source, workshop.as_of_days) for source in by_source}
    for number, rates, totals in surfaces(History(grid, events, lags), periods):
        progress(number, n, "Testing models on recent weeks")
        slot, one = int(periods.slot[number]), periods.take([number])

        def score(
            target: int,
            number: int = number,
            rates: Floats32 = rates,
            totals: Floats = totals,
            slot: int = slot,
            one: Periods = one,
        ) -> None:
            source, shape = workshop.sources[target], shapes[target]
            X = matrix(
                shape,
                rates,
                totals[source, len(MEMORIES_DAYS) - 1],
                np.broadcast_to(calendar[number], (len(grid), calendar.shape[1])),
                slot,
                every_cell,
                workshop.z,
                shape.passing_rows(passing, number, every_cell),
            )
            terms = None if passing is None else passing.terms[[number]]
            total = float(shape.level.predict(one, totals[None, source], terms)[0])
            total *= float(complete[source][number])
            mine = by_source[source]
            at = events.occurred_days[mine]
            happened = mine[(at >= starts[number]) & (at < ends[number])]
            cells, place = np.unique(events.cell[happened], return_inverse=True)
            observed: Floats = np.bincount(place, events.weight[happened], len(cells)).astype(np.float64)
            shared: dict[int, Floats] = {}
            week = int(blocks[number])
            if groups is not None:
                at_area = np.bincount(groups.of_cell[cells] + 1, observed, len(groups.names) + 1)
                group_observed[target][week] += at_area[1:]
            watched = events.watch.cells(source, float(starts[number]))
            for entrant, candidate in enumerate(candidates[target]):
                expected = _expected(candidate, X, total, shared, watched)
                scores = book[target][entrant]
                ranks = worst_ranks(expected, cells, observed)
                scores.hits[number] = hits_within(ranks, observed, main_areas)
                within = hits_within(ranks, observed, points)
                sums[target][entrant].add(number, week, expected, cells, observed, within, groups, watched)
                scores.ideal[number] = ideal_hits(observed, areas)
                scores.log_scores[number] = log_score(expected, cells, observed)
                scores.expected[number] = expected.sum()
                scores.observed[number] = observed.sum()
            kept[target].add(number, n, X, expected, cells, observed, luck[target], watched)

        pool.map(score, range(len(candidates)))
    progress(n, n, "Testing models on recent weeks")
    draws = bootstrap_weeks(blocks, rng)

    def judged(target: int) -> League:
        entrants, scores = candidates[target], book[target]
        league = _league(entrants, scores, areas, len(grid), blocks, draws)
        place = {candidate.name: number for number, candidate in enumerate(entrants)}

        def of(name: str) -> Entrant:
            return Entrant(name, scores[place[name]], sums[target][place[name]])

        figures = card(
            champion=of(league.champion),
            baseline=of(str(league.best_baseline)),
            n_cells=len(grid),
            periods=periods,
            shifts=workshop.shifts,
            main_column=list(areas).index(MAIN_AREA) if MAIN_AREA in areas else None,
            groups=groups,
            group_observed=group_observed[target],
            blocks=blocks,
            draws=draws,
            ablated=ablation(
                entrants[place[league.champion]].estimator, shapes[target].layout, kept[target],
                calendar, blocks, draws, luck[target],
            ),
        )  # fmt: skip
        kept[target] = KeptRows()
        return replace(league, card=figures)

    return pool.map(judged, range(len(candidates)))


def _expected(
    candidate: Candidate,
    X: npt.NDArray[np.float32],
    total: float,
    shared: dict[int, Floats],
    watched: npt.NDArray[np.bool_] | None = None,
) -> Floats:
    """The surface; parts of a blend that were predicted already are not predicted twice."""
    blended = candidate.estimator
    if isinstance(blended, Blend) and all(id(part) in shared for part in blended.estimators_):
        return spread(blended.combine([shared[id(part)] for part in blended.estimators_]), total, watched)
    expected = surface(candidate.estimator, X, total, watched)
    shared[id(candidate.estimator)] = expected
    return expected


def _league(
    candidates: Sequence[Candidate],
    book: Sequence[Scores],
    areas: dict[str, int],
    n_cells: int,
    blocks: Ints,
    draws: Ints,
) -> League:
    plain = [number for number, candidate in enumerate(candidates) if candidate.is_baseline]
    by_log = max(plain, key=lambda number: float(book[number].log_scores.sum()))
    reference = book[by_log]
    # Each area has its own best baseline, as a critic would choose it.
    per_area = np.stack([book[number].hits.sum(axis=0) for number in plain])
    best_hits = np.stack(
        [book[plain[int(best)]].hits[:, column] for column, best in enumerate(per_area.argmax(axis=0))],
        axis=1,
    )
    rows = []
    for candidate, scores in zip(candidates, book, strict=True):
        gain = scores.log_scores - reference.log_scores
        skill = ratio_estimate(gain, scores.observed, blocks, draws)
        weekly = np.bincount(blocks, gain) if len(gain) else np.zeros(0)
        rows.append(
            LeagueRow(
                name=candidate.name,
                is_baseline=candidate.is_baseline,
                areas=area_scores(scores, best_hits, areas, n_cells, blocks, draws),
                log_score=float(scores.log_scores.sum() / max(len(scores.observed) * n_cells, 1)),
                log_skill=skill,
                calibration=ratio_estimate(scores.expected, scores.observed, blocks, draws),
                seconds=candidate.seconds,
                chance_better=float((weekly[draws].sum(axis=1) > 0).mean()) if len(gain) else 0.0,
            )
        )
    rows.sort(key=lambda row: -row.log_score)
    best_plain = next(row for row in rows if row.is_baseline)
    challenger = next((row for row in rows if not row.is_baseline and _beats(row, best_plain)), None)
    champion = best_plain if challenger is None else challenger
    return League(
        tuple(rows),
        champion.name,
        challenger is not None,
        round(float(reference.observed.sum())),
        len(reference.observed),
    )


def _beats(row: LeagueRow, best: LeagueRow) -> bool:
    """A learned model goes live only if it is better beyond reasonable doubt and not clearly worse on the map:
    its log score is better in nine of ten bootstrap worlds, and its hit rate at 1 % not significantly lower."""
    main = row.area(MAIN_AREA)
    worse_hits = main is not None and np.isfinite(main.lift.high) and main.lift.high < 1.0
    return row.log_score > best.log_score and row.chance_better >= BEATS_PROBABILITY and not worse_hits
