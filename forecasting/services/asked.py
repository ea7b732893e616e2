"""What people ask for by a button: the same thing pressed twice waits once, and one agency's presses do not fill the queue of all."""

import datetime as dt

from django.utils.translation import gettext as _

from agencies.models import Agency, Shift, User
from forecasting.models import ForecastRun, TrainingRun
from forecasting.services.forecasts import forecast_run_queue
from forecasting.services.training import training_run_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

MOST_FORECASTS = 24
"""Forecasts that people of one agency may have waiting: a week of three shifts, and some."""


def training_ask(*, agency: Agency, person: User) -> TrainingRun:
    """Put a training in the queue, or return the one that somebody asked for and that waits: it has not looked at the data yet."""
    waiting = TrainingRun.objects.filter(agency=agency, status=RunStatus.QUEUED, requested_by__isnull=False)
    return waiting.first() or training_run_queue(agency=agency, requested_by=person)


def forecast_ask(*, agency: Agency, shift: Shift, on: dt.date, person: User) -> ForecastRun:
    """Put a forecast of a shift instance in the queue, or return the same one that somebody asked for and that waits.

    Raises ``MissionsError`` if the shift does not start that day, and where ``MOST_FORECASTS`` others wait.
    """
    asked_for = ForecastRun.objects.filter(agency=agency, status=RunStatus.QUEUED, requested_by__isnull=False)
    runs: list[ForecastRun] = list(asked_for[:MOST_FORECASTS])
    waiting = {(run.shift_id, run.on): run for run in runs}
    if (same := waiting.get((shift.pk, on))) is not None:
        return same
    if len(waiting) == MOST_FORECASTS:
        raise MissionsError(
            _("%(number)s forecasts that people of this agency asked for wait already.")
            % {"number": MOST_FORECASTS},
            next_step=_("wait until some of them are done: Admin → Forecast runs."),
        )
    return forecast_run_queue(agency=agency, shift=shift, on=on, requested_by=person)
