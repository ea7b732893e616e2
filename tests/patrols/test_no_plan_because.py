"""A shift without a plan says why, and when it is tried next; never an empty map."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Unit, User
from forecasting.models import ForecastRun, ModelVersion
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan, PlanSchedule, ShiftPlanning
from patrols.no_plan import NoPlan, no_plan
from patrols.selectors import planning_state
from patrols.services import plan_missions, plan_queue, plannings_claim
from tests.factories import make_member
from tests.patrols.rounds import HOUR, MINUTE, claim_and_run, copying_forecast, one_shift_scene
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def scene() -> Scene:
    """One shift, whose only forecast is out of the way: nothing was tried yet."""
    made = one_shift_scene(ON)
    ForecastRun.objects.filter(pk=made.run.pk).update(on=ON - dt.timedelta(days=7))
    return made


def told(scene: Scene, now: dt.datetime, plan: MissionPlan | None = None) -> NoPlan:
    found = no_plan(scene.agency, scene.shift, ON, plan, now=now)
    assert found is not None
    return found


def test_before_its_turn_it_says_when_the_schedule_comes(scene: Scene) -> None:
    start = scene.run.period_from
    said = told(scene, start - 5 * HOUR)
    assert (said.title, said.next_at) == ("No plan yet", start - 2 * HOUR)
    PlanSchedule.objects.create(agency=scene.agency, is_on=False)
    said = told(scene, start - 5 * HOUR)
    assert (said.next_at, "off" in said.reason) == (None, True)


def test_a_claimed_shift_is_being_planned(scene: Scene) -> None:
    plannings_claim(now=scene.run.period_from - HOUR)
    assert told(scene, scene.run.period_from - HOUR).title == "Planning …"
    found = planning_state(scene.agency, scene.shift, ON)
    assert found is not None
    assert found.state == "queued"


def test_a_failed_round_names_the_reason_and_the_next_try(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying_forecast(monkeypatch, scene)
    Unit.objects.update(missions_per_shift=0)
    (row,) = claim_and_run(scene.run.period_from - 2 * HOUR)
    ended = scene.run.period_from - 2 * HOUR + MINUTE
    ShiftPlanning.objects.update(finished_at=ended)
    plan = MissionPlan.objects.get(pk=row.plan_id)
    said = told(scene, ended + MINUTE, plan)
    assert (said.title, said.is_bad) == ("No plan, because …", True)
    assert "Admin → Units" in said.reason
    assert said.next_at == ended + 15 * MINUTE
    ShiftPlanning.objects.update(attempts=3)
    said = told(scene, ended + MINUTE, plan)
    assert said.next_at is None
    assert "not tried again by itself" in said.hint


def test_a_forecast_that_failed_by_schedule_is_the_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(run: ForecastRun) -> None:
        raise MissionsError("The models are gone.", next_step="train.")

    copying_forecast(monkeypatch, scene, before=fails)
    (row,) = claim_and_run(scene.run.period_from - HOUR)
    assert (row.state, row.plan, row.message) == ("failed", None, "The models are gone. Next step: train.")
    said = told(scene, scene.run.period_from - HOUR)
    assert (said.title, said.reason) == ("No plan: the forecast failed", row.message)


def test_an_agency_that_is_not_set_up_hears_what_is_missing(scene: Scene) -> None:
    ModelVersion.objects.update(state=ModelVersion.State.TRAINED, approved_at=None)
    assert "no model of this agency is approved" in told(scene, scene.run.period_from - HOUR).reason


def test_other_days_and_past_shifts_are_told_as_such(scene: Scene) -> None:
    assert "it is over" in told(scene, scene.run.period_to).reason
    scene.shift.weekdays = "0"
    scene.shift.save()
    assert told(scene, scene.run.period_from).title == "No evening shift starts on a Saturday"


def test_a_plan_on_its_way_shows_how_far_it_is_and_a_finished_one_nothing(scene: Scene) -> None:
    ForecastRun.objects.filter(pk=scene.run.pk).update(on=ON)
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    assert told(scene, scene.run.period_from, plan).title == "Planning …"
    plan_missions(plan=plan, with_reasons=False)
    assert no_plan(scene.agency, scene.shift, ON, plan, now=scene.run.period_from) is None


def test_it_costs_at_most_five_queries(scene: Scene) -> None:
    with CaptureQueriesContext(connection) as captured:
        told(scene, scene.run.period_from - 5 * HOUR)
    assert len(captured) <= 5


def test_the_board_shows_the_reason_and_the_next_try_by_the_agencys_clock(sign_in: SignIn) -> None:
    scene = one_shift_scene(timezone.now().date() + dt.timedelta(days=3))
    ForecastRun.objects.update(on=ON)
    client = sign_in(make_member(scene.agency, "supervisor"))
    address = reverse("patrols:board", args=["riverton", scene.run.on.isoformat(), scene.shift.slug])
    page = client.get(address).content.decode()
    assert "No plan yet" in page
    # The evening starts at 16:00; two hours before.
    assert "14:00" in page
    officer_sees = sign_in(make_member(scene.agency, "auditor")).get(address).content.decode()
    assert "A supervisor can plan it at once." in officer_sees


def test_a_failed_round_on_the_board(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one_shift_scene(timezone.now().date() + dt.timedelta(days=3))
    copying_forecast(monkeypatch, scene)
    Unit.objects.update(missions_per_shift=0)
    claim_and_run(scene.run.period_from - HOUR)
    plan: Any = MissionPlan.objects.get()
    assert plan.status == RunStatus.FAILED
    client = sign_in(make_member(scene.agency, "supervisor"))
    page = client.get(reverse("patrols:board_list", args=["riverton", scene.run.on.isoformat(), "evening"]))
    text = page.content.decode()
    assert "No plan, because" in text
    assert "Next step: put units on duty" in text
    assert "by itself" in text
