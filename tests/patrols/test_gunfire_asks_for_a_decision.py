"""A gunfire alert during a shift asks for one decision, as a draft, until somebody decides."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from agencies.models import AuditEvent, Beat
from forecasting.selectors import cell_beats
from ingestion.models import Feed, GunfireAlert, RecordKind
from ingestion.signals import facts_pushed
from missions_project import pipeline
from patrols.models import MissionPlan
from patrols.services import plan_dismiss, plan_missions
from patrols.services.decisions import gunfire_decide
from tests.factories import make_member
from tests.patrols.decisions import published
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    """An evening whose policy allows decisions."""
    made = make_scene()
    made.policy.visits_per_cell = 1
    made.policy.save()
    return made


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    return scene.plan(publish=True)


@pytest.fixture
def at(scene: Scene) -> dt.datetime:
    """Half-way through the shift, at no whole minute."""
    return scene.run.period_from + dt.timedelta(hours=4, seconds=20)


def alert(scene: Scene, at: dt.datetime, beat: str = "22", number: int = 1) -> GunfireAlert:
    feed, _ = Feed.objects.get_or_create(
        agency=scene.agency, name="Gunfire", slug="gunfire", record_kind="gunfire"
    )
    inside = cell_beats(scene.grid) == Beat.objects.get(agency=scene.agency, code=beat).pk
    lon, lat = scene.spec.centres_lonlat()
    return GunfireAlert.objects.create(
        agency=scene.agency, feed=feed, external_id=f"G{number}", occurred_from=at, occurred_to=at, content_hash=0,
        crime_type=scene.agency.crimetype_set.all()[0], lon=float(lon[inside][0]), lat=float(lat[inside][0]),
    )  # fmt: skip


@pytest.fixture
def listening(scene: Scene) -> Scene:
    scene.policy.replans_on_gunfire = True
    scene.policy.save()
    return scene


def test_gunfire_during_a_shift_queues_one_draft_around_it_until_somebody_decides(
    listening: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    first = alert(listening, at)
    made = gunfire_decide(agency=listening.agency, now=at)
    assert made is not None
    assert (made.trigger, made.decision, made.state) == ("gunfire", 1, "draft")
    assert "beat 22" in made.reason
    codes = {b.code for b in Beat.objects.filter(pk__in=made.config_snapshot["asked"]["beats"])}
    assert codes == {"22", "12", "21"}, "its beat and those beside it"
    assert made.config_snapshot["asked"]["missions"] == listening.policy.replan_missions_max
    # Queued, drawn, and more alerts meanwhile: still one.
    alert(listening, at, number=2)
    assert gunfire_decide(agency=listening.agency, now=at) is None
    plan_missions(plan=made, with_reasons=False)
    assert made.config_snapshot["asked"]["alert"] == first.pk
    assert gunfire_decide(agency=listening.agency, now=at) is None
    plan_dismiss(plan=made, actor=make_member(listening.agency, "supervisor"))
    assert made.state == "superseded"
    again = gunfire_decide(agency=listening.agency, now=at)
    assert again is not None
    assert AuditEvent.objects.filter(action="decision asked for").count() == 2


def test_an_alert_that_was_answered_is_not_answered_twice(
    listening: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert(listening, at)
    made = gunfire_decide(agency=listening.agency, now=at)
    assert made is not None
    published(plan_missions(plan=made, with_reasons=False), monkeypatch, at)
    assert gunfire_decide(agency=listening.agency, now=at) is None


@pytest.mark.parametrize(
    "why", ["policy", "no plan", "draft plan", "dismissed", "before the shift", "after it"]
)
def test_gunfire_queues_nothing_where_nothing_is_to_be_decided(
    listening: Scene, at: dt.datetime, why: str
) -> None:
    if why != "no plan":
        listening.plan(publish=why != "draft plan")
    heard = alert(listening, at)
    if why == "policy":
        listening.policy.replans_on_gunfire = False
        listening.policy.save()
    elif why == "dismissed":
        GunfireAlert.objects.update(is_gunfire=False)
    elif why == "before the shift":
        GunfireAlert.objects.update(occurred_from=listening.run.period_from - dt.timedelta(minutes=1))
    now = listening.run.period_to if why == "after it" else at
    assert gunfire_decide(agency=listening.agency, now=now) is None
    assert heard.pk


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_hear_of_one_alert_queue_one_decision() -> None:
    scene = make_scene()
    scene.policy.replans_on_gunfire = True
    scene.policy.save()
    scene.plan(publish=True)
    at = scene.run.period_from + dt.timedelta(hours=1)
    alert(scene, at)
    together = Barrier(3)

    def worker(_: int) -> bool:
        try:
            together.wait()
            return gunfire_decide(agency=scene.agency, now=at) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(worker, range(3))) == [False, False, True]
    assert MissionPlan.objects.filter(decision=1).count() == 1


def test_a_pushed_alert_sends_for_the_decision_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene()
    sent: list[Any] = []
    monkeypatch.setattr(pipeline.forecast_refresh_task, "apply_async", lambda *args, **kwargs: None)
    monkeypatch.setattr(pipeline.gunfire_decision_task, "apply_async", lambda args, **_: sent.append(args))
    for kind in (RecordKind.CALLS, RecordKind.GUNFIRE, RecordKind.GUNFIRE):
        facts_pushed.send_robust(sender=Feed, agency_id=scene.agency.pk, record_kind=kind)
    assert sent == [(scene.agency.pk,)]
