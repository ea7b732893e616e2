"""Roles that ask for a second factor get one; sessions end when idle or old; passwords are long, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, AuditEvent, User
from agencies.sessions import BEGAN, SEEN
from agencies.templatetags.browsers import browser_words
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
PASSWORD = "seven green umbrellas"


@pytest.fixture
def asked(settings: Any) -> None:
    """Administrators need a second factor, as in production."""
    settings.MFA_REQUIRED_ROLES = ("admin",)
    cache.clear()


def code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def password_sign_in(client: Client, person: User) -> Any:
    person.set_password(PASSWORD)
    person.save()
    return client.post(reverse("account_login"), {"login": person.username, "password": PASSWORD})


def test_an_administrator_without_a_second_factor_is_sent_to_set_one_up(
    asked: None, owner: User, client: Client
) -> None:
    password_sign_in(client, owner)
    answer = client.get("/admin/")
    assert (answer.status_code, answer.url) == (302, "/accounts/2fa/?next=%2Fadmin%2F")
    assert client.post("/admin/agencies/unit/add/").url == "/accounts/2fa/"
    page = client.get("/accounts/2fa/").content.decode()
    assert "Your role asks for a second factor." in page
    fragment = client.get("/riverton/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (403, "/accounts/2fa/")
    assert client.get("/api/v1/riverton/shifts").status_code == 403


def test_the_session_is_asked_and_not_the_set_up(asked: None, owner: User, sign_in: SignIn) -> None:
    secret = generate_totp_secret()
    TOTP.activate(owner, secret)
    # Signed in around the sign-in page: a session that proved nothing but a password.
    client = sign_in(owner)
    assert client.get("/admin/").url.startswith("/accounts/2fa/reauthenticate/?next=")
    answer = client.post(
        "/accounts/2fa/reauthenticate/?next=/admin/", {"code": code(secret), "next": "/admin/"}
    )
    assert (answer.status_code, answer.url) == (302, "/admin/")
    assert client.get("/admin/").status_code == 200


def test_a_sign_in_with_its_code_opens_the_administration(asked: None, owner: User, client: Client) -> None:
    secret = generate_totp_secret()
    TOTP.activate(owner, secret)
    assert password_sign_in(client, owner).url.startswith("/accounts/2fa/authenticate/")
    assert "/login/" in client.get("/admin/").url
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "/login/" in client.get("/admin/").url
    client.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert client.get("/admin/").status_code == 200


def test_roles_that_are_not_named_and_demo_cities_are_not_asked(
    asked: None, agency: Agency, owner: User, colleague: User, sign_in: SignIn
) -> None:
    assert sign_in(colleague).get("/").status_code in (200, 302)
    assert "2fa" not in sign_in(colleague).get("/").headers.get("Location", "")
    operator = make_user("operator")
    operator.is_superuser = True
    operator.save()
    assert sign_in(operator).get("/admin/").url.startswith("/accounts/2fa/")
    Agency.objects.filter(pk=agency.pk).update(is_demo=True)
    assert sign_in(owner).get("/admin/").status_code == 200


def test_nobody_is_asked_where_no_role_is_named(owner: User, sign_in: SignIn) -> None:
    assert sign_in(owner).get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("key", "ago", "over"), [(SEEN, 29, False), (SEEN, 31, True), (BEGAN, 719, False), (BEGAN, 721, True)]
)
def test_a_session_ends_when_idle_or_old(
    settings: Any, owner: User, sign_in: SignIn, key: str, ago: int, over: bool
) -> None:
    settings.SESSION_IDLE_MINUTES = 30
    client = sign_in(owner)
    session = client.session
    session[key] = int(time.time()) - ago * 60
    session.save()
    answer = client.get("/admin/")
    assert (answer.status_code == 302 and "/login/" in answer.url) is over
    assert ("_auth_user_id" in client.session) is not over


def test_a_person_sees_their_devices_and_signs_the_others_out(owner: User) -> None:
    cache.clear()
    here, there = Client(headers={"User-Agent": "Desk"}), Client(headers={"User-Agent": "Car tablet"})
    password_sign_in(there, owner)
    here.post(reverse("account_login"), {"login": owner.username, "password": PASSWORD})
    assert UserSession.objects.filter(user=owner).count() == 2
    assert "Car tablet" in here.get(reverse("usersessions_list")).content.decode()
    here.post(reverse("usersessions_list"))
    assert there.get("/admin/").status_code == 302
    assert here.get("/admin/").status_code == 200


def test_five_wrong_passwords_lock_an_account_even_for_the_right_one(owner: User, client: Client) -> None:
    cache.clear()
    owner.set_password(PASSWORD)
    owner.save()
    for _ in range(5):
        client.post(reverse("account_login"), {"login": "owner", "password": "wrong"})
    client.post(reverse("account_login"), {"login": "owner", "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    cache.clear()


@pytest.mark.parametrize(("proxies", "is_shared"), [(1, False), (0, True)])
def test_behind_a_proxy_one_visitors_wrong_passwords_keep_nobody_else_from_signing_in(
    owner: User, client: Client, settings: Any, proxies: int, is_shared: bool
) -> None:
    """Without the proxy's word everybody would come from its address, as ``deploy/nginx.conf`` sends it: the second case."""
    cache.clear()
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    owner.set_password(PASSWORD)
    owner.save()

    def signs_in(given: Client, name: str, password: str, forwarded: str) -> str:
        asked = {"login": name, "password": password}
        told = given.post(reverse("account_login"), asked, headers={"x-forwarded-for": forwarded})
        return told.content.decode()

    # What a visitor writes into the header stands before what the proxy adds, and is not believed.
    for number in range(20):
        told = signs_in(client, f"nobody{number}", "wrong", f"10.0.0.{number}, 203.0.113.9")
        assert "Too many failed" not in told
    assert "Too many failed" in signs_in(client, "nobody", "wrong", "10.0.1.1, 203.0.113.9")
    here = Client()
    signs_in(here, "owner", PASSWORD, "198.51.100.7")
    assert ("_auth_user_id" in here.session) is not is_shared
    if not is_shared:
        devices = here.get(reverse("usersessions_list"), headers={"x-forwarded-for": "198.51.100.7"})
        assert "198.51.100.7" in devices.content.decode()
    cache.clear()


