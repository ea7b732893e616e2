"""Read an answer so that there is one way to read it: a document that two readers could take differently is refused.

Signature wrapping (a signed assertion beside another that is read), comments that cut a name in two, entities and document types are refused
by what the document is built of, before any signature is looked at.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from lxml import etree

from agencies.saml.refusals import SamlRefused, Why

MAX_LETTERS = 256 * 1024
"""Of an answer as it is sent. Two hundred groups take about forty thousand."""
NAMES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_MORE, _EXC, _ENC = (
    "http://www.w3.org/2001/04/xmldsig-more#",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/04/xmlenc#",
)
SIGNED_BY = frozenset(f"{_MORE}{key}-sha{bits}" for key in ("rsa", "ecdsa") for bits in (256, 384, 512))
"""Signatures by a key that only the provider has, and no SHA-1."""
DIGESTS = frozenset({f"{_ENC}sha256", f"{_MORE}sha384", f"{_ENC}sha512"})
TRANSFORMS = frozenset({"http://www.w3.org/2000/09/xmldsig#enveloped-signature", _EXC})
"""What may happen to an assertion before it is hashed: others (XPath, XSLT) could leave parts of it out."""
CANONICAL = frozenset({_EXC})
_ENCODING = re.compile(r"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)[\"']")


@dataclass(frozen=True)
class Answer:
    """A provider's answer, not believed yet: as sent (base64), its root, and the one assertion in it."""

    sent: str
    root: "etree._Element"
    assertion: "etree._Element"

    def find(self, path: str) -> "list[etree._Element]":
        """Elements below the assertion."""
        return self.assertion.findall(path, NAMES)


def answer_read(sent: str) -> Answer:
    """Return the answer if it is built of a response with one assertion, signed as a whole. Raises ``SamlRefused``; believes nothing."""
    root = _parsed(sent)
    if root.tag != _name("samlp", "Response") or root.get("Version") != "2.0" or not root.get("ID"):
        raise SamlRefused(Why.STRUCTURE)
    status = root.find("samlp:Status/samlp:StatusCode", NAMES)
    if status is None or status.get("Value") != "urn:oasis:names:tc:SAML:2.0:status:Success":
        raise SamlRefused(Why.STATUS)
    if next(root.iter(_name("saml", "EncryptedAssertion"), _name("saml", "EncryptedID")), None) is not None:
        raise SamlRefused(Why.ENCRYPTED)
    assertions = list(root.iter(_name("saml", "Assertion")))
    if len(assertions) != 1 or assertions[0].getparent() is not root:
        raise SamlRefused(Why.STRUCTURE)
    _ids_unique(root)
    _signatures_plain(root, assertions[0])
    return Answer(sent=sent, root=root, assertion=assertions[0])


def _name(space: str, tag: str) -> str:
    return f"{{{NAMES[space]}}}{tag}"


def _parsed(sent: str) -> "etree._Element":
    if not 0 < len(sent) <= MAX_LETTERS:
        raise SamlRefused(Why.SIZE)
    try:
        text = base64.b64decode("".join(sent.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise SamlRefused(Why.XML) from None
    told = _ENCODING.match(text.lstrip("\ufeff"))
    # In another alphabet the same bytes could be a document type after all.
    if "<!DOCTYPE" in text or "<!ENTITY" in text or (told and told[1].lower() != "utf-8"):
        raise SamlRefused(Why.XML)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(), parser)  # nosec B320 - no document type, no entities, no network
    except etree.XMLSyntaxError:
        raise SamlRefused(Why.XML) from None
    tree = root.getroottree()
    around = (tree.docinfo.doctype, root.getprevious() is not None, root.getnext() is not None)
    if any(around) or any(not isinstance(node.tag, str) for node in root.iter()):
        # A comment within a name is not signed: a@x.org<!---->.evil would be read as a@x.org by some.
        raise SamlRefused(Why.XML)
    return root


def _ids_unique(root: "etree._Element") -> None:
    ids = [value for node in root.iter() for name, value in node.attrib.items() if name.lower() == "id"]
    if len(ids) != len(set(ids)):
        raise SamlRefused(Why.STRUCTURE)


def _signatures_plain(root: "etree._Element", assertion: "etree._Element") -> None:
    """Each signature signs the element that it stands in, all of it, by an accepted method; the assertion has one."""
    signatures = list(root.iter(_name("ds", "Signature")))
    owners = [signature.getparent() for signature in signatures]
    if assertion not in owners:
        raise SamlRefused(Why.UNSIGNED)
    if any(owner is not root and owner is not assertion for owner in owners) or len(owners) != len(
        set(owners)
    ):
        raise SamlRefused(Why.STRUCTURE)
    for signature, owner in zip(signatures, owners, strict=True):
        references = signature.findall(".//ds:Reference", NAMES)
        whole = f"#{owner.get('ID')}" if owner is not None else ""
        if len(references) != 1 or references[0].get("URI") != whole or len(whole) < 2:
            raise SamlRefused(Why.STRUCTURE)
        if signature.find("ds:Object", NAMES) is not None:
            raise SamlRefused(Why.STRUCTURE)
        for path, accepted in (
            ("ds:SignedInfo/ds:SignatureMethod", SIGNED_BY),
            ("ds:SignedInfo/ds:CanonicalizationMethod", CANONICAL),
            ("ds:SignedInfo/ds:Reference/ds:DigestMethod", DIGESTS),
            ("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", TRANSFORMS),
        ):
            found = [node.get("Algorithm") for node in signature.findall(path, NAMES)]
            if not found or not accepted.issuperset(found):
                raise SamlRefused(Why.ALGORITHM)
