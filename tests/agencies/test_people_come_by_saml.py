"""Sign-on by SAML: the same rights as by OpenID Connect, from a signed assertion. What is refused: test_forged_saml_opens_nothing."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("onelogin", reason="python3-saml of requirements.txt is not installed here")
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from lxml import etree

from agencies.models import Agency, GroupRole, Role, User
from agencies.saml.claims import PROVED_TWICE, Said, claims_of
from agencies.saml.refusals import SamlRefused, Why
from tests.agencies.saml_provider import (
    ACS,
    METADATA,
    NAME,
    NS,
    PUBLIC,
    SLO,
    SLS,
    SSO,
    SamlProvider,
    Told,
    asked_number,
    certificate_of,
    form,
    new_key,
    pem_of,
)
from tests.agencies.signed_on import is_signed_in, roles, told
from tests.factories import make_agency, make_member

pytestmark = pytest.mark.django_db
ENTRA = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"


@pytest.fixture(scope="module")
def provider() -> SamlProvider:
    return SamlProvider()


@pytest.fixture(autouse=True)
def _known(provider: SamlProvider, settings: Any) -> Iterator[None]:
    settings.PUBLIC_URL = PUBLIC
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}, "saml": {"APPS": [provider.app()]}}
    cache.clear()
    yield
    cache.clear()


def options(settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = settings.SOCIALACCOUNT_PROVIDERS["saml"]["APPS"][0]["settings"]
    return found


def asked(client: Client, query: str = "") -> str:
    out = client.get(reverse("saml_login", kwargs={"provider_id": NAME}) + query)
    assert out.status_code == 302
    assert out.url.startswith(f"{SSO}?SAMLRequest=")
    return asked_number(out.url)


def come(
    provider: SamlProvider, client: Client | None = None, query: str = "", **told: Any
) -> tuple[Client, Any]:
    """Go to the provider and come back with a good answer that says this."""
    client = client or Client()
    xml = provider.answer(Told(answers=asked(client, query), **told))
    handed = client.post(reverse("saml_acs", kwargs={"provider_id": NAME}), form(xml))
    assert handed.status_code == 302, handed.content.decode()
    assert handed.url == f"/accounts/saml/{NAME}/acs/finish/"
    return client, client.get(handed.url)


def mapped(agency: Agency, group: str, role: str, name: str = NAME) -> GroupRole:
    return GroupRole.objects.create(agency=agency, provider=name, group=group, role=role)


@pytest.mark.parametrize("role", Role.values)
def test_a_group_makes_an_account_with_its_role(provider: SamlProvider, agency: Agency, role: str) -> None:
    mapped(agency, "patrol", role)
    mapped(agency, "chiefs", "admin", name="another")
    client, answer = come(
        provider,
        groups=["patrol", "chiefs", "bowling"],
        attributes={"uid": ["jo.doe"], f"{ENTRA}/givenname": ["Jo"], "mail": ["jo@example.org"]},
    )
    assert (answer.status_code, answer.url) == (302, "/")
    assert is_signed_in(client)
    person = User.objects.get(username="jo.doe")
    assert (person.first_name, person.email, person.has_usable_password()) == ("Jo", "jo@example.org", False)
    assert roles(person) == {"riverton": role}
    (given,) = told("role given by sign-on")
    assert (given.agency, given.detail) == (agency, {"provider": NAME, "role": ["", role]})
    assert told("person.created")[0].detail == {"provider": NAME, "who": "4711"}
    account = SocialAccount.objects.get()
    assert (account.provider, account.uid, account.extra_data) == (NAME, "4711", {})
    assert told("sign-on refused") == []


def test_a_stranger_is_told_whom_to_ask_and_gets_no_account(provider: SamlProvider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    client, answer = come(provider, groups=["bowling"])
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "None of your groups has a role here" in page
    assert "ask your agency&#x27;s administrator" in page or "ask your agency's administrator" in page
    assert not is_signed_in(client)
    assert not User.objects.exists()
    (refused,) = told("sign-on refused")
    assert (refused.subject, refused.detail["groups"], refused.agency) == (f"{NAME}: 4711", ["bowling"], None)


def test_a_role_goes_with_its_group_at_the_next_sign_in(provider: SamlProvider, agency: Agency) -> None:
    lakeside = make_agency("lakeside")
    mapped(agency, "patrol", "officer")
    mapped(lakeside, "guests", "auditor")
    come(provider, groups=["patrol", "guests"])
    person = User.objects.get()
    assert roles(person) == {"riverton": "officer", "lakeside": "auditor"}
    come(provider, groups=["patrol"])
    assert roles(person) == {"riverton": "officer"}
    (taken,) = told("role taken by sign-on")
    assert (taken.agency, taken.detail["role"]) == (lakeside, ["auditor", ""])
    client, answer = come(provider, groups=[])
    assert answer.status_code == 403
    assert not is_signed_in(client)
    assert roles(person) == {}


class TestAnAccountThatWasThereBefore:
    def test_is_found_by_an_address_that_the_provider_vouches_for(
        self, provider: SamlProvider, agency: Agency, settings: Any
    ) -> None:
        before = make_member(agency, "analyst", username="jo")
        mapped(agency, "patrol", "officer")
        client, answer = come(provider, attributes={"email": ["jo@example.org"]})
        assert answer.status_code == 403
        assert not is_signed_in(client)
        assert roles(before) == {"riverton": "analyst"}
        options(settings)["trusts_email"] = True
        client, _ = come(provider, attributes={"email": ["JO@example.org"]})
        assert client.session["_auth_user_id"] == str(before.pk)
        assert roles(before) == {"riverton": "officer"}

    def test_is_not_opened_where_it_reaches_farther(
        self, provider: SamlProvider, agency: Agency, settings: Any
    ) -> None:
        options(settings)["trusts_email"] = True
        before = make_member(make_agency("lakeside"), "admin", username="jo")
        mapped(agency, "patrol", "officer")
        _, answer = come(provider, attributes={"email": ["jo@example.org"]})
        assert answer.status_code == 403
        assert roles(before) == {"lakeside": "admin"}

    def test_of_another_provider_is_another_person(
        self, provider: SamlProvider, agency: Agency, settings: Any
    ) -> None:
        mapped(agency, "patrol", "officer")
        come(provider)
        other = provider.app()
        other["provider_id"] = other["client_id"] = "other-id"
        settings.SOCIALACCOUNT_PROVIDERS["saml"]["APPS"].append(other)
        mapped(agency, "patrol", "admin", name="other-id")
        client = Client()
        out = client.get(reverse("saml_login", kwargs={"provider_id": "other-id"}))
        there = {name: value.replace(NAME, "other-id") for name, value in {"a": METADATA, "r": ACS}.items()}
        xml = provider.answer(
            Told(
                answers=asked_number(out.url),
                audience=there["a"],
                recipient=there["r"],
                destination=there["r"],
            )
        )
        handed = client.post(there["r"], form(xml))
        client.get(handed.url)
        assert is_signed_in(client)
        assert sorted(User.objects.values_list("memberships__role", flat=True)) == ["admin", "officer"]


def test_a_bad_address_is_no_address(provider: SamlProvider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    client, _ = come(provider, attributes={"email": ["no address"], "sn": ["x" * 400]})
    assert is_signed_in(client)
    assert User.objects.get().email == ""


def test_a_second_factor_of_the_provider_counts_only_where_it_is_trusted(
    provider: SamlProvider, agency: Agency, settings: Any
) -> None:
    settings.MFA_REQUIRED_ROLES = ("admin",)
    mapped(agency, "patrol", "admin")
    board = reverse("patrols:board_now", kwargs={"agency_slug": "riverton"})
    twice = "https://refeds.org/profile/mfa"
    client, _ = come(provider, context=twice)
    assert client.get(board).url.startswith("/accounts/2fa/")
    options(settings)["trusts_second_factor"] = True
    client, _ = come(provider)
    assert client.get(board).url.startswith("/accounts/2fa/")
    client, _ = come(provider, context=twice)
    assert not client.get(board).headers.get("Location", "").startswith("/accounts/")


def test_the_way_back_is_the_page_that_was_asked_for(provider: SamlProvider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    page = Client().get(reverse("account_login") + "?next=/riverton/").content.decode()
    assert "Sign in with County ID" in page
    assert f"/accounts/saml/{NAME}/login/?process=login&amp;next=%2Friverton%2F" in page
    _, answer = come(provider, query="?next=/riverton/")
    assert answer.url == "/riverton/"
    _, answer = come(provider, query="?next=https://evil.example.org/")
    assert answer.url == "/"


def test_the_own_session_stays_home_and_the_arrival_is_told_once(
    provider: SamlProvider, agency: Agency
) -> None:
    mapped(agency, "patrol", "officer")
    client = Client(enforce_csrf_checks=True)
    number = asked(client)
    # From another site no cookie of ours comes along: another client stands for that.
    handed = Client(enforce_csrf_checks=True).post(ACS, form(provider.answer(Told(answers=number))))
    assert handed.status_code == 302
    assert "no-store" in handed["Cache-Control"]
    assert set(handed.cookies) == {"saml-arrival"}
    cookie = handed.cookies["saml-arrival"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (
        True,
        "Lax",
        handed.url,
        60,
    )
    client.cookies["saml-arrival"] = cookie.value
    assert client.get(handed.url).status_code == 302
    assert is_signed_in(client)
    again = client.get(handed.url)
    assert again.status_code == 403
    assert told("sign-on refused")[-1].detail["code"] == "unasked"


def test_another_name_of_the_server_leads_to_the_public_one(provider: SamlProvider) -> None:
    out = Client().get(
        reverse("saml_login", kwargs={"provider_id": NAME}),
        {"next": "/riverton/"},
        headers={"host": "alias.example.org"},
    )
    assert out.url == f"{PUBLIC}/accounts/saml/{NAME}/login/?next=%2Friverton%2F&here=1"


def test_a_server_behind_another_name_does_not_send_round_for_ever(provider: SamlProvider) -> None:
    there = reverse("saml_login", kwargs={"provider_id": NAME})
    out = Client().get(there, {"here": "1"}, headers={"host": "inside:8000"})
    assert out.url.startswith(SSO)


def test_accounts_are_not_tied_together(provider: SamlProvider, agency: Agency, owner: User) -> None:
    mapped(agency, "patrol", "officer")
    client = Client()
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    _, answer = come(provider, client, query="?process=connect")
    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()


def test_a_refusal_is_read_in_spanish_and_kept_in_english(provider: SamlProvider) -> None:
    with override("es"):
        refusal = str(SamlRefused(Why.SIZE))
    answer = Client().post(ACS, headers={"accept-language": "es"})
    assert answer.status_code == 403
    assert html.escape(refusal) in answer.content.decode()
    assert told("sign-on refused")[0].detail == {"because": english(Why.SIZE), "code": "size"}


def english(why: Why) -> str:
    with override("en"):
        return str(SamlRefused(why))


class TestAProviderThatBegins:
    def test_is_refused_unless_it_may(self, provider: SamlProvider, agency: Agency) -> None:
        mapped(agency, "patrol", "officer")
        client, answer = self.arrive(provider)
        assert answer.status_code == 403
        assert not is_signed_in(client)
        (refused,) = told("sign-on refused")
        assert (refused.subject, refused.detail["code"]) == (f"{NAME}: 4711", "unasked")

    @pytest.mark.parametrize(
        ("relay", "goes_to"),
        [
            ("/riverton/", "/riverton/"),
            ("https://evil.example.org/", "/"),
            ("//evil.example.org/", "/"),
            ("/\\evil.example.org/", "/"),
            ("///evil.example.org", "/"),
            ("javascript:alert(1)", "/"),
            (f"{PUBLIC}/riverton/", "/"),
            ("", "/"),
        ],
    )
    def test_chooses_a_page_of_ours_at_most(
        self, provider: SamlProvider, agency: Agency, settings: Any, relay: str, goes_to: str
    ) -> None:
        options(settings)["may_begin"] = True
        mapped(agency, "patrol", "officer")
        client, answer = self.arrive(provider, RelayState=relay)
        assert is_signed_in(client)
        assert answer.url == goes_to

    def arrive(self, provider: SamlProvider, **fields: str) -> tuple[Client, Any]:
        client = Client()
        handed = client.post(ACS, form(provider.answer(Told()), **fields))
        assert handed.status_code == 302
        return client, client.get(handed.url)


class TestSigningOutAtTheProvider:
    def arrived(self, provider: SamlProvider, agency: Agency) -> Client:
        mapped(agency, "patrol", "officer")
        client, _ = come(provider)
        assert is_signed_in(client)
        return client

    def test_ends_the_session_here(self, provider: SamlProvider, agency: Agency) -> None:
        client = self.arrived(provider, agency)
        out = client.get(f"{SLS}?{provider.sign_out_query('4711')}")
        assert out.status_code == 302
        assert out.url.startswith(f"{SLO}?SAMLResponse=")
        assert not is_signed_in(client)

    def test_without_a_name_is_about_nobody(self, provider: SamlProvider, agency: Agency) -> None:
        client = self.arrived(provider, agency)
        assert client.get(f"{SLS}?{provider.sign_out_query('')}").status_code in (302, 403)
        assert is_signed_in(client)

    def test_ends_nobody_elses(self, provider: SamlProvider, agency: Agency) -> None:
        client = self.arrived(provider, agency)
        assert client.get(f"{SLS}?{provider.sign_out_query('4712')}").status_code == 302
        assert is_signed_in(client)

    @pytest.mark.parametrize(
        "how", ["unsigned", "other key", "sha1", "junk", "nothing", "a response without a signature"]
    )
    def test_does_nothing_without_its_signature(
        self, provider: SamlProvider, agency: Agency, how: str
    ) -> None:
        client = self.arrived(provider, agency)
        query = {
            "unsigned": provider.sign_out_query("4711", signs=False),
            "other key": provider.sign_out_query("4711", key=new_key()),
            "sha1": provider.sign_out_query("4711", by="rsa-sha1"),
            "junk": "SAMLRequest=%00%ff&SigAlg=x&Signature=y".replace("%00", ""),
            "nothing": "",
            "a response without a signature": "SAMLResponse=abcd",
        }[how]
        answer = client.get(f"{SLS}?{query}")
        assert answer.status_code == 403
        assert is_signed_in(client)
        assert told("sign-on refused")[-1].detail["code"] == "sign-out"

    def test_is_not_there_where_no_address_is_named(self, provider: SamlProvider, settings: Any) -> None:
        options(settings)["slo_url"] = ""
        assert Client().get(f"{SLS}?{provider.sign_out_query('4711')}").status_code == 404


class TestWhatIsToldToTheProvider:
    def test_is_its_metadata(self, provider: SamlProvider, settings: Any) -> None:
        key = new_key()
        options(settings).update(signing_key=pem_of(key).decode(), signing_certificate=certificate_of(key))
        page = Client().get(METADATA)
        assert page["Content-Type"] == "application/samlmetadata+xml"
        root = etree.fromstring(page.content)
        md = "{urn:oasis:names:tc:SAML:2.0:metadata}"
        (descriptor,) = root.findall(f"{md}SPSSODescriptor")
        assert root.get("entityID") == METADATA
        assert root.get("validUntil") > f"{timezone.now() + timedelta(days=300):%Y-%m-%d}"
        assert descriptor.get("WantAssertionsSigned") == descriptor.get("AuthnRequestsSigned") == "true"
        assert descriptor.find(f"{md}AssertionConsumerService").get("Location") == ACS
        assert descriptor.find(f"{md}SingleLogoutService").get("Location") == SLS
        assert descriptor.find(f".//{{{NS['ds']}}}X509Certificate") is not None
        assert b"PRIVATE" not in page.content
        out = Client().get(reverse("saml_login", kwargs={"provider_id": NAME}))
        assert "&Signature=" in out.url

    def test_stands_under_known_names_alone(self, provider: SamlProvider, settings: Any) -> None:
        settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] = [
            {"provider_id": "city-id", "name": "City", "client_id": "x", "secret": "", "settings": {}}
        ]
        for name in ("saml_login", "saml_metadata", "saml_finish_acs", "saml_sls"):
            for slug in ("nobody", "city-id"):
                assert Client().get(reverse(name, kwargs={"provider_id": slug})).status_code == 404, (
                    name,
                    slug,
                )
        for slug in ("nobody", "city-id"):
            assert Client().post(reverse("saml_acs", kwargs={"provider_id": slug})).status_code == 404
        back = reverse("openid_connect_callback", kwargs={"provider_id": NAME})
        assert Client().get(f"{back}?code=c&state=s").status_code == 404

    def test_each_address_takes_its_own_method(self) -> None:
        assert Client().get(ACS).status_code == 405
        for name in ("saml_login", "saml_metadata", "saml_finish_acs", "saml_sls"):
            assert Client().post(reverse(name, kwargs={"provider_id": NAME})).status_code == 405


def test_what_an_assertion_says_is_told_in_the_words_of_openid_connect() -> None:
    said = Said(
        "p", "s", "jo@example.org", "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        {"roles": ["a", "b"], f"{ENTRA}/upn": ["jo@corp"], "sn": ["Doe", "Roe"], "email_verified": ["True"]},
        ["urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"],
    )  # fmt: skip
    assert claims_of(said, "roles") == {
        "sub": "s", "groups": ["a", "b"], "preferred_username": "jo", "email": "jo@example.org", "email_verified": True,
        "amr": ["mfa"],
    }  # fmt: skip
    assert claims_of(Said("p", "s", "s"), "roles") == {
        "sub": "s", "groups": [], "preferred_username": "", "email_verified": False,
    }  # fmt: skip
    assert all(":Password" not in way for way in PROVED_TWICE)
