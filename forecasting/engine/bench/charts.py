"""The pictures of a backtest's report, as SVG: hit rate by area, reliability, log skill, expected and observed."""

import math
from typing import Any

from forecasting.engine.bench.league import CategoryLeague, ModelFigures
from forecasting.engine.drawing import (
    BASELINE,
    CHAMPION,
    OTHER,
    area_axis,
    legend,
    model_label,
    paper,
    plain_axes,
    svg,
)
from forecasting.engine.metrics import Estimate


def hit_rate_svg(league: CategoryLeague) -> bytes:
    """Crimes inside against flagged area: the written forecast and the best baseline with 95 % intervals."""
    figure, axes = _figure()
    for model in reversed(league.models):
        points = [(float(one.area[:-1]), one.hit_rate) for one in model.areas if one.area.endswith("%")]
        points = [(share, rate) for share, rate in points if math.isfinite(rate.value)]
        share = [x for x, _ in points]
        named = model.is_written or model.is_best_baseline
        if named:
            low, high = [100 * rate.low for _, rate in points], [100 * rate.high for _, rate in points]
            axes.fill_between(share, low, high, color=_colour(model), alpha=0.15, linewidth=0)
        axes.plot(
            share,
            [100 * rate.value for _, rate in points],
            color=_colour(model),
            linewidth=2.2 if named else 0.8,
            marker="o" if named else None,
            markersize=4,
            label=model_label(model.name) if named else None,
        )
    area_axis(axes)
    legend(axes)
    return svg(figure)


def reliability_svg(league: CategoryLeague) -> bytes:
    """Observed against expected in ten bands of risk; on the line a forecast means what it says."""
    figure, axes = _figure(width=3.6)
    expected = [band["expected"] for band in league.reliability]
    observed = [band["observed"] for band in league.reliability]
    top = max([*expected, *observed, 1.0]) * 1.1
    axes.plot([0, top], [0, top], color=OTHER, linewidth=1)
    # The spread that chance alone gives to a count of this size.
    spread = [1.96 * math.sqrt(max(count, 1.0)) for count in observed]
    axes.errorbar(
        expected, observed, yerr=spread, fmt="o", color=CHAMPION, markersize=4, linewidth=0.8, capsize=2
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("Expected in the band")
    axes.set_ylabel("Observed in the band")
    return svg(figure)


def log_skill_svg(league: CategoryLeague) -> bytes:
    """Each model's log skill against the best baseline, with its interval; right of zero is better."""
    models = [model for model in reversed(league.models) if math.isfinite(model.log_skill.value)]
    figure, axes = _figure(height=0.6 + 0.26 * max(len(models), 2))
    for row, model in enumerate(models):
        skill = model.log_skill
        axes.errorbar(
            [skill.value], [row], xerr=_bars(skill), fmt="o", color=_colour(model), markersize=4, capsize=2
        )
    axes.axvline(0.0, color=OTHER, linewidth=1)
    axes.set_yticks(range(len(models)), labels=[model_label(model.name) for model in models])
    axes.set_xlabel("Log skill, nats per crime")
    return svg(figure)


def weekly_svg(league: CategoryLeague) -> bytes:
    """Crimes expected by the written forecast and observed, week by week (or period by period)."""
    figure, axes = _figure(height=2.6)
    weeks = list(range(len(league.blocks)))
    axes.step(
        weeks, [block["observed"] for block in league.blocks], where="mid", color="#333333", label="Observed"
    )
    axes.plot(
        weeks,
        [block["expected"] for block in league.blocks],
        color=CHAMPION,
        marker="o",
        markersize=4,
        label="Expected",
    )
    step = max(1, -(-len(weeks) // 6))
    axes.set_xticks(weeks[::step], labels=[str(block["from"]) for block in league.blocks][::step], fontsize=9)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Crimes")
    legend(axes)
    return svg(figure)


def _bars(estimate: Estimate) -> list[list[float]]:
    low = max(estimate.value - estimate.low, 0.0) if math.isfinite(estimate.low) else 0.0
    high = max(estimate.high - estimate.value, 0.0) if math.isfinite(estimate.high) else 0.0
    return [[low], [high]]


def _colour(model: ModelFigures) -> str:
    return CHAMPION if model.is_written else BASELINE if model.is_best_baseline else OTHER


def _figure(width: float = 7.2, height: float = 3.4) -> tuple[Any, Any]:
    figure = paper(width, height)
    axes = figure.subplots()
    plain_axes(axes)
    return figure, axes
