"""Requests that no page can answer are refused at the door, before they reach a parser or a database that would not take them."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252")
"""In which requests come. Python knows others that are no alphabets (base64, rot13) or end in an error (idna)."""


ODD = "missions.odd_charset"
"""In the environment of a request that named another alphabet."""
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def readable(application: Application) -> Application:
    """The WSGI application, told of no alphabet but these: Django reads the address in it while it makes the request, before any
    middleware, and one that cannot be read so would end in an error that no page says."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind, params = parse_header_parameters(environ.get("CONTENT_TYPE", ""))
        if params.get("charset", "").lower() not in CHARSETS:
            environ |= {ODD: True, "CONTENT_TYPE": kind}
        return application(environ, start_response)

    return answer


class RefusedMiddleware:
    """400 for an address with a NUL in it, which PostgreSQL answers with an error, and for a form in an alphabet that no browser sends.

    The API says such things itself, as a problem that names the field: there the body is read as UTF-8.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        params = request.content_params or {}
        is_odd = ODD in request.META or params.get("charset", "").lower() not in CHARSETS
        if is_odd:
            # Whoever reads anything of the request, and the page that says what was wrong does, would fail on that alphabet.
            request.encoding = "utf-8"
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        asked = request.META.get("QUERY_STRING", "")
        is_form = request.content_type in FORMS
        if (is_odd and is_form) or "\x00" in request.path_info or "%00" in asked or "\x00" in asked:
            # The page that says so looks for the CSRF token in the form, and one without its boundary would be an error in that page.
            request.content_type = ""
            raise BadRequest("A NUL in the address, or a form in an unknown alphabet.")
        return self.get_response(request)
