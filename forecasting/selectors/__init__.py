"""Reading grids, models and forecasts."""

from forecasting.selectors.context import ContextBlock, context_block
from forecasting.selectors.drift import Drift, DriftAlarm, DriftWeek, alarms_of, drift_of, live_alarms
from forecasting.selectors.forecasts import (
    baseline_values,
    expected_by_type,
    harm,
    latest_forecast,
    live_models,
    model_artefact,
    run_grid,
    run_models,
    succeeded_forecasts,
    surface_values,
    type_weights,
    weights_now,
)
from forecasting.selectors.governance import (
    any_model_approved,
    approved_agencies,
    live_version,
    model_policy,
    waiting_versions,
    why_not_live,
)
from forecasting.selectors.grids import active_grid, cell_beats, cells_by_agency, grid_spec
from forecasting.selectors.inputs import next_shift_instance
from forecasting.selectors.live import LiveCard, live_card
from forecasting.selectors.live_chain import ChainReport, live_chain
from forecasting.selectors.refits import Refit, refits_of, schedule_of
from forecasting.selectors.why import why_here, why_here_many

__all__ = [
    "ChainReport",
    "ContextBlock",
    "Drift",
    "DriftAlarm",
    "DriftWeek",
    "LiveCard",
    "Refit",
    "active_grid",
    "alarms_of",
    "any_model_approved",
    "approved_agencies",
    "baseline_values",
    "cell_beats",
    "cells_by_agency",
    "context_block",
    "drift_of",
    "expected_by_type",
    "grid_spec",
    "harm",
    "latest_forecast",
    "live_alarms",
    "live_card",
    "live_chain",
    "live_models",
    "live_version",
    "model_artefact",
    "model_policy",
    "next_shift_instance",
    "refits_of",
    "run_grid",
    "run_models",
    "schedule_of",
    "succeeded_forecasts",
    "surface_values",
    "type_weights",
    "waiting_versions",
    "why_here",
    "why_here_many",
    "why_not_live",
    "weights_now",
]
