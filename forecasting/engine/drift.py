"""Is the model in service still as good as when it was approved? Week by week, with an alarm of a known false-alarm rate.

Three sums are watched (Page's CUSUM of log-likelihood ratios): more crime than expected, less than expected, and a plain
count that forecasts better than the model. Each rises while the weeks speak against the model and falls back to zero
while they do not.

Notes
-----
Page, Biometrika 41 (1954); for counts Lucas, Technometrics 27 (1985). Each sum is the largest, over all possible first
weeks, of a likelihood ratio whose mean under a sound model is one. By Ville's inequality one first week leads to a false
alarm with probability at most exp(-h), so n weeks and three sums to at most 3 n exp(-h), whatever the number of crimes.
``alarm_height`` solves this for h.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

WEEKS_A_YEAR = 52
RULES = ("more", "fewer", "skill")
MIN_DISPERSION, MAX_DISPERSION = 1.0, 4.0
_DISPERSION_NEEDS_WEEKS = 6


@dataclass(frozen=True)
class Limits:
    """What an agency tolerates: a sound model may be ``tolerated`` off (0.05 = 5 %), a ``departure`` of 0.25 must be found,
    and at most ``false_alarms`` false alarms a year and model are accepted. ``dispersion`` is how much more the weeks vary
    than pure chance (1 = Poisson)."""

    departure: float = 0.25
    tolerated: float = 0.05
    false_alarms: float = 0.05
    dispersion: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.tolerated < self.departure:
            raise ValueError(
                f"A tolerated error of {100 * self.tolerated:.0f} % must be smaller than the departure to be found, "
                f"{100 * self.departure:.0f} %."
            )
        if not 0 < self.false_alarms <= 1 or self.dispersion < MIN_DISPERSION:
            raise ValueError("False alarms must be above 0 and at most 1 a year, the dispersion at least 1.")


@dataclass(frozen=True)
class Alarm:
    """Which sum crossed the height, and in which week (its number) it did so first."""

    rule: str
    week: int


def poisson_interval(observed: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The means that are compatible with having seen this many: (low, high), as the counts' shape. Exact (Garwood 1936).

    >>> [round(float(bound), 2) for bound in poisson_interval(10)]
    [4.8, 18.39]
    """
    count = np.asarray(observed, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    low = np.where(count > 0, special.gammaincinv(np.maximum(count, 1e-9), tail), 0.0)
    return np.asarray(low, dtype=np.float64), np.asarray(special.gammaincinv(count + 1.0, 1.0 - tail))


def poisson_limits(expected: npt.ArrayLike, level: float = 0.99) -> tuple[Floats, Floats]:
    """Between which counts a week with this expectation stays with the given probability: (low, high), both included.

    >>> [int(bound) for bound in poisson_limits(10.0)]
    [3, 19]
    """
    mean = np.maximum(np.asarray(expected, dtype=np.float64), 1e-9)
    tail = (1.0 - level) / 2.0

    def quantile(share: float) -> Floats:
        count = np.maximum(np.ceil(special.pdtrik(share, mean)), 0.0)
        before = np.maximum(count - 1.0, 0.0)
        # The inverse is smooth: a whole count below may already reach the share.
        found: Floats = np.where((count > 0) & (special.pdtr(before, mean) >= share), before, count)
        return found

    return quantile(tail), quantile(1.0 - tail)


def dispersion(expected: Floats, observed: Floats) -> float:
    """How much more the weeks vary than Poisson: mean of (observed − expected)² / expected, between 1 and 4.

    1 where fewer than six weeks can tell.
    """
    usable = expected > 0
    if usable.sum() < _DISPERSION_NEEDS_WEEKS:
        return MIN_DISPERSION
    square = (observed[usable] - expected[usable]) ** 2 / expected[usable]
    return float(np.clip(square.mean(), MIN_DISPERSION, MAX_DISPERSION))


def alarm_height(false_alarms: float, rules: int = len(RULES), weeks: int = WEEKS_A_YEAR) -> float:
    """The height at which a sum raises the alarm: at most ``false_alarms`` false ones a year over all rules."""
    return float(np.log(rules * weeks / false_alarms))


def cusum(increments: Floats) -> Floats:
    """Page's running sum, which never falls below zero: [W].

    >>> cusum(np.array([1.0, -3.0, 2.0, 0.5])).tolist()
    [1.0, 0.0, 2.0, 2.5]
    """
    out = np.zeros(len(increments))
    now = 0.0
    for week, step in enumerate(increments):
        now = max(0.0, now + float(step))
        out[week] = now
    return out


def _cusum_after(increments: Floats, first: int) -> Floats:
    return np.concatenate([np.zeros(min(first, len(increments))), cusum(increments[first:])])


def count_sums(expected: Floats, observed: Floats, limits: Limits) -> tuple[Floats, Floats]:
    """The sums against too many and too few crimes, week by week: ([W], [W])."""
    more, fewer = count_steps(expected, observed, limits)
    return cusum(more), cusum(fewer)


def count_steps(expected: Floats, observed: Floats, limits: Limits) -> tuple[Floats, Floats]:
    """What each week adds to the sums against too many and too few crimes: ([W], [W])."""
    steps = []
    for sign in (1.0, -1.0):
        sound, departed = (1.0 + limits.tolerated) ** sign, (1.0 + limits.departure) ** sign
        ratio = observed * np.log(departed / sound) - expected * (departed - sound)
        steps.append(ratio / limits.dispersion)
    return steps[0], steps[1]


def alarms(
    expected: Floats,
    observed: Floats,
    skill: Floats | None,
    limits: Limits,
    after: Mapping[str, int] = MappingProxyType({}),
) -> tuple[list[Alarm], dict[str, Floats]]:
    """Look through a model's settled weeks, oldest first: (alarms, the sums by rule).

    ``after`` gives, by rule, the number of first weeks that somebody has answered for: the sum starts at zero behind
    them. That can only lower it, so the chance of a false alarm stays as promised.

    ``skill`` [W]: log score of the model minus that of the best plain count, in nats; NaN where a week has no plain count
    to compare with; None where the model is itself the plain count. No week gives no alarm.
    """
    steps = dict(zip(RULES, count_steps(expected, observed, limits), strict=False))
    if skill is not None:
        # The log-likelihood ratio of the plain count against the model: the same bound holds.
        steps["skill"] = -np.nan_to_num(skill) / limits.dispersion
    sums = {rule: _cusum_after(values, after.get(rule, 0)) for rule, values in steps.items()}
    height = alarm_height(limits.false_alarms)
    found = [
        Alarm(rule, int(np.argmax(values >= height)))
        for rule, values in sums.items()
        if len(values) and (values >= height).any()
    ]
    return found, sums
