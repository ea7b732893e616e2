"""The officer's page on a phone: one hand, by day and after dusk, with a timer that runs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit, User
from patrols.models import Engagement, Mission, MissionPlan
from tactics.models import TacticUse
from tactics.officer import Sky
from tactics.services import starter_catalogue_create
from tests.tactics import factories

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}
SMALL_TARGETS = """() => [...document.querySelectorAll("main a, main button, main summary, main select")]
  .filter((element) => element.checkVisibility() && !element.closest(".leaflet-container"))
  .filter((element) => element.getBoundingClientRect().height < 48)
  .map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture
def shift(agency: Agency, plan: MissionPlan, mission: Mission, unit: Unit) -> Mission:
    """Three missions, the first one due now, and tactics for them."""
    starter_catalogue_create(agency=agency)
    factories.make_mission(
        plan, unit=unit, number=2, crime_type="burglary", starts_in_minutes=50, place="Station lot"
    )
    factories.make_mission(
        plan, unit=unit, number=3, crime_type="motor-vehicle-theft", starts_in_minutes=120, visits=2
    )
    return mission


def brightness(page: Page) -> int:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("look", ["day", "dusk", "dark phone"])
def test_a_phone_shows_the_next_mission_large_and_dark_after_dusk(
    signed_in_page: Callable[..., Page],
    agency: Agency,
    officer: User,
    shift: Mission,
    look: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tactics.officer.sky_over", lambda agency, now: Sky(look == "dusk", ()))
    page = signed_in_page(officer)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark" if look == "dark phone" else "light")
    page.goto("/riverton/my/")
    page.wait_for_selector("#place-map .place-label")
    assert (brightness(page) > 600) is (look == "day")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "no sideways scrolling"
    assert page.evaluate(SMALL_TARGETS) == []
    button = page.get_by_role("button", name="Arrived").bounding_box()
    assert button is not None
    assert button["height"] >= 48
    # Under the thumb, wherever the page is scrolled to.
    assert PHONE["height"] / 2 < button["y"] <= PHONE["height"] - button["height"]
    page.screenshot(path=tmp_path / f"officer-{look.replace(' ', '-')}.png")
    page.screenshot(path=tmp_path / f"officer-{look.replace(' ', '-')}-full.png", full_page=True)


def test_arrive_tick_and_leave_on_a_phone(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    page = signed_in_page(officer)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto("/riverton/my/")
    page.get_by_role("button", name="Arrived").dblclick()
    page.wait_for_selector("[data-timer]")
    expect(page.locator("[data-queued]")).to_be_hidden()
    page.wait_for_selector("[data-fresh='1'][data-running]", state="attached")
    visit = Engagement.objects.get()
    clock = page.locator(".timer__clock")
    expect(clock).to_have_text(re.compile(r"^00:\d\d$"))

    # Eleven minutes and fifty-nine seconds later the recommended time is about to be reached.
    arrived_at = timezone.now() - dt.timedelta(seconds=719)
    Engagement.objects.filter(pk=visit.pk).update(arrived_at=arrived_at)
    page.reload()
    page.wait_for_selector("[data-reached]:not([hidden])")
    assert clock.inner_text().startswith(("11:59", "12:"))
    assert page.title().startswith("✓")

    page.get_by_role("button", name="Foot patrol").click()
    page.wait_for_selector('.tactic button[aria-pressed="true"]')
    expect(page.locator("[data-queued]")).to_be_hidden()
    assert TacticUse.objects.get().tactic.slug == "foot-patrol"
    how = page.locator("details.tactic__more").first
    how.locator("summary").click()
    assert how.get_by_text("Residents:").is_visible()
    page.wait_for_selector("#place-map .place-label")
    page.screenshot(path=tmp_path / "officer-timer.png", full_page=True)

    page.get_by_role("button", name="Left").dblclick()
    page.wait_for_selector(".officer__left")
    visit.refresh_from_db()
    assert visit.left_at is not None
    assert visit.minutes is not None
    assert visit.minutes >= 12
    assert page.get_by_role("heading", name="2 · Station lot").is_visible()
    page.get_by_role("link", name="Tick what you did").click()
    page.get_by_role("button", name="Foot patrol").click()
    page.wait_for_selector(".tactics:not(:has(.tactic--used))")
    expect(page.locator("[data-queued]")).to_be_hidden()
    assert not TacticUse.objects.exists()
