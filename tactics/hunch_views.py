"""Officers' hunches: logged on the phone, read and answered by the analyst."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agencies.access import CARRIES_OUT, MAPS_CODES, SEES_RISK, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import CrimeType
from agencies.selectors import active_crime_types, leaflet_settings
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from tactics import hunch_page, phone, selectors
from tactics import officer as pages
from tactics.hunch_scores import hunch_scores
from tactics.models import Hunch
from tactics.services import PERIOD_DAYS, hunch_answer, hunch_log


@require_http_methods(["GET", "POST"])
@agency_page(CARRIES_OUT)
def hunch(request: HttpRequest, access: Access) -> HttpResponse:
    """Log a place where something is expected, with a reason; what was typed stays in the form when it is refused."""
    base = reverse("tactics:officer", args=[access.agency.slug])
    context = phone.shared_context(request, access, base=base, now=timezone.now())
    error = _log(request, access) if request.method == "POST" else ""
    if request.method == "POST" and not error:
        return redirect("tactics:hunch", access.agency.slug)
    context |= {
        "error": error,
        "typed": request.POST,
        "types": active_crime_types(access.agency),
        "periods": PERIOD_DAYS,
        "leaflet": leaflet_settings(request, access.agency),
        "own": hunch_page.own_hunches(access.agency, access.user),
    }
    response = render(request, "tactics/hunch.html", context, status=422 if error else 200)
    return phone.with_place(response, context["may_locate"])


@require_GET
@agency_page(CARRIES_OUT)
def hunch_area(request: HttpRequest, access: Access) -> HttpResponse:
    """The beats, and the streets of the person's own, to find the place on the map."""
    unit = access.membership.unit if access.membership else None
    data = pages.area_geojson(
        selectors.beat_outlines(access.agency),
        own=unit.beat.code if unit and unit.beat else "",
        streets=selectors.street_features(access.agency),
    )
    return JsonResponse(
        data, content_type="application/geo+json", headers={"Cache-Control": "private, max-age=300"}
    )


def _log(request: HttpRequest, access: Access) -> str:
    """Try to log what was sent. The message for the officer where it is refused, else none."""
    sent = request.POST
    crime_type = CrimeType.objects.filter(
        agency=access.agency, pk=pk_from_text(sent.get("crime_type"))
    ).first()
    try:
        number, lon, lat = uuid.UUID(sent.get("number", "")), float(sent["lon"]), float(sent["lat"])
    except (ValueError, KeyError):
        return _("No place is chosen yet. Next step: tap the map.")
    if crime_type is None:
        return _("No crime type is chosen yet. Next step: choose one of the list.")
    try:
        hunch_log(
            agency=access.agency,
            number=number,
            officer=access.user,
            unit=access.membership.unit if access.membership else None,
            lon=lon,
            lat=lat,
            crime_type=crime_type,
            days=pk_from_text(sent.get("days")),
            reason=sent.get("reason", ""),
        )
    except MissionsError as exc:
        return str(exc)
    messages.success(request, _("Logged. An analyst will look at it; it sends nobody anywhere."))
    return ""


@require_GET
@agency_page(SEES_RISK)
def hunches(request: HttpRequest, access: Access) -> HttpResponse:
    """The agency's hunches, newest first, and how all of them together did."""
    scores = hunch_scores(access.agency, now=timezone.now())
    context = {
        "tab": "hunches",
        "access": access,
        "rows": hunch_page.hunch_rows(access.agency, status=request.GET.get("status", "")),
        "statuses": Hunch.Status.choices,
        "status": request.GET.get("status", ""),
        "scores": scores,
        "score_rows": hunch_page.score_rows(scores),
        "may_answer": access.has(MAPS_CODES),
    }
    return render(request, "tactics/hunches.html", context)


@require_POST
@agency_page(MAPS_CODES)
def hunch_status(request: HttpRequest, access: Access, row_id: int) -> HttpResponse:
    """The analyst's answer to one hunch."""
    row = get_object_or_404(Hunch, pk=row_id, agency=access.agency)
    try:
        hunch_answer(
            hunch=row,
            status=request.POST.get("status", ""),
            answer=request.POST.get("answer", ""),
            actor=access.user,
        )
        audit_record(
            agency=access.agency,
            actor=access.user,
            action="hunch answered",
            subject=row,
            detail={"hunch": row.pk, "status": row.status},
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect(reverse("tactics:hunches", args=[access.agency.slug]) + f"#hunch-{row.pk}")
