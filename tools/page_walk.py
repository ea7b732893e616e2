"""Every page that a person can open, found by following the product's own links from the start page.

Used by tests and benchmarks; needs Django set up. Links are followed with the test client: no server, no browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

if TYPE_CHECKING:
    from django.test import Client

LINK = re.compile(r'<(?:a|area)\b[^>]*?\bhref="([^"#]+)|<iframe\b[^>]*?\bsrc="([^"#]+)')
TELLING = ("slug", "feed_slug", "layer", "chart")
"""Arguments of an address that make another page of it; numbers and days show another row of the same page."""
ENDS = (
    "/logout/", "/admin/jsi18n/", "/api/schema/", ".csv", ".xlsx", ".geojson", ".gpkg", ".json", ".jsonl", ".svg", ".png", ".pdf", ".docx",
    ".zip",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One page: the address of one of its rows, a name that all its rows share, and what it said."""

    name: str
    address: str
    text: str = field(default="", compare=False, repr=False)


def page_name(address: str) -> str | None:
    """The name of the page behind an address, the same for every row of it; None where nothing stands there."""
    try:
        match = resolve(urlsplit(address).path)
    except Resolver404:
        return None
    telling = [str(match.kwargs[name]) for name in TELLING if name in match.kwargs]
    return " ".join([match.view_name or match._func_path, *telling])


def pages_of(
    client: Client, start: tuple[str, ...] = ("/",), *, most: int = 400, but: tuple[str, ...] = ()
) -> Iterator[Found]:
    """Yield the pages that a signed-in person reaches by links, each once, in the order of their distance.

    Files and parts of pages are left out, and addresses that begin as one of ``but``. A link that leads to nothing raises ``AssertionError`` with the page that shows it;
    400 is a page, too: a report that says what it lacks.
    """
    waiting = [(address, "the start") for address in start]
    seen: set[str] = set()
    done: set[str] = set()
    while waiting and len(done) < most:
        address, source = waiting.pop(0)
        answer = client.get(address, follow=True, headers={"accept": "text/html"})
        if answer.redirect_chain:
            address = answer.redirect_chain[-1][0]
        name = page_name(address)
        if name is None or name in done:
            continue
        assert answer.status_code in (200, 400), (
            f"{address}, linked from {source}, answered {answer.status_code}"
        )
        if answer.streaming or not answer["Content-Type"].startswith("text/html"):
            continue
        # A file to be kept, which no browser opens.
        if answer.headers.get("Content-Disposition", "").startswith("attachment"):
            continue
        text = answer.content.decode()
        if "<html" not in text:
            continue
        done.add(name)
        yield Found(name, address, text)
        for link in LINK.finditer(text):
            there = urljoin(address, unescape(link[1] or link[2]))
            parts = urlsplit(there)
            if parts.scheme or parts.netloc or parts.path.endswith(ENDS) or "/static/" in parts.path:
                continue
            if but and parts.path.startswith(but):
                continue
            further = page_name(there)
            if further is not None and further not in seen:
                seen.add(further)
                waiting.append((there, address))
