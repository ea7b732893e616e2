"""Of several schedulers one sends; each task has the queue that its workers listen to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from celery import current_app
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from missions_project.operations import scheduler as schedulers
from missions_project.operations.pulses import BEAT, LEASE, lease_drop, lease_hold, pulse_age, pulse_write
from missions_project.operations.queues import queue_lengths, queue_names
from missions_project.operations.scheduler import WAIT_SECONDS, SingleScheduler

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_the_lease_is_one_holders_until_it_is_silent() -> None:
    assert lease_hold(name=BEAT, holder="a", now=NOW)
    assert not lease_hold(name=BEAT, holder="b", now=NOW + timedelta(seconds=10))
    assert lease_hold(name=BEAT, holder="a", now=NOW + timedelta(seconds=60))
    # The first was killed: 90 seconds after its last sign of life the second takes over, and the first finds that out.
    assert not lease_hold(name=BEAT, holder="b", now=NOW + timedelta(seconds=149))
    assert lease_hold(name=BEAT, holder="b", now=NOW + timedelta(seconds=150))
    assert not lease_hold(name=BEAT, holder="a", now=NOW + timedelta(seconds=151))
    lease_drop(name=BEAT, holder="a", now=NOW)
    assert pulse_age(BEAT, now=NOW + timedelta(seconds=150)) == timedelta(0)
    lease_drop(name=BEAT, holder="b", now=NOW + timedelta(seconds=160))
    assert lease_hold(name=BEAT, holder="a", now=NOW + timedelta(seconds=160))


@pytest.mark.django_db
def test_of_two_schedulers_one_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(DatabaseScheduler, "__init__", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "setup_schedule", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "schedule", {})
    monkeypatch.setattr(DatabaseScheduler, "tick", lambda self: sent.append(self) or 300.0)
    monkeypatch.setattr(DatabaseScheduler, "close", lambda self: None)
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    first, second = SingleScheduler(), SingleScheduler()
    # Looks again within the lease although nothing is due for five minutes: else the second would take over.
    assert first.tick() == WAIT_SECONDS < LEASE.total_seconds()
    assert second.tick() == WAIT_SECONDS
    assert sent == [first]
    first.close()
    second.tick()
    assert sent == [first, second]


def test_a_database_that_is_away_does_not_end_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(DatabaseScheduler, "__init__", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "setup_schedule", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "close", lambda self: None)
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    monkeypatch.setattr(schedulers, "lease_hold", away)
    monkeypatch.setattr(schedulers, "lease_drop", away)
    one = SingleScheduler()
    assert one.tick() == WAIT_SECONDS
    one.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the entries that the real scheduler sent; nothing leaves for a broker."""
    names: list[str] = []
    monkeypatch.setattr(
        DatabaseScheduler, "apply_entry", lambda self, entry, producer=None: names.append(entry.name)
    )
    # They would end the test's transaction.
    monkeypatch.setattr(DatabaseScheduler, "schedule_changed", lambda self: False)
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    # It would write once more as the tests' process ends.
    monkeypatch.setattr("django_celery_beat.schedulers.Finalize", Mock())
    return names


