"""The next shift's forecast, made anew because alerts came in."""

import logging

from django.db.models import ProtectedError
from django.utils import timezone

from agencies.models import Agency
from forecasting.models import ForecastRun
from forecasting.selectors import next_shift_instance
from forecasting.selectors.forecasts import succeeded_forecasts
from forecasting.services.forecasts import forecast_run, forecast_run_queue
from ingestion.services import refresh_begin, refresh_end
from missions_project.lib.errors import MissionsError

logger = logging.getLogger(__name__)
REFRESH_OF = "refresh_of"
"""Key in a run's snapshot that marks it as made by a refresh: the next refresh may take its place."""


def forecast_refresh(*, agency_id: int) -> bool:
    """Forecast the next shift again, if it was forecast before; return whether that was asked for again meanwhile.

    The shift that is running is left alone: its forecast uses nothing from after its start. A run that an earlier
    refresh made is deleted, unless a plan was drawn from it. Does nothing while another refresh of the agency works.
    """
    if not refresh_begin(agency_id=agency_id, now=timezone.now()):
        return False
    try:
        _refresh(Agency.objects.get(pk=agency_id))
    except MissionsError as exc:
        # What is missing stands on the run row too; the alerts are stored whatever becomes of the forecast.
        logger.warning("The forecast of agency %s could not be refreshed. %s", agency_id, exc)
    finally:
        again = refresh_end(agency_id=agency_id)
    return again


def _refresh(agency: Agency) -> ForecastRun | None:
    shift, on = next_shift_instance(agency, timezone.now())
    before = succeeded_forecasts(agency).filter(shift=shift, on=on).order_by("-finished_at").first()
    if before is None:
        return None
    run = forecast_run(run=forecast_run_queue(agency=agency, shift=shift, on=on))
    run.config_snapshot = {**run.config_snapshot, REFRESH_OF: before.pk}
    run.save(update_fields=["config_snapshot"])
    if REFRESH_OF in before.config_snapshot:
        try:
            before.delete()
        except ProtectedError:
            logger.info("Forecast %s stays: a plan was drawn from it.", before.pk)
    return run
