"""Machines' keys at the door: who is it, which feed's, what may it do, how often."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from agencies.models import Agency
from ingestion.models import ApiToken, Feed
from missions_project.lib import walls

PUSH, READ, PATROLS = "push", "read", "patrols"
WINDOW_SECONDS = 10
MAX_KNOWN = 1_000
_UNUSED = ("feed__draft", "feed__agency__boundary", "agency__boundary")


_known: dict[str, tuple[float, ApiToken]] = {}


def _token(digest: str) -> ApiToken | None:
    """The key with its feed and agency, read at most every ``PUSH_CONTEXT_SECONDS``: so long a revoked one may live on."""
    known = _known.get(digest)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    # Nobody is known yet: whose key it is, is the question.
    with walls.within(walls.EVERYTHING):
        found = (
            ApiToken.objects.filter(pk=digest)
            .select_related("user", "agency", "feed", "feed__agency")
            .defer(*_UNUSED)
            .first()
        )
    if len(_known) >= MAX_KNOWN:
        _known.clear()
    if found is not None:
        _known[digest] = (time.monotonic() + settings.PUSH_CONTEXT_SECONDS, found)
    return found


class FeedTokenAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox ships no types
    """``Authorization: Token …``, in one query by the key's hash. Expired and revoked keys are 401 like unknown ones."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        try:
            digest = hash_token(token.decode("ascii"))
        except ValueError:
            raise AuthenticationFailed(_("Invalid token.")) from None
        found = _token(digest)
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise AuthenticationFailed(_("Invalid token."))
        if not found.user.is_active:
            raise AuthenticationFailed(_("The account that made this token is closed."))
        agency_id = found.feed.agency_id if found.feed else found.agency_id
        walls.now_within(walls.of_agency(agency_id) if agency_id else walls.NOTHING)
        return found.user, found


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names it."""

    target_class = FeedTokenAuthentication
    name = "FeedToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <key>`. A feed's keys are made on its page in the admin, the agency's under API keys; each is "
            "shown once.",
        }


def token_of(request: Request) -> ApiToken:
    """The key that the request came with."""
    found: ApiToken = request.auth  # type: ignore[assignment]
    return found


def agency_of(request: Request) -> Agency:
    """The agency for which the key was made. Raises ``PermissionDenied`` for a key of none."""
    token = token_of(request)
    agency = token.feed.agency if token.feed else token.agency
    if agency is None:
        raise PermissionDenied(_("This token belongs to no agency. Next step: make one (Admin → API keys)."))
    return agency


def feed_of(request: Request) -> Feed:
    """The active feed for which the key was made. Raises ``PermissionDenied`` otherwise."""
    feed = token_of(request).feed
    if feed is None:
        raise PermissionDenied(
            _("This token belongs to no feed. Make one on the feed's page (Admin → Feeds).")
        )
    if not feed.is_active:
        raise PermissionDenied(
            _("Feed “%(slug)s” is inactive and accepts nothing. Activate it (Admin → Feeds).")
            % {"slug": feed.slug}
        )
    return feed


class HasScope(BasePermission):
    """The view's ``scope`` must be the key's; a key that writes patrols reads too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        if token.scope != view.scope and (token.scope, view.scope) != (PATROLS, READ):
            raise PermissionDenied(
                _("This token's scope is %(scope)s; this address needs %(scope_2)s.")
                % {"scope": f"{token.scope!r}", "scope_2": f"{view.scope!r}"}
            )
        return True


def count_request(name: str, most: float) -> bool:
    """Whether one more request of this name fits into the ten seconds that run now."""
    key = f"api-rate:{name}:{int(time.time()) // WINDOW_SECONDS}"
    if cache.add(key, 1, 2 * WINDOW_SECONDS):
        return True
    try:
        count = cache.incr(key)
    except ValueError:
        # The cache forgot it between the two calls.
        return True
    return count <= most


class TokenThrottle(BaseThrottle):
    """So many requests a key in ten seconds, counted in the cache; beyond them 429 with Retry-After.

    A counter a window, not a list of moments: at hundreds of requests a second the list alone would be the work.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        return count_request(request.auth.digest[:40], settings.API_REQUESTS_PER_SECOND * WINDOW_SECONDS)

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
