"""A row with thousands of others hanging from it is not deleted by a page, and the page does not read them to say so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agencies import deleting
from agencies.models import Agency, CrimeType
from ingestion.models import CallForService, Feed, Incident
from tests.factories import make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_operator(), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def feed(agency: Agency) -> Feed:
    return Feed.objects.create(agency=agency, name="RMS", slug="rms")


def incidents(feed: Feed, count: int) -> None:
    at = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    kind = CrimeType.objects.get_or_create(
        agency=feed.agency, slug="assault", defaults={"nibrs_code": "13A"}
    )[0]
    Incident.objects.bulk_create(
        Incident(
            agency=feed.agency, feed=feed, crime_type=kind, external_id=str(n), code="13A", occurred_from=at, occurred_to=at, reported_at=at,
            last_updated_at=at, lon=0.0, lat=0.0, content_hash=n, imported_at=at,
        )
        for n in range(count)
    )  # fmt: skip


def test_a_feed_with_few_records_is_listed_and_deleted(operator: Client, feed: Feed) -> None:
    incidents(feed, 3)
    address = reverse("admin:ingestion_feed_delete", args=[feed.pk])
    assert "Incident" in operator.get(address).content.decode()
    assert operator.post(address, {"post": "yes"}).status_code == 302
    assert not Feed.objects.exists()
    assert not Incident.objects.exists()


def test_a_feed_with_many_records_stays_and_the_page_says_what_to_do(
    operator: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(deleting, "MOST_ROWS", 20)
    incidents(feed, 21)
    address = reverse("admin:ingestion_feed_delete", args=[feed.pk])
    with django_assert_max_num_queries(40):
        answer = operator.get(address)
    text = answer.content.decode()
    assert "more than 20 incidents" in text
    assert "retention policy" in text
    assert operator.post(address, {"post": "yes"}).status_code == 200
    assert Incident.objects.count() == 21


def test_several_chosen_in_the_list_are_counted_together(
    operator: Client, feed: Feed, agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "MOST_ROWS", 20)
    other = Feed.objects.create(agency=agency, name="CAD", slug="cad")
    incidents(feed, 15)
    incidents(other, 15)
    assert deleting.kinds_too_many([feed]) == []
    answer = operator.post(
        reverse("admin:ingestion_feed_changelist"),
        {"action": "delete_selected", "_selected_action": [feed.pk, other.pk], "post": "yes"},
    )
    assert answer.status_code == 200
    assert Feed.objects.count() == 2


def test_what_hangs_deeper_counts_too(agency: Agency, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "MOST_ROWS", 20)
    incidents(feed, 21)
    assert "incidents" in deleting.kinds_too_many([agency])
    assert deleting.kinds_too_many([]) == []


@pytest.mark.sqlite_only
def test_whether_a_crime_type_may_go_does_not_read_every_call(agency: Agency) -> None:
    kinds = CrimeType.objects.filter(agency=agency).values_list("pk", flat=True)
    asked = CallForService.objects.filter(crime_type__in=[*kinds, 0]).values_list("pk", flat=True)
    assert "USING COVERING INDEX call_about_shots_by_type" in asked.explain()
