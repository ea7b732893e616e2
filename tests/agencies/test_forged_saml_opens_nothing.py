"""Answers that an identity provider did not give, or not to us, or not now: each ends at a page that says why, and in the audit log."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("onelogin", reason="python3-saml of requirements.txt is not installed here")
import xmlsec
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from lxml import etree

from agencies.models import Agency, AuditEvent, GroupRole, SpentAssertion, User
from agencies.saml import shape
from tests.agencies.saml_provider import (
    ACS,
    NAME,
    NS,
    PUBLIC,
    SamlProvider,
    Told,
    asked_number,
    form,
    new_key,
    pem_of,
)

pytestmark = pytest.mark.django_db
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
Forgery = Callable[[SamlProvider, str], str]


@pytest.fixture(scope="module")
def provider() -> SamlProvider:
    return SamlProvider()


@pytest.fixture(autouse=True)
def _known(provider: SamlProvider, settings: Any, agency: Agency) -> Iterator[None]:
    settings.PUBLIC_URL = PUBLIC
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}, "saml": {"APPS": [provider.app()]}}
    GroupRole.objects.create(agency=agency, provider=NAME, group="patrol", role="officer")
    cache.clear()
    yield
    cache.clear()


def asked(client: Client) -> str:
    return asked_number(client.get(reverse("saml_login", kwargs={"provider_id": NAME})).url)


def sent(client: Client, fields: dict[str, str]) -> Any:
    """Bring an answer, and go on to where it leads."""
    answer = client.post(ACS, fields)
    return client.get(answer.url) if answer.status_code == 302 else answer


def is_refused(client: Client, answer: Any, code: str) -> None:
    assert answer.status_code == 403, answer.status_code
    page = answer.content.decode()
    assert "Not let in" in page
    assert "Next step" in page
    assert "_auth_user_id" not in client.session
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()
    refused = AuditEvent.objects.get(action="sign-on refused")
    assert (refused.detail["code"], refused.agency, refused.actor) == (code, None, None)
    assert refused.subject.startswith(f"{NAME}: ")


def parsed(xml: str) -> Any:
    return etree.fromstring(xml.encode())


def written(root: Any) -> str:
    return str(etree.tostring(root).decode())


def evil(told: Told) -> Any:
    """An assertion in the same provider's words about somebody else, not signed."""
    return parsed(
        SamlProvider.assertion(Told(answers=told.answers, subject="0001", groups=["patrol", "chiefs"]))
    )


def find(root: Any, path: str) -> Any:
    return root.find(path, NS)


# --- signed by the provider, but not for this ---


def told(**changes: Any) -> Forgery:
    return lambda provider, number: provider.answer(Told(answers=number, **changes))


def signed(**how: Any) -> Forgery:
    def forged(provider: SamlProvider, number: str) -> str:
        case = Told(answers=number)
        return provider.response(case, provider.signed(provider.assertion(case), **how))

    return forged


def unsigned(provider: SamlProvider, number: str) -> str:
    case = Told(answers=number)
    return provider.response(case, provider.assertion(case))


def only_the_response_signed(provider: SamlProvider, number: str) -> str:
    return provider.signed(unsigned(provider, number))


def signature_removed(provider: SamlProvider, number: str) -> str:
    root = parsed(provider.answer(Told(answers=number)))
    assertion = find(root, "saml:Assertion")
    assertion.remove(find(assertion, "ds:Signature"))
    return written(root)


def changed_afterwards(provider: SamlProvider, number: str) -> str:
    return provider.answer(Told(answers=number, groups=["bowling"])).replace(">bowling<", ">patrol<")


def response_changed_afterwards(provider: SamlProvider, number: str) -> str:
    """Both are signed; the assertion holds, the response around it does not."""
    case = Told(answers=number)
    whole = provider.signed(provider.answer(case))
    return whole.replace('IssueInstant="2', 'IssueInstant="1', 1)


def no_attributes_signed_by_xpath(provider: SamlProvider, number: str) -> str:
    """The signature leaves out what a filter takes away: here every attribute."""
    case = Told(answers=number)
    root = parsed(provider.assertion(case))
    signature = xmlsec.template.create(root, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, ns="ds")
    root.insert(1, signature)
    reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri=f"#{case.number}")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    filtered = xmlsec.template.add_transform(reference, xmlsec.Transform.XPATH)
    xpath = etree.SubElement(filtered, f"{{{NS['ds']}}}XPath")
    xpath.text = "not(ancestor-or-self::*[local-name()='AttributeStatement'])"
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem_of(provider.key), xmlsec.KeyFormat.PEM)
    context.sign(signature)
    return provider.response(case, written(root))


