"""Forecast and plan of each shift run by themselves: in time, once, caught up after an outage, never over a person's plan."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, Unit
from forecasting.models import ForecastRun, ModelVersion
from missions_project import pipeline
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, MAX_ATTEMPTS, RunStatus
from patrols.models import MissionPlan, PlanSchedule, ShiftPlanning
from patrols.selectors import planning_state
from patrols.services import (
    mission_add,
    mission_assign,
    mission_withdraw,
    plan_publish,
    plannings_claim,
    plans_publish_due,
    schedules,
)
from tests.factories import make_member
from tests.patrols.rounds import HOUR, MINUTE, claim_and_run, copying_forecast, one_shift_scene
from tests.patrols.scenes import ON, Scene

State = ShiftPlanning.State


@pytest.fixture
def scene(db: None) -> Scene:
    return one_shift_scene(ON)


@pytest.fixture
def coming(db: None) -> Scene:
    """The same with a shift that has not begun by any clock."""
    return one_shift_scene(timezone.now().date() + dt.timedelta(days=3))


def scheduled(scene: Scene) -> list[MissionPlan]:
    return list(MissionPlan.objects.filter(agency=scene.agency, trigger=MissionPlan.Trigger.SCHEDULE))


def test_a_shift_is_forecast_and_planned_two_hours_before_it_starts_without_any_set_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, scene)
    start = scene.run.period_from
    assert claim_and_run(start - 2 * HOUR - MINUTE) == []
    (row,) = claim_and_run(start - 2 * HOUR)
    assert (row.state, row.on, row.round, row.message) == (State.DONE, ON, 0, "")
    assert row.plan is not None
    assert row.plan.forecast_run == row.forecast_run != scene.run
    assert (row.plan.state, row.plan.counts["missions"]) == ("draft", 12)
    assert claim_and_run(start - HOUR) == []


def test_the_agencys_own_lead_time_holds_and_a_row_for_one_shift_goes_first(scene: Scene) -> None:
    PlanSchedule.objects.create(agency=scene.agency, lead_minutes=30)
    PlanSchedule.objects.create(agency=scene.agency, shift=scene.shift, lead_minutes=300)
    assert plannings_claim(now=scene.run.period_from - 301 * MINUTE) == []
    assert len(plannings_claim(now=scene.run.period_from - 300 * MINUTE)) == 1


def test_a_schedule_that_is_off_plans_nothing(scene: Scene) -> None:
    PlanSchedule.objects.create(agency=scene.agency, is_on=False)
    assert plannings_claim(now=scene.run.period_from) == []


def test_an_agency_without_an_approved_model_is_left_in_peace(scene: Scene) -> None:
    ModelVersion.objects.update(state=ModelVersion.State.TRAINED, approved_at=None)
    assert plannings_claim(now=scene.run.period_from) == []


def test_what_was_missed_while_the_machine_was_down_is_caught_up_until_the_shift_ends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlanSchedule.objects.create(agency=scene.agency, lead_minutes=240, refresh_minutes=60)
    copying_forecast(monkeypatch, scene)
    (row,) = claim_and_run(scene.run.period_to - MINUTE)
    # Of four rounds missed the newest alone.
    assert (row.state, row.round) == (State.DONE, 3)
    assert ShiftPlanning.objects.count() == 1
    assert claim_and_run(scene.run.period_to) == []


def test_drafts_are_refreshed_until_a_person_publishes(
    coming: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlanSchedule.objects.create(agency=coming.agency, lead_minutes=240, refresh_minutes=60)
    copying_forecast(monkeypatch, coming)
    start = coming.run.period_from
    (first,) = claim_and_run(start - 4 * HOUR)
    (second,) = claim_and_run(start - 3 * HOUR)
    states = {plan.pk: plan.state for plan in scheduled(coming)}
    assert states == {first.plan_id: "superseded", second.plan_id: "draft"}
    assert second.plan is not None
    plan_publish(plan=second.plan, actor=None)
    (third,) = claim_and_run(start - 2 * HOUR)
    assert (third.state, third.plan) == (State.DONE, None)
    assert "published already" in third.message
    assert len(scheduled(coming)) == 2


def test_a_plan_that_was_drawn_by_hand_is_left_alone(coming: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    copying_forecast(monkeypatch, coming)
    own = coming.plan()
    (row,) = claim_and_run(coming.run.period_from - 2 * HOUR)
    own.refresh_from_db()
    assert (row.state, own.state) == (State.DONE, "draft")
    assert "by hand" in row.message
    assert scheduled(coming) == []


def test_a_person_who_publishes_while_the_schedule_forecasts_is_not_overrun(
    coming: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, coming, before=lambda run: coming.plan(publish=True))
    (row,) = claim_and_run(coming.run.period_from - 2 * HOUR)
    assert (row.state, row.message, row.plan) == (State.DONE, "A plan is published already.", None)
    assert scheduled(coming) == []


@pytest.mark.parametrize("how", ["withdrawn", "assigned", "added"])
def test_a_draft_that_a_person_has_changed_is_not_refreshed(
    coming: Scene, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    PlanSchedule.objects.create(agency=coming.agency, lead_minutes=240, refresh_minutes=60)
    copying_forecast(monkeypatch, coming)
    (first,) = claim_and_run(coming.run.period_from - 4 * HOUR)
    person = make_member(coming.agency, "supervisor")
    assert first.plan is not None
    mission = first.plan.missions.select_related("plan", "beat", "agency", "crime_type")[0]
    if how == "withdrawn":
        mission_withdraw(mission=mission, reason="road closed", actor=person)
    elif how == "assigned":
        mission_assign(mission=mission, unit=Unit.objects.filter(agency=coming.agency)[0], actor=person)
    else:
        taken = set(first.plan.missions.values_list("cell_id", flat=True))
        free = next(cell for cell in coming.spec.cells.tolist() if cell not in taken)
        mission_add(
            plan=first.plan, cell_id=free, crime_type=mission.crime_type, starts_at=coming.run.period_from,
            dose_minutes=12, reason="asked for by shops", actor=person,
        )  # fmt: skip
    (second,) = claim_and_run(coming.run.period_from - 3 * HOUR)
    assert (second.state, second.plan) == (State.DONE, None)
    assert "A person has changed the draft" in second.message
    first.plan.refresh_from_db()
    assert first.plan.state == "draft"


def test_a_running_shift_keeps_the_plan_of_an_earlier_round(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlanSchedule.objects.create(agency=scene.agency, lead_minutes=120, refresh_minutes=60)
    copying_forecast(monkeypatch, scene)
    (first,) = claim_and_run(scene.run.period_from - 2 * HOUR)
    (late,) = claim_and_run(scene.run.period_from + HOUR)
    assert (first.round, late.round, late.plan) == (0, 1, None)
    assert "has begun" in late.message


def test_a_failure_names_the_reason_and_is_tried_again_three_times_in_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, scene)
    Unit.objects.update(missions_per_shift=0)
    now = scene.run.period_from
    (row,) = claim_and_run(now)
    assert row.state == State.FAILED
    assert "Admin → Units" in row.message
    for attempt in (2, 3):
        assert claim_and_run(now) == []
        ShiftPlanning.objects.update(finished_at=now - schedules.TRY_AGAIN_AFTER - MINUTE)
        (row,) = claim_and_run(now)
        assert (row.attempts, row.state) == (attempt, State.FAILED)
    ShiftPlanning.objects.update(finished_at=now - HOUR)
    assert claim_and_run(now) == []


def test_a_setting_that_was_mended_meanwhile_gives_the_plan(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, scene)
    units = list(Unit.objects.values_list("pk", "missions_per_shift"))
    Unit.objects.update(missions_per_shift=0)
    now = scene.run.period_from
    claim_and_run(now)
    for pk, missions in units:
        Unit.objects.filter(pk=pk).update(missions_per_shift=missions)
    ShiftPlanning.objects.update(finished_at=now - HOUR)
    (row,) = claim_and_run(now)
    assert (row.state, row.message) == (State.DONE, "")
    found = planning_state(scene.agency, scene.shift, ON)
    assert found == row


def killed(run: Any, scene: Scene) -> None:
    """What SIGKILL leaves: rows that say "running", and nobody who closes them."""
    type(run).objects.filter(pk=run.pk).update(started_at=None)
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["forecast", "plan"])
def test_a_worker_killed_in_between_is_followed_by_one_that_goes_on_from_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    now = scene.run.period_from - HOUR
    if where == "forecast":
        copying_forecast(monkeypatch, scene, before=lambda run: killed(run, scene))
    else:
        copying_forecast(monkeypatch, scene)
        monkeypatch.setattr(schedules, "plan_missions", lambda *, plan, **_: killed_plan(plan))
    with pytest.raises(KeyboardInterrupt):
        claim_and_run(now)
    row = ShiftPlanning.objects.get()
    assert row.state == State.RUNNING
    # A worker notes its own clock, which is months ahead of the shift here.
    ShiftPlanning.objects.update(claimed_at=now)
    assert claim_and_run(now) == [], "the claim has not run out"
    monkeypatch.undo()
    done = copying_forecast(monkeypatch, scene)
    silent = timezone.now() - HEARTBEAT_LOST_AFTER - MINUTE
    for model in (ForecastRun, MissionPlan):
        # The run rows have their own housekeeping, which may come first.
        model.objects.filter(status=RunStatus.RUNNING).update(heartbeat_at=silent)
        model.objects.all().requeue_abandoned()
    ShiftPlanning.objects.update(claimed_at=now - HEARTBEAT_LOST_AFTER - MINUTE)
    (again,) = claim_and_run(now)
    assert (again.pk, again.state, again.attempts) == (row.pk, State.DONE, 2)
    assert ForecastRun.objects.exclude(pk=scene.run.pk).count() == 1
    assert [plan.status for plan in scheduled(scene)] == [RunStatus.SUCCEEDED]
    assert len(done) == (1 if where == "forecast" else 0)


def killed_plan(plan: MissionPlan) -> None:
    MissionPlan.objects.filter(pk=plan.pk).update(status=RunStatus.RUNNING, heartbeat_at=timezone.now())
    raise KeyboardInterrupt


def test_a_round_that_kills_its_worker_three_times_fails_for_good(scene: Scene) -> None:
    now = scene.run.period_from
    (pk,) = plannings_claim(now=now)
    silent = now - HEARTBEAT_LOST_AFTER - MINUTE
    ShiftPlanning.objects.update(state=State.RUNNING, attempts=MAX_ATTEMPTS, claimed_at=silent)
    assert plannings_claim(now=now) == []
    row = ShiftPlanning.objects.get(pk=pk)
    assert row.state == State.FAILED
    assert "memory" in row.message


def test_a_lost_message_is_sent_again_and_a_round_is_run_by_one_worker_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, scene)
    now = scene.run.period_from
    (pk,) = plannings_claim(now=now)
    assert plannings_claim(now=now + MINUTE) == []
    assert plannings_claim(now=now + 6 * MINUTE) == [pk]
    first = schedules.planning_run(pk=pk)
    assert first is not None
    assert schedules.planning_run(pk=pk) is None
    assert len(scheduled(scene)) == 1


def test_a_worker_that_was_given_up_leaves_the_round_to_its_successor(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(run: ForecastRun) -> None:
        ShiftPlanning.objects.update(claimed_at=timezone.now() + HOUR)

    copying_forecast(monkeypatch, scene, before=taken)
    assert claim_and_run(scene.run.period_from) == []
    assert scheduled(scene) == []
    assert ShiftPlanning.objects.get().state == State.RUNNING


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_never_plan_a_shift_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one_shift_scene(ON)
    copying_forecast(monkeypatch, scene)
    # The claim is of the scene's day, months ago: a thread that comes late must not take it for a dead worker's.
    monkeypatch.setattr(schedules, "HEARTBEAT_LOST_AFTER", dt.timedelta(days=36_500))
    together = Barrier(4)

    def scheduler(_: int) -> int:
        try:
            together.wait()
            found = plannings_claim(now=scene.run.period_from - HOUR)
            # Every worker gets every message: sent twice, done once.
            every = [*found, *ShiftPlanning.objects.values_list("pk", flat=True)]
            return sum(schedules.planning_run(pk=pk) is not None for pk in every)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(scheduler, range(4)))
    assert sum(done) == 1
    assert ShiftPlanning.objects.count() == 1
    assert [plan.status for plan in scheduled(scene)] == [RunStatus.SUCCEEDED]
    assert ForecastRun.objects.exclude(pk=scene.run.pk).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_one_instant_do_not_take_each_others_claims(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_shift_scene(ON)
    together = Barrier(4)

    def scheduler(_: int) -> list[int]:
        try:
            together.wait()
            return plannings_claim(now=dt.datetime(2026, 3, 14, 23, tzinfo=dt.UTC))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(scheduler, range(4)))
    assert sorted(map(len, found)) == [0, 0, 0, 1]


def test_the_schedule_publishes_at_the_start_where_nobody_did(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlanSchedule.objects.create(agency=scene.agency, publishes=True)
    copying_forecast(monkeypatch, scene)
    start = scene.run.period_from
    (row,) = claim_and_run(start - 2 * HOUR)
    assert plans_publish_due(now=start - MINUTE) == 0
    assert [plans_publish_due(now=start), plans_publish_due(now=start)] == [1, 0]
    plan = MissionPlan.objects.get(pk=row.plan_id)
    assert (plan.state, plan.published_by) == ("published", None)


def test_without_that_choice_a_draft_waits_for_the_supervisor(scene: Scene) -> None:
    scene.plan()
    assert plans_publish_due(now=scene.run.period_from) == 0


def test_the_dispatcher_costs_few_queries_where_nothing_is_due(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    copying_forecast(monkeypatch, scene)
    now = scene.run.period_from - HOUR
    claim_and_run(now)
    with django_assert_num_queries(4):
        assert plannings_claim(now=now) == []
    with django_assert_num_queries(1):
        assert plans_publish_due(now=now) == 0
    with CaptureQueriesContext(connection) as captured:
        pipeline.notices_due()
    assert len(captured) == 2


def test_the_dispatcher_sends_the_earliest_shift_first(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.patrols.scenes import make_scene

    scene = make_scene()
    sent: list[int] = []
    monkeypatch.setattr(pipeline.shift_planning_task, "delay", sent.append)
    at = scene.run.period_from - HOUR
    PlanSchedule.objects.create(agency=scene.agency, lead_minutes=1440)
    monkeypatch.setattr(pipeline.timezone, "now", lambda: at)
    assert pipeline.plannings_due() == len(sent) == 4
    order = [ShiftPlanning.objects.select_related("shift").get(pk=pk) for pk in sent]
    assert [(row.shift.slug, row.on.day) for row in order] == [
        ("day", 14), ("evening", 14), ("night", 15), ("day", 15),
    ]  # fmt: skip
    assert Agency.objects.count() == 1


def test_a_round_that_no_worker_came_to_is_told_when_the_shift_is_over(scene: Scene) -> None:
    (pk,) = plannings_claim(now=scene.run.period_from)
    assert plannings_claim(now=scene.run.period_to + HOUR) == []
    row = ShiftPlanning.objects.get(pk=pk)
    assert row.state == State.FAILED
    assert "see that a worker runs" in row.message


def test_a_left_round_gives_way_to_a_later_one_or_to_a_persons_plan(coming: Scene) -> None:
    PlanSchedule.objects.create(agency=coming.agency, lead_minutes=240, refresh_minutes=60)
    start = coming.run.period_from
    (first,) = plannings_claim(now=start - 4 * HOUR)
    (second,) = plannings_claim(now=start - 3 * HOUR)
    assert ShiftPlanning.objects.get(pk=first).message == "A later round took its place."
    coming.plan(publish=True)
    ShiftPlanning.objects.filter(pk=second).update(claimed_at=start)
    plannings_claim(now=coming.run.period_to + HOUR)
    assert set(ShiftPlanning.objects.values_list("state", flat=True)) == {State.DONE}


def test_the_queue_is_not_sent_again_while_a_worker_is_at_it(scene: Scene) -> None:
    now = scene.run.period_from
    (pk,) = plannings_claim(now=now)
    ShiftPlanning.objects.create(
        agency=scene.agency, shift=scene.shift, on=ON - dt.timedelta(days=1), due_at=now, state=State.RUNNING,
        claimed_at=now + 5 * MINUTE,
    )  # fmt: skip
    assert plannings_claim(now=now + 6 * MINUTE) == []
    assert ShiftPlanning.objects.get(pk=pk).state == State.QUEUED


def test_the_real_forecast_and_plan_run_by_schedule(db: None) -> None:
    from patrols.models import PatrolPolicy
    from tests.forecasting.scenes import make_scene as make_trained

    trained = make_trained()
    PatrolPolicy.objects.create(agency=trained.agency)
    found = plannings_claim(now=trained.run.period_from - HOUR)
    (mine,) = ShiftPlanning.objects.filter(pk__in=found, shift=trained.shift, on=trained.run.on)
    row = schedules.planning_run(pk=mine.pk)
    assert row is not None
    assert (row.state, row.message) == (State.DONE, "")
    assert row.plan is not None
    assert row.plan.forecast_run == row.forecast_run
    assert row.plan.missions.count() == 12
    assert row.forecast_run is not None
    assert row.forecast_run.surfaces.count() == 3
