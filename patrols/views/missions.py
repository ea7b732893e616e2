"""One mission: why a car is sent there, and what may be changed about it."""

from collections.abc import Callable

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import OVERRIDES_PLANS, RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from patrols import board as boards
from patrols.areas import cells_of_area
from patrols.forms import MoveForm, ReasonForm, SwapForm, UnitForm
from patrols.models import Mission
from patrols.selectors import cell_history, mission_of, why_here_of
from patrols.services import mission_assign, mission_move, mission_swap, mission_withdraw


def _mission(access: Access, mission_id: int) -> Mission:
    mission = mission_of(access.agency, mission_id)
    if mission is None:
        raise Http404(_("No such mission."))
    return mission


@require_GET
@agency_page(SEES_PLANS)
def drawer(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Why a car is sent here, what to do, what was done before, and what may be changed."""
    return render(request, "patrols/_drawer.html", _drawer_context(access, _mission(access, mission_id)))


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
        "move_form": MoveForm(mission=mission, zone=access.agency.time_zone, auto_id="move_%s"),
        "swap_form": SwapForm(auto_id="swap_%s"),
        "reason_form": ReasonForm(auto_id="withdraw_%s"),
    }


def _changed(
    request: HttpRequest,
    access: Access,
    mission_id: int,
    name: str,
    form: forms.Form,
    change: Callable[[], Mission | None],
) -> HttpResponse:
    """Make the change if the form is valid, and show the drawer again: with the mission, its successor, or the problem."""
    context: dict[str, object] = {}
    shown = mission_id
    if form.is_valid():
        try:
            successor = change()
            shown = successor.pk if successor else mission_id
        except MissionsError as exc:
            context["error"] = str(exc)
        except ValidationError as exc:
            context["error"] = " ".join(exc.messages)
    else:
        context |= {name: form, "opened": name}
    response = render(
        request, "patrols/_drawer.html", _drawer_context(access, _mission(access, shown)) | context
    )
    # The list beside the drawer hears this and loads itself again.
    response["HX-Trigger"] = "missions-changed"
    return response


@require_POST
@agency_page(RUNS_SHIFTS)
def assign(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Send a unit. A drag or a key on the list (``quiet``) gets 204 or a line of text, the drawer's form the drawer."""
    mission = _mission(access, mission_id)
    form = UnitForm(request.POST, agency=access.agency, mission=mission)

    def change() -> None:
        mission_assign(mission=mission, unit=form.cleaned_data["unit"], actor=access.user)

    if not request.POST.get("quiet"):
        return _changed(request, access, mission_id, "unit_form", form, change)
    if not form.is_valid():
        return HttpResponse(_("There is no such unit."), status=400, content_type="text/plain; charset=utf-8")
    try:
        change()
    except MissionsError as exc:
        return HttpResponse(str(exc), status=409, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


@require_POST
@agency_page(OVERRIDES_PLANS)
def withdraw(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    mission, form = _mission(access, mission_id), ReasonForm(request.POST, auto_id="withdraw_%s")
    return _changed(
        request, access, mission_id, "reason_form", form,
        lambda: mission_withdraw(mission=mission, reason=form.cleaned_data["reason"], actor=access.user),
    )  # fmt: skip


@require_POST
@agency_page(OVERRIDES_PLANS)
def move(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    mission = _mission(access, mission_id)
    form = MoveForm(request.POST, mission=mission, zone=access.agency.time_zone, auto_id="move_%s")

    def change() -> None:
        mission_move(
            mission=mission, starts=form.starts(), reason=form.cleaned_data["reason"], actor=access.user
        )

    return _changed(request, access, mission_id, "move_form", form, change)


@require_POST
@agency_page(OVERRIDES_PLANS)
def swap(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    mission, form = _mission(access, mission_id), SwapForm(request.POST, auto_id="swap_%s")

    def change() -> Mission:
        grid = mission.plan.grid
        cells = (
            cells_of_area(GridSpec.from_bytes(bytes(grid.spec)), form.cleaned_data["area"]) if grid else []
        )
        if len(cells) != 1:
            raise MissionsError(
                _("This is not one cell of the grid."), next_step=_("click one cell inside a beat.")
            )
        reason = form.cleaned_data["reason"]
        return mission_swap(mission=mission, cell_id=cells[0], reason=reason, actor=access.user)

    return _changed(request, access, mission_id, "swap_form", form, change)
