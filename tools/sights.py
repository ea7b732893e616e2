"""Find the pages of the product that a person can reach by clicking, one example of each kind.

Starts where the person starts and follows links, in this process and without a browser. Two addresses that differ only in their row, date or
query are one page. What a new room adds is found without being listed anywhere.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

MATTERS = {"tactics:report": ("slug",), "admin:app_list": ("app_label",)}
"""Arguments that make a page another one; all others only pick the row that is shown."""
ONE_IS_ENOUGH = ("_history", "_delete")
"""Pages that Django's admin makes alike for every kind of row: one example each."""
NOT_FOLLOWED = ("/accounts/logout", "/static/", "/api/", "/admin/jsi18n", "/admin/logout", "/admin/r/")


@dataclass(frozen=True)
class Sight:
    """One page: its kind (`tactics:report shift`), the address of the example, and where its link was found."""

    kind: str
    address: str
    found_on: str

    @property
    def stem(self) -> str:
        """A file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.kind.lower()).strip("-")


class Links(HTMLParser):
    """The addresses that a page leads to or loads into itself, downloads left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href") and "download" not in given:
            self.found.append(str(given["href"]))
        # A part that the page loads into itself may hold the only link to another page.
        if given.get("hx-get"):
            self.found.append(str(given["hx-get"]))


def kind_of(path: str) -> str | None:
    """The kind of page at a path, or None where nothing answers."""
    from django.urls import Resolver404, resolve

    try:
        match = resolve(path)
    except Resolver404:
        return None
    name = match.view_name
    if not name:
        return None
    if name.startswith("admin:") and name.endswith(ONE_IS_ENOUGH):
        return "admin:" + name.rsplit("_", 1)[1]
    chosen = [str(match.kwargs[argument]) for argument in MATTERS.get(name, ()) if argument in match.kwargs]
    return " ".join([name, *chosen])


def pages_of(person: Any, starts: tuple[str, ...], *, most: int = 400) -> list[Sight]:
    """Every kind of page that this person reaches from the starts by links, in the order found. At most `most` requests."""
    from django.conf import settings
    from django.test import Client

    client = Client(HTTP_HOST="localhost", raise_request_exception=False)
    if person is not None:
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    waiting = deque((start, "the start") for start in starts)
    asked: set[str] = set()
    sights: dict[str, Sight] = {}
    while waiting and len(asked) < most:
        address, found_on = waiting.popleft()
        kind = kind_of(urlsplit(address).path)
        if kind is None or kind in asked:
            continue
        asked.add(kind)
        answer = client.get(address, follow=True)
        if answer.redirect_chain:
            address = str(answer.redirect_chain[-1][0])
            kind = kind_of(urlsplit(address).path) or kind
        body = "" if answer.streaming else answer.content.decode(errors="replace")
        is_page = answer.headers.get("Content-Type", "").startswith("text/html")
        if not is_page or "attachment" in answer.headers.get("Content-Disposition", "") or kind in sights:
            continue
        asked.add(kind)
        # A fragment is seen with its page: only its links count.
        if "<html" in body[:600] and answer.status_code == 200:
            sights[kind] = Sight(kind, address, found_on)
        links = Links()
        links.feed(body)
        for href in links.found:
            there = urlsplit(urljoin(address, href))
            if there.netloc or there.scheme not in ("", "http") or there.path.startswith(NOT_FOLLOWED):
                continue
            waiting.append((there.path + (f"?{there.query}" if there.query else ""), kind))
    return list(sights.values())