def a_key_of_its_own_in_the_answer(provider: SamlProvider, number: str) -> str:
    """Signed by a stranger, whose public key is in the signature."""
    case, stranger = Told(answers=number), new_key()
    root = parsed(provider.signed(provider.assertion(case), key=stranger))
    numbers = stranger.public_key().public_numbers()

    def packed(value: int) -> str:
        return base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()

    info = etree.SubElement(find(root, "ds:Signature"), f"{{{NS['ds']}}}KeyInfo")
    value = etree.SubElement(etree.SubElement(info, f"{{{NS['ds']}}}KeyValue"), f"{{{NS['ds']}}}RSAKeyValue")
    etree.SubElement(value, f"{{{NS['ds']}}}Modulus").text = packed(numbers.n)
    etree.SubElement(value, f"{{{NS['ds']}}}Exponent").text = packed(numbers.e)
    return provider.response(case, written(root))


# --- signature wrapping: something signed is there, and something else is to be read ---


def wrapped_beside(provider: SamlProvider, number: str) -> str:
    case = Told(answers=number)
    root = parsed(provider.answer(case))
    root.insert(2, evil(case))
    return written(root)


def wrapped_around(provider: SamlProvider, number: str) -> str:
    """The signed assertion inside one that is not."""
    case = Told(answers=number)
    root, other = parsed(provider.answer(case)), evil(case)
    original = find(root, "saml:Assertion")
    root.replace(original, other)
    other.append(original)
    return written(root)


def wrapped_in_the_signature(provider: SamlProvider, number: str) -> str:
    """The signature moves to the other assertion and carries the one that it signs."""
    case = Told(answers=number)
    root, other = parsed(provider.answer(case)), evil(case)
    original = find(root, "saml:Assertion")
    signature = find(original, "ds:Signature")
    root.replace(original, other)
    original.remove(signature)
    other.insert(1, signature)
    etree.SubElement(signature, f"{{{NS['ds']}}}Object").append(original)
    return written(root)


def wrapped_in_extensions(provider: SamlProvider, number: str) -> str:
    case = Told(answers=number)
    root, other = parsed(provider.answer(case)), evil(case)
    original = find(root, "saml:Assertion")
    root.replace(original, other)
    extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
    extensions.append(original)
    root.insert(1, extensions)
    return written(root)


def wrapped_under_the_same_number(provider: SamlProvider, number: str) -> str:
    """Two elements of one ID: the reference finds one, the reader the other."""
    case = Told(answers=number)
    root, other = parsed(provider.answer(case)), evil(case)
    original = find(root, "saml:Assertion")
    signature = find(original, "ds:Signature")
    other.set("ID", case.number)
    root.replace(original, other)
    original.remove(signature)
    other.insert(1, signature)
    hidden = etree.SubElement(find(root, "samlp:Status"), f"{{{NS['samlp']}}}StatusDetail")
    hidden.append(original)
    # Told apart by name only: it counts as no second assertion.
    original.tag = f"{{{NS['samlp']}}}Assertion"
    return written(root)


def wrapped_response(provider: SamlProvider, number: str) -> str:
    """A whole signed response inside another."""
    case = Told(answers=number)
    original = parsed(provider.signed(provider.answer(case)))
    outer = parsed(provider.response(Told(answers=number), written(evil(case))))
    signature = find(original, "ds:Signature")
    original.remove(signature)
    outer.insert(1, signature)
    etree.SubElement(signature, f"{{{NS['ds']}}}Object").append(original)
    return written(outer)


