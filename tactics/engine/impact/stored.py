"""From stored plans to a history that can be drawn again: beats of boxes, harm of boxes without a chance, and what is left out.

A stored plan holds its candidates only. Drawn again, a box that was at its limit of minutes that day may be a candidate:
its harm is then worked out from the forecast, at the weights that the plan's own candidates show.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from patrols.engine.records import EXCLUSION_REASONS, PlanDraw
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.sparse import MostlyZero
from tactics.engine.impact.study import Bools, Floats, Ints, Study, StudyError

SUPPRESSED = EXCLUSION_REASONS.index("suppressed")
AT_CAP = EXCLUSION_REASONS.index("at_dose_cap")
HARM_TOLERANCE = 1e-6
"""Stored harm may differ from the forecast's by this share before its weights count as unknown."""


def harm_of_cells(
    draw: PlanDraw, surfaces: npt.NDArray[np.floating[Any]], part_of_cell: Ints, wanted: Ints
) -> tuple[Floats, int]:
    """Return the harm that a plan was drawn with, in all cells it could have been needed for: float64[N], and how many stay
    unknown (0 there).

    Candidates' harm is as stored. In the ``wanted`` cells it is the same mix of ``surfaces`` [T, N] (expected counts by
    crime type) as among the candidates of their part of town (``part_of_cell`` int64[N]: priorities differ by district).
    """
    harm = np.zeros(surfaces.shape[1])
    harm[draw.cell] = draw.harm
    unknown = 0
    for part in np.unique(part_of_cell[wanted]).tolist():
        there = wanted[part_of_cell[wanted] == part]
        rows = part_of_cell[draw.cell] == part
        columns, seen = surfaces[:, draw.cell[rows]].astype(np.float64).T, draw.harm[rows]
        if len(seen) < len(surfaces):
            unknown += len(there)
            continue
        weights = np.linalg.lstsq(columns, seen, rcond=None)[0]
        off = float(np.abs(columns @ weights - seen).max(initial=0.0))
        if off > HARM_TOLERANCE * float(seen.max(initial=0.0)):
            unknown += len(there)
            continue
        harm[there] = np.maximum(surfaces[:, there].astype(np.float64).T @ weights, 0.0)
    return harm, unknown


def closed_cells(draw: PlanDraw, beat_of_cell: Ints) -> tuple[Ints, Ints]:
    """Return the cells of planned beats that could not be drawn whatever chance does, and those that could in another replay.

    The first were suppressed, or visited because a person added them; the second were at their limit of minutes. What is
    in no list (somebody was still on the way there when a decision was made) counts among the first.
    """
    inside = np.flatnonzero(np.isin(beat_of_cell, draw.beat_id))
    at_cap = draw.excluded_cell[draw.excluded_reason == AT_CAP]
    free = np.union1d(draw.cell, at_cap)
    return np.setdiff1d(inside, free), np.intersect1d(at_cap, inside)


def busy_until(draw: PlanDraw, starts_at_minute: float, cells: int) -> Floats:
    """The day at which the visits of each candidate would all be over, if it is drawn; -infinity elsewhere. float64[N]."""
    last = np.nanmax(draw.visit_start_minutes, axis=1, initial=-np.inf) + draw.dose_minutes
    until = np.full(cells, -np.inf)
    until[draw.cell] = (starts_at_minute + last) / MINUTES_A_DAY
    return until


def slim(draw: PlanDraw) -> PlanDraw:
    """The draw with what an analysis reads: a year of a large city has 27 million candidates, in full 3 GB of them.

    Places, floors, caps and what was planned before are emptied, the first visit's start is kept alone.
    """
    emptied: dict[str, Any] = dict.fromkeys(
        ("planned_minutes", "days_since_last", "x_m", "y_m", "floor", "cap"), np.empty(0)
    )
    return replace(
        draw,
        cell=_small(draw.cell, np.int32),
        beat=_small(draw.beat, np.int32),
        visit_start_minutes=_small(draw.visit_start_minutes[:, :1], np.float32),
        dose_minutes=_small(draw.dose_minutes, np.float32),
        **emptied,
    )


def _small(column: npt.NDArray[Any], dtype: Any) -> Any:
    return np.ascontiguousarray(column, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Spent:
    """What one plan sends to which cells: ``begins``, ``ends`` in days, ``cell`` int64[m], ``minutes`` float64[m] of all visits."""

    begins: float
    ends: float
    cell: Ints
    minutes: Floats


class Ledger:
    """What had been planned in each cell before an instant, by the order of time (the rule of ``planned_history``).

    Held against what plans were drawn with: one that was made before an earlier shift's plan was published knew less.
    """

    def __init__(self, spent: Sequence[Spent], cells: int) -> None:
        self._waiting = sorted(spent, key=lambda one: one.begins, reverse=True)
        self._past: list[Spent] = []
        self._last = np.full(cells, -np.inf)

    def agrees(self, draw: PlanDraw, day: float) -> bool:
        """Whether a plan whose period begins on this day was drawn with these figures. Ask in the order of time."""
        policy, reach = draw.policy, max(draw.policy.saturation_window_days, 120.0)
        while self._waiting and self._waiting[-1].begins < day:
            one = self._waiting.pop()
            self._past.append(one)
            self._last[one.cell] = np.maximum(self._last[one.cell], one.ends)
        self._past = [one for one in self._past if day - one.ends < reach]
        planned = np.zeros(len(self._last))
        for one in self._past:
            if round(day - one.ends, 9) < policy.saturation_window_days:
                np.add.at(planned, one.cell, one.minutes)
        ago, rest = np.maximum(day - self._last[draw.cell], 0.0), policy.cooldown_days
        return bool(
            np.allclose(draw.planned_minutes, planned[draw.cell], rtol=0.0, atol=1e-6)
            and np.allclose(
                np.minimum(draw.days_since_last, rest), np.minimum(ago, rest), rtol=0.0, atol=1e-6
            )
        )


_BY_PLAN = ("plan_shift", "plan_beat", "plan_week", "plan_district")


def study_part(study: Study, keep: Bools) -> Study:
    """The study's plans where ``keep`` bool[P] is true, shifts numbered as before: the history still draws all of them again.

    Raises ``StudyError`` where none is left.
    """
    if keep.all():
        return study
    if not keep.any():
        raise StudyError("No plan of the study lies in the districts and shifts chosen. Choose others.")
    stops = np.append(study.plan_start[1:], len(study))
    sizes = stops - study.plan_start
    rows = np.repeat(keep, sizes)
    changed: dict[str, Any] = {name: getattr(study, name)[keep] for name in _BY_PLAN}
    if study.type_totals is not None:
        changed["type_totals"] = study.type_totals[..., keep]
    changed["plan_start"] = np.cumsum(np.append(0, sizes[keep][:-1])).astype(np.int64)
    for column in fields(study):
        value = getattr(study, column.name)
        if isinstance(value, MostlyZero):
            changed[column.name] = value.part(rows)
        if column.name in changed or not isinstance(value, np.ndarray):
            continue
        changed[column.name] = value[..., rows]
    return replace(study, **changed)
