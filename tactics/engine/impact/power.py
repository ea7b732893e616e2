"""What a study can see before anybody starts it: the smallest effect, and how long it takes.

Notes
-----
Counts of crimes vary at least as Poisson numbers; with known probabilities the two arms' totals have variances
sum w^2 m / pi and sum w^2 m / (1 - pi) (times (1 - effect) in the visited arm). ``overdispersion`` scales both; it is
measured from the agency's own plans. Checked against simulation in ``benchmarks/bench_impact.py``.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special, stats

from tactics.engine.impact.estimators import ratio_parts
from tactics.engine.impact.replays import PlanHistory, replayed
from tactics.engine.impact.study import Floats
from tactics.engine.impact.sums import PlanSums


@dataclass(frozen=True)
class Precision:
    """What decides how precisely an effect can be seen: ``expected`` crimes in visited boxes (sum w m), variances of both
    arms' totals without an effect, ``overdispersion`` (1: Poisson)."""

    expected: float
    treated_variance: float
    control_variance: float
    overdispersion: float = 1.0

    def se_log(self, effect: float = 0.0) -> float:
        """Standard error of log(1 - effect)."""
        if self.expected <= 0:
            return np.inf
        kept = max(1.0 - effect, 1e-9)
        variance = self.treated_variance / kept + self.control_variance
        return float(np.sqrt(self.overdispersion * variance) / self.expected)

    def times(self, factor: float) -> "Precision":
        """The same for a study ``factor`` times as long."""
        return replace(
            self,
            expected=self.expected * factor,
            treated_variance=self.treated_variance * factor,
            control_variance=self.control_variance * factor,
        )

    def power(self, effect: float, alpha: float = 0.05) -> float:
        """The chance that the study's interval leaves out zero, if missions prevent this share (two-sided level alpha)."""
        if effect >= 1.0:
            return 1.0
        shift = abs(np.log1p(-effect)) / self.se_log(effect)
        # Not scipy.stats: asked hundreds of times for one detectable effect, its checks took half a second.
        limit = special.ndtri(1.0 - alpha / 2.0)
        return float(special.ndtr(shift - limit) + special.ndtr(-limit - shift))

    def detectable(self, power: float = 0.8, alpha: float = 0.05) -> float:
        """The smallest share prevented that is shown with this power; 1.0 where no effect would be."""
        if not np.isfinite(self.se_log()):
            return 1.0
        # Power falls again near a total stop (no crime is left to compare): take the first crossing.
        tried = np.linspace(0.002, 0.98, 490)
        enough = np.flatnonzero([self.power(float(effect), alpha) >= power for effect in tried])
        if len(enough) == 0:
            return 1.0
        if enough[0] == 0:
            return float(tried[0])
        below, above = float(tried[enough[0] - 1]), float(tried[enough[0]])
        return float(optimize.brentq(lambda effect: self.power(effect, alpha) - power, below, above))

    def times_longer(self, effect: float, power: float = 0.8, alpha: float = 0.05) -> float:
        """How many times as long the study would have to be to show this effect; infinity for none."""
        if effect <= 0 or not np.isfinite(self.se_log()):
            return np.inf
        need = stats.norm.ppf(1.0 - alpha / 2.0) + stats.norm.ppf(power)
        return float((need * self.se_log(min(effect, 0.999)) / abs(np.log1p(-min(effect, 0.999)))) ** 2)


def study_precision(sums: PlanSums) -> Precision:
    """How precisely this study can see, from its forecasts and probabilities; over-dispersion from its plans' scores.

    The level of crime is that of boxes not visited, so that an effect does not flatter the figure.
    """
    y0, m0 = sums.arm("outcome")[1], sums.arm("forecast")[1]
    level = float(y0.sum() / m0.sum()) if m0.sum() > 0 else 1.0
    plain = Precision(
        level * float(sums.expected.sum()),
        level * float(sums.design_a.sum()),
        level * float(sums.design_b.sum()),
    )
    parts = ratio_parts(sums)
    if parts is None or plain.expected <= 0:
        return plain
    poisson = plain.treated_variance * parts.ratio + plain.control_variance * parts.ratio**2
    seen = float(parts.score @ parts.score)
    # Few crimes make the measured value erratic; below Poisson is luck.
    return replace(plain, overdispersion=max(1.0, seen / poisson) if poisson > 0 else 1.0)


