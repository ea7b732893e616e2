"""Beside the list: notes from shift to shift, and standing changes that hold in this shift."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from agencies.access import OVERRIDES_PLANS, RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from agencies.selectors import shift_instance_of
from missions_project.lib.errors import MissionsError
from patrols.board_page import Instance, instance_of
from patrols.board_selectors import additions_in, hand_over_notes, shift_before, suppressions_in
from patrols.forms import HandOverForm
from patrols.models import Addition, Suppression
from patrols.services import addition_end, hand_over_write, suppression_end


def _notes_context(access: Access, instance: Instance) -> dict[str, object]:
    agency, shift, on = access.agency, instance.shift, instance.on
    earlier = shift_before(agency, instance.all_shifts, shift, on)
    context: dict[str, object] = {
        "access": access,
        "instance": instance,
        "earlier": earlier,
        "notes_before": hand_over_notes(agency, *earlier) if earlier else [],
        "own_notes": hand_over_notes(agency, shift, on),
        "form": HandOverForm(auto_id="hand_over_%s"),
    }
    try:
        period = shift_instance_of(agency, shift, on)
    except MissionsError:
        return context
    return context | {
        "suppressions": suppressions_in(agency, period),
        "additions": additions_in(agency, shift, period),
    }


@require_GET
@agency_page(SEES_PLANS)
def notes(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """The notes of this shift and the one before, and what is suppressed or added. At most nine queries."""
    return render(request, "patrols/_notes.html", _notes_context(access, instance_of(access, on, shift_slug)))


@require_POST
@agency_page(RUNS_SHIFTS)
def hand_over(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Leave a note to the next shift."""
    instance, form = instance_of(access, on, shift_slug), HandOverForm(request.POST, auto_id="hand_over_%s")
    error = ""
    if form.is_valid():
        try:
            hand_over_write(
                agency=access.agency, shift=instance.shift, on=instance.on, text=form.cleaned_data["text"], actor=access.user
            )  # fmt: skip
        except MissionsError as exc:
            error = str(exc)
        except ValidationError as exc:
            error = " ".join(exc.messages)
    context = _notes_context(access, instance)
    if error or not form.is_valid():
        context |= {"form": form, "error": error}
    return render(request, "patrols/_notes.html", context)


@require_POST
@agency_page(OVERRIDES_PLANS)
def suppression_stop(
    request: HttpRequest, access: Access, on: str, shift_slug: str, row_id: int
) -> HttpResponse:
    """End a suppression now."""
    row = get_object_or_404(Suppression, pk=row_id, agency=access.agency)
    context: dict[str, object] = {}
    try:
        suppression_end(suppression=row, actor=access.user)
    except MissionsError as exc:
        context["error"] = str(exc)
    context = _notes_context(access, instance_of(access, on, shift_slug)) | context
    return render(request, "patrols/_notes.html", context)


@require_POST
@agency_page(OVERRIDES_PLANS)
def addition_stop(
    request: HttpRequest, access: Access, on: str, shift_slug: str, row_id: int
) -> HttpResponse:
    """End an addition now."""
    row = get_object_or_404(Addition, pk=row_id, agency=access.agency)
    context: dict[str, object] = {}
    try:
        addition_end(addition=row, actor=access.user)
    except MissionsError as exc:
        context["error"] = str(exc)
    context = _notes_context(access, instance_of(access, on, shift_slug)) | context
    return render(request, "patrols/_notes.html", context)
