"""The filters beside an admin list: a name that two agencies have is told apart, one that only one has is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from agencies.models import District, User
from tests.factories import make_agency, make_member, make_operator

pytestmark = pytest.mark.django_db


def filter_of(client: Client) -> str:
    page = client.get("/admin/agencies/beat/").content.decode()
    return page.partition('id="changelist-filter"')[2].partition("</nav>")[0]


def test_a_district_of_two_agencies_is_told_with_its_agency(
    sign_in: Callable[[User | None], Client],
) -> None:
    north, south = make_agency("northport"), make_agency("southport")
    District.objects.all().update(name="Harbour")
    area = District.objects.filter(agency=south).earliest("pk").geometry
    District.objects.create(agency=south, code="9", name="Airfield", geometry=area)
    both = filter_of(sign_in(make_operator()))
    assert f"Harbour · {north}" in both
    assert f"Harbour · {south}" in both
    assert "Airfield" in both
    assert "Airfield ·" not in both
    one = filter_of(sign_in(make_member(south, "admin")))
    assert "Airfield" in one
    assert "Harbour" in one
    assert str(north) not in one
