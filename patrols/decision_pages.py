"""Deciding anew in the middle of a shift: ask, look at the draft, publish or dismiss it."""

import datetime as dt

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from agencies.access import RUNS_SHIFTS, Access, agency_page
from agencies.lookups import date_from_text, shift_by_slug
from agencies.models import Shift
from missions_project.lib.errors import MissionsError
from patrols.forms import DecideForm
from patrols.models import MissionPlan
from patrols.selectors import active_policy, plans_of
from patrols.services import plan_decide, plan_dismiss
from patrols.tasks import plan_task


def _shift_instance(access: Access, on: str, shift_slug: str) -> tuple[Shift, dt.date]:
    try:
        return shift_by_slug(access.agency, shift_slug), date_from_text(on)
    except MissionsError as exc:
        raise Http404(str(exc)) from exc


@require_http_methods(["GET", "POST"])
@agency_page(RUNS_SHIFTS)
def decide(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Ask for missions drawn for what is left of the shift. At most ten queries to show."""
    shift, date = _shift_instance(access, on, shift_slug)
    policy = active_policy(access.agency)
    form = DecideForm(request.POST or None, access=access, policy=policy)
    if form.is_valid():
        try:
            plan = plan_decide(
                agency=access.agency, shift=shift, on=date, trigger=MissionPlan.Trigger.PERSON,
                actor=access.user, at=timezone.now(), **form.for_service(),
            )  # fmt: skip
            plan_task.delay_on_commit(plan.pk)
            words = _("Decision %(decision)s is being drawn. Publish it here once it is a draft.")
            messages.info(request, words % {"decision": plan.decision})
            return redirect("patrols:decide", access.agency.slug, on, shift_slug)
        except MissionsError as exc:
            form.add_error(None, str(exc))
    plans = plans_of(access.agency, shift, date)
    context = {"tab": "shift", "access": access, "shift": shift, "on": date, "form": form, "plans": plans}
    return render(request, "patrols/decide.html", context | {"policy": policy})


@require_POST
@agency_page(RUNS_SHIFTS)
def dismiss(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    """Put a decision's draft away."""
    plans = MissionPlan.objects.select_related("agency", "shift").defer("design")
    plan = get_object_or_404(plans, pk=plan_id, agency=access.agency)
    try:
        plan_dismiss(plan=plan, actor=access.user)
        messages.success(
            request, _("Decision %(decision)s is dismissed: nobody is sent.") % {"decision": plan.decision}
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("patrols:board", access.agency.slug, plan.on.isoformat(), plan.shift.slug)
