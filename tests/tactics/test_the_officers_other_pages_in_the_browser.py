"""Practice, hunch, guide and the analyst's list in a browser; and the screen for notes says the same in both languages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agencies.models import Agency, Unit, User
from forecasting.services import grid_build
from ingestion.engine.private_text import screen_text
from patrols.models import Engagement
from tactics.models import Hunch, OfficerAction, PracticeShift
from tactics.services import starter_catalogue_create
from tests.ingestion.test_engine_private_text import ABOUT_PERSONS, ABOUT_PLACES
from tests.tactics.test_officer_page import STANDING
from tests.tactics.test_officer_page_in_the_browser import SMALL_TARGETS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}


def picture(page: Page, name: str, **how: Any) -> None:
    if shots := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(350)
        # Hiding the caret would take a style of its own, which the page's policy forbids.
        page.screenshot(path=str(Path(shots) / f"off6-{name}.png"), caret="initial", **how)


@pytest.fixture
def phone(signed_in_page: Callable[..., Page], officer: User) -> Page:
    page = signed_in_page(officer)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    return page


def test_practice_works_off_line_like_a_shift_and_leaves_no_trace(
    phone: Page, agency: Agency, unit: Unit
) -> None:
    from playwright.sync_api import expect

    starter_catalogue_create(agency=agency)
    grid_build(agency=agency)
    phone.goto("/riverton/my/training/")
    phone.wait_for_selector("#officer[data-kept]", state="attached")
    phone.wait_for_selector("#place-map .place-label")
    expect(phone.get_by_role("note")).to_contain_text("Nothing here is real")
    assert phone.evaluate(SMALL_TARGETS) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(phone, "practice", full_page=True)
    phone.context.set_offline(True)
    phone.goto("/riverton/my/training/")
    phone.get_by_role("button", name="Arrived", exact=True).click()
    phone.get_by_role("button", name="Foot patrol").click()
    expect(phone.locator("[data-queued]")).to_contain_text("queued 2")
    phone.context.set_offline(False)
    expect(phone.locator("[data-queued]")).to_be_hidden()
    phone.wait_for_selector("[data-fresh='1'][data-running='1']", state="attached")
    assert [row["kind"] for row in PracticeShift.objects.get().log] == ["arrived", "tactic"]
    assert not Engagement.objects.exists()
    assert not OfficerAction.objects.exists()


def test_a_hunch_is_tapped_on_the_map(phone: Page, agency: Agency) -> None:
    from playwright.sync_api import expect

    grid_build(agency=agency)
    phone.goto("/riverton/my/hunch/")
    phone.wait_for_selector("#hunch-map .place-label")
    expect(phone.get_by_role("button", name="Here")).to_have_count(0)
    phone.get_by_label(re.compile("^Why")).fill("suspect John Smith")
    phone.get_by_role("button", name="Log it").click()
    expect(phone.locator("[data-screen-says]")).to_contain_text("a person’s name: “suspect John Smith”")
    phone.get_by_label(re.compile("^Why")).fill("lights out behind the station")
    phone.get_by_role("button", name="Log it").click()
    expect(phone.locator("[data-screen-says]")).to_contain_text("Tap the map first")
    phone.locator("#hunch-map").click(position={"x": 180, "y": 150})
    assert phone.evaluate(SMALL_TARGETS) == []
    assert phone.get_by_text(STANDING).is_visible()
    picture(phone, "hunch", full_page=True)
    phone.get_by_role("button", name="Log it").click()
    expect(phone.get_by_text("Logged. An analyst will look at it")).to_be_visible()
    assert Hunch.objects.get().reason == "lights out behind the station"


def test_the_analysts_list_at_a_desk(
    signed_in_page: Callable[..., Page], agency: Agency, phone: Page, officer: User
) -> None:
    grid_build(agency=agency)
    test_a_hunch_is_tapped_on_the_map(phone, agency)
    phone.context.clear_cookies()
    page = signed_in_page("analyst", agency)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/riverton/hunches/")
    page.get_by_label("Status").select_option("followed")
    page.get_by_label("Answer to the officer").fill("on Saturday's list")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".chip:text('Followed up')")
    picture(page, "hunches", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_guide_prints_on_two_pages(phone: Page, agency: Agency) -> None:
    phone.goto("/riverton/officer/guide/")
    assert phone.get_by_text(STANDING).is_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(phone, "guide")
    printed = phone.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2


def test_the_guides_of_page_and_documents_have_the_same_parts(agency: Agency, phone: Page) -> None:
    phone.goto("/riverton/officer/guide/")
    parts = phone.locator("h2").all_inner_texts()
    text = (Path(__file__).resolve().parents[2] / "docs" / "officers-guide.md").read_text()
    assert parts == re.findall(r"^## (.+)$", text, flags=re.MULTILINE)[: len(parts)]


def test_the_screen_says_the_same_in_both_languages(phone: Page, agency: Agency) -> None:
    phone.goto("/riverton/my/hunch/")
    texts = [f"dark lot, {text}" for text, _ in ABOUT_PERSONS] + ABOUT_PLACES
    texts += [
        " ".join([text, other]) for text, (other, _) in zip(ABOUT_PLACES, ABOUT_PERSONS * 2, strict=False)
    ]
    found = phone.evaluate(f"{json.dumps(texts)}.map((text) => window.MissionsScreen.find(text))")
    for text, browsers in zip(texts, found, strict=True):
        ours = [
            {
                "rule": one.rule,
                "what": one.what.replace("'", "’"),
                "start": one.start,
                "end": one.end,
                "found": one.found,
            }
            for one in screen_text(text)
        ]
        assert browsers == ours, text
