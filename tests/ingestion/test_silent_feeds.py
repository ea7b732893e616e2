"""A feed that stops is silent after the hours that were set for it, or that its kind of record suggests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import Feed
from ingestion.selectors import feeds_with_health
from tests.ingestion.files import good_row, place, plain_feed, run_import, write_rows
from tests.ingestion.pushing import make_gunfire_type, make_token, push, push_feed

pytestmark = pytest.mark.django_db


def health(feed: Feed, hours: float) -> tuple[str, str]:
    """Tone and words so many hours from now."""
    rows = feeds_with_health(feed.agency, now=timezone.now() + timedelta(hours=hours))
    row = next(row for row in rows if row.feed.pk == feed.pk)
    return row.tone, row.words


def pushed(agency: Agency, kind: str, **fields: Any) -> Feed:
    feed = push_feed(agency, kind, **fields)
    lon, lat = place(1)
    at = (timezone.now() - timedelta(minutes=1)).isoformat()
    rows = [{"id": "1", "unit": "A1", "at": at, "occurred_at": at, "lon": lon, "lat": lat}]
    assert push(make_token(feed), kind, rows).status_code == 200
    return feed


@pytest.mark.parametrize(
    ("kind", "hours"), [("positions", 2), ("calls", 12), ("gunfire", 72), ("incidents", 72)]
)
def test_pushes_are_silent_after_the_hours_that_suit_their_kind(
    agency: Agency, kind: str, hours: int
) -> None:
    make_gunfire_type(agency)
    feed = pushed(agency, kind)
    assert not health(feed, hours - 0.5)[1].startswith("Silent")
    tone, words = health(feed, hours + 0.5)
    assert tone == "bad"
    assert words.startswith("Silent for more than")
    assert "Is the sender still running?" in words


def test_hours_of_its_own_decide_for_pushes_and_for_files(agency: Agency, tmp_path: Any) -> None:
    feed = pushed(agency, "positions", silent_after_hours=10)
    assert health(feed, 9)[0] == "good"
    assert health(feed, 11)[0] == "bad"
    filed = plain_feed(agency)
    filed.silent_after_hours = 30
    filed.save()
    assert health(filed, 100)[1].startswith("Nothing imported yet"), "new, not silent"
    run_import(filed, write_rows(tmp_path / "a.csv", [good_row(number) for number in range(3)]))
    assert not health(filed, 29)[1].startswith("Silent")
    assert health(filed, 31)[1].startswith(
        "Silent: no new row for 31 hours, and 30 hours are set as the longest"
    )
    assert health(filed, 24 * 70)[1].startswith("Silent"), (
        "also when the last row came longer ago than one looks back"
    )


def test_a_file_that_brings_nothing_new_does_not_end_the_silence(agency: Agency, tmp_path: Any) -> None:
    feed = plain_feed(agency)
    feed.silent_after_hours = 1
    feed.save()
    path = write_rows(tmp_path / "a.csv", [good_row(number) for number in range(3)])
    run_import(feed, path)
    feed.runs.update(queued_at=timezone.now() - timedelta(hours=2))
    run_import(feed, path)
    assert health(feed, 0)[1].startswith("Silent")


def test_the_hours_are_set_on_the_feeds_page_and_impossible_ones_refused(
    agency: Agency, owner: Any, sign_in: Any
) -> None:
    feed = push_feed(agency, "positions")
    address = reverse("admin:ingestion_feed_change", args=[feed.pk])
    client = sign_in(owner)
    assert 'name="silent_after_hours"' in client.get(address).content.decode()
    sent = {
        "name": feed.name,
        "slug": feed.slug,
        "record_kind": "positions",
        "kind": "push",
        "is_active": "on",
    }
    client.post(address, sent | {"silent_after_hours": "4"})
    feed.refresh_from_db()
    assert feed.silent_after_hours == 4
    for hours in (0, 1_441):
        feed.silent_after_hours = hours
        with pytest.raises(ValidationError):
            feed.full_clean()
