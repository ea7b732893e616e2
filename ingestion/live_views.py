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
from ingestion.models import GunfireAlert
from ingestion.selectors.live import alerts_version, recent_alerts

GRANT_SECONDS = 60
"""How long a session that was let in is let in again unasked; what it reads so is a mark and no row."""


def live_nudge(agency_id: int) -> None:
    """Have every process that shares the cache look anew; the others do within ``LIVE_CACHE_SECONDS``."""
    cache.set(f"live-nudge:{agency_id}", uuid.uuid4().hex, None)


def _version(agency_id: int) -> str:
    keys = (f"live-nudge:{agency_id}", f"live-version:{agency_id}")
    known: dict[str, Any] = cache.get_many(keys)
    # Read before the database is: a push that comes in between makes what is kept below worthless, as it should.
    nudge = known.get(keys[0], "")
    if keys[1] in known and known[keys[1]][0] == nudge:
        return str(known[keys[1]][1])
    version = alerts_version(agency_id, now=timezone.now())
    cache.set(keys[1], (nudge, version), settings.LIVE_CACHE_SECONDS)
    return version


def _answer(request: HttpRequest, body: Callable[[], str], etag: str, content_type: str) -> HttpResponseBase:
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(body(), content_type=content_type)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


def _told(request: HttpRequest, agency_id: int) -> HttpResponseBase:
    version = _version(agency_id)
    return _answer(request, lambda: json.dumps({"alerts": version}), f'"{version}"', "application/json")


@require_GET
def version(request: HttpRequest, agency_slug: str) -> HttpResponseBase:
    """The mark of what an open map shows. No query while nothing changed and the session is known."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    grant = f"live-grant:{hashlib.sha256(session.encode()).hexdigest()[:32]}:{agency_slug}"
    agency_id = cache.get(grant) if session else None
    if agency_id is not None:
        return _told(request, agency_id)

    @agency_page(EVERYONE)
    def let_in(request: HttpRequest, access: Access) -> HttpResponseBase:
        cache.set(grant, access.agency.pk, GRANT_SECONDS)
        return _told(request, access.agency.pk)

    return let_in(request, agency_slug)


@require_GET
@agency_page(EVERYONE)
def alerts(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The last day's gunfire alerts as points; dismissed ones are not among them."""
    features = [_feature(alert) for alert in recent_alerts(access.agency, now=timezone.now())]
    body = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    return _answer(request, lambda: body, etag, "application/geo+json")


def _feature(alert: GunfireAlert) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": alert.pk,
        "geometry": {"type": "Point", "coordinates": [round(alert.lon, 5), round(alert.lat, 5)]},
        "properties": {"at": alert.occurred_from.isoformat(), "stage": alert.stage},
    }
