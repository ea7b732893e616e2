"""The straight line for one shift instance: forecast it, then draw its missions."""

import datetime as dt
from contextlib import suppress

from django.db import transaction

from agencies.models import Agency, Shift, User
from forecasting.services import forecast_run, forecast_run_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunNotClaimed, RunStatus
from patrols.models import MissionPlan
from patrols.services.plans import plan_missions, plan_publish, plan_queue

UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


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


@transaction.atomic
def shift_plan_queue(
    *, agency: Agency, shift: Shift, on: dt.date, with_forecast: bool, actor: User | None
) -> tuple[MissionPlan, bool]:
    """Put one plan of a shift instance in the queue, and say whether it is new; one that waits or is drawn already is that one.

    ``with_forecast``: a forecast is queued with it, and the plan is drawn from that one (``plan_run``); else from the newest
    there is when its turn comes. Whoever calls sends a new one to a worker (``plan_task``). Raises ``MissionsError`` where
    the shift does not start that day. Two queries where one waits already.
    """
    # Locked: of two who ask in the same moment the second must see the first one's plan.
    Shift.objects.select_for_update().get(pk=shift.pk)
    waiting = MissionPlan.objects.filter(
        agency=agency, shift=shift, on=on, decision=0, state=MissionPlan.State.DRAFT, status__in=UNFINISHED
    )
    found = waiting.defer("design").order_by("-queued_at", "-pk").first()
    if found is not None:
        return found, False
    run = forecast_run_queue(agency=agency, shift=shift, on=on, requested_by=actor) if with_forecast else None
    return plan_queue(agency=agency, shift=shift, on=on, requested_by=actor, forecast=run), True


def plan_run(*, plan: MissionPlan) -> MissionPlan | None:
    """Draw a queued plan, and before it make the forecast that was queued with it; None while somebody else forecasts.

    A forecast that fails is the plan's failure too: it is closed with the same words, and the error is raised. Raises what
    ``plan_missions`` raises.
    """
    run = plan.forecast_run
    if run is not None and run.status == RunStatus.QUEUED:
        try:
            forecast_run(run=run)
        except RunNotClaimed:
            run.refresh_from_db()
        except Exception:
            # Closed in its words first: whoever polls the plan must not wait for one that will never be drawn.
            run.refresh_from_db()
            with suppress(MissionsError):
                plan_missions(plan=plan)
            raise
    if run is not None and run.status in UNFINISHED:
        # The plan stays queued: the dispatcher sends it again, when that forecast is done or was abandoned.
        return None
    return plan_missions(plan=plan)
