"""A pull feed's page in a browser, under the strict content policy: a key goes in, Pull now works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ingestion.models import Feed, ImportRun
from ingestion.services import feed_secrets
from tests import factories
from tests.ingestion.portals import DATASET, Portal
from tests.ingestion.pulled import pulled_feed

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_key_is_entered_and_the_feed_is_pulled(signed_in_page: Callable[..., Page], portal: Portal) -> None:
    agency = factories.make_agency()
    feed = pulled_feed(agency, "socrata", {"domain": portal.url, "dataset": DATASET})
    page = signed_in_page("admin", agency)
    page.goto(f"/admin/ingestion/feed/{feed.pk}/change/")
    key = page.get_by_label("App token")
    assert key.get_attribute("type") == "password"
    key.fill("hush-hush")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_url("**/change/")
    assert page.get_by_label("App token").input_value() == ""
    assert "A value is stored" in page.content()
    feed.refresh_from_db()
    assert feed_secrets(feed) == {"app_token": "hush-hush"}
    page.get_by_role("button", name="Pull now").click()
    page.wait_for_url("**/importrun/**")
    assert "hush-hush" not in page.content()
    assert Feed.objects.get().runs.get() == ImportRun.objects.get(status="succeeded")
