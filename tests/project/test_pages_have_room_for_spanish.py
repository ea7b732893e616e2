"""Spanish runs longer than English: no page of the product is wider than a phone or than a zoomed screen in it, and no text is cut.

Only widths are looked at; colours, names and roles are those of the English pages (``test_every_page_is_fit_to_be_seen``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from agencies.models import User
from tests.eyes import Eyes, signed_in, without_room
from tests.project.test_every_page_is_fit_to_be_seen import more_pages
from tests.rich_town import RichTown, rich_town
from tools.page_walk import Found, pages_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

IN_ITS_OWN_LANGUAGE = ("tactics:public_pack",)
"""A pack that was published stays in the language in which it was."""


@pytest.fixture
def town(live_server: Any, tmp_path: Path) -> RichTown:
    return rich_town(tmp_path)


def pages_in_spanish(client: Client, town: RichTown) -> list[Found]:
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "es"
    return list(pages_of(client, (town.board, "/"), but=("/admin/",)))


def all_without_room(eyes: Eyes, person: User, pages: list[Found]) -> str:
    walk = eyes.walk(person, "es")
    told = []
    for found in pages:
        walk.go(found.address)
        if walk.page.locator("html").get_attribute("lang") != "es" and found.name not in IN_ITS_OWN_LANGUAGE:
            told.append(f"{found.name} ({found.address}): is not in Spanish")
        told += [f"{found.name} ({found.address}): {line}" for line in without_room(walk.page)]
    return "\n".join(told)


def test_pages_of_the_product_have_room_for_spanish(eyes: Eyes, town: RichTown, translated: None) -> None:
    admin = town.people["admin"]
    pages = pages_in_spanish(signed_in(admin), town)
    assert len(pages) > 40
    assert not (wrong := all_without_room(eyes, admin, pages + more_pages(town))), f"\n{wrong}"


def test_an_officers_pages_have_room_for_spanish(eyes: Eyes, town: RichTown, translated: None) -> None:
    """The administrator acts for units on the phone's page; an officer has a unit's own."""
    officer = town.people["officer"]
    client = signed_in(officer)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "es"
    pages = list(pages_of(client, but=("/admin/", "/accounts/")))
    assert {"tactics:officer", "tactics:hunch"} <= {found.name for found in pages}
    assert not (wrong := all_without_room(eyes, officer, pages)), f"\n{wrong}"
