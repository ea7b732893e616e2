"""What a plan covers, said before it is published: harm, low-risk areas, saturation, fairness."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from missions_project.lib.errors import MissionsError
from patrols.coverage import plan_coverage
from patrols.models import Mission
from patrols.selectors import plan_draw_of
from patrols.services import plan_missions, plan_queue
from tests.patrols.scenes import ON, Scene, make_forecast

pytestmark = pytest.mark.django_db


def test_coverage_adds_up_and_costs_three_queries(scene: Scene) -> None:
    scene.plan(publish=True)
    tomorrow = make_forecast(scene.agency, scene.grid, scene.shift, ON + dt.timedelta(days=1))
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=tomorrow.on, seed=3)
    plan_missions(plan=plan, with_reasons=False)
    plan.refresh_from_db()
    assert plan.grid is not None
    with CaptureQueriesContext(connection) as captured:
        found = plan_coverage(plan)
    assert len(captured) == 3
    missions = list(plan.missions.all())
    draw = plan_draw_of(plan)
    assert found.harm_expected == pytest.approx(sum(mission.harm for mission in missions))
    assert found.harm_expected == pytest.approx(sum(row.harm for row in found.beats))
    assert found.harm_total == pytest.approx(draw.harm.sum())
    assert sum(row.mission_share for row in found.districts) == pytest.approx(1)
    assert sum(row.harm_share for row in found.districts) == pytest.approx(1)
    assert 0 < found.low_risk_share < 1
    strips = {strip.cell_id: strip for strip in found.saturation}
    yesterday = {m.cell_id: m for m in Mission.objects.exclude(plan=plan)}
    assert len(strips) == len(missions)
    for mission in missions:
        days = strips[mission.cell_id].days
        before = yesterday.get(mission.cell_id)
        assert len(days) == 7
        assert days[-1] == mission.dose_minutes * len(mission.visit_starts)
        assert days[-2] == (before.dose_minutes * len(before.visit_starts) if before else 0)
    assert np.isfinite(found.gini)


def test_an_unfinished_plan_has_no_coverage(scene: Scene) -> None:
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    with pytest.raises(MissionsError, match="not finished"):
        plan_coverage(plan)
