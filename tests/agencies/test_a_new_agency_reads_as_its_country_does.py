"""A new agency's clock and units are those usual where its time zone is, unless somebody chooses others."""

from __future__ import annotations

import zoneinfo

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from agencies.engine.customs import usual_clock_and_units
from agencies.models import Agency
from tests.factories import make_operator

CHOSEN = {"clock": "", "units": ""}


@pytest.mark.parametrize(
    ("zone", "usual"),
    [
        ("America/Chicago", ("12", "imperial")),
        ("US/Pacific", ("12", "imperial")),
        ("America/Toronto", ("12", "metric")),
        ("America/Mexico_City", ("24", "metric")),
        ("Europe/London", ("24", "metric")),
        ("Australia/ACT", ("12", "metric")),
        ("UTC", ("24", "metric")),
        ("", ("24", "metric")),
    ],
)
def test_a_zones_country_says_what_is_usual(zone: str, usual: tuple[str, str]) -> None:
    assert usual_clock_and_units(zone) == usual


def test_every_zone_has_an_answer() -> None:
    assert {usual_clock_and_units(zone) for zone in zoneinfo.available_timezones()} == {
        ("12", "imperial"), ("12", "metric"), ("24", "metric"), ("24", "imperial"),
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("chosen", "has"),
    [
        ({}, ("12", "imperial")),
        (CHOSEN, ("12", "imperial")),
        ({"clock": "24", "units": ""}, ("24", "imperial")),
        ({"clock": "", "units": "metric"}, ("12", "metric")),
    ],
)
def test_the_administration_fills_in_what_nobody_chose(chosen: dict[str, str], has: tuple[str, str]) -> None:
    client = Client()
    client.force_login(make_operator())
    data = {
        "name": "Lakeside",
        "slug": "lakeside",
        "time_zone": "America/Chicago",
        "cell_size_m": "250",
        **chosen,
    }
    assert client.post(reverse("admin:agencies_agency_add"), data).status_code == 302
    agency = Agency.objects.get(slug="lakeside")
    assert (agency.clock, agency.units) == has


@pytest.mark.django_db
def test_the_command_does_so_too() -> None:
    call_command("agency_create", slug="lakeside", name="Lakeside", time_zone="America/Toronto")
    agency = Agency.objects.get(slug="lakeside")
    assert (agency.clock, agency.units) == ("12", "metric")


@pytest.mark.django_db
def test_what_an_agency_has_is_never_left_open_afterwards() -> None:
    client = Client()
    client.force_login(make_operator())
    page = client.get(reverse("admin:agencies_agency_add")).content.decode()
    assert page.count("as usual in the time zone&#x27;s country") == 2
    agency = Agency.objects.create(name="Lakeside", slug="lakeside", time_zone="America/Chicago")
    page = client.get(reverse("admin:agencies_agency_change", args=[agency.pk])).content.decode()
    assert "as usual" not in page


@pytest.mark.django_db
def test_its_map_does_not_ask_for_an_agency_that_there_is_not_yet() -> None:
    client = Client()
    client.force_login(make_operator())
    Agency.objects.create(name="Lakeside", slug="lakeside", time_zone="America/Chicago")
    Agency.objects.create(name="Riverton", slug="riverton", time_zone="America/Chicago")
    page = client.get(reverse("admin:agencies_agency_add")).content.decode()
    assert "Save first: the boundary" in page
    assert "Choose the agency first" not in page
    assert "Choose the agency first" in client.get(reverse("admin:agencies_beat_add")).content.decode()
