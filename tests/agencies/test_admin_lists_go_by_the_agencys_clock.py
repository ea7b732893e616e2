"""Lists of the administration tell times by the agency's clock, and by UTC to whoever has agencies in several zones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, Membership, User
from ingestion.models import RetentionPolicy
from tests import factories

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
DONE = dt.datetime(2026, 3, 14, 22, 5, tzinfo=dt.UTC)


@pytest.fixture
def page(agency: Agency, owner: User, sign_in: SignIn) -> Callable[[], str]:
    Agency.objects.filter(pk=agency.pk).update(time_zone="America/Los_Angeles")
    RetentionPolicy.objects.create(agency=agency, kind="quarantine", delete_after_days=90, finished_at=DONE)
    address = reverse("admin:ingestion_retentionpolicy_changelist")
    return lambda: sign_in(owner).get(address).content.decode()


def test_a_list_is_by_the_clock_of_the_persons_agency(page: Callable[[], str]) -> None:
    assert "3:05 p.m." in page()


def test_a_second_agency_in_another_zone_makes_it_utc(page: Callable[[], str], owner: User) -> None:
    other = factories.make_agency(slug="elsewhere", name="Elsewhere")
    Agency.objects.filter(pk=other.pk).update(time_zone="America/New_York")
    Membership.objects.create(agency=other, user=owner, role="admin")
    assert "10:05 p.m." in page()
