"""Who was let in a moment ago is let in again unasked: hundreds of open boards and phones ask every few seconds.

A grant holds for one session and one agency, for ``GRANT_SECONDS``. It ends at once, wherever processes share a cache, when the person signs
out or a session of theirs is ended, when their account or one of their roles is saved or deleted.
"""

import hashlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.core.cache import cache, caches
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from redis.exceptions import RedisError

from agencies.access import Access
from agencies.models import Membership, User

log = logging.getLogger(__name__)
POLLED = ("/version.json", "/list/", "/plan.geojson")
"""How addresses end of which some are answered so."""
V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True)
class Grant:
    """Somebody who was let into an agency's pages. ``role`` is None for the installation's operator, who may do all."""

    agency_id: int
    role: str | None

    def has(self, roles: frozenset[str]) -> bool:
        return self.role is None or self.role in roles


def asks_itself(view: V) -> V:
    """Mark a view that looks at grants, and sees itself whether a session without one is over or lacks its second factor."""
    view.looks_at_grants = True  # type: ignore[attr-defined]
    return view


def is_asked_by_view(request: HttpRequest) -> bool:
    """Whether the request's own view asks what the middleware asks of all others. No query."""
    # By the view and not by how the address ends: that may be a word of somebody's choosing.
    if not request.path_info.endswith(POLLED):
        return False
    try:
        return bool(getattr(resolve(request.path_info).func, "looks_at_grants", False))
    except Resolver404:
        return False


def grant_of(request: HttpRequest, agency_slug: str) -> Grant | None:
    """The session's grant for this agency's pages, or None: then everything has to be asked. No query."""
    if not (session := _session(request)):
        return None
    key = _key(session, agency_slug)
    # Whose session it is, is remembered here: what ends it then comes in the same answer of the shared cache.
    turn_key = _turn_key(caches["process"].get(key))
    found = cache.get_many([key, turn_key])
    if key not in found:
        return None
    person, turn, agency_id, role = found[key]
    if turn_key == _turn_key(person):
        now = found.get(turn_key, "")
    else:
        caches["process"].set(key, person, settings.GRANT_SECONDS)
        now = turn_of(person)
    return Grant(agency_id, role) if now == turn else None


def grant_keep(request: HttpRequest, access: Access, turn: str) -> None:
    """Let the session in for ``GRANT_SECONDS``. ``turn``: what ``turn_of`` said before the person's role was read."""
    if session := _session(request):
        role = access.membership.role if access.membership else None
        whose = (access.user.pk, turn, access.agency.pk, role)
        cache.set(_key(session, access.agency.slug), whose, _seconds())


def turn_of(person_id: int | str | None) -> str:
    """A mark that changes when the person's grants end."""
    return str(cache.get(_turn_key(person_id), ""))


def grants_end(person_id: int | None) -> None:
    """End all grants of this person."""
    try:
        # For twice as long as the oldest of them could last: forgotten earlier, it would let them in again.
        cache.set(_turn_key(person_id), uuid.uuid4().hex, 2 * settings.GRANT_SECONDS)
    except (RedisError, OSError):
        # Without the cache nobody has a grant; an account is made before Redis runs, too.
        log.warning(
            "The cache does not answer: pages that poll may go on to let this person in for some minutes."
        )


def _seconds() -> int:
    """How long a grant lasts: no longer than half of the time after which a session is idle, for a poll with a grant is not noted there."""
    idle = settings.SESSION_IDLE_MINUTES * 60
    return min(settings.GRANT_SECONDS, idle // 2) if idle else int(settings.GRANT_SECONDS)


def _session(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")


def _key(session: str, agency_slug: str) -> str:
    return f"grant:{hashlib.sha256(session.encode()).hexdigest()[:32]}:{agency_slug}"


def _turn_key(person_id: int | str | None) -> str:
    return f"grants-of:{person_id}"


def _ended(person_id: int | None) -> None:
    grants_end(person_id)
    # Again when it is written: who asked in between was let in by what was there before.
    transaction.on_commit(lambda: grants_end(person_id))


def _changed(sender: Any, instance: Any, **kwargs: Any) -> None:
    _ended(instance.pk if isinstance(instance, User) else instance.user_id)


def _signed_out(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    if user is not None:
        _ended(user.pk)


def register_grants() -> None:
    """Listen to what ends grants."""
    from allauth.usersessions.models import UserSession

    for signal in (post_save, post_delete):
        for model in (User, Membership):
            signal.connect(_changed, sender=model, dispatch_uid=f"agencies.grants.{model.__name__}")
    post_delete.connect(_changed, sender=UserSession, dispatch_uid="agencies.grants.UserSession")
    user_logged_out.connect(_signed_out, dispatch_uid="agencies.grants.signed_out")
