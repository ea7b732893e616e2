"""Which tactic was followed by fewer crimes: estimates from draws whose chances were stored, and what they can show at all.

Notes
-----
Inverse-probability weights from the stored chances, normalised (Hajek 1971), on the missions at which both tactics were in
the draw; augmented by the forecast, its level refitted without the week that it is used in (Robins, Rotnitzky and Zhao
1994; Chernozhukov et al. 2018). Every mission's draw is independent of the others given the history, so its scores are
martingale differences also where chances move with what was counted (Bojinov and Shephard 2019); the sum of their squares
estimates the variance. Always-valid intervals are asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas 2024, after the normal mixture of Robbins 1970 and Howard et al. 2021): they may be read after every shift, as often
as one likes, once each tactic has some crimes behind it; they are asymptotic, not exact. Holm (1979) for several pairs.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from tactics.engine.allocation import Allocation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEW_CRIMES = 20
"""Crimes after each of two tactics below which no interval is given: it would rest on luck."""
SHARPEST_SE = 0.15
"""The always-valid interval is narrowest, for its kind, when the standard error of the log ratio is this."""


@dataclass(frozen=True)
class TacticTrial:
    """Missions with a drawn tactic, in the order in which they were drawn; n missions, A tactics.

    ``arm`` int64[n]: the tactic drawn. ``chance`` float64[n, A]: its chances, 0 where not in the draw. ``crimes``,
    ``expected`` float64[n]: crimes of the mission's type in the box in the window after the drawn start, and as many as
    were forecast. ``week`` int64[n]. ``kind`` int64[n]: the crime type. ``adaptive`` bool[n]: chances moved with what was
    counted; ``batch`` int64[n]: the update in force at the draw (0: none yet), ``counted`` int64[n]: the update that
    counted the mission (0: none), and what it was told then: ``told_crimes``, ``told_expected`` float64[n].
    """

    names: tuple[str, ...]
    arm: Ints
    chance: Floats
    crimes: Floats
    expected: Floats
    week: Ints
    kind: Ints
    adaptive: Bools
    batch: Ints
    counted: Ints
    told_crimes: Floats
    told_expected: Floats
    policy: Allocation = field(default_factory=Allocation)

    def __post_init__(self) -> None:
        n = len(self.arm)
        if self.chance.shape != (n, len(self.names)):
            raise ValueError("The chances need a row for each mission and a column for each tactic.")
        if n and (self.drawn_chance <= 0).any():
            raise ValueError("A mission drew a tactic that had no chance.")

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def drawn_chance(self) -> Floats:
        """The chance that the tactic drawn had: float64[n]."""
        return self.chance[np.arange(len(self.arm)), self.arm]

    def residual(self) -> Floats:
        """Crimes beyond the forecast at its level in the other weeks: float64[n]. It does not depend on who drew what."""
        return self.crimes - forecast_level(self.crimes, self.expected, self.week) * self.expected


def plain_trial(
    names: tuple[str, ...],
    arm: Ints,
    chance: Floats,
    crimes: Floats,
    expected: Floats,
    week: Ints | None = None,
) -> TacticTrial:
    """A trial whose chances were fixed beforehand: draws by preferences."""
    n = len(arm)
    none, zero = np.zeros(n, dtype=np.int64), np.zeros(n)
    own = week if week is not None else none
    return TacticTrial(
        names, arm, chance, crimes, expected, own, none, np.zeros(n, dtype=np.bool_), none, none, zero, zero
    )


def forecast_level(crimes: Floats, expected: Floats, week: Ints) -> Floats:
    """Crimes per crime forecast in all weeks but the mission's own: float64[n]; 1 where there is but one week."""
    weeks, at = np.unique(week, return_inverse=True)
    top = crimes.sum() - np.bincount(at, crimes, minlength=len(weeks))
    bottom = expected.sum() - np.bincount(at, expected, minlength=len(weeks))
    level = np.divide(top, bottom, out=np.ones(len(weeks)), where=bottom > 0)
    return level[at] if len(weeks) > 1 else np.ones(len(week))


@dataclass(frozen=True)
class TacticRate:
    """What followed one tactic: missions that drew it, crimes, and crimes per 100 missions were it always drawn where allowed."""

    name: str
    missions: int
    allowed: int
    crimes: float
    per_hundred: float
    low: float
    high: float


