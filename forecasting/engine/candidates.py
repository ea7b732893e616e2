"""Who takes part in the league: four plain baselines, and the learned models that must beat them."""

import math
from dataclasses import dataclass
from typing import Any

from forecasting.engine.design import Layout
from forecasting.engine.effects import Factored
from forecasting.engine.features import rate_index
from forecasting.engine.mixture import BoostedMixture, NonNegativeMixture
from forecasting.engine.models import BestShare, BoostedPoisson, LogLinearPoisson
from forecasting.engine.sampling import BACKGROUND_ROWS, MOST_KEPT

BASELINES = ("all_history_counts", "decayed_counts", "kernel_density", "counts_and_kernel")
LEARNED = ("log_linear", "boosting", "mixture", "boosted_mixture", "blend")
BLENDED = ("log_linear", "boosted_mixture")
BLEND_WEIGHTS = (0.2, 0.8)
LEARNED_NEEDS_EVENTS = 50

Spec = tuple[tuple[int, float], ...]
_SAME_SHIFT_SHARE = 1.0 / 3.0


@dataclass
class Candidate:
    """A fitted entrant: its name, the estimator, and how long the fit took."""

    name: str
    estimator: Any
    seconds: float = 0.0

    @property
    def is_baseline(self) -> bool:
        return self.name in BASELINES


def _with_shift(half_life_days: float, bandwidth_m: float, share: float) -> list[Spec]:
    """The rate alone, and with a third of the weight on the same shift of day."""
    base = rate_index(half_life_days, bandwidth_m)
    memory = half_life_days if half_life_days in (150.0, 450.0) else math.inf
    mixes: list[Spec] = [((base, share),)]
    if bandwidth_m <= 400.0:
        same = rate_index(memory, bandwidth_m, True)
        mixes.append(((base, share * (1 - _SAME_SHIFT_SHARE)), (same, share * _SAME_SHIFT_SHARE)))
    return mixes


def baseline_specs(name: str, few_events: bool) -> tuple[Spec, ...]:
    """The short list a baseline may choose from. With few events only wide blurs: single dots mean nothing."""
    memories = (45.0, 150.0, 450.0, 1460.0, math.inf)
    bandwidths = (400.0, 900.0) if few_events else (100.0, 200.0, 400.0, 900.0)
    if name == "all_history_counts":
        return tuple(_with_shift(math.inf, 0.0, 1.0))
    if name == "decayed_counts":
        return tuple(spec for memory in memories[:-1] for spec in _with_shift(memory, 0.0, 1.0))
    if name == "kernel_density":
        return tuple(
            spec
            for memory in memories[1:]
            for width in bandwidths
            for spec in _with_shift(memory, width, 1.0)
        )
    return tuple(
        (*raw, *blurred)
        for memory in memories[1:]
        for width in bandwidths
        # Counts + 0.3 KDE by mean (0.23) and by peak (0.77), as the field does both.
        for share in (0.23, 0.77)
        for raw, blurred in zip(
            _with_shift(memory, 0.0, 1 - share), _with_shift(memory, width, share), strict=False
        )
    )


def candidate_estimator(name: str, layout: Layout, n_events: int) -> Any:
    """An unfitted estimator for this entrant (a blend has none of its own).

    Plain counts know nothing of events; the learned ones take the known effect of those that are on as a factor.
    """
    plain = _estimator(name, layout, n_events)
    if name in BASELINES or not layout.event_columns:
        return plain
    return Factored(plain, layout.event_columns)


def _estimator(name: str, layout: Layout, n_events: int) -> Any:
    if name in BASELINES:
        few = n_events < LEARNED_NEEDS_EVENTS
        return BestShare(
            specs=baseline_specs(name, few),
            uniform_shares=(0.2, 0.4, 0.6, 0.9) if few else (0.02, 0.05, 0.1, 0.2, 0.4),
        )
    rates = tuple(range(layout.n_rates))
    calendar = layout.find("season_sin", "season_cos")
    context = tuple(range(layout.static.start, layout.static.stop))
    mixture = NonNegativeMixture(columns=rates, mean_one=layout.mean_one)
    if name == "mixture":
        return mixture
    if name == "log_linear":
        return LogLinearPoisson(columns=rates, plain=(*calendar, *context))
    trees = BoostedPoisson(columns=layout.tree_columns, ratios=layout.tree_ratios, max_rows=40_000)
    if name == "boosting":
        return trees
    if name == "boosted_mixture":
        residual = BoostedPoisson(
            columns=(*layout.tree_columns, len(layout.names)),
            ratios=layout.tree_ratios,
            max_iter=100,
            learning_rate=0.08,
            max_leaf_nodes=12,
            min_samples_leaf=200,
            l2_events=40.0,
            max_rows=BACKGROUND_ROWS + MOST_KEPT,
        )
        return BoostedMixture(mixture=mixture, trees=residual)
    raise ValueError(f"Unknown model '{name}'. Known: {', '.join(BASELINES + LEARNED)}.")


def entrants(n_events: int) -> tuple[str, ...]:
    """Who may take part: with fewer than 50 incidents the learned models have nothing to learn from."""
    return BASELINES if n_events < LEARNED_NEEDS_EVENTS else BASELINES + LEARNED
