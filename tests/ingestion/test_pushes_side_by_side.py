"""Many machines at once: the last stage still wins, every row is counted once, and nobody waits for nobody's reason."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import GunfireAlert, ImportRun, PushTally
from ingestion.selectors import feeds_with_health
from ingestion.services import push_days_fold
from tests.factories import make_agency
from tests.ingestion.files import good_row, place
from tests.ingestion.pushing import make_gunfire_type, make_token, push, push_feed

pytestmark = pytest.mark.django_db(transaction=True)
SENDERS, ROUNDS = 6, 5
SHOT_AT = dt.datetime(2026, 3, 1, 21, 40, 7, tzinfo=dt.UTC)


def at_once(work: Callable[[int], None], n: int = SENDERS) -> None:
    """Run ``work(0…n-1)`` in threads that start together; the first failure of any of them is raised."""
    gate = threading.Barrier(n)

    def run(number: int) -> None:
        try:
            gate.wait(10)
            work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as pool:
        for done in [pool.submit(run, number) for number in range(n)]:
            done.result()


@pytest.fixture
def city(transactional_db: None) -> Agency:
    agency = make_agency()
    make_gunfire_type(agency)
    return agency


def test_stages_that_arrive_at_once_leave_the_last_one(city: Agency) -> None:
    """Between comparing and writing, an older stage must not slip in over a newer one."""
    token = make_token(push_feed(city, "gunfire"))
    lon, lat = place(1)
    stages = ("detected", "reviewed", "dismissed")

    def send(number: int) -> None:
        for step in range(ROUNDS):
            stage = (number + step) % 3
            at = SHOT_AT + dt.timedelta(seconds=10 * stage)
            row = {"id": f"S{step}", "occurred_at": SHOT_AT.isoformat(), "lon": lon, "lat": lat}
            answer = push(token, "gunfire", [{**row, "stage": stages[stage], "stage_at": at.isoformat()}])
            assert answer.status_code == 200, answer.content

    at_once(send)
    assert set(GunfireAlert.objects.values_list("stage", flat=True)) == {"dismissed"}
    assert GunfireAlert.objects.count() == ROUNDS


def test_every_row_of_every_sender_is_counted_once(city: Agency) -> None:
    feed = push_feed(city)
    token = make_token(feed)

    def send(number: int) -> None:
        for step in range(ROUNDS):
            own = 100 * number + step
            # The first two are everybody's, the third is refused, the fourth kept aside.
            rows = [
                good_row(own),
                good_row(9_999),
                good_row(5, nibrs_code="35A"),
                good_row(own, id=f"Q{own}", lat=""),
            ]
            assert push(token, "incidents", rows).status_code == 200

    at_once(send)
    received = SENDERS * ROUNDS * 4
    row = feeds_with_health(city, now=timezone.now())[0]
    assert row.last_run is not None
    counts = row.last_run.counts
    assert counts["received"] == received
    assert counts["inserted"] == SENDERS * ROUNDS + 1
    assert counts["refused"] == counts["quarantined"] == SENDERS * ROUNDS
    assert counts["unchanged"] == SENDERS * ROUNDS - 1
    push_days_fold(now=timezone.now())
    run = ImportRun.objects.get(feed=feed)
    assert run.counts["received"] == received == sum(run.counts.values()) - received
    assert run.rejections == {"missing_coordinates": SENDERS * ROUNDS}
    assert PushTally.objects.count() <= SENDERS * ROUNDS
    assert row.waiting == SENDERS * ROUNDS
