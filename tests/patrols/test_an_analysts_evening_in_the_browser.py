"""The analyst's evening in a real browser, at a desk and on a phone: try a policy, compare two shifts, suppress and add."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.forms.models import model_to_dict

from agencies.models import User
from patrols.models import Mission, PatrolPolicy, Suppression
from tests.factories import make_member
from tests.patrols.browsing import SIZES, free_cells, open_board, picture, spot, until
from tests.patrols.scenes import ON, Scene, make_forecast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def person(scene: Scene) -> User:
    return make_member(scene.agency, "analyst", username="ana")


def no_wider_than(page: Any, size: tuple[int, int]) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= size[0])


@SIZES
def test_an_analyst_tries_a_policy_and_sends_it_as_text_or_as_a_link(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    scene.plan(publish=True)
    before = model_to_dict(scene.policy)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    page.locator(".board__more summary").click()
    picture(page, f"more-{size[0]}")
    page.get_by_role("link", name="Policy: what if?").click()
    row = page.locator("#policy-preview tbody tr", has_text="How predictable")
    row.wait_for()
    saved, tried = row.locator("td").all_inner_texts()
    assert saved == tried
    overlay = page.locator("#policy-map .leaflet-image-layer")
    overlay.wait_for()
    first = overlay.get_attribute("src")
    assert page.locator("#proposal-text").count() == 0
    picture(page, f"policy-{size[0]}")

    page.get_by_label("Pull towards harm").fill("2.5")
    page.get_by_label("Saturation window (days)").fill("14")
    page.wait_for_selector("#proposal-text")
    page.locator("#policy-proposal").get_by_text("2 settings differ").wait_for()
    saved, tried = row.locator("td").all_inner_texts()
    assert float(tried.split()[0]) > float(saved.split()[0])
    until(page, f"document.querySelector('#policy-map .leaflet-image-layer').src !== {first!r}")
    assert page.locator(".dial--changed").count() == 2
    words = page.locator("#proposal-text").input_value()
    assert "Pull towards harm (γ): 1 → 2.5" in words
    assert "Saturation window (days): 7 → 14" in words
    assert page.url in words
    assert page.url.endswith("?gamma=2.5&saturation_window_days=14")
    # On a phone the first figures stay in sight while dials are turned.
    assert page.locator(".policy-page__glance").is_visible() == (size[0] < 900)
    assert no_wider_than(page, size)
    picture(page, f"policy-turned-{size[0]}")
    page.get_by_role("button", name="Copy the text").click()
    page.locator("[data-copied]").get_by_text("Copied").or_(page.get_by_text("Selected: press")).wait_for()
    page.locator("#policy-preview figure").scroll_into_view_if_needed()
    picture(page, f"policy-curve-{size[0]}")

    # Whoever gets the link sees the same dials.
    page.goto(page.url)
    page.locator("#policy-proposal").get_by_text("2 settings differ").wait_for()
    assert page.get_by_label("Pull towards harm").input_value() == "2.5"
    page.get_by_label("Pull towards harm").fill("9")
    page.locator("#policy-preview .errorlist").wait_for()
    assert page.get_by_role("link", name="Open the policy").count() == 0
    assert model_to_dict(PatrolPolicy.objects.get()) == before


@SIZES
def test_an_analyst_compares_two_shifts_and_overrides_the_plan(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    earlier = scene.plan(publish=True)
    later = ON + dt.timedelta(days=1)
    scene.run = make_forecast(scene.agency, scene.grid, scene.shift, later)
    scene.plan(seed=9, publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    page.locator(".board__more summary").click()
    page.get_by_role("link", name="Compare two shifts").click()
    page.locator("[name=a]").fill(ON.isoformat())
    page.locator("[name=b]").fill(later.isoformat())
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("boxes are in both").wait_for()
    page.wait_for_selector("path.leaflet-interactive")
    assert page.locator("path.leaflet-interactive").count() == 24
    assert no_wider_than(page, size)
    picture(page, f"compared-{size[0]}")

    open_board(page, scene, size)
    drawer = page.locator("#drawer")
    assert page.get_by_role("button", name="Publish").count() == 0
    page.get_by_role("button", name="Suppress").click()
    drawer.get_by_text("Click the place on the map").wait_for()
    cell, at = spot(page, scene, list(earlier.missions.values_list("cell_id", flat=True)))
    page.locator("#map").click(position=at)
    gone = earlier.missions.get(cell_id=cell)
    drawer.get_by_text(f"Missions there that nobody has visited: {gone.number}").wait_for()
    drawer.get_by_label("Reason").fill("marathon route")
    drawer.get_by_label("Until").select_option("date")
    drawer.get_by_label("Day").fill((dt.datetime.now(tz=dt.UTC).date() + dt.timedelta(days=7)).isoformat())
    drawer.get_by_role("button", name="Suppress").click()
    drawer.get_by_text(f"Withdrawn: mission {gone.number}").wait_for()
    assert Suppression.objects.get().author == person
    drawer.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Add a mission").click()
    drawer.get_by_label("Start").fill("19:15")
    page.locator("#map").click(position=spot(page, scene, free_cells(scene, earlier))[1])
    drawer.get_by_text("Overrides 8 % →").wait_for()
    drawer.get_by_label("Reason").fill("burglaries seen from the data")
    drawer.get_by_role("button", name="Add", exact=True).click()
    drawer.get_by_text("Mission 13 added").wait_for()
    assert Mission.objects.get(source="added").author == person
    assert no_wider_than(page, size)
    picture(page, f"overridden-{size[0]}")


def test_the_top_bar_keeps_to_one_line_from_a_laptop_upwards_and_to_the_screen_on_a_phone(
    signed_in_page: Callable[..., Any], scene: Scene
) -> None:
    scene.agency.name = "Riverton Metropolitan Police Department"
    scene.agency.save()
    scene.plan(publish=True)
    # An administrator has every tab.
    page = signed_in_page(
        make_member(scene.agency, "admin", username="administrator.long.name"), scene.agency
    )
    for width in (1280, 1440, 390):
        open_board(page, scene, (width, 844))
        picture(page, f"bar-{width}")
        bar = page.locator(".topbar").bounding_box()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width > 1000:
            assert bar["height"] < 60, width
        for part in (".topbar__person summary", ".picker"):
            box = page.locator(part).bounding_box()
            assert box["x"] + box["width"] <= width
        page.locator(".topbar__person summary").click()
        page.get_by_role("button", name="Sign out").wait_for()
        picture(page, f"bar-open-{width}")
        page.keyboard.press("Escape")
        assert not page.get_by_role("button", name="Sign out").is_visible()