def reference_to_the_whole_document(provider: SamlProvider, number: str) -> str:
    return provider.answer(Told(answers=number)).replace('URI="#', 'URI="" Id="x', 1)


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "wrong key": (signed(key=new_key()), "signature"),
    "its own key brought along": (a_key_of_its_own_in_the_answer, "signature"),
    "changed afterwards": (changed_afterwards, "signature"),
    "response changed afterwards": (response_changed_afterwards, "signature"),
    "attributes left out of the signature": (no_attributes_signed_by_xpath, "algorithm"),
    "unsigned": (unsigned, "unsigned"),
    "only the response signed": (only_the_response_signed, "unsigned"),
    "signature removed": (signature_removed, "unsigned"),
    "RSA-SHA1": (signed(by=xmlsec.Transform.RSA_SHA1), "algorithm"),
    "SHA-1 digest": (signed(digest=xmlsec.Transform.SHA1), "algorithm"),
    "expired conditions": (told(begins=-30, ends=-10), "time"),
    "expired confirmation": (told(confirmed_until=-10), "time"),
    "from the future": (told(begins=30, ends=60, confirmed_until=60), "time"),
    "good for a year": (told(confirmed_until=60 * 24 * 365), "time"),
    "other audience": (told(audience="https://other.example.org/"), "audience"),
    "no audience": (told(audience=None), "audience"),
    "other issuer": (told(issuer="https://evil.example.org/"), "issuer"),
    "other destination": (told(destination="https://other.example.org/acs/"), "destination"),
    "longer destination": (told(destination=f"{ACS}more/"), "destination"),
    "no destination": (told(destination=""), "destination"),
    "other recipient": (told(recipient="https://other.example.org/acs/"), "confirmation"),
    "recipient that holds ours": (told(recipient=f"https://other.example.org/?to={ACS}"), "confirmation"),
    "the answer to another question": (told(confirmed_answers="_other"), "confirmation"),
    "an assertion that nobody asked for": (told(confirmed_answers=""), "confirmation"),
    "not let in there": (told(status="urn:oasis:names:tc:SAML:2.0:status:Responder"), "status"),
    "comment in the name": (told(subject="a@x.org<!---->.evil"), "xml"),
    "instruction in the name": (told(subject="a@x.org<?x?>.evil"), "xml"),
    "element in the name": (told(subject="a@x.org<saml:Issuer>b</saml:Issuer>"), "signature"),
    "a name for this time only": (told(name_format=TRANSIENT), "subject"),
    "no name": (told(subject=""), "subject"),
    "a name without end": (told(subject="x" * 400), "subject"),
    "wrapped beside": (wrapped_beside, "structure"),
    "wrapped around": (wrapped_around, "structure"),
    "wrapped in the signature": (wrapped_in_the_signature, "structure"),
    "wrapped in extensions": (wrapped_in_extensions, "structure"),
    "wrapped under the same number": (wrapped_under_the_same_number, "structure"),
    "wrapped response": (wrapped_response, "structure"),
    "reference to the whole document": (reference_to_the_whole_document, "structure"),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_is_refused(provider: SamlProvider, case: str) -> None:
    forgery, code = FORGERIES[case]
    client = Client()
    answer = sent(client, form(forgery(provider, asked(client))))
    is_refused(client, answer, code)


@pytest.mark.parametrize("whole", [False, True])
def test_what_the_forgeries_change_lets_in_as_it_is(provider: SamlProvider, whole: bool) -> None:
    """Else they could be refused for being badly made."""
    client = Client()
    xml = provider.answer(Told(answers=asked(client)))
    answer = sent(client, form(provider.signed(xml) if whole else xml))
    assert answer.status_code == 302
    assert "_auth_user_id" in client.session
    assert not AuditEvent.objects.filter(action="sign-on refused").exists()


@pytest.mark.parametrize("case", [name for name in FORGERIES if FORGERIES[name][1] == "structure"])
def test_wrapping_is_refused_by_the_library_behind_too(
    provider: SamlProvider, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two walls: with ours taken down python3-saml's own still stands."""
    monkeypatch.setattr(shape, "_ids_unique", lambda root: None)
    monkeypatch.setattr(shape, "_signatures_plain", lambda root, assertion: None)
    client = Client()
    answer = sent(client, form(FORGERIES[case][0](provider, asked(client))))
    assert answer.status_code == 403
    assert "_auth_user_id" not in client.session


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
DOCUMENTS = {
    "an entity of a file": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    "an entity of another server": '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>',
    "a billion laughs": f'<!DOCTYPE r [<!ENTITY a0 "ha">{BOMB}]>',
    "a document type alone": "<!DOCTYPE r>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7"])
@pytest.mark.parametrize("case", DOCUMENTS)
def test_document_types_are_not_read(provider: SamlProvider, case: str, encoding: str) -> None:
    client = Client()
    case_told = Told(
        answers=asked(client), subject="&x;" if "entity" in case else "&a11;" if "laughs" in case else "4711"
    )
    signed_xml = provider.answer(Told(answers=case_told.answers))
    xml = f'<?xml version="1.0" encoding="{encoding}"?>{DOCUMENTS[case]}' + signed_xml.replace(
        ">4711<", f">{case_told.subject}<"
    )
    data = {"SAMLResponse": base64.b64encode(xml.encode(encoding)).decode()}
    is_refused(client, sent(client, data), "xml")


