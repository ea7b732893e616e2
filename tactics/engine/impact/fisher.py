"""Could chance alone have done this? The plans are drawn again and again as if missions did nothing.

Notes
-----
Randomisation test of the sharp null (Fisher 1935): outcomes and forecasts stay, draws change; p = (M + 1) / (R + 1).
Sequential stopping as in Besag and Clifford (1991): once ``stop_after`` re-drawn statistics reached the observed one,
p = stop_after / draws made, still valid. Above 50,000 plans the studentised martingale score stands in (its limit is
normal), with 199 re-draws at the recorded probabilities beside it; both are labelled approximate.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact.batch import BeatLayout, batch_draw
from tactics.engine.impact.estimators import Effect
from tactics.engine.impact.replays import PlanHistory, Redraws, replayed, surface
from tactics.engine.impact.study import Floats, Ints, Study

MANY_PLANS = 50_000


@dataclass(frozen=True)
class FisherResult:
    """``p_value`` of "missions did nothing", two-sided; ``exceeded`` of ``draws`` re-drawn statistics were as extreme.

    ``approximate``: the plans were too many to be replayed one after another; ``normal_p`` is the studentised score's.
    """

    p_value: float
    exceeded: int
    draws: int
    stopped_early: bool
    approximate: bool
    statistic: float
    normal_p: float


def residuals(study: Study) -> Floats:
    """What the forecast leaves of each row's crime, at one level for all rows: fixed whatever is drawn. float64[n]."""
    y = np.asarray(study.outcome, dtype=np.float64)
    m = np.asarray(study.forecast, dtype=np.float64)
    total = float(m.sum())
    return y - m * (float(y.sum()) / total) if total > 0 else y


def statistic(study: Study, residual: Floats) -> float:
    """Crime in visited boxes less the others' weighted by pi / (1 - pi): negative where missions prevent crime."""
    pi = np.asarray(study.pi, dtype=np.float64)
    return float(((study.drawn - pi) / (1.0 - pi)) @ residual)


def score_p_value(study: Study) -> float:
    """Two-sided p-value of the martingale score over the root of its plans' sum of squares (normal limit).

    The score is the statistic's, plan by plan; half a million rows at a time, so that a large year adds no copy of its table.
    """
    y, m = (float(np.asarray(one).sum(dtype=np.float64)) for one in (study.outcome, study.forecast))
    level = y / m if m > 0 else 0.0
    total = squares = 0.0
    for of_plans, rows in study.chunks():
        pi = np.asarray(study.pi[rows], dtype=np.float64)
        left = np.asarray(study.outcome[rows], dtype=np.float64) - level * np.asarray(study.forecast[rows])
        first = study.plan_start[of_plans] - rows.start
        score = np.add.reduceat((study.drawn[rows] - pi) / (1.0 - pi) * left, first)
        total, squares = total + float(score.sum()), squares + float(score @ score)
    return float(2.0 * stats.norm.sf(abs(total) / np.sqrt(squares))) if squares > 0 else 1.0


class _Count:
    """Counts re-drawn statistics until there are enough."""

    def __init__(self, observed: float, draws: int, stop_after: int | None) -> None:
        self.observed, self.wanted, self.stop_after = abs(observed) * (1.0 - 1e-12), draws, stop_after
        self.exceeded = self.made = 0

    def add(self, values: Floats) -> None:
        for value in values.tolist():
            if self.done:
                return
            self.made += 1
            self.exceeded += abs(value) >= self.observed

    @property
    def stopped(self) -> bool:
        return self.stop_after is not None and self.exceeded >= self.stop_after

    @property
    def done(self) -> bool:
        return self.stopped or self.made >= self.wanted

    @property
    def p_value(self) -> float:
        # Stopped at the very last draw, both formulas hold; the larger p is the safe one.
        return self.exceeded / self.made if self.stopped else (self.exceeded + 1) / (self.made + 1)


