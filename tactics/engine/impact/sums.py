"""Each plan's weighted totals: all that the estimators need of a study, small enough to keep.

A row's weight in the treated arm is w Z / pi, in the other w (1 - Z) / (1 - pi): both add up to w on average, whatever
the crime. Every estimator is a ratio of such totals, and every score is linear in them.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact.study import Floats, Ints, Study

Weighting = Literal["missions", "overlap", "plain"]
WEIGHTINGS: tuple[Weighting, ...] = ("missions", "overlap", "plain")

COLUMNS = (
    "one", "outcome", "forecast", "spill_in", "ring_outcome", "ring_forecast", "ring_drawn", "ring_spill_in",
    "before", "before_forecast", "week_before", "ring_before", "delivered",
)  # fmt: skip
EFFECT_COLUMNS = ("one", "outcome", "forecast")
"""What an effect in visited boxes is made of; all that is kept under other weightings than the missions', and of parts."""


def row_weight(weighting: Weighting, pi: Floats) -> Floats:
    """What each row counts for: pi (missions as designed), pi (1 - pi) (overlap), 1 (plain average). float64[n]."""
    if weighting == "missions":
        return pi
    return pi * (1.0 - pi) if weighting == "overlap" else np.ones_like(pi)


@dataclass(frozen=True)
class PlanSums:
    """Totals by plan: ``treated``, ``control`` [len(columns), P] under one weighting, ``expected`` [P] the sum of w x
    forecast over all rows, ``size`` [P] of w, ``treated_events`` [P] plain crimes in visited boxes, and the plans' own
    columns. ``design_a``, ``design_b``: [P] sums of w^2 m / pi and w^2 m / (1 - pi), from which power is worked out.
    """

    weighting: Weighting
    treated: Floats
    control: Floats
    expected: Floats
    size: Floats
    design_a: Floats
    design_b: Floats
    treated_events: Floats
    shift: Ints
    beat: Ints
    week: Ints
    district: Ints
    columns: tuple[str, ...] = COLUMNS

    def arm(self, name: str) -> tuple[Floats, Floats]:
        """One column's totals by plan: (treated [P], control [P]). Raises ``ValueError`` for one that is not kept."""
        at = self.columns.index(name)
        return self.treated[at], self.control[at]

    def take(self, plans: Ints) -> "PlanSums":
        """The same of some plans."""
        of_plans = {name: getattr(self, name)[plans] for name in _BY_PLAN}
        return replace(self, treated=self.treated[:, plans], control=self.control[:, plans], **of_plans)

    def effect_only(self) -> "PlanSums":
        """What an effect is made of and no more: copied by district or type, a large city's totals in full take long."""
        kept = slice(0, len(EFFECT_COLUMNS))
        return replace(self, treated=self.treated[kept], control=self.control[kept], columns=EFFECT_COLUMNS)


_BY_PLAN = (
    "expected",
    "size",
    "design_a",
    "design_b",
    "treated_events",
    "shift",
    "beat",
    "week",
    "district",
)


def plan_sums(
    study: Study, weightings: tuple[Weighting, ...] = WEIGHTINGS, progress: Progress = no_progress
) -> dict[Weighting, PlanSums]:
    """Add up a study by plan, under each weighting: all columns under the missions', an effect's own under the others.

    Linear in rows, half a million at a time.
    """
    plans = study.plans
    kept = {w: COLUMNS if w == "missions" else EFFECT_COLUMNS for w in weightings}
    treated = {w: np.zeros((len(kept[w]), plans)) for w in weightings}
    control = {w: np.zeros((len(kept[w]), plans)) for w in weightings}
    expected = {w: np.zeros((4, plans)) for w in weightings}
    events = np.zeros(plans)
    chunks = study.chunks()
    for done, (of_plans, rows) in enumerate(chunks):
        first = study.plan_start[of_plans] - rows.start
        pi = np.asarray(study.pi[rows], dtype=np.float64)
        columns = _columns(study, rows)
        at = np.flatnonzero(study.drawn[rows])
        # Few rows are drawn: their totals go by position, the others' by runs.
        owner = np.searchsorted(first, at, side="right") - 1
        size = len(first)
        odds_out = np.where(study.drawn[rows], 0.0, 1.0 / (1.0 - pi))
        events[of_plans] = np.bincount(owner, columns["outcome"][at], minlength=size)
        for weighting in weightings:
            weight = row_weight(weighting, pi)
            inside, outside = weight[at] / pi[at], weight * odds_out
            for c, name in enumerate(kept[weighting]):
                column = columns.get(name)
                if column is None:
                    column = np.ones_like(pi)
                treated[weighting][c, of_plans] = np.bincount(owner, inside * column[at], minlength=size)
                control[weighting][c, of_plans] = np.add.reduceat(outside * column, first)
            mean = weight * columns["forecast"]
            for c, part in enumerate((mean, weight, weight * mean / pi, weight * mean / (1.0 - pi))):
                expected[weighting][c, of_plans] = np.add.reduceat(part, first)
        progress(done + 1, len(chunks), "Adding up plans")
    return {
        w: PlanSums(
            w,
            treated[w],
            control[w],
            expected[w][0],
            expected[w][1],
            expected[w][2],
            expected[w][3],
            events,
            np.asarray(study.plan_shift, dtype=np.int64),
            np.asarray(study.plan_beat, dtype=np.int64),
            np.asarray(study.plan_week, dtype=np.int64),
            np.asarray(study.plan_district, dtype=np.int64),
            kept[w],
        )
        for w in weightings
    }


