"""Whole tasks without a mouse: drawers and dialogs of the shift map, and the nine most frequent tasks of the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType, Membership, Shift, Unit
from ingestion.models import Feed, ImportRun
from patrols.models import Assignment, PatrolPolicy, Suppression
from tactics.models import Tactic, TacticRule
from tests import factories
from tests.ingestion.files import good_row, write_rows
from tests.keyboard import focused, tab_to
from tests.patrols.scenes import ON, Scene, make_scene

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BOARD = f"/riverton/shifts/{ON}/evening/"


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    cache.clear()
    return make_scene()


@pytest.fixture
def page_of_owner(scene: Scene, signed_in_page: Callable[..., Page]) -> Page:
    page = signed_in_page(factories.make_member(scene.agency, "admin", username="keys"))
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 800})
    return page


@pytest.fixture
def board(scene: Scene, page_of_owner: Page) -> Page:
    scene.plan(publish=True, actor=factories.make_member(scene.agency, "supervisor", username="boss"))
    page_of_owner.goto(BOARD, wait_until="networkidle")
    return page_of_owner


def opened_and_closed(page: Page, opener: str, close: Callable[[], None]) -> None:
    """Enter opens the drawer and puts the focus into it; closing it gives the focus back."""
    tab_to(page, opener)
    page.keyboard.press("Enter")
    page.locator("#drawer:not([hidden]) .drawer__head").wait_for()
    page.wait_for_load_state("networkidle")
    assert focused(page, "#drawer"), opener
    page.keyboard.press("Tab")
    assert focused(page, "#drawer"), "the first press of Tab stays in what was opened"
    close()
    page.locator("#drawer").wait_for(state="hidden")
    assert focused(page, opener), f"the focus does not come back to {opener}"


def test_a_drawer_takes_the_focus_and_gives_it_back(board: Page) -> None:
    mission = board.locator("[data-mission]").nth(1).get_attribute("id")

    def cross() -> None:
        # The drawer's own button comes first.
        assert focused(board, "[data-close-drawer]")
        board.keyboard.press("Enter")

    for opener in ("button[hx-get$='/suppress/']", "button[hx-get$='/add/']", f"#{mission}"):
        board.evaluate("document.activeElement.blur()")
        opened_and_closed(board, opener, lambda: board.keyboard.press("Escape"))
        board.evaluate("document.activeElement.blur()")
        opened_and_closed(board, opener, cross)


def test_the_list_of_keys_opens_and_closes_where_one_was(board: Page) -> None:
    tab_to(board, "[data-mission]")
    was = board.evaluate("document.activeElement.id")
    board.keyboard.press("?")
    board.locator("#keys-dialog[open]").wait_for()
    assert focused(board, "#keys-dialog")
    # A dialog keeps the focus: nothing behind it is reached.
    for _ in range(4):
        board.keyboard.press("Tab")
        assert focused(board, "#keys-dialog, body")
        assert not focused(board, "#board-list")
    board.keyboard.press("Escape")
    board.locator("#keys-dialog").wait_for(state="hidden")
    assert board.evaluate("document.activeElement.id") == was


def test_a_mission_is_assigned_by_keys_alone(board: Page, scene: Scene) -> None:
    before = list(Assignment.objects.order_by("pk").values_list("mission", "unit"))
    tab_to(board, "[data-mission]")
    was = board.evaluate("document.activeElement.id")
    board.keyboard.press("a")
    board.locator("#assign-dialog[open]").wait_for()
    assert focused(board, "#assign-unit")
    board.keyboard.press("Escape")
    board.locator("#assign-dialog").wait_for(state="hidden")
    assert board.evaluate("document.activeElement.id") == was
    assert list(Assignment.objects.order_by("pk").values_list("mission", "unit")) == before
    board.keyboard.press("a")
    board.locator("#assign-dialog[open]").wait_for()
    board.keyboard.press("ArrowDown")
    with board.expect_response(lambda answer: answer.request.method == "POST"):
        board.keyboard.press("Enter")
    board.wait_for_load_state("networkidle")
    after = list(Assignment.objects.order_by("pk").values_list("mission", "unit"))
    assert [f"mission-{old[0]}" for old, new in zip(before, after, strict=True) if old != new] == [was]
    assert board.evaluate("document.activeElement.id") == was


def choose(page: Page, field: str, option: str) -> None:
    """Choose in a list by typing what its option begins with."""
    tab_to(page, field)
    page.keyboard.type(option)
    page.keyboard.press("Tab")
    chosen = page.locator(field).evaluate("(node) => node.selectedOptions[0].textContent")
    assert chosen.startswith(option), chosen


def write(page: Page, field: str, text: str) -> None:
    """Go to a field and type: what stood there is selected, as Tab selects it."""
    tab_to(page, field)
    page.keyboard.type(text)


def save(page: Page) -> None:
    follow(page, "input[name=_save]")
    page.locator(".messagelist .success").first.wait_for()


def follow(page: Page, link: str) -> None:
    tab_to(page, link)
    with page.expect_navigation(wait_until="networkidle"):
        page.keyboard.press("Enter")


def begin(page: Page, link: str) -> None:
    page.goto(reverse("admin:index"))
    follow(page, link)


def test_a_crime_type_is_added_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-crimetype a.addlink")
    write(page_of_owner, "#id_name", "Homicide")
    choose(page_of_owner, "#id_nibrs_code", "Homicide")
    write(page_of_owner, "#id_change_reason", "Command staff asked for it")
    save(page_of_owner)
    assert CrimeType.objects.filter(agency=scene.agency, name="Homicide").exists()


def test_a_unit_is_added_to_a_beat_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-unit a.addlink")
    write(page_of_owner, "#id_call_sign", "K9")
    choose(page_of_owner, "#id_beat", "Beat 21")
    save(page_of_owner)
    beat = Unit.objects.get(agency=scene.agency, call_sign="K9").beat
    assert beat is not None
    assert beat.code == "21"


def test_a_shifts_hours_are_changed_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-shift th a")
    follow(page_of_owner, f"#result_list a[href*='/shift/{scene.shift.pk}/']")
    page_of_owner.locator("#row-preview", has_text="Hours without any shift").wait_for()
    write(page_of_owner, "#id_starts_at", "17:00")
    page_of_owner.locator("#row-preview", has_text="17:00–01:00").wait_for()
    save(page_of_owner)
    assert Shift.objects.get(pk=scene.shift.pk).start_minute == 17 * 60


def test_missions_are_kept_out_of_a_beat_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-suppression a.addlink")
    until = timezone.now() + timedelta(days=3)
    choose(page_of_owner, "#id_beat", "Beat 11")
    write(page_of_owner, "#id_reason", "Street fair")
    write(page_of_owner, "#id_expires_at_0", f"{until:%Y-%m-%d}")
    write(page_of_owner, "#id_expires_at_1", "06:00")
    save(page_of_owner)
    assert Suppression.objects.get(agency=scene.agency).reason == "Street fair"


def test_a_person_is_given_a_role_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-user a.addlink")
    write(page_of_owner, "#id_username", "newcomer")
    write(page_of_owner, "#id_password1", factories.PASSWORD)
    write(page_of_owner, "#id_password2", factories.PASSWORD)
    choose(page_of_owner, "#id_role", "Supervisor")
    save(page_of_owner)
    assert Membership.objects.get(agency=scene.agency, user__username="newcomer").role == "supervisor"


def test_a_weight_is_changed_after_a_look_at_what_it_does_by_keys_alone(
    page_of_owner: Page, scene: Scene
) -> None:
    page = page_of_owner
    robbery = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    begin(page, "tr.model-crimetype th a")
    follow(page, f"#result_list a[href*='/crimetype/{robbery.pk}/']")
    page.locator("#row-preview tr", has_text="Robbery").wait_for()
    write(page, "#id_weight", "8")
    page.locator("#row-preview tr", has_text="4 → 8").wait_for()
    # What came in beside it has taken the focus from nobody.
    assert focused(page, "#id_weight")
    write(page, "#id_change_reason", "Survey of residents")
    save(page)
    robbery.refresh_from_db()
    assert robbery.weight == 8
    assert AuditEvent.objects.get(action="crimetype.changed").why == "Survey of residents"


def test_a_tactic_rule_is_added_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    Tactic.objects.create(agency=scene.agency, name="Foot patrol", slug="foot-patrol")
    begin(page_of_owner, "tr.model-tacticrule a.addlink")
    choose(page_of_owner, "#id_crime_type", "Robbery")
    choose(page_of_owner, "#id_tactic", "Foot patrol")
    save(page_of_owner)
    rule = TacticRule.objects.get(agency=scene.agency, tactic__slug="foot-patrol")
    assert rule.crime_type.slug == "robbery"


def test_a_feed_is_mapped_and_its_file_imported_by_keys_alone(
    page_of_owner: Page, scene: Scene, tmp_path: Path, settings: Any
) -> None:
    page = page_of_owner
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir()
    feed = Feed.objects.create(agency=scene.agency, name="RMS", slug="rms")
    path = write_rows(tmp_path / "rows.csv", [good_row(number) for number in range(30)])
    begin(page, f".checklist a[href$='/feed/{feed.pk}/upload/']")
    tab_to(page, "input[type=file]")
    # The space bar opens the computer's own window of files: that one is the browser's to make reachable.
    # Listened for from now on: asked for with the press itself, the browser is told a moment too late now and then.
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(100)
    page.keyboard.press("Space")
    for _ in range(150):
        if choosers:
            break
        page.wait_for_timeout(100)
    choosers[0].set_files(path)
    follow(page, ".submit-row input.default")
    # What the columns mean was guessed right; a list is changed, and changed back, by typing.
    first = "select[name=column_0]"
    guessed = page.locator(first).evaluate("(node) => node.selectedOptions[0].textContent")
    choose(page, first, "Longitude")
    page.keyboard.press("Shift+Tab")
    page.keyboard.type(guessed)
    assert page.locator(first).evaluate("(node) => node.selectedOptions[0].textContent") == guessed
    follow(page, ".submit-row input[name=check]")
    page.locator("[data-places-ready=yes]").wait_for()
    # The map of the first places is passed by, and read as a table.
    tab_to(page, ".map-table summary")
    page.keyboard.press("Enter")
    assert page.locator(".map-table tbody tr").count() == 30
    follow(page, ".submit-row input.default")
    assert page.url.endswith("/codes/")
    follow(page, ".submit-row input.default")
    assert page.url.endswith("/review/")
    follow(page, ".submit-row input.default")
    assert "/importrun/" in page.url
    feed.refresh_from_db()
    assert feed.mapping
    assert ImportRun.objects.filter(feed=feed).exists()


def test_a_dial_of_the_policy_is_turned_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    begin(page_of_owner, "tr.model-patrolpolicy th a")
    follow(page_of_owner, f"#result_list a[href*='/patrolpolicy/{scene.policy.pk}/']")
    write(page_of_owner, "#id_gamma", "2")
    write(page_of_owner, "#id_change_reason", "Study of spring says so")
    save(page_of_owner)
    assert PatrolPolicy.objects.get(pk=scene.policy.pk).gamma == 2.0


def test_what_the_risk_map_shows_is_read_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    page = page_of_owner
    page.goto(f"/riverton/risk/?shift=evening&date={ON}&type=robbery", wait_until="networkidle")
    follow(page, "a[href$='/robbery/cells/']")
    choose(page, "select[name=beat]", "22")
    follow(page, "form.asked button")
    assert page.url.endswith("beat=22")
    shown = page.locator("[data-map-table] td[data-label=Beat]")
    assert {shown.nth(at).inner_text() for at in range(shown.count())} == {"22"}
    tab_to(page, "[data-map-table] .risk__pick")
    number = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.locator("#cell", has_text=f"Cell {number}").wait_for()
    # The focus stays where one reads: what came is told by the live region.
    assert page.evaluate("document.activeElement.textContent") == number
    follow(page, "a[href*='/riverton/risk/?']")
    follow(page, "a[href$='/layers/tables/']")
    follow(page, "a[href$='/layers/tables/beats/']")
    assert page.locator("[data-map-table] tbody tr").count() == 4


def test_chances_of_boxes_are_read_by_keys_alone(page_of_owner: Page, scene: Scene) -> None:
    page = page_of_owner
    page.goto("/riverton/policy/preview/", wait_until="networkidle")
    page.locator("a[href*='/policy/preview/boxes/']").wait_for()
    follow(page, "a[href*='/policy/preview/boxes/']")
    assert page.locator("[data-map-table] tbody tr").count() > 20
    follow(page, ".back a")
    assert "/policy/preview/" in page.url
