"""Effects of parts (crime types, districts): pulled towards what all have in common, and read with care for their number.

Notes
-----
Empirical-Bayes shrinkage of log ratios with the between-part variance of DerSimonian and Laird (1986); Morris (1983).
P-values are adjusted by Holm's step-down method (1979): the chance of even one false "shown" stays at 5 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from tactics.engine.impact.estimators import FEW_EVENTS, Effect, ratio_effect
from tactics.engine.impact.study import Floats
from tactics.engine.impact.sums import PlanSums


def holm(p_values: Floats) -> Floats:
    """Adjust p-values for their number, step by step. float64[n], each between its p-value and 1.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    n = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * (n - np.arange(n)))
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True)
class PartEffect:
    """One part's own estimate, the one pulled towards the others, and its p-value adjusted for the number of parts.

    ``few`` fewer than 100 expected crimes in visited boxes: the part has no interval and no test of its own (p = 1), and
    only what it has in common with the others is read.
    """

    part: str
    own: Effect
    pulled: float
    pulled_low: float
    pulled_high: float
    adjusted_p: float
    few: bool


def part_effects(parts: Iterable[tuple[str, PlanSums]], confidence: float = 0.95) -> tuple[PartEffect, ...]:
    """Effects of several parts of a study, shrunk and adjusted. Parts without crime in an arm take the common effect.

    ``parts`` are read one at a time: a large year's totals of all types together would take half a gigabyte.
    """
    own = {name: ratio_effect(sums, name=name, confidence=confidence) for name, sums in parts}
    for name, one in own.items():
        if one.treated_events < FEW_EVENTS:
            own[name] = replace(one, low=np.nan, high=np.nan, p_value=1.0, interval="none")
    has_enough = sum(one.treated_events for one in own.values()) >= FEW_EVENTS
    usable = [
        name
        for name, one in own.items()
        if np.isfinite(one.estimate) and one.se_log > 0 and np.isfinite(one.se_log)
    ]
    value = np.array([np.log1p(-own[name].estimate) for name in usable])
    variance = np.array([own[name].se_log ** 2 for name in usable])
    centre, centre_variance, between = _common(value, variance)
    adjusted = dict(zip(own, holm(np.array([one.p_value for one in own.values()])), strict=True))
    quantile = float(stats.norm.ppf(0.5 + confidence / 2.0))
    found = []
    for name, one in own.items():
        keep = between / (between + one.se_log**2) if name in usable else 0.0
        at = keep * np.log1p(-one.estimate) + (1.0 - keep) * centre if keep > 0 else centre
        # What is left unknown: the part's own share of noise, and the centre's for the rest.
        spread = np.sqrt(keep * one.se_log**2 + (1.0 - keep) ** 2 * centre_variance if keep > 0
                         else between + centre_variance)  # fmt: skip
        found.append(
            PartEffect(
                name,
                one,
                float(1.0 - np.exp(at)),
                # All parts together hold too few crimes for a normal interval.
                float(1.0 - np.exp(at + quantile * spread)) if has_enough else np.nan,
                float(1.0 - np.exp(at - quantile * spread)) if has_enough else np.nan,
                float(adjusted[name]),
                one.treated_events < FEW_EVENTS,
            )
        )
    return tuple(found)


def _common(value: Floats, variance: Floats) -> tuple[float, float, float]:
    """Centre, its variance, and the variance between parts beyond noise. Nothing usable: 0, infinity, 0."""
    if len(value) == 0:
        return 0.0, np.inf, 0.0
    weight = 1.0 / variance
    fixed = float(weight @ value / weight.sum())
    q = float(weight @ (value - fixed) ** 2)
    slack = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(0.0, (q - (len(value) - 1)) / slack) if slack > 0 else 0.0
    weight = 1.0 / (variance + between)
    return float(weight @ value / weight.sum()), float(1.0 / weight.sum()), between
