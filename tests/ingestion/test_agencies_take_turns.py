"""One agency's many files do not make another's wait for all of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import ImportRun
from ingestion.services import ImportBusy, import_run_in_turn, import_run_queue
from ingestion.services.import_turns import WAITS_FOR, is_anothers_turn
from missions_project.lib.runs import RunStatus
from tests.factories import make_agency
from tests.ingestion.files import good_row, plain_feed, write_rows

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def two(tmp_path: Path) -> dict[str, list[ImportRun]]:
    """Each agency's three queued files."""
    path = write_rows(tmp_path / "rms.csv", [good_row(number) for number in range(20)])
    found = {}
    for slug in ("ahead", "other"):
        feed = plain_feed(make_agency(slug))
        found[slug] = [import_run_queue(feed=feed, path=path) for _ in range(3)]
    return found


def begun(run: ImportRun, status: RunStatus, minutes_ago: float) -> None:
    now = timezone.now()
    ImportRun.objects.filter(pk=run.pk).update(
        status=status, started_at=now - minutes_ago * MINUTE, heartbeat_at=now
    )


def waits(run: ImportRun) -> bool:
    return is_anothers_turn(run, now=timezone.now())


def test_files_of_two_agencies_are_imported_by_turns(two: dict[str, list[ImportRun]]) -> None:
    # Six messages in one line, the first agency's three before the other's.
    line, order = [*two["ahead"], *two["other"]], []
    while line:
        run = line.pop(0)
        try:
            import_run_in_turn(run=run)
            order.append(run.agency.slug)
        except ImportBusy:
            line.append(run)
        assert len(order) < 7
    assert order == ["ahead", "other"] * 3
    assert set(ImportRun.objects.values_list("status", flat=True)) == {RunStatus.SUCCEEDED}


def test_alone_an_agency_may_use_every_worker(two: dict[str, list[ImportRun]]) -> None:
    ImportRun.objects.filter(agency__slug="other").delete()
    begun(two["ahead"][0], RunStatus.RUNNING, 1)
    assert not waits(two["ahead"][1])


def test_with_an_import_under_way_an_agency_leaves_the_next_worker_to_the_other(
    two: dict[str, list[ImportRun]],
) -> None:
    begun(two["ahead"][0], RunStatus.RUNNING, 1)
    assert waits(two["ahead"][1])
    assert not waits(two["other"][0])
    begun(two["other"][0], RunStatus.RUNNING, 0.5)
    # Both are at work: a third worker takes what comes.
    assert not waits(two["ahead"][1])
    assert not waits(two["other"][1])


def test_two_agencies_never_give_way_to_each_other(two: dict[str, list[ImportRun]]) -> None:
    begun(two["ahead"][0], RunStatus.SUCCEEDED, 2)
    begun(two["other"][0], RunStatus.SUCCEEDED, 1)
    assert [waits(two["ahead"][1]), waits(two["other"][1])] == [False, True]


def test_a_file_whose_message_is_lost_holds_up_nobody_for_long(two: dict[str, list[ImportRun]]) -> None:
    begun(two["ahead"][0], RunStatus.RUNNING, 1)
    ImportRun.objects.filter(agency__slug="other").update(queued_at=timezone.now() - WAITS_FOR - MINUTE)
    assert not waits(two["ahead"][1])


def test_looking_whose_turn_it_is_costs_three_queries_for_any_number_of_agencies(
    two: dict[str, list[ImportRun]], django_assert_num_queries: object
) -> None:
    begun(two["ahead"][0], RunStatus.RUNNING, 1)
    Agency.objects.create(slug="third", name="Third", time_zone="UTC")
    with django_assert_num_queries(3):  # type: ignore[operator]
        assert waits(two["ahead"][1])
    ImportRun.objects.filter(agency__slug="other").delete()
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert not waits(two["ahead"][1])
