"""Addresses that open maps ask every other second: has anything changed, and if so, which alerts are there now."""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, Access, agency_page
from agencies.sessions import second_factor_refusal, session_end_if_over
from ingestion.models import GunfireAlert
from ingestion.selectors.live import alerts_version, recent_alerts
from missions_project.lib import walls

GRANT_SECONDS = 60
"""How long a session that was let in is let in again unasked; what it reads so is a mark and no row."""


def live_nudge(agency_id: int) -> None:
    """Have every process that shares the cache look anew; the others do within ``LIVE_CACHE_SECONDS``."""
    cache.set(f"live-nudge:{agency_id}", uuid.uuid4().hex, None)


def cached_mark(agency_id: int, name: str, make: Callable[[], str]) -> str:
    """Return the mark of this name that ``make`` works out, kept for ``LIVE_CACHE_SECONDS`` and until a nudge."""
    keys = (f"live-nudge:{agency_id}", f"live-{name}:{agency_id}")
    known: dict[str, Any] = cache.get_many(keys)
    # Read before the database is: a push that comes in between makes what is kept below worthless, as it should.
    nudge = known.get(keys[0], "")
    if keys[1] in known and known[keys[1]][0] == nudge:
        return str(known[keys[1]][1])
    mark = make()
    cache.set(keys[1], (nudge, mark), settings.LIVE_CACHE_SECONDS)
    return mark


def alerts_mark(agency_id: int) -> str:
    """Return the mark of the agency's gunfire alerts. No query while it is kept."""
    return cached_mark(agency_id, "version", lambda: alerts_version(agency_id, now=timezone.now()))


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


def granted(
    request: HttpRequest,
    agency_slug: str,
    roles: frozenset[str],
    tell: Callable[[HttpRequest, int], HttpResponseBase],
) -> HttpResponseBase:
    """Answer by ``tell(request, agency_id)`` to who has one of the roles; a session that was let in is so for a minute."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    # The roles are part of the key: who may see alerts may not therefore see plans.
    whose = hashlib.sha256(f"{session} {sorted(roles)}".encode()).hexdigest()[:32]
    grant = f"live-grant:{whose}:{agency_slug}"
    agency_id = cache.get(grant) if session else None
    if agency_id is not None:
        # Nobody was asked who this is, so nothing is within reach: an empty agency's mark would be kept for everybody.
        with walls.within(walls.of_agency(agency_id)):
            return tell(request, agency_id)

    session_end_if_over(request)
    if refusal := second_factor_refusal(request):
        return refusal

    @agency_page(roles)
    def let_in(request: HttpRequest, access: Access) -> HttpResponseBase:
        cache.set(grant, access.agency.pk, GRANT_SECONDS)
        return tell(request, access.agency.pk)

    return let_in(request, agency_slug)


def _told(request: HttpRequest, agency_id: int) -> HttpResponseBase:
    mark = alerts_mark(agency_id)
    return conditional_answer(request, lambda: json.dumps({"alerts": mark}), f'"{mark}"', "application/json")


@require_GET
def version(request: HttpRequest, agency_slug: str) -> HttpResponseBase:
    """The mark of what an open map shows. No query while nothing changed and the session is known."""
    return granted(request, agency_slug, EVERYONE, _told)


@require_GET
@agency_page(EVERYONE)
def alerts(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The last day's gunfire alerts as points; dismissed ones are not among them."""
    features = [_feature(alert) for alert in recent_alerts(access.agency, now=timezone.now())]
    body = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    return conditional_answer(request, lambda: body, etag, "application/geo+json")


def _feature(alert: GunfireAlert) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": alert.pk,
        "geometry": {"type": "Point", "coordinates": [round(alert.lon, 5), round(alert.lat, 5)]},
        "properties": {"at": alert.occurred_from.isoformat(), "stage": alert.stage},
    }
