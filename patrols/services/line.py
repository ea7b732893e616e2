"""The straight line for one shift instance: forecast it, then draw its missions."""

import datetime as dt

from agencies.models import Agency, Shift, User
from forecasting.services import forecast_run, forecast_run_queue
from missions_project.lib.progress import Progress
from patrols.models import MissionPlan
from patrols.services.plans import plan_missions, plan_publish, plan_queue


def shift_line_run(
    *,
    agency: Agency,
    shift: Shift,
    on: dt.date,
    requested_by: User | None = None,
    seed: int | None = None,
    publish: bool = False,
    progress: Progress | None = None,
) -> MissionPlan:
    """Forecast a shift instance and draw its plan from that forecast; publish it if told to.

    Leaves a forecast run and a plan, each a run row. Raises what either of them raises; what was done before stays.
    """
    run = forecast_run_queue(agency=agency, shift=shift, on=on, requested_by=requested_by)
    forecast_run(run=run, progress=progress)
    plan = plan_queue(agency=agency, shift=shift, on=on, requested_by=requested_by, seed=seed)
    plan_missions(plan=plan, progress=progress)
    return plan_publish(plan=plan, actor=requested_by) if publish else plan


def shift_run(*, agency_id: int, shift_id: int, on: str, requested_by_id: int | None) -> MissionPlan:
    """The same by ids, for a worker."""
    agency = Agency.objects.get(pk=agency_id)
    return shift_line_run(
        agency=agency,
        shift=Shift.objects.get(pk=shift_id, agency=agency),
        on=dt.date.fromisoformat(on),
        requested_by=User.objects.filter(pk=requested_by_id).first() if requested_by_id else None,
    )
