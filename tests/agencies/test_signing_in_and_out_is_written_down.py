"""Who came in, who was kept out, and who changed how they prove who they are stands in the audit log of their agencies."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from agencies.audit_words import DONE
from agencies.models import Agency, AuditEvent, Membership, User
from missions_project.lib import walls
from tests.agencies.test_sessions_end_and_carry_a_second_factor import code
from tests.factories import make_agency, make_member, make_operator

pytestmark = pytest.mark.django_db
PASSWORD = "three green hats on a hill"
LOGIN = "/accounts/login/"


@pytest.fixture
def person(agency: Agency) -> User:
    """A supervisor of two agencies."""
    cache.clear()
    user = make_member(agency, "supervisor", username="sam")
    Membership.objects.create(agency=make_agency("lakeside"), user=user, role="analyst")
    user.email = "sam@riverton.example"
    user.set_password(PASSWORD)
    user.save()
    return user


def log_of(agency: Agency | None) -> list[tuple[str, str, str]]:
    with walls.within(walls.EVERYTHING):
        rows = AuditEvent.objects.filter(agency=agency).order_by("sequence")
        return [(row.action, row.actor_name, row.subject) for row in rows]


def comes(client: Client, login: str = "sam", password: str = PASSWORD) -> Any:
    return client.post(LOGIN, {"login": login, "password": password})


def test_coming_and_going_is_told_to_each_of_the_persons_agencies(agency: Agency, person: User) -> None:
    client = Client()
    comes(client)
    client.post("/accounts/logout/")
    for own in Agency.objects.all():
        assert log_of(own) == [("signed in", "sam", "sam"), ("signed out", "sam", "sam")]
    assert log_of(None) == []
    assert AuditEvent.objects.filter(action="signed in")[0].detail == {"methods": ["password"]}


@pytest.mark.parametrize("login", ["sam", "sam@riverton.example", "SAM@Riverton.example"])
def test_a_wrong_password_is_told_with_the_name_and_without_saying_that_it_was_that_person(
    agency: Agency, person: User, login: str
) -> None:
    comes(Client(), login, "three red hats on a hill")
    assert log_of(agency) == [("sign-in failed", "", "sam")]
    assert "red hats" not in str(AuditEvent.objects.values())


def test_names_that_no_account_has_leave_nothing_behind(agency: Agency, person: User) -> None:
    for login in ("three green hats on a hill", "nobody@riverton.example", ""):
        comes(Client(), login, "x")
    assert not AuditEvent.objects.exists()


def test_a_locked_account_writes_no_more_rows_than_its_lock_lets_through(
    agency: Agency, person: User
) -> None:
    for _ in range(9):
        comes(Client(), "sam", "wrong")
    assert log_of(agency) == [("sign-in failed", "", "sam")] * 5
    cache.clear()


def test_an_operators_coming_stands_in_the_installations_own_log(agency: Agency) -> None:
    cache.clear()
    user = make_operator("root")
    user.set_password(PASSWORD)
    user.save()
    comes(Client(), "root")
    assert log_of(None)[-1] == ("signed in", "root", "root")
    assert log_of(agency) == []


def test_a_changed_password_and_devices_that_are_signed_out_are_told(agency: Agency, person: User) -> None:
    here, there = Client(), Client()
    comes(there)
    comes(here)
    here.get("/")
    there.get("/")
    here.post(reverse("usersessions_list"))
    new = "four blue coats on a train"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    told = [action for action, _who, _what in log_of(agency)]
    assert told == ["signed in", "signed in", "devices signed out", "password changed"]


def test_a_second_factor_is_told_when_it_comes_fails_and_goes(
    agency: Agency, person: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = Client()
    comes(client)
    activate = "/accounts/2fa/totp/activate/"
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.get(activate)
    secret = client.session["mfa.totp.secret"]
    with django_capture_on_commit_callbacks(execute=True):
        client.post(activate, {"code": code(secret)})
    again = Client()
    comes(again)
    again.post("/accounts/2fa/authenticate/", {"code": "000000"})
    cache.clear()
    again.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    again.post("/accounts/reauthenticate/", {"password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        again.post("/accounts/2fa/totp/deactivate/")
    told = [action for action, _who, _what in log_of(agency)]
    assert [one for one in told if one != "signed in"] == [
        "second factor added", "second factor added", "second factor failed", "second factor removed", "second factor removed",
    ]  # fmt: skip
    assert told.count("signed in") == 2
    assert AuditEvent.objects.filter(action="signed in").latest("sequence").detail == {
        "methods": ["password", "mfa"]
    }


def lost(person: User) -> Client:
    """A client that is signed in as somebody who has an authenticator and no way to use it."""
    cache.clear()
    person.set_password(PASSWORD)
    person.save()
    client = Client()
    comes(client, person.username)
    assert client.get("/accounts/2fa/").status_code == 200
    TOTP.activate(person, generate_totp_secret())
    return client


def test_an_administrator_takes_a_lost_second_factor_and_its_sessions_end(
    agency: Agency, sign_in: Callable[[User | None], Client]
) -> None:
    person, boss = (
        make_member(agency, "supervisor", username="lou"),
        make_member(agency, "admin", username="boss"),
    )
    client = lost(person)
    asked = {"action": "remove_second_factor", "_selected_action": [person.pk, boss.pk]}
    told = sign_in(boss).post(reverse("admin:agencies_user_changelist"), asked, follow=True).content.decode()
    assert "Lou has no second factor any more" in told
    assert "Your own second factor is changed on the page of your account" in told
    assert not Authenticator.objects.filter(user=person).exists()
    assert client.get("/accounts/2fa/").status_code == 302
    assert log_of(agency)[-1] == ("second factor removed", "boss", "lou")


def test_no_administrator_takes_it_from_whoever_works_for_another_agency_too(
    agency: Agency, person: User, sign_in: Callable[[User | None], Client]
) -> None:
    lost(person)
    boss = make_member(agency, "admin")
    asked = {"action": "remove_second_factor", "_selected_action": [person.pk]}
    sign_in(boss).post(reverse("admin:agencies_user_changelist"), asked, follow=True)
    assert Authenticator.objects.filter(user=person).exists()


def test_the_operator_takes_it_by_a_command_with_a_reason(agency: Agency, person: User) -> None:
    lost(person)
    said = io.StringIO()
    call_command("second_factor_remove", "sam", why="phone in the river", stdout=said)
    assert "sam" in said.getvalue()
    assert not Authenticator.objects.filter(user=person).exists()
    for own in Agency.objects.all():
        event = AuditEvent.objects.filter(agency=own).latest("sequence")
        assert (event.action, event.why, event.actor) == ("second factor removed", "phone in the river", None)
    with pytest.raises(CommandError, match="has none"):
        call_command("second_factor_remove", "sam", why="again")
    with pytest.raises(CommandError, match="no person “sandy”"):
        call_command("second_factor_remove", "sandy", why="who")


def test_each_of_these_deeds_has_words() -> None:
    assert {
        "devices signed out", "password changed", "password reset", "password set", "recovery codes renewed", "second factor added",
        "second factor failed", "second factor removed", "sign-in failed", "signed in", "signed out",
    } <= set(DONE)  # fmt: skip
