"""Addresses that open maps ask every other second: has anything changed, and if so, which alerts are there now."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache, caches
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, Access, agency_page
from agencies.grants import Grant, asks_itself, grant_keep, grant_of, turn_of
from agencies.map_tables import beat_codes, of_beat, paged
from agencies.selectors import beats_at
from agencies.sessions import second_factor_refusal, session_end_if_over
from ingestion.models import GunfireAlert
from ingestion.selectors.live import MAX_ALERTS, alerts_version, recent_alerts
from missions_project.lib import walls

LOCK_SECONDS, LAST_SECONDS = 2, 60


def live_nudge(agency_id: int) -> None:
    """Have every process that shares the cache look anew; the others do within ``LIVE_CACHE_SECONDS``."""
    cache.set(f"live-nudge:{agency_id}", uuid.uuid4().hex, None)


def cached_marks(agency_id: int, makes: Mapping[str, Callable[[], str]]) -> list[str]:
    """Return the mark of each name, as its function works it out, kept for ``LIVE_CACHE_SECONDS`` and until a nudge.

    One question to the cache for all of them: of a poll's time it is the larger part. One of those who find a mark
    out of date works it out anew; the others are told the last one meanwhile, and hear of the change at their next question.
    """
    nudged = f"live-nudge:{agency_id}"
    keys = [f"live-{name}:{agency_id}" for name in makes]
    known: dict[str, Any] = cache.get_many([nudged, *keys, *(f"{key}:fresh" for key in keys)])
    # Read before the database is: a push that comes in between makes what is kept below worthless, as it should.
    nudge = known.get(nudged, "")
    return [
        str(known[key])
        if key in known and known.get(f"{key}:fresh") == nudge
        else _mark_anew(key, nudge, known.get(key), make)
        for key, make in zip(keys, makes.values(), strict=True)
    ]


def told_marks(agency_id: int, makes: Mapping[str, Callable[[], str]]) -> list[str]:
    """Return what ``cached_marks`` said to another map that asked this process up to ``LIVE_TOLD_SECONDS`` ago, else what it says now.

    For those who ask again and again, not for what somebody has loaded anew after a change of their own.
    """
    key = f"told:{agency_id}:{'|'.join(makes)}"
    told: list[str] | None = caches["process"].get(key)
    if told is None:
        told = cached_marks(agency_id, makes)
        caches["process"].set(key, told, settings.LIVE_TOLD_SECONDS)
    return told


def _mark_anew(key: str, nudge: str, last: str | None, make: Callable[[], str]) -> str:
    # Whoever sets the lock works; it ends by itself, should that process die.
    if not cache.add(f"{key}:lock", 1, LOCK_SECONDS) and last is not None:
        return last
    mark = make()
    cache.set(key, mark, settings.LIVE_CACHE_SECONDS + LAST_SECONDS)
    cache.set(f"{key}:fresh", nudge, settings.LIVE_CACHE_SECONDS)
    cache.delete(f"{key}:lock")
    return mark


def alerts_make(agency_id: int) -> dict[str, Callable[[], str]]:
    """How the mark of the agency's gunfire alerts is made, by its name."""
    return {"version": lambda: alerts_version(agency_id, now=timezone.now())}


def conditional_answer(
    request: HttpRequest, body: Callable[[], str], etag: str, content_type: str
) -> HttpResponseBase:
    """Answer 304 where the browser has this already, else with the body and its mark."""
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(body(), content_type=content_type)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


Known = Callable[[HttpRequest, Grant], HttpResponseBase | None]


def granted(
    request: HttpRequest,
    agency_slug: str,
    roles: frozenset[str],
    known: Known,
    else_asked: Callable[[HttpRequest, Access], HttpResponseBase],
) -> HttpResponseBase:
    """Answer by ``known`` to a session with a grant; where there is none, or ``known`` has no answer, by ``else_asked``.

    ``known`` answers from what is kept, within the agency's rows alone. ``else_asked`` is given who asks, and
    whoever gets so far has a grant from then on.
    """
    grant = grant_of(request, agency_slug)
    if grant is not None and grant.has(roles):
        # Nobody was asked who this is, so nothing is within reach: an empty agency's mark would be kept for everybody.
        with walls.within(walls.of_agency(grant.agency_id)):
            if (answer := known(request, grant)) is not None:
                return answer

    session_end_if_over(request)
    if refusal := second_factor_refusal(request):
        return refusal
    # Before the role is read: a role that is taken away in between makes what is kept below worthless, as it should.
    turn = turn_of(request.session.get(SESSION_KEY))

    @agency_page(roles)
    def let_in(request: HttpRequest, access: Access) -> HttpResponseBase:
        grant_keep(request, access, turn)
        return else_asked(request, access)

    return let_in(request, agency_slug)


def mark_answer(
    request: HttpRequest,
    agency_slug: str,
    roles: frozenset[str],
    tell: Callable[[HttpRequest, int], HttpResponseBase],
) -> HttpResponseBase:
    """Answer by ``tell(request, agency_id)`` to who has one of the roles."""
    return granted(
        request,
        agency_slug,
        roles,
        lambda request, grant: tell(request, grant.agency_id),
        lambda request, access: tell(request, access.agency.pk),
    )


def _told(request: HttpRequest, agency_id: int) -> HttpResponseBase:
    (mark,) = told_marks(agency_id, alerts_make(agency_id))
    return conditional_answer(request, lambda: json.dumps({"alerts": mark}), f'"{mark}"', "application/json")


@asks_itself
@require_GET
def version(request: HttpRequest, agency_slug: str) -> HttpResponseBase:
    """The mark of what an open map shows. No query while nothing changed and the session is known."""
    return mark_answer(request, agency_slug, EVERYONE, _told)


@require_GET
@agency_page(EVERYONE)
def alerts(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The last day's gunfire alerts as points; dismissed ones are not among them."""
    features = [_feature(alert) for alert in recent_alerts(access.agency, now=timezone.now())]
    body = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    return conditional_answer(request, lambda: body, etag, "application/geo+json")


@dataclass(frozen=True)
class Heard:
    """One line of the alerts' table: the alert, and the code of the beat that it was heard in, empty for none."""

    alert: GunfireAlert
    beat: str


@require_GET
@agency_page(EVERYONE)
def alerts_table(request: HttpRequest, access: Access) -> HttpResponse:
    """The same alerts as a table, newest first, of one beat or of all. Three queries."""
    now = timezone.now()
    alerts = recent_alerts(access.agency, now=now)
    beats = beats_at(access.agency, [alert.lon for alert in alerts], [alert.lat for alert in alerts])
    rows = [Heard(alert, beat) for alert, beat in zip(alerts, beats, strict=True)]
    codes = beat_codes(access.agency)
    context = paged(of_beat(rows, request.GET, codes), request.GET, codes)
    context |= {"access": access, "now": now, "is_full": len(alerts) == MAX_ALERTS, "most": MAX_ALERTS}
    return render(request, "ingestion/alerts.html", context)


def _feature(alert: GunfireAlert) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": alert.pk,
        "geometry": {"type": "Point", "coordinates": [round(alert.lon, 5), round(alert.lat, 5)]},
        "properties": {"at": alert.occurred_from.isoformat(), "stage": alert.stage},
    }
