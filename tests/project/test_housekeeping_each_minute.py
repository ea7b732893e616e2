"""Each minute: uploads past their time are deleted, and no run waits for a worker that will never come."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from agencies.models import Agency
from forecasting.models import ForecastRun, TrainingRun
from ingestion.models import ImportRun
from ingestion.services import ImportBusy, import_turns
from missions_project import pipeline
from missions_project.lib.runs import (
    HEARTBEAT_LOST_AFTER,
    MAX_ATTEMPTS,
    RunNotClaimed,
    RunStatus,
    run_execution,
)
from missions_project.operations import lost
from tests.ingestion.files import plain_feed

pytestmark = pytest.mark.django_db
LONG_AGO = HEARTBEAT_LOST_AFTER + timedelta(minutes=1)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The training runs that were handed to the worker."""
    found: list[int] = []
    monkeypatch.setattr(pipeline.training_run_task, "delay", found.append)
    return found


def training(agency: Agency, status: RunStatus, **times: Any) -> TrainingRun:
    return TrainingRun.objects.create(agency=agency, status=status, **times)


def start_scheduler() -> None:
    """What the scheduler writes when it starts (its own method also closes the test's connection)."""
    for name, entry in current_app.conf.beat_schedule.items():
        ModelEntry.from_entry(name, app=current_app, **entry)


def test_the_scheduler_knows_the_dispatcher_without_any_set_up() -> None:
    start_scheduler()
    row = PeriodicTask.objects.get(name="missions: dispatch")
    assert row.enabled
    assert row.schedule.run_every == timedelta(minutes=1)
    assert row.task in current_app.tasks


def test_a_scheduler_that_starts_again_keeps_the_other_rows() -> None:
    start_scheduler()
    own = PeriodicTask.objects.get(name="missions: dispatch")
    PeriodicTask.objects.create(name="somebody's own", task="x", interval=own.interval)
    start_scheduler()
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == {own.name, "somebody's own"}


