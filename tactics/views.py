"""The officer's page, and the tactics of a mission wherever they are shown."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agencies.access import CARRIES_OUT, RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import Unit
from agencies.selectors import leaflet_settings
from missions_project.lib.errors import MissionsError
from patrols.models import Mission
from patrols.selectors import mission_of
from patrols.services import visit_end, visit_start
from tactics import officer as pages
from tactics import selectors
from tactics.models import Tactic
from tactics.services import is_tickable, tactic_use_record
from tactics.starter import DIRECTED_PATROL_EVIDENCE

JUST_LEFT = dt.timedelta(minutes=30)


@dataclass(frozen=True)
class Acting:
    """On which unit's behalf the person acts. ``units`` may be picked from; only who runs shifts has any."""

    unit: Unit | None
    units: list[Unit]

    def address(self, access: Access, **query: object) -> str:
        """The officer's page, for the same unit."""
        if self.units and self.unit:
            query["unit"] = self.unit.call_sign
        text = urlencode({name: value for name, value in query.items() if value})
        return reverse("tactics:officer", args=[access.agency.slug]) + (f"?{text}" if text else "")


def _acting(request: HttpRequest, access: Access) -> Acting:
    """A person with a unit acts for it and no other; who runs shifts and has none picks one of their districts'."""
    if access.membership and access.membership.unit:
        return Acting(access.membership.unit, [])
    if not access.has(RUNS_SHIFTS):
        return Acting(None, [])
    districts = list(access.membership.districts.values_list("pk", flat=True)) if access.membership else []
    units = selectors.units_of(access.agency, district_ids=districts)
    wanted = request.POST.get("unit") or request.GET.get("unit")
    return Acting(next((unit for unit in units if unit.call_sign == wanted), None), units)


def _own(request: HttpRequest, access: Access, mission_id: int) -> tuple[Acting, Unit, Mission]:
    acting = _acting(request, access)
    mission = (
        selectors.unit_mission(access.agency, acting.unit, mission_id, now=timezone.now())
        if acting.unit
        else None
    )
    if acting.unit is None or mission is None:
        # Another unit's mission: whether it exists is not said.
        raise Http404("Your unit has no such mission.")
    return acting, acting.unit, mission


@require_GET
@agency_page(CARRIES_OUT)
def officer(request: HttpRequest, access: Access) -> HttpResponse:
    """The unit's missions of this shift, one of them large. At most 14 queries, however many missions."""
    acting, now = _acting(request, access), timezone.now()
    context: dict[str, Any] = {
        "tab": "officer",
        "access": access,
        "acting": acting,
        "is_night": pages.is_night(now, access.agency.time_zone),
    }
    if acting.unit:
        context |= _missions_context(request, access, acting, acting.unit, now)
    return render(request, "tactics/officer.html", context)


def _missions_context(
    request: HttpRequest, access: Access, acting: Acting, unit: Unit, now: dt.datetime
) -> dict[str, Any]:
    missions = selectors.unit_missions(access.agency, unit, now=now)
    mine = pages.my_missions(missions, unit=unit, zone=access.agency.time_zone, now=now)
    wanted = request.GET.get("mission", "")
    card = next((row for row in mine if str(row.mission.pk) == wanted), None) or pages.next_of(mine)
    context: dict[str, Any] = {
        "unit": unit,
        "mine": mine,
        "card": card,
        "running": next((row for row in mine if row.open_visit), None),
        "just_left": selectors.last_departure(access.agency, unit, since=now - JUST_LEFT),
        "home": acting.address(access),
    }
    if card:
        context |= _tactics_context(access, acting, unit, card.mission, now)
        context["leaflet"] = leaflet_settings(request, access.agency)
        if card.open_visit:
            seconds = (now - card.open_visit.arrived_at).total_seconds()
            context["seconds"] = int(seconds)
            context["percent"] = pages.dose_percent(seconds, card.mission.dose_minutes)
    return context