def fisher_test(
    study: Study,
    history: PlanHistory,
    *,
    rng: np.random.Generator,
    draws: int = 199,
    stop_after: int | None = 10,
    at_once: int = 25,
    progress: Progress = no_progress,
) -> FisherResult:
    """Replay the plans one after another, candidates and probabilities anew, and count how often chance does as much.

    ``history`` re-draws exactly the study's shifts and cells. Cells that were no candidates hold no outcome and count 0.
    Above 50,000 plans use ``recorded_test``. ``progress`` is called with draws made.
    """
    residual = residuals(study)
    observed = statistic(study, residual)
    laid = surface(study, residual, history.harm.shape[1], len(history.day))
    layout = history.layout
    count = _Count(observed, draws, stop_after)
    while not count.done:
        size = min(at_once, draws - count.made)
        total = np.zeros(size)
        for s, pi, drawn in replayed(history, size, rng):
            e = np.where(layout.valid, laid[s][layout.cell], 0.0)
            total += (((drawn - pi) / (1.0 - pi)) * e).sum(axis=(1, 2))
        count.add(total)
        progress(count.made, draws, "Drawing the plans again")
    return FisherResult(
        count.p_value,
        count.exceeded,
        count.made,
        count.stopped and count.made < draws,
        False,
        observed,
        score_p_value(study),
    )


def recorded_test(
    study: Study,
    layout: BeatLayout,
    *,
    rng: np.random.Generator,
    draws: int = 199,
    stop_after: int | None = 10,
    at_once: int = 50,
    local_pivotal_share: float = 0.9,
    progress: Progress = no_progress,
) -> FisherResult:
    """The approximate test for many plans: each is drawn again on its own, at the probabilities that it had.

    Only boxes with a crime can change the statistic (the forecast is left out). A plan with one such box needs that box's
    draw alone, and its chance is known; plans with several are drawn as a whole. Linear in crimes. ``progress`` is called
    with draws made.
    """
    outcome = np.asarray(study.outcome)
    row = np.flatnonzero(outcome > 0)
    pi, y = np.asarray(study.pi)[row].astype(np.float64), outcome[row].astype(np.float64)
    factor = y / (1.0 - pi)
    observed = float((study.drawn[row] - pi) @ factor)
    count = _Count(observed, draws, stop_after)
    plan = np.searchsorted(study.plan_start, row, side="right") - 1
    busy, at, crimes = np.unique(plan, return_inverse=True, return_counts=True)
    alone = crimes[at] == 1
    several = _Plans.of(study, layout, busy[crimes > 1])
    while not count.done:
        size = min(at_once, draws - count.made)
        again = rng.random((size, int(alone.sum()))) < pi[alone]
        total = (again - pi[alone]) @ factor[alone]
        count.add(total + several.draw(size, layout, rng, local_pivotal_share))
        progress(count.made, draws, "Drawing busy plans again")
    return FisherResult(
        count.p_value,
        count.exceeded,
        count.made,
        count.stopped and count.made < draws,
        True,
        observed,
        score_p_value(study),
    )


