"""What many open boards ask for at once is worked out once: kept by the mark of what it shows."""

import datetime as dt
import gzip
import hashlib
import time
from collections.abc import Callable

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language

from ingestion.live_views import cached_marks
from patrols.board_selectors import board_mark, notes_mark

KEEP_S = 120
WAIT_S, STEP_S = 2.0, 0.02
"""How long somebody waits for another who is already working the same thing out, and how often they look."""


def plan_make(agency_id: int, shift_slug: str, on: dt.date) -> dict[str, Callable[[], str]]:
    """How the mark of a shift instance's plans, missions and visits is made, by its name."""
    # Cut, for it becomes a key of the cache; no shift's slug is longer.
    slug = shift_slug[:40]
    return {f"board:{on}:{slug}": lambda: board_mark(agency_id, slug, on, now=timezone.now())}


def standing_make(agency_id: int, on: dt.date) -> dict[str, Callable[[], str]]:
    """How the mark of notes and standing changes around a date is made, by its name."""
    return {f"notes:{on}": lambda: notes_mark(agency_id, on, now=timezone.now())}


def plan_mark(agency_id: int, shift_slug: str, on: dt.date) -> str:
    """Return the mark of a shift instance's plans, missions and visits. No query while it is kept."""
    (mark,) = cached_marks(agency_id, plan_make(agency_id, shift_slug, on))
    return mark


class Busy(Exception):
    """Another is working out what was asked for, and nobody waits for it."""


def known(agency_id: int, name: str, mark: str, *, waits: bool) -> bytes | None:
    """Return what ``kept`` keeps of this name for this mark, None where it has to be worked out. No query.

    While another works it out: waits for that, or without ``waits`` raises ``Busy``.
    """
    key = _key(agency_id, name, mark)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = cache.get_many([key, f"{key}:lock"])
        packed: bytes | None = found.get(key)
        if packed is not None or f"{key}:lock" not in found:
            return packed
        if not waits:
            raise Busy
        time.sleep(STEP_S)
    return None


def kept(agency_id: int, name: str, mark: str, make: Callable[[], str], *, waits: bool = True) -> bytes:
    """Return the text of this name for this mark, compressed, made by one of all who ask for it in the same moment.

    Two hundred boards hear of a change within two seconds: without this each would have its own copy worked out. The others
    wait, or without ``waits`` ``Busy`` is raised: while they wait, they hold the threads that answer everybody else.
    """
    key = _key(agency_id, name, mark)
    if (packed := known(agency_id, name, mark, waits=waits)) is not None:
        return packed
    # Whoever sets the lock works; it ends by itself, should that process die.
    if not cache.add(f"{key}:lock", 1, WAIT_S) and not waits:
        raise Busy
    # Compressed once, too: that takes longer than all else about an answer that is kept.
    packed = gzip.compress(make().encode(), 6, mtime=0)
    cache.set(key, packed, KEEP_S)
    cache.delete(f"{key}:lock")
    return packed


def _key(agency_id: int, name: str, mark: str) -> str:
    whole = f"{get_language()} {name} {mark}"
    return f"board-text:{agency_id}:{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def packed_answer(request: HttpRequest, packed: bytes, content_type: str) -> HttpResponse:
    """Answer with what ``kept`` returned, as it is where the browser takes it compressed. It must hold no secret."""
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(packed, content_type=content_type, headers={"Content-Encoding": "gzip"})
    else:
        response = HttpResponse(gzip.decompress(packed), content_type=content_type)
    response["Vary"] = "Accept-Encoding, Cookie"
    return response
