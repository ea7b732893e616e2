"""Times in twelve or twenty-four hours and distances in metres or feet, as the agency reads them, on every page and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils import timezone

from agencies.clocks import clock_text, distance_text, is_twelve, reads_like
from agencies.models import Agency, User
from tests.factories import make_member
from tests.patrols.scenes import ON, make_scene

SignIn = Callable[[User | None], Client]
AMERICAN = Agency(clock="12", units="imperial")
HALF_PAST_FOUR = dt.datetime(2026, 3, 14, 21, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("hour", "text"),
    [(0, "12:05\u00a0AM"), (9, "9:05\u00a0AM"), (12, "12:05\u00a0PM"), (23, "11:05\u00a0PM")],
)
def test_midnight_and_noon_are_twelve(hour: int, text: str) -> None:
    with reads_like(AMERICAN):
        assert clock_text(dt.time(hour, 5)) == text
    assert clock_text(dt.time(hour, 5)) == f"{hour:02d}:05"


def test_distances_are_rounded_as_people_say_them() -> None:
    with reads_like(AMERICAN):
        assert [distance_text(metres) for metres in (250, 1840)] == ["820 feet", "1.1 miles"]
    assert [distance_text(metres) for metres in (250, 1840)] == ["250 metres", "1.8 km"]


def test_the_way_of_one_agency_ends_with_its_page_also_when_it_breaks() -> None:
    with pytest.raises(ValueError, match="broke"), reads_like(AMERICAN):
        raise ValueError("broke")
    assert not is_twelve()


def test_templates_write_the_agencys_zone_and_clock_without_asking_for_it() -> None:
    page = Template('{{ at|date:"D j M, H:i" }} · {{ at|date:"Y-m-d" }} · {{ 250|distance }}')
    with timezone.override("America/Chicago"):
        assert page.render(Context({"at": HALF_PAST_FOUR})) == "Sat 14 Mar, 16:30 · 2026-03-14 · 250 metres"
        with reads_like(AMERICAN):
            assert (
                page.render(Context({"at": HALF_PAST_FOUR}))
                == "Sat 14 Mar, 4:30\u00a0PM · 2026-03-14 · 820 feet"
            )
            assert Template('{% now "H:i" as moment %}{{ moment }}').render(Context())[-2:] in ("AM", "PM")


@pytest.mark.django_db
def test_the_board_of_an_agency_with_a_twelve_hour_clock_shows_no_other(sign_in: SignIn) -> None:
    scene = make_scene()
    plan = scene.plan(publish=True)
    Agency.objects.filter(pk=scene.agency.pk).update(clock="12", units="imperial")
    client = sign_in(make_member(scene.agency, "supervisor"))
    text = client.get(f"/riverton/shifts/{ON}/evening/list/").content.decode()
    assert "\u00a0PM" in text
    page = client.get(f"/riverton/shifts/{ON}/evening/").content.decode()
    assert 'data-clock="12" data-units="imperial"' in page
    analyst = sign_in(make_member(scene.agency, "analyst"))
    file = analyst.get(f"/riverton/missions.csv?from={ON}&to={ON}")
    rows = [row for row in b"".join(file).decode().splitlines() if not row.startswith("#")]
    assert (file.status_code, file["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert len(rows) == plan.missions.count() + 1 > 1
    assert "PM" not in "".join(rows)
