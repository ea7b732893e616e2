"""Which dial might be worth turning, what it would be expected to bring, and how sure that is. Proposes; decides nothing.

Each change turns one dial by one step, so that the next study can see what it did. What was found is carried to what would be
changed by plain products, and its interval with it: missions are taken to work in boxes newly covered as they did in those
covered before, which is why small steps only are looked at. A change whose interval covers zero is not proposed for its gain:
"not shown: keep".

Notes
-----
Questions asked of one study (does coverage pay, does a longer dose) share its 5 %: intervals are widened after Bonferroni.
Candidates of one question are multiples of one estimate and need no further widening. Whether one tactic beats the others is
asked of draws of its own, rule by rule and as often as one likes: their intervals are always valid and share another 5 %. How much
sooner a study would show something under other probabilities: ``tactics.engine.impact.power.Precision``.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from tactics.engine.impact.power import Precision
from tactics.engine.impact.study import Floats

Question = Literal["coverage", "dose", "tactics"]
WEIGHT_STEP = 1.5
"""A weight is multiplied or divided by this in one step."""


@dataclass(frozen=True)
class Finding:
    """What a study found: an estimate with its interval, and at which confidence. NaN limits: it found no interval."""

    estimate: float
    low: float
    high: float
    confidence: float = 0.95

    def widened(self, questions: int, confidence: float = 0.95) -> "Finding":
        """The interval that holds together with those of the other questions: each limit moves out in proportion.

        >>> Finding(0.10, 0.02, 0.18).widened(1)
        Finding(estimate=0.1, low=0.02, high=0.18, confidence=0.95)
        >>> round(Finding(0.10, 0.02, 0.18).widened(3).low, 4)
        0.0023
        """
        was = stats.norm.ppf(0.5 + self.confidence / 2.0)
        now = stats.norm.ppf(1.0 - (1.0 - confidence) / (2.0 * max(questions, 1)))
        factor = float(now / was)
        if np.isclose(factor, 1.0):
            return replace(self, confidence=confidence)
        return Finding(
            self.estimate,
            self.estimate - factor * (self.estimate - self.low),
            self.estimate + factor * (self.high - self.estimate),
            confidence,
        )

    def times(self, factor: float) -> "Finding":
        """The same for a multiple; a negative one turns the interval round."""
        ends = (self.low * factor, self.high * factor)
        return Finding(self.estimate * factor, min(ends), max(ends), self.confidence)

    @property
    def is_known(self) -> bool:
        """Whether there is an interval at all."""
        return bool(np.isfinite([self.estimate, self.low, self.high]).all())

    @property
    def is_gain(self) -> bool:
        """Whether all of the interval lies above zero."""
        return self.is_known and self.low > 0.0


@dataclass(frozen=True)
class Allocation:
    """What a policy does in the shifts looked at: share of expected crime in missions, how far missions can be guessed,
    and how precisely a study under it sees. From probabilities alone; nothing is drawn."""

    covered: float
    predictability: float
    precision: Precision


@dataclass(frozen=True)
class Change:
    """One dial, one step. ``gain``: additional share of all expected crime that would be prevented (with its interval).

    ``longer``: how many times as long a study would need to be under this change, against now (below 1: it learns sooner).
    ``verdict``: "gain" (shown), "learn" (nothing is shown, but the next study would see sooner), "keep". ``subject``: the key
    of the rule whose dial it is; None: the patrol policy's.
    """

    question: Question
    field: str
    value_from: float
    value_to: float
    gain: Finding
    covered_from: float
    covered_to: float
    predictability_from: float
    predictability_to: float
    longer: float
    verdict: Literal["gain", "learn", "keep"] = "keep"
    subject: int | None = None


def allocation_of(
    pi: Floats, expected: Floats, predictability: float, overdispersion: float = 1.0
) -> Allocation:
    """Sum up a policy's probabilities. ``pi``, ``expected`` float64[S, N] or [N]: chances and expected crimes per cell."""
    inside, total = pi * expected, float(expected.sum())
    covered = float(inside.sum()) / total if total > 0 else 0.0
    rest = float((pi * inside / (1.0 - pi)).sum())
    mean = float(inside.sum())
    return Allocation(covered, predictability, Precision(mean, mean, rest, overdispersion))


def coverage_change(
    effect: Finding, now: Allocation, then: Allocation, *, field: str, value_from: float, value_to: float
) -> Change:
    """Another pull towards harm, or another share of exploration: the effect per covered crime times what is covered more."""
    return Change(
        "coverage",
        field,
        value_from,
        value_to,
        effect.times(then.covered - now.covered),
        now.covered,
        then.covered,
        now.predictability,
        then.predictability,
        _longer(now.precision, then.precision),
    )


def dose_change(
    per_ten_minutes: Finding,
    now: Allocation,
    *,
    field: str,
    value_from: float,
    value_to: float,
    mean_minutes_more: float,
    tested: tuple[float, float] | None,
) -> Change | None:
    """A longer or shorter visit: the gain per ten drawn minutes times the mean minutes added, where missions go.

    None where the new length lies outside the doses that the study drew (``tested``): a line is not drawn beyond its points.
    """
    if tested is None or not tested[0] <= value_to <= tested[1]:
        return None
    return Change(
        "dose",
        field,
        value_from,
        value_to,
        per_ten_minutes.times(now.covered * mean_minutes_more / 10.0),
        now.covered,
        now.covered,
        now.predictability,
        now.predictability,
        1.0,
    )


