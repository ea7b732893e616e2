"""How good an estimator of patrol effects is: anyone's, on histories whose truth is known.

An estimator is a function of the study alone: ``estimator(study) -> {"contrast": (estimate, low, high), ...}``, with any
of the targets in ``TARGETS``. It is scored on bias, coverage, length and false alarms, each with its Monte Carlo error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact.displacement import displacement
from tactics.engine.impact.estimators import ratio_effect
from tactics.engine.impact.histories import Planted, planted_histories
from tactics.engine.impact.study import Floats, Study
from tactics.engine.impact.sums import WEIGHTINGS, plan_sums, row_weight
from tactics.engine.impact.worlds import Scenario, World

Triple = tuple[float, float, float]
Estimator = Callable[[Study], Mapping[str, Triple]]

TARGETS = ("contrast", "direct", "net", "contrast, overlap", "contrast, plain", "contrast, hajek")
WRONG = ("before/after", "overridden cells dropped")
_WEIGHTING_OF = {
    "contrast": "missions",
    "contrast, hajek": "missions",
    "contrast, overlap": "overlap",
    "contrast, plain": "plain",
}


def product_estimator(study: Study) -> Mapping[str, Triple]:
    """The product's own estimates of every target: the worked example of the signature.

    Use it as ``--estimator tactics.engine.impact.scoring:product_estimator``.
    """
    sums = plan_sums(study)
    found = {
        "contrast": ratio_effect(sums["missions"]),
        "contrast, hajek": ratio_effect(sums["missions"], method="hajek"),
        "contrast, overlap": ratio_effect(sums["overlap"]),
        "contrast, plain": ratio_effect(sums["plain"]),
    }
    parts = displacement(sums["missions"])
    found["direct"], found["net"] = parts.direct, parts.net
    return {name: (effect.estimate, effect.low, effect.high) for name, effect in found.items()}


def before_after(planted: Planted) -> float:
    """The wrong analysis number one: visited boxes' crime against their own week before. 0.1 reads "10 % prevented"."""
    z = planted.study.drawn
    usual = float((np.asarray(planted.study.week_before)[z] * planted.usual[z]).sum())
    return 1.0 - float(np.asarray(planted.study.outcome)[z].sum()) / usual if usual > 0 else np.nan


def overridden_dropped(planted: Planted) -> float:
    """The wrong analysis number two: rows where people departed from the draw are left out, then weighted as usual."""
    study = planted.study
    pi, y = np.asarray(study.pi, dtype=np.float64), np.asarray(study.outcome, dtype=np.float64)
    treated = study.drawn & ~planted.dropped
    control = ~study.drawn & ~planted.delivered
    odds = pi[control] / (1.0 - pi[control])
    mean0 = float((odds * y[control]).sum() / odds.sum())
    return 1.0 - float(y[treated].mean()) / mean0 if mean0 > 0 else np.nan


@dataclass(frozen=True)
class Score:
    """One target's figures over all histories; ``*_error`` are Monte Carlo standard errors.

    ``truth``, ``bias`` as shares of crime; ``bias_of_effect`` the bias per effect (NaN under the null), ``coverage`` and
    ``rejected`` shares of histories; ``length`` mean width of the interval.
    """

    target: str
    histories: int
    truth: float
    mean: float
    bias: float
    bias_error: float
    bias_of_effect: float
    bias_of_effect_error: float
    coverage: float
    coverage_error: float
    rejected: float
    rejected_error: float
    length: float
    length_error: float


@dataclass(frozen=True)
class Scoreboard:
    """All targets of one scenario, the wrong analyses' mean answers (and their errors), and what the histories held."""

    scenario: str
    scores: tuple[Score, ...]
    wrong: tuple[tuple[str, float, float], ...]
    treated_events: float
    plans: float
    delivered_share: float
    residual_length: float
    """Square root of (variance of what the forecast leaves / variance of the outcome): what augmenting can gain."""

    def score(self, target: str) -> Score:
        """One target's figures."""
        return next(one for one in self.scores if one.target == target)


