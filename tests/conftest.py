"""Fixtures that every test may ask for: the same four people, a small agency, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client
from django.utils import translation
from kombu import Connection

from tests import auditing, factories  # noqa: F401 - auditing lets a test's database be emptied
from tools import postgres, translations, up

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from agencies.models import Agency, User

# Playwright keeps an event loop in the test's thread, and Django takes that for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    # Nothing may leave the machine during a test, the browser's own calls home included.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NO_CHROMIUM = "no Chromium found. To run it: apt-get install chromium"
SHARED_DATA = Path(settings.BASE_DIR).parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _speaks_english() -> Iterator[None]:
    """A page asked for in Spanish leaves its thread in Spanish: the next test would read on in it."""
    translation.activate("en")
    yield
    translation.activate("en")


@pytest.fixture(autouse=True)
def _process_remembers_nothing() -> None:
    """A test's rows are gone after it, and the next test's may have their numbers."""
    for name in ("process", "texts", "reports"):
        caches[name].clear()


@pytest.fixture(scope="session")
def translations_are_old() -> bool:
    """Whether texts were written since the translations were compiled."""
    return translations.is_older_than_texts(translations.ROOT)


@pytest.fixture
def translated(translations_are_old: bool) -> None:
    """What a test that reads Spanish stands on; it is skipped where texts were written since the translations were compiled."""
    if translations_are_old:
        pytest.skip("The translations are older than the texts. Next step: make translations")


@pytest.fixture
def redis_address(tmp_path: Path) -> Iterator[str]:
    """A Redis of the test's own, which answers."""
    if "no Redis" in up.missing():
        pytest.skip(up.missing())
    port = postgres.free_port()
    server = up.start_redis(tmp_path / "redis", port, tmp_path / "redis.log")
    address = f"redis://127.0.0.1:{port}/0"
    try:
        with Connection(address) as link:
            link.ensure_connection(max_retries=50, interval_start=0.1, interval_step=0.1)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def agency(db: None) -> Agency:
    """A small agency: 4 km square, 2 districts, 4 beats, 3 shifts, 3 crime types."""
    return factories.make_agency()


@pytest.fixture
def owner(agency: Agency) -> User:
    """The agency's administrator."""
    return factories.make_member(agency, "admin", username="owner")


@pytest.fixture
def colleague(agency: Agency) -> User:
    """A supervisor of the same agency."""
    return factories.make_member(agency, "supervisor", username="colleague")


@pytest.fixture
def stranger(db: None) -> User:
    """The administrator of another agency: whatever is not theirs does not exist for them."""
    return factories.make_member(factories.make_agency("lakeside"), "admin", username="stranger")


@pytest.fixture
def nobody() -> None:
    """Not signed in."""


@pytest.fixture
def sign_in(client: Client) -> Callable[[User | None], Client]:
    """A function: the test client, signed in as the person (or as nobody)."""

    def signed_in(person: User | None) -> Client:
        client.logout()
        if person is not None:
            client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    return signed_in


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with public city data beside the checkout; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no public data beside the checkout. To run it: put the data folder at ../shared/data")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the machine's own. One for the session: starting it takes a second."""
    executable = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip(NO_CHROMIUM)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Iterator[Page]:
    """A fresh browser page on the live server. A script error or a blocked script or style fails the test."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800})
    host = urlsplit(live_server.url).netloc
    # Base-map tiles come from elsewhere: a test must not depend on a tile server.
    context.route(lambda url: urlsplit(url).netloc not in (host, ""), lambda route: route.abort())
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    opened.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    opened.set_default_timeout(15_000)
    yield opened
    context.close()
    assert not problems, "; ".join(problems)


@pytest.fixture
def signed_in_page(page: Page, live_server: Any) -> Callable[..., Page]:
    """A function: the page signed in with a role ("officer", "supervisor", …) in the agency, or as a person."""

    def open_as(role: str | User, agency: Agency | None = None) -> Page:
        person = (
            factories.make_member(agency or factories.make_agency(), role) if isinstance(role, str) else role
        )
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie.value, "url": live_server.url}]
        )
        return page

    return open_as
