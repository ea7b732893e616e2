"""Why a shift has no plan to show, and when it will be tried next: in words, for the shift map."""

import datetime as dt
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.shift_clock import ShiftHours
from agencies.models import Agency, Shift
from agencies.selectors import shift_instance_of
from forecasting.models import ForecastRun
from forecasting.selectors import any_model_approved
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import MAX_ATTEMPTS, RunStatus
from missions_project.lib.sentences import said_again
from patrols.engine.due import ShiftSchedule, rounds_coming
from patrols.models import MissionPlan, ShiftPlanning
from patrols.selectors import forecast_tried, planning_state, schedule_of, schedules_of
from patrols.services.schedules import TRY_AGAIN_AFTER

PRESS = gettext_lazy("Press “Forecast and plan”")


@dataclass(frozen=True)
class NoPlan:
    """What stands in the place of the missions: a title, the reason, and what happens next."""

    title: str
    reason: str = ""
    is_bad: bool = False
    next_at: dt.datetime | None = None
    """When the schedule tries it next; None where it will not."""
    hint: str = ""
    percent: int | None = None
    """How far the work is; None where nobody works on it."""


def no_plan(
    agency: Agency, shift: Shift, on: dt.date, plan: MissionPlan | None, *, now: dt.datetime
) -> NoPlan | None:
    """Return why there is nothing to show for a shift instance; None where its plan is drawn. At most four queries.

    The newest thing that was tried counts: a plan, the forecast before it, or the schedule's round that made both.
    """
    if plan is not None and plan.status == RunStatus.SUCCEEDED:
        return None
    try:
        starts, ends = shift_instance_of(agency, shift, on)
    except MissionsError:
        return NoPlan(
            _("No %(shift)s shift starts on a %(on)s")
            % {"shift": shift.name.lower(), "on": date_format(on, "l")},
            _("Choose another day, or change the shift's weekdays in the admin."),
        )
    planning = planning_state(agency, shift, on)
    next_at = _next_at(agency, shift, on, planning, now)
    if plan is not None and plan.status != RunStatus.FAILED:
        run = plan.forecast_run if plan.status == RunStatus.QUEUED else None
        if run is not None and not run.is_finished:
            return _forecasting(run)
        return NoPlan(
            _("Planning …"),
            said_again(plan.progress_label) or _("Waiting for the worker."),
            percent=plan.progress_percent,
        )
    forecast = None if plan else forecast_tried(agency, shift, on)
    if forecast is not None and not forecast.is_finished:
        return _forecasting(forecast)
    if planning is not None and planning.state in (ShiftPlanning.State.QUEUED, ShiftPlanning.State.RUNNING):
        return NoPlan(_("Planning …"), _("This shift is being forecast and planned by schedule."), percent=0)
    return _failed(plan, forecast, planning, next_at) or _not_yet(agency, shift, starts, ends, next_at, now)


def _forecasting(run: ForecastRun) -> NoPlan:
    label = said_again(run.progress_label) or _("Waiting for the worker.")
    return NoPlan(_("Forecasting …"), label, percent=run.progress_percent)


def _failed(
    plan: MissionPlan | None,
    forecast: ForecastRun | None,
    planning: ShiftPlanning | None,
    next_at: dt.datetime | None,
) -> NoPlan | None:
    hint = (
        ""
        if next_at
        else _("It is not tried again by itself. %(press)s, once the reason is mended.") % {"press": PRESS}
    )
    title, why = _("No plan, because …"), ""
    if plan is not None:
        why = plan.error
    elif forecast is not None and forecast.status == RunStatus.FAILED:
        title, why = _("No plan: the forecast failed"), forecast.error
    elif planning is not None and planning.state == ShiftPlanning.State.FAILED:
        why = planning.message
    else:
        return None
    return NoPlan(title, said_again(why), is_bad=True, next_at=next_at, hint=hint)


def _not_yet(
    agency: Agency,
    shift: Shift,
    starts: dt.datetime,
    ends: dt.datetime,
    next_at: dt.datetime | None,
    now: dt.datetime,
) -> NoPlan:
    if ends <= now:
        return NoPlan(_("No plan yet"), _("Nothing was drawn for this shift, and it is over."))
    if not any_model_approved(agency):
        return NoPlan(
            _("No plan, because …"),
            _(
                "no model of this agency is approved yet: shifts are planned by themselves from then on. Next step: Admin → "
                "Model versions."
            ),
            is_bad=True,
        )
    if not schedule_of(schedules_of(agency), agency.pk, shift.pk).is_on:
        return NoPlan(
            _("No plan yet"),
            _("The schedule of this shift is off."),
            hint=_("%(press)s, or Admin → Plan schedules.") % {"press": PRESS},
        )
    if next_at is None or next_at <= now:
        return NoPlan(
            _("No plan yet"),
            _("Its turn has come: the schedule plans it within minutes, where a worker runs."),
        )
    return NoPlan(_("No plan yet"), _("Nothing has been forecast and drawn for this shift."), next_at=next_at)


def _next_at(
    agency: Agency, shift: Shift, on: dt.date, planning: ShiftPlanning | None, now: dt.datetime
) -> dt.datetime | None:
    """When the schedule comes to this shift instance next; None where it will not. One query."""
    starts, ends = shift_instance_of(agency, shift, on)
    schedule = schedule_of(schedules_of(agency), agency.pk, shift.pk)
    if ends <= now or not schedule.is_on:
        return None
    hours = ShiftHours(shift.slug, shift.starts_at, shift.duration_minutes, shift.weekday_numbers)
    timing = ShiftSchedule(hours, schedule.lead_minutes, schedule.refresh_minutes)
    days = max(1, (starts - now).days + 2)
    coming = rounds_coming([timing], now, agency.time_zone, days=days, limit=days + 1)
    times = [row.due_at for row in coming if row.instance.on == on]
    if planning is not None and planning.state == ShiftPlanning.State.FAILED and planning.finished_at:
        again = planning.finished_at + TRY_AGAIN_AFTER
        if planning.attempts < MAX_ATTEMPTS and again < ends:
            times.append(max(again, now))
    return min(times, default=None)