class PlantedTruth:
    """Adds up, over all histories, what the targets truly are, and each history's noise of known mean zero."""

    def __init__(self) -> None:
        self.arms = {w: np.zeros(2) for w in WEIGHTINGS}
        self.prevented = self.crime = 0.0
        self.rows: list[Floats] = []

    def add(self, planted: Planted) -> None:
        """Take one history in."""
        study = planted.study
        pi, z = study.pi, study.drawn
        y = np.asarray(study.outcome, dtype=np.float64)
        for weighting in WEIGHTINGS:
            weight = row_weight(weighting, np.asarray(pi, dtype=np.float64))
            inside, outside = np.where(z, weight / pi, 0.0), np.where(z, 0.0, weight / (1.0 - pi))
            # The luck of the draw averages to nothing: taken out, the truth needs fewer histories.
            luck = ((inside - outside) * planted.crime).sum()
            self.arms[weighting] += [(inside * planted.mean).sum(), (outside * planted.mean).sum() + luck]
        self.prevented += float((pi * (planted.own_drawn - planted.own_left)).sum())
        self.crime += float((pi * (planted.crime - planted.own_left + planted.added_spill)).sum())
        inside, outside = z.astype(np.float64), np.where(z, 0.0, pi / (1.0 - pi))
        noise = y - planted.mean
        ring_noise = np.asarray(study.ring_outcome, dtype=np.float64) - planted.ring_mean
        scale = float((pi * planted.crime).sum())
        # Poisson noise in each arm, and the luck of the draw, in boxes and rings: all six have mean zero exactly.
        luck_of_draw = inside - outside
        self.rows.append(
            np.array(
                [
                    inside @ noise, outside @ noise, luck_of_draw @ planted.crime,
                    inside @ ring_noise, outside @ ring_noise, luck_of_draw @ planted.ring_crime,
                ]
            )
            / scale
        )  # fmt: skip

    def of(self, target: str, scenario: Scenario) -> float:
        """What the target truly is over the histories taken in."""
        if scenario.prevented == 0:
            return 0.0
        if target in ("direct", "net"):
            direct = self.prevented / self.crime
            return direct if target == "direct" else direct * (1.0 - scenario.displaced)
        one, zero = self.arms[_WEIGHTING_OF[target]]  # type: ignore[index]
        return float(1.0 - one / zero)

    @property
    def controls(self) -> Floats:
        """The noise of mean zero, [histories, 6]."""
        return np.array(self.rows)


def score_estimator(
    world: World,
    scenario: Scenario,
    estimator: Estimator,
    *,
    repetitions: int,
    seed: int,
    progress: Progress = no_progress,
) -> Scoreboard:
    """Score an estimator on ``repetitions`` planted histories; the same seed gives the same histories to everybody.

    An answer that is not finite counts as not covering and not rejecting. Bias is taken net of six quantities whose
    mean is exactly zero (control variates: the arms' Poisson noise, the luck of the draw, in boxes and in rings), so that few
    histories do.
    """
    truth, answers, wrong = PlantedTruth(), [], []
    events = plans = delivered = sent = residual = total = 0.0
    stream = planted_histories(
        world, scenario, repetitions=repetitions, rng=np.random.Generator(np.random.PCG64(seed))
    )
    for done, planted in enumerate(stream):
        answers.append(dict(estimator(planted.study)))
        truth.add(planted)
        wrong.append((before_after(planted), overridden_dropped(planted)))
        study = planted.study
        y, m = np.asarray(study.outcome, dtype=np.float64), np.asarray(study.forecast, dtype=np.float64)
        events += float(planted.crime[study.drawn].sum())
        plans += study.plans
        delivered += float(planted.delivered[study.drawn].sum())
        sent += float(study.drawn.sum())
        weight = study.pi / (1.0 - study.pi)
        residual += float((weight * (y - m * y.sum() / m.sum()) ** 2).sum())
        total += float((weight * (y - np.average(y, weights=weight)) ** 2).sum())
        progress(done + 1, repetitions, f"Scenario {scenario.name}")
    controls = truth.controls
    scores = tuple(
        _score(
            target,
            np.array([one.get(target, (np.nan,) * 3) for one in answers]),
            truth.of(target, scenario),
            controls,
        )
        for target in TARGETS
        if any(target in one for one in answers)
    )
    table = np.array(wrong)
    return Scoreboard(
        scenario.name,
        scores,
        tuple(
            (name, float(np.nanmean(table[:, at])), float(np.nanstd(table[:, at]) / np.sqrt(len(table))))
            for at, name in enumerate(WRONG)
        ),
        events / repetitions,
        plans / repetitions,
        delivered / sent,
        float(np.sqrt(residual / total)),
    )


def _score(target: str, answers: Floats, truth: float, controls: Floats) -> Score:
    n = len(answers)
    estimate, low, high = answers.T
    ok = np.isfinite(estimate)
    design = np.column_stack([np.ones(ok.sum()), controls[ok]])
    bias, error = np.nan, np.nan
    if ok.sum() > design.shape[1] + 1:
        fit, *_ = np.linalg.lstsq(design, estimate[ok] - truth, rcond=None)
        left = estimate[ok] - truth - design @ fit
        bias, error = float(fit[0]), float(left.std(ddof=design.shape[1]) / np.sqrt(ok.sum()))
    covers = (low <= truth) & (truth <= high)
    rejects = (low > 0) | (high < 0)
    length = (high - low)[np.isfinite(high - low)]
    is_null = abs(truth) < 1e-3
    return Score(
        target,
        n,
        truth,
        float(np.nanmean(estimate)),
        bias,
        error,
        np.nan if is_null else bias / truth,
        np.nan if is_null else error / abs(truth),
        float(covers.mean()),
        _error(covers),
        float(rejects.mean()),
        _error(rejects),
        float(length.mean()) if len(length) else np.nan,
        float(length.std() / np.sqrt(max(len(length), 1))) if len(length) else np.nan,
    )


def _error(hit: np.ndarray) -> float:
    share = float(hit.mean())
    return float(np.sqrt(max(share * (1 - share), 1e-12) / len(hit)))
