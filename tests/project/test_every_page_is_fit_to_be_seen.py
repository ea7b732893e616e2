"""Every page that a person can open: axe's rules in both themes, 360 px, 200 % zoom, weight, movement, no stranger asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from agencies.models import User
from ingestion.models import ImportRun
from tactics.services import inquiry_ask, rolling_study_ensure
from tests.factories import make_member
from tests.ingestion.files import plain_feed
from tests.looking import (
    COLOUR_RULES,
    MOST_BYTES,
    MOST_SHIFT,
    NARROW,
    WATCH_SHIFTS,
    ZOOMED,
    shift_of,
    too_wide,
    violations,
    watch_traffic,
)
from tests.patrols.scenes import ON, make_scene
from tools.page_walk import Found, page_name, pages_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SAME_EVERYWHERE = ("_history", "_delete")
"""Django's pages that differ from room to room by their rows only: one of each is looked at."""


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@dataclass
class Town:
    """An agency in which each room has something to show, and its people."""

    people: dict[str, User]

    def pages(self, role: str) -> list[Found]:
        # Today has no plan: the shift that has one comes first, so that it is the board that is looked at.
        start = ("/",) if role == "officer" else (f"/riverton/shifts/{ON}/evening/", "/")
        return list(pages_of(signed_in(self.people[role]), start))


@pytest.fixture
def town(live_server: Any) -> Town:
    cache.clear()
    scene = make_scene()
    agency = scene.agency
    people = {
        role: make_member(agency, role) for role in ("admin", "supervisor", "analyst", "officer", "auditor")
    }
    scene.plan(publish=True, actor=people["supervisor"])
    ImportRun.objects.create(agency=agency, feed=plain_feed(agency))
    rolling_study_ensure(agency=agency)
    inquiry_ask(agency=agency, kind="curves", choices={})
    return Town(people)


@pytest.fixture
def look(browser: Any, live_server: Any) -> Iterator[Callable[[User | None, str], list[str]]]:
    """A function: everything that is wrong with a page as this person sees it."""
    contexts: dict[int | None, Any] = {}
    own = urlsplit(live_server.url).netloc

    def context_of(person: User | None) -> Any:
        key = person.pk if person else None
        if key not in contexts:
            made = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
            made.add_init_script(WATCH_SHIFTS)
            if person:
                cookie = signed_in(person).cookies[settings.SESSION_COOKIE_NAME]
                made.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
            contexts[key] = made
        return contexts[key]

    def looked(person: User | None, address: str) -> list[str]:
        page = context_of(person).new_page()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light")
        traffic = watch_traffic(page, own)
        page.goto(address, wait_until="networkidle")
        wrong = [f"asks {host}" for host in sorted(traffic.strangers)]
        if (moved := shift_of(page)) > MOST_SHIFT:
            wrong.append(f"late content moves the page by {moved:.2f} (at most {MOST_SHIFT})")
        if (weight := traffic.compressed_bytes()) > MOST_BYTES:
            wrong.append(f"weighs {weight:,} bytes compressed (at most {MOST_BYTES:,})")
        wrong += [f"light: {line}" for line in violations(page)]
        page.emulate_media(color_scheme="dark")
        wrong += [f"dark: {line}" for line in violations(page, COLOUR_RULES)]
        wrong += too_wide(page, ZOOMED) + too_wide(page, NARROW)
        page.close()
        return wrong

    yield looked
    for context in contexts.values():
        context.close()


def all_wrong(look: Callable[[User | None, str], list[str]], person: User, pages: list[Found]) -> str:
    told = []
    for found in pages:
        told += [f"{found.name} ({found.address}): {line}" for line in look(person, found.address)]
    return "\n".join(told)


def is_admin(found: Found) -> bool:
    return found.name.startswith("admin:")


def test_pages_of_the_product_are_fit_to_be_seen(town: Town, look: Callable[..., list[str]]) -> None:
    pages = [found for found in town.pages("admin") if not is_admin(found)]
    names = {found.name for found in pages}
    assert {"patrols:board", "patrols:plan", "forecasting:risk", "tactics:reports", "tactics:studies", "tactics:officer",
            "tactics:hunch", "patrols:dosage", "ingestion:data", "api:docs"} <= names  # fmt: skip
    assert not (wrong := all_wrong(look, town.people["admin"], pages)), f"\n{wrong}"


@pytest.mark.parametrize("role", ["officer", "supervisor", "analyst", "auditor"])
def test_start_pages_of_each_role_are_fit_to_be_seen(
    town: Town, look: Callable[..., list[str]], role: str
) -> None:
    # The pages are those of the test above, with what the role may do on them: where work begins.
    pages = town.pages(role)[:6]
    assert pages
    assert not (wrong := all_wrong(look, town.people[role], pages)), f"\n{wrong}"


@pytest.mark.parametrize("room", ["agencies", "ingestion", "forecasting", "patrols", "tactics", ""])
def test_pages_of_the_admin_are_fit_to_be_seen(town: Town, look: Callable[..., list[str]], room: str) -> None:
    rooms = ("agencies", "ingestion", "forecasting", "patrols", "tactics")
    pages, seen = [], set()
    for found in town.pages("admin"):
        if not is_admin(found) or next((one for one in rooms if f":{one}_" in found.name), "") != room:
            continue
        kind = next((end for end in SAME_EVERYWHERE if found.name.endswith(end)), found.name)
        if kind not in seen:
            seen.add(kind)
            pages.append(found)
    assert pages
    assert not (wrong := all_wrong(look, town.people["admin"], pages)), f"\n{wrong}"


def test_pages_before_signing_in_and_pages_that_fail_are_fit_to_be_seen(
    town: Town, look: Callable[..., list[str]]
) -> None:
    told = [
        f"{at}: {line}" for at in ("/accounts/login/", "/accounts/password/reset/") for line in look(None, at)
    ]
    told += [f"404: {line}" for line in look(town.people["officer"], "/riverton/nothing-here/")]
    told += [f"403: {line}" for line in look(town.people["officer"], "/riverton/risk/")]
    assert not told, "\n".join(told)


def test_the_checks_see_what_is_wrong(browser: Any, live_server: Any) -> None:
    context = browser.new_context(base_url=live_server.url)
    context.add_init_script(WATCH_SHIFTS)
    page = context.new_page()
    traffic = watch_traffic(page, urlsplit(live_server.url).netloc)
    page.route("http://elsewhere.example/**", lambda route: route.abort())
    page.set_content(
        "<html lang=en><title>t</title><main><h1>A</h1><div style='width:900px'>wide</div>"
        "<p style='color:#999;background:#fff'>pale</p><img src='http://elsewhere.example/x.png'></main>"
    )
    found = " ".join(violations(page))
    assert "color-contrast" in found
    assert "image-alt" in found
    assert "color-contrast" in " ".join(violations(page, COLOUR_RULES))
    assert too_wide(page, NARROW)
    assert traffic.strangers == {"elsewhere.example"}
    page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('beforebegin', '<div style=\"height:300px\"></div>')"
    )
    page.wait_for_timeout(200)
    assert page_name("/riverton/risk/") == "forecasting:risk"
    context.close()
