"""From the provider's form to the person's own session.

The form comes from another site: the browser sends our session's cookie with it to nobody (SameSite). So what a signed answer said waits a
minute under a cookie of its own, and a redirect, on which the session's cookie comes along, picks it up once.
"""

from importlib import import_module

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect

from agencies.saml.claims import Said
from agencies.saml.protocol import said_stored

COOKIE, KEY, SECONDS = "saml-arrival", "saml_arrival", 60
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


def hand_over(said: Said, to: str) -> HttpResponseRedirect:
    """A redirect that carries what was said, for whoever has the cookie. Writes one session."""
    store = SessionStore()
    store[KEY] = said_stored(said)
    store.set_expiry(SECONDS)
    store.create()
    answer = HttpResponseRedirect(to)
    answer.set_cookie(
        COOKIE, store.session_key, max_age=SECONDS, path=to, secure=settings.SESSION_COOKIE_SECURE, httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return answer


def taken_over(request: HttpRequest) -> Said | None:
    """What was handed over to this browser, once; None where nothing was."""
    key = request.COOKIES.get(COOKIE)
    store = SessionStore(key) if key else None
    found = store.get(KEY) if store is not None else None
    if store is None or not isinstance(found, dict):
        return None
    store.delete()
    return Said(**found)
