"""An officer's shift through a dead zone, on a phone: what is pressed is kept, shown, and sent once, in order, with its own times."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit, User
from patrols.models import Engagement, Mission, MissionPlan
from tactics.models import OfficerAction, TacticUse, VisitNote
from tactics.officer import Sky
from tactics.services import starter_catalogue_create
from tests.factories import make_member
from tests.tactics import factories

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}
PAGE = "/riverton/my/"


@pytest.fixture(params=["dark", "light"])
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    is_dark = request.param == "dark"
    monkeypatch.setattr("tactics.officer.sky_over", lambda agency, now: Sky(is_dark, ()))
    return str(request.param)


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


def picture(page: Page, name: str, **how: Any) -> None:
    if shots := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(350)
        # Hiding the caret would take a style of its own, which the page's policy forbids.
        page.screenshot(path=str(Path(shots) / f"off6-{name}.png"), caret="initial", **how)


def open_page(page: Page, address: str = PAGE) -> Page:
    """Open the page and wait until the phone has kept it."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector("#officer[data-kept]", state="attached")
    return page


def all_sent(page: Page) -> None:
    from playwright.sync_api import expect

    expect(page.locator("[data-queued]")).to_be_hidden()


def queued(page: Page, count: int) -> None:
    from playwright.sync_api import expect

    expect(page.locator("[data-queued]")).to_contain_text(re.compile(rf"^queued {count}\b"))


