"""Pages of this room under an agency's address: how the data is doing."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from agencies.access import SEES_RISK, Access, agency_page
from ingestion.models import FACT_KINDS
from ingestion.selectors import feeds_with_health, quarantine_summary


@require_GET
@agency_page(SEES_RISK)
def data(request: HttpRequest, access: Access) -> HttpResponse:
    """One row per feed: last run, counts, health in words."""
    context = {
        "tab": "data",
        "zone": ZoneInfo(access.agency.time_zone),
        "feeds": feeds_with_health(access.agency, now=timezone.now()),
        "quarantine": quarantine_summary(access.agency),
        "fact_kinds": FACT_KINDS,
    }
    return render(request, "ingestion/data.html", context)
