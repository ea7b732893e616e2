"""A decision in the middle of a shift: its own candidates and draw for what is left, the first plan untouched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, Beat, District, Membership, Unit, User
from forecasting.selectors import cell_beats
from ingestion.models import Feed, GunfireAlert
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.plan import design_from_bytes
from patrols.models import Mission, MissionPlan, Suppression
from patrols.replays import plan_differences
from patrols.selectors import missions_for_unit, plan_for, planned_history, plans_of
from patrols.services import (
    mission_add,
    mission_withdraw,
    plan_decide,
    plan_dismiss,
    plan_missions,
    plan_publish,
)
from patrols.services.decisions import gunfire_decide
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
Trigger = MissionPlan.Trigger


@pytest.fixture
def scene() -> Scene:
    """An evening with a published plan, whose policy allows decisions, and one visit to a box, so that some are over."""
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


def ask(scene: Scene, at: dt.datetime, **changes: Any) -> MissionPlan:
    asked: dict[str, Any] = {
        "beats": None, "missions": 2, "reason": "shots near the station", "trigger": Trigger.PERSON, "actor": None,
    }  # fmt: skip
    return plan_decide(agency=scene.agency, shift=scene.shift, on=ON, at=at, **asked | changes)


def decided(scene: Scene, at: dt.datetime, **changes: Any) -> MissionPlan:
    return plan_missions(plan=ask(scene, at, **changes), with_reasons=False)


def published(plan: MissionPlan, monkeypatch: pytest.MonkeyPatch, at: dt.datetime) -> MissionPlan:
    with monkeypatch.context() as patched:
        patched.setattr("patrols.services.plans.timezone.now", lambda: at)
        return plan_publish(plan=plan, actor=None)


def rows_of(plan: MissionPlan) -> list[dict[str, Any]]:
    return list(Mission.objects.filter(plan=plan).order_by("pk").values())


def test_the_first_plan_its_missions_and_its_design_stay_as_they_were(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(plan), MissionPlan.objects.filter(pk=plan.pk).values().get()
    first = published(decided(scene, at), monkeypatch, at)
    published(decided(scene, at + dt.timedelta(hours=1)), monkeypatch, at + dt.timedelta(hours=1))
    assert (rows_of(plan), MissionPlan.objects.filter(pk=plan.pk).values().get()) == before
    assert bytes(before[1]["design"]) == bytes(plan.design)
    first.refresh_from_db()
    assert first.state == "published"


def test_a_decision_draws_for_what_is_left_of_the_shift(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    made = decided(scene, at)
    assert (made.decision, made.state, made.status) == (1, "draft", RunStatus.SUCCEEDED)
    assert made.period_from == scene.run.period_from + dt.timedelta(hours=4, minutes=1)
    assert made.period_to == plan.period_to
    draw = design_from_bytes(bytes(made.design))
    assert (draw.shift_minutes, int(draw.beat_k.sum())) == (239, 2)
    assert draw.pi.sum() == pytest.approx(2)
    assert ((draw.pi > 0) & (draw.pi < 1)).all()
    for mission in made.missions.all():
        assert made.period_from <= mission.starts_at
        assert mission.starts_at + dt.timedelta(minutes=mission.dose_minutes) <= made.period_to
        assert mission.assignment.unit.beat_id == mission.beat_id


def test_candidates_are_the_cells_without_an_open_mission_and_not_suppressed(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    beat = Beat.objects.get(agency=scene.agency, code="22")
    Suppression.objects.create(
        agency=scene.agency,
        beat=beat,
        reason="street fair",
        starts_at=scene.run.period_from,
        expires_at=plan.period_to,
    )
    made = decided(scene, at)
    draw = design_from_bytes(bytes(made.design))
    candidates = set(scene.spec.cells[draw.cell].tolist())
    missions = list(plan.missions.all())
    is_open = {
        m.cell_id for m in missions if m.starts_at + dt.timedelta(minutes=m.dose_minutes) > made.period_from
    }
    over = {m.cell_id for m in missions} - is_open
    beats = dict(zip(scene.spec.cells.tolist(), cell_beats(scene.grid).tolist(), strict=True))
    chosen = set(draw.beat_id.tolist())
    assert is_open
    assert over
    assert not candidates & is_open
    assert {cell for cell in over if beats[cell] in chosen} <= candidates
    assert beat.pk not in chosen


def test_a_withdrawn_mission_frees_its_box(scene: Scene, plan: MissionPlan, at: dt.datetime) -> None:
    late = plan.missions.order_by("-starts_at")[0]
    person = make_member(scene.agency, "supervisor")
    mission_withdraw(mission=late, reason="road closed", actor=person)
    made = decided(scene, at, beats=[late.beat])
    draw = design_from_bytes(bytes(made.design))
    assert late.cell_id in scene.spec.cells[draw.cell]


def test_missions_go_where_harm_is_highest_or_to_the_beats_that_were_named(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    anywhere = decided(scene, at, missions=1)
    # Harm rises to the north and east: beat 22.
    assert [m.beat.code for m in anywhere.missions.all()] == ["22"]
    south = list(Beat.objects.filter(agency=scene.agency, code__in=["11", "12"]))
    named = decided(scene, at, missions=3, beats=south)
    assert {m.beat.code for m in named.missions.all()} == {"11", "12"}
    assert named.missions.count() == 3


def test_numbers_go_on_after_those_of_the_plan_and_added_missions_after_both(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    made = decided(scene, at)
    assert sorted(made.missions.values_list("number", flat=True)) == [13, 14]
    free = next(c for c in scene.spec.cells.tolist() if not Mission.objects.filter(cell_id=c).exists())
    added = mission_add(
        plan=plan, cell_id=free, crime_type=plan.missions.all()[0].crime_type, starts_at=at, dose_minutes=12,
        reason="asked for by the shop keepers", actor=make_member(scene.agency, "supervisor"),
    )  # fmt: skip
    assert added.number == 15


def test_a_decision_draws_again_bit_for_bit_and_its_history_counts(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = published(decided(scene, at), monkeypatch, at)
    assert plan_differences(made) == []
    assert plan_differences(plan) == []
    minutes, days = planned_history(scene.agency, grid=scene.grid, before=plan.period_to, window_days=7)
    for mission in made.missions.all():
        index = int(scene.spec.index_of([mission.cell_id])[0])
        earlier = plan.missions.filter(cell_id=mission.cell_id).first()
        assert minutes[index] == mission.dose_minutes + (earlier.dose_minutes if earlier else 0)
        assert days[index] == 0
    # The second decision sees the first one's minutes.
    minutes, _ = planned_history(
        scene.agency, grid=scene.grid, before=made.period_from + dt.timedelta(minutes=1), window_days=7
    )
    assert np.count_nonzero(minutes) >= 12


def test_the_plan_of_the_shift_is_still_the_first_and_all_are_listed_in_order(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = published(decided(scene, at), monkeypatch, at)
    draft = decided(scene, at + dt.timedelta(minutes=5))
    assert plan_for(scene.agency, scene.shift, ON) == plan
    assert plans_of(scene.agency, scene.shift, ON) == [plan, made, draft]
    unit = made.missions.all()[0].assignment.unit
    seen = {m.plan_id for m in missions_for_unit(scene.agency, unit, now=at)}
    assert seen == {plan.pk, made.pk}


def test_a_later_draft_takes_the_place_of_an_earlier_one_and_publishing_supersedes_nothing(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = decided(scene, at), decided(scene, at)
    first.refresh_from_db()
    assert (first.state, second.decision) == ("superseded", 1)
    published(second, monkeypatch, at)
    plan.refresh_from_db()
    assert (plan.state, second.state) == ("published", "published")
    with pytest.raises(MissionsError, match="no longer a draft|published already"):
        published(first, monkeypatch, at)
    with pytest.raises(IntegrityError), transaction.atomic():
        MissionPlan.objects.filter(pk=first.pk).update(state="published")
    again = scene.plan()
    with pytest.raises(MissionsError, match="Decisions during this shift build on"):
        plan_publish(plan=again, actor=None)


def test_a_box_that_got_a_mission_since_the_draw_stops_the_publication(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = decided(scene, at)
    target = made.missions.all()[0]
    plan.missions.filter(cell_id=target.cell_id).delete()
    mission_add(
        plan=plan, cell_id=target.cell_id, crime_type=target.crime_type, starts_at=at + dt.timedelta(hours=1),
        dose_minutes=12, reason="broken street light", actor=make_member(scene.agency, "supervisor"),
    )  # fmt: skip
    with pytest.raises(MissionsError, match="two units would stand in one box"):
        published(made, monkeypatch, at)


def test_the_policys_caps_hold(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissionsError, match="missions per decision"):
        ask(scene, at, missions=4)
    for _ in range(scene.policy.replans_max):
        published(decided(scene, at), monkeypatch, at)
    with pytest.raises(MissionsError, match="has had its 2 decisions"):
        ask(scene, at)
    scene.policy.replans_max = 0
    scene.policy.save()
    with pytest.raises(MissionsError, match="switched off"):
        ask(scene, at)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "  "}, "needs its reason"),
        ({"reason": "looking for John, born 04/05/1990"}, "never kept"),
        ({"missions": 0}, "1 to 3 missions"),
        ({"beats": []}, "No beat was named"),
    ],
)
def test_what_cannot_be_decided_says_why(
    scene: Scene, plan: MissionPlan, at: dt.datetime, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(MissionsError, match=words):
        ask(scene, at, **changes)
    assert not MissionPlan.objects.filter(decision__gt=0).exists()


def test_outside_the_shift_or_without_a_published_plan_nothing_is_decided(
    scene: Scene, at: dt.datetime
) -> None:
    with pytest.raises(MissionsError, match="No plan of this shift is published"):
        ask(scene, at)
    plan = scene.plan(publish=True)
    for instant in (plan.period_from - dt.timedelta(seconds=1), plan.period_to):
        with pytest.raises(MissionsError, match="is not running"):
            ask(scene, instant)
    with pytest.raises(MissionsError, match="less than one visit"):
        ask(scene, plan.period_to - dt.timedelta(minutes=15))


def test_beats_without_a_unit_get_none_and_the_log_says_so(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    Unit.objects.filter(beat__code="22").update(is_active=False)
    beats = list(Beat.objects.filter(agency=scene.agency, code__in=["21", "22"]))
    made = decided(scene, at, beats=beats)
    assert {m.beat.code for m in made.missions.all()} == {"21"}
    assert "22" in made.log
    nowhere = ask(scene, at, beats=[beats[1]])
    with pytest.raises(MissionsError, match="both a unit on duty and a free box"):
        plan_missions(plan=nowhere)


def test_a_supervisor_decides_and_publishes_in_own_districts_only(
    scene: Scene, plan: MissionPlan, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    southerner = make_member(scene.agency, "supervisor")
    Membership.objects.get(user=southerner).districts.add(District.objects.get(agency=scene.agency, code="S"))
    with pytest.raises(MissionsError, match="outside your districts"):
        ask(scene, at, actor=southerner, beats=[Beat.objects.get(agency=scene.agency, code="22")])
    own = decided(scene, at, actor=southerner)
    assert {m.beat.district.code for m in own.missions.all()} == {"S"}
    other = decided(scene, at, beats=[Beat.objects.get(agency=scene.agency, code="22")])
    monkeypatch.setattr("patrols.services.plans.timezone.now", lambda: at)
    with pytest.raises(MissionsError, match="outside your districts"):
        plan_publish(plan=other, actor=southerner)


# Gunfire


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


# Pages


def now_scene() -> Scene:
    """The agency with the shift that runs at this very moment, planned and published."""
    now = timezone.now()
    scene = make_scene(on=ON)
    from zoneinfo import ZoneInfo

    local = (now - dt.timedelta(hours=1)).astimezone(ZoneInfo(scene.agency.time_zone))
    scene.shift.starts_at = local.time().replace(second=0, microsecond=0)
    scene.shift.save()
    from tests.patrols.scenes import make_forecast

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