@dataclass(frozen=True)
class DesignOption:
    """One way to run an experiment, and what it would see: ``curve`` maps an effect to its chance of being shown.

    ``dose_slope``: the smallest gain per ten drawn minutes that would be shown (NaN where doses do not vary).
    """

    k: int
    days: int
    types: tuple[str, ...]
    dose_min_minutes: int
    dose_max_minutes: int
    expected_events: float
    detectable: float
    dose_slope: float
    curve: tuple[tuple[float, float], ...]


EFFECTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def design_experiment(
    history: PlanHistory,
    *,
    crime: dict[str, Floats],
    ks: tuple[int, ...],
    days: tuple[int, ...],
    pools: tuple[tuple[str, ...], ...],
    doses: tuple[tuple[int, int], ...] = ((10, 16),),
    window_share: float = 0.75,
    compliance: float = 1.0,
    overdispersion: float = 1.0,
    rng: np.random.Generator,
) -> tuple[DesignOption, ...]:
    """Every combination of boxes per beat, length, crime types pooled and drawn doses, from the agency's own history.

    ``history`` is a stretch of the agency's past shifts to plan again (its own ``k`` is replaced); ``crime`` float64[S, N]
    by type: crimes expected there. ``window_share`` of a shift's crimes fall after the drawn start; ``compliance`` is
    the share of missions carried out: an effect of 0.2 of a delivered mission counts 0.2 x compliance. Options whose
    beats have no room for k boxes leave those beats out.
    """
    found: list[DesignOption] = []
    span_days = float(history.day[-1] - history.day[0]) + (
        float(np.median(np.diff(history.day))) if len(history.day) > 1 else 1.0
    )
    for k in ks:
        for low, high in doses:
            policy = replace(history.policy, dose_min_minutes=low, dose_max_minutes=high)
            if policy.problems():
                continue
            planned = replace(history, policy=policy, policies=None, k=np.where(history.k > 0, k, 0))
            totals = {pool: np.zeros(3) for pool in pools}
            for s, pi, _ in replayed(planned, 1, rng):
                inside = pi[0] > 0
                cells, p = history.layout.cell[inside], pi[0][inside]
                for pool in pools:
                    m = sum((crime[name][s, cells] for name in pool), np.zeros(len(cells))) * window_share
                    totals[pool] += [(p * m).sum(), (p * m).sum(), (p * p * m / (1.0 - p)).sum()]
            for pool in pools:
                for length in days:
                    one, two, three = (totals[pool] * (length / span_days)).tolist()
                    precision = Precision(one, two, three, overdispersion)
                    found.append(
                        DesignOption(
                            k,
                            length,
                            pool,
                            low,
                            high,
                            float(precision.expected),
                            min(precision.detectable() / compliance, 1.0),
                            _dose_slope(precision, low, high) / compliance,
                            tuple((effect, precision.power(effect * compliance)) for effect in EFFECTS),
                        )
                    )
    return tuple(found)


def _dose_slope(precision: Precision, low: int, high: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest gain per ten minutes (share of crime) that missions' drawn doses would show."""
    variance = ((high - low + 1) ** 2 - 1) / 12.0
    if variance <= 0 or precision.expected <= 0:
        return np.nan
    need = stats.norm.ppf(1.0 - alpha / 2.0) + stats.norm.ppf(power)
    return float(10.0 * need * np.sqrt(precision.overdispersion / (precision.expected * variance)))
