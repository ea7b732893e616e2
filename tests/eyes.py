"""A demanding reader in a browser: opens pages as a person sees them, does things there, and says what is wrong with what comes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from agencies.models import User
from tests.looking import (
    COLOUR_RULES,
    FOLDED,
    MOST_BYTES,
    MOST_SHIFT,
    NARROW,
    WATCH_SHIFTS,
    ZOOMED,
    Traffic,
    open_all,
    shift_of,
    too_wide,
    violations,
    watch_traffic,
)

DESK = {"width": 1440, "height": 900}


def signed_in(person: User) -> Client:
    """The test client, signed in as the person."""
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def bring_to_desk(page: Any) -> None:
    """The page on a desk's screen, by day."""
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")


def wrong_now(page: Any, traffic: Traffic) -> list[str]:
    """Everything that is wrong with the page as it stands; afterwards it stands on a desk's screen by day again."""
    wrong = [f"asks {host}" for host in sorted(traffic.strangers)]
    if (moved := shift_of(page)) > MOST_SHIFT:
        wrong.append(f"late content moves the page by {moved:.2f} (at most {MOST_SHIFT})")
    if (weight := traffic.compressed_bytes()) > MOST_BYTES:
        wrong.append(f"weighs {weight:,} bytes compressed (at most {MOST_BYTES:,})")
    wrong += [f"light: {line}" for line in violations(page)]
    page.emulate_media(color_scheme="dark")
    wrong += [f"dark: {line}" for line in violations(page, COLOUR_RULES)]
    wrong += too_wide(page, ZOOMED) + too_wide(page, NARROW)
    page.set_viewport_size(DESK)
    if open_all(page):
        wrong += [f"dark, opened: {line}" for line in violations(page, within=FOLDED)]
        page.emulate_media(color_scheme="light")
        wrong += [f"light, opened: {line}" for line in violations(page, COLOUR_RULES, within=FOLDED)]
        wrong += [f"opened, {line}" for line in too_wide(page, ZOOMED) + too_wide(page, NARROW)]
    bring_to_desk(page)
    return wrong


def without_room(page: Any) -> list[str]:
    """What is wider than a phone or than a laptop at 200 %, and texts that are cut there, folded parts included."""
    wrong = too_wide(page, ZOOMED) + too_wide(page, NARROW)
    if open_all(page):
        wrong += [f"opened, {line}" for line in too_wide(page, NARROW) + too_wide(page, ZOOMED)]
    return wrong


class Walk:
    """One page of a browser on which a person does one thing after the other; what each leads to is looked at."""

    def __init__(self, page: Any, own: str) -> None:
        self.page = page
        self.traffic = watch_traffic(page, own)
        self.wrong: list[str] = []
        self.seen: dict[str, str] = {}
        bring_to_desk(page)

    def go(self, address: str) -> None:
        self.traffic.answers.clear()
        self.page.goto(address, wait_until="networkidle")

    def send(self, button: str) -> None:
        """Press a button that sends a form, whatever the browser itself would ask for before."""
        self.page.evaluate("() => { for (const form of document.forms) { form.noValidate = true; } }")
        self.traffic.answers.clear()
        with self.page.expect_navigation(wait_until="networkidle"):
            self.page.locator(button).first.click()

    def submit(self, form: str, **fields: str) -> None:
        """Send a form with these values as a page without scripts would."""
        self.traffic.answers.clear()
        with self.page.expect_navigation(wait_until="networkidle"):
            self.page.evaluate(
                "([form, fields]) => { const found = document.querySelector(form);"
                " for (const [name, value] of Object.entries(fields)) { found.elements[name].value = value; }"
                " HTMLFormElement.prototype.submit.call(found); }",
                [form, fields],
            )

    def look(self, name: str) -> None:
        """Look at what came; its middle's text is kept under the name, so that a test can say what was looked at."""
        # The admin's own <main> holds its list of pages, too.
        main = self.page.locator("#content, main:not(:has(#content))").first
        self.seen[name] = main.inner_text()
        self.wrong += [
            f"{name} ({urlsplit(self.page.url).path}): {line}" for line in wrong_now(self.page, self.traffic)
        ]


class Eyes:
    """A browser's contexts, one for each person: signed in, movement reduced, late shifts noted."""

    def __init__(self, browser: Any, server: str) -> None:
        self.browser, self.server, self.own = browser, server, urlsplit(server).netloc
        self._contexts: dict[tuple[int | None, str], Any] = {}

    def context(self, person: User | None, language: str = "en") -> Any:
        key = (person.pk if person else None, language)
        if key not in self._contexts:
            made = self.browser.new_context(base_url=self.server, reduced_motion="reduce", locale=language)
            made.add_init_script(WATCH_SHIFTS)
            if person:
                cookie = signed_in(person).cookies[settings.SESSION_COOKIE_NAME]
                made.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.server}])
            self._contexts[key] = made
        return self._contexts[key]

    def walk(self, person: User | None, language: str = "en") -> Walk:
        """A page for a walk in which one thing follows from the other, asked for in this language."""
        return Walk(self.context(person, language).new_page(), self.own)

    def look(self, person: User | None, address: str) -> list[str]:
        """Everything that is wrong with a page as this person sees it."""
        walk = self.walk(person)
        walk.go(address)
        wrong = wrong_now(walk.page, walk.traffic)
        walk.page.close()
        return wrong

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()
