"""What a provider's assertion says of a person, in the words of OpenID Connect: from there on both ways of signing on are one."""

from dataclasses import dataclass, field
from typing import Any

SCHEMAS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
KNOWN_AS = {
    "preferred_username": (
        "username",
        "uid",
        "urn:oid:0.9.2342.19200300.100.1.1",
        f"{SCHEMAS}/upn",
        f"{SCHEMAS}/name",
    ),
    "email": ("email", "mail", "urn:oid:0.9.2342.19200300.100.1.3", f"{SCHEMAS}/emailaddress"),
    "given_name": ("given_name", "firstName", "givenName", "urn:oid:2.5.4.42", f"{SCHEMAS}/givenname"),
    "family_name": ("family_name", "lastName", "surname", "sn", "urn:oid:2.5.4.4", f"{SCHEMAS}/surname"),
    "email_verified": ("email_verified", "http://schemas.auth0.com/email_verified"),
}
"""Attributes by the claim that they become, the first that is there counts: short names, LDAP's numbers, Microsoft's addresses."""
_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
PROVED_TWICE = frozenset(
    {
        "http://schemas.microsoft.com/claims/multipleauthn",
        "https://refeds.org/profile/mfa",
        *(f"{_CLASSES}{name}" for name in (
            "MobileTwoFactorContract", "MobileTwoFactorUnregistered", "SmartcardPKI", "TimeSyncToken",
        )),
    }
)  # fmt: skip
"""Ways of signing in at the provider (authentication contexts, Microsoft's methods) that tell of more than a password."""
METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"


@dataclass(frozen=True)
class Said:
    """A signed assertion's contents. ``answers``: the request that it answers, empty where the provider began."""

    provider: str
    subject: str
    name_id: str
    name_format: str = ""
    attributes: dict[str, list[str]] = field(default_factory=dict)
    contexts: list[str] = field(default_factory=list)
    answers: str = ""
    goes_to: str = ""


def claims_of(said: Said, groups_attribute: str) -> dict[str, Any]:
    """The claims of an identity token that says the same."""
    claims: dict[str, Any] = {"sub": said.subject, "groups": list(said.attributes.get(groups_attribute, []))}
    for claim, names in KNOWN_AS.items():
        values = next((said.attributes[name] for name in names if said.attributes.get(name)), None)
        # Of two addresses neither is surely the person's.
        if values is not None and len(values) == 1:
            claims[claim] = values[0]
    if "email" not in claims and said.name_format == EMAIL_FORMAT:
        claims["email"] = said.name_id
    claims["preferred_username"] = claims.get("preferred_username", "").partition("@")[0]
    claims["email_verified"] = claims.get("email_verified", "").lower() == "true"
    if PROVED_TWICE.intersection([*said.contexts, *said.attributes.get(METHODS, [])]):
        claims["amr"] = ["mfa"]
    return claims
