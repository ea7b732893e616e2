"""The page on which a supervisor decides anew during a shift."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import User
from patrols.models import MissionPlan
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene, make_forecast, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def now_scene() -> Scene:
    """The agency with the shift that runs at this very moment, planned and published."""
    now = timezone.now()
    scene = make_scene(on=ON)
    local = (now - dt.timedelta(hours=1)).astimezone(ZoneInfo(scene.agency.time_zone))
    scene.shift.starts_at = local.time().replace(second=0, microsecond=0)
    scene.shift.save()
    scene.run = make_forecast(scene.agency, scene.grid, scene.shift, local.date())
    plan = scene.plan(publish=True)
    assert plan.period_from <= now < plan.period_to
    return scene


def test_a_supervisor_asks_sees_the_draft_and_publishes_or_dismisses_it(
    sign_in: SignIn, django_capture_on_commit_callbacks: Any
) -> None:
    scene = now_scene()
    client = sign_in(make_member(scene.agency, "supervisor"))
    address = reverse("patrols:decide", args=["riverton", scene.run.on.isoformat(), scene.shift.slug])
    assert "Draw a draft" in client.get(address).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(address, {"missions": 2, "reason": "shots near the station"}, follow=True)
    made = MissionPlan.objects.get(decision=1)
    assert made.missions.count() == 2
    assert "being drawn" in page.content.decode()
    text = client.get(address).content.decode()
    assert "shots near the station" in text
    assert reverse("patrols:publish", args=["riverton", made.pk]) in text
    client.post(reverse("patrols:publish", args=["riverton", made.pk]))
    made.refresh_from_db()
    assert made.state == "published"
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address, {"missions": 1, "reason": "fight reported"})
    second = MissionPlan.objects.get(decision=2)
    client.post(reverse("patrols:dismiss", args=["riverton", second.pk]))
    second.refresh_from_db()
    assert second.state == "superseded"


@pytest.mark.parametrize(
    ("role", "status"), [("supervisor", 200), ("admin", 200), ("analyst", 403), ("officer", 403)]
)
def test_only_those_who_run_shifts_decide(sign_in: SignIn, role: str, status: int) -> None:
    scene = make_scene()
    client = sign_in(make_member(scene.agency, role))
    address = reverse("patrols:decide", args=["riverton", ON.isoformat(), scene.shift.slug])
    assert client.get(address).status_code == status


def test_what_stands_against_a_decision_is_said_on_its_page(sign_in: SignIn) -> None:
    scene = make_scene()
    client = sign_in(make_member(scene.agency, "supervisor"))
    address = reverse("patrols:decide", args=["riverton", ON.isoformat(), scene.shift.slug])
    text = client.post(address, {"missions": 2, "reason": "shots"}).content.decode()
    assert "is not running" in text
    assert "short" not in text
    assert "few words" in client.post(address, {"missions": 2}).content.decode()


def test_the_decision_page_costs_few_queries(sign_in: SignIn, django_assert_max_num_queries: Any) -> None:
    scene = make_scene()
    scene.plan(publish=True)
    client = sign_in(make_member(scene.agency, "supervisor"))
    address = reverse("patrols:decide", args=["riverton", ON.isoformat(), scene.shift.slug])
    with django_assert_max_num_queries(10):
        client.get(address)