@pytest.mark.parametrize(
    ("junk", "code"),
    [
        ("", "size"),
        ("A" * (shape.MAX_LETTERS + 4), "size"),
        ("%%%", "xml"),
        ("é", "xml"),
        ("AAAA", "xml"),
        (base64.b64encode(b"<a").decode(), "xml"),
        (base64.b64encode(b"<a/>").decode(), "structure"),
        (base64.b64encode(f'<r xmlns="{NS["samlp"]}"/>'.encode()).decode(), "structure"),
        (base64.b64encode(b"\xff\xfe<\x00").decode(), "xml"),
        (base64.b64encode(b"<a>" * 5000).decode(), "xml"),
    ],
    ids=[
        "nothing",
        "too much",
        "no base64",
        "no ascii",
        "zeros",
        "half",
        "another document",
        "a name alone",
        "no utf-8",
        "deep",
    ],
)
def test_junk_is_refused_in_words(junk: str, code: str) -> None:
    client = Client()
    answer = sent(client, {"SAMLResponse": junk})
    assert not Session.objects.exists()
    is_refused(client, answer, code)


def test_a_form_without_an_answer_is_refused() -> None:
    client = Client()
    is_refused(client, sent(client, {"RelayState": "/"}), "size")


def test_an_encrypted_assertion_says_so(provider: SamlProvider) -> None:
    client = Client()
    xml = provider.response(Told(answers=asked(client)), "<saml:EncryptedAssertion/>")
    is_refused(client, sent(client, form(xml)), "encrypted")


class TestAnAnswerThatWasUsed:
    def test_opens_no_second_session(self, provider: SamlProvider) -> None:
        client = Client()
        fields = form(provider.answer(Told(answers=asked(client))))
        assert sent(client, fields).status_code == 302
        assert "_auth_user_id" in client.session
        for thief in (Client(), client):
            answer = thief.post(ACS, fields)
            assert answer.status_code == 403
            assert "used before" in answer.content.decode()
        refused = AuditEvent.objects.filter(action="sign-on refused").first()
        assert refused is not None
        assert (refused.subject, refused.detail["code"]) == (f"{NAME}: 4711", "replayed")

    def test_nor_in_another_response_around_it(self, provider: SamlProvider, settings: Any) -> None:
        """The number of the response is not signed; that of the assertion is."""
        settings.SOCIALACCOUNT_PROVIDERS["saml"]["APPS"][0]["settings"]["may_begin"] = True
        case = Told()
        assertion = provider.signed(provider.assertion(case))
        assert sent(Client(), form(provider.response(case, assertion))).status_code == 302
        answer = Client().post(ACS, form(provider.response(Told(), assertion)))
        assert answer.status_code == 403
        assert AuditEvent.objects.get(action="sign-on refused").detail["code"] == "replayed"

    def test_is_forgotten_once_it_has_ended(self, provider: SamlProvider) -> None:
        client = Client()
        sent(client, form(provider.answer(Told(answers=asked(client)))))
        SpentAssertion.objects.update(until="2020-01-01T00:00Z")
        client = Client()
        sent(client, form(provider.answer(Told(answers=asked(client)))))
        assert SpentAssertion.objects.count() == 1


def test_an_answer_opens_only_the_browser_that_asked(provider: SamlProvider) -> None:
    """Somebody's own good answer, sent by somebody else's browser, would sign that one in as the former."""
    attacker, victim = Client(), Client()
    fields = form(provider.answer(Told(answers=asked(attacker))))
    asked(victim)
    is_refused(victim, sent(victim, fields), "unasked")


def test_a_flood_of_junk_is_held_off_and_fills_no_log(provider: SamlProvider) -> None:
    client = Client()
    answers = [client.post(ACS, {"SAMLResponse": "AAAA"}).status_code for _ in range(25)]
    assert answers == [403] * 20 + [429] * 5
    assert AuditEvent.objects.filter(action="sign-on refused").count() == 20


def test_nothing_of_an_answer_that_is_not_believed_is_kept(provider: SamlProvider) -> None:
    answer = Client().post(ACS, form(unsigned(provider, "_1").replace("4711", "somebody-else")))
    assert answer.status_code == 403
    assert not answer.cookies
    assert not Session.objects.exists()
    assert not SpentAssertion.objects.exists()
    refused = AuditEvent.objects.get(action="sign-on refused")
    assert (refused.subject, "somebody-else" in str(refused.detail)) == (f"{NAME}: ?", False)
