"""The share of crime that missions prevent, with an interval: from draws whose chances were known beforehand.

Notes
-----
Ratio of inverse-probability-weighted totals (Horvitz and Thompson 1952; Hajek 1971); augmented by the stored forecast
(Robins, Rotnitzky and Zhao 1994) with m1 = (1 - theta) m, which makes the score exactly
``a1 Y - (1 - theta) (a0 Y + beta m (a1 - a0))``. Given the history, every plan's score has mean zero: scores are
martingale differences, and the sum of their squares estimates the variance (Hall and Heyde 1980; Bojinov and Shephard
2019 for adaptive designs). No joint probabilities are needed. Overlap weights: Li, Morgan and Zaslavsky 2018.
The forecast's level beta is refitted without the week that it is used in (cross-fitting, Chernozhukov et al. 2018).
Intervals are symmetric in log(1 - theta), where counts' ratios are closest to normal.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from tactics.engine.impact.study import Floats, Ints
from tactics.engine.impact.sums import PlanSums

Method = Literal["aipw", "hajek"]
FEW_EVENTS = 100
"""Expected crimes in visited boxes below which no normal interval is given."""


@dataclass(frozen=True)
class Effect:
    """An effect as a share of the crime expected without missions: 0.1 means one crime in ten prevented.

    ``low``..``high`` is the interval at ``confidence``; ``p_value`` of "no effect", two-sided; ``se_log`` standard error
    of log(1 - effect); ``treated_events`` expected crimes in visited boxes without an effect. ``interval`` says how the
    limits were found: "wald" or "test inversion"; "none" where neither can be had (NaN limits).
    """

    name: str
    estimate: float
    low: float
    high: float
    p_value: float
    se_log: float
    treated_events: float
    interval: Literal["wald", "test inversion", "none"] = "wald"
    confidence: float = 0.95
    label: str = ""

    @property
    def length(self) -> float:
        """How wide the interval is."""
        return self.high - self.low

    @property
    def shows(self) -> bool:
        """Whether the interval leaves zero out; if not, read "not shown", never "no effect"."""
        return bool(self.low > 0 or self.high < 0)


def cross_fitted_level(top: Floats, bottom: Floats, week: Ints) -> Floats:
    """How much crime there is per forecast crime, for each plan from all weeks but its own. float64[P].

    ``top``, ``bottom``: observed and forecast totals by plan. A single week, or no forecast: 1 (the forecast as it is).
    """
    weeks, at = np.unique(week, return_inverse=True)
    rest_top = top.sum() - np.bincount(at, top)
    rest_bottom = bottom.sum() - np.bincount(at, bottom)
    level = np.divide(rest_top, rest_bottom, out=np.ones_like(rest_top), where=rest_bottom > 0)
    return level[at] if len(weeks) > 1 else np.ones(len(week))


@dataclass(frozen=True)
class RatioParts:
    """A ratio of two arms' totals with its scores by plan: ``ratio`` = 1 - effect; score [P] sums to 0; total ``n0``."""

    ratio: float
    score: Floats
    base: Floats
    n0: float


def ratio_parts(
    sums: PlanSums,
    *,
    method: Method = "aipw",
    outcome: str = "outcome",
    forecast: str = "forecast",
    bias_corrected: bool = True,
) -> RatioParts | None:
    """Work out treated / control and the plans' scores; None where an arm holds no crime at all."""
    (y1, y0), (m1, m0) = sums.arm(outcome), sums.arm(forecast)
    one1, one0 = sums.arm("one")
    if y1.sum() <= 0 or y0.sum() <= 0:
        return None
    if method == "hajek":
        mean1, mean0 = y1.sum() / one1.sum(), y0.sum() / one0.sum()
        ratio = mean1 / mean0
        scale = one1.sum()
        base = (y0 - mean0 * one0) * (scale / one0.sum())
        score = (y1 - mean1 * one1) - ratio * base
        n0 = mean0 * scale
        drift = base
    else:
        level = cross_fitted_level(y0, m0, sums.week)
        base = y0 + level * (m1 - m0)
        n0 = float(base.sum())
        if n0 <= 0:
            return None
        ratio = y1.sum() / n0
        score = y1 - ratio * base
        drift = base
    if bias_corrected:
        # A ratio of counts is off by about 1 / (crimes in the lower arm); the scores tell by how much.
        ratio = ratio + float(score @ drift) / n0**2
    return RatioParts(float(ratio), score, base, float(n0))


