"""ETags: a client that has the answer already is told so in a few bytes, and one that saw an old row may not change it."""

import hashlib
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from missions_project.lib.rest.problems import Changed


def etag_of(body: bytes) -> str:
    """The mark of these bytes."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def etag_of_data(data: Any) -> str:
    """The mark that a GET of this data carries."""
    return etag_of(JSONRenderer().render(data))


def marked(request: Request, response: HttpResponseBase, etag: str) -> HttpResponseBase:
    """The answer with its mark, or 304 where the client has that already."""
    if request.headers.get("If-None-Match"):
        # Given no response, Django answers 304 where the marks agree; If-Match belongs to writes.
        found = get_conditional_response(request._request, etag=etag)
        if found is not None and found.status_code == 304:
            response = found
    response["ETag"] = etag
    # Only the asker may keep it, and only to ask again: another unit's list is nobody's to cache.
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ("Authorization", "Cookie", "Accept"))
    return response


def check_match(request: Request, data: Any) -> None:
    """Raise ``Changed`` where the client's If-Match names another state of the row than ``data``."""
    wanted = request.headers.get("If-Match", "").strip()
    if wanted and wanted != "*" and etag_of_data(data) not in parse_etags(wanted):
        raise Changed
