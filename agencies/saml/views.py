"""The door for identity providers that speak SAML: asking them, hearing their answer, letting the person in, signing them out."""

import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import ratelimit
from allauth.core.internal.ratelimit import consume
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from lxml import etree
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request

from agencies.saml.claims import Said
from agencies.saml.handover import hand_over, taken_over
from agencies.saml.protocol import address, answer_believed, metadata_made, signing_out
from agencies.saml.refusals import SamlRefused, Why
from agencies.services.assertions import assertion_spend
from agencies.services.audit import audit_record
from missions_project.lib import walls

SIGNED_ON = "saml_signed_on"
"""In a session: by which provider, and under which of its names, the person came. A provider signs out nobody else."""
HERE = "here"
"""A parameter that says: sent on from another name of this server."""
DAMAGED = (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, etree.LxmlError, zlib.error, ValueError)


@require_GET
@never_cache
def sign_in(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """The way to the provider."""
    app = _app(request, provider_id)
    if request.get_host() != urlsplit(settings.PUBLIC_URL).netloc and HERE not in request.GET:
        # The answer comes to PUBLIC_URL: a session under another name of this server would never see it. Once: behind a
        # server that changes the name it would go round for ever.
        asked = urlencode({**request.GET.dict(), HERE: "1"})
        return HttpResponseRedirect(f"{address('saml_login', provider_id)}?{asked}")
    answer: HttpResponseBase = app.get_provider(request).redirect_from_request(request)
    return answer


# No token of ours can be in a form that the provider makes; its signature is what counts.
@csrf_exempt
@require_POST
@never_cache
def answered(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Where the provider's form brings its answer."""
    app, now = _app(request, provider_id), timezone.now()
    if (crowded := ratelimit.consume_or_429(request, action="login")) is not None:
        return crowded  # type: ignore[no-any-return]  # allauth ships no types
    try:
        said, number, until = answer_believed(app, request.POST.get("SAMLResponse", ""), now=now)
        with walls.within(walls.EVERYTHING):
            is_first = assertion_spend(provider=provider_id, number=number, until=until, now=now)
        if not is_first:
            raise SamlRefused(Why.REPLAYED, subject=said.subject)
    except SamlRefused as refusal:
        return _refused(request, provider_id, refusal)
    goes_to = "" if said.answers else _own_address(request.POST.get("RelayState", ""))
    to = reverse("saml_finish_acs", kwargs={"provider_id": provider_id})
    return hand_over(replace(said, goes_to=goes_to), to)


@require_GET
@never_cache
def arrived(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Let in, in the own browser, whom the signed answer names."""
    provider = _app(request, provider_id).get_provider(request)
    said = taken_over(request)
    try:
        if said is None or said.provider != provider_id:
            raise SamlRefused(Why.UNASKED)
        login = provider.sociallogin_from_response(request, said)
        login.state = _asked(request, provider, said)
    except SamlRefused as refusal:
        return _refused(request, provider_id, refusal)
    # Before, for a sign-in that goes on to a second factor; after, because the session of somebody else is emptied on the way.
    request.session[SIGNED_ON] = [provider_id, said.name_id]
    answer: HttpResponseBase = complete_social_login(request, login)
    if request.user.is_authenticated:
        request.session[SIGNED_ON] = [provider_id, said.name_id]
    elif answer.status_code == 403:
        request.session.pop(SIGNED_ON, None)
    return answer


@require_GET
@never_cache
def sign_out(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Where the provider sends a browser whose person signed out there. A message without its signature does nothing."""
    app = _app(request, provider_id)
    if not app.settings["slo_url"]:
        raise Http404
    signing = signing_out(app, request.GET.dict(), request.META.get("QUERY_STRING", ""))
    try:
        there = signing.process_slo(keep_local_session=True)
        if signing.get_errors():
            raise SamlRefused(Why.SIGN_OUT)
        is_about = _is_about(request, provider_id, signing.get_last_request_xml())
    except (*DAMAGED, SamlRefused):
        return _refused(request, provider_id, SamlRefused(Why.SIGN_OUT))
    if is_about:
        get_account_adapter(request).logout(request)
    return HttpResponseRedirect(there or reverse("account_login"))


@require_GET
def metadata(request: HttpRequest, provider_id: str) -> HttpResponse:
    """What a provider's administrator loads to set us up: addresses and, where there is one, our certificate. No secret."""
    found = metadata_made(_app(request, provider_id))
    return HttpResponse(found, content_type="application/samlmetadata+xml")


def _app(request: HttpRequest, provider_id: str) -> SocialApp:
    try:
        app = get_adapter().get_app(request, provider=provider_id)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    if app.provider != "saml":
        raise Http404
    return app


def _asked(request: HttpRequest, provider: Any, said: Said) -> dict[str, Any]:
    """What was asked in this browser's session, once; for an answer without a question only where the provider may begin."""
    if not said.answers:
        if not provider.app.settings["may_begin"]:
            raise SamlRefused(Why.UNASKED, subject=said.subject)
        return {"process": AuthProcess.LOGIN, **({"next": said.goes_to} if said.goes_to else {})}
    try:
        state: dict[str, Any] = provider.unstash_redirect_state(request, said.answers)
    except PermissionDenied:
        raise SamlRefused(Why.UNASKED, subject=said.subject) from None
    return state


def _own_address(text: str) -> str:
    """A page of ours that a provider's RelayState names; empty for everything else."""
    is_own = text.startswith("/") and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_own and len(text) <= 500 else ""


def _is_about(request: HttpRequest, provider_id: str, told: str | None) -> bool:
    """Whether a request to sign out names the person of this session. Nothing is asked for where the message is an answer."""
    known = request.session.get(SIGNED_ON)
    return bool(told) and known == [provider_id, OneLogin_Saml2_Logout_Request.get_nameid(told)]


def _refused(request: HttpRequest, provider_id: str, refusal: SamlRefused) -> HttpResponseBase:
    """The page that says why, with a line in the installation's audit log; a flood of them writes no lines."""
    if not consume(request, app="allauth.account", action="sign_on_refused", limit_get=True):
        return ratelimit.respond_429(request)  # type: ignore[no-any-return]  # allauth ships no types
    # The audit log is kept in one language, whoever stands at the door.
    with walls.within(walls.EVERYTHING), override("en"):
        audit_record(
            agency=None, actor=None, action="sign-on refused", subject=f"{provider_id}: {refusal.subject or '?'}",
            detail={"because": str(SamlRefused(refusal.code)), "code": refusal.code.value},
        )  # fmt: skip
    return render(request, "account/sign_on_refused.html", {"refusal": refusal}, status=403)
