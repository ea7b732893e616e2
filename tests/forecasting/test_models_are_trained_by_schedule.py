"""Models are trained anew by the agency's schedule: on its own clock, once for each due instant, wherever it is asked from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from agencies.models import Agency, User
from forecasting.engine.refit import Schedule
from forecasting.management.commands import train as train_command
from forecasting.models import ModelPolicy, ModelVersion, TrainingRun
from forecasting.selectors import Refit, refits_of
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    model_policy_ensure,
    refits_queue,
    refits_take,
    training_run_queue,
)
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, MAX_ATTEMPTS, RunNotClaimed, RunStatus
from tests.factories import make_agency
from tests.forecasting.scenes import Scene

SignIn = Callable[[User | None], Client]
CHICAGO = "America/Chicago"
MONDAY = dt.date(2026, 6, 1)


def local(text: str, zone: str = CHICAGO) -> dt.datetime:
    """An instant from what the agency's clock shows."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def weekly(at: str = "04:30") -> Schedule:
    return Schedule(7, dt.time.fromisoformat(at), CHICAGO)


# --- the arithmetic -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-06-01 23:59", None),
        ("2026-06-08 04:29:59", None),
        ("2026-06-08 04:30", "2026-06-08 04:30"),
        ("2026-06-14 12:00", "2026-06-08 04:30"),
        ("2026-06-15 04:29", "2026-06-08 04:30"),
        # Weeks were missed: the newest is caught up, on the same weekday as ever.
        ("2026-06-24 09:00", "2026-06-22 04:30"),
    ],
)
def test_it_is_due_every_seven_days_at_the_wall_clocks_time(now: str, due: str | None) -> None:
    assert weekly().latest_due(MONDAY, local(now)) == (local(due) if due else None)


@pytest.mark.parametrize(
    ("at", "last", "day", "instant"),
    [
        # In spring 02:30 does not exist: the first moment after.
        ("02:30", "2026-03-01", "2026-03-08", "2026-03-08T08:00:00+00:00"),
        ("03:30", "2026-03-01", "2026-03-08", "2026-03-08T08:30:00+00:00"),
        ("04:30", "2026-03-08", "2026-03-15", "2026-03-15T09:30:00+00:00"),
        # In autumn 01:30 comes twice: the first.
        ("01:30", "2026-10-25", "2026-11-01", "2026-11-01T06:30:00+00:00"),
        ("04:30", "2026-10-25", "2026-11-01", "2026-11-01T10:30:00+00:00"),
    ],
)
def test_on_the_days_when_the_clocks_change(at: str, last: str, day: str, instant: str) -> None:
    schedule, due = weekly(at), dt.datetime.fromisoformat(instant)
    before, after = dt.date.fromisoformat(last), dt.date.fromisoformat(day)
    assert schedule.latest_due(before, due - dt.timedelta(seconds=1)) is None
    assert schedule.latest_due(before, due) == due
    # The second 01:30 of the night is no second training.
    for minutes in (1, 60, 61, 120, 60 * 24):
        assert schedule.latest_due(before, due + dt.timedelta(minutes=minutes)) == due
        assert schedule.latest_due(after, due + dt.timedelta(minutes=minutes)) is None


def test_zero_days_mean_never() -> None:
    never = Schedule(0, dt.time(4, 30), CHICAGO)
    assert never.latest_due(MONDAY, local("2027-06-01 12:00")) is None
    assert never.next_after(MONDAY, local("2027-06-01 12:00")) is None