def due(scheduler: SingleScheduler) -> None:
    """Have every entry wait for the next look."""
    for entry in scheduler.schedule.values():
        entry.last_run_at = timezone.now() - timedelta(days=400)
    scheduler._heap = None


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize(
    ("owner", "step"), [(ModelEntry, "from_entry"), (DatabaseScheduler, "all_as_schedule")]
)
def test_a_database_that_is_away_as_it_starts_is_asked_again(
    sent: list[str], monkeypatch: pytest.MonkeyPatch, error: type[Exception], owner: type[Any], step: str
) -> None:
    with monkeypatch.context() as away:
        away.setattr(owner, step, Mock(side_effect=error("gone")))
        one = SingleScheduler(app=current_app)
        assert one.tick() == WAIT_SECONDS
    one.tick()
    due(one)
    for _ in one.schedule:
        one.tick()
    assert set(sent) >= set(settings.CELERY_BEAT_SCHEDULE)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_goes_away_between_two_looks_loses_no_entry(
    sent: list[str], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    one = SingleScheduler(app=current_app)
    one.tick()
    due(one)
    with monkeypatch.context() as away:
        # After it was taken from what is due, before it is put back.
        away.setattr(SingleScheduler, "reserve", Mock(side_effect=error("gone")))
        assert one.tick() == WAIT_SECONDS
    assert not sent
    for _ in one.schedule:
        one.tick()
    assert set(sent) >= set(settings.CELERY_BEAT_SCHEDULE)


@pytest.mark.django_db
def test_a_pulse_is_as_old_as_its_last_writing() -> None:
    assert pulse_age("dispatch", now=NOW) is None
    pulse_write(name="dispatch", now=NOW)
    pulse_write(name="dispatch", now=NOW + timedelta(minutes=1))
    assert pulse_age("dispatch", now=NOW + timedelta(minutes=3)) == timedelta(minutes=2)


def test_every_task_of_ours_goes_to_a_queue_that_workers_serve() -> None:
    current_app.loader.import_default_modules()
    rooms = ("ingestion", "forecasting", "patrols", "tactics", "missions_project")
    tasks = [name for name in current_app.tasks if name.split(".")[0] in rooms]
    assert len(tasks) >= 20
    queues = {name: current_app.amqp.router.route({}, name)["queue"].name for name in tasks}
    assert set(queues.values()) == set(queue_names()) == {"ingest", "forecast", "plan", "reports"}
    assert queues["ingestion.tasks.import_task"] == "ingest"
    assert queues["forecasting.tasks.forecast_run_task"] == "forecast"
    assert queues["missions_project.pipeline.dispatch"] == "plan"
    assert queues["patrols.tasks.notice_task"] == "reports"


@pytest.mark.filterwarnings("ignore:task_always_eager")
def test_what_waits_is_counted_by_queue() -> None:
    before = queue_lengths()
    with current_app.connection_for_write() as link:
        task = current_app.tasks["ingestion.tasks.retention_task"]
        # Sent for real: eager tasks never see the broker.
        current_app.send_task(task.name, args=(0,), connection=link)
    after = queue_lengths()
    assert after["ingest"] == before["ingest"] + 1
    assert {name: n for name, n in after.items() if name != "ingest"} == {
        name: n for name, n in before.items() if name != "ingest"
    }


def test_no_task_runs_longer_than_the_broker_waits_for_it() -> None:
    assert settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.CELERY_TASK_TIME_LIMIT < 4 * 3600


@pytest.mark.django_db
def test_a_lease_from_the_future_is_free() -> None:
    assert lease_hold(name=BEAT, holder="a", now=NOW + timedelta(hours=1))
    assert not lease_hold(name=BEAT, holder="b", now=NOW + timedelta(hours=1) - LEASE / 2)
    assert lease_hold(name=BEAT, holder="b", now=NOW)


@pytest.mark.django_db
def test_the_schedule_follows_a_clock_that_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        last_run_at = timezone.now() + timedelta(hours=1)

    entry = Entry()
    monkeypatch.setattr(DatabaseScheduler, "__init__", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "setup_schedule", lambda self: None)
    monkeypatch.setattr(DatabaseScheduler, "tick", lambda self: 300.0)
    monkeypatch.setattr(SingleScheduler, "schedule", {"one": entry})
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    SingleScheduler().tick()
    assert entry.last_run_at <= timezone.now()


def test_the_minutes_dispatches_do_not_pile_up_behind_a_long_work() -> None:
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        # Clocks of two machines may differ by minutes, and the message must then still be believed.
        assert 5 * entry["schedule"] <= entry["options"]["expire_seconds"] <= 15 * entry["schedule"], name


def test_the_broker_has_a_host_without_which_every_connection_warns() -> None:
    with current_app.connection_for_write() as link:
        assert link.hostname
