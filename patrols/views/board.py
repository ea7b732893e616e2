"""The board itself: page, list, boxes for the map, planning and publishing."""

import json

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from agencies.access import RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from agencies.grants import asks_itself
from agencies.selectors import current_or_next_shift_instance, leaflet_settings, shift_instance_of
from missions_project.lib.errors import MissionsError
from patrols.board_page import Instance, board_context, instance_of, load
from patrols.board_parts import Part, part_answer
from patrols.models import MissionPlan
from patrols.services import plan_publish
from patrols.tasks import run_shift_task


@require_GET
@agency_page(SEES_PLANS)
def board_now(request: HttpRequest, access: Access) -> HttpResponse:
    try:
        shift, on = current_or_next_shift_instance(access.agency, timezone.now())
    except MissionsError as exc:
        return render(request, "patrols/no_shift.html", {"error": exc, "tab": "shift"})
    return redirect("patrols:board", access.agency.slug, on.isoformat(), shift.slug)


@require_GET
@agency_page(SEES_PLANS)
def board_go(request: HttpRequest, access: Access) -> HttpResponse:
    """The date picker's address: on to the board of that day."""
    wanted = request.GET.get("on", ""), request.GET.get("shift", "")
    if not wanted[1]:
        raise Http404(_("No such shift."))
    instance = instance_of(access, *wanted)
    return redirect("patrols:board", access.agency.slug, *instance.address)


@gzip_page
@require_GET
@agency_page(SEES_PLANS)
def board(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """The shift board. At most twelve queries, however many missions."""
    context = board_context(request, access, instance_of(access, on, shift_slug))
    context["leaflet"] = leaflet_settings(request, access.agency)
    return render(request, "patrols/board.html", context)


@asks_itself
@require_GET
def board_list(request: HttpRequest, agency_slug: str, on: str, shift_slug: str) -> HttpResponseBase:
    """The list with the map's boxes, status line and timeline, for a board that heard of a change. No query while it is kept."""

    def make(access: Access, instance: Instance, mark: str) -> str:
        context = board_context(request, access, instance) | {"mark": mark}
        return render_to_string("patrols/_refresh.html", context)

    return part_answer(request, agency_slug, (on, shift_slug), Part("list", "text/html; charset=utf-8", make))


@asks_itself
@require_GET
def plan_geojson(request: HttpRequest, agency_slug: str, on: str, shift_slug: str) -> HttpResponseBase:
    """The boxes of the map. No query while they are kept."""

    def make(access: Access, instance: Instance, mark: str) -> str:
        return json.dumps(load(request, access, instance).features(), separators=(",", ":"))

    return part_answer(request, agency_slug, (on, shift_slug), Part("boxes", "application/geo+json", make))


@require_POST
@agency_page(RUNS_SHIFTS)
def board_plan(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Queue forecast and plan for this shift instance."""
    instance = instance_of(access, on, shift_slug)
    try:
        shift_instance_of(access.agency, instance.shift, instance.on)
    except MissionsError as exc:
        messages.error(request, str(exc))
    else:
        run_shift_task.delay_on_commit(
            access.agency.pk, instance.shift.pk, instance.on.isoformat(), access.user.pk
        )
        messages.info(request, _("Forecasting and planning this shift. The draft appears here in a moment."))
    return redirect("patrols:board", access.agency.slug, on, shift_slug)


@require_POST
@agency_page(RUNS_SHIFTS)
def publish(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    plan = get_object_or_404(MissionPlan, pk=plan_id, agency=access.agency)
    try:
        plan_publish(plan=plan, actor=access.user)
        messages.success(request, _("Published. Officers see their missions now."))
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("patrols:board", access.agency.slug, plan.on.isoformat(), plan.shift.slug)
