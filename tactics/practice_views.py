"""Practice: the officer's page with a made-up shift, the same templates and the same scripts."""

import datetime as dt
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import CARRIES_OUT, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import Unit
from agencies.selectors import leaflet_settings
from tactics import officer as pages
from tactics import phone, selectors
from tactics.practice import Practice, practice_page
from tactics.services import Press, practice_apply, practice_start
from tactics.starter import DIRECTED_PATROL_EVIDENCE
from tactics.views import timer_context


def _practice(access: Access, unit: Unit | None, now: dt.datetime, *, again: bool = False) -> Practice | None:
    if unit is None:
        return None
    shift = practice_start(agency=access.agency, officer=access.user, unit=unit, at=now, again=again)
    return practice_page(access.agency, unit, shift, now=now)


@require_GET
@agency_page(CARRIES_OUT)
def practice(request: HttpRequest, access: Access) -> HttpResponse:
    """A shift that is made up, to learn the page with. At most 14 queries; nothing but the practice itself is written."""
    acting, now = phone.acting(request, access), timezone.now()
    base = reverse("tactics:practice", args=[access.agency.slug])
    context = phone.shared_context(request, access, base=base, now=now)
    context |= {"acting": acting, "is_practice": True}
    shift = _practice(access, acting.unit, now)
    if acting.unit and shift:
        context |= _shift_context(request, access, acting, acting.unit, shift, now)
    return phone.with_place(render(request, "tactics/officer.html", context), context["may_locate"])


def _shift_context(
    request: HttpRequest, access: Access, acting: phone.Acting, unit: Unit, shift: Practice, now: dt.datetime
) -> dict[str, Any]:
    wanted = pk_from_text(request.GET.get("mission"))
    card = next((row for row in shift.mine if row.key == wanted), None) or pages.next_of(shift.mine)
    context: dict[str, Any] = {
        "unit": unit,
        "mine": shift.mine,
        "card": card,
        "running": next((row for row in shift.mine if row.open_visit), None),
        "just_left": shift.just_left,
        "home": acting.practice_address(access),
    }
    if card:
        # The rules alone: nothing is drawn for a mission that does not exist.
        recommended = selectors.recommended_tactics(card.mission)
        context |= {
            "mission": card.mission,
            "visit": card.key in shift.used,
            "may_tick": card.key in shift.used,
            "used": shift.used.get(card.key, set()),
            "notes": shift.notes.get(card.key, []),
            "recommended": recommended,
            "others": selectors.other_tactics(access.agency, recommended),
            "evidence_of_patrol": DIRECTED_PATROL_EVIDENCE,
            "leaflet": leaflet_settings(request, access.agency),
        }
        context |= timer_context(card, now)
    return context


@require_POST
@agency_page(CARRIES_OUT)
def practice_press(request: HttpRequest, access: Access, number: int, kind: str) -> HttpResponse:
    """One press of the made-up shift, without the page's scripts."""
    acting, now = phone.acting(request, access), timezone.now()
    if acting.unit is None:
        raise Http404(_("You act for no unit."))
    shift = practice_start(agency=access.agency, officer=access.user, unit=acting.unit, at=now)
    press = Press(
        uuid=uuid.uuid4(),
        kind={"arrive": "arrived", "leave": "left"}.get(kind, kind),
        mission_id=number,
        device_at=now,
        tactic_id=pk_from_text(request.POST.get("tactic")),
        is_used=request.POST.get("used") == "1",
        text=request.POST.get("text", ""),
    )
    [outcome] = practice_apply(practice=shift, presses=[press], now=now)
    if outcome.status == "refused":
        messages.error(request, outcome.message)
    return redirect(acting.practice_address(access, mission=number))


@require_POST
@agency_page(CARRIES_OUT)
def practice_again(request: HttpRequest, access: Access) -> HttpResponse:
    """Begin the made-up shift anew."""
    acting = phone.acting(request, access)
    _practice(access, acting.unit, timezone.now(), again=True)
    return redirect(acting.practice_address(access))


@require_GET
@agency_page(CARRIES_OUT)
def practice_place(request: HttpRequest, access: Access, number: int) -> HttpResponse:
    """The small map of a made-up mission."""
    acting = phone.acting(request, access)
    shift = _practice(access, acting.unit, timezone.now())
    row = next((row for row in shift.mine if row.key == number), None) if shift else None
    if shift is None or row is None or row.mission.plan.grid is None:
        raise Http404(_("There is no such practice mission."))
    data = pages.place_geojson(
        row.mission,
        [other.mission for other in shift.mine if other is not row],
        beat_geometry=row.mission.beat.geometry,
        streets=selectors.street_features(access.agency),
    )
    return JsonResponse(
        data, content_type="application/geo+json", headers={"Cache-Control": "private, max-age=300"}
    )