def test_a_whole_shift_through_a_dead_zone(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission, look: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(signed_in_page(officer))
    picture(page, f"next-{look}")
    page.context.set_offline(True)
    lost_at = timezone.now()

    # The browser is closed and opened again in the dead zone: the kept page comes.
    page.goto(PAGE)
    expect(page.locator("[data-kept-copy]")).to_contain_text("No connection")
    page.get_by_role("button", name="Arrived", exact=True).dblclick()
    queued(page, 1)
    expect(page.locator(".timer__clock")).to_have_text(re.compile(r"^00:\d\d$"))
    page.get_by_role("button", name="Foot patrol").click()
    queued(page, 2)
    page.get_by_label(re.compile("What is it like here")).fill("two lamps out at Elm & 4th")
    page.get_by_role("button", name="Save note").click()
    queued(page, 3)
    picture(page, f"queued-{look}", full_page=True)
    # Still there after the page is opened once more.
    page.goto(PAGE)
    queued(page, 3)
    expect(page.locator('.tactic button[aria-pressed="true"]')).to_have_count(1)
    page.wait_for_timeout(1100)
    page.get_by_role("button", name="Left", exact=True).dblclick()
    queued(page, 4)
    expect(page.locator("[data-left]")).to_contain_text("Left mission 1 after 0 min")
    picture(page, f"left-{look}")
    # The second press of the double press met the link that lies there now, and led nowhere.
    page.wait_for_timeout(600)
    page.get_by_role("link", name="Next: mission 2").click()
    expect(page.get_by_role("heading", name="2 · Station lot")).to_be_visible()
    queued(page, 4)
    assert not Engagement.objects.exists()
    assert not OfficerAction.objects.exists()

    page.wait_for_timeout(1500)
    back_at = timezone.now()
    page.context.set_offline(False)
    all_sent(page)
    page.wait_for_selector("#officer[data-fresh='1']", state="attached")
    actions = list(OfficerAction.objects.order_by("pk"))
    assert [row.kind for row in actions] == ["arrived", "tactic", "note", "left"]
    assert {row.status for row in actions} == {"done"}
    assert [row.at for row in actions] == sorted(row.at for row in actions)
    # By the phone's own clock, which here is the server's: all of it happened before the connection came back.
    assert all(lost_at - dt.timedelta(seconds=1) < row.at < back_at < row.received_at for row in actions)
    visit = Engagement.objects.get()
    assert (visit.arrived_at, visit.left_at) == (actions[0].at, actions[3].at)
    assert TacticUse.objects.get().tactic.slug == "foot-patrol"
    assert VisitNote.objects.get().text == "two lamps out at Elm & 4th"
    expect(page.get_by_role("heading", name="2 · Station lot")).to_be_visible()


def test_what_the_server_saw_before_is_not_done_again(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    """The answer is lost on its way: the phone sends the same batch again."""
    page = open_page(signed_in_page(officer))
    lost = []

    def lose(route: Any) -> None:
        if route.request.method != "POST" or lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/my/sync/", lose)
    page.get_by_role("button", name="Arrived", exact=True).click()
    queued(page, 1)
    page.evaluate("dispatchEvent(new Event('online'))")
    all_sent(page)
    assert lost == [200]
    assert OfficerAction.objects.count() == 1
    assert Engagement.objects.count() == 1


def test_two_tabs_send_the_same_presses_once(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    page = open_page(signed_in_page(officer))
    other = open_page(page.context.new_page())
    page.context.set_offline(True)
    page.get_by_role("button", name="Arrived", exact=True).click()
    queued(page, 1)
    page.context.set_offline(False)
    for tab in (page, other):
        tab.evaluate("dispatchEvent(new Event('online'))")
    all_sent(page)
    all_sent(other)
    assert OfficerAction.objects.count() == 1
    assert Engagement.objects.count() == 1


def test_a_session_that_ended_loses_nothing(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    from playwright.sync_api import expect

    page = open_page(signed_in_page(officer))
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="Arrived", exact=True).click()
    expect(page.locator("[data-queued]")).to_contain_text("Sign in again; nothing is lost")
    assert page.locator("[data-queued] a").get_attribute("href") == "/accounts/login/?next=/riverton/my/"
    picture(page, "signed-out")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.evaluate("dispatchEvent(new Event('online'))")
    all_sent(page)
    assert Engagement.objects.count() == 1


def test_a_note_about_a_person_stays_in_its_field(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    from playwright.sync_api import expect

    page = open_page(signed_in_page(officer))
    page.context.set_offline(True)
    page.get_by_role("button", name="Arrived", exact=True).click()
    field = page.get_by_label(re.compile("What is it like here"))
    field.fill("red car, plate ABC 1234")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#note [data-screen-says]")).to_contain_text("a vehicle’s plate: “plate ABC 1234”")
    assert field.input_value() == "red car, plate ABC 1234"
    picture(page, "note-refused", full_page=True)
    queued(page, 1)


def test_a_press_that_is_refused_is_shown_with_its_reason(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    from playwright.sync_api import expect

    page = open_page(signed_in_page(officer))
    Mission.objects.filter(pk=shift.pk).update(
        withdrawn_at=timezone.now() - dt.timedelta(seconds=30), withdrawn_reason="road closed"
    )
    page.get_by_role("button", name="Arrived", exact=True).click()
    expect(page.locator("[data-refused]")).to_contain_text("Mission 1 was withdrawn: road closed")
    picture(page, "refused")
    assert OfficerAction.objects.get().status == "refused"
    page.get_by_role("button", name="OK, read").click()
    expect(page.locator("[data-refused]")).to_be_hidden()


LEFT_BEHIND = """async () => ({
  stores: (await indexedDB.databases()).map((one) => one.name), caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length, local: Object.keys(localStorage), session: Object.keys(sessionStorage),
})"""


def sign_out(page: Page) -> None:
    page.locator(".topbar__person summary").click()
    page.get_by_role("button", name="Sign out").click()


def test_signing_out_asks_and_then_wipes_the_phone(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission
) -> None:
    page = open_page(signed_in_page(officer))
    page.route("**/my/sync/", lambda route: route.abort())
    page.get_by_role("button", name="Arrived", exact=True).click()
    queued(page, 1)
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    sign_out(page)
    assert asked == ["1 press or note on this phone is not sent yet. Signing out deletes it. Sign out?"]
    queued(page, 1)
    page.once("dialog", lambda dialog: dialog.accept())
    sign_out(page)
    page.wait_for_url("**/accounts/login/**")
    left = page.evaluate(LEFT_BEHIND)
    assert left == {"stores": [], "caches": [], "workers": 0, "local": [], "session": []}


def test_the_next_officer_of_a_shared_phone_sees_nothing_of_the_first(
    signed_in_page: Callable[..., Page], agency: Agency, officer: User, unit: Unit, shift: Mission
) -> None:
    from playwright.sync_api import expect

    page = open_page(signed_in_page(officer))
    page.route("**/my/sync/", lambda route: route.abort())
    page.get_by_role("button", name="Arrived", exact=True).click()
    queued(page, 1)
    # The session ends before the phone can try again, and somebody else signs in on the same phone.
    page.context.clear_cookies()
    page.unroute_all()
    other = make_member(
        agency, "officer", username="other", unit=Unit.objects.get(agency=agency, call_sign="R12")
    )
    open_page(signed_in_page(other))
    expect(page.locator("[data-others-queue]")).to_contain_text(
        "1 unsent press of somebody else waits on this phone"
    )
    expect(page.locator("[data-queued]")).to_be_hidden()
    picture(page, "shared")
    kept = page.evaluate("""async () => {
      const found = [];
      for (const name of await caches.keys()) { for (const request of await (await caches.open(name)).keys()) {
        found.push(await (await (await caches.open(name)).match(request)).text()); } }
      return found.join("\\n");
    }""")
    assert "Elm St &amp; 4th Ave" not in kept
    assert not OfficerAction.objects.exists()
    page.get_by_role("button", name="Delete them").click()
    expect(page.locator("[data-others-queue]")).to_be_hidden()


def test_near_me_now_is_worked_out_on_the_phone(
    signed_in_page: Callable[..., Page], agency: Agency, officer: User, shift: Mission
) -> None:
    from playwright.sync_api import expect

    from tactics.models import OfficerPageSettings

    page = open_page(signed_in_page(officer))
    expect(page.get_by_role("button", name="Near me now")).to_have_count(0)
    OfficerPageSettings.objects.create(agency=agency, near_me=True)
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"latitude": 41.81, "longitude": -87.68})
    open_page(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    page.get_by_role("button", name="Near me now").click()
    expect(page.locator("[data-near-says]")).to_contain_text("Nearest first")
    expect(page.locator(".mine [data-distance-of]").first).to_have_text(
        re.compile(r"· (here|\d+ m [NESW]+|[\d.]+ km [NESW]+)")
    )
    assert not any("41.81" in text or "87.68" in text for text in sent)
    picture(page, "near", full_page=True)


def test_a_person_turns_the_page_dark_or_light(
    signed_in_page: Callable[..., Page], officer: User, shift: Mission, look: str
) -> None:
    page = open_page(signed_in_page(officer))

    def brightness() -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in re.findall(r"\d+", colour)[:3])

    assert (brightness() > 600) is (look == "light")
    page.get_by_role("button", name="Dark", exact=True).click()
    assert brightness() < 200
    page.reload()
    assert brightness() < 200
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light", exact=True).click()
    assert brightness() > 600
    page.get_by_role("button", name="Auto", exact=True).click()
    page.emulate_media(color_scheme="light")
    assert (brightness() > 600) is (look == "light")
