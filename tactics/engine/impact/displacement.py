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
share rings.

Bias and variance by the jackknife (Quenouille 1949, Tukey 1958) that leaves out one shift instance at a time and works out
everything anew: both arms, the levels, the exposure model. A hand-made linearisation has to list every estimated part,
and leaves out what few unequal clusters do (leverage); deleting clusters forgets nothing and errs, if at all, on the long side
(Efron and Stein 1981; as cluster-robust CV3: MacKinnon, Nielsen and Webb 2023). Student's quantile with the effective number
of shifts less one (Satterthwaite 1946; Bell and McCaffrey 2002), each counted by the crime expected in it. What was moved and
the net effect are differences over an estimated total that moves with them (few expected crimes: low estimate, long interval),
so their limits are Fieller's (1954): all shares that the difference and the total do not contradict.

Weighted displacement difference: Wheeler and Ratcliffe 2018.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from tactics.engine.impact.estimators import Effect, expected_treated_events
from tactics.engine.impact.study import Floats, Ints
from tactics.engine.impact.sums import PlanSums

DIRECT, MOVED, NET = "direct effect", "moved to the ring", "net effect of the plan"


@dataclass(frozen=True)
class Displacement:
    """Direct and net effect as shares of the crime expected in visited boxes, and the share that moved to the ring.

    ``moved`` estimates crimes added around per crime expected in the visited box (negative: benefits spread).
    """

    direct: Effect
    moved: Effect
    net: Effect


def displacement(sums: PlanSums, confidence: float = 0.95) -> Displacement:
    """Separate what missions do in the box from what they do around it; errors by leaving out one shift at a time.

    ``sums`` under the missions' weighting. Estimates are NaN where an arm holds no crime; there is no interval for a
    single shift, or where all crime of an arm fell into one.
    """
    events = expected_treated_events(sums)
    none = Effect("", np.nan, np.nan, np.nan, 1.0, np.nan, events, "none", confidence)
    if sums.arm("outcome")[0].sum() <= 0 or sums.arm("outcome")[1].sum() <= 0:
        return Displacement(none, none, none)
    totals, without = _with_and_without(sums)
    whole = _shares(totals)
    if not np.isfinite(whole).all():
        return Displacement(none, none, none)
    direct, moved, net = 1.0 - float(whole[0]), float(whole[1]), float(whole[2])
    each = _shares(without)
    if without.shape[1] < 2 or not np.isfinite(each).all():
        return Displacement(
            replace(none, name=DIRECT, estimate=direct),
            replace(none, name=MOVED, estimate=moved),
            replace(none, name=NET, estimate=net),
        )
    ratio, moved, net = (float(one) for one in _corrected(whole, each))
    if ratio <= 0:
        # Almost all crime prevented in a handful of shifts: the correction must not make it more than all.
        ratio, net = float(whole[0]), 1.0 - float(whole[0]) - moved
    error = np.sqrt(np.diag(_covariance(each)))
    freedom = max(effective_shifts(sums) - 1.0, 1.0)
    quantile = float(stats.t.ppf(0.5 + confidence / 2.0, freedom))
    at, half = np.log(ratio), quantile * float(error[0]) / ratio
    p_value = float(2.0 * stats.t.sf(abs(at) / (error[0] / ratio), freedom)) if error[0] > 0 else 1.0
    found = [
        Effect(
            DIRECT,
            1.0 - ratio,
            float(1.0 - np.exp(at + half)),
            float(1.0 - np.exp(at - half)),
            p_value,
            float(error[0]) / ratio,
            events,
            "wald",
            confidence,
        )
    ]
    for name, estimate, se, row in ((MOVED, moved, error[1], [0, 0, 1]), (NET, net, error[2], [-1, 1, -1])):
        # The share's numerator and what it is a share of: both are estimated, and from the same crimes.
        pick = np.array([row, [0, 1, 0]])
        low, high, p_value = _of_a_quotient(
            _corrected(pick @ totals, pick @ without), _covariance(pick @ without), quantile, freedom
        )
        kind: Literal["wald", "none"] = "wald" if np.isfinite(low) else "none"
        found.append(Effect(name, estimate, low, high, p_value, float(se), events, kind, confidence))
    return Displacement(*found)


def effective_shifts(sums: PlanSums) -> float:
    """How many equally busy shifts would be worth as much as these: (sum of expected crime)^2 / sum of its squares."""
    expected = np.bincount(np.unique(sums.shift, return_inverse=True)[1], sums.expected)
    squares = float(expected @ expected)
    return float(expected.sum()) ** 2 / squares if squares > 0 else float(len(expected))


