"""The officer's page, and the tactics of a mission wherever they are shown."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import CARRIES_OUT, SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import Unit
from agencies.selectors import leaflet_settings
from missions_project.lib.errors import MissionsError
from patrols.models import Mission
from patrols.selectors import mission_of
from patrols.services import visit_end, visit_start
from tactics import officer as pages
from tactics import phone, selectors
from tactics.models import Tactic
from tactics.phone import Acting
from tactics.reports.activity import activity_is_open
from tactics.services import is_tickable, tactic_use_record, visit_note_record
from tactics.starter import DIRECTED_PATROL_EVIDENCE

JUST_LEFT = dt.timedelta(minutes=30)


@require_GET
@agency_page(CARRIES_OUT)
def officer(request: HttpRequest, access: Access) -> HttpResponse:
    """The unit's missions of this shift, one of them large. At most 16 queries, however many missions."""
    acting, now = phone.acting(request, access), timezone.now()
    base = reverse("tactics:officer", args=[access.agency.slug])
    context = phone.shared_context(request, access, base=base, now=now) | {"acting": acting}
    context["has_activity"] = activity_is_open(access)
    if acting.unit:
        context |= _missions_context(request, access, acting, acting.unit, now)
    return phone.with_place(render(request, "tactics/officer.html", context), context["may_locate"])


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
        context |= {"leaflet": leaflet_settings(request, access.agency)} | timer_context(card, now)
    return context


def timer_context(card: pages.MyMission, now: dt.datetime) -> dict[str, Any]:
    """How long the timer of the large card has run, and how much of the recommended stay that is."""
    seconds = (now - card.open_visit.arrived_at).total_seconds() if card.open_visit else 0.0
    return {"seconds": int(seconds), "percent": pages.dose_percent(seconds, card.mission.dose_minutes)}


def _tactics_context(
    access: Access, acting: Acting, unit: Unit, mission: Mission, now: dt.datetime
) -> dict[str, Any]:
    visit = selectors.latest_visit(mission, unit)
    used = {use.tactic_id for use in selectors.uses_of(visit)} if visit else set()
    notes = [note.text for note in selectors.notes_of(visit)] if visit else []
    recommended = selectors.recommended_tactics(mission)
    return {
        "access": access,
        "acting": acting,
        "unit": unit,
        "mission": mission,
        "visit": visit,
        "may_tick": bool(visit and is_tickable(visit, now)),
        "used": used,
        "notes": notes,
        "recommended": recommended,
        "others": selectors.other_tactics(access.agency, recommended),
        "evidence_of_patrol": DIRECTED_PATROL_EVIDENCE,
    }


@require_POST
@agency_page(CARRIES_OUT)
def arrive(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Start the timer here; a timer that ran elsewhere stops, and the page says so."""
    acting, unit, mission = phone.own_mission(request, access, mission_id)
    try:
        started = visit_start(mission=mission, unit=unit, officer=access.user, at=timezone.now())
    except MissionsError as exc:
        messages.error(request, str(exc))
        return redirect(acting.address(access, mission=mission_id))
    for visit in started.ended:
        messages.warning(
            request,
            _("Left mission %(number)s after %(minutes)s min: one timer at a time.")
            % {"number": visit.mission.number, "minutes": f"{visit.minutes:.0f}"},
        )
    return redirect(acting.address(access))


@require_POST
@agency_page(CARRIES_OUT)
def leave(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Stop the timer here. Pressed twice, the second press changes nothing."""
    acting, unit, mission = phone.own_mission(request, access, mission_id)
    visit_end(mission=mission, unit=unit, at=timezone.now())
    return redirect(acting.address(access))


@require_POST
@agency_page(CARRIES_OUT)
def tactic(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Tick a tactic off, or take the tick back, without the page's scripts."""
    acting, unit, mission = phone.own_mission(request, access, mission_id)
    chosen = get_object_or_404(Tactic, pk=pk_from_text(request.POST.get("tactic")), agency=access.agency)
    visit, is_used = selectors.latest_visit(mission, unit), request.POST.get("used") == "1"
    try:
        if visit is None:
            raise MissionsError(_("You have not been here yet."), next_step=_("press Arrived first."))
        tactic_use_record(
            engagement=visit, tactic=chosen, is_used=is_used, officer=access.user, at=timezone.now()
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect(acting.address(access, mission=mission_id) + "#tactics")


@require_POST
@agency_page(CARRIES_OUT)
def note(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """Keep a note about the place, without the page's scripts; a refused one stays in its field."""
    acting, unit, mission = phone.own_mission(request, access, mission_id)
    visit, text = selectors.latest_visit(mission, unit), request.POST.get("text", "")
    try:
        if visit is None:
            raise MissionsError(_("You have not been here yet."), next_step=_("press Arrived first."))
        visit_note_record(engagement=visit, text=text, officer=access.user, at=timezone.now())
    except MissionsError as exc:
        told = {"access": access, "acting": acting, "unit": unit, "mission": mission, "text": text}
        # Not redirected to: an address or a session that held the words would be stored.
        return render(request, "tactics/note_refused.html", told | {"error": str(exc)}, status=422)
    return redirect(acting.address(access, mission=mission_id) + "#note")


@require_GET
@agency_page(CARRIES_OUT)
def place(request: HttpRequest, access: Access, mission_id: int) -> HttpResponse:
    """The box, its beat, the streets near it and the unit's other boxes, for the small map."""
    __, unit, mission = phone.own_mission(request, access, mission_id)
    if mission.plan.grid is None:
        raise Http404(_("The plan has no grid."))
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
        raise Http404(_("No such mission."))
    context = {
        "access": access,
        "mission": mission,
        "recommended": selectors.recommended_tactics(mission),
        "uses": selectors.uses_at(mission),
        "evidence_of_patrol": DIRECTED_PATROL_EVIDENCE,
    }
    return render(request, "tactics/mission_tactics.html", context)
