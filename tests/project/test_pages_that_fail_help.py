"""Pages that say what went wrong name what was kept and what to do next, also when the database is away."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError
from django.template import loader
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from agencies.models import User
from tests.factories import make_member

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "500", "503"])
def test_each_can_be_shown_without_a_request_and_leads_on(code: str) -> None:
    text = loader.get_template(f"{code}.html").render()
    assert '<h1 id="problem-title">' in text
    assert 'href="/"' in text
    assert 'name="viewport"' in text
    # A sentence each: what happened, and what to do.
    assert text.count("<p") >= 4


def test_the_404_page_is_the_products_own_and_keeps_the_tabs(owner: User, sign_in: SignIn) -> None:
    answer = sign_in(owner).get("/riverton/plans/999999/")
    assert answer.status_code == 404
    assert "it is not yours to see" in answer.content.decode()
    assert 'aria-label="Pages"' in answer.content.decode()


def test_a_role_that_may_not_is_told_which_door_to_knock_at(owner: User, sign_in: SignIn) -> None:
    officer = make_member(owner.memberships.get().agency, "officer")
    answer = sign_in(officer).get("/riverton/risk/")
    assert answer.status_code == 403
    assert "agency's administrator" in answer.content.decode().replace("&#x27;", "'")


def test_an_expired_form_says_that_nothing_was_stored(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.post("/accounts/logout/")
    assert answer.status_code == 403
    assert "Nothing was stored" in answer.content.decode()


@pytest.mark.parametrize(("error", "status", "words"), [
    (ValueError("x"), 500, "Something broke"), (OperationalError("database is locked"), 503, "Too busy just now"),
    (BrokerError("Connection refused"), 503, "Too busy just now"),
])  # fmt: skip
def test_a_page_that_breaks_says_whether_to_wait(
    owner: User, sign_in: SignIn, error: Exception, status: int, words: str
) -> None:
    client = sign_in(owner)
    client.raise_request_exception = False
    with (
        patch("missions_project.views.render", side_effect=error),
        patch("missions_project.views.redirect", side_effect=error),
    ):
        answer = client.get("/")
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert (answer.headers.get("Retry-After") == "30") == (status == 503)