def _columns(study: Study, rows: slice) -> dict[str, Floats]:
    found = {
        name: np.asarray(getattr(study, name)[rows], dtype=np.float64)
        for name in (
            "outcome", "forecast", "spill_in", "ring_outcome", "ring_forecast", "ring_drawn", "ring_spill_in", "before",
            "week_before",
        )
    }  # fmt: skip
    minutes = np.asarray(study.window_minutes[rows], dtype=np.float64)
    start = np.asarray(study.start_minutes[rows], dtype=np.float64)
    found["before_forecast"] = found["forecast"] * np.divide(
        start, minutes, out=np.zeros_like(start), where=minutes > 0
    )
    for name, optional in (("delivered", study.delivered_minutes), ("ring_before", study.ring_before)):
        found[name] = np.zeros(len(minutes)) if optional is None else np.asarray(optional[rows], np.float64)
    return found


TYPE_TOTALS = ("outcome1", "outcome0", "forecast1", "forecast0", "expected", "design_a", "design_b", "events")
"""Rows of a crime type's totals by plan: both arms' outcome and forecast, and what ``PlanSums`` holds besides."""


def type_totals(
    weighting: Weighting, *, pi: Floats, drawn: Floats, outcome: Floats, forecast: Floats, first: Ints
) -> Floats:
    """Add up one crime type by plan, from rows [n] and each plan's first row [P]: float64[8, P] by ``TYPE_TOTALS``."""
    weight = row_weight(weighting, pi)
    inside, outside = weight * drawn / pi, weight * (1.0 - drawn) / (1.0 - pi)
    mean = weight * forecast
    parts = (
        inside * outcome,
        outside * outcome,
        inside * forecast,
        outside * forecast,
        mean,
        weight * mean / pi,
        weight * mean / (1.0 - pi),
        outcome * drawn,
    )
    return np.stack([np.add.reduceat(part, first) for part in parts])


def type_sums(study: Study, of: PlanSums, index: int) -> PlanSums:
    """The same totals with one crime type's outcome and forecast in place of all types'."""
    if study.type_totals is not None and of.weighting == "missions":
        totals: Floats = study.type_totals[index]
    elif study.type_outcome is not None and study.type_forecast is not None:
        totals = np.zeros((len(TYPE_TOTALS), study.plans))
        for of_plans, rows in study.chunks():
            totals[:, of_plans] = type_totals(
                of.weighting,
                pi=np.asarray(study.pi[rows], dtype=np.float64),
                drawn=np.asarray(study.drawn[rows], dtype=np.float64),
                outcome=np.asarray(study.type_outcome[index, rows], dtype=np.float64),
                forecast=np.asarray(study.type_forecast[index, rows], dtype=np.float64),
                first=study.plan_start[of_plans] - rows.start,
            )
    else:
        raise ValueError("The study holds no outcomes by type; build it with type_names.")
    return replace(
        of,
        treated=np.stack([of.arm("one")[0], totals[0], totals[2]]),
        control=np.stack([of.arm("one")[1], totals[1], totals[3]]),
        columns=EFFECT_COLUMNS,
        expected=totals[4],
        design_a=totals[5],
        design_b=totals[6],
        treated_events=totals[7],
    )
