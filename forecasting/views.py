"""The analyst's pages: risk map, a cell's drawer, exports."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import EXPORTS, RUNS_SHIFTS, SEES_RISK, Access, agency_page
from agencies.lookups import date_from_text, shift_by_slug
from agencies.models import Beat
from agencies.selectors import leaflet_settings
from forecasting import exports
from forecasting.engine.grid import project
from forecasting.overlay import mercator_frame, overlay_png
from forecasting.reason_words import why_said
from forecasting.risk_page import (
    Surface,
    cell_polygon,
    choose,
    risk_context,
    surface_or_404,
    top_cells,
)
from forecasting.selectors import cell_beats, run_grid, why_here
from forecasting.services import forecast_ask
from forecasting.tasks import forecast_run_task
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import csv_response

FORECASTS = RUNS_SHIFTS | frozenset({"analyst"})
GEOJSON = "application/geo+json"


@require_GET
@agency_page(SEES_RISK)
def risk(request: HttpRequest, access: Access) -> HttpResponse:
    """The risk map. At most 24 queries, however many cells."""
    query = request.GET
    chosen = choose(
        access.agency, slug=query.get("type", ""), shift_slug=query.get("shift", ""), on=query.get("date", "")
    )
    context = risk_context(access.agency, chosen)
    context["access"] = access
    context["may_forecast"] = access.has(FORECASTS)
    context["leaflet"] = leaflet_settings(request, access.agency)
    if surface := context.get("surface"):
        context["bounds"] = mercator_frame(surface.spec).bounds
    return render(request, "forecasting/risk.html", context)


@require_POST
@agency_page(FORECASTS)
def risk_forecast(request: HttpRequest, access: Access) -> HttpResponse:
    """Queue a forecast of one shift instance, then show the page that waits for it."""
    try:
        shift = shift_by_slug(access.agency, request.POST.get("shift", ""))
        on = date_from_text(request.POST.get("date", ""))
        run = forecast_ask(agency=access.agency, shift=shift, on=on, person=access.user)
    except MissionsError as exc:
        messages.error(request, str(exc))
        return redirect("forecasting:risk", access.agency.slug)
    forecast_run_task.delay_on_commit(run.pk)
    address = reverse("forecasting:risk", args=[access.agency.slug])
    return redirect(f"{address}?shift={shift.slug}&date={on.isoformat()}&type={request.POST.get('type', '')}")


@require_GET
@agency_page(SEES_RISK)
def risk_png(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponseBase:
    """The surface as one picture. At most six queries."""
    surface = surface_or_404(access.agency, run_id, slug)
    return conditional(request, surface.etag, lambda: overlay_png(surface.spec, surface.values), "image/png")


@require_GET
@agency_page(SEES_RISK)
def risk_top(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponse:
    """The highest cells as squares."""
    surface = surface_or_404(access.agency, run_id, slug)
    features = [
        {
            "type": "Feature",
            "id": row["cell_id"],
            "geometry": cell_polygon(surface.spec, row["position"]),
            "properties": row,
        }
        for row in top_cells(surface)
    ]
    return JsonResponse({"type": "FeatureCollection", "features": features}, content_type=GEOJSON)


@require_GET
@agency_page(SEES_RISK)
def risk_cell(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponse:
    """One cell: expected counts by type, and why. A place outside the grid gets a line that says so."""
    surface = surface_or_404(access.agency, run_id, slug)
    position = _position(request, surface)
    if position < 0:
        return render(request, "forecasting/_cell.html", {"outside": True})
    context = _cell_context(surface, position)
    try:
        context["why"] = why_said(why_here(surface.run, [position], context["why_type"])[0])
    except MissionsError as exc:
        context["error"] = exc
    return render(request, "forecasting/_cell.html", context | {"access": access})


def _position(request: HttpRequest, surface: Surface) -> int:
    try:
        if cell_id := request.GET.get("cell"):
            return int(surface.spec.index_of([int(cell_id)])[0])
        lon, lat = float(request.GET["lon"]), float(request.GET["lat"])
        return int(surface.spec.locate(*project([lon], [lat], surface.spec.epsg))[0])
    except (KeyError, ValueError, OverflowError) as exc:
        raise Http404(_("Name a cell, or a longitude and latitude.")) from exc


def _cell_context(surface: Surface, position: int) -> dict[str, Any]:
    counts = [(row, float(values[position])) for row, values in surface.expected.items()]
    heaviest = max(counts, key=lambda item: item[0].weight * item[1])[0]
    beat = Beat.objects.filter(pk=int(cell_beats(run_grid(surface.run))[position])).defer("geometry").first()
    return {
        "surface": surface,
        "cell_id": int(surface.spec.cells[position]),
        "polygon": cell_polygon(surface.spec, position),
        "beat": beat,
        "counts": counts,
        "value": float(surface.values[position]),
        "rank": int((surface.values >= surface.values[position]).sum()),
        "why_type": surface.crime_type or heaviest,
    }


@require_GET
@agency_page(EXPORTS)
def risk_csv(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponseBase:
    surface = surface_or_404(access.agency, run_id, slug)
    return csv_response(
        f"{_file_name(access, surface)}.csv",
        about=exports.surface_about(surface),
        columns=exports.surface_columns(surface),
        rows=exports.surface_rows(surface),
    )


@require_GET
@agency_page(EXPORTS)
def risk_geojson(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponseBase:
    surface = surface_or_404(access.agency, run_id, slug)
    response = StreamingHttpResponse(exports.surface_geojson(surface), content_type=GEOJSON)
    response["Content-Disposition"] = f'attachment; filename="{_file_name(access, surface)}.geojson"'
    return response


def _file_name(access: Access, surface: Surface) -> str:
    return f"{access.agency.slug}-risk-{surface.slug}-{surface.run.on:%Y-%m-%d}-{surface.run.shift.slug}"


def conditional(
    request: HttpRequest, etag: str, make: Callable[[], bytes], content_type: str
) -> HttpResponseBase:
    """304 where the browser's copy is still right; otherwise the body. Each use asks again: access may have ended."""
    if (language := get_language()) != settings.LANGUAGE_CODE:
        # A chart has words: a copy that was drawn for readers of another language is not right.
        etag = f'{etag[:-1]}-{language}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(make(), content_type=content_type)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response
