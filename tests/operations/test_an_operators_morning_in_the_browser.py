"""The operator's morning in a real browser: signs in, sees what is late and what is silent, and gets to it by clicks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agencies.models import User
from ingestion.models import Incident
from missions_project.operations.alerts import alerts_update
from patrols.models import Mission, ShiftPlanning
from tests.browsing import changes_nothing, sign_in_by_form
from tests.factories import make_agency, make_operator
from tests.rich_town import RichTown, rich_town

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def town(live_server: Any, tmp_path: Path) -> RichTown:
    """A plan of the day shift that was not made, a feed that stopped; and a second agency in which all is well."""
    town = rich_town(tmp_path)
    make_agency("lakeside")
    alerts_update(now=timezone.now())
    return town


@pytest.fixture
def operator(page: Page, town: RichTown) -> Page:
    page.goto("/")
    sign_in_by_form(page, make_operator())
    page.get_by_role("heading", name="Choose an agency").wait_for()
    return page


def test_an_operator_sees_what_is_late_and_silent_and_gets_to_it(operator: Page, town: RichTown) -> None:
    page = operator
    assert page.locator(".choices a").all_inner_texts() == ["Lakeside PD", "Riverton PD"]
    page.get_by_role("link", name="This installation").first.click()
    page.get_by_role("heading", name="This installation").wait_for()
    signs = page.locator("#signs tbody tr")
    assert signs.filter(has_text="Database").get_by_text("well", exact=True).count() == 1
    assert signs.filter(has_text="Backup").get_by_text("none was made here").count() == 1
    assert page.locator("#runs tbody tr").filter(has_text="Import").count() == 1
    troubles = page.locator("#troubles li")
    assert troubles.count() == 2
    assert [text for text in troubles.all_inner_texts() if "Lakeside" in text] == []
    assert changes_nothing(page) == []
    # What was told by e-mail is told here too.
    assert page.get_by_role("row", name=re.compile("the forecast of Day")).count() == 1

    late = troubles.filter(has_text="Riverton PD: the forecast of Day")
    assert late.get_by_text("(No unit is on duty.)").count() == 1
    late.get_by_role("link").click()
    row = ShiftPlanning.objects.get(agency=town.agency, shift__slug="day")
    page.wait_for_url(f"**/riverton/shifts/{row.on}/day/")
    page.locator("main").get_by_text("No unit is on duty.").first.wait_for()
    assert page.get_by_role("button", name="Forecast and plan").is_visible()
    # By the frame around it he stays in sight of where he is.
    page.locator(".topbar__person summary").click()
    page.locator(".topbar__person").get_by_text("Operator, Riverton PD").wait_for()
    page.locator(".topbar__person").get_by_role("link", name="This installation").click()

    silent = page.locator("#troubles li").filter(has_text="RMS")
    silent.get_by_role("link").click()
    page.wait_for_url("**/riverton/data/")
    feed = page.get_by_role("row").filter(has=page.get_by_role("link", name="RMS", exact=True))
    assert "No new rows" in feed.inner_text() or "Silent" in feed.inner_text()

    # Mended: it is gone from the page, and the alert says until when it stood.
    ShiftPlanning.objects.filter(pk=row.pk).update(state=ShiftPlanning.State.DONE)
    alerts_update(now=timezone.now() + timedelta(seconds=1))
    page.locator(".topbar__person summary").click()
    page.locator(".topbar__person").get_by_role("link", name="This installation").click()
    page.get_by_role("heading", name="This installation").wait_for()
    assert page.locator("#troubles li").count() == 1
    assert page.get_by_role("row", name=re.compile("the forecast of Day")).get_by_text("still").count() == 0


def test_the_operators_page_tells_of_no_agencys_rows(operator: Page, town: RichTown) -> None:
    page = operator
    page.get_by_role("link", name="This installation").first.click()
    page.get_by_role("heading", name="This installation").wait_for()
    text = page.locator("main").inner_text()
    people = [person.username for person in town.people.values()]
    places = set(Mission.objects.filter(agency=town.agency).exclude(place="").values_list("place", flat=True))
    rows = set(
        Incident.objects.filter(agency=town.agency, external_id__startswith="R0").values_list(
            "external_id", flat=True
        )
    )
    assert rows
    assert [word for word in (*people, *places, *rows, "house break", "Watch the lot") if word in text] == []


@pytest.mark.parametrize("role", ["admin", "auditor"])
def test_nobody_of_an_agency_finds_the_way_there(
    page: Page, town: RichTown, role: str, signed_in_page: Callable[..., Page]
) -> None:
    person: User = town.people[role]
    signed_in_page(person)
    page.goto("/")
    page.locator(".topbar__person summary").click()
    page.locator(".topbar__person").get_by_role("button", name="Sign out").wait_for()
    assert page.get_by_role("link", name="This installation").count() == 0
    assert page.goto("/operator/").status == 404  # type: ignore[union-attr]
