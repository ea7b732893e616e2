"""The morning after: each plan is drawn again, a changed one is told to the audit log, the others are believed from then on."""

from __future__ import annotations

import pytest

from agencies.models import AuditEvent
from patrols.models import Mission, MissionPlan, PresenceAccount
from patrols.services import plans_check
from patrols.tasks import presence_task
from tests.factories import make_agency
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    return scene.plan(publish=True)


def check(plan: MissionPlan) -> list[MissionPlan]:
    return plans_check(agency=plan.agency, shift=plan.shift, on=plan.on)


def test_a_plan_as_drawn_is_marked_once_and_costs_one_query_from_then_on(
    plan: MissionPlan, django_assert_num_queries: object
) -> None:
    assert plan.replay_mark == ""
    assert check(plan) == []
    plan.refresh_from_db()
    assert len(plan.replay_mark) == 64
    assert plan.replayed_at is not None
    agency, shift = plan.agency, plan.shift
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert plans_check(agency=agency, shift=shift, on=plan.on) == []
    assert not AuditEvent.objects.filter(action="plan not as drawn").exists()


def test_a_changed_plan_bears_no_mark_and_is_told_to_the_audit_log_once(plan: MissionPlan) -> None:
    first = plan.missions.earliest("number")
    Mission.objects.filter(pk=first.pk).update(dose_minutes=first.dose_minutes + 1)
    assert check(plan) == [plan]
    assert check(plan) == [plan]
    plan.refresh_from_db()
    assert plan.replay_mark == ""
    event = AuditEvent.objects.get(action="plan not as drawn")
    assert (event.agency, event.subject, event.actor) == (plan.agency, str(plan), None)
    assert event.detail["how_many"] == 1
    assert f"Mission {first.number}" in event.detail["differences"][0]


def test_a_design_that_cannot_be_read_is_told_too(plan: MissionPlan) -> None:
    MissionPlan.objects.filter(pk=plan.pk).update(design=bytes(plan.design)[:-9])
    assert check(plan) == [plan]
    assert AuditEvent.objects.filter(action="plan not as drawn").count() == 1


def test_the_shifts_are_checked_when_their_presence_is_counted(scene: Scene, plan: MissionPlan) -> None:
    account = PresenceAccount.objects.create(
        agency=scene.agency, shift=plan.shift, on=plan.on, period_to=plan.period_to
    )
    presence_task(account.pk)
    plan.refresh_from_db()
    assert len(plan.replay_mark) == 64


def test_another_agencys_plans_are_left_alone(plan: MissionPlan) -> None:
    assert plans_check(agency=make_agency("elsewhere"), shift=plan.shift, on=plan.on) == []
    plan.refresh_from_db()
    assert plan.replay_mark == ""
