"""Adding missions and suppressing areas from the map, and what either would do, before it is done."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_POST

from agencies.access import OVERRIDES_PLANS, Access, agency_page
from agencies.selectors import shift_instance_of
from missions_project.lib.errors import MissionsError
from patrols import changes
from patrols.board_page import instance_of, load
from patrols.forms import MissionAddForm, SuppressForm
from patrols.models import MissionPlan


def _done(request: HttpRequest, words: str, notes: list[str] | None = None) -> HttpResponse:
    response = render(request, "patrols/_done.html", {"words": words, "notes": notes or []})
    response["HX-Trigger"] = "missions-changed"
    return response


def _problem(exc: MissionsError | ValidationError) -> str:
    return " ".join(exc.messages) if isinstance(exc, ValidationError) else str(exc)


@require_http_methods(["GET", "POST"])
@agency_page(OVERRIDES_PLANS)
def add(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    """The form for a click or a box on the map, and what becomes of it."""
    plan = get_object_or_404(
        MissionPlan.objects.select_related("grid", "shift"), pk=plan_id, agency=access.agency
    )
    form = MissionAddForm(request.POST or None, agency=access.agency, plan=plan, auto_id="add_%s")
    context: dict[str, Any] = {"access": access, "plan": plan, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            return _done(request, changes.add_missions(access, plan, form))
        except (MissionsError, ValidationError) as exc:
            context["error"] = _problem(exc)
    return render(request, "patrols/_add.html", context)


@require_http_methods(["GET", "POST"])
@agency_page(OVERRIDES_PLANS)
def suppress(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """The form for a cell, an area or a beat kept out of draws, and what becomes of it."""
    instance = instance_of(access, on, shift_slug)
    form = SuppressForm(request.POST or None, agency=access.agency, auto_id="suppress_%s")
    context: dict[str, Any] = {"access": access, "instance": instance, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            _from, period_to = shift_instance_of(access.agency, instance.shift, instance.on)
            loaded = load(request, access, instance)
            return _done(request, *changes.suppress(access, loaded, form, period_to))
        except (MissionsError, ValidationError) as exc:
            context["error"] = _problem(exc)
    return render(request, "patrols/_suppress.html", context)


@require_POST
@agency_page(OVERRIDES_PLANS)
def change_preview(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """What the override meter becomes if the form beside it is sent, and which cells it means."""
    loaded = load(request, access, instance_of(access, on, shift_slug))
    try:
        context: dict[str, Any] = {"preview": changes.preview(access, loaded, request.POST)}
    except MissionsError as exc:
        context = {"error": str(exc)}
    return render(request, "patrols/_preview.html", context)
