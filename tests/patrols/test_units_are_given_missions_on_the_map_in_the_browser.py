"""Giving missions on the map itself: a unit dragged onto a box, a box's number onto a unit, or one pressed after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agencies.models import AuditEvent, Unit, User
from patrols.models import Mission
from tests.factories import make_member
from tests.patrols.browsing import (
    DESK,
    PHONE,
    SIZES,
    box_on_screen,
    clear_box,
    finger_drag,
    middle,
    mouse_drag,
    open_board,
    picture,
    until,
)
from tests.patrols.scenes import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def person(scene: Scene) -> User:
    return make_member(scene.agency, "supervisor", username="marlow")


def wait_for_unit(page: Any, mission: Mission, call_sign: str) -> None:
    page.wait_for_selector(
        f'[data-mission="{mission.pk}"] .mission__unit:text-is("{call_sign}")', state="attached"
    )


def test_a_unit_dragged_onto_a_box_gets_it_and_a_boxs_number_dragged_onto_a_unit_too(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    r11, r22 = Unit.objects.get(call_sign="R11"), Unit.objects.get(call_sign="R22")
    theirs = plan.missions.exclude(assignment__unit=r11).order_by("number")
    mission, at = clear_box(page, theirs)
    mouse_drag(page, middle(page, f"#unit-{r11.pk}"), at, shot="unit-onto-box")
    wait_for_unit(page, mission, "R11")
    assert page.locator("#board-news").inner_text() == f"Mission {mission.number} → R11"

    # The map stays where it is while a number is dragged from it, and nothing opens.
    view = page.evaluate("String(window.MissionsBoard.map.getCenter())")
    label = middle(page, f'.mission-label[data-grip="{mission.pk}"]')
    mouse_drag(page, label, middle(page, f'.timeline__label[data-unit="{r22.pk}"]'), shot="box-onto-unit")
    wait_for_unit(page, mission, "R22")
    assert page.evaluate("String(window.MissionsBoard.map.getCenter())") == view
    assert not page.locator("#drawer").is_visible()
    assert AuditEvent.objects.filter(action="mission assigned", actor=person).count() == 2

    # Dropped beside every box it changes nothing; beside a box's number the map is dragged as ever.
    mouse_drag(page, middle(page, f"#unit-{r11.pk}"), (60, 520))
    mouse_drag(page, (60, 520), (160, 560))
    until(page, f"String(window.MissionsBoard.map.getCenter()) !== '{view}'")
    assert AuditEvent.objects.filter(action="mission assigned").count() == 2
    # A click on the number opens the mission, once the map has come to rest: it glides on after a drag.
    centre = "String(window.MissionsBoard.map.getCenter())"
    until(
        page,
        f"(() => {{ const was = window.wasAt; window.wasAt = {centre}; return was === window.wasAt; }})()",
    )
    page.locator(f'.mission-label[data-grip="{mission.pk}"]').click()
    page.locator("#drawer").get_by_role("heading", name=f"Mission {mission.number} ").wait_for()


def test_a_unit_dragged_onto_a_row_or_a_bar_gets_that_mission(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    r12 = Unit.objects.get(call_sign="R12")
    first, second = plan.missions.order_by("number")[:2]
    mouse_drag(
        page, middle(page, f"#unit-{r12.pk}"), middle(page, f'[data-mission="{first.pk}"] .mission__place')
    )
    wait_for_unit(page, first, "R12")
    bar = middle(page, f'[data-choose="{second.pk}"]')
    mouse_drag(page, middle(page, f'.timeline__label[data-unit="{r12.pk}"]'), bar)
    wait_for_unit(page, second, "R12")


@SIZES
def test_a_unit_is_pressed_and_then_missions_in_the_list_and_on_the_map(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    r21 = Unit.objects.get(call_sign="R21")
    first, *others = plan.missions.exclude(assignment__unit=r21).order_by("number")
    page.locator(f"#unit-{r21.pk}").click()
    page.locator("#armed").get_by_text("R21 gets what you press").wait_for()
    page.locator(f'[data-mission="{first.pk}"]').click()
    wait_for_unit(page, first, "R21")
    # The list came anew, and the unit is still the one.
    assert page.locator(f"#unit-{r21.pk}").get_attribute("aria-pressed") == "true"
    picture(page, f"armed-{size[0]}")
    if size == PHONE:
        page.locator("#armed").get_by_role("button", name="Map").click()
        until(page, "document.querySelector('.board__map').getBoundingClientRect().top < 260")
    mission, at = clear_box(page, others)
    page.mouse.click(*at)
    wait_for_unit(page, mission, "R21")
    picture(page, f"armed-map-{size[0]}")
    assert not page.locator("#drawer").is_visible()
    page.locator("#armed").get_by_role("button", name="Done").click()
    assert not page.locator("#armed").is_visible()
    page.mouse.click(*box_on_screen(page, mission))
    page.locator("#drawer").get_by_role("heading", name=f"Mission {mission.number} ").wait_for()


def test_a_unit_is_given_missions_by_the_keyboard_alone(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    r22 = Unit.objects.get(call_sign="R22")
    mission = plan.missions.exclude(assignment__unit=r22).order_by("number")[0]
    page.locator(f"#unit-{r22.pk}").focus()
    page.keyboard.press("Enter")
    page.locator(f'[data-mission="{mission.pk}"]').focus()
    page.keyboard.press("Enter")
    wait_for_unit(page, mission, "R22")
    until(page, f"document.activeElement.id === 'mission-{mission.pk}'")
    page.keyboard.press("Escape")
    assert not page.locator("#armed").is_visible()


def test_a_finger_that_starts_on_a_unit_scrolls_and_gives_nothing(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, PHONE)
    unit = Unit.objects.get(call_sign="R12")
    start = middle(page, f"#unit-{unit.pk}")
    finger_drag(page, start, (start[0], start[1] - 260))
    until(page, "scrollY > 40")
    assert page.locator(".drag-ghost").count() == 0
    assert not AuditEvent.objects.filter(action="mission assigned").exists()


def test_an_analyst_is_offered_no_assigning(signed_in_page: Callable[..., Any], scene: Scene) -> None:
    scene.plan(publish=True)
    page = signed_in_page(make_member(scene.agency, "analyst"), scene.agency)
    open_board(page, scene, DESK)
    assert (
        page.locator(".mission__grip").first.evaluate("one => getComputedStyle(one).visibility") == "hidden"
    )
    assert page.locator("[data-grip]").count() == 0
    page.locator("#list [data-unit]").first.click()
    assert not page.locator("#armed").is_visible()
    page.locator("[data-mission]").first.click()
    page.locator("#drawer").get_by_text("Why here").wait_for()
    page.keyboard.press("a")
    assert page.locator("#assign-dialog[open]").count() == 0
