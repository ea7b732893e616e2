"""Draw a whole history of plans again, shift after shift: who would have been sent where, had chance fallen otherwise.

Candidates and probabilities are worked out anew at every step, because yesterday's missions lower today's
probabilities. Harm, suppressions, K and doses' range stay as they were: none of them looks at what was drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forecasting.engine.grid import GridSpec
from patrols.engine.design import DesignPolicy
from tactics.engine.impact.batch import BeatLayout, batch_draw, batch_probabilities
from tactics.engine.impact.outcomes import ShiftDraw
from tactics.engine.impact.study import Bools, Floats, Ints, Study, StudyError

MINUTES_A_DAY = 24 * 60.0


@dataclass(frozen=True, eq=False)
class PlanHistory:
    """What a history of plans is re-drawn from: shifts [S] in order of time, grid cells [N], beats [B] as in ``layout``.

    ``day``, ``end_day`` float64[S]: when each plan's shift starts and ends, in days: as in the product, rest and saturation
    count from the end of the earlier shift. ``harm`` [S, N] as it was planned with; ``k`` int64[S, B]
    boxes per beat (0: not planned); ``visits`` [S, B] per box; ``suppressed`` bool[S, N] or None. What came before the
    first shift: ``prior_end_day`` [H] and ``prior_minutes`` [H, N] planned then (None: nothing). Minutes that no draw decides
    (places that people added before a draw, plans that cannot be drawn again) lie among the shifts: ``prior_day`` [H] says
    when each begins; a shift knows of those that began before it (None: all came before the first).

    Where the policy changed midway, ``policies`` [S] holds each shift's own. A decision in the middle of a shift shares
    its ``group`` int64[S] with the shift's plan, and leaves the boxes alone that an earlier draw of the group still sends
    somebody to: ``busy_until[s]`` float64[N], the day at which a visit drawn in shift s would be over.
    """

    layout: BeatLayout
    policy: DesignPolicy
    day: Floats
    end_day: Floats
    harm: Floats
    k: Ints
    visits: Ints
    suppressed: Bools | None = None
    prior_end_day: Floats | None = None
    prior_minutes: Floats | None = None
    prior_day: Floats | None = None
    policies: tuple[DesignPolicy, ...] | None = None
    group: Ints | None = None
    busy_until: Mapping[int, Floats] = field(default_factory=dict)

    def policy_at(self, shift: int) -> DesignPolicy:
        """The policy that this shift was planned under."""
        return self.policy if self.policies is None else self.policies[shift]

    @property
    def plans(self) -> int:
        """How many plans (beats in shifts) the history holds."""
        return int((self.k > 0).sum())


def plan_history(
    grid: GridSpec, shifts: Sequence[ShiftDraw], harm: Floats, beat_of_cell: Ints
) -> PlanHistory:
    """Put stored plans into the form that is re-drawn. ``harm`` float64[S, N]: that of all cells, candidates or not.

    Raises ``StudyError`` where the stored candidates' harm is not the one given, or the policy changed midway (give the
    stretches under one policy one by one).
    """
    layout = BeatLayout.of(beat_of_cell, *grid.centres())
    policy = shifts[0].draw.policy
    k = np.zeros((len(shifts), len(layout.beat_id)), dtype=np.int64)
    visits = np.ones_like(k)
    suppressed = np.zeros((len(shifts), len(grid)), dtype=np.bool_)
    for s, one in enumerate(shifts):
        if one.draw.policy != policy:
            raise StudyError(
                f"The policy changed at shift {s} of the study; study the time before and after it apart."
            )
        if not np.allclose(harm[s, one.draw.cell], one.draw.harm, rtol=1e-9, atol=0.0):
            raise StudyError(
                f"The harm given for shift {s} is not the one that its plan was drawn with; pass the plan's forecast."
            )
        at = np.searchsorted(layout.beat_id, one.draw.beat_id)
        k[s, at], visits[s, at] = one.draw.beat_k, one.draw.beat_visits
        # Reason 0 is "suppressed before the draw"; cells at their dose cap may be candidates in another replay.
        suppressed[s, one.draw.excluded_cell[one.draw.excluded_reason == 0]] = True
    start = np.array([one.starts_at_minute for one in shifts])
    end = start + np.array([float(one.draw.shift_minutes) for one in shifts])
    return PlanHistory(
        layout, policy, start / MINUTES_A_DAY, end / MINUTES_A_DAY, harm, k, visits, suppressed
    )


def replayed(
    history: PlanHistory, draws: int, rng: np.random.Generator
) -> Iterator[tuple[int, Floats, Bools]]:
    """Draw the history ``draws`` times side by side; yields (shift, pi [draws, B, C], drawn [draws, B, C]) in turn."""
    layout = history.layout
    beats, width = layout.cell.shape
    valid = layout.valid
    shape = (draws * beats, width)
    beat_of_group = np.tile(np.arange(beats), draws)
    longest = max(history.policy_at(s).saturation_window_days for s in range(len(history.day)))
    past: list[tuple[float, Floats]] = []
    last = np.full((draws, beats, width), -np.inf)
    fixed = _fixed(history)
    busy: list[tuple[int, Bools, Floats]] = []
    for s, day in enumerate(history.day.tolist()):
        policy = history.policy_at(s)
        window = policy.saturation_window_days
        while fixed and fixed[0][0] < day:
            _, end, minutes = fixed.pop(0)
            here = np.broadcast_to(np.where(valid, minutes[layout.cell], 0.0), last.shape)
            past.append((end, here))
            last = np.where(here > 0, np.maximum(last, end), last)
        # The product's rule (patrols.selectors.planned_history); rounded, so that a week is a week in every replay.
        past = [(end, minutes) for end, minutes in past if round(day - end, 9) < longest]
        planned = np.zeros((draws, beats, width))
        for end, minutes in past:
            if round(day - end, 9) < window:
                planned += minutes
        allowed = valid if history.suppressed is None else valid & ~history.suppressed[s][layout.cell]
        allowed = np.broadcast_to(allowed, last.shape)
        if history.group is not None:
            group = int(history.group[s])
            busy = [one for one in busy if one[0] == group]
            for _, sent, until in busy:
                # A box that somebody is still sent to is no candidate of a decision in the same shift.
                allowed = allowed & ~(sent & (until[layout.cell] > day))
        pi = batch_probabilities(
            harm=np.broadcast_to(np.where(valid, history.harm[s][layout.cell], 0.0), last.shape).reshape(
                shape
            ),
            allowed=allowed.reshape(shape),
            planned_minutes=planned.reshape(shape),
            days_since_last=np.maximum(day - last, 0.0).reshape(shape),
            k=np.tile(history.k[s], draws),
            policy=policy,
        )
        drawn = batch_draw(
            pi, tier=layout.tier, beat=beat_of_group, rng=rng, local_pivotal_share=policy.local_pivotal_share
        )
        dose = policy.dose_min_minutes + np.floor(
            rng.random(shape) * (policy.dose_max_minutes - policy.dose_min_minutes + 1)
        )
        drawn = drawn.reshape(last.shape)
        end = float(history.end_day[s])
        past.append((end, np.where(drawn, dose.reshape(last.shape) * history.visits[s][None, :, None], 0.0)))
        last = np.where(drawn, end, last)
        if s in history.busy_until and history.group is not None:
            busy.append((int(history.group[s]), drawn, history.busy_until[s]))
        yield s, pi.reshape(last.shape), drawn


def _fixed(history: PlanHistory) -> list[tuple[float, float, Floats]]:
    """What no draw decides, by its beginning: (begins, ends, minutes [N]), in days."""
    if history.prior_end_day is None or history.prior_minutes is None:
        return []
    begins = np.full(len(history.prior_end_day), -np.inf) if history.prior_day is None else history.prior_day
    return [
        (float(begins[h]), float(history.prior_end_day[h]), history.prior_minutes[h])
        for h in np.argsort(begins, kind="stable").tolist()
    ]


@dataclass(frozen=True, eq=False)
class Redraws:
    """Re-drawn coefficients (Z - pi) / (1 - pi) where they are needed: at rows with crime, and summed over forecasts.

    ``at_crime`` float64[R, J] at the J rows ``crime_row`` of the study that hold crimes; ``on_forecast`` float64[R] the
    sum of coefficient x forecast over all rows, ``on_visited`` over the rows that were truly drawn. ``approximate``: the probabilities were not worked out anew.
    """

    crime_row: Ints
    at_crime: Floats
    on_forecast: Floats
    on_visited: Floats
    approximate: bool


def surface(study: Study, values: Floats, cells: int, shifts: int = 0) -> Floats:
    """Row values laid out as [S, N]; cells that were no candidates in a shift hold 0.

    ``shifts``: at least so many, where the study leaves out the last ones of its history.
    """
    stops = np.append(study.plan_start[1:], len(study))
    shift = np.repeat(study.plan_shift, stops - study.plan_start)
    laid = np.zeros((max(int(shift.max()) + 1, shifts), cells))
    laid[shift, np.asarray(study.cell, dtype=np.int64)] = values
    return laid


def redraws(
    study: Study, history: PlanHistory, *, draws: int, rng: np.random.Generator, at_once: int = 50
) -> Redraws:
    """Re-draw the study's plans one after another, ``draws`` times, and keep what test inversion needs."""
    stops = np.append(study.plan_start[1:], len(study))
    shift = np.repeat(study.plan_shift, stops - study.plan_start)
    cell = np.asarray(study.cell, dtype=np.int64)
    rows = np.flatnonzero(np.asarray(study.outcome) > 0)
    cells = history.harm.shape[1]
    slot = np.full(cells, -1, dtype=np.int64)
    slot[history.layout.cell[history.layout.valid]] = np.flatnonzero(history.layout.valid.ravel())
    m = np.asarray(study.forecast, dtype=np.float64)
    days = len(history.day)
    forecast, visited = surface(study, m, cells, days), surface(study, m * study.drawn, cells, days)
    by_shift = [rows[shift[rows] == s] for s in range(len(history.day))]
    kept, sums, of_visited = [], [], []
    for begin in range(0, draws, at_once):
        size = min(at_once, draws - begin)
        found = np.zeros((size, len(rows)))
        total, total_visited = np.zeros(size), np.zeros(size)
        for s, pi, drawn in replayed(history, size, rng):
            coefficient = ((drawn - pi) / (1.0 - pi)).reshape(size, -1)
            at = by_shift[s]
            found[:, np.searchsorted(rows, at)] = coefficient[:, slot[cell[at]]]
            total += (
                coefficient @ np.where(history.layout.valid, forecast[s][history.layout.cell], 0.0).ravel()
            )
            total_visited += (
                coefficient @ np.where(history.layout.valid, visited[s][history.layout.cell], 0.0).ravel()
            )
        kept.append(found)
        sums.append(total)
        of_visited.append(total_visited)
    return Redraws(
        rows, np.concatenate(kept), np.concatenate(sums), np.concatenate(of_visited), approximate=False
    )
