"""Publishing, assigning, adding, withdrawing, arriving and leaving: each with its record, the design untouched."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from agencies.models import AuditEvent, CrimeType, Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission, MissionPlan
from patrols.services import (
    engagement_arrive,
    engagement_leave,
    mission_add,
    mission_assign,
    mission_withdraw,
    plan_publish,
    suppression_create,
)
from tests.factories import make_agency
from tests.patrols.scenes import Scene

pytestmark = pytest.mark.django_db


def test_publishing_makes_the_draft_the_shifts_plan_and_records_who(scene: Scene, supervisor: User) -> None:
    plan = scene.plan(publish=True, actor=supervisor)
    assert plan.state == MissionPlan.State.PUBLISHED
    assert plan.published_by == supervisor
    assert AuditEvent.objects.get(action="plan published").actor == supervisor


def test_publishing_another_plan_supersedes_the_first(scene: Scene) -> None:
    first, second = scene.plan(publish=True), scene.plan(seed=8, publish=True)
    first.refresh_from_db()
    assert (first.state, second.state) == (MissionPlan.State.SUPERSEDED, MissionPlan.State.PUBLISHED)


def test_a_plan_under_way_cannot_be_replaced(scene: Scene, supervisor: User) -> None:
    first = scene.plan(publish=True)
    mission = first.missions.first()
    assert mission is not None
    engagement_arrive(mission=mission, unit=None, officer=supervisor, at=first.period_from)
    second = scene.plan(seed=8)
    with pytest.raises(MissionsError, match="already being carried out"):
        plan_publish(plan=second, actor=supervisor)
    first.refresh_from_db()
    assert first.state == MissionPlan.State.PUBLISHED


def test_a_withdrawn_mission_keeps_its_place_in_the_design(scene: Scene, supervisor: User) -> None:
    plan = scene.plan(publish=True)
    design, mission = bytes(plan.design), plan.missions.all()[0]
    mission_withdraw(mission=mission, reason="road closed", actor=supervisor)
    mission.refresh_from_db()
    plan.refresh_from_db()
    assert mission.withdrawn_by == supervisor
    assert mission.withdrawn_reason == "road closed"
    assert bytes(plan.design) == design
    with pytest.raises(MissionsError, match="already withdrawn"):
        mission_withdraw(mission=mission, reason="again", actor=supervisor)


def test_a_withdrawal_needs_a_reason(scene: Scene, supervisor: User) -> None:
    mission = scene.plan().missions.all()[0]
    with pytest.raises(MissionsError, match="reason"):
        mission_withdraw(mission=mission, reason="  ", actor=supervisor)


def _free_cell(scene: Scene, plan: MissionPlan) -> int:
    taken = set(plan.missions.values_list("cell_id", flat=True))
    return next(int(cell) for cell in scene.spec.cells if int(cell) not in taken)


def test_an_added_mission_is_marked_as_a_persons_own(scene: Scene, supervisor: User) -> None:
    plan = scene.plan()
    design = bytes(plan.design)
    mission = mission_add(
        plan=plan, cell_id=_free_cell(scene, plan), crime_type=CrimeType.objects.all()[0],
        starts_at=plan.period_from + dt.timedelta(hours=1), dose_minutes=12, reason="tip", actor=supervisor,
    )  # fmt: skip
    plan.refresh_from_db()
    assert (mission.source, mission.author, mission.number) == (Mission.Source.ADDED, supervisor, 13)
    assert mission.probability == 0
    assert bytes(plan.design) == design


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": ""}, "reason"),
        ({"starts_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "outside the shift"),
        ({"cell_id": -5}, "no beat"),
    ],
)
def test_an_addition_that_cannot_be_is_refused(
    scene: Scene, supervisor: User, change: dict[str, object], message: str
) -> None:
    plan = scene.plan()
    arguments = {
        "cell_id": _free_cell(scene, plan), "crime_type": CrimeType.objects.all()[0],
        "starts_at": plan.period_from, "dose_minutes": 12, "reason": "tip",
    }  # fmt: skip
    with pytest.raises(MissionsError, match=message):
        mission_add(plan=plan, actor=supervisor, **(arguments | change))  # type: ignore[arg-type]
    assert plan.missions.count() == 12


def test_a_cell_holds_one_mission(scene: Scene, supervisor: User) -> None:
    plan = scene.plan()
    mission = plan.missions.all()[0]
    with pytest.raises(MissionsError, match="already there"):
        mission_add(
            plan=plan, cell_id=mission.cell_id, crime_type=mission.crime_type, starts_at=plan.period_from,
            dose_minutes=12, reason="tip", actor=supervisor,
        )  # fmt: skip


def test_a_unit_of_another_agency_cannot_be_sent(scene: Scene, supervisor: User) -> None:
    elsewhere = Unit.objects.filter(agency=make_agency("lakeside")).first()
    mission = scene.plan().missions.all()[0]
    before = mission.assignment.unit
    with pytest.raises(MissionsError, match="another agency"):
        mission_assign(mission=mission, unit=elsewhere, actor=supervisor)
    assert Mission.objects.get(pk=mission.pk).assignment.unit == before


def test_two_presses_of_arrived_open_one_visit_and_two_of_left_change_nothing(
    scene: Scene, supervisor: User
) -> None:
    plan = scene.plan(publish=True)
    mission = plan.missions.all()[0]
    unit, at = mission.assignment.unit, plan.period_from
    first = engagement_arrive(mission=mission, unit=unit, officer=supervisor, at=at)
    second = engagement_arrive(
        mission=mission, unit=unit, officer=supervisor, at=at + dt.timedelta(seconds=2)
    )
    assert first.pk == second.pk
    assert Engagement.objects.count() == 1
    engagement_leave(engagement=first, at=at + dt.timedelta(minutes=12))
    engagement_leave(engagement=first, at=at + dt.timedelta(minutes=40))
    first.refresh_from_db()
    assert first.minutes == 12


def test_nobody_leaves_before_arriving(scene: Scene, supervisor: User) -> None:
    plan = scene.plan(publish=True)
    visit = engagement_arrive(
        mission=plan.missions.all()[0], unit=None, officer=supervisor, at=plan.period_from
    )
    with pytest.raises(MissionsError, match="clock"):
        engagement_leave(engagement=visit, at=plan.period_from - dt.timedelta(minutes=1))


def test_a_suppression_names_exactly_one_of_beat_and_area(scene: Scene, supervisor: User) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        suppression_create(
            agency=scene.agency,
            beat=None,
            geometry=None,
            reason="?",
            expires_at=scene.run.period_to,
            actor=supervisor,
        )
