"""The pages that people work with, read in Spanish, hold no English sentence but what the agency wrote itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from agencies.models import Agency, User
from patrols.models import Mission
from tactics.models import Hunch, SavedReport, Tactic, VisitNote
from tests.eyes import signed_in
from tests.factories import make_member, make_operator
from tests.patrols.scenes import ON, make_scene
from tests.rich_town import ANSWER, ROLES, rich_town
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
# Names of time zones are the world's.
ZONES = ("America/Port_of_Spain", "Europe/Isle_of_Man", "America/Port of Spain", "Europe/Isle of Man")
IN_ENGLISH = frozenset(
    {
        # A pack stays in the language in which it was made, the API's reference is for programmers, and the admin shows a report's
        # frozen figures as they were hashed.
        "tactics:pack", "tactics:public_pack", "api:docs", "admin:tactics_impactreport_change",
    }
)  # fmt: skip
SOMEBODY_ELSES = "admin:django_celery_beat_"
"""Pages of a library, with its own translations."""


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
    own = (*ZONES, *scene.agency.crimetype_set.values_list("name", flat=True))
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


def words_of_the_agency(agency: Agency) -> tuple[str, ...]:
    """What people of the rich town wrote and named themselves, the longest first: a name may be a part of a sentence."""
    found = {
        *ZONES, ANSWER, "Added to the plan.", "No officers left for it.", "share of some group", "Calls for service",
        # Names of an address's parameters.
        "“from”",
    }  # fmt: skip
    tactic = ("name", "steps", "community_note", "evidence_note", "evidence_source", "evidence_effect")
    for model, fields in (
        (Tactic, tactic), (Hunch, ("reason",)), (VisitNote, ("text",)), (SavedReport, ("name",)), (Mission, ("reason",)),
    ):  # fmt: skip
        for row in model.objects.filter(agency=agency).values_list(*fields):
            # A text as a whole, as a field holds it, and line by line, as a list does.
            found |= {" ".join(part.split()) for text in row for part in (text, *text.splitlines())}
    found |= set(agency.crimetype_set.values_list("name", flat=True))
    found |= set(User.objects.values_list("username", flat=True))
    return tuple(sorted(found - {""}, key=len, reverse=True))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_pages_with_content_read_in_spanish_hold_no_english_sentence(
    tmp_path: Path, translated: None
) -> None:
    town = rich_town(tmp_path)
    people = {**{role: town.people[role] for role in ROLES}, "operator": make_operator()}
    own, left, seen = words_of_the_agency(town.agency), {}, set()
    for role, person in people.items():
        client = signed_in(person)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "es"
        start = {"officer": ("/",), "operator": ("/operator/", "/admin/")}.get(role, (town.board, "/"))
        # Others of the agency see less of the administration than its administrator does.
        but = () if role in ("admin", "operator") else ("/admin/",)
        pages = list(pages_of(client, start, but=but))
        assert len(pages) > 15
        for found in pages:
            if found.name in IN_ENGLISH or found.name.startswith(SOMEBODY_ELSES):
                continue
            english = [text for text in english_in(found.text, own) if text not in seen]
            seen |= set(english)
            if english:
                left[f"{role}: {found.address}"] = english
    assert left == {}
