"""The model card and its charts."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_RISK, Access, agency_page
from agencies.models import CrimeType
from forecasting import charts, comparison_chart, drift_chart
from forecasting.comparison import compared_versions, comparison_context
from forecasting.model_card import card_context, listed_versions, waiting_newer
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
    """The model card of one crime type: what is live, how it was tested, how it has done since. At most 13 queries."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    versions = listed_versions(crime_type)
    asked = request.GET.get("v", "")
    chosen = next((row for row in versions if (str(row.number) == asked if asked else row.is_live)), None)
    if asked and chosen is None:
        raise Http404(_("No such model."))
    context = {"tab": "risk", "access": access, "crime_type": crime_type, "versions": versions}
    context |= {"waiting": waiting_newer(versions)}
    context |= card_context(crime_type, chosen.pk) if chosen else {"version": None}
    return render(request, "forecasting/model.html", context)


@require_GET
@agency_page(SEES_RISK)
def model_compare(
    request: HttpRequest, access: Access, slug: str, number: int, beside: int | None = None
) -> HttpResponse:
    """One version beside the live one (or beside another): what differs, before somebody approves. At most 12 queries."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    one, other = compared_versions(access.agency, crime_type, number, beside)
    if one is None or (other is None and beside is not None):
        raise Http404(_("No such model."))
    context = {"tab": "risk", "access": access, "crime_type": crime_type, "one": one, "other": None}
    if other is not None:
        context |= comparison_context(access.agency, one, other)
    return render(request, "forecasting/compare.html", context)


@require_GET
@agency_page(SEES_RISK)
def model_compare_svg(
    request: HttpRequest, access: Access, slug: str, number: int, beside: int
) -> HttpResponseBase:
    """Both champions' hit rate and PAI by flagged area."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    one, other = compared_versions(access.agency, crime_type, number, beside)
    if one is None or other is None:
        raise Http404(_("No such model."))
    etag = comparison_chart.etag(one, other)
    return conditional(request, etag, lambda: comparison_chart.comparison_svg(one, other), SVG)


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
