"""The supervisor's evening in a real browser, at a desk and on a phone: publish, assign, suppress, add, swap, print, hand over."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agencies.models import AuditEvent, Unit, User
from patrols.models import Addition, Engagement, HandOverNote, Mission, MissionPlan, Suppression
from patrols.services import engagement_arrive, mission_assign
from tactics.models import Tactic, TacticRule
from tests.factories import make_member
from tests.patrols.browsing import (
    DESK,
    PHONE,
    SIZES,
    centre,
    drag,
    free_cells,
    open_board,
    pages_of,
    picture,
    spot,
)
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def person(scene: Scene) -> User:
    return make_member(scene.agency, "supervisor", username="marlow")


@SIZES
def test_a_supervisor_publishes_and_assigns_by_drag_key_and_form(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    draft = scene.plan()
    mission, second = draft.missions.order_by("number")[:2]
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    assert page.locator("[data-mission]").count() == 12
    # The boxes carry the numbers of the list, and the hatching of their type.
    label = re.compile(f"^{mission.number}{mission.crime_type.letter}")
    assert page.locator(".mission-label", has_text=label).count() == 1
    fills = page.locator("path.leaflet-interactive").evaluate_all(
        "all => all.map((p) => p.getAttribute('fill'))"
    )
    assert {"url(#pattern-robbery)", "url(#pattern-burglary)"} <= set(fills)

    picture(page, f"draft-{size[0]}")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_selector("text=PUBLISHED")
    draft.refresh_from_db()
    assert draft.state == MissionPlan.State.PUBLISHED

    open_board(page, scene, size)
    goal = Unit.objects.get(call_sign="R12")
    drag(page, mission, f'#list [data-unit="{goal.pk}"]')
    page.wait_for_selector(f'[data-mission="{mission.pk}"] .mission__unit:text-is("R12")')
    assert page.locator("#board-news").inner_text() == f"Mission {mission.number} → R12"
    # On the timeline's lane of a unit as well, and nothing opened that was only dragged. On a phone the timeline is
    # screens away: there it is another unit of the list.
    lane = Unit.objects.get(call_sign="R21" if size == DESK else "R11")
    drag(page, mission, f'.timeline__label[data-unit="{lane.pk}"]' if size == DESK else f"#unit-{lane.pk}")
    page.wait_for_selector(f'[data-mission="{mission.pk}"] .mission__unit:text-is("{lane.call_sign}")')
    assert not page.locator("#drawer").is_visible()

    page.locator(f'[data-mission="{mission.pk}"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    page.wait_for_selector("#assign-dialog[open]")
    picture(page, f"assign-by-key-{size[0]}")
    page.locator("#assign-unit").select_option(label="R22 3/3 · other beat")
    page.keyboard.press("Enter")
    page.wait_for_selector(f'[data-mission="{second.pk}"] .mission__unit:text-is("R22")')
    # The list was loaded anew, and the keyboard is where it was.
    page.wait_for_function(f"document.activeElement.id === 'mission-{second.pk}'")
    assert set(AuditEvent.objects.filter(action="mission assigned").values_list("actor", flat=True)) == {
        person.pk
    }
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("Escape")

    page.locator(f'[data-mission="{mission.pk}"]').click()
    drawer = page.locator("#drawer")
    drawer.get_by_role("heading", name=f"Mission {mission.number}").wait_for()
    drawer.get_by_label("Unit").select_option(label="R12")
    drawer.get_by_role("button", name="Assign").click()
    page.wait_for_selector("#drawer :text('unit R12')")
    page.keyboard.press("Escape")
    assert not drawer.is_visible()


@SIZES
def test_a_supervisor_changes_the_evening_on_the_map(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    tactic = Tactic.objects.create(agency=scene.agency, name="Foot patrol", slug="foot-patrol")
    plan = scene.plan(publish=True)
    design = bytes(plan.design)
    drawn = list(plan.missions.order_by("number").values_list("cell_id", "visit_starts", "probability"))
    first, second, *others = plan.missions.order_by("number")
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    where, drawer = f"{size[0]}", page.locator("#drawer")
    picture(page, f"board-{where}")

    # Add by a click, with a tactic and beyond this shift.
    page.get_by_role("button", name="Add a mission").click()
    drawer.get_by_label("Tactic").select_option("foot-patrol")
    page.locator("#map").click(position=spot(page, scene, free_cells(scene, plan))[1])
    drawer.get_by_text("Overrides 0 % → 8 %").wait_for()
    drawer.get_by_label("Start").fill("19:15")
    drawer.get_by_label("Reason").fill("tip from the school")
    drawer.get_by_label("Until").select_option("7")
    picture(page, f"add-{where}")
    drawer.get_by_role("button", name="Add", exact=True).click()
    drawer.get_by_text("Mission 13 added").wait_for()
    added = Mission.objects.get(plan=plan, source="added")
    assert (added.reason, added.tactic, added.author) == ("tip from the school", tactic.slug, person)
    assert Addition.objects.get().expires_at == plan.period_to + dt.timedelta(days=7)

    # Swap and move from the drawer.
    page.keyboard.press("Escape")
    page.locator(f'[data-mission="{first.pk}"]').click()
    drawer.get_by_text("Swap it for another cell").click()
    page.locator("#map").click(position=spot(page, scene, free_cells(scene, plan))[1])
    drawer.get_by_text("Overrides 8 % → 15 %").wait_for()
    picture(page, f"swap-{where}")
    swap = drawer.locator("form", has=page.get_by_role("button", name="Swap"))
    swap.get_by_label("Reason").fill("road closed")
    swap.get_by_role("button", name="Swap").click()
    drawer.get_by_role("heading", name="Mission 14").wait_for()
    first.refresh_from_db()
    assert first.swapped_for is not None
    assert first.swapped_for.assignment.unit == first.assignment.unit
    page.keyboard.press("Escape")
    page.locator(f'[data-mission="{second.pk}"]').click()
    drawer.get_by_role("heading", name=f"Mission {second.number} ").wait_for()
    drawer.get_by_text("Change its times").click()
    moving = drawer.locator("form", has=page.get_by_role("button", name="Move"))
    for position, time in enumerate(("16:20", "18:20", "21:20")):
        moving.locator(f"#move_start_{position}").fill(time)
    moving.get_by_label("Reason").fill("the bar closes early")
    moving.get_by_role("button", name="Move").click()
    drawer.get_by_text("Moved: the bar closes early").wait_for()
    page.wait_for_selector(f'[data-mission="{second.pk}"] .mission__times :text("18:20–")')

    page.keyboard.press("Escape")

    # Suppress a cell that holds a mission: the meter warns before it is done.
    page.get_by_role("button", name="Suppress").click()
    drawer.get_by_text("Click the place on the map").wait_for()
    standing = [row.cell_id for row in others]
    cell, at = spot(page, scene, standing)
    third = plan.missions.get(cell_id=cell)
    page.locator("#map").click(position=at)
    drawer.get_by_text(f"Missions there that nobody has visited: {third.number}").wait_for()
    drawer.get_by_label("Reason").fill("street fair")
    drawer.get_by_label("Until").select_option("date")
    drawer.get_by_label("Day").fill((dt.datetime.now(tz=dt.UTC).date() + dt.timedelta(days=7)).isoformat())
    picture(page, f"suppress-{where}")
    # The notes are read again: what is typed before they are there would be gone.
    with page.expect_response(lambda answer: answer.url.endswith("/notes/")):
        drawer.get_by_role("button", name="Suppress").click()
    drawer.get_by_text(f"Withdrawn: mission {third.number}").wait_for()
    assert Suppression.objects.get().reason == "street fair"
    page.wait_for_selector(f'.mission--withdrawn[data-mission="{third.pk}"]')
    drawer.get_by_role("button", name="Close").last.click()

    # What was drawn is as it was.
    plan.refresh_from_db()
    assert bytes(plan.design) == design
    kept = plan.missions.filter(source="drawn").order_by("number")
    assert list(kept.values_list("cell_id", "visit_starts", "probability")) == drawn

    # Hand over; the next shift's board shows it.
    page.get_by_label("Note to the next shift").fill("Watch the lot behind Market St.")
    page.get_by_role("button", name="Hand over").click()
    page.locator("#notes").get_by_text("Watch the lot behind Market St.").wait_for()
    assert HandOverNote.objects.get().author == person
    picture(page, f"after-{where}", full_page=True)
    page.goto(f"/{scene.agency.slug}/shifts/{ON + dt.timedelta(days=1)}/night/")
    page.locator("#note-before").get_by_text("Watch the lot behind Market St.").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_box_adds_a_mission_to_each_of_its_cells(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    page.get_by_role("button", name="Add a mission").click()
    drawer = page.locator("#drawer")
    drawer.get_by_text("Draw a box").click()
    taken = set(plan.missions.values_list("cell_id", flat=True))
    row = next(
        cells
        for cells in (
            list(range(r * scene.spec.n_cols + 9, r * scene.spec.n_cols + 12)) for r in range(2, 14)
        )
        if not taken & set(cells) and (scene.spec.index_of(cells) >= 0).all()
    )
    corners = page.evaluate(
        """([a, b]) => { const map = window.MissionsBoard.map, box = map.getContainer().getBoundingClientRect();
            return [a, b].map((at) => map.latLngToContainerPoint(at)).map((p) => [box.left + p.x, box.top + p.y]); }""",
        [centre(scene, row[0]), centre(scene, row[2])],
    )  # fmt: skip
    (x0, y0), (x1, y1) = corners
    page.mouse.move(x0 - 9, y0 + 9)
    page.mouse.down()
    page.mouse.move(x1 + 9, y1 - 9, steps=5)
    page.mouse.up()
    drawer.get_by_text("3 cells.").wait_for()
    drawer.get_by_label("Start").fill("20:00")
    drawer.get_by_label("Reason").fill("three lots")
    picture(page, "box")
    drawer.get_by_role("button", name="Add", exact=True).click()
    drawer.get_by_text("Missions 13, 14, 15 added").wait_for()
    assert sorted(plan.missions.filter(source="added").values_list("cell_id", flat=True)) == row


def test_what_somebody_else_does_appears_without_a_reload_and_nothing_open_is_lost(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    Unit.objects.update(missions_per_shift=9)
    plan = scene.plan(publish=True)
    missions = list(plan.missions.order_by("number"))
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    page.locator(f'[data-mission="{missions[20].pk}"]').click()
    drawer = page.locator("#drawer")
    drawer.get_by_role("heading", name=f"Mission {missions[20].number} ").wait_for()
    page.locator("#hand_over_text").fill("half a note")
    page.evaluate("document.getElementById('board-list').scrollTop = 600")
    page.evaluate("window.mark = 1")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/static/" not in request.url else None)
    page.wait_for_timeout(4500)
    polls = [url for url in asked if url.endswith("version.json")]
    assert len(polls) >= 2
    assert len(asked) == len(polls), "an unchanged shift costs nothing but the mark"

    engagement_arrive(
        mission=missions[0], unit=missions[0].assignment.unit, officer=person, at=plan.period_from
    )
    page.wait_for_selector(f'.mission--under-way[data-mission="{missions[0].pk}"]', state="attached")
    page.wait_for_selector("#board-figures :text('1 under way')")
    page.wait_for_selector("path[stroke-width='5']")
    assert page.evaluate("document.getElementById('board-list').scrollTop") == 600
    assert page.evaluate("window.mark") == 1
    assert page.locator("#hand_over_text").input_value() == "half a note"
    assert drawer.get_by_role("heading", name=f"Mission {missions[20].number} ").is_visible()
    assert page.locator(f'[data-mission="{missions[20].pk}"]').get_attribute("aria-current") == "true"
    mission_assign(mission=missions[1], unit=Unit.objects.get(call_sign="R22"), actor=person)
    page.wait_for_selector(
        f'[data-mission="{missions[1].pk}"] .mission__unit:text-is("R22")', state="attached"
    )


def test_a_filter_holds_for_list_map_and_timeline_and_says_what_it_hides(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    plan = scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, DESK)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("South").check()
    picture(page, "filter")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_selector("text=6 hidden by the filter")
    page.wait_for_selector("path.leaflet-interactive")
    assert page.locator("[data-mission]").count() == 6
    assert page.locator("path.leaflet-interactive").count() == 6
    assert set(page.locator("[data-choose]").evaluate_all("all => all.map((one) => one.dataset.choose)")) == {
        str(pk) for pk in plan.missions.filter(beat__district__code="S").values_list("pk", flat=True)
    }
    north = plan.missions.filter(beat__district__code="N")[0]
    Engagement.objects.create(agency=scene.agency, mission=north, arrived_at=plan.period_from)
    page.wait_for_timeout(3500)
    assert page.locator("[data-mission]").count() == 6


@SIZES
def test_the_print_out_has_a_page_a_beat(
    signed_in_page: Callable[..., Any], scene: Scene, person: User, size: tuple[int, int]
) -> None:
    Unit.objects.filter(call_sign="R11").update(missions_per_shift=10)
    plan = scene.plan(publish=True)
    tactic = Tactic.objects.create(agency=scene.agency, name="Foot patrol", slug="foot-patrol")
    for crime_type in {mission.crime_type for mission in plan.missions.all()}:
        TacticRule.objects.create(agency=scene.agency, crime_type=crime_type, tactic=tactic)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, size)
    page.get_by_role("link", name="Print").click()
    page.wait_for_selector("#print-button:enabled")
    assert page.locator(".sheet__tactics:text('Foot patrol')").count() == plan.missions.count()
    picture(page, f"print-{size[0]}", full_page=True)
    for paper in ("A4", "Letter"):
        pdf = page.pdf(format=paper)
        if shots := os.environ.get("SCREENSHOTS"):
            (Path(shots) / f"sheets-{paper}-{size[0]}.pdf").write_bytes(pdf)
        assert pages_of(pdf) == 4


def test_two_shifts_are_compared_on_one_map(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    from tests.patrols.scenes import make_forecast

    scene.plan(publish=True)
    later = ON + dt.timedelta(days=1)
    scene.run = make_forecast(scene.agency, scene.grid, scene.shift, later)
    scene.plan(seed=9, publish=True)
    page = signed_in_page(person, scene.agency)
    for size in (DESK, PHONE):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(f"/{scene.agency.slug}/shifts/compare/?a={ON}/evening&b={later}/evening")
        page.wait_for_selector("path.leaflet-interactive")
        assert page.locator("path.leaflet-interactive").count() == 24
        assert "boxes are in both" in page.locator("main").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        picture(page, f"compare-{size[0]}", full_page=True)


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


def test_on_a_phone_the_list_comes_first_and_nothing_overflows(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, PHONE)
    assert page.locator(".board__list").bounding_box()["y"] < page.locator(".board__map").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    # The timeline keeps its scale and scrolls inside itself; a phone asks every fifteen seconds.
    assert page.evaluate("document.getElementById('timeline-scroll').scrollWidth") > PHONE[0]
    assert page.locator(".board__map").get_attribute("data-live-seconds") == "15"


def test_a_long_list_scrolls_beside_a_map_that_fits_the_screen(
    signed_in_page: Callable[..., Any], scene: Scene, person: User
) -> None:
    Unit.objects.update(missions_per_shift=15)
    scene.plan(publish=True)
    page = signed_in_page(person, scene.agency)
    open_board(page, scene, (1280, 800))
    box = page.locator("#map").bounding_box()
    assert box["y"] + box["height"] <= 800
    assert box["height"] > 300
    assert page.locator(".mission-label").first.is_visible()