# No deadline: the first question about a zone looks up 200 years of it.
@settings(deadline=None)
@given(
    every=st.integers(1, 40),
    minute=st.integers(0, 1_439),
    zone=st.sampled_from([CHICAGO, "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    hours=st.lists(st.integers(0, 24 * 400), min_size=1, max_size=60),
)
def test_whoever_looks_whenever_serves_each_step_at_most_once_and_leaves_none_unserved(
    every: int, minute: int, zone: str, hours: list[int]
) -> None:
    schedule = Schedule(every, dt.time(*divmod(minute, 60)), zone)
    begin, last = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.date(2026, 1, 1)
    served: list[dt.datetime] = []
    for hour in sorted(hours):
        now = begin + dt.timedelta(hours=hour)
        upcoming = schedule.next_after(last, now)
        due = schedule.latest_due(last, now)
        assert upcoming is not None
        assert upcoming > now
        if due is not None:
            assert due <= now
            assert (schedule.local_date(due) - last).days % every == 0
            served.append(due)
            last = schedule.local_date(due)
            assert schedule.next_after(last, now) == upcoming
        assert schedule.latest_due(last, now) is None
    assert served == sorted(set(served))


# --- the rows -----------------------------------------------------------------------------------------------------


@pytest.fixture
def policy(agency: Agency) -> ModelPolicy:
    """The default schedule of an agency in Chicago that trained by hand on a Monday afternoon."""
    assert agency.time_zone == CHICAGO
    trained(agency, local("2026-06-01 15:00"))
    return model_policy_ensure(agency=agency)


def trained(agency: Agency, queued_at: dt.datetime, status: str = "succeeded", **fields: Any) -> TrainingRun:
    return TrainingRun.objects.create(agency=agency, queued_at=queued_at, status=status, **fields)


def refit(policy: ModelPolicy, now: str) -> Refit:
    return refits_of([policy], now=local(now))[policy.agency_id]


def queued(now: str) -> list[TrainingRun]:
    return refits_queue(now=local(now))


def test_a_new_agency_refits_each_week_in_the_small_hours(policy: ModelPolicy) -> None:
    assert (policy.refit_days, policy.refit_time) == (7, dt.time(4, 30))
    assert refit(policy, "2026-06-05 12:00") == Refit(None, local("2026-06-08 04:30"))
    assert refit(policy, "2026-06-08 04:30") == Refit(local("2026-06-08 04:30"), local("2026-06-15 04:30"))


def test_one_due_instant_gives_one_training_however_often_it_is_asked(policy: ModelPolicy) -> None:
    assert queued("2026-06-08 04:29") == []
    (run,) = queued("2026-06-08 04:30")
    assert run.due_at == local("2026-06-08 04:30")
    assert run.requested_by is None
    assert queued("2026-06-08 04:31") == []
    for status in (RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILED):
        TrainingRun.objects.filter(pk=run.pk).update(status=status)
        assert queued("2026-06-08 09:00") == []
    # A failed one is told in its row, and the next week tries again.
    assert [row.due_at for row in queued("2026-06-15 04:30")] == [local("2026-06-15 04:30")]


def test_two_dispatchers_that_look_at_once_make_one_training(
    policy: ModelPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = local("2026-06-08 05:00")
    seen = refits_of([policy], now=now)
    # Both have read before either writes.
    monkeypatch.setattr("forecasting.services.refits.refits_of", lambda rows, now: seen)
    assert [len(refits_queue(now=now)), len(refits_queue(now=now))] == [1, 0]
    assert TrainingRun.objects.filter(due_at__isnull=False).count() == 1


def test_the_database_refuses_a_second_training_for_one_instant(policy: ModelPolicy) -> None:
    at = local("2026-06-08 04:30")
    training_run_queue(agency=policy.agency, due_at=at)
    with pytest.raises(IntegrityError), transaction.atomic():
        training_run_queue(agency=policy.agency, due_at=at)
    # By hand as often as one likes; and another agency has its own.
    training_run_queue(agency=policy.agency)
    training_run_queue(agency=policy.agency)
    training_run_queue(agency=make_agency("elsewhere"), due_at=at)


def test_of_weeks_that_were_missed_one_is_caught_up(policy: ModelPolicy) -> None:
    (run,) = queued("2026-06-24 09:00")
    assert run.due_at == local("2026-06-22 04:30")
    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED)
    assert queued("2026-06-24 09:01") == []
    assert [row.due_at for row in queued("2026-06-29 04:30")] == [local("2026-06-29 04:30")]


def test_a_training_by_hand_starts_the_count_anew_unless_it_failed(policy: ModelPolicy) -> None:
    trained(policy.agency, local("2026-06-07 23:00"), "failed")
    assert refit(policy, "2026-06-08 05:00").due_at == local("2026-06-08 04:30")
    trained(policy.agency, local("2026-06-07 23:30"))
    assert refit(policy, "2026-06-08 05:00") == Refit(None, local("2026-06-14 04:30"))


def test_while_a_training_runs_or_waits_none_is_added(policy: ModelPolicy) -> None:
    for status in ("running", "queued"):
        run = trained(policy.agency, local("2026-06-08 03:00"), status)
        assert queued("2026-06-08 05:00") == []
        run.delete()
    # One that nobody ever started does not hold up the schedule for ever.
    trained(policy.agency, local("2026-06-06 03:00"), "queued")
    assert len(queued("2026-06-08 05:00")) == 1


def test_off_and_never_trained_mean_not_due(policy: ModelPolicy) -> None:
    other = make_agency("elsewhere")
    model_policy_ensure(agency=other)
    ModelPolicy.objects.filter(pk=policy.pk).update(refit_days=0)
    assert queued("2026-09-01 12:00") == []


def test_looking_costs_two_queries_for_any_number_of_agencies(
    policy: ModelPolicy, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        other = make_agency(f"town{number}")
        trained(other, local("2026-06-05 15:00"))
        model_policy_ensure(agency=other)
    with django_assert_num_queries(2):
        assert queued("2026-06-08 04:00") == []


# --- worker, cron, admin --------------------------------------------------------------------------------------------


@pytest.fixture
def overdue(scene: Scene) -> ModelPolicy:
    """The scene's agency, which trained ten days ago."""
    TrainingRun.objects.filter(pk=scene.training.pk).update(queued_at=timezone.now() - dt.timedelta(days=10))
    return model_policy_ensure(agency=scene.agency)


def test_the_dispatcher_sends_it_to_a_worker_once(
    overdue: ModelPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipeline.training_run_task, "delay", sent.append)
    pipeline.dispatch()
    pipeline.dispatch()
    (run,) = TrainingRun.objects.filter(due_at__isnull=False)
    assert sent == [run.pk]


@pytest.mark.parametrize("go_live", ["automatic", "approval"])
def test_what_it_trains_goes_live_or_waits_as_the_policy_says(
    scene: Scene, overdue: ModelPolicy, go_live: str
) -> None:
    ModelPolicy.objects.filter(pk=overdue.pk).update(go_live=go_live)
    out = StringIO()
    call_command("train", due=True, stdout=out)
    versions = ModelVersion.objects.filter(agency=scene.agency, number=2)
    assert versions.count() == 3
    for version in versions:
        assert version.run.due_at is not None
        expected = ModelVersion.State.REFUSED
        if version.may_go_live:
            expected = ModelVersion.State.LIVE if go_live == "automatic" else ModelVersion.State.TRAINED
        assert version.state == expected
    assert f"Training {versions[0].run_id} of {scene.agency}" in out.getvalue()
    out = StringIO()
    call_command("train", due=True, stdout=out)
    assert out.getvalue() == ""
    assert forecast_run(
        run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on)
    ).counts


def test_cron_trains_the_other_agencies_where_one_fails(
    overdue: ModelPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = make_agency("elsewhere")
    trained(poor, timezone.now() - dt.timedelta(days=10))
    model_policy_ensure(agency=poor)
    done: list[str] = []

    def execute(*, run: TrainingRun, progress: Any) -> None:
        done.append(run.agency.slug)
        if run.agency == overdue.agency:
            raise MissionsError("No grid.", next_step="build one.")

    monkeypatch.setattr(train_command, "training_run_execute", execute)
    errors = StringIO()
    with pytest.raises(CommandError, match="1 trainings failed"):
        call_command("train", due=True, stdout=StringIO(), stderr=errors)
    assert done == [overdue.agency.slug, "elsewhere"]
    assert "No grid." in errors.getvalue()


def test_cron_leaves_a_run_that_a_worker_took(overdue: ModelPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*, run: TrainingRun, progress: Any) -> None:
        raise RunNotClaimed("Taken.", next_step="look.")

    monkeypatch.setattr(train_command, "training_run_execute", taken)
    out = StringIO()
    call_command("train", due=True, agency=overdue.agency.slug, stdout=out)
    assert "a worker has it already" in out.getvalue()


def test_cron_takes_up_what_a_killed_cron_left(overdue: ModelPolicy) -> None:
    (run,) = refits_take(agency=overdue.agency)
    assert [row.pk for row in refits_take(agency=overdue.agency)] == [run.pk]
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.RUNNING, attempts=1, heartbeat_at=timezone.now()
    )
    assert refits_take(agency=overdue.agency) == []
    silent = timezone.now() - 2 * HEARTBEAT_LOST_AFTER
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=silent)
    assert [row.pk for row in refits_take(agency=overdue.agency)] == [run.pk]
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.RUNNING, attempts=MAX_ATTEMPTS, heartbeat_at=silent
    )
    assert refits_take(agency=overdue.agency) == []
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "No agency is named"), ({"due": True, "seed": 3}, "--due takes no"), ({"due": True, "until": "2026-01-01"}, "no")],
)  # fmt: skip
def test_the_command_says_what_does_not_go_together(db: None, options: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("train", **options)


def test_the_policys_page_and_list_say_when_the_next_training_is(
    scene: Scene, overdue: ModelPolicy, member: Callable[[str], User], sign_in: SignIn
) -> None:
    client = sign_in(member("admin"))
    listed = reverse("admin:forecasting_modelpolicy_changelist")
    address = reverse("admin:forecasting_modelpolicy_change", args=[overdue.pk])
    for page in (listed, address):
        assert "now: it is due" in client.get(page).content.decode()
    data = {"go_live": "approval", "settle_days": 21, "departure_percent": 30, "tolerated_percent": 5,
            "false_alarm_percent": 2, "refit_days": 14, "refit_time": "05:15"}  # fmt: skip
    assert client.post(address, data).status_code == 302
    overdue.refresh_from_db()
    assert (overdue.refit_days, overdue.refit_time) == (14, dt.time(5, 15))
    assert " 05:15" in client.get(listed).content.decode()
    client.post(address, data | {"refit_days": 0})
    assert "by hand only" in client.get(listed).content.decode()
    assert "366" in client.post(address, data | {"refit_days": 400}).content.decode()
