"""What malformed requests once broke: each is answered with 400 and a page that says what to do, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from agencies.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.mark.parametrize(
    "address",
    [
        "/admin/agencies/auditevent/?subject__contains=%00",
        "/admin/agencies/auditevent/?action=a%00b",
        "/admin/agencies/unit/?call_sign=%00",
        "/riverton/shifts/2026-03-14/evening%00/",
        "/riverton/audit-log/?who=%00",
        "/riverton/reports/shifts/?from=%00",
    ],
)
def test_a_nul_in_an_address_is_refused_at_the_door(sign_in: SignIn, owner: User, address: str) -> None:
    answer = sign_in(owner).get(address)
    assert answer.status_code == 400
    assert "could not be read" in answer.content.decode()


@pytest.mark.parametrize("pattern", ["(", "(a%2B)%2B$", "[", "a"])
@pytest.mark.parametrize("lookup", ["regex", "iregex"])
def test_nobodys_pattern_runs_in_the_database(
    sign_in: SignIn, owner: User, lookup: str, pattern: str
) -> None:
    client = sign_in(owner)
    assert client.get(f"/admin/agencies/unit/?call_sign__{lookup}={pattern}").status_code == 400
    assert client.get(f"/admin/agencies/auditevent/?subject__{lookup}={pattern}").status_code == 400