def _tactics_context(
    access: Access, acting: Acting, unit: Unit, mission: Mission, now: dt.datetime
) -> dict[str, Any]:
    visit = selectors.latest_visit(mission, unit)
    used = {use.tactic_id for use in selectors.uses_of(visit)} if visit else set()
    recommended = selectors.recommended_tactics(mission)
    return {
        "access": access,
        "acting": acting,
        "unit": unit,
        "mission": mission,
        "visit": visit,
        "may_tick": bool(visit and is_tickable(visit, now)),
        "used": used,
        "recommended": recommended,
        "others": selectors.other_tactics(access.agency, recommended),
        "evidence_of_patrol": DIRECTED_PATROL_EVIDENCE,
    }


@require_POST
@agency_page(CARRIES_OUT)
def arrive(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Start the timer here; a timer that ran elsewhere stops, and the page says so."""
    acting, unit, mission = _own(request, access, mission_id)
    try:
        started = visit_start(mission=mission, unit=unit, officer=access.user, at=timezone.now())
    except MissionsError as exc:
        messages.error(request, str(exc))
        return redirect(acting.address(access, mission=mission_id))
    for visit in started.ended:
        messages.warning(
            request,
            f"Left mission {visit.mission.number} after {visit.minutes:.0f} min: one timer at a time.",
        )
    return redirect(acting.address(access))


@require_POST
@agency_page(CARRIES_OUT)
def leave(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Stop the timer here. Pressed twice, the second press changes nothing."""
    acting, unit, mission = _own(request, access, mission_id)
    visit_end(mission=mission, unit=unit, at=timezone.now())
    return redirect(acting.address(access))


@require_POST
@agency_page(CARRIES_OUT)
def tactic(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Tick a tactic off, or take the tick back; htmx gets the rows alone, a plain form the page."""
    acting, unit, mission = _own(request, access, mission_id)
    chosen = get_object_or_404(Tactic, pk=pk_from_text(request.POST.get("tactic")), agency=access.agency)
    visit, is_used, now = (
        selectors.latest_visit(mission, unit),
        request.POST.get("used") == "1",
        timezone.now(),
    )
    error = ""
    try:
        if visit is None:
            raise MissionsError("You have not been here yet.", next_step="press Arrived first.")
        tactic_use_record(engagement=visit, tactic=chosen, is_used=is_used, officer=access.user, at=now)
    except MissionsError as exc:
        error = str(exc)
    if request.htmx:  # type: ignore[attr-defined]  # django-htmx's middleware
        context = _tactics_context(access, acting, unit, mission, now)
        return render(request, "tactics/_rows.html", context | {"error": error})
    if error:
        messages.error(request, error)
    return redirect(acting.address(access, mission=mission_id) + "#tactics")


@require_GET
@agency_page(CARRIES_OUT)
def place(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """The box, its beat, the streets near it and the unit's other boxes, for the small map."""
    _, unit, mission = _own(request, access, mission_id)
    if mission.plan.grid is None:
        raise Http404("The plan has no grid.")
    missions = selectors.unit_missions(access.agency, unit, now=timezone.now())
    data = pages.place_geojson(
        mission,
        [other for other in missions if other.pk != mission.pk],
        beat_geometry=selectors.beat_geometry(access.agency, mission.beat_id),
        streets=selectors.street_features(access.agency),
    )
    return JsonResponse(
        data, content_type="application/geo+json", headers={"Cache-Control": "private, max-age=300"}
    )


@require_GET
@agency_page(SEES_PLANS)
def mission_tactics(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """What to do at a mission, what is known about it, and what was ticked so far. At most seven queries."""
    mission = mission_of(access.agency, mission_id)
    if mission is None:
        raise Http404("No such mission.")
    context = {
        "access": access,
        "mission": mission,
        "recommended": selectors.recommended_tactics(mission),
        "uses": selectors.uses_at(mission),
        "evidence_of_patrol": DIRECTED_PATROL_EVIDENCE,
    }
    return render(request, "tactics/mission_tactics.html", context)
