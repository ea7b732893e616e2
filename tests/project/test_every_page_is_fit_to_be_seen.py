"""Every page that a person can open: axe's rules in both themes, 360 px, 200 % zoom, weight, movement, no stranger asked.

They are looked at in a town that has been at work for weeks (``tests.rich_town``): reports with figures, packs with findings,
studies in each of their states, models beside each other, rows kept aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agencies.models import User
from tests.eyes import signed_in
from tests.factories import make_agency, make_operator
from tests.looking import COLOUR_RULES, NARROW, WATCH_SHIFTS, too_wide, violations, watch_traffic
from tests.rich_town import ROLES, RichTown, rich_town
from tools.page_walk import Found, page_name, pages_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SAME_EVERYWHERE = ("_history", "_delete")
"""Django's pages that differ from room to room by their rows only: one of each is looked at."""
HELD = {
    "api:docs": 200,
    "patrols:board": 4, "patrols:plan": 15, "patrols:print": 15, "patrols:roster": 8, "patrols:compare": 30, "forecasting:risk": 20,
    "forecasting:model burglary": 60, "forecasting:model_compare burglary": 40, "tactics:report crime-trends": 50,
    "tactics:report coverage": 60, "tactics:report shifts": 20, "tactics:report tactics": 40, "tactics:report effectiveness": 20,
    "tactics:report builder": 4, "patrols:dosage": 12, "patrols:completeness": 12, "tactics:catalogue": 15, "tactics:packs": 3,
    "tactics:pack": 150, "tactics:public_pack": 150, "tactics:design": 12, "tactics:curves": 8, "tactics:optimise": 5,
    "tactics:reports": 3, "ingestion:data": 8, "ingestion:quality records": 40, "ingestion:kept records": 20,
    "agencies:audit_log": 12,
}  # fmt: skip
"""Pages that must be reached, and the rows of tables that they hold at least: a town that grew empty would make this test blind."""

_walks: dict[str, list[Found]] = {}


def pages_by_links(town: RichTown, role: str) -> list[Found]:
    """The pages that a role reaches; the admin's are the administrator's alone. Walked once: the town is the same in each test."""
    if role not in _walks:
        start = ("/",) if role == "officer" else (town.board, "/")
        but = () if role == "admin" else ("/admin/",)
        _walks[role] = list(pages_of(signed_in(town.people[role]), start, but=but))
    return _walks[role]


def product_pages(town: RichTown, role: str) -> list[Found]:
    return [one for one in pages_by_links(town, role) if not is_admin(one)]


def more_pages(town: RichTown) -> list[Found]:
    """What a page looks like in another state: links lead to one row of each page only."""
    base, day = f"/{town.agency.slug}", f"{town.on}"
    more = {
        "no plan": f"{base}/shifts/{day}/day/",
        "shift that is over": f"{base}/shifts/{town.before}/evening/",
        "pack published": f"{base}/packs/{town.packs[0].number}/",
        "version that waits": f"{base}/models/burglary/?v=2",
        "report refused": f"{base}/reports/coverage/?from=2026-03-02&to=2026-03-01",
        "report empty": f"{base}/reports/crime-trends/?from=2020-01-01&to=2020-01-07",
        "incidents by hour and type": f"{base}/reports/builder/?by=hour&then=type",
        "audit log empty": f"{base}/audit-log/?subject=nothing+of+the+kind",
        "policy tried": f"{base}/policy/preview/?gamma=2.5",
        **{f"study {state}": f"{base}/studies/{study.pk}/" for state, study in town.studies.items()},
    }
    return [Found(name, address) for name, address in more.items()]


