"""The wizard in a real browser: its map draws, its policy holds, and a person can walk through it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agencies.models import User
from ingestion.models import Feed, ImportRun, Incident
from tests import factories
from tests.ingestion.test_wizard import odd_file

ARTIFACTS = Path(__file__).resolve().parent.parent / "artifacts"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_administrator_walks_through_the_wizard(signed_in_page, tmp_path, live_server):
    agency = factories.make_agency()
    feed = Feed.objects.create(agency=agency, name="RMS incidents", slug="rms")
    file = tmp_path / "march.csv"
    file.write_bytes(odd_file(120))
    page = signed_in_page(factories.make_member(agency, "admin", username="owner"))
    assert User.objects.filter(username="owner").exists()
    page.goto(f"{live_server.url}/admin/ingestion/feed/{feed.pk}/upload/")
    page.set_input_files("input[type=file]", file)
    page.click("text=Read the file")
    page.fill("input[name=crs]", "32616")
    page.click("text=Check dates and places")
    page.wait_for_selector("[data-places-ready=yes]")
    assert "All of the first 120 places lie inside" in page.inner_text("[data-places-message]")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "wizard_columns.png", full_page=True)
    page.click("input[value=Continue]")
    page.screenshot(path=ARTIFACTS / "wizard_codes.png", full_page=True)
    # The pages' own choices: one code is suggested, both have one fitting crime type.
    assert page.locator("select[name^=type_]").count() == 2
    page.click("input[value=Continue]")
    page.screenshot(path=ARTIFACTS / "wizard_review.png", full_page=True)
    page.click("text=Save the mapping and import the file")
    page.wait_for_url(re.compile("/admin/ingestion/importrun/"))
    page.wait_for_selector("text=Succeeded")
    page.screenshot(path=ARTIFACTS / "wizard_run.png", full_page=True)
    assert ImportRun.objects.get().status == "succeeded"
    assert Incident.objects.count() == 80
    page.goto(f"{live_server.url}/riverton/data/")
    assert "In order" in page.inner_text("main") or "days old" in page.inner_text("main")
    page.screenshot(path=ARTIFACTS / "data.png", full_page=True)
    page.goto(f"{live_server.url}/admin/ingestion/feed/")
    page.screenshot(path=ARTIFACTS / "feeds.png", full_page=True)
