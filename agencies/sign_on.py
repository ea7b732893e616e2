"""Single sign-on: django-allauth does the protocol; who is let in, and as what, is decided in ``agencies.services.sign_on``.

OpenID Connect is checked here; what came by SAML was checked in ``agencies.saml`` and arrives in the same words.
"""

import hashlib
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from agencies.services.sign_on import Arrival, SignOnRefused, person_sign_on

SIGNED_BY = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a key that only the provider has. The token itself names one: "none", or one that we could make too, is refused."""
PROVED_TWICE = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face"})
"""Values of the claim "amr" (RFC 8176) that tell of more than a password."""
MAX_ADDRESS = 254
MAX_SUBJECT = 255
"""OpenID Connect Core, section 2: a subject's letters."""


class CheckedAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth ships no types
    """allauth reads an identity token that came over TLS without its signature, as the standard allows; here it is always checked."""

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        try:
            header = jwtkit.jwt.get_unverified_header(id_token)
        except jwtkit.jwt.PyJWTError as exc:
            raise OAuth2Error from exc
        if header.get("alg") not in SIGNED_BY or "kid" not in header:
            raise OAuth2Error
        config = self.openid_config
        claims: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=config["jwks_uri"],
            issuer=config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
            verify_signature=True,
        )
        return claims

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> Any:
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error
        return super().complete_login(request, app, token, **kwargs)

    def get_provider(self) -> Any:
        provider = super().get_provider()
        told = provider.extract_uid

        def subject(data: dict[str, Any]) -> str:
            try:
                return _subject(told(data))
            except KeyError as exc:
                # It does not say who comes.
                raise OAuth2Error from exc

        provider.extract_uid = subject
        return provider


def _subject(told: str) -> str:
    """A provider's name for a person, as an account can keep it: one longer than that by its hash. Refuses what the standard does."""
    if not 0 < len(told) <= MAX_SUBJECT:
        raise OAuth2Error
    if len(told) <= SocialAccount._meta.get_field("uid").max_length:
        return told
    return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


def signed_on(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Where the provider sends people back to."""
    adapter = CheckedAdapter(request, provider_id)
    try:
        # One that speaks SAML has an address of its own to come back to.
        if adapter.get_provider().app.provider != "openid_connect":
            raise Http404
        answer: HttpResponseBase = OAuth2CallbackView.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    return answer


def closed(request: HttpRequest) -> HttpResponseBase:
    """allauth's pages to sign up by, and to tie accounts together: nobody does that by themselves here."""
    raise Http404


def arrival_of(provider: str, subject: str, told: dict[str, Any], settings: dict[str, Any]) -> Arrival:
    """What the provider's claims say. A claim of another shape than expected says nothing."""
    claims = told.get("id_token", {})
    extra = told.get("userinfo", {})
    # Somebody else's answer must not lend this person its groups (OpenID Connect Core, 5.3.2).
    if extra.get("sub") == claims.get("sub"):
        claims = {**extra, **claims}
    groups = claims.get(settings["groups_claim"], [])
    groups = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []

    def word(name: str) -> str:
        value = claims.get(name)
        return value.strip() if isinstance(value, str) else ""

    return Arrival(
        provider=provider,
        subject=subject,
        groups=tuple(group for group in groups if isinstance(group, str)),
        username=word("preferred_username"),
        email=_address(word("email")),
        is_email_sure=settings["trusts_email"] or claims.get("email_verified") is True,
        first_name=word("given_name"),
        last_name=word("family_name"),
    )


def _address(text: str) -> str:
    """An e-mail address that an account can have; empty for anything else, which would fail only when it is stored."""
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return text if len(text) <= MAX_ADDRESS else ""


class SignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Lets in whom a group gives a role, and nobody else."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        app = sociallogin.provider.app
        told, sociallogin.account.extra_data = sociallogin.account.extra_data, {}
        arrival = arrival_of(app.provider_id, sociallogin.account.uid, told, app.settings)
        if sociallogin.state.get("process") not in (None, AuthProcess.LOGIN):
            raise ImmediateHttpResponse(_refused(request, None))
        known = sociallogin.user if sociallogin.is_existing else None
        try:
            person = person_sign_on(arrival=arrival, known=known)
        except SignOnRefused as refusal:
            raise ImmediateHttpResponse(_refused(request, refusal)) from None
        sociallogin.user = sociallogin.account.user = person
        # Who it was and nothing of what the provider told: that is asked anew each time.
        sociallogin.account.save()
        if app.settings["trusts_second_factor"] and _proved_twice(told):
            sociallogin.proved_second_factor = True

    @staticmethod
    def note_second_factor(request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Carry a second factor that the provider asked for into the session."""
        if getattr(sociallogin, "proved_second_factor", False):
            record_authentication(request, sociallogin.user, "mfa", type="provider")


def _proved_twice(told: dict[str, Any]) -> bool:
    ways = told.get("id_token", {}).get("amr", [])
    return isinstance(ways, list) and any(isinstance(way, str) and way in PROVED_TWICE for way in ways)


def _refused(request: HttpRequest, refusal: SignOnRefused | None) -> HttpResponseBase:
    return render(request, "account/sign_on_refused.html", {"refusal": refusal}, status=403)
