"""What many open boards ask for at once is worked out once: kept by the mark of what it shows."""

import datetime as dt
import gzip
import hashlib
from collections.abc import Callable

from django.core.cache import cache, caches
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language

from ingestion.live_views import cached_marks
from patrols.board_selectors import board_mark, notes_mark

KEEP_S, NEAR_S = 120, 15
"""In the cache that processes share, and in each process: most boards ask within seconds of a change."""
LOCK_S = 5
"""How long one may work something out before another takes over."""


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
    """Another is working out what was asked for. Nobody waits: who waits holds a thread that answers everybody else."""


def known(agency_id: int, name: str, mark: str) -> bytes | None:
    """Return what ``kept`` keeps of this name for this mark, None where it has to be worked out. No query.

    Raises ``Busy`` while another works it out.
    """
    key = _key(agency_id, name, mark)
    packed: bytes | None = caches["texts"].get(key)
    if packed is None:
        found = cache.get_many([key, f"{key}:lock"])
        packed = found.get(key)
        if packed is not None:
            caches["texts"].set(key, packed, NEAR_S)
        elif f"{key}:lock" in found:
            raise Busy
    return packed


def kept(agency_id: int, name: str, mark: str, make: Callable[[], str]) -> bytes:
    """Return the text of this name for this mark, compressed, made by one of all who ask for it in the same moment.

    Two hundred boards hear of a change within two seconds: without this each would have its own copy worked out. For the others
    ``Busy`` is raised: they ask again.
    """
    if (packed := known(agency_id, name, mark)) is not None:
        return packed
    key = _key(agency_id, name, mark)
    # Whoever sets the lock works; it ends by itself, should that process die.
    if not cache.add(f"{key}:lock", 1, LOCK_S):
        raise Busy
    try:
        # Compressed once, too: that takes longer than all else about an answer that is kept.
        packed = gzip.compress(make().encode(), 6, mtime=0)
        cache.set(key, packed, KEEP_S)
    finally:
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
