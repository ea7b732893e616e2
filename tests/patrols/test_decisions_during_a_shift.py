"""A decision in the middle of a shift: its own candidates and draw for what is left, the first plan untouched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from agencies.models import Beat, District, Membership, Unit, User
from forecasting.models import Grid
from forecasting.selectors import cell_beats
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.plan import design_from_bytes
from patrols.models import Mission, MissionPlan, Suppression
from patrols.replays import plan_differences
from patrols.selectors import missions_for_unit, plan_for, planned_history, plans_of
from patrols.services import (
    mission_add,
    mission_withdraw,
    plan_missions,
    plan_publish,
)
from tests.factories import make_member
from tests.patrols.decisions import ask, decided, published
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
    with pytest.raises(MissionsError, match=r"no longer a draft|published already"):
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
    # At a time when the drawn mission leaves the box free: the draw put it anywhere in what is left of the shift.
    early, late = at + dt.timedelta(minutes=10), made.period_to - dt.timedelta(minutes=12)
    mission_add(
        plan=plan, cell_id=target.cell_id, crime_type=target.crime_type,
        starts_at=late if target.starts_at < at + dt.timedelta(hours=2) else early,
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


def test_a_grid_that_was_built_anew_since_stops_the_decision(
    scene: Scene, plan: MissionPlan, at: dt.datetime
) -> None:
    made = ask(scene, at)
    other = Grid.objects.get(pk=scene.grid.pk)
    other.pk, other.hash, other.is_active = None, "other", False
    other.save(force_insert=True)
    MissionPlan.objects.filter(pk=plan.pk).update(grid=other)
    with pytest.raises(MissionsError, match="grid was built anew"):
        plan_missions(plan=made)