def test_an_upload_past_its_time_is_deleted_and_a_new_one_kept(settings: Any, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path
    for name, hours in (("old", settings.SPOOL_HOURS + 1), ("new", 0)):
        (tmp_path / name).write_text("x")
        then = timezone.now().timestamp() - hours * 3600
        os.utime(tmp_path / name, (then, then))
    pipeline.dispatch()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_run_whose_worker_was_killed_is_queued_and_sent_once(agency: Agency, sent: list[int]) -> None:
    run = training(agency, RunStatus.RUNNING, heartbeat_at=timezone.now() - LONG_AGO)
    alive = training(agency, RunStatus.RUNNING, heartbeat_at=timezone.now())
    assert [pipeline.requeue_abandoned(), pipeline.requeue_abandoned()] == [1, 0]
    assert sent == [run.pk]
    run.refresh_from_db()
    alive.refresh_from_db()
    assert (run.status, alive.status) == (RunStatus.QUEUED, RunStatus.RUNNING)


def test_a_queued_run_of_which_no_worker_knows_is_sent_again_once(agency: Agency, sent: list[int]) -> None:
    run = training(agency, RunStatus.QUEUED, queued_at=timezone.now() - LONG_AGO)
    training(agency, RunStatus.QUEUED)
    assert [pipeline.resend_forgotten(), pipeline.resend_forgotten()] == [1, 0]
    assert sent == [run.pk]


class TestWhileSomethingRuns:
    """A lost message is told from one that waits its turn."""

    @pytest.fixture(autouse=True)
    def waiting(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
        """How many messages wait in each queue."""
        lengths = dict.fromkeys(("ingest", "forecast", "plan", "reports"), 3)
        monkeypatch.setattr(lost, "queue_lengths", lambda: lengths)
        return lengths

    @pytest.fixture
    def run(self, agency: Agency) -> TrainingRun:
        """One that waits, and one that a worker is at: queued before it."""
        training(agency, RunStatus.RUNNING, heartbeat_at=timezone.now(), started_at=timezone.now(), queued_at=timezone.now() - 2 * LONG_AGO)  # fmt: skip
        return training(agency, RunStatus.QUEUED, queued_at=timezone.now() - LONG_AGO)

    def test_a_run_that_waits_behind_another_is_not_sent_again(
        self, run: TrainingRun, sent: list[int]
    ) -> None:
        assert pipeline.resend_forgotten() == 0
        assert sent == []

    def test_one_whose_queue_is_empty_is_sent_again_once(
        self, run: TrainingRun, sent: list[int], waiting: dict[str, int]
    ) -> None:
        waiting["plan"] = 0
        assert pipeline.resend_forgotten() == 0, "trainings wait elsewhere"
        waiting["forecast"] = 0
        assert [pipeline.resend_forgotten(), pipeline.resend_forgotten()] == [1, 0]
        assert sent == [run.pk]

    @pytest.mark.parametrize(("minutes", "resent"), [(4, 0), (6, 1)])
    def test_one_that_was_passed_is_sent_again_once(
        self, agency: Agency, run: TrainingRun, sent: list[int], minutes: int, resent: int
    ) -> None:
        TrainingRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - 4 * LONG_AGO)
        run.refresh_from_db()
        # It could not pass: a training stands in line with trainings. Minutes apart are no proof: sending takes time.
        later = run.queued_at + timedelta(minutes=minutes)
        TrainingRun.objects.exclude(pk=run.pk).update(queued_at=run.queued_at - timedelta(minutes=1))
        training(agency, RunStatus.SUCCEEDED, queued_at=later, started_at=timezone.now())
        assert [pipeline.resend_forgotten(), pipeline.resend_forgotten()] == [resent, 0]
        assert sent == [run.pk] * resent

    def test_what_may_pass_proves_nothing(
        self, agency: Agency, run: TrainingRun, sent: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A forecast that a person asks for goes before trainings in the queue that both use, and not the other way round.
        forecasts: list[int] = []
        monkeypatch.setattr(pipeline.forecast_run_task, "delay", forecasts.append)
        shift = agency.shift_set.order_by("pk")[0]
        now = timezone.now()
        forecast = ForecastRun.objects.create(
            agency=agency, shift=shift, on=now.date(), period_from=now, period_to=now + timedelta(hours=8), as_of=now,
            queued_at=now, started_at=now, status=RunStatus.SUCCEEDED,
        )  # fmt: skip
        assert pipeline.resend_forgotten() == 0
        old = timezone.now() - 3 * LONG_AGO
        ForecastRun.objects.filter(pk=forecast.pk).update(
            status=RunStatus.QUEUED, started_at=None, queued_at=old
        )
        assert pipeline.resend_forgotten() == 1, "the training that runs was queued after it"
        assert (sent, forecasts) == ([], [forecast.pk])

    def test_where_the_broker_does_not_tell_only_what_was_passed_is_lost(
        self, run: TrainingRun, sent: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lost, "queue_lengths", dict)
        assert pipeline.resend_forgotten() == 0

        def away() -> dict[str, int]:
            raise OSError(errno.ECONNREFUSED, "Connection refused")

        monkeypatch.setattr(lost, "queue_lengths", away)
        assert pipeline.resend_forgotten() == 0
        assert sent == []

    def test_an_import_that_gives_way_is_not_sent_a_second_time(
        self, agency: Agency, monkeypatch: pytest.MonkeyPatch, waiting: dict[str, int]
    ) -> None:
        waiting["ingest"] = 0
        training(agency, RunStatus.RUNNING, heartbeat_at=timezone.now())
        monkeypatch.setattr(import_turns, "is_anothers_turn", lambda run, now: True)
        run = ImportRun.objects.create(
            agency=agency, feed=plain_feed(agency), queued_at=timezone.now() - LONG_AGO
        )
        with pytest.raises(ImportBusy):
            import_turns.import_run_in_turn(run=run)
        imports: list[int] = []
        monkeypatch.setattr(pipeline.import_task, "delay", imports.append)
        assert pipeline.resend_forgotten() == 0
        # Its worker is killed: nobody comes again.
        ImportRun.objects.update(heartbeat_at=timezone.now() - LONG_AGO)
        assert pipeline.resend_forgotten() == 1
        assert imports == [run.pk]


def test_a_run_that_is_sent_twice_is_done_once(agency: Agency) -> None:
    run = training(agency, RunStatus.QUEUED)
    with run_execution(run), pytest.raises(RunNotClaimed), run_execution(TrainingRun.objects.get(pk=run.pk)):
        pytest.fail("done by two")


def test_where_nothing_waits_so_long_each_kind_is_asked_once(
    agency: Agency, django_assert_num_queries: Any
) -> None:
    training(agency, RunStatus.RUNNING, heartbeat_at=timezone.now())
    with django_assert_num_queries(len(pipeline._RUNS)):
        assert pipeline.resend_forgotten() == 0


def test_a_finished_run_stays_finished(agency: Agency, sent: list[int]) -> None:
    for status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        training(agency, status, queued_at=timezone.now() - LONG_AGO, heartbeat_at=timezone.now() - LONG_AGO)
    pipeline.dispatch()
    assert sent == []
    assert not TrainingRun.objects.filter(status=RunStatus.QUEUED).exists()


def _killed_at_work(run: TrainingRun) -> None:
    with run_execution(run):
        # Nothing closes a killed worker's row: another start instant hides it from this one.
        TrainingRun.objects.filter(pk=run.pk).update(started_at=None)
        raise KeyboardInterrupt


def test_a_run_that_kills_its_worker_again_and_again_fails_for_good(agency: Agency) -> None:
    run = training(agency, RunStatus.QUEUED)
    for _ in range(MAX_ATTEMPTS):
        run.refresh_from_db()
        TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.QUEUED)
        with pytest.raises(KeyboardInterrupt):
            _killed_at_work(run)
        TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - 2 * HEARTBEAT_LOST_AFTER)
        TrainingRun.objects.requeue_abandoned()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "memory" in run.error


