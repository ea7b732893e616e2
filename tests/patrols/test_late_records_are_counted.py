"""What comes in after a shift's second count has it counted once more: once a shift, whatever the number of rows."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from agencies.models import Unit
from ingestion.engine.mapping import FeedMapping
from ingestion.models import CallForService, Feed, RecordKind
from ingestion.services import import_run_execute, import_run_queue
from ingestion.signals import facts_stored
from patrols.models import Mission, MissionPlan, PresenceAccount
from patrols.services import (
    engagement_record,
    presence_count,
    presence_due,
    presence_recount,
    visit_end_told_late,
    visit_start,
    visit_start_told_late,
)
from patrols.services.late import POSITIONS_AFTER
from patrols.services.presence import RECOUNT_AFTER
from tests.ingestion.pushing import make_token, push, push_feed
from tests.patrols.scenes import Scene, make_scene
from tests.patrols.test_presence_is_counted_after_shifts import account_of, drive, told

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)
COLUMNS = {
    "external_id": "incident", "code": "nature", "occurred_from": "started", "occurred_to": "ended", "lon": "lon",
    "lat": "lat", "discovery": "how", "unit": "unit",
}  # fmt: skip
Committing = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    return scene.plan(publish=True)


def counted_twice(plan: MissionPlan) -> PresenceAccount:
    account = presence_count(account=presence_count(account=account_of(plan)))
    assert account.next_at is None
    return account


def place(scene: Scene, mission: Mission) -> tuple[float, float]:
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([mission.cell_id])[0])
    return float(lon[at]), float(lat[at])


def import_patrols(
    scene: Scene,
    path: Path,
    mission: Mission,
    rows: int = 1,
    nature: str = "DIRECTED PATROL",
    number: int = 0,
) -> None:
    """The dispatch centre's export: so many patrols of the mission's box, ten minutes each, one after another; each export later."""
    feed, _ = Feed.objects.get_or_create(
        agency=scene.agency, slug="cad",
        defaults={
            "name": "CAD", "record_kind": RecordKind.CALLS,
            "mapping": FeedMapping(record_kind="calls", columns=COLUMNS).to_json(),
        },
    )  # fmt: skip
    lon, lat = place(scene, mission)
    unit = Unit.objects.filter(agency=scene.agency)[0]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.values())
        for row in range(rows):
            start = mission.plan.period_from + (20 * row + 10 + 40 * number) * MINUTE
            times = [f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (start, start + 10 * MINUTE)]
            writer.writerow([f"{nature}{number}-{row}", nature, *times, lon, lat, "officer", unit.call_sign])
    import_run_execute(run=import_run_queue(feed=feed, path=path))


def test_a_dispatch_export_after_the_second_count_is_counted_once_a_shift(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    account, mission = counted_twice(plan), plan.missions.order_by("number")[0]
    heard: list[frozenset[int] | None] = []

    def hear(hours: frozenset[int] | None, **_: Any) -> None:
        heard.append(hours)

    facts_stored.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            import_patrols(scene, tmp_path / "cad.csv", mission, rows=6)
    finally:
        facts_stored.disconnect(hear)
    assert len(heard) == 1
    account.refresh_from_db()
    assert account.next_at
    assert RECOUNT_AFTER - MINUTE < account.next_at - timezone.now() <= RECOUNT_AFTER
    assert presence_due(now=account.next_at) == [account.pk]
    account.refresh_from_db()
    account = presence_count(account=account)
    assert told(mission=mission) == [("cad", 10.0)] * 6
    assert account.next_at is None


def test_the_same_export_again_and_calls_that_are_no_patrol_have_nothing_counted(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    mission = plan.missions.order_by("number")[0]
    import_patrols(scene, tmp_path / "cad.csv", mission)
    account = counted_twice(plan)
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "cad.csv", mission)
    account.refresh_from_db()
    assert account.next_at is None
    # What was stored within a second of an import's start is looked at with it: yesterday's export was not.
    CallForService.objects.update(imported_at=timezone.now() - dt.timedelta(days=1))
    # A stop in the mission's box, in its shift, by the same unit on its own account: all that a patrol is but the nature.
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "stops.csv", mission, nature="TRAFFIC STOP", number=1)
    stop = CallForService.objects.get(external_id="TRAFFIC STOP1-0")
    patrol = CallForService.objects.get(external_id="DIRECTED PATROL0-0")
    assert plan.period_from <= stop.occurred_from < plan.period_to
    assert (stop.lon, stop.lat, stop.unit_code, stop.discovery) == (
        patrol.lon, patrol.lat, patrol.unit_code, patrol.discovery,
    )  # fmt: skip
    account.refresh_from_db()
    assert account.next_at is None
    presence_count(account=account)
    assert told(mission=mission) == [("cad", 10.0)]
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "patrols.csv", mission, number=1)
    account.refresh_from_db()
    assert account.next_at is not None


def other_day(mission: Mission) -> Mission:
    """The mission as if its shift had been three days later."""
    mission.plan.period_from += dt.timedelta(days=3)
    return mission


def test_a_patrol_that_is_moved_to_another_day_has_the_shift_counted_again_that_it_left(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    mission = plan.missions.order_by("number")[0]
    import_patrols(scene, tmp_path / "cad.csv", mission)
    account = counted_twice(plan)
    assert told(mission=mission) == [("cad", 10.0)]
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "moved.csv", other_day(plan.missions.order_by("number")[0]))
    account.refresh_from_db()
    assert account.next_at
    account = presence_count(account=account)
    assert told(mission=mission) == []
    assert account.next_at is None


def test_a_patrol_that_turns_out_to_be_something_else_has_its_shift_counted_again(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    mission = plan.missions.order_by("number")[0]
    import_patrols(scene, tmp_path / "cad.csv", mission)
    account = counted_twice(plan)
    path = tmp_path / "other.csv"
    # The same incident number, with another nature in its column.
    path.write_text((tmp_path / "cad.csv").read_text().replace(",DIRECTED PATROL,", ",MEDICAL ASSIST,"))
    with django_capture_on_commit_callbacks(execute=True):
        import_run_execute(run=import_run_queue(feed=Feed.objects.get(slug="cad"), path=path))
    assert CallForService.objects.get().code == "MEDICAL ASSIST"
    account.refresh_from_db()
    assert account.next_at
    presence_count(account=account)
    assert told(mission=mission) == []


def test_a_changed_call_that_was_never_counted_has_nothing_counted_again(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    mission = plan.missions.order_by("number")[0]
    import_patrols(scene, tmp_path / "stops.csv", mission, nature="TRAFFIC STOP")
    account = counted_twice(plan)
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "moved.csv", other_day(mission), nature="TRAFFIC STOP")
    assert CallForService.objects.get().occurred_from > plan.period_to
    account.refresh_from_db()
    assert account.next_at is None


def test_a_patrol_that_is_moved_into_another_agencys_time_marks_nothing_there(
    scene: Scene, plan: MissionPlan, tmp_path: Path, django_capture_on_commit_callbacks: Committing
) -> None:
    other = make_scene("lakeside")
    theirs = other.plan(publish=True)
    import_patrols(other, tmp_path / "theirs.csv", theirs.missions.order_by("number")[0])
    foreign = counted_twice(theirs)
    mission = plan.missions.order_by("number")[0]
    import_patrols(scene, tmp_path / "cad.csv", mission)
    counted_twice(plan)
    with django_capture_on_commit_callbacks(execute=True):
        import_patrols(scene, tmp_path / "moved.csv", other_day(plan.missions.order_by("number")[0]))
    foreign.refresh_from_db()
    assert foreign.next_at is None


def test_a_dispatch_export_is_counted_where_positions_are_gone(
    scene: Scene, plan: MissionPlan, tmp_path: Path
) -> None:
    first, second = plan.missions.order_by("number")[:2]
    unit = Unit.objects.filter(agency=scene.agency)[1]
    drive(scene, unit, first.cell_id, plan.period_from, 10)
    import_patrols(scene, tmp_path / "one.csv", first)
    account = counted_twice(plan)
    before = told(mission=first)
    scene.agency.vehicleposition_set.all().delete()
    import_patrols(scene, tmp_path / "two.csv", second, number=1)
    presence_count(account=account)
    assert (told(mission=first), told(mission=second)) == (before, [("cad", 10.0)])


def test_visits_told_late_have_the_shift_counted_again(scene: Scene, plan: MissionPlan) -> None:
    first, second = plan.missions.order_by("number")[:2]
    unit = Unit.objects.filter(agency=scene.agency)[0]
    start = plan.period_from
    visit_start(mission=first, unit=unit, officer=None, at=start + 30 * MINUTE)
    account = counted_twice(plan)

    def count_marked() -> None:
        account.refresh_from_db()
        assert account.next_at
        presence_count(account=account)
        PresenceAccount.objects.update(next_at=None)

    # Its end; an earlier one of a second phone; a visit elsewhere before it; an earlier arrival at the same box.
    visit_end_told_late(mission=first, unit=unit, at=start + 60 * MINUTE)
    count_marked()
    assert told(mission=first) == [("timer", 30.0)]
    visit_end_told_late(mission=first, unit=unit, at=start + 50 * MINUTE)
    count_marked()
    assert told(mission=first) == [("timer", 20.0)]
    visit_start_told_late(
        mission=second, unit=unit, officer=None, at=start + 5 * MINUTE, left_at=start + 15 * MINUTE
    )
    count_marked()
    assert told(mission=second) == [("timer", 10.0)]
    visit_start_told_late(mission=first, unit=unit, officer=None, at=start + 20 * MINUTE)
    count_marked()
    assert told(mission=first) == [("timer", 30.0)]


def test_positions_out_of_a_modems_memory_have_their_shift_counted_again(
    scene: Scene, plan: MissionPlan, django_capture_on_commit_callbacks: Committing
) -> None:
    account, mission = counted_twice(plan), plan.missions.order_by("number")[0]
    token = make_token(push_feed(scene.agency, "positions"))
    lon, lat = place(scene, mission)
    unit = Unit.objects.filter(agency=scene.agency)[0]

    def send(start: dt.datetime) -> None:
        rows = [
            {"unit": unit.call_sign, "at": (start + n * MINUTE).isoformat(), "lon": lon, "lat": lat}
            for n in range(11)
        ]
        with django_capture_on_commit_callbacks(execute=True):
            assert push(token, "positions", rows).status_code == 200

    send(timezone.now() - 20 * MINUTE)
    account.refresh_from_db()
    assert account.next_at is None
    send(plan.period_from + 30 * MINUTE)
    account.refresh_from_db()
    marked = account.next_at
    assert marked
    assert POSITIONS_AFTER - MINUTE < marked - timezone.now() <= POSITIONS_AFTER
    send(plan.period_from + 60 * MINUTE)
    account.refresh_from_db()
    assert account.next_at == marked, "one count for all batches"
    presence_count(account=account)
    assert told(mission=mission, source="avl") != []


def test_a_record_that_comes_in_while_its_shift_is_counted_is_not_missed(
    scene: Scene, plan: MissionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, mission = counted_twice(plan), plan.missions.order_by("number")[0]
    presence_recount(mission=mission, now=timezone.now() - 10 * MINUTE)
    assert presence_due(now=timezone.now()) == [account.pk]
    account.refresh_from_db()
    read = presence_count.__globals__["claims_of"]

    def read_then_enter(*args: Any) -> Any:
        found = read(*args)
        engagement_record(
            mission=mission, unit=None, officer=None, arrived_at=plan.period_from,
            left_at=plan.period_from + 9 * MINUTE, source="manual",
        )  # fmt: skip
        return found

    monkeypatch.setattr("patrols.services.presence.claims_of", read_then_enter)
    account = presence_count(account=account)
    assert told(mission=mission) == []
    assert account.next_at
    assert account.next_at > timezone.now()
    monkeypatch.setattr("patrols.services.presence.claims_of", read)
    account = presence_count(account=account)
    assert told(mission=mission) == [("manual", 9.0)]
    assert account.next_at is None
