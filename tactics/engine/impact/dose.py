"""What ten minutes of presence do, and whether longer stays do more: from drawn doses, never from observed ones.

Notes
-----
Complier effect: the draw as an instrument for minutes delivered, a weighted causal response (Angrist and Imbens 1995).
Its interval inverts a test of each value (Anderson and Rubin 1949, Fieller 1954): honest where few missions were carried
out. Dose-response uses doses that were drawn for every box by chance; minutes that officers chose to stay are
confounded by what they found there.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tactics.engine.impact.estimators import clustered, critical, cross_fitted_level, spread
from tactics.engine.impact.study import Study
from tactics.engine.impact.sums import PlanSums


@dataclass(frozen=True)
class PerMinutes:
    """Crimes prevented per ten minutes of presence, with the interval of values that are not rejected.

    ``bounded`` False: the draw moved too few minutes to say; the limits are then infinite. ``minutes_moved``: mean
    difference in delivered minutes between drawn and other boxes, weighted.
    """

    estimate: float
    low: float
    high: float
    minutes_moved: float
    bounded: bool


def complier_effect(sums: PlanSums, confidence: float = 0.95) -> PerMinutes | None:
    """Crimes prevented per ten delivered minutes, for visits that the draw brought about. None without any minutes.

    Needs presence measured in drawn and other boxes alike (vehicle positions): timers that run only on missions would
    call every other box unvisited.
    """
    (y1, y0), (m1, m0), (d1, d0) = sums.arm("outcome"), sums.arm("forecast"), sums.arm("delivered")
    one1 = sums.arm("one")[0].sum()
    if (d1.sum() + d0.sum()) <= 0 or one1 <= 0:
        return None
    prevented = y0 + cross_fitted_level(y0, m0, sums.week) * (m1 - m0) - y1
    minutes = (d1 - d0) / 10.0
    a, b = float(prevented.sum()), float(minutes.sum())
    groups = len(minutes)
    factor = critical(groups, confidence) ** 2 * groups / max(groups - 1, 1)
    saa, sab, sbb = float(prevented @ prevented), float(prevented @ minutes), float(minutes @ minutes)
    # (a - x b)^2 <= factor (saa - 2 x sab + x^2 sbb), solved for x.
    square, middle, rest = b * b - factor * sbb, a * b - factor * sab, a * a - factor * saa
    moved = 10.0 * b / float(one1)
    estimate = a / b if b else np.nan
    root = middle * middle - square * rest
    if square <= 0 or root < 0:
        return PerMinutes(estimate, -np.inf, np.inf, moved, False)
    half = float(np.sqrt(root))
    return PerMinutes(estimate, (middle - half) / square, (middle + half) / square, moved, True)


@dataclass(frozen=True)
class DoseBin:
    """Missions whose drawn dose lies in [``from_minutes``, ``to_minutes``]: crimes seen per crime forecast (at the level
    of boxes not visited)."""

    from_minutes: float
    to_minutes: float
    missions: int
    crimes: int
    seen_per_expected: float


@dataclass(frozen=True)
class DoseResponse:
    """How much more of the crime is prevented by ten more drawn minutes (share), with interval, and the bins."""

    per_ten_minutes: float
    low: float
    high: float
    p_value: float
    bins: tuple[DoseBin, ...]


def dose_response(
    study: Study, sums: PlanSums, *, bins: int = 3, confidence: float = 0.95
) -> DoseResponse | None:
    """Compare missions by their *drawn* dose, as drawn, whatever was delivered. None if all doses are alike or no crime.

    ``sums``: the study's under the missions' weighting. The linear slope is the share of expected crime prevented more by
    ten more minutes.
    """
    at = np.flatnonzero(study.drawn)
    dose = np.asarray(study.dose_minutes)[at].astype(np.float64)
    y = np.asarray(study.outcome)[at].astype(np.float64)
    plan = np.searchsorted(study.plan_start, at, side="right") - 1
    level = cross_fitted_level(sums.arm("outcome")[1], sums.arm("forecast")[1], sums.week)[plan]
    expected = np.asarray(study.forecast)[at].astype(np.float64) * level
    if len(at) == 0 or np.ptp(dose) == 0 or y.sum() == 0 or expected.sum() == 0:
        return None
    # Weighted by expected crime, so that the slope is exactly uncorrelated with the mean.
    centred = dose - float(dose @ expected / expected.sum())
    ratio = float(y.sum() / expected.sum())
    information = float(centred**2 @ expected)
    slope = -float(centred @ (y - ratio * expected)) / information
    score = centred * (y - ratio * expected + slope * centred * expected)
    by_plan = clustered(score, plan)
    se = spread(by_plan) / information
    quantile = critical(len(by_plan), confidence)
    edges = np.unique(np.quantile(dose, np.linspace(0, 1, bins + 1)))
    group = np.clip(np.searchsorted(edges, dose, side="right") - 1, 0, max(len(edges) - 2, 0))
    table = []
    for one in range(max(len(edges) - 1, 1)):
        inside = group == one
        if inside.any():
            table.append(
                DoseBin(
                    float(dose[inside].min()),
                    float(dose[inside].max()),
                    int(inside.sum()),
                    int(y[inside].sum()),
                    float(y[inside].sum() / expected[inside].sum()),
                )
            )
    return DoseResponse(
        10.0 * slope,
        10.0 * (slope - quantile * se),
        10.0 * (slope + quantile * se),
        float(2.0 * stats.norm.sf(abs(slope) / se)) if se > 0 else 1.0,
        tuple(table),
    )
