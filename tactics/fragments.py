"""Tactics for pages of other rooms, which load them by address: a choice for added missions, lines for print-outs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agencies.access import OVERRIDES_PLANS, SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from tactics import selectors


@require_GET
@agency_page(OVERRIDES_PLANS)
def tactic_choices(request: HttpRequest, access: Access) -> HttpResponse:
    """A choice of tactics, those that suit the crime type first."""
    crime_type = pk_from_text(request.GET.get("crime_type"))
    suited, others = selectors.tactics_to_ask_for(access.agency, crime_type)
    return render(request, "tactics/_choices.html", {"suited": suited, "others": others})


@require_GET
@agency_page(SEES_PLANS)
def sheet_tactics(request: HttpRequest, access: Access) -> HttpResponse:
    """What to do at each of these missions, in a line, for the places that a print-out keeps for it. At most six queries."""
    keys = [pk_from_text(text) for text in request.GET.get("missions", "").split(",")[:2000]]
    return render(
        request, "tactics/_sheets.html", {"lines": selectors.tactics_of_missions(access.agency, keys)}
    )
