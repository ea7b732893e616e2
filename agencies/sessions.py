"""Who must prove more than a password, and how long a sign-in lasts.

Two questions at each request of a signed-in person: does this session carry a second factor where the person's role asks for
one; and is it neither idle nor old? The session's own records are asked, not the account's set-up: somebody who signed in by
password alone is not let in because a second factor is set up somewhere.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from agencies.grants import is_asked_by_view
from agencies.models import Membership, User

BEGAN, SEEN = "signed_in_at", "last_seen_at"
SEEN_EVERY_SECONDS = 60
"""A request writes the session at most so often: a page that polls must not write at each turn."""
OPEN_PREFIXES = ("/accounts/", "/language/", "/static/")
"""What a session without its second factor may still reach: setting one up, proving it, signing out."""

Next = Callable[[HttpRequest], HttpResponseBase]


def _note_sign_in(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        request.session[BEGAN] = request.session[SEEN] = int(time.time())


user_logged_in.connect(_note_sign_in, dispatch_uid="agencies.sessions_begin")


class SessionLimitsMiddleware:
    """Sign out who did nothing for ``SESSION_IDLE_MINUTES``, and everybody ``SESSION_HOURS`` after the sign-in."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_asked_by_view(request):
            session_end_if_over(request)
        return self.get_response(request)


def session_end_if_over(request: HttpRequest) -> None:
    """Sign out whose session is over. The address is then asked for as nobody: nothing of the old session is shown."""
    if request.user.is_authenticated and session_is_over(request):
        logout(request)
        messages.info(request, gettext("You were signed out because the session had ended. Sign in again."))


def session_is_over(request: HttpRequest) -> bool:
    """Whether the session is idle or old; notes that it was seen. Writes at most once a minute."""
    now, session = int(time.time()), request.session
    if BEGAN not in session:
        session[BEGAN] = session[SEEN] = now
    if now - session[BEGAN] >= settings.SESSION_COOKIE_AGE:
        return True
    idle = settings.SESSION_IDLE_MINUTES * 60
    if idle and now - session[SEEN] >= idle:
        return True
    if now - session[SEEN] >= SEEN_EVERY_SECONDS:
        session[SEEN] = now
    return False


class SecondFactorMiddleware:
    """Send people whose role asks for a second factor to set one up or to prove it, before anything else is shown.

    API keys are no sessions and are not asked. Costs one query for a session without a second factor, none with it.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(OPEN_PREFIXES) or is_asked_by_view(request):
            return self.get_response(request)
        return second_factor_refusal(request) or self.get_response(request)


def second_factor_refusal(request: HttpRequest) -> HttpResponseBase | None:
    """The way to a second factor, for somebody who needs one and has proved none in this session; else None."""
    if not needs_second_factor(request):
        return None
    if request.path.startswith("/api/"):
        return _api_refusal()
    return _way_to_second_factor(request)


def needs_second_factor(request: HttpRequest) -> bool:
    """Whether the person's role asks for a second factor that this session does not carry."""
    user = request.user
    if not settings.MFA_REQUIRED_ROLES or not isinstance(user, User) or has_second_factor(request):
        return False
    return role_needs_second_factor(user)


def has_second_factor(request: HttpRequest) -> bool:
    """Whether a second factor was proved in this session."""
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


def role_needs_second_factor(user: User) -> bool:
    """Whether one of the person's roles is among ``MFA_REQUIRED_ROLES``; operators count as administrators. One query.

    A demo city's people are not asked: their password is printed on the terminal.
    """
    roles = settings.MFA_REQUIRED_ROLES
    if user.is_superuser:
        return "admin" in roles
    return Membership.objects.filter(user=user, role__in=roles, agency__is_demo=False).exists()


def _api_refusal() -> HttpResponseBase:
    problem = {
        "type": "about:blank",
        "title": "A second factor is needed",
        "status": 403,
        "detail": "Your role asks for a second factor. Next step: open the site in a browser, set one up and sign in with it.",
    }
    return JsonResponse(problem, status=403, content_type="application/problem+json")


def _way_to_second_factor(request: HttpRequest) -> HttpResponseBase:
    if is_mfa_enabled(request.user):
        where = "mfa_reauthenticate"
    else:
        where = "mfa_index"
        messages.info(
            request,
            gettext(
                "Your role asks for a second factor. Set up an authenticator app or a security key first."
            ),
        )
    if request.headers.get("HX-Request"):
        # A fragment cannot be followed to another page: the page itself must go there.
        answer = JsonResponse({}, status=403)
        answer["HX-Redirect"] = reverse(where)
        return answer
    query = urlencode({"next": request.get_full_path()}) if _may_return(request) else ""
    return HttpResponseRedirect(f"{reverse(where)}?{query}" if query else reverse(where))


def _may_return(request: HttpRequest) -> bool:
    own = url_has_allowed_host_and_scheme(request.get_full_path(), allowed_hosts={request.get_host()})
    return request.method == "GET" and own


class LengthBySecondFactor:
    """A password's least length: 15 letters where it is all that protects the account, 12 beside a second factor.

    NIST SP 800-63B-4, section 3.1.1.2: length and a list of known passwords; no rules of composition, no expiry.
    """

    def __init__(self, alone: int = 15, beside: int = 12) -> None:
        self.alone, self.beside = alone, beside

    def _least(self, user: Any) -> int:
        protected = user is not None and user.pk is not None and is_mfa_enabled(user)
        return self.beside if protected else self.alone

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) < (least := self._least(user)):
            raise ValidationError(
                gettext("This password is too short: it needs at least %(least)d characters.")
                % {"least": least},
                code="password_too_short",
            )

    def get_help_text(self) -> str:
        return gettext(
            "At least %(alone)d characters, or %(beside)d where the account has a second factor. Several words are easier "
            "to remember than signs."
        ) % {"alone": self.alone, "beside": self.beside}
