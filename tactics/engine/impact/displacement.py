"""What missions do in their own box, what moves around the corner, and what is left: three answers to three questions.

*Contrast under the design*: boxes that were drawn against boxes that were not, with all other missions as they fall.
*Direct effect*: what a mission does in its own box, neighbouring boxes left alone.
*Net effect of the plan*: the direct effect less what appears in the ring around, against no plan at all.

Notes
-----
A fixed number of well-spread missions per beat means that a visited box has fewer missions next door than one that was
not: the plain contrast of rings mixes displacement with the neighbours' own missions. Both are separated by a linear
exposure model (in the line of Aronow and Samii 2017, Hudgens and Halloran 2008): a mission in box k with forecast m_k
takes theta m_k from its own box and adds delta m_k / |ring| to each box around, for the minutes that windows overlap.
Scores stay mean zero given the history, whatever the crime rates are; they are added up by shift instance, since beats
share rings. Weighted displacement difference: Wheeler and Ratcliffe 2018.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tactics.engine.impact.estimators import (
    Effect,
    clustered,
    critical,
    cross_fitted_level,
    expected_treated_events,
    spread,
)
from tactics.engine.impact.study import Floats
from tactics.engine.impact.sums import PlanSums

ROUNDS = 30


@dataclass(frozen=True)
class Displacement:
    """Direct and net effect as shares of the crime expected in visited boxes, and the share that moved to the ring.

    ``moved`` estimates crimes added around per crime expected in the visited box (negative: benefits spread).
    """

    direct: Effect
    moved: Effect
    net: Effect


def displacement(sums: PlanSums, confidence: float = 0.95) -> Displacement:
    """Separate what missions do in the box from what they do around it; scores clustered by shift instance.

    ``sums`` under the missions' weighting. Estimates are NaN where an arm holds no crime.
    """
    (y1, y0), (m1, m0) = sums.arm("outcome"), sums.arm("forecast")
    (e1, e0), (r1, r0) = sums.arm("spill_in"), sums.arm("ring_outcome")
    (q1, q0), (u1, u0) = sums.arm("ring_forecast"), sums.arm("ring_drawn")
    v1, v0 = sums.arm("ring_spill_in")
    events = expected_treated_events(sums)
    if y1.sum() <= 0 or y0.sum() <= 0:
        none = Effect("", np.nan, np.nan, np.nan, 1.0, np.nan, events, "none", confidence)
        return Displacement(none, none, none)
    level = cross_fitted_level(y0, m0, sums.week)
    ring_level = cross_fitted_level(r0, q0, sums.week)
    overall = float(y0.sum() / m0.sum())
    ring_gap = (r1 - r0) - ring_level * (q1 - q0)
    expected = float(overall * sums.expected.sum())
    ratio, delta = 1.0, 0.0
    for _ in range(ROUNDS):
        base = y0 - delta * overall * e0 + level * (m1 - m0)
        treated = y1 - delta * overall * e1
        n0 = float(base.sum())
        if n0 <= 0 or treated.sum() <= 0:
            ratio = np.nan
            break
        ratio = float(treated.sum()) / n0
        gain = ring_gap + (1.0 - ratio) * overall * (u1 - u0) - delta * overall * (v1 - v0)
        last, delta = delta, float(gain.sum()) / expected
        if abs(delta - last) < 1e-12:
            break
    if not np.isfinite(ratio):
        none = Effect("", np.nan, np.nan, np.nan, 1.0, np.nan, events, "none", confidence)
        return Displacement(none, none, none)
    score = treated - ratio * base
    # Each plan's gain less what it is expected to be, given its missions' forecast.
    added = gain - delta * overall * sums.expected
    # Correct the ratio for the curvature of 1 / n0, as in the plain estimate.
    by_shift = [clustered(part, sums.shift) for part in (score, added, base - n0 * _share(sums))]
    d_ratio, d_delta = _linearised(
        by_shift[0],
        by_shift[1],
        n0=n0,
        expected=expected,
        spill=overall * float((e1 - ratio * e0).sum()),
        own=overall * float((u1 - u0).sum()),
        further=overall * float((v1 - v0).sum()),
    )
    curvature = float(by_shift[0] @ by_shift[2]) / n0**2
    d_moved = d_delta - delta * by_shift[2] / n0
    # The ring's gain is divided by the crime expected in the visited boxes, which is n0 up to its error.
    moved = float(gain.sum()) / n0
    moved += float(d_moved @ by_shift[2]) / n0
    direct = 1.0 - (ratio + curvature)
    quantile = critical(len(by_shift[0]), confidence)
    return Displacement(
        _on_log_scale("direct effect", direct, -d_ratio, events, quantile, confidence),
        _plain("moved to the ring", moved, d_moved, events, quantile, confidence),
        _plain("net effect of the plan", direct - moved, -d_ratio - d_moved, events, quantile, confidence),
    )


def _share(sums: PlanSums) -> Floats:
    total = sums.expected.sum()
    return sums.expected / total if total > 0 else np.full(len(sums.expected), 1.0 / len(sums.expected))


def _linearised(
    score: Floats,
    added: Floats,
    *,
    n0: float,
    expected: float,
    spill: float,
    own: float,
    further: float,
) -> tuple[Floats, Floats]:
    """How each cluster moves the ratio and the displaced share, both being solved for together."""
    # n0 dR + spill dDelta = score;  own dR + (expected + further) dDelta = added
    matrix = np.array([[n0, spill], [own, expected + further]])
    moved: Floats = np.linalg.solve(matrix, np.vstack([score, added]))
    return moved[0], moved[1]


def _on_log_scale(
    name: str, estimate: float, influence: Floats, events: float, quantile: float, confidence: float
) -> Effect:
    ratio = 1.0 - estimate
    se_log = spread(influence) / ratio
    at = np.log(ratio)
    return Effect(
        name,
        estimate,
        float(1.0 - np.exp(at + quantile * se_log)),
        float(1.0 - np.exp(at - quantile * se_log)),
        float(2.0 * stats.norm.sf(abs(at) / se_log)) if se_log > 0 else 1.0,
        se_log,
        events,
        "wald",
        confidence,
    )


def _plain(
    name: str, estimate: float, influence: Floats, events: float, quantile: float, confidence: float
) -> Effect:
    se = spread(influence)
    return Effect(
        name,
        estimate,
        estimate - quantile * se,
        estimate + quantile * se,
        float(2.0 * stats.norm.sf(abs(estimate) / se)) if se > 0 else 1.0,
        se,
        events,
        "wald",
        confidence,
    )


@dataclass(frozen=True)
class WeightedDisplacementDifference:
    """The second view: counts before and after, visited and not, with their rings. Negative: crime fell.

    ``estimate`` in crimes, its ``standard_error``, ``z`` and an interval.
    """

    estimate: float
    standard_error: float
    z: float
    low: float
    high: float


def weighted_displacement_difference(
    *,
    treated: tuple[float, float],
    control: tuple[float, float],
    treated_ring: tuple[float, float] = (0.0, 0.0),
    control_ring: tuple[float, float] = (0.0, 0.0),
    confidence: float = 0.95,
) -> WeightedDisplacementDifference:
    """Compare changes from before to after in visited boxes and their rings with changes elsewhere. Counts (before, after).

    Takes counts as Poisson and both groups' trends as parallel: it does not use the design, so it comes second.

    >>> round(weighted_displacement_difference(
    ...     control=(308, 318), treated=(207, 110), control_ring=(150, 140), treated_ring=(178, 157)).z, 2)
    -2.98
    """
    change = [
        pair[1] - pair[0]
        for pair in (
            (float(treated[0]), float(treated[1])),
            (float(control[0]), float(control[1])),
            (float(treated_ring[0]), float(treated_ring[1])),
            (float(control_ring[0]), float(control_ring[1])),
        )
    ]
    estimate = change[0] - change[1] + change[2] - change[3]
    se = float(np.sqrt(sum(sum(pair) for pair in (treated, control, treated_ring, control_ring))))
    quantile = float(stats.norm.ppf(0.5 + confidence / 2.0))
    z = estimate / se if se > 0 else 0.0
    return WeightedDisplacementDifference(estimate, se, z, estimate - quantile * se, estimate + quantile * se)
