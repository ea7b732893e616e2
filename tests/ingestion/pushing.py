"""Feeds that machines push to, their keys, and a client that pushes as a machine does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client

from agencies.models import Agency, CrimeType, User
from ingestion.models import ApiToken, Feed
from tests.factories import make_member

ADDRESSES = {
    "incidents": "/api/v1/incidents/",
    "calls": "/api/v1/calls/",
    "gunfire": "/api/v1/gunfire/",
    "positions": "/api/v1/positions/",
}


def make_gunfire_type(agency: Agency) -> CrimeType:
    """The agency's crime type that acoustic sensors feed."""
    return CrimeType.objects.create(
        agency=agency, name="Gunfire", slug="gunfire", nibrs_code="gunfire", letter="G", colour="#CC79A7"
    )


def push_feed(agency: Agency, record_kind: str = "incidents", slug: str = "", **fields: Any) -> Feed:
    """A feed of this kind without a mapping of its own."""
    slug = slug or f"push-{record_kind}"
    feed = Feed(agency=agency, slug=slug, name=slug, record_kind=record_kind, kind="push", **fields)
    feed.full_clean()
    feed.save()
    return feed


def make_token(
    feed: Feed,
    scope: str = "push",
    *,
    user: User | None = None,
    expiry: timedelta | None = timedelta(days=30),
) -> str:
    """A key for the feed, as its machine holds it."""
    maker = user or make_member(feed.agency, "admin")
    _, secret = ApiToken.objects.create(user=maker, expiry=expiry, agency=feed.agency, feed=feed, scope=scope)
    return str(secret)


def push(token: str | None, kind: str, rows: Any, **extra: Any) -> HttpResponse:
    """POST rows (or a text as it is) as JSON with the key."""
    body = rows if isinstance(rows, str | bytes) else json.dumps(rows)
    headers = {"authorization": f"Token {token}"} if token is not None else {}
    content_type = extra.pop("content_type", "application/json")
    return Client().post(ADDRESSES[kind], body, content_type=content_type, headers=headers, **extra)


def counts_of(answer: HttpResponse) -> dict[str, int]:
    """The account of a batch, without the rows and without zeros."""
    told = answer.json()
    return {name: number for name, number in told.items() if name != "results" and number}
