"""The product without a mouse: Tab reaches everything and the focus is seen; places are chosen by keys; texts may be spaced out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from tactics.models import ExposureFinding
from tests.factories import make_agency, make_member, make_operator
from tests.keyboard import small_targets, space_out, walk
from tests.looking import NARROW, too_wide
from tests.patrols.scenes import ON, Scene, make_scene
from tests.rich_town import ROLES, RichTown, rich_town

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BOARD = f"/riverton/shifts/{ON}/evening/"
RISK = f"/riverton/risk/?shift=evening&date={ON}"
ZOOMED_TWICE = (640, 400)
"""A laptop of 1280 × 800 at 200 %."""
PAGES = [
    BOARD, f"{BOARD}decide/", f"{BOARD}print/", f"/riverton/shifts/compare/?a={ON}/evening&b={ON}/evening",
    "/riverton/policy/preview/", RISK, "/riverton/my/hunch/", "/riverton/my/training/", "/riverton/reports/",
    "/riverton/reports/shifts/", "/riverton/reports/coverage/", "/riverton/reports/builder/", "/riverton/studies/",
    "/riverton/studies/new/", "/riverton/studies/design/", "/riverton/optimise/", "/riverton/data/", "/riverton/packs/",
    "/riverton/models/robbery/", "/riverton/tactics/", "/riverton/notices/", "/riverton/audit-log/",
    "/riverton/layers/tables/", "/riverton/layers/tables/beats/", "/riverton/layers/tables/incidents/", "/riverton/alerts/",
    "/riverton/policy/preview/boxes/",
]  # fmt: skip
ADMIN = ["/admin/", "/admin/agencies/crimetype/add/", "/admin/agencies/user/add/", "/admin/agencies/beat/add/",
         "/admin/patrols/suppression/add/", "/admin/patrols/patrolpolicy/"]  # fmt: skip


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    cache.clear()
    made = make_scene()
    made.plan(publish=True, actor=make_member(made.agency, "supervisor", username="boss"))
    return made


@pytest.fixture
def page_of_owner(scene: Scene, signed_in_page: Callable[..., Page]) -> Page:
    page = signed_in_page(make_member(scene.agency, "admin", username="keys"))
    page.emulate_media(reduced_motion="reduce")
    return page


def wrong_with(page: Any, address: str) -> list[str]:
    page.set_viewport_size({"width": 1280, "height": 800})
    answer = page.goto(address, wait_until="networkidle")
    assert answer.ok, f"{address} answered {answer.status}"
    found = walk(page) + small_targets(page)
    space_out(page)
    return [f"{address}: {line}" for line in found + too_wide(page, ZOOMED_TWICE) + too_wide(page, NARROW)]


def test_pages_of_the_product_are_walked_by_tab_alone(page_of_owner: Page, scene: Scene) -> None:
    cells = f"/riverton/risk/{scene.run.pk}/harm/cells/"
    wrong = [line for address in [*PAGES, cells] for line in wrong_with(page_of_owner, address)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_pages_of_the_admins_frequent_tasks_are_walked_by_tab_alone(page_of_owner: Page) -> None:
    wrong = [line for address in ADMIN for line in wrong_with(page_of_owner, address)]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.fixture
def town(live_server: Any, tmp_path: Path) -> RichTown:
    return rich_town(tmp_path)


def held_pages(town: RichTown, role: str) -> list[str]:
    """Pages with content on them, as the role has them."""
    base, studies = f"/{town.agency.slug}", town.studies
    pages = {
        "admin": [
            town.board, f"{town.board}print/", f"{base}/plans/{town.plan.pk}/", f"{base}/reports/", f"{base}/reports/crime-trends/",
            f"{base}/reports/effectiveness/", f"{base}/reports/shifts/", f"{base}/reports/tactics/", f"{base}/reports/coverage/",
            f"{base}/reports/builder/?by=hour&then=type", f"{base}/dosage/", f"{base}/dosage/completeness/", f"{base}/packs/",
            f"{base}/packs/2/", f"{base}/transparency/1/", f"{base}/data/", f"{base}/data/records/",
            f"{base}/data/records/kept/?code=unmapped_code", f"{base}/data/audit-store/", f"{base}/models/burglary/",
            f"{base}/models/burglary/2/beside/", f"{base}/hunches/", f"{base}/curves/", f"{base}/studies/design/",
            f"{base}/studies/{studies['reported'].pk}/", f"{base}/studies/{studies['draft'].pk}/",
            f"/admin/tactics/exposurefinding/{ExposureFinding.objects.latest('pk').pk}/change/",
        ],
        "supervisor": [f"{base}/reports/unit-activity/", f"{base}/roster/{town.on}/evening/", f"{base}/notices/"],
        "analyst": [town.board, f"{base}/optimise/"],
        "officer": [f"{base}/my/", f"{base}/my/hunch/", f"{base}/my/training/", f"{base}/reports/", f"{base}/reports/unit-activity/",
                    f"{base}/officer/guide/"],
        "auditor": [town.board, f"{base}/audit-log/", f"{base}/packs/2/", f"{base}/data/audit-store/", f"{base}/studies/design/",
                    f"{base}/roster/{town.on}/evening/"],
    }  # fmt: skip
    return pages[role]


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_pages_that_hold_much_are_walked_by_tab_alone(
    town: RichTown, role: str, signed_in_page: Callable[..., Page]
) -> None:
    page = signed_in_page(town.people[role])
    page.emulate_media(reduced_motion="reduce")
    wrong = [line for address in held_pages(town, role) for line in wrong_with(page, address)]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.slow
def test_the_operators_pages_are_walked_by_tab_alone(
    town: RichTown, signed_in_page: Callable[..., Page]
) -> None:
    make_agency("lakeside")
    page = signed_in_page(make_operator())
    wrong = [
        line for address in ("/", "/operator/", town.board, "/admin/") for line in wrong_with(page, address)
    ]
    assert page.goto("/operator/").ok  # type: ignore[union-attr]
    assert page.locator("#troubles li a").count() == 2
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_skip_link_comes_first_and_leads_past_the_frame(page_of_owner: Page) -> None:
    page = page_of_owner
    page.goto("/riverton/reports/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('#main'))")


def test_a_menu_opens_by_enter_and_escape_gives_the_focus_back(page_of_owner: Page) -> None:
    page = page_of_owner
    page.goto("/riverton/reports/")
    page.locator(".topbar__person summary").focus()
    page.keyboard.press("Enter")
    page.locator(".topbar__person .menu__card").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert page.locator(".topbar__person[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_place_is_kept_out_of_missions_by_keyboard(page_of_owner: Page) -> None:
    page = page_of_owner
    page.goto(BOARD, wait_until="networkidle")
    page.get_by_role("button", name="Suppress").first.focus()
    page.keyboard.press("Enter")
    typed = page.locator("#drawer [data-typed]")
    typed.wait_for()
    area = page.locator("#drawer [data-area]")
    centre = page.evaluate("(() => { const at = MissionsBoard.map.getCenter(); return [at.lat, at.lng]; })()")

    # Typed: one pair is a place, three go round an area.
    typed.focus()
    page.keyboard.type(f"{centre[0]:.5f}, {centre[1]:.5f}")
    page.keyboard.press("Enter")
    assert json.loads(area.input_value())["type"] == "Point"
    lat, lon = centre
    typed.fill(f"{lat:.5f}, {lon:.5f}; {lat + 0.003:.5f}, {lon:.5f}; {lat:.5f}, {lon + 0.003:.5f}")
    page.keyboard.press("Enter")
    assert json.loads(area.input_value())["type"] == "Polygon"
    assert page.locator("#drawer input[value=polygon]").is_checked()
    typed.fill("Elm Street")
    page.keyboard.press("Enter")
    assert "two numbers" in page.locator("#drawer [data-hint]").inner_text()

    # On the map: the cross in its middle, moved by arrows, chosen by Enter.
    page.locator("#drawer input[value=cell]").check()
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    first = json.loads(area.input_value())["coordinates"]
    page.keyboard.press("ArrowRight")
    for _ in range(25):  # the map moves for a moment
        page.wait_for_timeout(200)
        page.keyboard.press("Enter")
        second = json.loads(area.input_value())["coordinates"]
        if second[0] > first[0]:
            break
    assert second[0] > first[0]
    page.keyboard.press("Escape")
    page.locator("#drawer").wait_for(state="hidden")


def test_an_area_of_the_admin_is_drawn_in_writing(page_of_owner: Page) -> None:
    page = page_of_owner
    page.goto("/admin/agencies/district/add/", wait_until="networkidle")
    page.locator(".map-table summary").focus()
    page.keyboard.press("Enter")
    text = page.locator("[data-area-text]")
    text.wait_for()
    text.fill("0, 0\n0, 3\n3, 3\n3, 0\n\n1, 1\n1, 2\n2, 2\n\n5, 5\n5, 6\n6, 6")
    text.blur()
    stored = json.loads(page.locator("#id_geometry").input_value())
    assert [len(part) for part in stored["coordinates"]] == [2, 1]
    text.fill("0, 0\nsomewhere")
    text.blur()
    assert "Line 2" in page.locator("[data-area-text-says]").inner_text()
    assert json.loads(page.locator("#id_geometry").input_value()) == stored


def test_the_walk_sees_what_is_wrong(browser: Any) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 600})
    page = context.new_page()
    page.set_content(
        "<html lang=en><body><style>a { outline: none } .x { display: inline-block; width: 9px; height: 9px }</style>"
        "<a href=#>plain</a>"
        "<div><button class=x></button><button class=x></button></div><div hx-get=/ style='height:20px'>mouse</div>"
        "<div style='position:fixed;inset:auto 0 0 0;height:80px;background:red'></div>"
        "<button style='position:absolute;bottom:10px;z-index:-1'>under</button><button tabindex=2>late</button></body></html>"
    )
    found = "\n".join(walk(page))
    assert "shows no focus" in found
    assert "for a mouse only" in found
    assert "is hidden under" in found
    # Whichever way the browser takes to it: a positive tabindex leaves the order of the page.
    assert "comes before what stands before it" in found or "late” is not reached" in found
    assert "px" in "\n".join(small_targets(page))
    context.close()
