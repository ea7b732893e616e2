"""Requests that no page can answer are refused at the door, before they reach a database that would not take them."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class NoNulMiddleware:
    """400 for an address with a NUL in it: no text holds one, and PostgreSQL ends a query that asks for it with an error.

    The API says it itself, as a problem that names the parameter.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.META.get("QUERY_STRING", "")
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        if "\x00" in request.path_info or "%00" in asked or "\x00" in asked:
            raise BadRequest("A NUL in the address.")
        return self.get_response(request)