def test_a_password_is_long_or_has_a_second_factor_beside_it(owner: User) -> None:
    with pytest.raises(ValidationError, match="at least 15"):
        validate_password("green hats 12", owner)
    validate_password("739150284615927", owner)
    TOTP.activate(owner, generate_totp_secret())
    validate_password("green hats 12", owner)
    with pytest.raises(ValidationError, match="at least 12"):
        validate_password("green hats", owner)
    with pytest.raises(ValidationError, match="common"):
        validate_password("1q2w3e4r5t6y", owner)


def test_an_address_that_nobody_confirmed_keeps_nobody_from_a_second_factor(
    asked: None, owner: User, client: Client
) -> None:
    password_sign_in(client, owner)
    EmailAddress.objects.update_or_create(
        user=owner, email="owner@riverton.example", defaults={"verified": False}
    )
    activate = "/accounts/2fa/totp/activate/"
    page = client.get(activate, follow=True)
    if page.redirect_chain[-1][0] != activate:
        page = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": activate}, follow=True)
    assert page.redirect_chain[-1][0] == activate
    assert "Authenticator secret" in page.content.decode()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Car tablet", "Car tablet"),
        ("x" * 200, "x" * 60 + "…"),
        ("", "unknown browser"),
    ],
)  # fmt: skip
def test_a_device_is_named_as_its_owner_knows_it(sent: str, read: str) -> None:
    assert browser_words(sent) == read


def test_a_file_that_is_taken_away_is_written_down(agency: Agency, sign_in: SignIn) -> None:
    analyst = make_member(agency, "analyst")
    client = sign_in(analyst)
    answer = client.get(
        reverse("ingestion:incidents_csv", kwargs={"agency_slug": "riverton"})
        + "?from=2026-01-01&to=2026-01-02"
    )
    assert answer.status_code == 200
    event = AuditEvent.objects.filter(action="file exported").latest("pk")
    assert (event.agency, event.actor, event.subject.endswith(".csv")) == (agency, analyst, True)
    assert event.detail["asked"] == [["from", "2026-01-01"], ["to", "2026-01-02"]]
