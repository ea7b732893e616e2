"""The risk map as an analyst uses it, in a browser: by day on a desk, by night on a phone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_member
from tests.forecasting.scenes import make_scene
from tests.ingestion.files import place
from tests.ingestion.pushing import make_gunfire_type, make_token, push, push_feed

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = settings.BASE_DIR / "tests" / "artifacts"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def until(page: Page, expression: str) -> None:
    """Wait until the expression is true. Playwright's own wait uses eval, which the page's policy forbids."""
    for _ in range(150):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


def test_an_analyst_reads_the_risk_map(transactional_db: None, signed_in_page: Callable[..., Page]) -> None:
    SHOTS.mkdir(exist_ok=True)
    scene = make_scene()
    page = signed_in_page(make_member(scene.agency, "analyst", username="analyst"))
    page.set_viewport_size(DESK)
    page.goto(reverse("forecasting:risk", args=[scene.agency.slug]))
    surface = page.locator(".leaflet-image-layer")
    surface.wait_for()
    # A blocked or broken picture has no natural size.
    until(page, "document.querySelector('.leaflet-image-layer').naturalWidth > 0")
    assert page.locator(".map-legend li").count() >= 3
    assert 1 <= page.locator(".risk__top tbody tr").count() <= 20
    page.locator("#layer-switch label", has_text="Beats").wait_for()
    assert page.locator(".beat-label").first.inner_text() in {"11", "12", "21", "22"}

    page.locator(".risk__types a", has_text="Burglary").click()
    # The legend is drawn by the new page's script: before it a click would still meet the old page.
    page.locator(".map-legend", has_text="Burglary").wait_for()
    page.locator(".risk__pick").first.click()
    page.locator("#cell", has_text="Why here: Burglary").wait_for()
    assert "rank 1 of" in page.locator("#cell").inner_text()
    chosen = page.locator("path[stroke='#d81b60']")
    chosen.wait_for()
    box, picture = chosen.bounding_box(), page.locator(".leaflet-image-layer").bounding_box()
    assert box is not None
    assert picture is not None
    assert picture["x"] <= box["x"] <= picture["x"] + picture["width"]

    page.locator("#layer-switch label", has_text="Incidents").click()
    page.locator("#layer-switch label", has_text="Bars").click()
    page.locator("#opacity").fill("40")
    assert page.locator(".leaflet-image-layer").evaluate("image => image.style.opacity") == "0.4"
    page.screenshot(path=SHOTS / "risk-desk.png")

    # A click on the map asks about the place under it.
    frame = page.locator("#map").bounding_box()
    assert frame is not None
    page.mouse.click(frame["x"] + frame["width"] * 0.5, frame["y"] + frame["height"] * 0.5)
    until(page, "!document.querySelector('#cell').textContent.includes('rank 1 of')")

    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    page.reload()
    page.locator(".map-legend").wait_for()
    until(page, "document.querySelector('.leaflet-image-layer').naturalWidth > 0")
    wide: Any = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], "the page scrolls sideways on a phone"
    page.screenshot(path=SHOTS / "risk-phone.png")


def test_a_shift_without_a_forecast_is_forecast_from_the_page(
    transactional_db: None, signed_in_page: Callable[..., Page]
) -> None:
    scene = make_scene()
    page = signed_in_page(make_member(scene.agency, "supervisor", username="supervisor"))
    address = reverse("forecasting:risk", args=[scene.agency.slug])
    page.goto(f"{address}?shift=night&date={scene.run.on.isoformat()}")
    page.get_by_role("button", name="Forecast this shift").click()
    page.locator(".risk__top tbody tr").first.wait_for()
    # The model card is one click away, and its chart loads.
    page.locator(".risk__types a", has_text="Robbery").click()
    page.locator(".risk__badge a").click()
    # On the new page: the old one has no chart to ask about.
    page.locator(".model__chart").first.wait_for(state="attached")
    until(page, "document.querySelector('.model__chart').naturalWidth > 0")
    page.screenshot(path=SHOTS / "model-card.png", full_page=True)


def test_the_risk_map_of_today_shows_live_alerts_and_that_of_last_month_none(
    transactional_db: None, signed_in_page: Callable[..., Page]
) -> None:
    scene = make_scene()
    make_gunfire_type(scene.agency)
    token = make_token(push_feed(scene.agency, "gunfire"))
    page = signed_in_page(make_member(scene.agency, "analyst", username="analyst"))
    today = timezone.now().astimezone(ZoneInfo(scene.agency.time_zone)).date()
    # The forecast of another day, told to be today's: what is looked at is the map, not the surface.
    type(scene.run).objects.filter(pk=scene.run.pk).update(on=today)
    address = reverse("forecasting:risk", args=[scene.agency.slug])
    page.goto(f"{address}?shift={scene.run.shift.slug}&date={today.isoformat()}")
    page.locator("#layer-switch label", has_text="Gunfire alerts").wait_for()
    at = (timezone.now() - dt.timedelta(seconds=5)).isoformat()
    lon, lat = place(1)
    sent = push(token, "gunfire", [{"id": "S1", "occurred_at": at, "lon": lon, "lat": lat}])
    assert sent.status_code in (200, 201, 202), sent.content
    page.locator("path.alert-mark--fresh").wait_for()
    page.screenshot(path=SHOTS / "risk-alerts.png")
    page.locator("#layer-switch label", has_text="Gunfire alerts").click()
    page.locator("path.alert-mark--fresh").wait_for(state="detached")

    # A day without a forecast has no rail; its map follows the alerts all the same.
    tomorrow = today + dt.timedelta(days=1)
    page.goto(f"{address}?shift={scene.run.shift.slug}&date={tomorrow.isoformat()}")
    page.locator("path.alert-mark--fresh").wait_for()

    past = today - dt.timedelta(days=30)
    page.goto(f"{address}?shift={scene.run.shift.slug}&date={past.isoformat()}")
    page.locator(".leaflet-overlay-pane").first.wait_for(state="attached")
    assert page.locator("#risk-map").get_attribute("data-alerts") is None
