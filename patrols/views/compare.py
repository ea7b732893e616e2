"""Two shifts side by side."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.selectors import current_or_next_shift_instance, leaflet_settings, shifts
from missions_project.lib.errors import MissionsError
from patrols.board_page import instance_of, load
from patrols.comparison import Side, comparison, side_address


@require_GET
@agency_page(SEES_PLANS)
def compare(request: HttpRequest, access: Access) -> HttpResponse:
    """Two shift instances: who goes where, how much they share, what became of it. At most 18 queries."""
    context: dict[str, object] = {"tab": "shift", "access": access, "shifts": shifts(access.agency)}
    try:
        shift, on = current_or_next_shift_instance(access.agency, timezone.now())
    except MissionsError as exc:
        return render(request, "patrols/no_shift.html", {"error": exc, "tab": "shift"})
    sides = []
    for name in ("a", "b"):
        date, slug = side_address(request.GET.get(name), request.GET.get(f"{name}_shift"), shift, on)
        sides.append(Side(name.upper(), load(request, access, instance_of(access, date, slug))))
    context |= {"a": sides[0], "b": sides[1], "sides": sides, "told": comparison(*sides)}
    context["leaflet"] = leaflet_settings(request, access.agency)
    context["looks"] = sides[0].loaded.looks
    return render(request, "patrols/compare.html", context)
