"""A report's page and charts are in the clock and units that its agency reads; its files keep 24 hours and metres."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from agencies.clocks import clock_read, lengths_read, reads_like
from agencies.models import Agency, Membership, User
from forecasting.services import grid_build
from patrols.models import MissionPlan
from tactics.models import SavedReport
from tactics.reports.shapes import Column
from tactics.services.saved_reports import saved_report_set
from tests.factories import make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

SignIn = Callable[[User | None], Client]
AMERICAN = Agency(clock="12", units="imperial")
TWELVE = re.compile(r"\d{1,2}:\d\d\xa0[AP]M")
TWENTY_FOUR = re.compile(r">\d\d:\d\d<")
SHIFT = f"?from={ON}&to={ON}"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def town(db: None) -> Agency:
    agency = make_agency("riverton", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    grid_build(agency=agency)
    return agency


def american(agency: Agency) -> None:
    Agency.objects.filter(pk=agency.pk).update(clock="12", units="imperial")


def shown(client: Client, kind: str, query: str = "") -> str:
    answer = client.get(reverse("tactics:report", args=["riverton", kind]) + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def table(page: str, slug: str) -> str:
    return page.split(f'id="table-{slug}"', 1)[1].split("</section>", 1)[0]


def chart(client: Client, kind: str, slug: str, query: str = "") -> str:
    answer = client.get(reverse("tactics:report_chart", args=["riverton", kind, slug]) + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def csv(client: Client, kind: str, slug: str, query: str = "?") -> str:
    address = reverse("tactics:table_csv", args=["riverton", kind])
    return b"".join(client.get(f"{address}{query}&table={slug}")).decode()


def api(client: Client, kind: str, query: str = "") -> str:
    answer = client.get(f"/api/v1/riverton/reports/{kind}/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_texts_of_files_are_read_as_the_agency_reads() -> None:
    texts = ("16:40", "–", "Cells of 250 m, most of 5 min", "1–100 m", "200–400 m")
    assert tuple(map(lengths_read, map(clock_read, texts))) == texts
    with reads_like(AMERICAN):
        assert [clock_read(text) for text in texts[:2]] == ["4:40\xa0PM", "–"]
        assert [lengths_read(text) for text in texts[2:]] == [
            "Cells of 820 feet, most of 5 min",
            "3–330 feet",
            "660–1,310 feet",
        ]


def test_a_number_a_square_kilometre_is_one_a_square_mile() -> None:
    column = Column("a", "On record per km²", "number", unit="min/km²", digits=0, reads="per_km2")
    assert (column.heading, column.shown(100.0)) == ("On record per km² (min/km²)", "100")
    with reads_like(AMERICAN):
        assert (column.heading, column.shown(100.0)) == ("On record per mi² (min/mi²)", "259")
        assert column.shown(None) == "–"


def test_who_was_where_is_in_the_agencys_clock_and_a_changed_clock_shows_at_once(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    before, file = table(shown(client, "shifts", SHIFT), "visits"), csv(client, "shifts", "visits", SHIFT)
    assert TWENTY_FOUR.search(before)
    assert not TWELVE.search(before)
    assert not TWELVE.search(chart(client, "shifts", "whereabouts", SHIFT))
    american(scene.agency)
    page = shown(client, "shifts", SHIFT)
    assert TWELVE.search(table(page, "visits"))
    assert not TWENTY_FOUR.search(table(page, "visits"))
    # The browser keeps a chart for a minute: under another address it asks anew.
    assert "&amp;read=12-imperial" in page
    assert TWELVE.search(chart(client, "shifts", "whereabouts", SHIFT))
    rows = [line for line in file.splitlines() if not line.startswith("#")]
    assert rows == [
        line for line in csv(client, "shifts", "visits", SHIFT).splitlines() if not line.startswith("#")
    ]
    assert re.search(r",\d\d:\d\d,\d\d:\d\d,", rows[1])
    assert not TWELVE.search(api(client, "shifts", SHIFT))


def test_crime_trends_name_hours_and_distances_as_the_agency_reads(town: Agency, sign_in: SignIn) -> None:
    client = sign_in(make_member(town, "analyst"))
    page = shown(client, "crime-trends")
    assert ">16</th>" in table(page, "hours")
    assert re.search(r">1–\d+ m<", table(page, "repeats"))
    assert "<!-- 16 -->" in chart(client, "crime-trends", "hours")
    american(town)
    page = shown(client, "crime-trends")
    assert ">4p</th>" in table(page, "hours")
    assert ">16</th>" not in table(page, "hours")
    repeats = table(page, "repeats")
    assert "3–330 feet" in repeats
    assert not re.search(r"\d m\b", repeats)
    drawn = chart(client, "crime-trends", "hours")
    assert "<!-- 4p -->" in drawn
    assert "<!-- 16 -->" not in drawn
    assert re.search(r",1–\d+ m,", csv(client, "crime-trends", "repeats"))
    kept = api(client, "crime-trends")
    assert '"16"' in kept
    assert "feet" not in kept
    assert "4p" not in kept


def test_coverage_measures_cells_areas_and_maps_in_the_agencys_units(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    page = shown(client, "coverage", SHIFT)
    size = f"Cells of {scene.spec.cell_size_m:g} m,"
    assert size in table(page, "cells")
    assert "min/km²" in table(page, "beats")
    file = csv(client, "coverage", "districts", SHIFT)
    drawn = chart(client, "coverage", "cells", SHIFT)
    assert " km -->" in drawn
    american(scene.agency)
    page = shown(client, "coverage", SHIFT)
    assert size not in table(page, "cells")
    assert "feet, those with most minutes" in table(page, "cells")
    assert "On record per mi² (min/mi²)" in table(page, "beats")
    assert "km²" not in table(page, "beats")
    drawn = chart(client, "coverage", "cells", SHIFT)
    assert " miles -->" in drawn
    assert " km -->" not in drawn
    assert "feet; lines: districts" in drawn
    assert size in csv(client, "coverage", "cells", SHIFT).replace('"', "")
    after = csv(client, "coverage", "districts", SHIFT)
    assert "minutes_per_km2" in after
    assert [line for line in after.splitlines() if line[0] != "#"] == [
        line for line in file.splitlines() if line[0] != "#"
    ]


def test_the_report_builder_names_hours_as_the_agency_reads(town: Agency, sign_in: SignIn) -> None:
    client = sign_in(make_member(town, "analyst"))
    query = "?measure=incidents&by=hour&then=weekday"
    assert ">16:00<" in table(shown(client, "builder", query), "lines")
    american(town)
    assert ">4:00\xa0PM<" in table(shown(client, "builder", query), "lines")
    assert "4:00\xa0PM" in chart(client, "builder", "built", query)
    across = table(shown(client, "builder", "?measure=incidents&by=weekday&then=hour"), "cross")
    assert ">4p</th>" in across
    assert ">16:00<" not in across
    assert "\n16:00," in csv(client, "builder", "lines", query)


def test_the_hour_from_which_a_report_is_sent_is_chosen_by_the_agencys_clock(
    town: Agency, sign_in: SignIn
) -> None:
    client = sign_in(make_member(town, "analyst"))
    form = client.get(reverse("tactics:report", args=["riverton", "crime-trends"])).content.decode()
    assert '<option value="6" selected>06:00</option>' in form
    assert '<option value="16">16:00</option>' in form
    american(town)
    form = client.get(reverse("tactics:report", args=["riverton", "crime-trends"])).content.decode()
    assert '<option value="0">12:00\xa0AM</option>' in form
    assert '<option value="16">4:00\xa0PM</option>' in form
    fields = {"name": "Afternoon", "days": "7", "sends": "never", "send_hour": "16"}
    client.post(reverse("tactics:report_save", args=["riverton", "crime-trends"]), fields)
    assert SavedReport.objects.get().send_hour == 16


def test_the_list_says_from_which_hour_a_report_is_sent(town: Agency, sign_in: SignIn) -> None:
    user = make_member(town, "analyst")
    saved_report_set(
        agency=town, owner=user, name="Monday", kind="crime-trends", days=7, filters={}, is_shared=False, sends="daily",
        send_hour=16, recipients=[Membership.objects.get(user=user)],
    )  # fmt: skip
    client = sign_in(user)
    address = reverse("tactics:reports", args=["riverton"])
    assert ", from 16:00, to" in client.get(address).content.decode()
    american(town)
    assert ", from 4:00\xa0PM, to" in client.get(address).content.decode()
