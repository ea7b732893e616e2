"""A new agency gets a working configuration, and keeps what it has."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from agencies.models import Agency, Beat, CrimeType, District, Shift, Unit
from patrols.models import PatrolPolicy
from tactics.defaults import agency_defaults_create
from tactics.models import Tactic
from tests.factories import make_agency, rectangle

pytestmark = pytest.mark.django_db


def bare_agency() -> Agency:
    agency = Agency.objects.create(slug="newtown", name="Newtown PD", time_zone="America/Chicago")
    area = rectangle(0, 0, 2000, 2000)
    district = District.objects.create(agency=agency, code="1", geometry=area)
    Beat.objects.create(agency=agency, district=district, code="11", geometry=area)
    return agency


def test_a_bare_agency_gets_shifts_the_whole_allow_list_units_a_policy_and_tactics() -> None:
    agency = bare_agency()
    made = agency_defaults_create(agency=agency, units_per_beat=2)
    assert made == {"shifts": 3, "crime types": 7, "units": 2, "patrol policies": 1}
    assert set(Shift.objects.filter(agency=agency).values_list("slug", flat=True)) == {
        "night",
        "day",
        "evening",
    }
    assert CrimeType.objects.filter(agency=agency).values("colour").distinct().count() == 7
    assert Tactic.objects.filter(agency=agency).exists()


def test_what_is_there_is_kept() -> None:
    agency = make_agency()
    before = [m.objects.filter(agency=agency).count() for m in (Shift, CrimeType, Unit)]
    agency_defaults_create(agency=agency)
    agency_defaults_create(agency=agency)
    assert [m.objects.filter(agency=agency).count() for m in (Shift, CrimeType, Unit)] == before
    assert PatrolPolicy.objects.filter(agency=agency).count() == 1


def test_the_command_says_what_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    bare_agency()
    call_command("agency_defaults", agency="newtown")
    assert "crime types: 7" in capsys.readouterr().out
