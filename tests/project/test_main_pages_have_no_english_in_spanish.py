"""The pages that people work with, read in Spanish, hold no English sentence but what the agency wrote itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client

from tests.factories import make_member
from tests.patrols.scenes import ON, make_scene
from tools.page_walk import pages_of

ENGLISH = frozenset(
    "the of and was were with from that this which not has have been by for than its each every where when who what how "
    "only but their will until before after about between without within these those nothing".split()
)
"""Words that no English sentence does without, none of them Spanish."""
UNREAD = frozenset({"script", "style", "code", "pre", "kbd"})
SAID = frozenset({"title", "aria-label", "placeholder", "alt"})
# A tactic's text is the agency's own; what allauth says is its own.
ELSEWHERE = ("/riverton/tactics/", "/accounts/")


class Texts(HTMLParser):
    """What a page says, between its tags and in the attributes that people see or hear."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unread += tag in UNREAD
        self.found += [value for name, value in attrs if name in SAID and value]
        given = dict(attrs)
        if tag == "input" and given.get("type") in ("submit", "button", "reset"):
            self.found.append(given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self._unread and data.strip():
            self.found.append(" ".join(data.split()))


def english_in(page: str, own: tuple[str, ...] = ()) -> list[str]:
    """The texts of a page that hold an English word, the agency's own names taken out before."""
    reader = Texts()
    reader.feed(page)
    left = []
    for text in reader.found:
        rest = text
        for name in own:
            rest = re.sub(re.escape(name), " ", rest, flags=re.IGNORECASE)
        if ENGLISH & set(re.findall(r"[a-z]+", rest.lower())):
            left.append(text)
    return left


def test_a_sentence_that_nobody_translated_is_seen() -> None:
    page = "<p title='A box of the map'>Turno <code>SELECT the row</code></p><script>if (the) {}</script>"
    assert english_in(page) == ["A box of the map"]
    assert english_in("<input type=submit value='Read the file'><input value='of the'>") == ["Read the file"]
    assert english_in("<p>Misión de Calls for service</p>", ("Calls for service",)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["supervisor", "analyst", "officer", "admin"])
def test_main_pages_read_in_spanish_hold_no_english_sentence(role: str, translated: None) -> None:
    scene = make_scene()
    person = make_member(scene.agency, role)
    client = Client(headers={"accept-language": "es"})
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    # Names of time zones are the world's.
    zones = ("America/Port_of_Spain", "Europe/Isle_of_Man")
    own = (*zones, *scene.agency.crimetype_set.values_list("name", flat=True))
    start = {"officer": ("/",), "admin": ("/admin/",)}.get(
        role, (f"/{scene.agency.slug}/shifts/{ON}/evening/", "/")
    )
    # The administration is walked once, by who works in it: what lies outside is the others'.
    elsewhere = ELSEWHERE if role == "admin" else (*ELSEWHERE, "/admin/")
    left = {}
    pages = [found for found in pages_of(client, start) if not found.address.startswith(elsewhere)]
    assert len(pages) > 3
    for found in pages:
        english = english_in(client.get(found.address, follow=True).content.decode(), own)
        if english:
            left[found.address] = english
    assert left == {}
