"""python3-saml as it is used here: strict, with addresses of our own choice and never of the request's."""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from agencies.saml.checks import answer_check
from agencies.saml.claims import Said
from agencies.saml.refusals import SamlRefused, Why
from agencies.saml.shape import Answer, answer_read

logger = logging.getLogger(__name__)
GOOD_FOR = timedelta(days=366)
"""Until when a provider may go by what our metadata says."""
MAX_NAME = 191
"""Letters of the name under which django-allauth keeps a person of a provider."""


def address(name: str, provider_id: str) -> str:
    """One of our addresses as the provider knows it: below PUBLIC_URL, whatever host the request claims to have come to."""
    return settings.PUBLIC_URL.rstrip("/") + reverse(name, kwargs={"provider_id": provider_id})


def toolkit_settings(app: SocialApp, *, for_sign_out: bool = False) -> dict[str, Any]:
    """python3-saml's settings for a provider."""
    chosen = app.settings
    idp: dict[str, Any] = {
        "entityId": chosen["entity_id"],
        "singleSignOnService": {"url": chosen["sso_url"]},
        "x509certMulti": {"signing": chosen["certificates"]},
    }
    sp: dict[str, Any] = {
        "entityId": address("saml_metadata", app.provider_id),
        "assertionConsumerService": {
            "url": address("saml_acs", app.provider_id),
            "binding": Names.BINDING_HTTP_POST,
        },
        "NameIDFormat": Names.NAMEID_UNSPECIFIED,
    }
    if chosen["slo_url"]:
        idp["singleLogoutService"] = {"url": chosen["slo_url"]}
        sp["singleLogoutService"] = {
            "url": address("saml_sls", app.provider_id),
            "binding": Names.BINDING_HTTP_REDIRECT,
        }
    is_signing = bool(chosen["signing_key"])
    if is_signing:
        sp |= {"x509cert": chosen["signing_certificate"], "privateKey": chosen["signing_key"]}
    return {
        "strict": True,
        "debug": False,
        "idp": idp,
        "sp": sp,
        "security": {
            "authnRequestsSigned": is_signing,
            "logoutRequestSigned": is_signing,
            "logoutResponseSigned": is_signing,
            "wantAssertionsSigned": True,
            # Of a message for signing out: python3-saml takes an unsigned one unless it is told not to.
            "wantMessagesSigned": for_sign_out,
            "wantNameId": False,
            "wantAttributeStatement": False,
            "allowRepeatAttributeName": True,
            "requestedAuthnContext": False,
            "rejectDeprecatedAlgorithm": True,
            "allowSingleLabelDomains": True,
            "signatureAlgorithm": Names.RSA_SHA256,
            "digestAlgorithm": Names.SHA256,
        },
    }  # fmt: skip


def request_data(
    door: str, *, sent: dict[str, str] | None = None, asked: dict[str, str] | None = None, query: str = ""
) -> dict[str, Any]:
    """A request as python3-saml wants to be told of it, at the address where it must have come in."""
    parts = urlsplit(door)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": parts.path,
        "get_data": asked or {},
        "post_data": sent or {},
        "query_string": query,
    }


def asking(app: SocialApp) -> tuple[str, str]:
    """The address at the provider that asks it to sign somebody in, and the question's number."""
    auth = OneLogin_Saml2_Auth(request_data(address("saml_login", app.provider_id)), toolkit_settings(app))
    # An empty return address: python3-saml would send the provider the page that it takes for the current one.
    return auth.login(return_to=""), auth.get_last_request_id()


def answer_believed(app: SocialApp, sent: str, *, now: datetime) -> tuple[Said, str, datetime]:
    """What a provider's answer says, its number, and until when that has to be remembered. Raises ``SamlRefused``."""
    answer = answer_read(sent)
    door = address("saml_acs", app.provider_id)
    until = answer_check(
        answer,
        issuer=app.settings["entity_id"],
        audience=address("saml_metadata", app.provider_id),
        door=door,
        now=now,
    )
    response = _verified(app, answer, door)
    return _said(app, answer, response), str(answer.assertion.get("ID")), until


def _verified(app: SocialApp, answer: Answer, door: str) -> OneLogin_Saml2_Response:
    """python3-saml's reading, once it has found that the provider's key signed it and that the schema holds."""
    try:
        response = OneLogin_Saml2_Response(OneLogin_Saml2_Settings(toolkit_settings(app)), answer.sent)
        is_valid = response.is_valid(request_data(door, sent={"SAMLResponse": answer.sent}))
    except (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, ValueError) as exc:
        logger.warning("SAML answer for %s refused: %s", app.provider_id, type(exc).__name__)
        raise SamlRefused(Why.SIGNATURE) from exc
    if not is_valid:
        # Words of whoever sent it may stand in the reason: quoted and short.
        logger.warning("SAML answer for %s refused: %.200r", app.provider_id, response.get_error())
        raise SamlRefused(Why.SIGNATURE)
    return response


def _said(app: SocialApp, answer: Answer, response: OneLogin_Saml2_Response) -> Said:
    try:
        name_id, name_format = response.get_nameid() or "", response.get_nameid_format() or ""
        found = response.get_attributes()
    except OneLogin_Saml2_ValidationError as exc:
        raise SamlRefused(Why.SUBJECT) from exc
    attributes = {
        name: [value for value in values if isinstance(value, str)] for name, values in found.items()
    }
    chosen = app.settings["subject_attribute"]
    subjects = (
        attributes.get(chosen, []) if chosen else [name_id] if name_format != Names.NAMEID_TRANSIENT else []
    )
    if len(subjects) != 1 or not 0 < len(subjects[0].strip()) <= MAX_NAME:
        raise SamlRefused(Why.SUBJECT)
    return Said(
        provider=app.provider_id,
        subject=subjects[0].strip(),
        name_id=name_id.strip(),
        name_format=name_format,
        attributes=attributes,
        contexts=[text for text in response.get_authn_contexts() if text],
        answers=answer.root.get("InResponseTo") or "",
    )


def said_stored(said: Said) -> dict[str, Any]:
    """As a session keeps it."""
    return asdict(said)


def signing_out(app: SocialApp, asked: dict[str, str], query: str) -> OneLogin_Saml2_Auth:
    """python3-saml on a message for signing out. It is to be asked by ``process_slo`` and ``get_errors``."""
    door = address("saml_sls", app.provider_id)
    return OneLogin_Saml2_Auth(
        request_data(door, asked=asked, query=query), toolkit_settings(app, for_sign_out=True)
    )


def metadata_made(app: SocialApp) -> bytes:
    """What a provider wants to know of us, as XML."""
    chosen = toolkit_settings(app)
    # python3-saml says two days: a provider that reads it once would stop believing it on the third.
    chosen["security"]["metadataValidUntil"] = f"{timezone.now() + GOOD_FOR:%Y-%m-%dT%H:%M:%SZ}"
    found = OneLogin_Saml2_Settings(chosen, sp_validation_only=True).get_sp_metadata()
    return found if isinstance(found, bytes) else str(found).encode()