def tactic_rates(trial: TacticTrial, *, confidence: float = 0.95) -> tuple[TacticRate, ...]:
    """Crimes per 100 missions for each tactic on the missions where it was in the draw, with a pointwise interval.

    Tactics are allowed at different places: their rates tell of different missions and are not to be set against each
    other. ``compare`` does that on common ones. NaN limits below ``FEW_CRIMES``.
    """
    found = []
    for a, name in enumerate(trial.names):
        inside = trial.chance[:, a] > 0
        mine = inside & (trial.arm == a)
        weight = np.where(mine, 1.0 / np.where(inside, trial.chance[:, a], 1.0), 0.0)
        crimes, total = float(trial.crimes[mine].sum()), weight.sum()
        mean = float(weight @ trial.crimes / total) if total > 0 else np.nan
        low = high = np.nan
        if crimes >= FEW_CRIMES:
            score = weight * (trial.crimes - mean) / total
            half = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(score @ score) / mean
            low, high = mean * np.exp(-half), mean * np.exp(half)
        found.append(
            TacticRate(
                name,
                int(mine.sum()),
                int(inside.sum()),
                crimes,
                100 * mean,
                100 * float(low),
                100 * float(high),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Comparison:
    """Crimes after tactic ``a`` per crime after tactic ``b`` on the missions where both were in the draw.

    ``ratio`` 0.8: a fifth fewer after a. ``low``..``high`` may be read at any time ("always valid"), ``point_low``..
    ``point_high`` once, at an end fixed beforehand. ``p_value`` of "no difference" (NaN until replayed), ``p_holm`` for
    all pairs together. ``missions``: with both in the draw; ``crimes_a``, ``crimes_b``: after those that drew a and b.
    """

    a: int
    b: int
    missions: int
    crimes_a: float
    crimes_b: float
    ratio: float
    se_log: float
    low: float
    high: float
    point_low: float
    point_high: float
    p_value: float = np.nan
    p_holm: float = np.nan

    @property
    def shows(self) -> bool:
        """Whether the always-valid interval leaves 1 out; if not, read "not shown", never "no effect"."""
        return bool(self.low > 1.0 or self.high < 1.0)


def compare(
    trial: TacticTrial,
    a: int,
    b: int,
    *,
    method: Literal["hajek", "augmented"] = "augmented",
    confidence: float = 0.95,
) -> Comparison:
    """Set tactic a against tactic b. Ratio and limits are NaN where a tactic has no crimes behind it, limits below a few."""
    both = (trial.chance[:, a] > 0) & (trial.chance[:, b] > 0)
    n, crimes, chance, arm = int(both.sum()), trial.crimes[both], trial.chance[both], trial.arm[both]
    base = np.zeros(n)
    if method == "augmented":
        base = forecast_level(crimes, trial.expected[both], trial.week[both]) * trial.expected[both]
    in_arm = [arm == x for x in (a, b)]
    counts = [float(crimes[own].sum()) for own in in_arm]
    nan = np.nan
    nothing = Comparison(a, b, n, counts[0], counts[1], nan, nan, nan, nan, nan, nan)
    if n == 0 or min(counts) <= 0:
        return nothing
    means, scores = [], []
    for x, own in zip((a, b), in_arm, strict=True):
        weight = np.where(own, 1.0 / chance[:, x], 0.0) * (n / (1.0 / chance[own, x]).sum())
        off = float(weight @ (crimes - base)) / n
        means.append(float(base.mean()) + off)
        scores.append(weight * (crimes - base - off))
    if min(means) <= 0:
        return nothing
    score = scores[0] / means[0] - scores[1] / means[1]
    se_log, log_ratio = float(np.sqrt(score @ score)) / n, float(np.log(means[0] / means[1]))
    found = replace(nothing, ratio=float(np.exp(log_ratio)), se_log=se_log)
    if min(counts) < FEW_CRIMES:
        return found
    wide, once = always_valid_half(se_log, confidence), stats.norm.ppf(0.5 + confidence / 2) * se_log
    low, high, point_low, point_high = (
        float(np.exp(log_ratio + side)) for side in (-wide, wide, -once, once)
    )
    return replace(found, low=low, high=high, point_low=point_low, point_high=point_high)


def always_valid_half(se: float, confidence: float = 0.95, sharpest_se: float = SHARPEST_SE) -> float:
    """Half the width of the asymptotic confidence sequence at a standard error.

    With information I = 1/se² and mixture parameter k: sqrt((I + k) log((I + k) / (k alpha²))) / I. ``sharpest_se`` fixes k
    beforehand; the interval is valid for every choice.

    >>> round(always_valid_half(0.15) / 0.15, 2)
    3.04
    """
    alpha = 1.0 - confidence
    k = sharpest_se**-2 / (-2.0 * np.log(alpha) + np.log(1.0 - 2.0 * np.log(alpha)))
    information = se**-2
    return float(np.sqrt((information + k) * np.log((information + k) / (k * alpha**2))) / information)


def holm(p_values: Floats) -> Floats:
    """Adjust p-values of several comparisons (Holm 1979): float64, in the same order. NaN (not tested) stays NaN.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    adjusted = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    out = np.full(len(p_values), np.nan)
    out[order] = np.minimum(adjusted, 1.0)
    return out


def separation(
    chance: Floats,
    expected: Floats,
    a: int,
    b: int,
    ratio: float,
    *,
    level: float = 1.0,
    overdispersion: float = 1.0,
) -> float:
    """How many standard errors apart the two tactics' totals would lie, on average, if crimes after a were ``ratio`` of b's.

    ``chance`` float64[n, A] (for adaptive draws: harmonic means, see ``planned_chances``); ``expected`` float64[n] forecast
    crimes, ``level`` of which come true after b. ``overdispersion`` 1: counts vary as Poisson numbers do.
    """
    return float(_apart(_Sums.of(chance, expected, a, b, level), np.array([ratio]), overdispersion)[0])


@dataclass(frozen=True)
class _Sums:
    """What a separation takes from the missions with both tactics in the draw, summed once for all ratios that are tried.

    ``crimes``: forecast ones at the level seen; ``first_a``, ``second_a``: they and their squares, each over the chance of a.
    """

    crimes: float
    first_a: float
    second_a: float
    first_b: float
    second_b: float

    @classmethod
    def of(cls, chance: Floats, expected: Floats, a: int, b: int, level: float) -> "_Sums":
        both = (chance[:, a] > 0) & (chance[:, b] > 0)
        m, in_a, in_b = level * expected[both], chance[both, a], chance[both, b]
        return cls(
            float(m.sum()),
            float((m / in_a).sum()),
            float((m**2 / in_a).sum()),
            float((m / in_b).sum()),
            float((m**2 / in_b).sum()),
        )


def _apart(sums: _Sums, ratio: Floats, overdispersion: float = 1.0) -> Floats:
    """``separation`` at each of these ratios: float64[n]."""
    # The forecast's level follows the crimes seen: halfway between the two tactics, where the draw is even.
    middle = (1.0 + ratio) / 2.0
    variance = (
        overdispersion * ratio * sums.first_a
        + (ratio - middle) ** 2 * sums.second_a
        + overdispersion * sums.first_b
        + (1.0 - middle) ** 2 * sums.second_b
    )
    top = np.abs(1.0 - ratio) * sums.crimes
    return np.divide(top, np.sqrt(variance), out=np.zeros_like(top), where=variance > 0)


def power(
    chance: Floats,
    expected: Floats,
    a: int,
    b: int,
    ratio: float,
    *,
    alpha: float = 0.05,
    level: float = 1.0,
    overdispersion: float = 1.0,
) -> float:
    """The chance that the replayed test tells tactic a from tactic b, if crimes after a are ``ratio`` of those after b."""
    apart = separation(chance, expected, a, b, ratio, level=level, overdispersion=overdispersion)
    return float(_power_of(np.array([apart]), alpha)[0])


def _power_of(apart: Floats, alpha: float) -> Floats:
    limit = stats.norm.ppf(1.0 - alpha / 2.0)
    found: Floats = stats.norm.sf(limit - apart) + stats.norm.cdf(-limit - apart)
    return found


def times_longer(apart: float, *, wanted: float = 0.8, alpha: float = 0.05) -> float:
    """How many times as many missions it takes to show the difference with power ``wanted``; infinity for none."""
    need = stats.norm.ppf(1.0 - alpha / 2.0) + stats.norm.ppf(wanted)
    return float((need / apart) ** 2) if apart > 0 else np.inf


def detectable_ratio(
    chance: Floats,
    expected: Floats,
    a: int,
    b: int,
    *,
    level: float = 1.0,
    wanted: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The mildest ratio below 1 that would be shown with power ``wanted``; 0 where not even no crime at all would be."""
    tried = np.linspace(0.99, 0.01, 99)
    enough = _power_of(_apart(_Sums.of(chance, expected, a, b, level), tried), alpha) >= wanted
    return float(tried[int(np.argmax(enough))]) if enough.any() else 0.0
