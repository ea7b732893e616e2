"""The content-security policy, widened only by the tile hosts that this page's agency configured."""

from urllib.parse import urlsplit

from csp.middleware import CSPMiddleware
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


def tile_hosts(agencies: list[Agency]) -> list[str]:
    """The https origins from which these agencies' base maps load. One query."""
    templates = BaseMap.objects.filter(agency__in=agencies).values_list("url_template", flat=True)
    return hosts_of(list(templates))


def hosts_of(templates: list[str]) -> list[str]:
    """The https origins of these tile addresses."""
    # {s} is one of several sub-domains: the policy's wildcard covers them.
    return sorted({f"https://{urlsplit(t.replace('{s}.', '*.')).netloc}" for t in templates})
