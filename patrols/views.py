"""The supervisor's pages: shift map, mission drawer, publishing, printing."""

import datetime as dt

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agencies.access import EVERYONE, OVERRIDES_PLANS, RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from agencies.lookups import date_from_text, shift_by_slug
from agencies.models import Shift, Unit
from agencies.selectors import current_or_next_shift_instance, leaflet_settings, shift_instance_of, shifts
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols import board as boards
from patrols.forms import MissionAddForm, ReasonForm, UnitForm
from patrols.models import Mission, MissionPlan
from patrols.no_plan import no_plan
from patrols.printing import beat_sheets
from patrols.selectors import cell_history, mission_of, missions_of, plan_for, why_here_of
from patrols.services import mission_add, mission_assign, mission_withdraw, plan_publish
from patrols.tasks import run_shift_task


def _instance(access: Access, on: str, shift_slug: str) -> tuple[Shift, dt.date]:
    try:
        return shift_by_slug(access.agency, shift_slug), date_from_text(on)
    except MissionsError as exc:
        raise Http404(str(exc)) from exc


def _mission(access: Access, mission_id: int) -> Mission:
    mission = mission_of(access.agency, mission_id)
    if mission is None:
        raise Http404("No such mission.")
    return mission


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
def board(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """The shift map. At most 14 queries, however many missions."""
    shift, date = _instance(access, on, shift_slug)
    context = _board_context(access, shift, date)
    context["leaflet"] = leaflet_settings(request, access.agency)
    return render(request, "patrols/board.html", context)


@require_GET
@agency_page(SEES_PLANS)
def board_list(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """The list and timeline alone, for polling."""
    shift, date = _instance(access, on, shift_slug)
    return render(request, "patrols/_list.html", _board_context(access, shift, date))


def _board_context(access: Access, shift: Shift, on: dt.date) -> dict[str, object]:
    agency, now = access.agency, timezone.now()
    plan = plan_for(agency, shift, on)
    rows = boards.mission_rows(missions_of(plan), zone=agency.time_zone, now=now) if plan else []
    all_shifts = shifts(agency)
    try:
        shift_instance_of(agency, shift, on)
        runs_today = True
    except MissionsError:
        runs_today = False
    return {
        "tab": "shift",
        "access": access,
        "shift": shift,
        "shifts": all_shifts,
        "on": on,
        "previous": on - dt.timedelta(days=1),
        "next": on + dt.timedelta(days=1),
        "runs_today": runs_today,
        "plan": plan,
        "no_plan": no_plan(agency, shift, on, plan, now=now),
        "is_ready": bool(plan and plan.status == RunStatus.SUCCEEDED),
        "is_draft": bool(plan and plan.state == MissionPlan.State.DRAFT),
        "beats": boards.rows_by_beat(rows),
        "states": boards.state_counts(rows),
        "legend": sorted({row.mission.crime_type for row in rows}, key=lambda crime_type: crime_type.name),
        "timeline": boards.timeline(plan, rows, zone=agency.time_zone, now=now) if plan and rows else None,
        "add_form": MissionAddForm(agency=agency, plan=plan) if plan and rows else None,
    }


@require_GET
@agency_page(SEES_PLANS)
def plan_geojson(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    shift, date = _instance(access, on, shift_slug)
    plan = plan_for(access.agency, shift, date)
    if plan is None or plan.grid is None:
        return JsonResponse({"type": "FeatureCollection", "features": []})
    rows = boards.mission_rows(missions_of(plan), zone=access.agency.time_zone, now=timezone.now())
    return JsonResponse(boards.missions_geojson(plan, rows), content_type="application/geo+json")


@require_POST
@agency_page(RUNS_SHIFTS)
def board_plan(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Queue forecast and plan for this shift instance."""
    shift, date = _instance(access, on, shift_slug)
    try:
        shift_instance_of(access.agency, shift, date)
    except MissionsError as exc:
        messages.error(request, str(exc))
    else:
        run_shift_task.delay_on_commit(access.agency.pk, shift.pk, date.isoformat(), access.user.pk)
        messages.info(request, "Forecasting and planning this shift. The draft appears here in a moment.")
    return redirect("patrols:board", access.agency.slug, on, shift_slug)


@require_POST
@agency_page(RUNS_SHIFTS)
def publish(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    plan = get_object_or_404(MissionPlan, pk=plan_id, agency=access.agency)
    try:
        plan_publish(plan=plan, actor=access.user)
        messages.success(request, "Published. Officers see their missions now.")
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("patrols:board", access.agency.slug, plan.on.isoformat(), plan.shift.slug)


@require_GET
@agency_page(SEES_PLANS)
def drawer(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Why a car is sent here, what to do, what was done before, and what may be changed."""
    mission = _mission(access, mission_id)
    return render(request, "patrols/_drawer.html", _drawer_context(access, mission))


def _drawer_context(access: Access, mission: Mission) -> dict[str, object]:
    row = boards.mission_rows([mission], zone=access.agency.time_zone, now=timezone.now())[0]
    why, why_error = None, ""
    try:
        why = why_here_of(mission)
    except MissionsError as exc:
        # A model file that is gone must not take the supervisor's drawer with it.
        why_error = str(exc)
    return {
        "access": access,
        "row": row,
        "mission": mission,
        "why": why,
        "why_error": why_error,
        "history": cell_history(access.agency, cell_id=mission.cell_id, before=timezone.now()),
        "in_own_district": access.works_in(mission.beat.district_id),
        "unit_form": UnitForm(agency=access.agency, mission=mission),
        "reason_form": ReasonForm(),
    }


def _changed_drawer(request: HttpRequest, context: dict[str, object]) -> HttpResponse:
    response = render(request, "patrols/_drawer.html", context)
    # The list beside the drawer hears this and loads itself again.
    response["HX-Trigger"] = "missions-changed"
    return response


@require_POST
@agency_page(RUNS_SHIFTS)
def assign(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    mission = _mission(access, mission_id)
    form = UnitForm(request.POST, agency=access.agency, mission=mission)
    context: dict[str, object] = {}
    if form.is_valid():
        unit: Unit | None = form.cleaned_data["unit"]
        try:
            mission_assign(mission=mission, unit=unit, actor=access.user)
        except MissionsError as exc:
            context["error"] = str(exc)
    else:
        context["unit_form"] = form
    return _changed_drawer(request, _drawer_context(access, _mission(access, mission_id)) | context)


@require_POST
@agency_page(OVERRIDES_PLANS)
def withdraw(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    mission, form = _mission(access, mission_id), ReasonForm(request.POST)
    context: dict[str, object] = {}
    if form.is_valid():
        try:
            mission_withdraw(mission=mission, reason=form.cleaned_data["reason"], actor=access.user)
        except MissionsError as exc:
            context["error"] = str(exc)
    else:
        context["reason_form"] = form
    context = _drawer_context(access, _mission(access, mission_id)) | context
    return _changed_drawer(request, context)


@require_POST
@agency_page(OVERRIDES_PLANS)
def add(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    plan = get_object_or_404(
        MissionPlan.objects.select_related("grid", "shift"), pk=plan_id, agency=access.agency
    )
    form = MissionAddForm(request.POST, agency=access.agency, plan=plan)
    try:
        if plan.grid is None:
            raise MissionsError(
                "This plan is not drawn yet.", next_step="wait for it, or look at its error and plan again."
            )
        if form.is_valid():
            mission = mission_add(plan=plan, actor=access.user, **form.for_service())
            messages.success(request, f"Mission {mission.number} added.")
        else:
            messages.error(
                request, " ".join(str(error) for errors in form.errors.values() for error in errors)
            )
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("patrols:board", access.agency.slug, plan.on.isoformat(), plan.shift.slug)


@require_GET
@agency_page(SEES_PLANS)
def print_sheets(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """One page per beat, legible in black and white."""
    shift, date = _instance(access, on, shift_slug)
    plan = plan_for(access.agency, shift, date)
    if plan is None or plan.grid is None:
        raise Http404("There is no plan for this shift yet.")
    rows = boards.mission_rows(missions_of(plan), zone=access.agency.time_zone, now=timezone.now())
    sheets = beat_sheets(access.agency, plan, boards.rows_by_beat(rows))
    return render(
        request, "patrols/print.html", {"access": access, "plan": plan, "shift": shift, "sheets": sheets}
    )


@require_GET
@agency_page(EVERYONE)
def type_styles(request: HttpRequest, access: Access) -> HttpResponse:
    return HttpResponse(
        boards.type_style_sheet(access.agency),
        content_type="text/css; charset=utf-8",
        headers={"Cache-Control": "private, max-age=300"},
    )
