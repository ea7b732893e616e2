"""A retention policy deletes what was planned by schedule and who was told, and nothing that a claim or an outbox still needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from agencies.models import Agency, Membership, Shift
from ingestion.models import RetentionPolicy
from ingestion.services import retention_kind, retention_run
from patrols.models import MissionPlan, NoticeChoice, NoticeDelivery, ShiftPlanning
from tests.factories import make_agency, make_member
from tests.patrols.rounds import claim_and_run, copying_forecast, one_shift_scene
from tests.patrols.scenes import ON, make_scene

pytestmark = pytest.mark.django_db
State = ShiftPlanning.State
DAY = dt.timedelta(days=1)


@pytest.fixture
def agency() -> Agency:
    return make_scene().agency


def planning(agency: Agency, days_ago: float, state: str, **fields: Any) -> ShiftPlanning:
    """A round of the shift that began so many days ago, last heard of then."""
    then = timezone.now() - dt.timedelta(days=days_ago)
    shift = Shift.objects.get(agency=agency, slug="evening")
    number = ShiftPlanning.objects.filter(shift=shift).count()
    known: dict[str, Any] = {"due_at": then, "claimed_at": then, "finished_at": then}
    if state in (State.QUEUED, State.RUNNING):
        known["finished_at"] = None
    return ShiftPlanning.objects.create(
        agency=agency, shift=shift, on=then.date(), round=number, state=state, **known | fields
    )


def delivery(agency: Agency, days_ago: float, state: str) -> NoticeDelivery:
    membership = Membership.objects.filter(agency=agency).first() or Membership.objects.get(
        user=make_member(agency, "supervisor")
    )
    choice, _ = NoticeChoice.objects.get_or_create(agency=agency, membership=membership)
    return NoticeDelivery.objects.create(
        agency=agency,
        choice=choice,
        event="published",
        channel="email",
        state=state,
        key=f"published:{NoticeDelivery.objects.count()}",
        created_at=timezone.now() - dt.timedelta(days=days_ago),
    )


def run(agency: Agency, kind: str, days: int) -> int:
    policy = RetentionPolicy.objects.create(agency=agency, kind=kind, delete_after_days=days)
    return retention_run(policy=policy).deleted


def test_rounds_of_shifts_long_over_go_and_their_plans_stay(agency: Agency) -> None:
    plan = MissionPlan.objects.create(
        agency=agency,
        shift=Shift.objects.get(agency=agency, slug="evening"),
        on=timezone.now().date() - 40 * DAY,
        period_from=timezone.now() - 40 * DAY,
        period_to=timezone.now() - 39 * DAY,
        seed=1,
    )
    old = [planning(agency, 40, State.DONE, plan=plan), planning(agency, 41, State.FAILED)]
    young = planning(agency, 20, State.DONE)
    assert run(agency, "plannings", 30) == len(old)
    assert list(ShiftPlanning.objects.all()) == [young]
    assert MissionPlan.objects.filter(pk=plan.pk).exists()


def test_a_round_that_a_worker_is_at_stays_however_old_its_shift(agency: Agency) -> None:
    at_work = planning(agency, 40, State.RUNNING, claimed_at=timezone.now())
    sent_again = planning(agency, 40, State.QUEUED, claimed_at=timezone.now() - dt.timedelta(hours=3))
    just_done = planning(agency, 40, State.DONE, finished_at=timezone.now())
    left = planning(agency, 40, State.RUNNING)
    assert run(agency, "plannings", 1) == 1
    assert set(ShiftPlanning.objects.all()) == {at_work, sent_again, just_done}
    assert not ShiftPlanning.objects.filter(pk=left.pk).exists()


@pytest.mark.parametrize("days_ago", [-2, 0, 1, 2, 3])
def test_a_round_stays_while_its_shift_may_not_be_over(agency: Agency, days_ago: int) -> None:
    # Done two days before a shift that begins in two: its row says that this shift is planned.
    done_at = timezone.now() - 5 * DAY
    row = planning(agency, days_ago, State.DONE, finished_at=done_at, due_at=done_at, claimed_at=done_at)
    assert run(agency, "plannings", 1) == 0
    assert ShiftPlanning.objects.filter(pk=row.pk).exists()


def test_a_shift_is_not_planned_again_because_its_round_was_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one_shift_scene(ON)
    copying_forecast(monkeypatch, scene)
    claim_and_run(scene.run.period_from - dt.timedelta(hours=1))
    assert ShiftPlanning.objects.get().state == State.DONE
    ShiftPlanning.objects.update(
        finished_at=scene.run.period_from - DAY, claimed_at=scene.run.period_from - DAY
    )
    last_minute = scene.run.period_to - dt.timedelta(minutes=1)
    retention_kind("plannings").old(scene.agency, last_minute).delete()
    assert claim_and_run(last_minute) == []
    assert MissionPlan.objects.count() == 1
    retention_kind("plannings").old(scene.agency, last_minute + 5 * DAY).delete()
    assert not ShiftPlanning.objects.exists()
    claim_and_run(last_minute + 5 * DAY)
    assert MissionPlan.objects.filter(on=ON).count() == 1


def test_notices_that_arrived_or_were_given_up_go_and_waiting_ones_stay(agency: Agency) -> None:
    gone = [delivery(agency, 31, "sent"), delivery(agency, 32, "given_up")]
    waiting, young = delivery(agency, 40, "waiting"), delivery(agency, 29, "sent")
    assert run(agency, "notices", 30) == len(gone)
    assert set(NoticeDelivery.objects.all()) == {waiting, young}
    assert NoticeChoice.objects.filter(agency=agency).exists()


def test_another_agencys_rounds_and_notices_are_not_touched(agency: Agency) -> None:
    other = make_agency("lakeside")
    rows = [planning(other, 90, State.DONE), delivery(other, 90, "sent")]
    assert run(agency, "plannings", 1) == run(agency, "notices", 1) == 0
    assert [
        retention_kind(kind).old(other, timezone.now()).get() for kind in ("plannings", "notices")
    ] == rows
