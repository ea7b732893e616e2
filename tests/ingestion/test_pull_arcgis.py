"""Pulling an ArcGIS layer: its cap on rows, its own geometry, errors that come with status 200."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import draft_fetch
from ingestion.sources import SourceError, pull_source
from missions_project.lib.errors import MissionsError
from tests.ingestion.portals import Portal, answers, crime, fine
from tests.ingestion.pulled import CRIME, account, pull, pulled_feed

pytestmark = pytest.mark.django_db
MAPPING: FeedMapping = CRIME.replaced(
    columns={**CRIME.columns, "lon": "geo.longitude", "lat": "geo.latitude"}
)


@pytest.fixture
def feed(agency: Agency, portal: Portal) -> Feed:
    portal.max_rows = 10
    return pulled_feed(agency, "arcgis", {"url": portal.layer}, MAPPING)


def queries(portal: Portal) -> list[dict[str, str]]:
    return [asked.query for asked in portal.asked if asked.path.endswith("/query")]


@pytest.mark.parametrize("oddity", ["", "forgets_the_flag", "cannot_order"])
def test_a_layer_is_read_past_its_cap_whatever_the_server_can_do(
    feed: Feed, portal: Portal, oddity: str
) -> None:
    portal.forgets_the_flag = oddity == "forgets_the_flag"
    portal.can_order = oddity != "cannot_order"
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)
    asked = [query for query in queries(portal) if "returnIdsOnly" not in query]
    assert all(query["outSR"] == "4326" for query in asked)
    assert all("victim_name" not in query["outFields"] for query in asked)
    incident = Incident.objects.get(external_id="C00003")
    assert incident.lon == pytest.approx(float(portal.rows[3]["longitude"]))


def test_later_pulls_ask_for_what_was_edited_since(feed: Feed, portal: Portal) -> None:
    pull(feed)
    portal.asked.clear()
    portal.rows[5] |= {":updated_at": "2025-06-28T10:00:00.000Z", "iucr": "0620"}
    assert account(pull(feed))[:3] == (2, 0, 1)
    assert "EDITED >= TIMESTAMP '2025-06-25 09:00:00'" in queries(portal)[0]["where"]


def test_errors_inside_a_good_status_are_errors(feed: Feed, portal: Portal) -> None:
    busy = answers(200, b'{"error": {"code": 504, "message": "Timeout"}}')
    portal.faults.extend([fine, busy, fine])
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)
    wrong = answers(200, b'{"error": {"code": 400, "message": "Bad", "details": ["where"]}}')
    portal.faults.extend([fine, wrong])
    with pytest.raises(MissionsError, match="does not accept the query"):
        pull(feed)


def test_a_server_that_sends_one_page_for_ever_is_left(feed: Feed, portal: Portal) -> None:
    rows = [{**row, "OBJECTID": number + 1, "EDITED": None} for number, row in enumerate(portal.rows[:10])]
    page = json.dumps({"features": [{"attributes": row} for row in rows], "exceededTransferLimit": True})
    portal.faults.extend([fine, *[answers(200, page.encode())] * 3])
    with pytest.raises(MissionsError, match="same rows again and again"):
        pull(feed)


def test_a_token_is_sent_in_the_body_and_stands_in_no_row(feed: Feed, portal: Portal) -> None:
    from ingestion.services import feed_secrets_seal

    portal.token = "t0ken-of-the-layer"
    with pytest.raises(MissionsError, match="wants a"):
        pull(feed)
    feed_secrets_seal(feed=feed, values={"token": portal.token}).save()
    assert account(pull(feed))[1] == 25
    assert portal.token not in repr(list(ImportRun.objects.values())) + repr(list(Feed.objects.values()))


def test_a_column_that_is_gone_is_named(feed: Feed, portal: Portal) -> None:
    for row in portal.rows:
        row["fbi"] = row.pop("fbi_code")
    with pytest.raises(SourceError, match="no longer has the columns fbi_code"):
        pull(feed)


def test_a_row_without_a_place_is_kept_aside(feed: Feed, portal: Portal) -> None:
    portal.rows[4] = crime(4, latitude=None)
    assert account(pull(feed)) == (25, 24, 0, 0, 1, 0)


def test_a_sample_has_the_geometry_and_nobody_s_name(feed: Feed, portal: Portal, settings: Any) -> None:
    draft_fetch(feed=feed)
    header, first, *_ = next(Path(settings.SPOOL_DIR).iterdir()).read_text().splitlines()
    assert header.split(",")[-2:] == ["geo.longitude", "geo.latitude"]
    assert "Jane" not in first


@pytest.mark.parametrize(
    "url", ["ftp://x/FeatureServer/0", "https://x/FeatureServer", "https://x/FeatureServer/0?token=a"]
)
def test_an_address_that_is_no_layer_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match="not that of a layer"):
        pull_source("arcgis", {"url": url}, {})
