"""Which dial might be worth turning, what it would be expected to bring, and how sure that is. Proposes; decides nothing.

Each change turns one dial by one step, so that the next study can see what it did. What was found is carried to what would be
changed by plain products, and its interval with it: missions are taken to work in boxes newly covered as they did in those
covered before, which is why small steps only are looked at. A change whose interval covers zero is not proposed for its gain:
"not shown: keep".

Notes
-----
Questions asked of one study (does coverage pay, does a longer dose, does one tactic beat another) share its 5 %: intervals are
widened after Bonferroni. Candidates of one question are multiples of one estimate and need no further widening. How much
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
"""How much more of a weight the better tactic gets in one step."""


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
    ``verdict``: "gain" (shown), "learn" (nothing is shown, but the next study would see sooner), "keep".
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
    effects: Floats,
    standard_errors: Floats,
    weights: Floats,
    *,
    better: int,
    now: Allocation,
    field: str,
    floor: float = 0.2,
    confidence: float = 0.95,
) -> Change | None:
    """More weight for one tactic among those drawn for a crime type. ``effects``: share prevented by each, [T], with errors.

    The gain is the change of each tactic's chance times its effect. None where there is no choice, or where the others would
    fall below ``floor`` (two or three tactics cannot all keep 0.2 and give more away).
    """
    chance = weights / weights.sum() if weights.sum() > 0 else np.zeros_like(weights)
    if len(weights) < 2 or weights[better] <= 0:
        return None
    raised = weights.astype(np.float64).copy()
    raised[better] *= WEIGHT_STEP
    then = raised / raised.sum()
    others = np.delete(then, better)
    if (others[others > 0] < min(floor, 1.0 / len(weights)) - 1e-12).any():
        return None
    moved = then - chance
    estimate = float(moved @ effects) * now.covered
    error = float(np.sqrt((moved**2) @ (standard_errors**2))) * now.covered
    half = float(stats.norm.ppf(0.5 + confidence / 2.0)) * error
    return Change(
        "tactics",
        field,
        float(weights[better]),
        float(raised[better]),
        Finding(estimate, estimate - half, estimate + half, confidence),
        now.covered,
        now.covered,
        now.predictability,
        now.predictability,
        1.0,
    )


def _longer(now: Precision, then: Precision) -> float:
    """How many times as long a study must be under the other probabilities to see as well."""
    at, to = now.se_log(), then.se_log()
    return float((to / at) ** 2) if np.isfinite(at) and at > 0 else np.inf


def judged(
    changes: list[Change], *, guess_more_at_most: float = 0.05, learn_sooner_by: float = 0.02
) -> list[Change]:
    """Give each change its verdict, the most promising first. Intervals are widened by the number of questions asked.

    Of each question at most one change is proposed, the one with the largest gain that is shown; one that lets missions be
    guessed more (by over ``guess_more_at_most``) is not. Where no coverage change is shown to gain, the one that would show
    something soonest is proposed to learn from, if it saves at least ``learn_sooner_by`` of the time.
    """
    questions = len({one.question for one in changes})
    wide = [replace(one, gain=one.gain.widened(questions)) for one in changes]
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
