"""The plan's own page: what it covers, said before it is published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import User
from forecasting.templatetags.forecasting_format import percent
from patrols.coverage import plan_coverage
from patrols.models import MissionPlan
from patrols.services import plan_missions, plan_queue
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene, make_forecast, make_scene

SignIn = Callable[[User | None], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def address(plan: MissionPlan) -> str:
    return reverse("patrols:plan", args=[plan.agency.slug, plan.pk])


def test_a_supervisor_reads_what_a_draft_covers_and_publishes_it_from_there(
    scene: Scene, sign_in: SignIn
) -> None:
    scene.plan(publish=True)
    make_forecast(scene.agency, scene.grid, scene.shift, ON + dt.timedelta(days=1))
    plan = plan_missions(
        plan=plan_queue(agency=scene.agency, shift=scene.shift, on=ON + dt.timedelta(days=1), seed=3)
    )
    plan.refresh_from_db()
    client = sign_in(make_member(scene.agency, "supervisor"))
    page = client.get(address(plan)).content.decode()
    coverage = plan_coverage(plan)
    assert f"<dd>{percent(coverage.harm_expected / coverage.harm_total)}</dd>" in page
    assert f"<dd>{percent(coverage.low_risk_share)}</dd>" in page
    assert plan.design_hash in page
    assert page.count('class="strip"') == plan.missions.count()
    assert "Publish" in page
    board = client.get(
        reverse("patrols:board", args=[scene.agency.slug, plan.on.isoformat(), scene.shift.slug])
    )
    assert address(plan) in board.content.decode()
    client.post(reverse("patrols:publish", args=[scene.agency.slug, plan.pk]))
    assert "Published" in client.get(address(plan)).content.decode()


def test_a_plan_that_could_not_be_made_says_why_and_one_in_the_queue_that_it_waits(
    scene: Scene, sign_in: SignIn
) -> None:
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    client = sign_in(make_member(scene.agency, "analyst"))
    assert "Being drawn" in client.get(address(plan)).content.decode()
    MissionPlan.objects.filter(pk=plan.pk).update(status="failed", error="No unit is on duty.")
    assert "No unit is on duty." in client.get(address(plan)).content.decode()


def test_strangers_find_no_plan_and_officers_may_not_read_it(
    scene: Scene, stranger: User, sign_in: SignIn
) -> None:
    plan = scene.plan()
    assert sign_in(stranger).get(address(plan)).status_code == 404
    assert sign_in(stranger).get(reverse("patrols:plan", args=["lakeside", plan.pk])).status_code == 404
    assert sign_in(make_member(scene.agency, "officer")).get(address(plan)).status_code == 403


def test_the_page_asks_the_database_as_often_for_many_missions_as_for_few(
    scene: Scene, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    plan = scene.plan()
    client = sign_in(make_member(scene.agency, "supervisor"))
    client.get(address(plan))
    with django_assert_max_num_queries(13):
        client.get(address(plan))
