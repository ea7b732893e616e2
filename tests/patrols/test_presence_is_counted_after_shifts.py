"""The account of a shift's presence: from positions, timers, dispatch and hand; counted once, replaced when counted again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit
from ingestion.models import CallForService, Feed, OffenceCode, RecordKind, VehiclePosition
from ingestion.services import retention_kind
from missions_project import pipeline
from patrols.models import Engagement, Mission, MissionPlan, Presence, PresenceAccount
from patrols.services import engagement_record, presence_count, presence_due
from patrols.services.presence import AGAIN, LEASE, SETTLE
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    return scene.plan(publish=True)


def feed(agency: Agency, kind: str) -> Feed:
    return Feed.objects.get_or_create(agency=agency, slug=kind, defaults={"name": kind, "record_kind": kind})[
        0
    ]


def drive(
    scene: Scene, unit: Unit, cell_id: int, start: dt.datetime, minutes: int, every_s: int = 30
) -> None:
    """Positions in the middle of a box."""
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([cell_id])[0])
    VehiclePosition.objects.bulk_create(
        VehiclePosition(
            agency=scene.agency, feed=feed(scene.agency, RecordKind.POSITIONS), unit_code=unit.call_sign,
            at=start + dt.timedelta(seconds=s), lon=lon[at], lat=lat[at], is_known_unit=True,
            received_at=start + dt.timedelta(seconds=s + 3),
        )
        for s in range(0, minutes * 60 + 1, every_s)
    )  # fmt: skip


def call(scene: Scene, cell_id: int, start: dt.datetime, minutes: int, **fields: object) -> CallForService:
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([cell_id])[0])
    values = {
        "agency": scene.agency, "feed": feed(scene.agency, RecordKind.CALLS), "code": "DIRECTED PATROL",
        "external_id": f"C{CallForService.objects.count()}", "occurred_from": start,
        "occurred_to": start + minutes * MINUTE, "lon": lon[at], "lat": lat[at],
        "discovery": "officer_initiated", "content_hash": 1,
    } | fields  # fmt: skip
    return CallForService.objects.create(**values)


def account_of(plan: MissionPlan) -> PresenceAccount:
    return PresenceAccount.objects.get_or_create(
        agency=plan.agency, shift=plan.shift, on=plan.on, defaults={"period_to": plan.period_to}
    )[0]


def told(**filters: object) -> list[tuple[str, float]]:
    rows = Presence.objects.filter(**filters).order_by("arrived_at", "pk")
    return [(row.source, round(row.minutes, 2)) for row in rows]


def test_each_source_gives_what_the_better_ones_did_not_see(scene: Scene, plan: MissionPlan) -> None:
    first, second, third = plan.missions.order_by("number")[:3]
    unit, other = Unit.objects.filter(agency=scene.agency)[:2]
    start = plan.period_from + 30 * MINUTE
    drive(scene, unit, first.cell_id, start, 12)
    for mission, by, source, length in (
        (first, unit, "timer", 15), (second, other, "timer", 10), (second, None, "manual", 12),
    ):  # fmt: skip
        engagement_record(
            mission=mission,
            unit=by,
            officer=None,
            arrived_at=start,
            left_at=start + length * MINUTE,
            source=source,
        )
    call(scene, third.cell_id, start, 9)
    found = presence_count(account=account_of(plan))
    assert told(mission=first) == [("avl", 12.0), ("timer", 3.0)]
    assert told(mission=second) == [("timer", 10.0), ("manual", 2.0)]
    assert told(mission=third) == [("cad", 9.0)]
    assert found.counts["minutes"] == {"avl": 12.0, "timer": 13.0, "cad": 9.0, "manual": 2.0}
    assert Presence.objects.filter(mission=first, source="avl").get().unit == unit
    assert set(Presence.objects.values_list("plan", "beat__agency")) == {(plan.pk, scene.agency.pk)}


def test_a_dispatch_record_counts_for_the_unit_that_it_names(scene: Scene, plan: MissionPlan) -> None:
    first, second = plan.missions.order_by("number")[:2]
    unit, other = Unit.objects.filter(agency=scene.agency)[:2]
    start = plan.period_from + 30 * MINUTE
    # The same visit told by timer and by dispatch, and a second unit beside it.
    engagement_record(
        mission=first, unit=unit, officer=None, arrived_at=start, left_at=start + 10 * MINUTE, source="timer"
    )
    call(scene, first.cell_id, start, 12, unit_code=unit.call_sign)
    call(scene, first.cell_id, start, 8, unit_code=other.call_sign)
    call(scene, second.cell_id, start + 60 * MINUTE, 9, unit_code="NOT OURS")
    found = presence_count(account=account_of(plan))
    rows = Presence.objects.filter(mission=first).values_list("unit", "source", "minutes")
    assert {(pk, source, round(minutes, 2)) for pk, source, minutes in rows} == {
        (unit.pk, "timer", 10.0), (unit.pk, "cad", 2.0), (other.pk, "cad", 8.0),
    }  # fmt: skip
    assert list(Presence.objects.filter(mission=second).values_list("unit", "source")) == [(None, "cad")]
    assert (found.counts["dispatch_records"], found.counts["dispatch_without_unit"]) == (3, 1)


def test_a_dispatch_record_is_not_believed_where_its_units_car_was_far_away(
    scene: Scene, plan: MissionPlan
) -> None:
    mission = plan.missions.order_by("number")[0]
    unit = Unit.objects.filter(agency=scene.agency)[0]
    cells = scene.spec.cells
    x, y = scene.spec.centres()
    here = int(scene.spec.index_of([mission.cell_id])[0])
    far = int(cells[((x - x[here]) ** 2 + (y - y[here]) ** 2).argmax()])
    start = plan.period_from + 30 * MINUTE
    drive(scene, unit, far, start - 5 * MINUTE, 30)
    call(scene, mission.cell_id, start, 12, unit_code=unit.call_sign)
    found = presence_count(account=account_of(plan))
    assert told(mission=mission) == []
    assert found.counts["contradicted_minutes"] == {"cad": 12.0}


def test_a_visit_entered_after_the_second_count_is_counted(scene: Scene, plan: MissionPlan) -> None:
    first, second = plan.missions.order_by("number")[:2]
    unit = Unit.objects.filter(agency=scene.agency)[0]
    drive(scene, unit, first.cell_id, plan.period_from, 10)
    account = presence_count(account=account_of(plan))
    assert account.next_at is None
    start = plan.period_from + 60 * MINUTE
    for mission in (first, second):
        engagement_record(
            mission=mission,
            unit=None,
            officer=None,
            arrived_at=start,
            left_at=start + 11 * MINUTE,
            source="manual",
        )
    account.refresh_from_db()
    assert account.next_at
    assert presence_due(now=account.next_at - MINUTE) == []
    assert presence_due(now=account.next_at) == [account.pk]
    account.refresh_from_db()
    account = presence_count(account=account)
    assert told(mission=second) == [("manual", 11.0)]
    assert told(mission=first) == [("avl", 10.0), ("manual", 11.0)]
    assert account.next_at is None


def test_a_late_visit_is_counted_without_the_positions_and_brings_no_false_claim_back(
    scene: Scene, plan: MissionPlan
) -> None:
    first, second, third = plan.missions.order_by("number")[:3]
    unit = Unit.objects.filter(agency=scene.agency)[0]
    drive(scene, unit, first.cell_id, plan.period_from, 40)
    begun = plan.period_from + 10 * MINUTE
    engagement_record(
        mission=third, unit=unit, officer=None, arrived_at=begun, left_at=begun + 20 * MINUTE, source="timer"
    )
    account = presence_count(account=account_of(plan))
    before = told(mission=first), told(mission=third), told(mission=None)
    retention_kind("positions").old(scene.agency, plan.period_to + 600 * MINUTE).delete()
    engagement_record(
        mission=second,
        unit=None,
        officer=None,
        arrived_at=begun,
        left_at=begun + 11 * MINUTE,
        source="manual",
    )
    account = presence_count(account=account)
    assert told(mission=second) == [("manual", 11.0)]
    assert (told(mission=first), told(mission=third), told(mission=None)) == before
    once = list(Presence.objects.values_list("cell_id", "arrived_at", "left_at", "source", "minutes"))
    presence_count(account=account)
    assert once == list(Presence.objects.values_list("cell_id", "arrived_at", "left_at", "source", "minutes"))


def test_counting_again_replaces_and_changes_nothing(scene: Scene, plan: MissionPlan) -> None:
    mission, unit = plan.missions.first(), Unit.objects.filter(agency=scene.agency).first()
    assert mission
    assert unit
    drive(scene, unit, mission.cell_id, plan.period_from, 10)
    account = account_of(plan)
    presence_count(account=account)
    once = list(Presence.objects.values_list("cell_id", "arrived_at", "left_at", "source", "minutes"))
    presence_count(account=account)
    assert once == list(Presence.objects.values_list("cell_id", "arrived_at", "left_at", "source", "minutes"))
    call(scene, mission.cell_id, plan.period_from + 60 * MINUTE, 5)
    presence_count(account=account)
    assert told(mission=mission) == [("avl", 10.0), ("cad", 5.0)]


def test_patrol_outside_missions_is_counted_without_drawing_a_track(scene: Scene, plan: MissionPlan) -> None:
    taken = set(plan.missions.values_list("cell_id", flat=True))
    free = [cell for cell in scene.spec.cells.tolist() if cell not in taken]
    units = Unit.objects.filter(agency=scene.agency)
    drive(scene, units[0], free[0], plan.period_from + 5 * MINUTE, 8)
    for k, unit in enumerate(units[:3]):
        drive(scene, unit, free[9], plan.period_from + (60 + 10 * k) * MINUTE, 1, every_s=20)
        VehiclePosition.objects.filter(unit_code=unit.call_sign).order_by("-at").first().delete()  # type: ignore[union-attr]
    presence_count(account=account_of(plan))
    assert told(mission=None) == [("avl", 8.0), ("avl", 2.0)]
    crossed = Presence.objects.get(cell_id=free[9])
    assert (crossed.unit, crossed.visits, round(crossed.minutes, 2)) == (None, 3, 2.0)


def test_only_directed_patrols_of_the_dispatch_log_count(scene: Scene, plan: MissionPlan) -> None:
    cell = plan.missions.first().cell_id  # type: ignore[union-attr]
    start = plan.period_from + 10 * MINUTE
    call(scene, cell, start, 5, code="TRAFFIC STOP")
    call(scene, cell, start, 5, discovery="reported")
    call(scene, cell, start, 5, time_precision="hour")
    call(scene, cell, start - 600 * MINUTE, 5)
    presence_count(account=account_of(plan))
    assert told() == []
    OffenceCode.objects.create(
        agency=scene.agency,
        feed=feed(scene.agency, RecordKind.CALLS),
        code="10-71",
        description="Directed patrol",
    )
    call(scene, cell, start, 5, code="10-71")
    presence_count(account=account_of(plan))
    assert told() == [("cad", 5.0)]


def test_a_timer_that_nobody_stopped_leaves_a_record_without_minutes(scene: Scene, plan: MissionPlan) -> None:
    mission = plan.missions.first()
    assert mission
    engagement_record(
        mission=mission,
        unit=None,
        officer=None,
        arrived_at=plan.period_from + MINUTE,
        left_at=None,
        source="timer",
    )
    presence_count(account=account_of(plan))
    assert told(mission=mission) == [("timer", 0.0)]


def test_another_agencys_positions_count_for_nobody_here(scene: Scene, plan: MissionPlan) -> None:
    stranger = make_scene("lakeside")
    mission = plan.missions.first()
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert mission
    assert unit
    drive(scene, unit, mission.cell_id, plan.period_from, 10)
    VehiclePosition.objects.update(agency=stranger.agency)
    presence_count(account=account_of(plan))
    assert told() == []


def test_a_shift_is_due_after_it_ended_and_once_more_the_next_day(plan: MissionPlan) -> None:
    assert presence_due(now=plan.period_to) == []
    now = plan.period_to + SETTLE
    (pk,) = presence_due(now=now)
    assert presence_due(now=now) == []
    # A worker that was killed: its lease ends.
    assert presence_due(now=now + LEASE) == [pk]
    account = PresenceAccount.objects.get(pk=pk)
    PresenceAccount.objects.filter(pk=pk).update(period_to=timezone.now())
    again = presence_count(account=account)
    assert again.next_at == again.period_to + AGAIN
    PresenceAccount.objects.filter(pk=pk).update(period_to=plan.period_to - dt.timedelta(days=400))
    account.refresh_from_db()
    assert presence_count(account=account).next_at is None


def test_an_account_that_kills_its_workers_is_given_up(plan: MissionPlan) -> None:
    now = plan.period_to + SETTLE
    tried = [presence_due(now=now + n * LEASE) for n in range(12)]
    assert sum(map(len, tried)) == 8


def test_nothing_due_costs_two_queries(scene: Scene, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(2):  # type: ignore[operator]
        assert presence_due(now=timezone.now()) == []


def test_counting_costs_a_fixed_number_of_queries(
    scene: Scene, plan: MissionPlan, django_assert_max_num_queries: object
) -> None:
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert unit
    for number, mission in enumerate(plan.missions.all()):
        drive(scene, unit, mission.cell_id, plan.period_from + number * 20 * MINUTE, 10)
    account = account_of(plan)
    with django_assert_max_num_queries(22):  # type: ignore[operator]
        presence_count(account=account)


def test_the_dispatcher_sends_for_what_is_due(plan: MissionPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipeline.presence_task, "delay", sent.append)
    MissionPlan.objects.update(period_to=timezone.now() - dt.timedelta(hours=1))
    assert pipeline.presence_due() == 1
    assert sent == [PresenceAccount.objects.get().pk]


def test_presence_can_be_deleted_by_a_retention_policy(scene: Scene, plan: MissionPlan) -> None:
    mission = plan.missions.first()
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert mission
    assert unit
    drive(scene, unit, mission.cell_id, plan.period_from, 10)
    presence_count(account=account_of(plan))
    kind = retention_kind("presence")
    assert kind.old(scene.agency, plan.period_from).count() == 0
    assert kind.old(scene.agency, plan.period_to).count() == 1


def test_minutes_stay_when_the_positions_behind_them_are_deleted(scene: Scene, plan: MissionPlan) -> None:
    mission = plan.missions.first()
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert mission
    assert unit
    drive(scene, unit, mission.cell_id, plan.period_from, 10)
    account = presence_count(account=account_of(plan))
    retention_kind("positions").old(scene.agency, plan.period_from + 5 * MINUTE).delete()
    account = presence_count(account=account)
    assert told(mission=mission) == [("avl", 10.0)]
    assert (account.next_at, account.counts["kept"]) == (None, True)


def test_a_withdrawn_mission_gets_no_minutes_of_passing_cars(scene: Scene, plan: MissionPlan) -> None:
    mission = plan.missions.first()
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert mission
    assert unit
    Mission.objects.filter(pk=mission.pk).update(withdrawn_at=timezone.now())
    drive(scene, unit, mission.cell_id, plan.period_from, 10)
    presence_count(account=account_of(plan))
    assert told(mission=mission) == []
    assert told(mission=None) == [("avl", 10.0)]
    assert Engagement.objects.count() == 0
