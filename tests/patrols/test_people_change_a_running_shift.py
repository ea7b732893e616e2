"""Moving, swapping, adding boxes, suppressing, handing over: what changes, what stays, who may, what is written down."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, Beat, CrimeType, Membership, Shift, User
from missions_project.lib.errors import MissionsError
from patrols.areas import area_of_cells, box_rings, cells_of_area
from patrols.meter import NOTICEABLE, SERIOUS, Meter, meter_of
from patrols.models import Addition, Engagement, HandOverNote, Mission, MissionPlan, Suppression
from patrols.services import (
    addition_create,
    addition_end,
    area_suppress,
    hand_over_write,
    mission_move,
    mission_swap,
    mission_withdraw,
    missions_add,
    suppression_create,
    suppression_end,
)
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
LATER = dt.timedelta(days=3)


@pytest.fixture
def southerner(scene: Scene) -> User:
    person = make_member(scene.agency, "supervisor", username="south")
    south = scene.agency.district_set.get(code="S")
    Membership.objects.get(user=person).districts.add(south)
    return person


def free_cells(scene: Scene, plan: MissionPlan) -> list[int]:
    taken = set(plan.missions.values_list("cell_id", flat=True))
    return [int(cell) for cell in scene.spec.cells if int(cell) not in taken]


def drawn(plan: MissionPlan) -> tuple[bytes, list[Any]]:
    """What must never change: the design's bytes and every drawn mission's cell, π and visit times."""
    plan.refresh_from_db()
    kept = plan.missions.filter(source="drawn").order_by("number")
    return bytes(plan.design), list(
        kept.values_list("cell_id", "probability", "visit_starts", "dose_minutes")
    )


def starts_of(mission: Mission) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(text) for text in mission.current_starts]


def point(scene: Scene, cell: int) -> dict[str, Any]:
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([cell])[0])
    return {"type": "Point", "coordinates": [float(lon[at]), float(lat[at])]}


def test_a_moved_mission_keeps_its_drawn_times_and_names_who_moved_it(
    plan: MissionPlan, supervisor: User
) -> None:
    before, mission = drawn(plan), plan.missions.order_by("number")[0]
    wanted = [plan.period_from + dt.timedelta(minutes=minutes) for minutes in (30, 150, 300)]
    mission_move(mission=mission, starts=list(reversed(wanted)), reason="bar closes early", actor=supervisor)
    mission.refresh_from_db()
    assert starts_of(mission) == wanted
    assert (mission.moved_by, mission.moved_reason) == (supervisor, "bar closes early")
    assert drawn(plan) == before
    event = AuditEvent.objects.get(action="mission moved")
    assert event.actor == supervisor
    assert event.detail["to"] == mission.moved_starts


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        ((30, 150), "3 visits, not 2"),
        ((30, 150, 475), "outside the shift"),
        ((-5, 150, 300), "outside the shift"),
        ((30, 60, 300), "less than 60 minutes apart"),
    ],
)
def test_a_move_that_breaks_the_timetable_is_refused(
    plan: MissionPlan, supervisor: User, minutes: tuple[int, ...], message: str
) -> None:
    mission = plan.missions.order_by("number")[0]
    starts = [plan.period_from + dt.timedelta(minutes=m) for m in minutes]
    with pytest.raises(MissionsError, match=message):
        mission_move(mission=mission, starts=starts, reason="x", actor=supervisor)
    mission.refresh_from_db()
    assert mission.moved_starts is None


def test_a_running_shift_is_not_changed_backwards_and_a_withdrawn_mission_not_at_all(
    plan: MissionPlan, supervisor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    mission = plan.missions.order_by("number")[0]
    starts = [plan.period_from + dt.timedelta(minutes=m) for m in (31, 150, 300)]
    # A visit that was drawn for that very minute is not changed by naming it again.
    known = {dt.datetime.fromisoformat(text) for text in mission.visit_starts}
    starts[0] += dt.timedelta(minutes=int(starts[0] in known))
    now = plan.period_from + dt.timedelta(hours=1)
    monkeypatch.setattr("patrols.services.changes.timezone.now", lambda: now)
    with pytest.raises(MissionsError, match="in the past"):
        mission_move(mission=mission, starts=starts, reason="x", actor=supervisor)
    mission_withdraw(mission=mission, reason="x", actor=supervisor)
    starts = [plan.period_from + dt.timedelta(minutes=m) for m in (90, 160, 300)]
    with pytest.raises(MissionsError, match="withdrawn"):
        mission_move(mission=mission, starts=starts, reason="x", actor=supervisor)


def later_decision(plan: MissionPlan, mission: Mission, start: dt.datetime) -> Mission:
    """A mission of a decision during the shift, in the same box as ``mission``."""
    other = MissionPlan.objects.create(
        agency=plan.agency, shift=plan.shift, on=plan.on, decision=1, period_from=start, period_to=plan.period_to,
        grid=plan.grid, seed=1, state=MissionPlan.State.PUBLISHED, status="succeeded", reason="shots fired",
    )  # fmt: skip
    return Mission.objects.create(
        agency=plan.agency, plan=other, beat=mission.beat, number=1, cell_id=mission.cell_id,
        crime_type=mission.crime_type, visit_starts=[start.isoformat()], starts_at=start, dose_minutes=15,
        expected=0.1, harm=0.2, probability=0.5,
    )  # fmt: skip


def test_two_units_are_never_sent_to_one_box_at_once(plan: MissionPlan, supervisor: User) -> None:
    mission = plan.missions.order_by("number")[0]
    other = later_decision(plan, mission, plan.period_from + dt.timedelta(hours=6))
    starts = [plan.period_from + dt.timedelta(minutes=m) for m in (30, 150, 365)]
    with pytest.raises(MissionsError, match="has a unit in this box"):
        mission_move(mission=mission, starts=starts, reason="x", actor=supervisor)
    mission_withdraw(mission=other, reason="x", actor=supervisor)
    assert starts_of(mission_move(mission=mission, starts=starts, reason="x", actor=supervisor)) == starts


def test_a_swap_withdraws_one_and_adds_one_with_the_same_unit_and_times(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    before, mission = drawn(plan), plan.missions.order_by("number")[0]
    added = mission_swap(
        mission=mission, cell_id=free_cells(scene, plan)[3], reason="road closed", actor=supervisor
    )
    mission.refresh_from_db()
    assert mission.swapped_for == added
    assert mission.withdrawn_by == supervisor
    assert starts_of(added) == starts_of(mission)
    assert added.assignment.unit == mission.assignment.unit
    assert (added.source, added.probability) == (Mission.Source.ADDED, 0.0)
    assert drawn(plan) == before
    actions = set(AuditEvent.objects.filter(actor=supervisor).values_list("action", flat=True))
    assert actions >= {"mission swapped", "mission withdrawn", "mission added"}


def test_a_swap_to_a_box_that_is_taken_changes_nothing(plan: MissionPlan, supervisor: User) -> None:
    mission, other = plan.missions.order_by("number")[:2]
    with pytest.raises(MissionsError, match="already there"):
        mission_swap(mission=mission, cell_id=other.cell_id, reason="x", actor=supervisor)
    mission.refresh_from_db()
    assert mission.withdrawn_at is None


def add(scene: Scene, plan: MissionPlan, area: dict[str, Any], actor: User) -> list[Mission]:
    return missions_add(
        plan=plan, area=area, crime_type=CrimeType.objects.get(agency=scene.agency, slug="robbery"),
        starts_at=plan.period_from + dt.timedelta(hours=1), dose_minutes=12, reason="tip", actor=actor,
    )  # fmt: skip


def test_a_box_adds_each_of_its_cells_and_too_large_a_box_none(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    cells = free_cells(scene, plan)
    three = add(scene, plan, area_of_cells(scene.spec, cells[:3]), supervisor)
    assert [mission.cell_id for mission in three] == cells[:3]
    with pytest.raises(MissionsError, match="at most 6"):
        add(scene, plan, area_of_cells(scene.spec, cells[4:11]), supervisor)
    # One of them taken: all or none.
    with pytest.raises(MissionsError, match="already there"):
        add(scene, plan, area_of_cells(scene.spec, [cells[0], cells[12]]), supervisor)
    assert plan.missions.filter(source="added").count() == 3


@pytest.mark.parametrize(
    "area", [{"type": "Point", "coordinates": ["x", 1]}, {"type": "LineString"}, {}, {"type": "Point", "coordinates": [1]}]
)  # fmt: skip
def test_what_is_no_place_is_refused_in_words(
    scene: Scene, plan: MissionPlan, supervisor: User, area: Any
) -> None:
    with pytest.raises(MissionsError, match="no area"):
        add(scene, plan, area, supervisor)


def test_areas_and_cells_are_each_others_inverse(scene: Scene) -> None:
    cells = [int(cell) for cell in scene.spec.cells[[0, 17, 40]]]
    assert cells_of_area(scene.spec, area_of_cells(scene.spec, cells)) == cells
    ring = box_rings(scene.spec, cells[:1])[0]
    small = [[x * 0.02 + ring[0][0] * 0.98, y * 0.02 + ring[0][1] * 0.98] for x, y in ring]
    assert cells_of_area(scene.spec, {"type": "Polygon", "coordinates": [small]}) == cells[:1]
    assert cells_of_area(scene.spec, {"type": "Point", "coordinates": [0.0, 0.0]}) == []


def test_suppressing_a_beat_withdraws_what_nobody_has_visited_and_leaves_the_draw(
    plan: MissionPlan, supervisor: User
) -> None:
    before, beat = drawn(plan), Beat.objects.get(code="11")
    visited, *others = plan.missions.filter(beat=beat).order_by("number")
    Engagement.objects.create(agency=plan.agency, mission=visited, arrived_at=plan.period_from)
    _, withdrawn = area_suppress(
        agency=plan.agency, beat=beat, geometry=None, reason="street fair", expires_at=timezone.now() + LATER,
        actor=supervisor, withdraw_from=list(plan.missions.all()), plans=[plan],
    )  # fmt: skip
    assert {mission.pk for mission in withdrawn} == {mission.pk for mission in others}
    assert drawn(plan) == before
    assert Suppression.objects.get().beat == beat


def test_people_change_their_own_districts_only(scene: Scene, plan: MissionPlan, southerner: User) -> None:
    north = plan.missions.filter(beat__district__code="N")[0]
    starts = starts_of(north)
    cell = free_cells(scene, plan)[-1]
    with pytest.raises(MissionsError, match="outside your districts"):
        mission_move(mission=north, starts=starts, reason="x", actor=southerner)
    with pytest.raises(MissionsError, match="outside your districts"):
        mission_swap(mission=north, cell_id=cell, reason="x", actor=southerner)
    with pytest.raises(MissionsError, match="outside your districts"):
        add(scene, plan, point(scene, cell), southerner)
    south = plan.missions.filter(beat__district__code="S")[0]
    # A swap out of one's own district is one half of it in another's.
    with pytest.raises(MissionsError, match="outside your districts"):
        mission_swap(mission=south, cell_id=cell, reason="x", actor=southerner)
    south.refresh_from_db()
    assert south.withdrawn_at is None


def test_additions_and_suppressions_end_before_their_time(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    until = timezone.now() + LATER
    addition = addition_create(
        agency=scene.agency, geometry=area_of_cells(scene.spec, free_cells(scene, plan)[:1]), shift=scene.shift,
        crime_type=CrimeType.objects.all()[0], dose_minutes=12, tactic="", reason="tip", starts_at=timezone.now(),
        expires_at=until, actor=supervisor,
    )  # fmt: skip
    suppression = suppression_create(
        agency=scene.agency, beat=Beat.objects.get(code="11"), geometry=None, reason="fair", expires_at=until,
        actor=supervisor,
    )  # fmt: skip
    addition_end(addition=addition, actor=supervisor)
    suppression_end(suppression=suppression, actor=supervisor)
    for row in (Addition.objects.get(), Suppression.objects.get()):
        assert row.starts_at < row.expires_at <= timezone.now() + dt.timedelta(seconds=2)
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"addition ended", "suppression ended"}


def test_a_note_is_handed_to_the_next_shift_and_only_added_to(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    def write(text: str) -> None:
        hand_over_write(agency=scene.agency, shift=scene.shift, on=ON, text=text, actor=supervisor)

    write("Lights out on 4th.")
    write("They are back.")
    with pytest.raises(MissionsError, match="empty"):
        write("  ")
    with pytest.raises(ValidationError, match="places and tasks only"):
        write("watch suspect Jones at the bar")
    assert HandOverNote.objects.count() == 2
    night = reverse("patrols:notes", args=[scene.agency.slug, ON + dt.timedelta(days=1), "night"])
    page = sign_in(supervisor).get(night).content.decode()
    assert page.index("Lights out on 4th.") < page.index("They are back.") < page.index("Hand-over")


def test_the_meter_counts_boxes_and_warns_in_words_at_two_thresholds(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    missions = list(plan.missions.order_by("number"))
    assert meter_of(missions).value == 0
    assert meter_of(missions).words == "As drawn."
    # 12 drawn, one more: 1/13 of what is done is not of the draw.
    assert meter_of(missions, added=1).value == pytest.approx(1 / 13)
    assert meter_of(missions, withdrawn=[missions[0].pk]).value == pytest.approx(1 / 12)
    assert meter_of(missions, withdrawn=[row.pk for row in missions]).value == 1
    words = {Meter(value).words for value in (0.0, NOTICEABLE / 2, NOTICEABLE, SERIOUS)}
    assert len(words) == 4
    assert [Meter(value).level for value in (0.09, 0.1, 0.25)] == ["good", "warn", "bad"]
    add(scene, plan, point(scene, free_cells(scene, plan)[0]), supervisor)
    assert meter_of(list(plan.missions.all())).value == pytest.approx(1 / 13)


def test_a_preview_says_what_the_meter_becomes_and_changes_nothing(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    client, mission = sign_in(supervisor), plan.missions.order_by("number")[0]
    address = reverse("patrols:change_preview", args=[scene.agency.slug, ON, scene.shift.slug])

    def preview(**sent: object) -> str:
        return client.post(address, sent).content.decode()

    free, taken = (json.dumps(point(scene, cell)) for cell in (free_cells(scene, plan)[0], mission.cell_id))
    assert "Overrides 0 % → 8 %" in preview(change="add", area=free)
    assert f"Mission {mission.number} is there already" in preview(change="add", area=taken)
    assert "Overrides 0 % → 8 %" in preview(change="withdraw", mission=mission.pk)
    swap = preview(change="swap", mission=mission.pk, area=free)
    assert "Overrides 0 % → 8 %" in swap
    assert "data-rings" in swap
    beat = preview(change="suppress", kind="beat", beat=mission.beat_id, withdraw="on")
    assert "Overrides 0 % → 25 %" in beat
    assert "note--bad" in beat
    assert "no area" in preview(change="add", area="{")
    assert preview(change="add", area="").strip() == ""
    assert plan.missions.count() == 12
    assert not Suppression.objects.exists()


def posts(scene: Scene, plan: MissionPlan) -> list[tuple[str, list[object]]]:
    mission, on = plan.missions.all()[0], ON.isoformat()
    return [
        ("move", [mission.pk]),
        ("swap", [mission.pk]),
        ("suppress", [on, scene.shift.slug]),
        ("change_preview", [on, scene.shift.slug]),
        ("hand_over", [on, scene.shift.slug]),
    ]


def test_strangers_find_nothing_officers_and_auditors_are_refused(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    stranger = make_member(make_agency("lakeside"), "admin")
    for role, status in ((stranger, 404), ("officer", 403), ("auditor", 403)):
        person = make_member(scene.agency, role) if isinstance(role, str) else role
        client = sign_in(person)
        for name, arguments in posts(scene, plan):
            answer = client.post(
                reverse(f"patrols:{name}", args=[scene.agency.slug, *arguments]), {"reason": "x"}
            )
            assert answer.status_code == status, (role, name)
    # Analysts override plans and do not run shifts.
    client = sign_in(make_member(scene.agency, "analyst"))
    hand_over = reverse("patrols:hand_over", args=[scene.agency.slug, ON, scene.shift.slug])
    assert client.post(hand_over, {"text": "x"}).status_code == 403
    assert not HandOverNote.objects.exists()


def test_a_drag_gets_a_line_of_text_and_no_page(
    scene: Scene, plan: MissionPlan, supervisor: User, southerner: User, sign_in: SignIn
) -> None:
    mission = plan.missions.filter(beat__district__code="N")[0]
    address = reverse("patrols:assign", args=[scene.agency.slug, mission.pk])
    unit = mission.assignment.unit_id
    assert sign_in(supervisor).post(address, {"unit": unit, "quiet": 1}).status_code == 204
    refused = sign_in(southerner).post(address, {"unit": unit, "quiet": 1})
    assert (refused.status_code, b"outside your districts" in refused.content) == (409, True)
    assert sign_in(supervisor).post(address, {"unit": 999_999, "quiet": 1}).status_code == 400


def test_an_addition_beyond_the_shift_begins_where_the_shift_ends(
    scene: Scene, plan: MissionPlan, supervisor: User, sign_in: SignIn
) -> None:
    data = {
        "area": json.dumps(point(scene, free_cells(scene, plan)[0])), "until": "7", "start": "23:30",
        "crime_type": CrimeType.objects.get(slug="robbery").pk, "dose_minutes": 12, "reason": "tip",
    }  # fmt: skip
    page = sign_in(supervisor).post(reverse("patrols:mission_add", args=[scene.agency.slug, plan.pk]), data)
    assert "Mission 13 added" in page.content.decode()
    addition = Addition.objects.get()
    assert (addition.starts_at, addition.shift) == (plan.period_to, scene.shift)
    assert Shift.objects.get(pk=addition.shift_id).slug == "evening"
    assert len(cells_of_area(scene.spec, addition.geometry)) == 1
