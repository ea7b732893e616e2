"""Single sign-on: a small identity provider of our own, with a key of its own, says who comes; groups say what they may do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, GroupRole, Membership, SignOnGrant, User
from agencies.services.sign_on import Arrival, roles_of
from agencies.sign_on import arrival_of
from missions_project.settings import environment
from tests.agencies.identity_provider import CLIENT, Provider
from tests.agencies.signed_on import is_signed_in, roles, told
from tests.factories import PASSWORD, make_agency, make_member, make_operator

pytestmark = pytest.mark.django_db
PROVIDER = "city-id"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    found = Provider()
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": PROVIDER,
                    "name": "City ID",
                    "client_id": CLIENT,
                    "secret": "between us",
                    "settings": {
                        "server_url": found.url,
                        "oauth_pkce_enabled": True,
                        "scope": ["openid", "profile", "email"],
                        "fetch_userinfo": False,
                        "groups_claim": "groups",
                        "trusts_email": False,
                        "trusts_second_factor": False,
                    },
                }
            ]
        }
    }
    yield found
    found.server.shutdown()
    found.server.server_close()


def options(settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]
    return found


def come(provider: Provider, client: Client | None = None, **claims: Any) -> tuple[Client, Any]:
    """Go to the provider and come back with these claims."""
    client = client or Client()
    provider.claims = {"sub": "4711", "preferred_username": "jo.doe", "email": "jo@example.org", **claims}
    out = client.get(reverse("openid_connect_login", kwargs={"provider_id": PROVIDER}))
    assert out.status_code == 302
    asked = parse_qs(urlsplit(out.url).query)
    assert asked["code_challenge_method"] == ["S256"]
    back = reverse("openid_connect_callback", kwargs={"provider_id": PROVIDER})
    return client, client.get(f"{back}?{urlencode({'code': 'c', 'state': asked['state'][0]})}")


def mapped(agency: Agency, group: str, role: str, provider: str = PROVIDER) -> GroupRole:
    return GroupRole.objects.create(agency=agency, provider=provider, group=group, role=role)


def test_a_group_makes_an_account_with_its_role(provider: Provider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    mapped(agency, "chiefs", "admin", provider="another")
    client, answer = come(
        provider, groups=["patrol", "chiefs", "bowling"], given_name="Jo", family_name="Doe"
    )
    assert answer.status_code == 302
    assert is_signed_in(client)
    person = User.objects.get(username="jo.doe")
    assert (person.first_name, person.email, person.has_usable_password()) == ("Jo", "jo@example.org", False)
    assert roles(person) == {"riverton": "officer"}
    (given,) = told("role given by sign-on")
    assert given.agency == agency
    assert given.detail == {"provider": PROVIDER, "role": ["", "officer"]}
    assert told("person.created")[0].detail["who"] == "4711"
    # The code was exchanged with its proof; no token and nothing that the provider told is kept.
    assert provider.asked[0]["code_verifier"]
    assert SocialAccount.objects.get().extra_data == {}
    assert not SocialToken.objects.exists()


def test_the_widest_of_several_groups_counts_and_each_agency_for_itself(
    provider: Provider, agency: Agency
) -> None:
    lakeside = make_agency("lakeside")
    for group, role in (("all", "auditor"), ("sergeants", "supervisor"), ("patrol", "officer")):
        mapped(agency, group, role)
    mapped(lakeside, "all", "auditor")
    come(provider, groups=["patrol", "all", "sergeants"])
    assert roles(User.objects.get()) == {"riverton": "supervisor", "lakeside": "auditor"}
    assert roles_of(PROVIDER, []) == {}


@pytest.mark.parametrize("groups", [[], ["bowling"], None, {"patrol": 1}, "patrol-2", [["patrol"]]])
def test_a_stranger_is_refused_and_gets_no_account(provider: Provider, agency: Agency, groups: Any) -> None:
    mapped(agency, "patrol", "officer")
    client, answer = come(provider, groups=groups)
    assert answer.status_code == 403
    assert "None of your groups has a role here" in answer.content.decode()
    assert not is_signed_in(client)
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()
    (refused,) = told("sign-on refused")
    assert refused.subject == f"{PROVIDER}: 4711"
    assert refused.agency is None


def test_a_role_goes_with_its_group_at_the_next_sign_in(provider: Provider, agency: Agency) -> None:
    lakeside = make_agency("lakeside")
    mapped(agency, "patrol", "officer")
    mapped(agency, "sergeants", "supervisor")
    mapped(lakeside, "guests", "auditor")
    come(provider, groups=["sergeants", "guests"])
    person = User.objects.get()
    come(provider, groups=["patrol"])
    assert roles(person) == {"riverton": "officer"}
    (taken,) = told("role taken by sign-on")
    assert (taken.agency, taken.detail["role"]) == (lakeside, ["auditor", ""])
    assert [one.detail["role"] for one in told("role given by sign-on")][-1] == ["supervisor", "officer"]
    # The last group gone: the role is taken although the person is not let in.
    client, answer = come(provider, groups=[])
    assert answer.status_code == 403
    assert not is_signed_in(client)
    assert roles(person) == {}
    assert len(told("role taken by sign-on")) == 2
    # And back again: the same account.
    client, _ = come(provider, groups=["patrol"], preferred_username="renamed")
    assert is_signed_in(client)
    assert User.objects.get() == person


def test_what_an_administrator_gave_stays_unless_a_group_says_otherwise(
    provider: Provider, agency: Agency
) -> None:
    lakeside = make_agency("lakeside")
    mapped(agency, "patrol", "officer")
    come(provider, groups=["patrol"])
    person = User.objects.get()
    Membership.objects.create(agency=lakeside, user=person, role="analyst")
    client, _ = come(provider, groups=[])
    assert roles(person) == {"lakeside": "analyst"}
    assert is_signed_in(client)
    mapped(lakeside, "guests", "auditor")
    come(provider, groups=["guests"])
    assert roles(person) == {"lakeside": "auditor"}
    assert SignOnGrant.objects.get().agency == lakeside


class TestAnAccountThatWasThereBefore:
    def test_is_found_by_its_own_address(self, provider: Provider, agency: Agency) -> None:
        before = make_member(agency, "analyst", username="jo")
        mapped(agency, "patrol", "officer")
        client, _ = come(provider, groups=["patrol"], email="JO@example.org", email_verified=True)
        assert client.session["_auth_user_id"] == str(before.pk)
        assert roles(before) == {"riverton": "officer"}

    def test_is_not_opened_by_an_address_that_is_only_claimed(
        self, provider: Provider, agency: Agency
    ) -> None:
        before = make_member(agency, "admin", username="jo")
        mapped(agency, "patrol", "officer")
        client, answer = come(provider, groups=["patrol"])
        assert answer.status_code == 403
        assert not is_signed_in(client)
        assert roles(before) == {"riverton": "admin"}

    def test_nor_where_it_reaches_farther_than_the_provider(self, provider: Provider, agency: Agency) -> None:
        # A provider of one agency must not become an administrator of another, nor the operator.
        before = make_member(make_agency("lakeside"), "admin", username="jo")
        mapped(agency, "patrol", "officer")
        _, answer = come(provider, groups=["patrol"], email_verified=True)
        assert answer.status_code == 403
        assert roles(before) == {"lakeside": "admin"}
        User.objects.filter(pk=before.pk).update(email="other@example.org")
        User.objects.filter(pk=make_operator().pk).update(email="jo@example.org")
        _, answer = come(provider, groups=["patrol"], email_verified=True)
        assert answer.status_code == 403
        assert not SocialAccount.objects.exists()
        assert "may not take over" in told("sign-on refused")[-1].detail["because"]

    def test_that_is_closed_stays_closed(self, provider: Provider, agency: Agency) -> None:
        mapped(agency, "patrol", "officer")
        come(provider, groups=["patrol"])
        User.objects.update(is_active=False)
        client, _ = come(provider, groups=["patrol"])
        assert not is_signed_in(client)

    def test_lends_its_name_to_nobody(self, provider: Provider, agency: Agency) -> None:
        make_member(agency, "admin", username="jo.doe")
        mapped(agency, "patrol", "officer")
        come(provider, groups=["patrol"], email="else@example.org")
        assert roles(User.objects.get(username="jo.doe-2")) == {"riverton": "officer"}


class TestATokenThatIsNotTheProviders:
    """Nobody is let in, and nothing changes."""

    def refused(self, provider: Provider, **claims: Any) -> None:
        client, answer = come(provider, groups=["patrol"], **claims)
        assert answer.status_code in (200, 401, 403), answer.status_code
        assert "gave no answer that could be used" in answer.content.decode()
        assert not is_signed_in(client)
        assert not User.objects.exists()

    @pytest.fixture(autouse=True)
    def _mapped(self, agency: Agency) -> None:
        mapped(agency, "patrol", "officer")

    def test_signed_by_another_key(self, provider: Provider) -> None:
        provider.sign_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.refused(provider)

    def test_signed_by_a_secret_that_we_know_too(self, provider: Provider) -> None:
        provider.sign_with, provider.algorithm = "between us, and long enough to be a key of it", "HS256"
        self.refused(provider)

    def test_not_signed(self, provider: Provider) -> None:
        provider.sign_with, provider.algorithm = None, "none"
        self.refused(provider)

    def test_of_an_unknown_key(self, provider: Provider) -> None:
        provider.kid = "two"
        self.refused(provider)

    def test_for_somebody_else(self, provider: Provider) -> None:
        self.refused(provider, aud="another-client")

    def test_of_another_issuer(self, provider: Provider) -> None:
        self.refused(provider, iss="https://evil.example.org")

    def test_too_old(self, provider: Provider) -> None:
        self.refused(provider, exp=int(time.time()) - 60)

    def test_none_at_all(self, provider: Provider) -> None:
        provider.has_token = False
        self.refused(provider)

    def test_an_answer_to_a_question_that_nobody_asked(self, provider: Provider) -> None:
        client = Client()
        back = reverse("openid_connect_callback", kwargs={"provider_id": PROVIDER})
        assert client.get(f"{back}?code=c&state=made-up").status_code in (200, 401, 403)
        assert not is_signed_in(client)
        assert provider.asked == []


def test_a_password_does_not_outlive_the_providers_no(provider: Provider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    come(provider, groups=["patrol"])
    person = User.objects.get()
    person.set_password(PASSWORD)
    person.save()
    client = Client()
    answer = client.post(
        reverse("account_login"), {"login": person.username, "password": PASSWORD}, follow=True
    )
    assert not is_signed_in(client)
    assert "sign in through your identity provider" in answer.content.decode()


def test_a_second_factor_of_the_provider_counts_only_where_it_is_trusted(
    provider: Provider, agency: Agency, settings: Any
) -> None:
    settings.MFA_REQUIRED_ROLES = ("admin",)
    mapped(agency, "chiefs", "admin")
    board = reverse("patrols:board_now", kwargs={"agency_slug": "riverton"})
    client, _ = come(provider, groups=["chiefs"], amr=["pwd", "mfa"])
    assert client.get(board).url.startswith("/accounts/2fa/")
    options(settings)["trusts_second_factor"] = True
    client, _ = come(provider, groups=["chiefs"], amr=["pwd"])
    assert client.get(board).url.startswith("/accounts/2fa/")
    client, _ = come(provider, groups=["chiefs"], amr=["pwd", "mfa"])
    assert not client.get(board).headers.get("Location", "").startswith("/accounts/")


def test_groups_may_come_by_the_second_question(provider: Provider, agency: Agency, settings: Any) -> None:
    options(settings)["fetch_userinfo"] = True
    mapped(agency, "patrol", "officer")
    provider.userinfo = {"sub": "somebody else", "groups": ["patrol"]}
    _, answer = come(provider)
    assert answer.status_code == 403
    provider.userinfo = {"sub": "4711", "groups": "patrol"}
    client, _ = come(provider)
    assert is_signed_in(client)


def test_claims_of_odd_shapes_say_nothing() -> None:
    chosen = {"groups_claim": "roles", "trusts_email": False}
    odd = {"id_token": {"sub": "1", "roles": [1, "a", None], "email": ["x"], "email_verified": "true"}}
    assert arrival_of("p", "1", odd, chosen) == Arrival("p", "1", ("a",))


def test_a_subject_as_long_as_the_standard_allows_is_one_person(provider: Provider, agency: Agency) -> None:
    mapped(agency, "patrol", "officer")
    for last in "aab":
        told = {"preferred_username": f"jo.{last}", "email": f"{last}@example.org", "groups": ["patrol"]}
        client, _ = come(provider, sub="x" * 254 + last, **told)
        assert is_signed_in(client)
    assert sorted(User.objects.values_list("username", flat=True)) == ["jo.a", "jo.b"]


@pytest.mark.parametrize("sub", ["", "x" * 256, None, 4711, ...])
def test_who_is_not_named_as_the_standard_says_does_not_come_in(
    provider: Provider, agency: Agency, sub: Any
) -> None:
    mapped(agency, "patrol", "officer")
    client, answer = come(provider, sub=sub, groups=["patrol"])
    assert answer.status_code < 500
    assert not is_signed_in(client)
    assert not User.objects.exists()


def test_accounts_are_neither_signed_up_nor_tied_together(
    provider: Provider, agency: Agency, owner: User
) -> None:
    mapped(agency, "patrol", "officer")
    client = Client()
    for name in ("socialaccount_signup", "socialaccount_connections"):
        assert client.get(reverse(name)).status_code == 404
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    provider.claims = {"sub": "4711", "groups": ["patrol"]}
    out = client.get(reverse("openid_connect_login", kwargs={"provider_id": PROVIDER}) + "?process=connect")
    state = (
        parse_qs(urlsplit(out.url).query)["state"][0]
        if out.status_code == 302 and "state=" in out.url
        else "none"
    )
    client.get(f"{reverse('openid_connect_callback', kwargs={'provider_id': PROVIDER})}?code=c&state={state}")
    assert not SocialAccount.objects.exists()


def test_the_sign_in_page_leads_there(provider: Provider, db: None) -> None:
    page = Client().get(reverse("account_login") + "?next=/riverton/").content.decode()
    assert "Sign in with City ID" in page
    assert "next=%2Friverton%2F" in page


def test_only_the_agencys_administrator_says_what_a_group_means(
    owner: User, stranger: User, agency: Agency, client: Client
) -> None:
    row = mapped(agency, "patrol", "officer")
    here = reverse("admin:agencies_grouprole_change", args=[row.pk])
    client.force_login(stranger, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(here).status_code == 302
    data = {"agency": agency.pk, "provider": PROVIDER, "group": "x", "role": "admin", "audit_why": "because"}
    client.post(reverse("admin:agencies_grouprole_add"), data)
    assert GroupRole.objects.count() == 1
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(here).status_code == 200


class TestTheEnvironment:
    def test_names_providers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "OIDC_PROVIDERS": "city-id",
            "OIDC_CITY_ID_SERVER_URL": "https://login.example.org/realms/city",
            "OIDC_CITY_ID_CLIENT_ID": "missions",
            "OIDC_CITY_ID_NAME": "City ID",
            "OIDC_CITY_ID_GROUPS_CLAIM": "roles",
        }.items():
            monkeypatch.setenv(name, value)
        (found,) = environment.sign_on_providers()
        environment.check()
        assert (found["provider_id"], found["name"], found["settings"]["groups_claim"]) == (
            "city-id",
            "City ID",
            "roles",
        )
        assert found["settings"]["oauth_pkce_enabled"]

    def test_tells_every_mistake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OIDC_PROVIDERS", "City,open")
        monkeypatch.setenv("OIDC_OPEN_SERVER_URL", "http://login.example.org")
        environment.sign_on_providers()
        with pytest.raises(ImproperlyConfigured) as caught:
            environment.check()
        for word in ("“City”", "travel in the open", "OIDC_OPEN_CLIENT_ID is not set"):
            assert word in str(caught.value)
