"""Figures for people who answer for the plan: what it covers, what chance costs, how far people moved away from it.

All functions take the candidates of one plan or of several laid end to end; harm may have any unit, one unit for all.
"""

from dataclasses import dataclass

import numpy as np

from patrols.engine.design import Bools, Floats, Ints
from patrols.engine.records import PlanDraw


def total_variation(designed: Floats, done: Floats) -> float:
    """How differently two sets of weights are spread over the same boxes: 0 alike, 1 nothing in common.

    Half the sum of absolute differences of shares. Both all zero: 0; one of them: 1.

    >>> total_variation(np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0]))
    0.5
    """
    a, b = float(designed.sum()), float(done.sum())
    if a == 0 or b == 0:
        return 0.0 if a == b else 1.0
    return 0.5 * float(np.abs(designed / a - done / b).sum())


def override_meter(drawn: Bools, done: Bools) -> float:
    """How far what was done is from what was drawn: 0 as drawn, 1 nothing of it. bool[n] each.

    ``done`` says which boxes were, or by the overrides entered so far will be, sent a mission, over the same cells;
    cells added by hand that were no candidates must be appended to both, with ``drawn`` False.
    """
    return total_variation(drawn.astype(np.float64), done.astype(np.float64))


def overridden_probabilities(pi: Floats, *, added: Bools, suppressed: Bools) -> Floats:
    """The chances that overrides leave: 1 where a mission was added, 0 where one was suppressed. float64[n].

    Compared with ``pi`` by ``total_variation``, it shows how much of the design people replaced, whatever was drawn.
    """
    return np.where(added, 1.0, np.where(suppressed, 0.0, pi))


def expected_harm_covered(harm: Floats, pi: Floats) -> float:
    """The harm expected in the boxes that get a mission, on average over draws, in harm's unit."""
    return float(harm @ pi)


def harm_share(harm: Floats, pi: Floats) -> float:
    """The same as a share of all candidates' harm, 0..1. No harm at all: 0."""
    total = float(harm.sum())
    return expected_harm_covered(harm, pi) / total if total > 0 else 0.0


def top_k_harm(harm: Floats, beat: Ints, beat_k: dict[int, int]) -> float:
    """The harm that "always the K worst boxes of each beat" would cover, in harm's unit."""
    order = np.lexsort((-harm, beat))
    first = np.searchsorted(beat[order], beat[order], side="left")
    rank = np.arange(len(order)) - first
    k = np.array([beat_k[int(b)] for b in beat[order]], dtype=np.int64)
    return float(harm[order][rank < k].sum())


def price_of_randomisation(harm: Floats, pi: Floats, beat: Ints, beat_k: dict[int, int]) -> float:
    """The share of harm coverage given up, against always going to the K worst boxes, for not being predictable. 0..1.

    No harm at all: 0.
    """
    best = top_k_harm(harm, beat, beat_k)
    return 1.0 - expected_harm_covered(harm, pi) / best if best > 0 else 0.0


def entropy_bits(pi: Floats) -> float:
    """Upper bound, in bits, on how much an outsider who knows every probability still does not know about the draw.

    The sum over boxes of the entropy of "drawn or not". Fixing K and spreading the sample make the true value lower.
    """
    p = pi[(pi > 0) & (pi < 1)]
    return float(-(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p)).sum())


def predictability(pi: Floats, beat: Ints, beat_k: dict[int, int]) -> float:
    """How many of a shift's missions somebody guesses right who knows every probability and names K boxes a beat. 0..1.

    The best guess is each beat's K likeliest boxes; an even spread over n boxes gives K / n. No mission: 0.
    """
    total = float(pi.sum())
    return top_k_harm(pi, beat, beat_k) / total if total > 0 else 0.0


def low_risk_share(harm: Floats, visits: Floats) -> float:
    """The share of visits that fall into the lower half of boxes by harm: 0..1, 0.5 when harm plays no part.

    ``visits`` float64[n]: probabilities, or missions counted over a period. Boxes of equal harm across the middle
    count in part, so that their order cannot matter. An odd middle box counts half. No visits: 0.
    """
    n, total = len(harm), float(visits.sum())
    if total == 0:
        return 0.0
    level, group = np.unique(harm, return_inverse=True)
    size = np.bincount(group, minlength=len(level)).astype(np.float64)
    visited = np.bincount(group, weights=visits, minlength=len(level))
    before = np.cumsum(size) - size
    part = np.clip((n / 2.0 - before) / size, 0.0, 1.0)
    return float(part @ visited) / total


def gini(values: Floats) -> float:
    """How unevenly something is spread: 0 all alike, towards 1 all in one place. Values >= 0; all zero: 0.

    >>> gini(np.array([0.0, 0.0, 0.0, 1.0]))
    0.75
    """
    n, total = len(values), float(values.sum())
    if total == 0:
        return 0.0
    rank = np.arange(1, n + 1)
    return float((2 * rank - n - 1) @ np.sort(values)) / (n * total)


@dataclass(frozen=True)
class PlanOversight:
    """What a supervisor sees before publishing; harm in the plan's unit, shares 0..1, entropy in bits."""

    missions: int
    candidates: int
    harm_of_candidates: float
    harm_covered: float
    harm_covered_by_draw: float
    harm_share: float
    price_of_randomisation: float
    predictability: float
    entropy_bits: float
    low_risk_share: float
    gini: float


def plan_oversight(plan: PlanDraw) -> PlanOversight:
    """Sum up a plan: what it covers on average and in this draw, what chance costs, how even and how guessable it is."""
    beat_k = {int(beat): int(k) for beat, k in zip(plan.beat_id, plan.beat_k, strict=True)}
    return PlanOversight(
        missions=int(plan.drawn.sum()),
        candidates=len(plan),
        harm_of_candidates=float(plan.harm.sum()),
        harm_covered=expected_harm_covered(plan.harm, plan.pi),
        harm_covered_by_draw=float(plan.harm[plan.drawn].sum()),
        harm_share=harm_share(plan.harm, plan.pi),
        price_of_randomisation=price_of_randomisation(plan.harm, plan.pi, plan.beat, beat_k),
        predictability=predictability(plan.pi, plan.beat, beat_k),
        entropy_bits=entropy_bits(plan.pi),
        low_risk_share=low_risk_share(plan.harm, plan.pi),
        gini=gini(plan.pi),
    )
