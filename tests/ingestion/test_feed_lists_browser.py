"""The lists of feeds on a desk and on a phone: every column is on the screen, nothing is to be pushed sideways."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.urls import reverse

from ingestion.models import Feed
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import, write_rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDER = """() => [...document.querySelectorAll('.scroll, .results')]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => [one.className, one.scrollWidth, one.clientWidth])"""


@pytest.fixture
def feed(agency, tmp_path) -> Feed:
    made = plain_feed(agency, slug="records", header=COLUMNS)
    rows = [good_row(number) for number in range(60)]
    rows += [good_row(100 + n, code="HB", nibrs_code="") for n in range(5)]
    rows += [good_row(200 + n, lat="", lon="") for n in range(4)]
    run_import(made, write_rows(tmp_path / "a_rather_long_name_of_an_export_2025.csv", rows, COLUMNS))
    plain_feed(agency, slug="computer-aided-dispatch", header=COLUMNS, record_kind="calls")
    return made


def kept_picture(page, name: str) -> None:
    """A screenshot for whoever wants to look (PICTURES names a folder)."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("which", ["admin", "data", "kept"])
def test_nothing_of_the_lists_scrolls_away(feed, agency, signed_in_page, width, which):
    page = signed_in_page("admin", agency)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(
        {
            "admin": reverse("admin:ingestion_feed_changelist"),
            "data": reverse("ingestion:data", args=[agency.slug]),
            "kept": reverse("ingestion:kept", args=[agency.slug, feed.slug]),
        }[which]
    )
    page.wait_for_load_state("networkidle")
    kept_picture(page, f"{which}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER) == []
    if which == "admin" and width == 390:
        shown = "one => getComputedStyle(one, '::before').content"
        assert page.locator(".field-stored").first.evaluate(shown) == '"Stored"'
    assert page.get_by_text("RECORDS").first.is_visible()
