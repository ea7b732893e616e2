"""Building grids, training models, governing them, forecasting shifts, measuring what became of the forecasts."""

from forecasting.services.asked import forecast_ask, training_ask
from forecasting.services.drift import drift_measure
from forecasting.services.drift_answers import drift_acknowledge
from forecasting.services.forecasts import forecast_run, forecast_run_queue
from forecasting.services.governance import (
    model_approve,
    model_policy_ensure,
    model_refuse,
    model_roll_back,
    training_approve,
)
from forecasting.services.grids import grid_build
from forecasting.services.live import live_claim, live_score
from forecasting.services.live_seal import live_seal
from forecasting.services.refits import refits_queue, refits_take
from forecasting.services.refresh import forecast_refresh
from forecasting.services.training import training_run_execute, training_run_queue

__all__ = [
    "drift_acknowledge",
    "drift_measure",
    "forecast_refresh",
    "forecast_run",
    "forecast_ask",
    "forecast_run_queue",
    "grid_build",
    "live_claim",
    "live_score",
    "live_seal",
    "model_approve",
    "model_policy_ensure",
    "model_refuse",
    "model_roll_back",
    "refits_queue",
    "refits_take",
    "training_approve",
    "training_run_execute",
    "training_ask",
    "training_run_queue",
]
