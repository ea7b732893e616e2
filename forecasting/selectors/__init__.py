"""Reading grids, models and forecasts."""

from forecasting.selectors.context import ContextBlock, context_block
from forecasting.selectors.forecasts import (
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
)
from forecasting.selectors.grids import active_grid, cell_beats, grid_spec
from forecasting.selectors.inputs import next_shift_instance
from forecasting.selectors.why import why_here, why_here_many

__all__ = [
    "ContextBlock",
    "active_grid",
    "cell_beats",
    "context_block",
    "expected_by_type",
    "grid_spec",
    "harm",
    "latest_forecast",
    "live_models",
    "model_artefact",
    "next_shift_instance",
    "run_grid",
    "run_models",
    "succeeded_forecasts",
    "surface_values",
    "type_weights",
    "why_here",
    "why_here_many",
]