def test_a_worker_given_up_for_dead_does_not_overwrite_its_successor(agency: Agency) -> None:
    run = training(agency, RunStatus.QUEUED)
    with run_execution(run) as slow:
        TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - 2 * HEARTBEAT_LOST_AFTER)
        assert TrainingRun.objects.requeue_abandoned() == 1
        successor = TrainingRun.objects.get(pk=run.pk)
        with run_execution(successor) as quick:
            quick.log("done by the second")
            slow.log("done by the first")
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert "second" in run.log
    assert "first" not in TrainingRun.objects.get(pk=run.pk).log


def test_a_clock_put_back_leaves_no_run_alive_until_then(agency: Agency, sent: list[int]) -> None:
    later = timezone.now() + timedelta(hours=1)
    dead = training(agency, RunStatus.RUNNING, heartbeat_at=later)
    lost = training(agency, RunStatus.QUEUED, queued_at=later)
    assert [pipeline.follow_the_clock(), pipeline.follow_the_clock()] == [2, 0]
    for run in (dead, lost):
        run.refresh_from_db()
        assert run.heartbeat_at <= timezone.now()


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), RunStatus.QUEUED),
        (OperationalError("the connection is closed"), RunStatus.QUEUED),
        (OSError(errno.ENOENT, "No such file"), RunStatus.FAILED),
        (ValueError("three columns"), RunStatus.FAILED),
    ],
)
def test_trouble_of_the_machine_puts_a_run_off_and_its_own_fails_it(
    agency: Agency, error: Exception, becomes: RunStatus
) -> None:
    run = training(agency, RunStatus.QUEUED)
    with pytest.raises(type(error)), run_execution(run):
        raise error
    assert run.status == becomes
    assert "Next step:" in run.error
    assert ("tried again by itself" in run.error) == (becomes == RunStatus.QUEUED)


def test_trouble_that_stays_fails_a_run_in_the_end(agency: Agency) -> None:
    run = training(agency, RunStatus.QUEUED)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(MemoryError), run_execution(run):
            raise MemoryError
    assert (run.status, run.attempts) == (RunStatus.FAILED, MAX_ATTEMPTS)