def weights_change(
    better_by: Finding,
    share: Floats,
    weights: Floats,
    *,
    tactic: int,
    now: Allocation,
    field: str,
    value_from: float,
    floor: float = 0.2,
    at_most: float = np.inf,
) -> Change | None:
    """A rule's weight one step up, or down where its tactic was followed by more crimes: what that would be worth.

    ``better_by``: the share of crimes prevented by recommending the rule's tactic rather than the others in their present
    mix. ``share`` float64[n]: each mission's crimes, of all expected crime; ``weights`` float64[n, T]: of the tactics in its
    draw, 0 where not; ``tactic``: the rule's column, ``value_from`` its weight there. The gain adds up, over the missions,
    the change of the tactic's chance times what it prevents. None where no mission has a choice, where the weight would
    pass ``at_most``, or where a tactic that loses chances would have fewer than ``floor`` on average (half of an even share
    where that is less): what is hardly ever drawn cannot be judged any more.
    """
    own, total = weights[:, tactic], weights.sum(axis=1)
    open_ = (own > 0) & (total > own)
    factor = WEIGHT_STEP if better_by.estimate >= 0 else 1.0 / WEIGHT_STEP
    value_to = round(value_from * factor, 4)
    if not open_.any() or value_to > at_most:
        return None
    share, weights, own, total = share[open_], weights[open_], own[open_], total[open_]
    chance = weights / total[:, None]
    turned = weights.copy()
    turned[:, tactic] *= value_to / value_from
    then = turned / turned.sum(axis=1, keepdims=True)
    if _starves(chance, then, floor):
        return None
    moved, before = then[:, tactic] - chance[:, tactic], own / total

    def gain(prevented: float) -> float:
        # Crimes are those of the present mix, in which the tactic already prevents its part.
        return float((share * moved * prevented / (1.0 - before * prevented)).sum())

    ends = sorted((gain(better_by.low), gain(better_by.high)))
    return Change(
        "tactics",
        field,
        value_from,
        value_to,
        Finding(gain(better_by.estimate), ends[0], ends[1], better_by.confidence),
        now.covered,
        now.covered,
        now.predictability,
        now.predictability,
        1.0,
    )


def _starves(chance: Floats, then: Floats, floor: float) -> bool:
    """Whether a tactic that loses would be left with too little, on the average of the missions where it is in the draw."""
    in_draw = chance > 0
    number = in_draw.sum(axis=0)
    least = np.where(in_draw, np.minimum(floor, 0.5 / in_draw.sum(axis=1))[:, None], 0.0).sum(axis=0)
    loses = (then < chance - 1e-12).any(axis=0)
    return bool((loses & (number > 0) & (then.sum(axis=0) < least - 1e-9)).any())


def _longer(now: Precision, then: Precision) -> float:
    """How many times as long a study must be under the other probabilities to see as well."""
    at, to = now.se_log(), then.se_log()
    return float((to / at) ** 2) if np.isfinite(at) and at > 0 else np.inf


def judged(
    changes: list[Change], *, guess_more_at_most: float = 0.05, learn_sooner_by: float = 0.02
) -> list[Change]:
    """Give each change its verdict, the most promising first. Intervals are widened by the number of questions asked.

    Weights of tactics rest on draws of their own, and come with intervals that hold together: they are neither widened nor
    counted among the questions asked of the study.

    Of each question at most one change is proposed, the one with the largest gain that is shown; one that lets missions be
    guessed more (by over ``guess_more_at_most``) is not. Where no coverage change is shown to gain, the one that would show
    something soonest is proposed to learn from, if it saves at least ``learn_sooner_by`` of the time.
    """
    questions = len({one.question for one in changes} - {"tactics"})
    wide = [
        one if one.question == "tactics" else replace(one, gain=one.gain.widened(questions))
        for one in changes
    ]
    chosen: dict[int, Literal["gain", "learn"]] = {}
    for question in sorted({one.question for one in wide}):
        worth = [
            at
            for at, one in enumerate(wide)
            if one.question == question and one.gain.is_gain and _is_safe(one, guess_more_at_most)
        ]
        if worth:
            chosen[max(worth, key=lambda at: wide[at].gain.estimate)] = "gain"
    if not any(wide[at].question == "coverage" for at in chosen):
        sooner = [
            at
            for at, one in enumerate(wide)
            if one.question == "coverage"
            and one.longer <= 1.0 - learn_sooner_by
            and _is_safe(one, guess_more_at_most)
            # Losing for sure is no way to learn.
            and not (one.gain.is_known and one.gain.high < 0.0)
        ]
        if sooner:
            chosen[min(sooner, key=lambda at: wide[at].longer)] = "learn"
    verdicts = [replace(one, verdict=chosen.get(at, "keep")) for at, one in enumerate(wide)]
    order = {"gain": 0, "learn": 1, "keep": 2}
    return sorted(verdicts, key=lambda one: (order[one.verdict], -_size(one)))


def _is_safe(change: Change, guess_more_at_most: float) -> bool:
    return change.predictability_to - change.predictability_from <= guess_more_at_most


def _size(change: Change) -> float:
    return change.gain.estimate if change.gain.is_known else -np.inf
