"""The content-security policy, widened only by this agency's tile hosts; what a browser may tell; what it must forget."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from csp.middleware import CSPMiddleware
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from agencies.models import Agency, BaseMap


class ContentSecurityPolicyMiddleware(CSPMiddleware):  # type: ignore[misc]  # django-csp ships no types
    """django-csp, plus ``img-src`` for the base maps of the agencies that ``request.map_agencies`` names."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        templates = getattr(request, "map_tiles", None)
        if agencies := getattr(request, "map_agencies", None):
            # A page that read the base maps itself has told which: no second query for them.
            hosts = tile_hosts(agencies) if templates is None else hosts_of(templates)
            response._csp_update = {"img-src": hosts}  # type: ignore[attr-defined]
        result: HttpResponseBase = super().process_response(request, response)
        return result


class DeviceMiddleware:
    """What a browser may tell us and what it must forget.

    Every page is refused the device's position unless its view says otherwise; the answer to a sign-out makes the browser
    drop what the officer's page kept on it, from whatever page the person signed out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "geolocation=()")
        if getattr(request, "has_signed_out", False):
            response.headers["Clear-Site-Data"] = '"storage"'
        return response


def _note_sign_out(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    # Only somebody who was signed in: otherwise a stranger's link could empty the phone of whoever opens it.
    if request is not None and user is not None:
        request.has_signed_out = True  # type: ignore[attr-defined]


user_logged_out.connect(_note_sign_out, dispatch_uid="agencies.device_forgets")


def tile_hosts(agencies: list[Agency]) -> list[str]:
    """The https origins from which these agencies' base maps load. One query."""
    templates = BaseMap.objects.filter(agency__in=agencies).values_list("url_template", flat=True)
    return hosts_of(list(templates))


def hosts_of(templates: list[str]) -> list[str]:
    """The https origins of these tile addresses."""
    # {s} is one of several sub-domains: the policy's wildcard covers them.
    return sorted({f"https://{urlsplit(t.replace('{s}.', '*.')).netloc}" for t in templates})
