"""Lists of the administration tell times by the agency's clock, and by UTC to whoever has agencies in several zones."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agencies.admin_clock import local, local_time
from agencies.models import Agency, Membership, Shift, User
from agencies.services import audit_record
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


def test_a_twelve_hour_agency_reads_twelve_hours_in_lists_forms_and_histories(
    page: Callable[[], str], agency: Agency, owner: User, sign_in: SignIn
) -> None:
    Agency.objects.filter(pk=agency.pk).update(clock="12")
    assert "14 Mar 2026 3:05\u00a0PM" in page()
    policy = RetentionPolicy.objects.get()
    form = reverse("admin:ingestion_retentionpolicy_change", args=[policy.pk])
    assert "14 Mar 2026 3:05\u00a0PM" in sign_in(owner).get(form).content.decode()
    audit_record(agency=agency, actor=owner, action="changed", subject=policy, row=policy)
    history = sign_in(owner).get(reverse("admin:ingestion_retentionpolicy_history", args=[policy.pk]))
    assert re.search(r"\d [A-Z][a-z]{2} \d{4} 1?\d:\d\d\u00a0[AP]M", history.content.decode())


def test_the_clock_of_one_page_is_not_that_of_the_next(page: Callable[[], str], agency: Agency) -> None:
    Agency.objects.filter(pk=agency.pk).update(clock="12")
    page()
    Agency.objects.filter(pk=agency.pk).update(clock="24")
    assert "14 Mar 2026 15:05" in page()


def test_agencies_that_read_different_clocks_are_listed_by_twenty_four_hours(
    page: Callable[[], str], agency: Agency, owner: User
) -> None:
    other = factories.make_agency(slug="elsewhere", name="Elsewhere")
    Agency.objects.filter(pk=other.pk).update(time_zone="America/Los_Angeles", clock="24")
    Agency.objects.filter(pk=agency.pk).update(clock="12")
    Membership.objects.create(agency=other, user=owner, role="admin")
    assert "14 Mar 2026 15:05" in page()


@pytest.mark.parametrize("typed", ["16:40", "4:40 PM", "4:40pm", "16:40:00"])
def test_a_shifts_start_may_be_typed_by_either_clock(
    typed: str, agency: Agency, owner: User, sign_in: SignIn
) -> None:
    answer = sign_in(owner).post(
        reverse("admin:agencies_shift_add"),
        {
            "agency": agency.pk,
            "name": "Late",
            "slug": "late",
            "starts_at": typed,
            "duration_minutes": 480,
            "weekdays": ["0", "6"],
        },
    )
    made = Shift.objects.filter(agency=agency, slug="late").first()
    assert made, answer.context["adminform"].form.errors
    assert made.starts_at == dt.time(16, 40)