def clustered(score: Floats, cluster: Ints | None) -> Floats:
    """Add up scores by cluster; None leaves one a plan. float64[G]."""
    if cluster is None:
        return score
    _, at = np.unique(cluster, return_inverse=True)
    return np.bincount(at, score).astype(np.float64)


def spread(score: Floats) -> float:
    """Standard error of a total of independent scores of mean zero, with the usual small-sample factor."""
    groups = len(score)
    return float(np.sqrt((score @ score) * groups / max(groups - 1, 1)))


def ratio_effect(
    sums: PlanSums,
    *,
    name: str = "",
    method: Method = "aipw",
    outcome: str = "outcome",
    forecast: str = "forecast",
    cluster: Ints | None = None,
    confidence: float = 0.95,
) -> Effect:
    """Estimate the share of crime prevented under the weighting of ``sums``, with a Wald interval on the log scale.

    ``cluster`` int64[P]: which plans' scores belong together (None: each on its own). Where an arm holds no crime the
    estimate is NaN and there is no interval.
    """
    parts = ratio_parts(sums, method=method, outcome=outcome, forecast=forecast)
    # Without missions, visited boxes would have had the control arm's total.
    label = {"aipw": "augmented by the forecast", "hajek": "Hajek"}[method]
    name = name or sums.weighting
    if parts is None:
        # Not one crime in visited boxes: all of it prevented, as far as that goes; only re-drawing gives an interval.
        all_gone = sums.arm(outcome)[1].sum() > 0
        return Effect(
            name,
            1.0 if all_gone else np.nan,
            np.nan,
            np.nan,
            score_test(sums, outcome=outcome, forecast=forecast, cluster=cluster),
            np.nan,
            expected_treated_events(sums),
            "none",
            confidence,
            label,
        )
    scores = clustered(parts.score, cluster)
    se_log = spread(scores) / parts.n0 / parts.ratio
    quantile = critical(len(scores), confidence)
    log_ratio = np.log(parts.ratio)
    p_value = float(2.0 * stats.norm.sf(abs(log_ratio) / se_log)) if se_log > 0 else 1.0
    return Effect(
        name,
        1.0 - parts.ratio,
        float(1.0 - np.exp(log_ratio + quantile * se_log)),
        float(1.0 - np.exp(log_ratio - quantile * se_log)),
        p_value,
        se_log,
        expected_treated_events(sums),
        "wald",
        confidence,
        label,
    )


def score_test(
    sums: PlanSums, *, outcome: str = "outcome", forecast: str = "forecast", cluster: Ints | None = None
) -> float:
    """Two-sided p-value of "no effect" from the scores at no effect: it also works where visited boxes hold no crime."""
    (y1, y0), (m1, m0) = sums.arm(outcome), sums.arm(forecast)
    score = clustered(y1 - y0 - cross_fitted_level(y0, m0, sums.week) * (m1 - m0), cluster)
    error = spread(score)
    return float(2.0 * stats.norm.sf(abs(score.sum()) / error)) if error > 0 else 1.0


def critical(groups: int, confidence: float = 0.95) -> float:
    """The quantile for an interval from ``groups`` scores (Student's t)."""
    return float(stats.t.ppf(0.5 + confidence / 2.0, max(groups - 1, 1)))


def expected_treated_events(sums: PlanSums) -> float:
    """Crimes expected in visited boxes had missions no effect: the forecast's total at the level of the boxes not visited."""
    y0, m0 = sums.arm("outcome")[1].sum(), sums.arm("forecast")[1].sum()
    m1 = sums.arm("forecast")[0].sum()
    raw = sums.treated_events.sum()
    y1 = sums.arm("outcome")[0].sum()
    if sums.weighting != "missions":
        # Other weightings scale the arms; crimes are counted, so the raw number is what tells few from many.
        return float(raw)
    return float(y0 / m0 * m1) if m0 > 0 else float(y1)
