"""Feeds that are pulled, for tests: mapped, pointed at a local portal, run in place."""

from __future__ import annotations

from typing import Any

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.models import Feed, ImportRun
from ingestion.services import feed_secrets_seal, import_run_execute, pull_queue

CRIME = FeedMapping(
    columns={
        "external_id": "case_number",
        "code": "iucr",
        "ucr_code": "fbi_code",
        "occurred_from": "date",
        "lon": "longitude",
        "lat": "latitude",
    }
)


def pulled_feed(
    agency: Agency, kind: str, params: dict[str, Any], mapping: FeedMapping = CRIME, **fields: Any
) -> Feed:
    """A mapped feed of this kind."""
    secrets = fields.pop("secrets", {})
    fields.setdefault("slug", "portal")
    feed = Feed(
        agency=agency,
        name="Portal",
        kind=kind,
        params=params,
        mapping=mapping.to_json(),
        **fields,
    )
    feed_secrets_seal(feed=feed, values=secrets)
    feed.full_clean()
    feed.save()
    return feed


def pull(feed: Feed) -> ImportRun:
    """One pull of the feed, done. Raises what it failed with."""
    feed.refresh_from_db()
    return import_run_execute(run=pull_queue(feed=feed))


def account(run: ImportRun) -> tuple[int, int, int, int, int, int]:
    """received, inserted, updated, unchanged, quarantined, refused; and they add up."""
    names = ("received", "inserted", "updated", "unchanged", "quarantined", "refused")
    counts = tuple(run.counts[name] for name in names)
    assert counts[0] == sum(counts[1:]), run.counts
    return counts  # type: ignore[return-value]
