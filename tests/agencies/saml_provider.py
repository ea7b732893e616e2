"""A SAML identity provider of the tests' own: it says, and signs, whatever a test wants it to."""

from __future__ import annotations

import base64
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

NAME, PUBLIC = "county-id", "http://testserver"
ENTITY, SSO, SLO = (
    "https://login.example.org/saml",
    "https://login.example.org/sso",
    "https://login.example.org/slo",
)
BASE = f"{PUBLIC}/accounts/saml/{NAME}"
METADATA, ACS, SLS = f"{BASE}/metadata/", f"{BASE}/acs/", f"{BASE}/sls/"
NS = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
PASSWORD_ONLY = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


def stamp(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_of(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Told:
    """What an answer says, part by part; a test changes the part that it is about."""

    answers: str = ""
    subject: str = "4711"
    name_format: str = PERSISTENT
    groups: list[str] = field(default_factory=lambda: ["patrol"])
    attributes: dict[str, list[str]] = field(default_factory=dict)
    issuer: str = ENTITY
    audience: str | None = METADATA
    recipient: str = ACS
    destination: str = ACS
    begins: float = -1
    ends: float = 5
    confirmed_until: float = 5
    confirmed_answers: str | None = None
    context: str = PASSWORD_ONLY
    status: str = SUCCESS
    number: str = field(default_factory=lambda: f"_{uuid.uuid4().hex}")
    response_number: str = field(default_factory=lambda: f"_{uuid.uuid4().hex}")


class SamlProvider:
    """Its key, and answers in its name."""

    def __init__(self) -> None:
        self.key = new_key()
        self.certificate = certificate_of(self.key)

    def app(self, **chosen: Any) -> dict[str, Any]:
        """The provider as the settings name it."""
        return {
            "provider_id": NAME,
            "name": "County ID",
            "client_id": NAME,
            "settings": {
                "entity_id": ENTITY, "sso_url": SSO, "slo_url": SLO, "certificates": [self.certificate],
                "signing_key": "", "signing_certificate": "", "groups_attribute": "groups", "groups_claim": "groups",
                "subject_attribute": "", "may_begin": False, "trusts_email": False, "trusts_second_factor": False,
                **chosen,
            },
        }  # fmt: skip

    @staticmethod
    def assertion(told: Told) -> str:
        """The assertion as XML, not signed. ``subject`` goes in as it is: a test may hide something in it."""
        answered = told.answers if told.confirmed_answers is None else told.confirmed_answers
        in_response = f' InResponseTo="{answered}"' if answered else ""
        attributes = "".join(
            f'<saml:Attribute Name="{escape(name)}">'
            + "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in {"groups": told.groups, **told.attributes}.items()
            if values
        )
        audience = (
            f"<saml:AudienceRestriction><saml:Audience>{told.audience}</saml:Audience></saml:AudienceRestriction>"
            if told.audience is not None
            else ""
        )
        return (
            f'<saml:Assertion xmlns:saml="{NS["saml"]}" Version="2.0" ID="{told.number}" IssueInstant="{stamp(told.begins)}">'
            f"<saml:Issuer>{told.issuer}</saml:Issuer>"
            f'<saml:Subject><saml:NameID Format="{told.name_format}">{told.subject}</saml:NameID>'
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{stamp(told.confirmed_until)}" Recipient="{told.recipient}"{in_response}/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{stamp(told.begins)}" NotOnOrAfter="{stamp(told.ends)}">{audience}</saml:Conditions>'
            f'<saml:AuthnStatement AuthnInstant="{stamp(-1)}" SessionIndex="s1"><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{told.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            + (f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>" if attributes else "")
            + "</saml:Assertion>"
        )

    @staticmethod
    def response(told: Told, *inside: str) -> str:
        answers = f' InResponseTo="{told.answers}"' if told.answers else ""
        return (
            f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" Version="2.0" ID="{told.response_number}" '
            f'IssueInstant="{stamp()}" Destination="{told.destination}"{answers}><saml:Issuer>{told.issuer}</saml:Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="{told.status}"/></samlp:Status>{"".join(inside)}</samlp:Response>'
        )

    def signed(
        self,
        xml: str,
        *,
        key: rsa.RSAPrivateKey | None = None,
        by: Any = xmlsec.Transform.RSA_SHA256,
        digest: Any = xmlsec.Transform.SHA256,
    ) -> str:
        """The element with its own signature in it, behind the issuer. Comments are left out of what is signed, as everywhere."""
        root = etree.fromstring(xml.encode())
        signature = xmlsec.template.create(root, xmlsec.Transform.EXCL_C14N, by, ns="ds")
        root.insert(1, signature)
        reference = xmlsec.template.add_reference(signature, digest, uri=f"#{root.get('ID')}")
        xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(pem_of(key or self.key), xmlsec.KeyFormat.PEM)
        context.sign(signature)
        return etree.tostring(root).decode()

    def answer(self, told: Told) -> str:
        """A good answer: a signed assertion in a response."""
        return self.response(told, self.signed(self.assertion(told)))

    def sign_out_query(
        self, subject: str, *, signs: bool = True, by: str = "rsa-sha256", key: Any = None
    ) -> str:
        """A request to sign out, as a query."""
        xml = (
            f'<samlp:LogoutRequest xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" Version="2.0" ID="_{uuid.uuid4().hex}" '
            f'IssueInstant="{stamp()}" Destination="{SLS}" NotOnOrAfter="{stamp(5)}"><saml:Issuer>{ENTITY}</saml:Issuer>'
            f"<saml:NameID>{subject}</saml:NameID></samlp:LogoutRequest>"
        )
        packed = zlib.compress(xml.encode())[2:-4]
        space = "http://www.w3.org/2001/04/xmldsig-more#" if by != "rsa-sha1" else NS["ds"]
        query = f"SAMLRequest={quote(base64.b64encode(packed), safe='')}"
        if not signs:
            return query
        query += f"&SigAlg={quote(space + by, safe='')}"
        hashed = hashes.SHA1() if by == "rsa-sha1" else hashes.SHA256()
        signature = (key or self.key).sign(query.encode(), padding.PKCS1v15(), hashed)
        return f"{query}&Signature={quote(base64.b64encode(signature), safe='')}"


def asked_number(address: str) -> str:
    """The number of the question that a redirect to the provider carries."""
    packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
    return str(etree.fromstring(zlib.decompress(base64.b64decode(packed), -15)).get("ID"))


def form(xml: str, **fields: str) -> dict[str, str]:
    """The form that the provider has the browser send."""
    return {"SAMLResponse": base64.b64encode(xml.encode()).decode(), **fields}
