"""Feeds that are due are pulled by the dispatcher: once, never two at a time, and with a word where they cannot be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import pull_queue, pulls_queue
from ingestion.services.fetching import new_pull
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from tests.ingestion.files import plain_feed
from tests.ingestion.portals import DATASET, Portal
from tests.ingestion.pulled import pulled_feed

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed(agency: Agency, portal: Portal) -> Feed:
    return pulled_feed(agency, "socrata", {"domain": portal.url, "dataset": DATASET}, every_minutes=30)


def test_a_due_feed_is_pulled_once_and_its_next_turn_is_noted(feed: Feed) -> None:
    assert pipeline.pulls_due() == 1
    assert Incident.objects.count() == 25
    feed.refresh_from_db()
    assert feed.next_due_at is not None
    assert timedelta(minutes=29) < feed.next_due_at - timezone.now() <= timedelta(minutes=30)
    assert pipeline.pulls_due() == 0
    later = timezone.now() + timedelta(minutes=31)
    assert len(pulls_queue(now=later)) == 1


def test_two_dispatchers_that_saw_the_same_feed_queue_one_pull(feed: Feed, monkeypatch: Any) -> None:
    from ingestion.services import pulls

    seen = pulls.pull_queue
    other: list[int] = []

    def between(**fields: Any) -> Any:
        # The other dispatcher comes by while this one is at work.
        if not other:
            other.append(1)
            assert pulls_queue(now=timezone.now()) == []
        return seen(**fields)

    monkeypatch.setattr(pulls, "pull_queue", between)
    assert len(pulls_queue(now=timezone.now())) == 1
    assert ImportRun.objects.count() == 1


def test_an_unfinished_pull_lets_the_feed_miss_its_turn(feed: Feed) -> None:
    run = pull_queue(feed=feed)
    assert pulls_queue(now=timezone.now()) == []
    with pytest.raises(MissionsError, match="waiting or running already"):
        pull_queue(feed=feed)
    with pytest.raises(IntegrityError), transaction.atomic():
        ImportRun.objects.create(agency=feed.agency, feed=feed, pull=new_pull({}), status="running")
    run.delete()
    Feed.objects.update(next_due_at=None)
    assert len(pulls_queue(now=timezone.now())) == 1


def test_nothing_is_due_for_feeds_by_hand_switched_off_unmapped_or_of_files(
    feed: Feed, agency: Agency, django_assert_num_queries: Any
) -> None:
    Feed.objects.update(every_minutes=None)
    params = {"url": "https://example.org/a.csv"}
    pulled_feed(agency, "csv_url", params, slug="off", every_minutes=5, is_active=False)
    Feed.objects.create(agency=agency, name="u", slug="u", kind="csv_url", every_minutes=5)
    plain_feed(agency, "files", every_minutes=5)
    with django_assert_num_queries(1):
        assert pulls_queue(now=timezone.now()) == []


def test_a_feed_that_cannot_be_pulled_leaves_a_failed_run_that_says_why(feed: Feed, agency: Agency) -> None:
    Feed.objects.update(params={"domain": "", "dataset": DATASET})
    assert pipeline.pulls_due() == 0
    run = ImportRun.objects.get()
    assert run.status == "failed"
    assert "Portal" in run.error
    assert pipeline.pulls_due() == 0, "and is not tried each minute"
    assert ImportRun.objects.count() == 1


def test_an_import_elsewhere_in_the_database_does_not_stop_the_fetching(
    feed: Feed, agency: Agency, monkeypatch: Any
) -> None:
    from ingestion.services import ImportBusy, locks

    calls: list[str] = []
    held = locks._file_lock

    def busy_twice(suffix: str, what: str) -> Any:
        calls.append(suffix)
        if suffix == "import-lock" and calls.count("import-lock") < 3:
            raise ImportBusy("Another import is running.", next_step="wait.")
        return held(suffix, what)

    monkeypatch.setattr(locks, "_file_lock", busy_twice)
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: None)
    pipeline.pulls_due()
    assert Incident.objects.count() == 25
