"""From a stored forecast to a stored plan: counts, design, replay, history."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.utils import timezone

from agencies.models import Beat, Unit
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.plan import design_from_bytes, replay
from patrols.models import Assignment, Mission, MissionPlan, Suppression
from patrols.selectors import planned_history
from patrols.services import plan_missions, plan_publish, plan_queue
from tests.patrols.scenes import ON, make_forecast, make_scene

pytestmark = pytest.mark.django_db


def test_each_beat_gets_as_many_missions_as_its_units_can_carry_out() -> None:
    scene = make_scene()
    plan = scene.plan()
    for beat in Beat.objects.filter(agency=scene.agency):
        units = Unit.objects.filter(beat=beat)
        assert Mission.objects.filter(plan=plan, beat=beat).count() == sum(
            u.missions_per_shift for u in units
        )
    assert plan.status == RunStatus.SUCCEEDED
    assert plan.counts["missions"] == 12


def test_the_probability_of_every_candidate_is_stored_and_adds_up_to_the_missions() -> None:
    scene = make_scene()
    drawn = design_from_bytes(bytes(scene.plan().design))
    assert len(drawn) == len(scene.spec)
    assert drawn.pi.sum() == pytest.approx(12, abs=1e-9)
    assert (drawn.pi > 0).all()
    assert (drawn.pi <= scene.policy.cap_max).all()


def test_a_stored_plan_draws_again_bit_for_bit_and_tampering_shows() -> None:
    scene = make_scene()
    plan = scene.plan()
    design = bytes(plan.design)
    assert replay(design, plan.seed, digest=plan.design_hash)
    assert not replay(design, plan.seed + 1, digest=plan.design_hash)
    assert not replay(design[:-9] + b"tampered!", plan.seed, digest=plan.design_hash)


def test_the_same_seed_gives_the_same_missions_and_another_seed_others() -> None:
    scene = make_scene()

    def cells(seed: int) -> list[tuple[int, str, int]]:
        plan = scene.plan(seed=seed)
        return list(plan.missions.order_by("number").values_list("cell_id", "visit_starts", "dose_minutes"))

    assert cells(3) == cells(3)
    assert cells(3) != cells(4)


def test_missions_start_and_end_within_the_shift_with_doses_of_the_policy() -> None:
    scene = make_scene()
    plan = scene.plan()
    for mission in plan.missions.all():
        assert scene.policy.dose_min_minutes <= mission.dose_minutes <= scene.policy.dose_max_minutes
        for text in mission.visit_starts:
            start = dt.datetime.fromisoformat(text)
            assert plan.period_from <= start
            assert start + dt.timedelta(minutes=mission.dose_minutes) <= plan.period_to


def test_units_take_turns_and_none_gets_more_than_it_can_do() -> None:
    scene = make_scene()
    beat = Beat.objects.get(agency=scene.agency, code="11")
    Unit.objects.create(agency=scene.agency, call_sign="R11B", beat=beat, missions_per_shift=3)
    plan = scene.plan()
    per_unit = [
        Assignment.objects.filter(mission__plan=plan, unit=unit).count()
        for unit in Unit.objects.filter(beat=beat)
    ]
    assert per_unit == [3, 3]


def test_a_box_takes_the_type_that_contributes_most_harm() -> None:
    scene = make_scene()
    plan = scene.plan()
    surfaces = {row.crime_type.slug: row for row in scene.run.surfaces.select_related("crime_type")}
    from forecasting.selectors import surface_values

    for mission in plan.missions.select_related("crime_type"):
        at = int(scene.spec.index_of([mission.cell_id])[0])
        parts = {
            slug: row.crime_type.weight * float(surface_values(row, scene.grid)[at])
            for slug, row in surfaces.items()
        }
        assert mission.crime_type.slug == max(parts, key=lambda slug: parts[slug])
        assert mission.harm == pytest.approx(sum(parts.values()), rel=1e-5)


def test_a_beat_without_a_unit_is_left_out_and_named() -> None:
    scene = make_scene()
    Unit.objects.filter(beat__code="22").update(is_active=False)
    plan = scene.plan()
    assert not plan.missions.filter(beat__code="22").exists()
    assert "22" in plan.log


def test_without_any_unit_the_plan_fails_and_names_the_setting() -> None:
    scene = make_scene()
    Unit.objects.all().update(missions_per_shift=0)
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    with pytest.raises(MissionsError, match="Admin → Units"):
        plan_missions(plan=plan)
    plan.refresh_from_db()
    assert plan.status == RunStatus.FAILED
    assert "Units" in plan.error
    assert not Mission.objects.filter(plan=plan).exists()


def test_without_a_forecast_the_plan_says_how_to_get_one() -> None:
    scene = make_scene()
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON + dt.timedelta(days=1))
    with pytest.raises(MissionsError, match=r"manage\.py forecast"):
        plan_missions(plan=plan)


def test_without_a_policy_the_plan_says_where_to_make_one() -> None:
    scene = make_scene()
    scene.policy.delete()
    with pytest.raises(MissionsError, match="Patrol policies"):
        scene.plan()


def test_suppressed_cells_are_no_candidates() -> None:
    scene = make_scene()
    beat = Beat.objects.get(agency=scene.agency, code="11")
    Suppression.objects.create(
        agency=scene.agency, geometry=beat.geometry, reason="street fair",
        starts_at=scene.run.period_from, expires_at=scene.run.period_to,
    )  # fmt: skip
    plan = scene.plan()
    assert not plan.missions.filter(beat=beat).exists()
    assert "Beat 11" in plan.log
    assert plan.config_snapshot["suppressions"]


def test_an_expired_suppression_changes_nothing() -> None:
    scene = make_scene()
    before = scene.plan(seed=5)
    Suppression.objects.create(
        agency=scene.agency, beat=Beat.objects.get(agency=scene.agency, code="11"), reason="over",
        starts_at=scene.run.period_from - dt.timedelta(days=2), expires_at=scene.run.period_from,
    )  # fmt: skip
    after = scene.plan(seed=5)
    assert bytes(before.design) == bytes(after.design)


def test_only_published_plans_count_as_history_and_lower_the_cap_next_time() -> None:
    scene = make_scene()
    tomorrow = make_forecast(scene.agency, scene.grid, scene.shift, ON + dt.timedelta(days=1))
    draft = scene.plan()
    minutes, days = planned_history(
        scene.agency,
        grid=scene.grid,
        before=tomorrow.period_from,
        window_days=scene.policy.saturation_window_days,
    )
    assert minutes.sum() == 0
    assert np.isinf(days).all()
    plan_publish(plan=draft, actor=None)
    minutes, days = planned_history(
        scene.agency,
        grid=scene.grid,
        before=tomorrow.period_from,
        window_days=scene.policy.saturation_window_days,
    )
    at = scene.spec.index_of([mission.cell_id for mission in draft.missions.all()])
    assert minutes[at].tolist() == [m.dose_minutes * len(m.visit_starts) for m in draft.missions.all()]
    assert days[at] == pytest.approx(16 / 24)
    assert np.isinf(np.delete(days, at)).all()
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=tomorrow.on, seed=1)
    drawn = design_from_bytes(bytes(plan_missions(plan=plan).design))
    visited = np.isin(drawn.cell, at)
    assert drawn.cap[visited].max() < drawn.cap[~visited].min()


def test_planning_again_supersedes_the_earlier_draft() -> None:
    scene = make_scene()
    first, second = scene.plan(seed=1), scene.plan(seed=2)
    first.refresh_from_db()
    assert (first.state, second.state) == (MissionPlan.State.SUPERSEDED, MissionPlan.State.DRAFT)


def test_a_plan_killed_after_its_draw_starts_over_without_doubling_missions() -> None:
    scene = make_scene()
    plan = scene.plan()
    MissionPlan.objects.filter(pk=plan.pk).update(status=RunStatus.QUEUED)
    plan.refresh_from_db()
    plan_missions(plan=plan)
    assert plan.missions.count() == 12


def test_a_shift_that_does_not_start_that_day_is_refused() -> None:
    scene = make_scene()
    scene.shift.weekdays = "0"
    scene.shift.save()
    with pytest.raises(MissionsError, match="Saturday"):
        plan_queue(agency=scene.agency, shift=scene.shift, on=ON)


def test_a_plan_can_be_run_by_one_worker_only() -> None:
    scene = make_scene()
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    MissionPlan.objects.filter(pk=plan.pk).update(status=RunStatus.RUNNING, heartbeat_at=timezone.now())
    with pytest.raises(MissionsError, match="not waiting"):
        plan_missions(plan=plan)
