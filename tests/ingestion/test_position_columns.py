"""Vehicle positions under the sender's own names: said on the feed's page, read from the next batch on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import Feed, VehiclePosition
from tests.ingestion.files import place
from tests.ingestion.pushing import make_token, push, push_feed

pytestmark = pytest.mark.django_db
OURS = {"name": "AVL", "slug": "avl", "record_kind": "positions", "kind": "push", "is_active": "on"}
THEIRS = {
    "position_unit": "VehicleID",
    "position_at": "GpsTime",
    "position_lon": "X",
    "position_lat": "Y",
    "position_date_format": "epoch",
}


@pytest.fixture
def feed(agency: Agency) -> Feed:
    return push_feed(agency, "positions", slug="avl")


def address(feed: Feed) -> str:
    return reverse("admin:ingestion_feed_change", args=[feed.pk])


def test_names_said_on_the_page_are_read_from_json_and_csv_and_nothing_else_is(
    feed: Feed, owner: Any, sign_in: Any
) -> None:
    client = sign_in(owner)
    page = client.post(address(feed), OURS | THEIRS)
    assert page.status_code == 302, page.content.decode()[:3000]
    feed.refresh_from_db()
    token, (lon, lat) = make_token(feed), place(1)
    seconds = int(timezone.now().timestamp()) - 60
    row = {"VehicleID": "A12", "GpsTime": seconds, "X": lon, "Y": lat, "Driver": "Roe"}
    answer = push(token, "positions", [row]).json()
    assert (answer["received"], answer["inserted"]) == (1, 1), answer
    sheet = f"Driver,GpsTime,Y,X,VehicleID\nRoe,{seconds + 5},{lat},{lon},A13\n"
    assert push(token, "positions", sheet, content_type="text/csv").json()["inserted"] == 1
    kept = VehiclePosition.objects.order_by("unit_code")
    assert [(one.unit_code, int(one.at.timestamp())) for one in kept] == [
        ("A12", seconds),
        ("A13", seconds + 5),
    ]
    assert "VehicleID, GpsTime, X, Y" in client.get(address(feed)).content.decode()
    # The documented names are no longer this feed's.
    refused = push(
        token, "positions", [{"unit": "A1", "at": "2026-03-01T10:00Z", "lon": lon, "lat": lat}]
    ).json()
    assert refused["results"][0]["code"] == "missing_unit"


def test_the_zone_and_format_of_the_sender_are_kept(feed: Feed, owner: Any, sign_in: Any) -> None:
    sent = {"position_date_format": "%m/%d/%Y %H:%M:%S", "position_time_zone": "UTC"}
    sign_in(owner).post(address(feed), OURS | sent)
    feed.refresh_from_db()
    at = (timezone.now() - timedelta(minutes=2)).replace(microsecond=0)
    lon, lat = place(1)
    row = {"unit": "A1", "at": at.strftime("%m/%d/%Y %H:%M:%S"), "lon": lon, "lat": lat}
    assert push(make_token(feed), "positions", [row]).json()["inserted"] == 1
    assert VehiclePosition.objects.get().at == at


def test_empty_names_are_the_documented_ones_and_store_no_mapping(
    feed: Feed, owner: Any, sign_in: Any
) -> None:
    client = sign_in(owner)
    client.post(address(feed), OURS | THEIRS)
    client.post(address(feed), OURS)
    feed.refresh_from_db()
    assert feed.mapping == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position_unit": "Officer Name"}, "position_unit"),
        ({"position_lon": "lat"}, "already"),
        ({"position_time_zone": "Mars/Base"}, "is no time zone"),
        ({"position_time_zone": "../../etc/passwd"}, "is no time zone"),
        ({"position_date_format": "sometime"}, "epoch_ms"),
        ({"position_unit": "x" * 101}, "at most 100"),
    ],
)
def test_names_that_cannot_be_used_are_refused_on_the_field(
    feed: Feed, owner: Any, sign_in: Any, changes: dict[str, str], words: str
) -> None:
    page = sign_in(owner).post(address(feed), OURS | changes)
    assert page.status_code == 200
    assert words in page.content.decode()
    feed.refresh_from_db()
    assert feed.mapping == {}


def test_a_stored_mapping_that_cannot_be_used_is_answered_with_the_next_step(feed: Feed) -> None:
    feed.mapping = {"record_kind": "positions", "columns": {"unit": "Officer Name"}}
    feed.save()
    answer = push(make_token(feed), "positions", [{"unit": "A1"}])
    assert (answer.status_code, answer.json()["code"]) == (409, "feed_not_ready")


def test_another_kind_of_feed_has_no_such_fields(agency: Agency, owner: Any, sign_in: Any) -> None:
    page = sign_in(owner).get(address(push_feed(agency, "calls"))).content.decode()
    assert "position_unit" not in page
