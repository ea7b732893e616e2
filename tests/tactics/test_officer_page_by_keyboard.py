"""The officer's page without a mouse: a mission is begun, a tactic recorded, the mission ended, and the focus is never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from agencies.models import Agency, User
from patrols.models import Engagement, Mission
from tactics.models import TacticUse
from tactics.services import starter_catalogue_create
from tests.keyboard import focused, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOST = "document.activeElement === document.body"


def test_a_mission_is_worked_through_by_keys_alone(
    signed_in_page: Callable[..., Page], agency: Agency, officer: User, mission: Mission
) -> None:
    from playwright.sync_api import expect

    starter_catalogue_create(agency=agency)
    page = signed_in_page(officer)
    page.goto("/riverton/my/", wait_until="networkidle")
    tab_to(page, "form[data-press='arrived'] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-timer]")
    expect(page.locator("[data-queued]")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    # The page loads itself anew once the server has heard of it.
    page.wait_for_selector("[data-fresh='1'][data-running]", state="attached")
    page.wait_for_load_state("networkidle")
    assert Engagement.objects.filter(left_at=None).count() == 1
    # The button that comes in its stead, once the page has put the focus where it was.
    page.wait_for_function("() => document.activeElement.closest(\"form[data-press='left']\")")

    tab_to(page, ".tactic button[aria-pressed]")
    page.keyboard.press("Space")
    page.wait_for_selector('.tactic button[aria-pressed="true"]')
    expect(page.locator("[data-queued]")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    assert TacticUse.objects.count() == 1
    assert focused(page, ".tactic button[aria-pressed='true']"), "a tick keeps the focus where it was"
    tab_to(page, "details.tactic__more summary")
    page.keyboard.press("Enter")
    expect(page.locator("details.tactic__more[open]").first).to_be_visible()

    tab_to(page, "form[data-press='left'] button")
    page.wait_for_timeout(1_100)  # a second press within a second is taken for a double tap
    page.keyboard.press("Enter")
    page.wait_for_selector(".officer__left")
    page.wait_for_load_state("networkidle")
    assert Engagement.objects.get().left_at is not None
    assert not page.evaluate(LOST), "after leaving"
