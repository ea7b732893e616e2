"""The data quality page in a browser: charts load under the strict policy, a phone needs no sideways scrolling, a code is mapped."""

from __future__ import annotations

import pytest
from django.urls import reverse

from ingestion.models import Incident, OffenceCode
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import, write_rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HEADER = (*COLUMNS, "description")


@pytest.fixture
def feed(agency, tmp_path):
    made = plain_feed(agency, header=HEADER)
    rows = [
        good_row(number, description="a rather long description of what happened there")
        for number in range(60)
    ]
    rows += [good_row(100 + n, code="HB", nibrs_code="", description="house break") for n in range(5)]
    run_import(made, write_rows(tmp_path / "a.csv", rows, HEADER))
    return made


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_every_chart_is_drawn(feed, agency, signed_in_page, width):
    page = signed_in_page("analyst", agency)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(reverse("ingestion:quality", args=[agency.slug, feed.slug]))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = page.eval_on_selector_all("img.chart", "images => images.map(image => image.naturalWidth)")
    assert len(drawn) == 2, "days and clock; two years and report times are not there"
    assert all(drawn)


def test_a_code_is_mapped_by_choosing_and_one_click(feed, agency, signed_in_page):
    page = signed_in_page("analyst", agency)
    page.goto(reverse("ingestion:quality", args=[agency.slug, feed.slug]))
    page.get_by_label("What code HB is").select_option("burglary")
    page.get_by_role("button", name="Map").click()
    page.get_by_text("The rows that waited for it are read again").wait_for()
    assert OffenceCode.objects.get(code="HB").crime_type.slug == "burglary"
    assert Incident.objects.filter(feed=feed).count() == 65
