"""Lists of the administration tell times by the agency's clock, and by UTC to whoever has agencies in several zones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agencies.admin_clock import local, local_time
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
    assert "14 Mar 2026 15:05" in page()


def test_a_second_agency_in_another_zone_makes_it_utc(page: Callable[[], str], owner: User) -> None:
    other = factories.make_agency(slug="elsewhere", name="Elsewhere")
    Agency.objects.filter(pk=other.pk).update(time_zone="America/New_York")
    Membership.objects.create(agency=other, user=owner, role="admin")
    assert "14 Mar 2026 22:05" in page()


def test_instants_are_written_as_the_agencys_pages_write_them(agency: Agency) -> None:
    agency.time_zone = "America/Los_Angeles"
    assert (local(DONE, agency), local_time(DONE, agency)) == ("14 Mar 2026 15:05", "15:05")
    agency.clock = "12"
    assert (local(DONE, agency), local_time(DONE, agency)) == ("14 Mar 2026 3:05\u00a0PM", "3:05\u00a0PM")
    with translation.override("es"):
        assert local(DONE.replace(month=1), agency).casefold().startswith("14 ene 2026 2:05")
    assert local(None, agency) == "–"