class Shape(HTMLParser):
    """What a page's middle is built of, without its texts and rows: elements with classes, fields, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: set[tuple[str | None, ...]] = set()
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside |= tag == "main"
        if self._inside:
            given = dict(attrs)
            leads = page_name(given["href"] or "") if given.get("href") else ""
            self.parts.add((tag, given.get("class"), given.get("type"), given.get("name"), leads))

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag != "main"


def rows_in(text: str) -> int:
    return text.count("<tr")


@pytest.fixture
def town(live_server: Any, tmp_path: Path) -> RichTown:
    return rich_town(tmp_path)


def all_wrong(look: Callable[[User | None, str], list[str]], person: User | None, pages: list[Found]) -> str:
    told = []
    for found in pages:
        told += [f"{found.name} ({found.address}): {line}" for line in look(person, found.address)]
    return "\n".join(told)


def is_admin(found: Found) -> bool:
    return found.name.startswith("admin:")


def test_the_town_holds_what_is_to_be_looked_at(town: RichTown) -> None:
    rows = {found.name: rows_in(found.text) for found in product_pages(town, "admin")}
    assert {name: rows.get(name) for name, least in HELD.items() if rows.get(name, 0) < least} == {}
    activity = next(
        one for one in product_pages(town, "supervisor") if one.name == "tactics:report unit-activity"
    )
    assert rows_in(activity.text) > 30
    pages = {found.name: found.text for found in product_pages(town, "admin")}
    assert pages["tactics:report crime-trends"].count('<img class="chart"') == 2
    assert "waits for an answer" in pages["tactics:packs"] or "wait for an answer" in pages["tactics:packs"]
    assert "lights out behind the station" in pages["tactics:hunches"]
    assert "Monday staff meeting" in pages["tactics:reports"]
    notes = signed_in(town.people["admin"]).get(f"{town.board}notes/").content.decode()
    assert "Watch the lot behind Market St." in notes
    assert 'data-mission="' in pages["patrols:board"]
    mine = next(one.text for one in product_pages(town, "officer") if one.name == "tactics:officer")
    assert f"/my/{town.visited.pk}/leave/" in mine
    for state, sentence in (
        ("reported", "effect_chart"),
        ("frozen", "hash"),
        ("cancelled", "No officers left"),
    ):
        found = (
            signed_in(town.people["admin"])
            .get(f"/riverton/studies/{town.studies[state].pk}/")
            .content.decode()
        )
        assert sentence in found or "effect.svg" in found, state


def test_pages_of_the_product_are_fit_to_be_seen(town: RichTown, look: Callable[..., list[str]]) -> None:
    pages = product_pages(town, "admin")
    assert {"tactics:officer", "tactics:hunch", "tactics:studies", *HELD} <= {found.name for found in pages}
    assert not (wrong := all_wrong(look, town.people["admin"], pages)), f"\n{wrong}"


def test_pages_in_their_other_states_are_fit_to_be_seen(
    town: RichTown, look: Callable[..., list[str]]
) -> None:
    assert not (wrong := all_wrong(look, town.people["admin"], more_pages(town))), f"\n{wrong}"


def test_pages_of_each_role_are_fit_to_be_seen(town: RichTown, look: Callable[..., list[str]]) -> None:
    """Each page that holds something for a role which nobody before it was shown on that page.

    A role's first page is looked at in any case, for the frame around it. A page whose middle consists of elements, classes,
    fields and links that this page had for the administrator, or for a role before this one, is not looked at again: what is
    less there than elsewhere was looked at with more around it.
    """
    seen: dict[str, set[tuple[str | None, ...]]] = defaultdict(set)
    for one in product_pages(town, "admin"):
        seen[one.name] |= Shape(one.text).parts
    told, looked = [], {}
    for role in ROLES[1:]:
        pages = []
        for found in product_pages(town, role):
            parts = Shape(found.text).parts
            if not pages or parts - seen[found.name]:
                pages.append(found)
            seen[found.name] |= parts
        looked[role] = [found.name for found in pages]
        told.append(all_wrong(look, town.people[role], pages))
    assert "tactics:report unit-activity" in looked["supervisor"]
    assert "tactics:officer" in looked["officer"]
    assert {looked[role][0] for role in ("supervisor", "analyst", "auditor")} == {"patrols:board"}
    assert not (wrong := "\n".join(filter(None, told))), f"\n{wrong}"


def test_pages_of_the_operator_are_fit_to_be_seen(town: RichTown, look: Callable[..., list[str]]) -> None:
    make_agency("lakeside")
    operator = make_operator()
    pages = list(
        pages_of(
            signed_in(operator),
            ("/operator/", "/"),
            but=("/admin/", "/lakeside/", "/riverton/", "/accounts/"),
        )
    )
    assert [found.name for found in pages] == ["operator", "home"]
    assert "No unit is on duty" in pages[0].text
    assert not (wrong := all_wrong(look, operator, pages)), f"\n{wrong}"


def test_pages_of_the_admin_that_only_the_operator_has_are_fit_to_be_seen(
    town: RichTown, look: Callable[..., list[str]]
) -> None:
    """What an agency's administrator reaches too is looked at below; schedules, keys and agencies to be are the operator's alone."""
    operator, seen = make_operator(), {found.name for found in pages_by_links(town, "admin")}
    reached = pages_of(signed_in(operator), ("/admin/",), but=("/riverton/", "/accounts/", "/operator/"))
    pages = [found for found in reached if is_admin(found) and found.name not in seen]
    names = {found.name for found in pages}
    assert {"admin:agencies_agency_add", "admin:django_celery_beat_periodictask_add"} <= names
    assert not (wrong := all_wrong(look, operator, pages)), f"\n{wrong}"


@pytest.mark.parametrize("room", ["agencies", "ingestion", "forecasting", "patrols", "tactics", ""])
def test_pages_of_the_admin_are_fit_to_be_seen(
    town: RichTown, look: Callable[..., list[str]], room: str
) -> None:
    rooms = ("agencies", "ingestion", "forecasting", "patrols", "tactics")
    pages, seen = [], set()
    for found in pages_by_links(town, "admin"):
        if not is_admin(found) or next((one for one in rooms if f":{one}_" in found.name), "") != room:
            continue
        kind = next((end for end in SAME_EVERYWHERE if found.name.endswith(end)), found.name)
        if kind not in seen:
            seen.add(kind)
            pages.append(found)
    assert pages
    assert not (wrong := all_wrong(look, town.people["admin"], pages)), f"\n{wrong}"


def test_pages_before_signing_in_and_pages_that_fail_are_fit_to_be_seen(
    town: RichTown, look: Callable[..., list[str]]
) -> None:
    anybody = (
        "/accounts/login/",
        "/accounts/password/reset/",
        "/riverton/transparency/",
        "/riverton/transparency/1/",
    )
    told = [f"{at}: {line}" for at in anybody for line in look(None, at)]
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
