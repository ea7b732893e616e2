"""The model card and its charts."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from agencies.access import SEES_RISK, Access, agency_page
from agencies.models import CrimeType
from forecasting import charts, drift_chart
from forecasting.model_card import card_context
from forecasting.models import ModelVersion
from forecasting.selectors import drift_of
from forecasting.views import conditional

SVG = "image/svg+xml"
CHARTS: dict[str, Callable[[ModelVersion], bytes]] = {
    "hit-rate": charts.hit_rate_svg,
    "curve": charts.curve_svg,
    "reliability": charts.reliability_svg,
    "ablation": charts.ablation_svg,
}


@require_GET
@agency_page(SEES_RISK)
def model(request: HttpRequest, access: Access, slug: str) -> HttpResponse:
    """The model card of one crime type: what is live, how it was tested, how it has done since. At most ten queries."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    rows = ModelVersion.objects.filter(crime_type=crime_type).select_related("approved_by").defer("summary")
    versions = list(rows)
    asked = request.GET.get("v", "")
    chosen = next((row for row in versions if (str(row.number) == asked if asked else row.is_live)), None)
    if asked and chosen is None:
        raise Http404("No such model.")
    context = {
        "tab": "risk",
        "access": access,
        "crime_type": crime_type,
        "versions": versions,
        "version": None,
    }
    newest_decided = max((row.number for row in versions if row.is_live), default=0)
    # An older one that was never approved is no news beside a newer model in service.
    context["waiting"] = [
        row for row in versions if row.state == ModelVersion.State.TRAINED and row.number > newest_decided
    ]
    if chosen is not None:
        full = ModelVersion.objects.select_related("agency", "crime_type", "grid", "run", "approved_by")
        context["version"] = version = full.defer("grid__spec").get(pk=chosen.pk)
        context |= card_context(crime_type, version)
    return render(request, "forecasting/model.html", context)


@require_GET
@agency_page(SEES_RISK)
def model_svg(request: HttpRequest, access: Access, slug: str, number: int, chart: str) -> HttpResponseBase:
    """One chart of the card; the same version gives the same bytes."""
    version = get_object_or_404(ModelVersion, agency=access.agency, crime_type__slug=slug, number=number)
    etag = f'"{charts.VERSION}-{chart}-{version.artefact_hash[:24]}-{version.pk}"'
    return conditional(request, etag, lambda: CHARTS[chart](version), SVG)


@require_GET
@agency_page(SEES_RISK)
def model_drift_svg(request: HttpRequest, access: Access, slug: str, number: int) -> HttpResponseBase:
    """The weeks since the version went live."""
    rows = ModelVersion.objects.select_related("agency").defer("summary")
    version = get_object_or_404(rows, agency=access.agency, crime_type__slug=slug, number=number)
    drift = drift_of(version)
    return conditional(request, drift_chart.etag(version, drift), lambda: drift_chart.drift_svg(drift), SVG)
