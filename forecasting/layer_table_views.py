"""What maps show, as pages of tables: every cell of a surface, every layer. Who may see the layer may read its table."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, SEES_RISK, Access, agency_page
from forecasting.layer_tables import (
    cells_context,
    context_table,
    incidents_context,
    own_table,
    places_context,
    tables_of,
)
from forecasting.layer_views import incidents_asked
from forecasting.risk_page import surface_or_404
from forecasting.selectors.layers import INCIDENT_DAYS


@require_GET
@agency_page(SEES_RISK)
def risk_cells(request: HttpRequest, access: Access, run_id: int, slug: str) -> HttpResponse:
    """Every cell of a surface by rank, a hundred a page, of a beat, a district or all. At most twelve queries."""
    surface = surface_or_404(access.agency, run_id, slug)
    context = cells_context(access.agency, surface, request.GET)
    context |= {"tab": "risk", "access": access, "surface": surface, "run": surface.run, "slug": slug}
    return render(request, "forecasting/cells.html", context)


@require_GET
@agency_page(EVERYONE)
def layer_tables(request: HttpRequest, access: Access) -> HttpResponse:
    """Which layers the maps show, each with its table. At most six queries."""
    return render(request, "forecasting/layer_tables.html", {"access": access, "tables": tables_of(access)})


@require_GET
@agency_page(EVERYONE)
def own(request: HttpRequest, access: Access, layer: str) -> HttpResponse:
    """Boundary, districts or beats. At most six queries."""
    title, drawn = own_table(access.agency, layer)
    found = places_context(access.agency, drawn, request.GET, with_beat=False)
    return _table(request, access, title, found)


@require_GET
@agency_page(EVERYONE)
def context(request: HttpRequest, access: Access, slug: str) -> HttpResponse:
    """What one context layer draws, of one beat or all. At most eight queries."""
    title, drawn = context_table(access.agency, slug)
    found = places_context(access.agency, drawn, request.GET, with_beat=True)
    return _table(request, access, title, found)


@require_GET
@agency_page(SEES_RISK)
def incidents(request: HttpRequest, access: Access) -> HttpResponse:
    """The dots of the incident layer, newest first, of one beat or all. At most nine queries."""
    found = incidents_context(access.agency, *incidents_asked(request, access), request.GET)
    found |= {"tab": "risk", "access": access, "days": INCIDENT_DAYS}
    return render(request, "forecasting/layer_incidents.html", found)


def _table(request: HttpRequest, access: Access, title: str, found: dict[str, Any]) -> HttpResponse:
    return render(request, "forecasting/layer_table.html", found | {"access": access, "title": title})
