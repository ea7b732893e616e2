"""Whether an answer is for us, now, and an answer to a question of ours: each rule of SAML's web browser profile that python3-saml or
django-allauth leave open is held here. Nothing here looks at the signature; nothing passes by these checks alone."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agencies.saml.refusals import SamlRefused, Why
from agencies.saml.shape import NAMES, Answer

if TYPE_CHECKING:
    from lxml import etree

CLOCKS_DIFFER = timedelta(minutes=3)
"""How far the provider's clock may be from ours."""
LONGEST = timedelta(hours=24)
"""An answer that holds longer is refused: it would have to be remembered as long."""
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


def answer_check(answer: Answer, *, issuer: str, audience: str, door: str, now: datetime) -> datetime:
    """Return until when the answer has to be remembered. ``door``: the address that it came to. Raises ``SamlRefused``.

    ``InResponseTo`` of the response is not signed where only the assertion is: it counts only where the assertion repeats it.
    """
    issuers = answer.root.findall("saml:Issuer", NAMES) + answer.find("saml:Issuer")
    if not answer.find("saml:Issuer") or any(_text(node) != issuer for node in issuers):
        raise SamlRefused(Why.ISSUER)
    if answer.root.get("Destination") != door:
        raise SamlRefused(Why.DESTINATION)
    _conditions_check(answer, audience, now)
    ends = [
        end
        for node in answer.find("saml:Subject/saml:SubjectConfirmation")
        if (end := _confirmed(node, answer, door, now))
    ]
    if not ends:
        raise SamlRefused(Why.CONFIRMATION)
    return max(ends) + CLOCKS_DIFFER


def _conditions_check(answer: Answer, audience: str, now: datetime) -> None:
    conditions = answer.find("saml:Conditions")
    if len(conditions) != 1:
        raise SamlRefused(Why.CONFIRMATION)
    restrictions = conditions[0].findall("saml:AudienceRestriction", NAMES)
    # Each restriction has to hold, and there has to be one: without, an answer for any service would do.
    for restriction in restrictions or [None]:
        heard = restriction.findall("saml:Audience", NAMES) if restriction is not None else []
        if audience not in [_text(node) for node in heard]:
            raise SamlRefused(Why.AUDIENCE)
    if not _holds(conditions[0], now) or _instant(answer.assertion.get("IssueInstant")) > now + CLOCKS_DIFFER:
        raise SamlRefused(Why.TIME)
    for statement in answer.find("saml:AuthnStatement"):
        end = statement.get("SessionNotOnOrAfter")
        if end is not None and _instant(end) <= now - CLOCKS_DIFFER:
            raise SamlRefused(Why.TIME)


def _confirmed(node: "etree._Element", answer: Answer, door: str, now: datetime) -> datetime | None:
    """The end of a confirmation that whoever bears it may use here, now, for this question; None for one that says otherwise."""
    data = node.find("saml:SubjectConfirmationData", NAMES)
    if node.get("Method") != BEARER or data is None:
        return None
    if data.get("Recipient") != door or data.get("InResponseTo") != answer.root.get("InResponseTo"):
        return None
    if data.get("NotOnOrAfter") is None:
        return None
    end = _instant(data.get("NotOnOrAfter"))
    if not _holds(data, now) or end > now + LONGEST:
        raise SamlRefused(Why.TIME)
    return end


def _holds(node: "etree._Element", now: datetime) -> bool:
    start, end = node.get("NotBefore"), node.get("NotOnOrAfter")
    begun = start is None or _instant(start) <= now + CLOCKS_DIFFER
    return begun and (end is None or now - CLOCKS_DIFFER < _instant(end))


def _instant(text: str | None) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise SamlRefused(Why.TIME) from None


def _text(node: "etree._Element") -> str:
    # An element within a name has parts of it elsewhere.
    return (node.text or "").strip() if len(node) == 0 else ""
