"""Map layers of an agency, for every page with a map. Each answers 304 while what it shows is unchanged."""

import datetime as dt

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, SEES_RISK, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import CrimeType
from forecasting.risk_page import HARM
from forecasting.selectors import layers, succeeded_forecasts
from ingestion.models import ContextLayer

GEOJSON = "application/geo+json"


def _respond(request: HttpRequest, layer: layers.MapLayer) -> HttpResponseBase:
    response = get_conditional_response(request, etag=layer.etag)
    if response is None:
        response = HttpResponse(layer.body(), content_type=GEOJSON)
    response["ETag"] = layer.etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_GET
@agency_page(EVERYONE)
def layer_index(request: HttpRequest, access: Access) -> HttpResponse:
    """Which layers a map can show, and where they are. At most five queries."""
    slug = access.agency.slug
    rows = layers.layer_rows(access.agency)
    for row in rows:
        if row["kind"] in ContextLayer.Kind.values:
            row["url"] = reverse("forecasting:layer_context", args=[slug, row["slug"]])
        else:
            row["url"] = reverse(f"forecasting:layer_{row['kind']}", args=[slug])
    return JsonResponse({"extent": layers.layer_extent(access.agency), "layers": rows})


@gzip_page
@require_GET
@agency_page(EVERYONE)
def layer_boundary(request: HttpRequest, access: Access) -> HttpResponseBase:
    return _respond(request, layers.boundary_layer(access.agency))


@gzip_page
@require_GET
@agency_page(EVERYONE)
def layer_beats(request: HttpRequest, access: Access) -> HttpResponseBase:
    return _respond(request, layers.beats_layer(access.agency))


@gzip_page
@require_GET
@agency_page(EVERYONE)
def layer_districts(request: HttpRequest, access: Access) -> HttpResponseBase:
    return _respond(request, layers.districts_layer(access.agency))


@gzip_page
@require_GET
@agency_page(EVERYONE)
def layer_context(request: HttpRequest, access: Access, slug: str) -> HttpResponseBase:
    layer = layers.context_layer(access.agency, slug)
    if layer is None:
        raise Http404("No such layer.")
    return _respond(request, layer)


@gzip_page
@require_GET
@agency_page(SEES_RISK)
def layer_incidents(request: HttpRequest, access: Access) -> HttpResponseBase:
    """Where crimes were reported in the 28 days before a forecast's shift (``run``), or before now."""
    return _respond(request, layers.incidents_layer(access.agency, *incidents_asked(request, access)))


def incidents_asked(request: HttpRequest, access: Access) -> tuple[CrimeType | None, dt.datetime]:
    """Read whose incidents are asked for: one crime type (``type``) or all, and before when. At most two queries."""
    slug, run_id = request.GET.get("type", HARM), request.GET.get("run", "")
    crime_type = None if slug == HARM else get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    if not run_id:
        return crime_type, timezone.now()
    run = succeeded_forecasts(access.agency).filter(pk=pk_from_text(run_id)).first()
    if run is None:
        raise Http404("No such forecast.")
    return crime_type, run.as_of
