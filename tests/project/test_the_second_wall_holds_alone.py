"""With the first wall taken away, so that everybody is let into every agency, no page, file or API route shows a row of another."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from agencies import access
from agencies.models import Agency, Membership, Role, User
from ingestion.api import access as api_access
from missions_project.lib import walls
from missions_project.operations.row_policies import walled_now, walls_remove
from tests.operations.test_rows_stay_behind_the_wall import raw
from tests.project.test_nothing_of_another_agency_is_told import MARK, body_of, signed_in, two_towns

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
ROUTES = (
    "missions/",
    "forecasts/",
    "incidents/",
    "gunfire/",
    "calls/",
    "reports/",
    "reports/shifts/",
    "reports/coverage/",
    "feeds/",
)


def let_in(user: User, agency_slug: str) -> access.Access:
    """What a broken first wall would answer: an administrator's role in whichever agency the address names."""
    with walls.within(walls.EVERYTHING):
        agency = Agency.objects.get(slug=agency_slug)
    # Of the row itself the page knows what it was handed; of everything else, what it reads by itself.
    agency.name = agency_slug
    return access.Access(agency, user, Membership(agency=agency, user=user, role=Role.ADMIN))


def test_pages_and_files_of_another_agency_are_empty_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    _ours, people, there = two_towns()
    for module in (access, api_access):
        monkeypatch.setattr(module, "access_for_user", let_in)
    client = signed_in(people["admin"])
    # The administration asks for its own agencies in another way.
    addresses = [address for address in there if address.startswith("/lakeside/")]
    addresses += [f"/api/v1/lakeside/{route}" for route in ROUTES]
    told, opened = told_by(client, addresses)
    assert not told, told
    # Most doors did open: it is the second wall that keeps the rows back.
    assert opened > 20, opened
    raw("SET CONSTRAINTS ALL IMMEDIATE")
    walls_remove(connection, walled_now(connection))
    told, opened = told_by(client, addresses)
    assert len(told) > 20, told


def told_by(client: Client, addresses: list[str]) -> tuple[list[str], int]:
    """Which addresses say a word of the other agency, and how many open at all."""
    cache.clear()
    answers = {address: body_of(client, address) for address in addresses}
    return [address for address, (_status, body) in answers.items() if MARK.encode() in body], sum(
        status == 200 for status, _body in answers.values()
    )
