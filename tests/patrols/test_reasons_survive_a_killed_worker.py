"""A worker that dies while it writes a plan's reasons is followed by another; two never both write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from forecasting.models import ModelVersion
from missions_project import pipeline
from missions_project.lib.runs import MAX_ATTEMPTS
from patrols.models import Mission, MissionPlan, PatrolPolicy
from patrols.services import plan_missions, plan_queue, plan_reasons_write, reasons
from patrols.services.reasons import REASONS_LEASE, REASONS_WITHIN
from patrols.tasks import plan_reasons_task
from tests.forecasting.scenes import make_scene

pytestmark = pytest.mark.django_db
LONG_AGO = REASONS_LEASE + dt.timedelta(minutes=1)


class Killed(BaseException):
    """The worker's process is gone."""


@pytest.fixture
def plan() -> MissionPlan:
    """A plan whose reasons nobody has begun to write."""
    scene = make_scene()
    PatrolPolicy.objects.create(agency=scene.agency)
    made = plan_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on, seed=5)
    return plan_missions(plan=made, with_reasons=False)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(pipeline.plan_reasons_task, "delay", found.append)
    return found


def later(plan: MissionPlan) -> None:
    """Let more than the lease pass."""
    row = MissionPlan.objects.get(pk=plan.pk)
    MissionPlan.objects.filter(pk=plan.pk).update(
        reasons_sent_at=row.reasons_sent_at and row.reasons_sent_at - LONG_AGO,
        reasons_claimed_at=row.reasons_claimed_at and row.reasons_claimed_at - LONG_AGO,
    )


def told(plan: MissionPlan) -> list[bool]:
    return [bool(mission.why) for mission in Mission.objects.filter(plan=plan)]


def kill(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Let the next worker die while it works the reasons out, or between two batches of writing them."""
    holder: Any = reasons if when == "why_here_many" else Mission.objects
    honest = getattr(holder, when)

    def dies(*args: Any, **words: Any) -> Any:
        monkeypatch.undo()
        if when == "bulk_update":
            missions, fields = args
            honest(missions[:1], fields)
        raise Killed

    monkeypatch.setattr(holder, when, dies)


@pytest.mark.parametrize("when", ["why_here_many", "bulk_update"])
def test_a_worker_killed_in_the_middle_is_followed_by_another(
    plan: MissionPlan, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    kill(monkeypatch, when)
    with pytest.raises(Killed):
        plan_reasons_task(plan.pk)
    plan.refresh_from_db()
    assert plan.reasons_at is None
    sent: list[int] = []
    monkeypatch.setattr(pipeline.plan_reasons_task, "delay", sent.append)
    # While its claim holds nobody else is sent: it may be alive.
    assert pipeline.reasons_due() == 0
    later(plan)
    assert pipeline.reasons_due() == 1
    plan_reasons_task(sent[0])
    assert all(told(plan))
    plan.refresh_from_db()
    assert plan.reasons_at is not None
    assert plan.reasons_claimed_at is None
    assert plan.reasons_attempts == 2
    later(plan)
    assert pipeline.reasons_due() == 0


def test_a_plan_whose_own_worker_dies_at_the_reasons_keeps_its_missions(
    plan: MissionPlan, monkeypatch: pytest.MonkeyPatch, sent: list[int]
) -> None:
    other = plan_queue(agency=plan.agency, shift=plan.shift, on=plan.on, seed=6)

    def dies(*args: Any) -> Any:
        raise Killed

    monkeypatch.setattr(reasons, "why_here_many", dies)
    with pytest.raises(Killed):
        plan_missions(plan=other)
    other.refresh_from_db()
    assert other.status == "succeeded"
    assert other.missions.exists()
    later(other)
    pipeline.reasons_due()
    assert other.pk in sent


def test_a_message_that_is_lost_is_sent_again_after_the_lease(plan: MissionPlan, sent: list[int]) -> None:
    assert [pipeline.reasons_due(), pipeline.reasons_due()] == [1, 0]
    later(plan)
    assert pipeline.reasons_due() == 1
    assert sent == [plan.pk, plan.pk]


def test_of_two_messages_one_writes(plan: MissionPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[int] = []
    honest: Callable[..., Any] = reasons.why_here_many

    def meanwhile(*args: Any) -> Any:
        inner.append(plan_reasons_write(plan=plan))
        return honest(*args)

    monkeypatch.setattr(reasons, "why_here_many", meanwhile)
    assert plan_reasons_write(plan=plan) == len(told(plan))
    assert inner == [0]
    assert plan_reasons_write(plan=plan) == 0


def test_a_worker_that_comes_back_after_its_claim_ran_out_writes_nothing(
    plan: MissionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[..., Any] = reasons.why_here_many

    def slept(*args: Any) -> Any:
        later(plan)
        monkeypatch.setattr(reasons, "why_here_many", honest)
        assert plan_reasons_write(plan=plan) > 0
        Mission.objects.filter(plan=plan).update(why={"headline": "by the second"})
        return honest(*args)

    monkeypatch.setattr(reasons, "why_here_many", slept)
    assert plan_reasons_write(plan=plan) == 0
    assert {mission.why["headline"] for mission in plan.missions.all()} == {"by the second"}


def test_a_worker_overtaken_while_it_writes_takes_its_words_back(
    plan: MissionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[..., Any] = Mission.objects.bulk_update

    def overtaken(*args: Any, **words: Any) -> Any:
        honest(*args, **words)
        MissionPlan.objects.filter(pk=plan.pk).update(reasons_claimed_at=timezone.now())

    monkeypatch.setattr(Mission.objects, "bulk_update", overtaken)
    assert plan_reasons_write(plan=plan) == 0
    assert not any(told(plan))


def test_reasons_that_cannot_be_given_are_not_asked_for_again(plan: MissionPlan, sent: list[int]) -> None:
    ModelVersion.objects.filter(agency=plan.agency).update(artefact="gone.joblib", artefact_hash="0" * 64)
    type(plan.forecast_run).objects.filter(pk=plan.forecast_run_id).update(data_hash="not in memory")
    with pytest.raises(Exception, match="Next step"):
        plan_reasons_task(plan.pk)
    later(plan)
    assert pipeline.reasons_due() == 0


def test_reasons_that_kill_every_worker_are_given_up(plan: MissionPlan, sent: list[int]) -> None:
    MissionPlan.objects.filter(pk=plan.pk).update(reasons_attempts=MAX_ATTEMPTS)
    assert pipeline.reasons_due() == 0


def test_an_old_plan_is_left_to_whoever_opens_it(plan: MissionPlan, sent: list[int]) -> None:
    MissionPlan.objects.filter(pk=plan.pk).update(finished_at=timezone.now() - REASONS_WITHIN)
    assert pipeline.reasons_due() == 0
