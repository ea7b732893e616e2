"""A report, a file and a chart that take seconds say so, and take it back: when they are there, when not, on the way back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.urls import reverse

from forecasting.services import grid_build
from tests.factories import make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
TRENDS = ("trendville", "crime-trends")
FORM, STATUS = "form.report-form", "form.report-form + [role=status]"
STATE = f"[document.querySelector('{FORM}').getAttribute('aria-busy'), document.querySelector('{STATUS}').textContent]"


@pytest.fixture
def report(signed_in_page: Callable[..., Page]) -> Page:
    """An analyst's page on the report of crime trends."""
    cache.clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    grid_build(agency=agency)
    return signed_in_page(make_member(agency, "analyst"))


def hold(page: Page, asked: str) -> list[Route]:
    """What is asked for from now on waits in this list until the test lets it go."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(asked, keep)
    return held


def late(route: Route) -> None:
    """An answer that takes as long as a large city's."""
    time.sleep(0.2)
    route.continue_()


def open_report(page: Page) -> None:
    page.goto(reverse("tactics:report", args=TRENDS))
    page.wait_for_load_state("load")


def test_a_form_says_that_its_answer_is_being_worked_out_and_takes_it_back(report: Page) -> None:
    page = report
    open_report(page)
    first = page.url
    assert page.evaluate(STATE) == [None, ""]
    # Kept by the page as it goes: from outside nobody can ask a page whose successor is on its way.
    page.evaluate(
        f"() => {{ addEventListener('pagehide', () => sessionStorage.setItem('left', JSON.stringify({STATE}))); }}"
    )
    page.route("**/crime-trends/?*", late)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**?from=*")
    assert json.loads(page.evaluate("sessionStorage.getItem('left')")) == ["true", "Working it out …"]
    page.go_back()
    page.wait_for_url(first)
    assert page.evaluate(STATE) == [None, ""]


def test_a_page_out_of_the_browsers_own_store_is_no_longer_busy(report: Page) -> None:
    page = report
    open_report(page)
    busy, hurdles, back = page.evaluate(f"""() => {{
      document.querySelector("{FORM}").requestSubmit();
      const busy = {STATE};
      const hurdles = document.querySelectorAll("[aria-busy] [role=status], {FORM} :disabled").length;
      dispatchEvent(new PageTransitionEvent("pageshow", {{ persisted: true }}));
      return [busy, hurdles, {STATE}];
    }}""")
    assert busy == ["true", "Working it out …"]
    # What is read aloud does not lie in what is busy, and nothing stops a second thought.
    assert hurdles == 0
    assert back == [None, ""]


def test_a_period_that_is_pressed_stays_in_the_address(report: Page) -> None:
    page = report
    open_report(page)
    button = page.locator(f"{FORM} button[name=period]").first
    value = button.get_attribute("value")
    button.click()
    page.wait_for_url("**period=*")
    assert parse_qs(urlsplit(page.url).query)["period"] == [value]


def test_a_workbook_says_that_it_is_being_made_and_comes_under_its_name(report: Page) -> None:
    page = report
    open_report(page)
    status = page.locator(".head + [role=status]")
    held = hold(page, "**/*.xlsx*")
    excel = page.get_by_role("link", name="Excel")
    with page.expect_download() as coming:
        excel.click(no_wait_after=True)
        page.locator("a[data-waits][aria-busy=true]").wait_for()
        assert status.inner_text() == "The file is being made …"
        excel.click()
        assert len(held) == 1, "a second press asks for the file a second time"
        held[0].continue_()
    assert coming.value.suggested_filename.endswith(".xlsx")
    assert page.locator("a[data-waits][aria-busy]").count() == 0
    assert status.inner_text() == ""


def test_a_workbook_that_is_refused_shows_the_page_that_says_why(report: Page) -> None:
    page = report
    open_report(page)
    page.route(
        "**/*.xlsx*", lambda route: route.fulfill(status=400, content_type="text/html", body="<p>Too long.")
    )
    page.get_by_role("link", name="Excel").click()
    page.get_by_text("Too long.").wait_for()


def test_a_chart_keeps_its_place_until_it_is_there(report: Page) -> None:
    from playwright.sync_api import expect

    page = report
    held = hold(page, "**/*.svg?*")
    page.goto(reverse("tactics:report", args=TRENDS), wait_until="domcontentloaded")
    chart = page.locator("img.chart").first
    page.locator("img.chart.is-waiting").first.wait_for()
    box = chart.bounding_box()
    assert box is not None
    assert box["height"] > 100, "the page would jump when the chart comes"
    for route in held:
        route.continue_()
    page.unroute("**/*.svg?*")
    for each in page.locator("img.chart").all():
        each.scroll_into_view_if_needed()
    expect(page.locator("img.chart.is-waiting")).to_have_count(0)
    assert chart.bounding_box()["height"] == box["height"]  # type: ignore[index]
    assert page.get_by_text("could not be loaded").count() == 0


def test_a_chart_that_does_not_come_is_told_in_words(report: Page) -> None:
    page = report
    page.route("**/*.svg?*", lambda route: route.abort())
    open_report(page)
    page.locator("img.chart").first.scroll_into_view_if_needed()
    page.get_by_text("This chart could not be loaded. Reload the page to try again.").first.wait_for()
    assert page.locator("img.chart.is-missing").count() >= 1
