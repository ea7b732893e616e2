"""The supervisor's evening in a real browser: look, choose, publish, assign, withdraw, add, print."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from agencies.models import Unit
from patrols.models import Mission, MissionPlan
from tests.patrols.scenes import ON, make_scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_supervisor_reviews_publishes_and_changes_the_plan(signed_in_page: Callable[..., Any]) -> None:
    scene = make_scene()
    draft = scene.plan()
    mission = draft.missions.order_by("number")[0]
    page = signed_in_page("supervisor", scene.agency)
    page.goto(f"/{scene.agency.slug}/shifts/{ON}/{scene.shift.slug}/")
    page.wait_for_selector("path.leaflet-interactive")
    assert page.locator("[data-mission]").count() == 12
    # The boxes carry the numbers of the list.
    assert (
        page.locator(".mission-label", has_text=f"{mission.number}{mission.crime_type.letter}").count() >= 1
    )

    page.get_by_role("button", name="Publish").click()
    page.wait_for_selector("text=PUBLISHED")
    draft.refresh_from_db()
    assert draft.state == MissionPlan.State.PUBLISHED

    page.locator(f'[data-mission="{mission.pk}"]').click()
    drawer = page.locator("#drawer")
    drawer.get_by_role("heading", name=f"Mission {mission.number}").wait_for()
    drawer.get_by_label("Unit").select_option(label="R12")
    drawer.get_by_role("button", name="Assign").click()
    page.wait_for_selector("#drawer :text('unit R12')")
    assert Mission.objects.get(pk=mission.pk).assignment.unit.call_sign == "R12"

    drawer.get_by_text("Withdraw this mission").click()
    drawer.get_by_label("Reason").fill("road closed")
    drawer.get_by_role("button", name="Withdraw").click()
    page.wait_for_selector("#drawer :text('Withdrawn: road closed')")
    page.wait_for_selector(f'.mission--withdrawn[data-mission="{mission.pk}"]')
    page.keyboard.press("Escape")
    assert not drawer.is_visible()

    page.get_by_text("Add a mission").click()
    page.locator("#map").click(position={"x": 300, "y": 330})
    page.wait_for_selector("text=Place chosen")
    page.get_by_label("Start").fill("19:15")
    page.get_by_label("Reason").fill("tip from the school")
    with page.expect_navigation():
        page.get_by_role("button", name="Add", exact=True).click()
    assert Mission.objects.get(plan=draft, source="added").reason == "tip from the school"

    if shots := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{shots}/board.png")
    page.get_by_role("link", name="Print").click()
    page.wait_for_selector("article.sheet")
    if shots:
        page.screenshot(path=f"{shots}/print.png", full_page=True)
    assert page.locator("article.sheet").count() == 4


def test_a_click_made_before_the_scripts_arrive_is_not_lost(signed_in_page: Callable[..., Any]) -> None:
    scene = make_scene()
    mission = scene.plan(publish=True).missions.order_by("number")[0]
    page = signed_in_page("supervisor", scene.agency)
    held: list[Any] = []
    page.route("**/htmx*.js", lambda route: held.append(route))
    page.goto(f"/{scene.agency.slug}/shifts/{ON}/{scene.shift.slug}/", wait_until="commit")
    page.locator(f'[data-mission="{mission.pk}"]').click()
    assert held, "the click must come before the script"
    assert not page.locator("#drawer").is_visible()
    for route in held:
        route.continue_()
    page.locator("#drawer").get_by_role("heading", name=f"Mission {mission.number}").wait_for()


def test_on_a_phone_the_list_comes_first_and_nothing_overflows(signed_in_page: Callable[..., Any]) -> None:
    scene = make_scene()
    scene.plan(publish=True)
    page = signed_in_page("supervisor", scene.agency)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/{scene.agency.slug}/shifts/{ON}/{scene.shift.slug}/")
    page.wait_for_selector("path.leaflet-interactive")
    assert page.locator(".board__list").bounding_box()["y"] < page.locator(".board__map").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_long_list_scrolls_beside_a_map_that_fits_the_screen(signed_in_page: Callable[..., Any]) -> None:
    scene = make_scene()
    Unit.objects.update(missions_per_shift=15)
    scene.plan(publish=True)
    page = signed_in_page("supervisor", scene.agency)
    page.goto(f"/{scene.agency.slug}/shifts/{ON}/{scene.shift.slug}/")
    page.wait_for_selector("path.leaflet-interactive")
    box = page.locator("#map").bounding_box()
    assert box["y"] + box["height"] <= 800
    assert page.locator(".mission-label").first.is_visible()
