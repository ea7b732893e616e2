"""Capacity of one dated shift: duties go before standing ones, beats without a unit are shared out, additions take their place."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from agencies.models import Beat, CrimeType, District, DistrictPriority, Unit
from forecasting.engine.grid import GridSpec, unproject
from missions_project.lib.errors import MissionsError
from patrols.capacity_selectors import capacities
from patrols.engine.plan import design_from_bytes, replay
from patrols.engine.records import EXCLUSION_REASONS
from patrols.models import Addition, Assignment, Duty, Mission, MissionPlan, PatrolPolicy, Suppression
from patrols.selectors import planned_history
from patrols.services.plan_inputs import MOST_CELLS
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def unit_of(scene: Scene, code: str) -> Unit:
    return Unit.objects.get(agency=scene.agency, beat__code=code)


def off_duty(scene: Scene, code: str) -> None:
    Duty.objects.create(agency=scene.agency, unit=unit_of(scene, code), shift=scene.shift, on=scene.run.on)


def numbers(scene: Scene) -> dict[str, int]:
    return {row.beat.code: row.k for row in capacities(scene.agency, scene.shift, scene.run.on)}


def in_beat(plan: MissionPlan, code: str) -> list[Mission]:
    return list(Mission.objects.filter(plan=plan, beat__code=code).order_by("number"))


def box(spec: GridSpec, position: int, *, cells: int = 1) -> dict[str, Any]:
    """An area around the centres of a cell and of those to its east."""
    x_m, y_m = spec.centres()
    reach = 0.4 * spec.cell_size_m
    west, east = x_m[position] - reach, x_m[position] + reach + (cells - 1) * spec.cell_size_m
    south, north = y_m[position] - reach, y_m[position] + reach
    lon, lat = unproject(
        np.array([west, east, east, west, west]), np.array([south, south, north, north, south]), spec.epsg
    )
    return {"type": "MultiPolygon", "coordinates": [[np.column_stack([lon, lat]).tolist()]]}


def addition(scene: Scene, position: int, *, cells: int = 1, **changes: Any) -> Addition:
    fields: dict[str, Any] = {
        "agency": scene.agency,
        "geometry": box(scene.spec, position, cells=cells),
        "crime_type": CrimeType.objects.get(agency=scene.agency, slug="robbery"),
        "reason": "Shops asked for visits",
        "starts_at": scene.run.period_from - dt.timedelta(days=2),
        "expires_at": scene.run.period_from + dt.timedelta(days=2),
    }
    row = Addition(**(fields | changes))
    row.full_clean()
    row.save()
    return row


def position_in(scene: Scene, code: str) -> int:
    """The first cell of the beat that has its neighbour to the east in the beat too."""
    from forecasting.selectors import cell_beats

    beat = Beat.objects.get(agency=scene.agency, code=code)
    return int(np.flatnonzero(cell_beats(scene.grid) == beat.pk)[0])


def test_a_duty_of_the_day_goes_before_the_standing_one(scene: Scene, django_assert_num_queries: Any) -> None:
    assert numbers(scene) == {"11": 3, "12": 3, "21": 3, "22": 3}
    Duty.objects.create(
        agency=scene.agency,
        unit=unit_of(scene, "11"),
        shift=scene.shift,
        on=scene.run.on,
        beat=Beat.objects.get(agency=scene.agency, code="22"),
        missions=2,
    )
    with django_assert_num_queries(4):
        found = numbers(scene)
    assert found == {"11": 0, "12": 3, "21": 3, "22": 5}
    later = capacities(scene.agency, scene.shift, scene.run.on + dt.timedelta(days=1))
    assert {row.k for row in later} == {3}


def test_a_beat_without_a_unit_is_visited_by_its_neighbours_and_the_log_says_by_whom(scene: Scene) -> None:
    off_duty(scene, "22")
    plan = scene.plan()
    handed = in_beat(plan, "22")
    # Robbery rises to the north and burglary to the east: beat 22 holds the worst boxes of all.
    assert len(handed) == 3
    units = set(Assignment.objects.filter(mission__in=handed).values_list("unit__beat__code", flat=True))
    assert units <= {"12", "21"}
    assert "Beat 22 has no unit on duty. Of its 3 missions:" in plan.log
    assert "by units of beat" in plan.log
    assert "dropped, the least harmful" in plan.log
    assert Mission.objects.filter(plan=plan).count() == 9
    assert all(in_beat(plan, code) for code in ("11", "12", "21"))
    assert plan.config_snapshot["shared"]["22"]["dropped"] == 0
    assert replay(bytes(plan.design), seed=plan.seed, digest=plan.design_hash)


def test_no_unit_is_sent_to_more_boxes_than_it_has_time_for(scene: Scene) -> None:
    off_duty(scene, "22")
    plan = scene.plan()
    for unit in Unit.objects.filter(agency=scene.agency):
        assert Assignment.objects.filter(mission__plan=plan, unit=unit).count() <= unit.missions_per_shift
    assert Assignment.objects.filter(mission__plan=plan).count() == 9


def test_the_policy_may_drop_the_missions_of_such_a_beat_instead(scene: Scene) -> None:
    PatrolPolicy.objects.filter(agency=scene.agency).update(unstaffed=PatrolPolicy.Unstaffed.DROP)
    off_duty(scene, "22")
    plan = scene.plan()
    assert in_beat(plan, "22") == []
    assert "Beat 22 has no unit on duty: its 3 missions are dropped." in plan.log
    assert Mission.objects.filter(plan=plan).count() == 9


def test_nobody_on_duty_anywhere_names_the_roster(scene: Scene) -> None:
    for code in ("11", "12", "21", "22"):
        off_duty(scene, code)
    with pytest.raises(MissionsError, match="No unit is on duty in any beat") as caught:
        scene.plan()
    assert "roster" in str(caught.value)


def test_an_addition_is_visited_for_certain_and_takes_the_place_of_a_drawn_mission(scene: Scene) -> None:
    position = position_in(scene, "11")
    row = addition(scene, position, tactic="foot-patrol", dose_minutes=12)
    plan = scene.plan()
    missions = in_beat(plan, "11")
    assert len(missions) == 3
    added = [mission for mission in missions if mission.source == Mission.Source.ADDED]
    assert [mission.cell_id for mission in added] == [int(scene.spec.cells[position])]
    one = added[0]
    assert (one.probability, one.addition, one.reason, one.tactic, one.dose_minutes) == (
        1.0, row, row.reason, "foot-patrol", 12,
    )  # fmt: skip
    assert one.assignment.unit.beat is not None
    assert one.assignment.unit.beat.code == "11"
    assert plan.config_snapshot["additions"] == [row.pk]
    design = design_from_bytes(bytes(plan.design))
    assert position not in design.cell
    at = np.flatnonzero(design.excluded_cell == position)
    assert EXCLUSION_REASONS[int(design.excluded_reason[at[0]])] == "added"
    assert design.beat_k[design.beat_id == Beat.objects.get(code="11").pk].tolist() == [2]
    assert replay(bytes(plan.design), seed=plan.seed, digest=plan.design_hash)


def test_the_visits_of_an_addition_are_spaced_and_lie_inside_the_shift(scene: Scene) -> None:
    addition(scene, position_in(scene, "11"))
    plan = scene.plan()
    one = Mission.objects.get(plan=plan, source=Mission.Source.ADDED)
    starts = [dt.datetime.fromisoformat(text) for text in one.visit_starts]
    assert len(starts) == scene.policy.visits_per_cell
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert min(gaps) >= dt.timedelta(minutes=scene.policy.min_spacing_minutes)
    assert starts[0] >= plan.period_from
    assert starts[-1] + dt.timedelta(minutes=one.dose_minutes) <= plan.period_to


def test_planning_again_gives_an_addition_the_same_hours_from_the_same_seed(scene: Scene) -> None:
    addition(scene, position_in(scene, "11"))
    first, second, other = (
        Mission.objects.get(plan=scene.plan(seed=seed), source=Mission.Source.ADDED).visit_starts
        for seed in (7, 7, 8)
    )
    assert first == second
    assert first != other


def test_a_suppressed_box_is_left_alone_though_somebody_wants_it_visited(scene: Scene) -> None:
    position = position_in(scene, "11")
    row = addition(scene, position)
    Suppression.objects.create(
        agency=scene.agency,
        geometry=row.geometry,
        reason="Film set",
        starts_at=row.starts_at,
        expires_at=row.expires_at,
    )
    plan = scene.plan()
    assert not Mission.objects.filter(plan=plan, source=Mission.Source.ADDED).exists()
    assert "left out, for each is suppressed" in plan.log
    design = design_from_bytes(bytes(plan.design))
    at = np.flatnonzero(design.excluded_cell == position)
    assert EXCLUSION_REASONS[int(design.excluded_reason[at[0]])] == "suppressed"


def test_more_additions_than_missions_are_no_error_and_the_log_says_so(scene: Scene) -> None:
    addition(scene, position_in(scene, "11"), cells=4)
    plan = scene.plan()
    missions = in_beat(plan, "11")
    assert [mission.source for mission in missions] == ["added"] * 4
    assert (
        "all of its 3 missions go to places that people added, 1 more than its units have time for"
        in plan.log
    )
    assert sum(hasattr(mission, "assignment") for mission in missions) == 3
    assert Beat.objects.get(code="11").pk not in design_from_bytes(bytes(plan.design)).beat_id


def test_an_addition_counts_only_while_and_where_it_holds(scene: Scene) -> None:
    position = position_in(scene, "11")
    before = scene.run.period_from
    addition(scene, position, expires_at=before - dt.timedelta(hours=1))
    addition(scene, position, starts_at=before + dt.timedelta(hours=1))
    addition(scene, position, shift=scene.agency.shift_set.get(slug="day"))
    other = make_scene("lakeside")
    addition(other, position_in(other, "11"))
    assert not Mission.objects.filter(plan=scene.plan(), source=Mission.Source.ADDED).exists()


def test_a_large_area_is_visited_in_part_and_the_log_says_so(scene: Scene) -> None:
    addition(scene, position_in(scene, "11"), cells=8)
    plan = scene.plan()
    assert Mission.objects.filter(plan=plan, source=Mission.Source.ADDED).count() == MOST_CELLS
    assert "covers 8 boxes" in plan.log


def test_visits_to_an_addition_count_as_planned_minutes_and_never_pass_the_limit(scene: Scene) -> None:
    position = position_in(scene, "11")
    addition(scene, position, dose_minutes=16)
    plan = scene.plan(publish=True)
    minutes, _ = planned_history(
        scene.agency, grid=scene.grid, before=plan.period_to, window_days=scene.policy.saturation_window_days
    )
    assert minutes[position] == 48
    PatrolPolicy.objects.filter(agency=scene.agency).update(
        saturation_soft_minutes=10, saturation_hard_minutes=90
    )
    tomorrow = make_forecast_tomorrow(scene)
    plan = scene_plan(tomorrow)
    assert not Mission.objects.filter(plan=plan, source=Mission.Source.ADDED).exists()
    assert "left out, for each has had its minutes" in plan.log


def make_forecast_tomorrow(scene: Scene) -> Scene:
    from tests.patrols.scenes import make_forecast

    run = make_forecast(scene.agency, scene.grid, scene.shift, scene.run.on + dt.timedelta(days=1))
    return Scene(scene.agency, scene.grid, run, scene.shift, scene.policy)


def scene_plan(scene: Scene) -> MissionPlan:
    return scene.plan()


def test_a_districts_priority_moves_chances_inside_that_district_only(scene: Scene) -> None:
    before = design_from_bytes(bytes(scene.plan().design))
    DistrictPriority.objects.create(
        agency=scene.agency,
        district=District.objects.get(agency=scene.agency, code="N"),
        crime_type=CrimeType.objects.get(agency=scene.agency, slug="burglary"),
        multiplier=5.0,
    )
    after = design_from_bytes(bytes(scene.plan().design))
    assert np.array_equal(before.cell, after.cell)
    north = np.isin(before.beat, list(Beat.objects.filter(district__code="N").values_list("pk", flat=True)))
    assert np.array_equal(before.pi[~north], after.pi[~north])
    assert not np.allclose(before.pi[north], after.pi[north])


def test_a_plan_says_where_weights_were_changed_after_its_forecast(scene: Scene) -> None:
    from forecasting.selectors import weights_now

    scene.run.config_snapshot = {"weights": weights_now(scene.agency)}
    scene.run.save()
    assert "were changed after the forecast" not in scene.plan().log
    CrimeType.objects.filter(agency=scene.agency, slug="burglary").update(weight=9.0)
    log = scene.plan().log
    assert "Weights or district priorities of burglary were changed after the forecast was made" in log
    assert "robbery" not in log
