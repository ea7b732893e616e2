"""Browsers are told to refuse the device's position, but where an agency allows it; a sign-out empties the device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from agencies.models import Agency, Unit, User
from tactics.models import OfficerPageSettings
from tests.factories import make_member

SignIn = Callable[[User | None], Client]
REFUSED, ALLOWED = "geolocation=()", "geolocation=(self)"


@pytest.fixture
def officer(agency: Agency) -> User:
    return make_member(agency, "officer", unit=Unit.objects.filter(agency=agency)[0])


def test_only_the_officers_page_may_ask_and_only_where_the_agency_allows_it(
    agency: Agency, officer: User, colleague: User, sign_in: SignIn
) -> None:
    own = ["/riverton/my/", "/riverton/my/hunch/", "/riverton/my/training/"]
    elsewhere = ["/riverton/officer/guide/", "/accounts/email/"]
    client = sign_in(officer)
    for page in own + elsewhere:
        assert client.get(page)["Permissions-Policy"] == REFUSED, page
    OfficerPageSettings.objects.create(agency=agency, near_me=True)
    for page in own:
        assert client.get(page)["Permissions-Policy"] == ALLOWED, page
    for page in elsewhere:
        assert client.get(page)["Permissions-Policy"] == REFUSED, page
    assert sign_in(None).get("/accounts/login/")["Permissions-Policy"] == REFUSED


def test_a_sign_out_empties_the_device_and_nothing_else_does(officer: User, sign_in: SignIn) -> None:
    client = sign_in(officer)
    assert "Clear-Site-Data" not in client.get("/riverton/my/")
    assert "Clear-Site-Data" not in client.get("/accounts/logout/")
    assert client.post("/accounts/logout/")["Clear-Site-Data"] == '"storage"'
    # Nobody signed in: a stranger's form could empty the phone of whoever opens it.
    assert "Clear-Site-Data" not in client.post("/accounts/logout/")


def test_the_worker_reaches_the_officers_pages_alone(officer: User, stranger: User, sign_in: SignIn) -> None:
    answer = sign_in(officer).get("/riverton/my/sw.js")
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Service-Worker-Allowed"] == "/riverton/my/"
    assert answer["Cache-Control"] == "no-cache"
    assert answer.content.decode().startswith('const CONFIG = {"home": "/riverton/my/"')
    assert sign_in(stranger).get("/riverton/my/sw.js").status_code == 404
    assert sign_in(None).get("/riverton/my/sw.js").status_code == 302
