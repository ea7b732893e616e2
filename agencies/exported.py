"""Every file that a person or a machine takes away is written into the audit log: at one place, so that no page can forget it."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from agencies.models import Agency, User
from agencies.services import audit_record

ACTION = "file exported"
MAX_QUERY = 40


def for_anybody(response: HttpResponseBase) -> HttpResponseBase:
    """Say of an answer that it is published: who takes it is not written down, and no stranger can make the log grow."""
    response.is_for_anybody = True  # type: ignore[attr-defined]  # read below
    return response


def file_of(response: HttpResponseBase, agency: Agency) -> HttpResponseBase:
    """Say of an answer whose file it is, where its address names no agency: its taking is told in that agency's log."""
    response.is_file_of = agency  # type: ignore[attr-defined]  # read below
    return response


class ExportedFilesMiddleware:
    """Record each answer that is a file to keep, before its first byte leaves. Three or four queries for such an answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_file = response.get("Content-Disposition", "").startswith("attachment")
        if response.status_code == 200 and is_file and not getattr(response, "is_for_anybody", False):
            export_record(request, response)
        return response


def export_record(request: HttpRequest, response: HttpResponseBase) -> None:
    """Write down who took which file with which question. Files of addresses without an agency belong to the installation."""
    match = request.resolver_match
    slug = match.kwargs.get("agency_slug") if match else None
    told: Agency | None = getattr(response, "is_file_of", None)
    agency = Agency.objects.filter(slug=slug).first() if slug else told
    name = response.get("Content-Disposition", "").partition("filename=")[2].strip('"; ')
    audit_record(
        agency=agency,
        actor=request.user if isinstance(request.user, User) else None,
        action=ACTION,
        subject=name or request.path,
        detail={
            "address": request.path,
            "asked": [list(pair) for pair in parse_qsl(request.META.get("QUERY_STRING", ""))[:MAX_QUERY]],
        },
    )