@dataclass(frozen=True)
class _Plans:
    """Some plans laid out by the slots of their beats: probabilities and what a draw there counts, [P, C]; beat row [P]."""

    pi: Floats
    factor: Floats
    beat: Ints

    @staticmethod
    def of(study: Study, layout: BeatLayout, plans: Ints) -> "_Plans":
        """Lay out the plans with these numbers."""
        place = np.full(int(layout.cell.max()) + 1, -1, dtype=np.int64)
        beat_at, slot_at = np.nonzero(layout.valid)
        place[layout.cell[beat_at, slot_at]] = slot_at
        stops = np.append(study.plan_start[1:], len(study))
        sizes = stops[plans] - study.plan_start[plans]
        owner = np.repeat(np.arange(len(plans)), sizes)
        inside = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        row = np.repeat(study.plan_start[plans], sizes) + inside
        slot = place[np.asarray(study.cell)[row].astype(np.int64)]
        shape = (len(plans), layout.cell.shape[1])
        pi, factor = np.zeros(shape), np.zeros(shape)
        pi[owner, slot] = study.pi[row]
        factor[owner, slot] = np.asarray(study.outcome)[row] / (1.0 - pi[owner, slot])
        return _Plans(pi, factor, np.searchsorted(layout.beat_id, study.plan_beat[plans]))

    def draw(
        self, times: int, layout: BeatLayout, rng: np.random.Generator, local_pivotal_share: float
    ) -> Floats:
        """The plans' part of the statistic, drawn anew this often. float64[times]."""
        total = np.full(times, -float((self.factor * self.pi).sum()))
        step = max(1, 20_000 // times)
        for begin in range(0, len(self.beat), step):
            some = slice(begin, begin + step)
            again = batch_draw(
                np.repeat(self.pi[some], times, axis=0),
                tier=layout.tier,
                beat=np.repeat(self.beat[some], times),
                rng=rng,
                local_pivotal_share=local_pivotal_share,
            ).reshape(-1, times, self.pi.shape[1])
            total += np.einsum("pdc,pc->d", again, self.factor[some])
        return total


TRIED = np.concatenate([np.linspace(-5.0, -1.0, 81)[:-1], np.linspace(-1.0, 1.0, 201)])
"""Effects (shares prevented) that test inversion tries; a limit at either end means "beyond what was tried"."""


def inverted_interval(
    study: Study,
    again: Redraws,
    *,
    name: str = "missions",
    estimate: float = np.nan,
    confidence: float = 0.95,
) -> Effect:
    """The effects that re-drawing does not reject: the interval where crimes are too few for a normal one.

    An effect theta is tried as "every mission takes theta x the crime expected in its box": the crimes of visited boxes are
    put back to what they would have been, and the whole is tested as in the Fisher test. It works without a single crime
    in visited boxes, where scaling crimes up could not. The estimate, if not given, is the effect with the largest p-value.
    """
    y = np.asarray(study.outcome, dtype=np.float64)
    pi = np.asarray(study.pi, dtype=np.float64)
    m = np.asarray(study.forecast, dtype=np.float64)
    coefficient = (study.drawn - pi) / (1.0 - pi)
    own = np.array([coefficient @ y, coefficient @ m, coefficient @ (m * study.drawn)])
    drawn = np.stack([again.at_crime @ y[again.crime_row], again.on_forecast, again.on_visited])
    total, visited, crimes = float(m.sum()), float(m[study.drawn].sum()), float(y.sum())
    events = float(y[study.drawn].sum())
    if total <= 0 or crimes == 0:
        return Effect(name, estimate, np.nan, np.nan, 1.0, np.nan, events, "none", confidence)
    p = np.zeros(len(TRIED))
    for at, effect in enumerate(TRIED):
        # The level of crime per forecast once missions' effect is put back: the same for every draw.
        level = crimes / (total - effect * visited)
        mix = np.array([1.0, -level, effect * level])
        observed = abs(float(mix @ own)) * (1.0 - 1e-12)
        p[at] = (int((abs(mix @ drawn) >= observed).sum()) + 1) / (drawn.shape[1] + 1)
    kept = np.flatnonzero(p > 1.0 - confidence)
    if len(kept) == 0:
        return Effect(name, estimate, np.nan, np.nan, 1.0, np.nan, events, "none", confidence)
    if not np.isfinite(estimate):
        estimate = float(TRIED[int(p.argmax())])
    return Effect(
        name,
        estimate,
        float(TRIED[kept[0]]),
        float(TRIED[kept[-1]]),
        float(np.interp(0.0, TRIED, p)),
        np.nan,
        events,
        "test inversion",
        confidence,
        "probabilities as recorded" if again.approximate else "plans replayed",
    )