def _with_and_without(sums: PlanSums) -> tuple[Floats, Floats]:
    """Crimes left, crimes expected and crimes added around: totals of all shifts [3], and without each one [3, S].

    Totals without a shift are brought to the length of the whole.
    """
    _, first, at = np.unique(sums.shift, return_index=True, return_inverse=True)
    week = sums.week[first]

    def total(plans: Floats) -> Floats:
        return np.bincount(at, plans).astype(np.float64)

    def arms(name: str) -> tuple[Floats, Floats]:
        treated, control = sums.arm(name)
        return total(treated), total(control)

    (y1, y0), (m1, m0) = arms("outcome"), arms("forecast")
    (e1, e0), (r1, r0) = arms("spill_in"), arms("ring_outcome")
    (q1, q0), (u1, u0) = arms("ring_forecast"), arms("ring_drawn")
    v1, v0 = arms("ring_spill_in")
    own, own_without = _level_times_gap(y0, m0, m1 - m0, week)
    ring, ring_without = _level_times_gap(r0, q0, q1 - q0, week)
    columns = np.stack([y1, y0, e1, e0, r1 - r0, u1 - u0, v1 - v0, total(sums.expected)])
    whole = columns.sum(axis=1)
    without = _solve(whole[:, None] - columns, own_without, ring_without)
    shifts = without.shape[1]
    return _solve(whole, own, ring), without * (shifts / max(shifts - 1, 1))


def _level_times_gap(top: Floats, bottom: Floats, gap: Floats, week: Ints) -> tuple[Floats, Floats]:
    """Sum over weeks of (crime per forecast crime in all other weeks) x gap: of all shifts (0-d), without each one [S].

    A single week, or no forecast: level 1, as in ``cross_fitted_level``.
    """
    weeks, at = np.unique(week, return_inverse=True)
    rest_top, rest_bottom = top.sum() - np.bincount(at, top), bottom.sum() - np.bincount(at, bottom)
    by_week = np.bincount(at, gap)
    elsewhere = at[:, None] != np.arange(len(weeks))

    def level(above: Floats, below: Floats) -> Floats:
        found: Floats = np.divide(above, below, out=np.ones_like(above), where=below > 0)
        return found if len(weeks) > 1 else np.ones_like(above)

    whole = np.asarray(level(rest_top, rest_bottom) @ by_week)
    fewer = level(rest_top - top[:, None] * elsewhere, rest_bottom - bottom[:, None] * elsewhere)
    without: Floats = (fewer * (by_week - gap[:, None] * ~elsewhere)).sum(axis=1)
    return whole, without


def _solve(columns: Floats, own: Floats, ring: Floats) -> Floats:
    """Crimes left in visited boxes, crimes expected there, crimes added around [3, ...], from totals [8, ...].

    With g = crimes added around per forecast crime of a mission: ring gap + prevented x (others' missions in the ring) / X
    = g (X + V), where prevented = expected - left = (Y0 + level - g E0) - (Y1 - g E1). Linear in g: solved at once.
    """
    y1, y0, e1, e0, gap, others, further, forecast = columns
    with np.errstate(divide="ignore", invalid="ignore"):
        near = others / forecast
        g = (gap - ring + (y0 - y1 + own) * near) / (forecast + further + (e0 - e1) * near)
    return np.stack([y1 - g * e1, y0 + own - g * e0, g * forecast])


def _shares(totals: Floats) -> Floats:
    """Ratio of the arms, share moved to the ring, net effect [3, ...]; NaN where no crime would be left to compare."""
    left, expected, added = totals
    sound = (left > 0) & (expected > 0)
    safe = np.where(sound, expected, 1.0)
    found: Floats = np.where(sound, np.stack([left, added, expected - left - added]) / safe, np.nan)
    return found


def _corrected(whole: Floats, without: Floats) -> Floats:
    """The jackknife's estimate: what leaving out a shift moves on average is the bias, S - 1 times."""
    corrected: Floats = whole + (without.shape[1] - 1) * (whole - without.mean(axis=1))
    return corrected


def _covariance(without: Floats) -> Floats:
    """The jackknife's covariance of k quantities, from their values without each shift [k, S]."""
    shifts = without.shape[1]
    deviation = without - without.mean(axis=1, keepdims=True)
    covariance: Floats = deviation @ deviation.T * ((shifts - 1) / shifts)
    return covariance


def _of_a_quotient(
    pair: Floats, covariance: Floats, quantile: float, freedom: float
) -> tuple[float, float, float]:
    """Limits of top / bottom and the p-value of "nothing": all shares s for which top - s x bottom could be zero.

    NaN limits where the bottom itself could be zero: nothing bounds the quotient then.
    """
    top, bottom = float(pair[0]), float(pair[1])
    error = float(np.sqrt(covariance[0, 0]))
    p_value = float(2.0 * stats.t.sf(abs(top) / error, freedom)) if error > 0 else 1.0
    square = quantile**2
    a = bottom**2 - square * float(covariance[1, 1])
    half_b = top * bottom - square * float(covariance[0, 1])
    c = top**2 - square * float(covariance[0, 0])
    inside = half_b**2 - a * c
    if a <= 0 or inside < 0:
        return np.nan, np.nan, p_value
    root = float(np.sqrt(inside))
    return (half_b - root) / a, (half_b + root) / a, p_value


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
