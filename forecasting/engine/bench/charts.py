"""The pictures of a backtest's report, as SVG: hit rate by area, reliability, log skill, expected and observed."""

import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

from forecasting.engine.bench.league import CategoryLeague, ModelFigures
from forecasting.engine.metrics import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {
    "all_history_counts": "All-history counts",
    "decayed_counts": "Decayed counts",
    "kernel_density": "Kernel density",
    "counts_and_kernel": "Counts + kernel density",
    "prospective_hotspot": "Prospective hot spot",
    "etas": "Self-exciting (ETAS)",
    "risk_terrain": "Risk terrain",
    "log_linear": "Log-linear",
    "boosting": "Boosting",
    "mixture": "Mixture of counts",
    "boosted_mixture": "Boosted mixture",
    "blend": "Champion blend",
}
_WRITTEN, _BASELINE, _OTHER = "#0072B2", "#D55E00", "#999999"


def label(name: str) -> str:
    """What a model is called in the report."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


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
            label=label(model.name) if named else None,
        )
    axes.set_xscale("log")
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], labels=["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel("Flagged area, % of the jurisdiction")
    axes.set_ylabel("Crimes inside, %")
    axes.set_ylim(bottom=0)
    _legend(axes)
    return _svg(figure)


def reliability_svg(league: CategoryLeague) -> bytes:
    """Observed against expected in ten bands of risk; on the line a forecast means what it says."""
    figure, axes = _figure(width=3.6)
    expected = [band["expected"] for band in league.reliability]
    observed = [band["observed"] for band in league.reliability]
    top = max([*expected, *observed, 1.0]) * 1.1
    axes.plot([0, top], [0, top], color=_OTHER, linewidth=1)
    # The spread that chance alone gives to a count of this size.
    spread = [1.96 * math.sqrt(max(count, 1.0)) for count in observed]
    axes.errorbar(
        expected, observed, yerr=spread, fmt="o", color=_WRITTEN, markersize=4, linewidth=0.8, capsize=2
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("Expected in the band")
    axes.set_ylabel("Observed in the band")
    return _svg(figure)


def log_skill_svg(league: CategoryLeague) -> bytes:
    """Each model's log skill against the best baseline, with its interval; right of zero is better."""
    models = [model for model in reversed(league.models) if math.isfinite(model.log_skill.value)]
    figure, axes = _figure(height=0.6 + 0.26 * max(len(models), 2))
    for row, model in enumerate(models):
        skill = model.log_skill
        axes.errorbar(
            [skill.value], [row], xerr=_bars(skill), fmt="o", color=_colour(model), markersize=4, capsize=2
        )
    axes.axvline(0.0, color=_OTHER, linewidth=1)
    axes.set_yticks(range(len(models)), labels=[label(model.name) for model in models])
    axes.set_xlabel("Log skill, nats per crime")
    return _svg(figure)


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
        color=_WRITTEN,
        marker="o",
        markersize=4,
        label="Expected",
    )
    step = max(1, len(weeks) // 8)
    axes.set_xticks(weeks[::step], labels=[str(block["from"]) for block in league.blocks][::step], fontsize=7)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Crimes")
    _legend(axes)
    return _svg(figure)


def _bars(estimate: Estimate) -> list[list[float]]:
    low = max(estimate.value - estimate.low, 0.0) if math.isfinite(estimate.low) else 0.0
    high = max(estimate.high - estimate.value, 0.0) if math.isfinite(estimate.high) else 0.0
    return [[low], [high]]


def _colour(model: ModelFigures) -> str:
    return _WRITTEN if model.is_written else _BASELINE if model.is_best_baseline else _OTHER


def _figure(width: float = 7.2, height: float = 3.4) -> "tuple[Figure, Any]":
    # Not at the top: every command would wait a third of a second for a library that only the report needs.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", frameon=False)


def _svg(figure: "Figure") -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure.canvas = FigureCanvasSVG(figure)
    out = BytesIO()
    # Without date and random ids the same run gives the same bytes.
    with rc_context({"svg.hashsalt": "backtest"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
