"""Answers for machines that watch the service, and an id for each request in every line of the log."""

import hmac
import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST

from missions_project.lib.log_context import also_working_on, working_on
from missions_project.operations.health import readiness
from missions_project.operations.measures import request_count
from missions_project.operations.metrics import metrics_text

access = logging.getLogger("missions_project.access")
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class ProbeMiddleware:
    """/healthz, /readyz and /metrics, before sessions, hosts and redirects: a probe comes by number, in plain http."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._answers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self._answers.get(request.path_info)
        return self.get_response(request) if answer is None else answer(request)


def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks nobody else: a database that is away is no reason to kill a web server."""
    return JsonResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Requests and tasks can be served now: 200, or 503 and which part is not there."""
    checks = readiness()
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse(
        {"status": "ready" if ready else "not ready", "checks": checks},
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """The measures in Prometheus' form, for the holder of METRICS_TOKEN; without one set, for this machine alone."""
    if not _may_measure(request):
        return HttpResponse("Not found.", status=404, content_type="text/plain")
    return HttpResponse(
        metrics_text(), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
    )


def _may_measure(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    # A proxy on this machine passes on the whole world's requests from 127.0.0.1, and says so.
    if "X-Forwarded-For" in request.headers or "X-Forwarded-Proto" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class RequestLogMiddleware:
    """Gives the request an id (or keeps the proxy's), names it in every line of the log and in the answer, and counts it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        # Anything else could write lines of its own into the log.
        number = given if _ID.fullmatch(given) else uuid.uuid4().hex
        started = time.monotonic()
        with working_on(request=number):
            response = self.get_response(request)
            seconds = time.monotonic() - started
            request_count(method=request.method or "", status=response.status_code, seconds=seconds)
            match = request.resolver_match
            told = {
                "method": request.method,
                # The address's pattern: an address itself may hold a place, a token or a name.
                "route": match.route if match else "",
                "status": response.status_code,
                "milliseconds": round(seconds * 1000),
            }
            access.info("%(method)s %(route)s %(status)s %(milliseconds)s ms", told, extra=told)
        response.headers["X-Request-ID"] = number
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        also_working_on(agency=kwargs.get("agency_slug", ""))
