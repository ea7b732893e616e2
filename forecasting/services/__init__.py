"""Building grids, training models, forecasting shifts."""

from forecasting.services.forecasts import forecast_run, forecast_run_queue
from forecasting.services.grids import grid_build
from forecasting.services.training import training_run_execute, training_run_queue

__all__ = [
    "forecast_run",
    "forecast_run_queue",
    "grid_build",
    "training_run_execute",
    "training_run_queue",
]
