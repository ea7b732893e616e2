"""Dosage and coverage: minutes by cell, area and week add up to what is on record; lower-risk areas and limits are counted."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable

import numpy as np
import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import User
from missions_project.lib.errors import MissionsError
from patrols.coverage import plan_coverage
from patrols.models import Mission, MissionPlan, PatrolPolicy, Presence
from tactics.reports.asked import Asked
from tactics.reports.coverage import CoverageReport
from tactics.reports.coverage_read import Minutes, low_share, most_in_window
from tactics.reports.shapes import Report, Table
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
QUERY = f"?from={ON}&to={ON}"


def made(scene: Scene, first: dt.date = ON, last: dt.date = ON, **changes: object) -> Report:
    return CoverageReport().make(scene.agency, Asked(first, last, **changes))  # type: ignore[arg-type]


def table(report: Report, slug: str) -> Table:
    found = report.table(slug)
    assert found is not None
    return found


def column(found: Table, key: str) -> list[float]:
    at = [one.key for one in found.columns].index(key)
    return [float(row[at] or 0) for row in found.rows]


@pytest.mark.parametrize("slug", ["weeks", "districts", "beats", "district-weeks", "beat-weeks", "cells"])
def test_minutes_are_those_on_record_whichever_way_they_are_cut(
    scene: Scene, plan: MissionPlan, slug: str
) -> None:
    found = table(made(scene), slug)
    missions = list(plan.missions.all())
    assert sum(column(found, "recommended_minutes")) == sum(
        m.dose_minutes * len(m.visit_starts) for m in missions
    )
    at_missions = sum(Presence.objects.filter(mission__isnull=False).values_list("minutes", flat=True))
    assert sum(column(found, "delivered_minutes")) == pytest.approx(at_missions)
    assert sum(column(found, "passing_minutes")) == pytest.approx(20.0)


def test_every_cell_of_the_grid_has_a_row_and_knows_its_beat(scene: Scene, plan: MissionPlan) -> None:
    found = table(made(scene), "cells")
    assert {int(str(row[0])) for row in found.rows} == set(scene.spec.cells.tolist())
    by_cell = {int(str(row[0])): row for row in found.rows}
    for mission in plan.missions.select_related("beat__district"):
        row = by_cell[mission.cell_id]
        assert row[1:3] == (mission.beat.district.code, mission.beat.code)
        assert row[5] == mission.dose_minutes * len(mission.visit_starts)
    assert found.is_cut
    assert len(found.shown) == 50


def test_a_choice_of_beats_and_of_shifts_cuts_everything(scene: Scene, plan: MissionPlan) -> None:
    whole = {row[1]: row for row in table(made(scene), "beats").rows}
    code = next(iter(whole))
    only = made(scene, beat=(str(code),))
    assert table(only, "beats").rows == [whole[code]]
    assert sum(column(table(only, "cells"), "recommended_minutes")) == whole[code][2]
    other = made(scene, shift=("night",))
    assert sum(column(table(other, "weeks"), "recommended_minutes")) == 0


def test_withdrawn_missions_and_shifts_that_run_still_are_left_out(scene: Scene, plan: MissionPlan) -> None:
    first = plan.missions.all()[0]
    before = sum(column(table(made(scene), "weeks"), "recommended_minutes"))
    Mission.objects.filter(pk=first.pk).update(withdrawn_at=plan.period_from)
    after = sum(column(table(made(scene), "weeks"), "recommended_minutes"))
    assert before - after == first.dose_minutes * len(first.visit_starts)
    MissionPlan.objects.update(period_to=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    assert sum(column(table(made(scene), "weeks"), "recommended_minutes")) == 0


def test_the_lower_half_and_its_target_are_the_plans_own(scene: Scene, plan: MissionPlan) -> None:
    plan.refresh_from_db()
    rows = {row[0]: row for row in table(made(scene), "low-risk").rows}
    share, target = rows["Recommended minutes"][2:]
    assert target == pytest.approx(plan.counts["low_risk_share"])
    doses = {m.dose_minutes for m in plan.missions.all()}
    assert len(doses) >= 1
    # One plan, its own design: the board's card counts visits in the same half.
    visits = plan_coverage(plan).low_risk_share
    if len(doses) == 1:
        assert share == pytest.approx(visits)
    assert 0 <= float(share or 0) <= 1


def test_cells_at_their_limit_are_counted_over_windows_that_begin_before_the_period(
    scene: Scene, plan: MissionPlan
) -> None:
    most = max(m.dose_minutes * len(m.visit_starts) for m in plan.missions.all())
    PatrolPolicy.objects.update(saturation_soft_minutes=most, saturation_hard_minutes=2 * most)
    at_limit = sum(m.dose_minutes * len(m.visit_starts) >= most for m in plan.missions.all())
    day_after = ON + dt.timedelta(days=1)
    for first in (ON, day_after):
        rows = {row[0]: row[2] for row in table(made(scene, first, day_after), "saturation").rows}
        assert rows["Soft limit"] == at_limit
        assert rows["Hard limit"] == 0
    later = ON + dt.timedelta(days=scene.policy.saturation_window_days)
    assert {row[0]: row[2] for row in table(made(scene, later, later), "saturation").rows}["Soft limit"] == 0


def test_the_most_of_any_window_is_found_wherever_it_lies() -> None:
    minutes = Minutes(np.array([3, 3, 3, 1]), np.array([-2, 0, 4, 5]), np.array([10.0, 20.0, 5.0, 7.0]))
    most = most_in_window(minutes, 5, 3, 6)
    assert most.tolist() == [0.0, 7.0, 0.0, 30.0, 0.0]
    assert most_in_window(minutes, 5, 2, 6).tolist() == [0.0, 7.0, 0.0, 20.0, 0.0]
    harm = np.array([np.nan, 1.0, 2.0, 3.0, 4.0])
    assert low_share(harm, np.array([9.0, 1.0, 0.0, 3.0, 0.0])) == pytest.approx(0.25)
    assert low_share(np.full(5, np.nan), np.ones(5)) is None


def test_page_maps_and_files_are_there_and_cost_a_fixed_number_of_queries(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    caches["reports"].clear()
    client = sign_in(make_member(scene.agency, "analyst"))
    with CaptureQueriesContext(connection) as queries:
        page = client.get(reverse("tactics:report", args=["riverton", "coverage"]) + QUERY)
    assert page.status_code == 200
    assert len(queries) <= 19
    assert "cells and delivered" in page.content.decode()
    assert "files hold all" in page.content.decode()
    for chart in ("cells", "weeks", "beats-over-time", "districts-over-time", "districts"):
        drawn = client.get(reverse("tactics:report_chart", args=["riverton", "coverage", chart]) + QUERY)
        assert drawn.content.startswith(b"<?xml")
    answer = client.get(reverse("tactics:table_csv", args=["riverton", "coverage"]) + QUERY + "&table=cells")
    text = b"".join(answer).decode()
    rows = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    assert len(rows) == len(scene.spec)
    assert client.get(f"/api/v1/riverton/reports/coverage/{QUERY}").status_code == 200


def test_without_a_grid_or_without_missions_the_page_says_so(sign_in: SignIn, scene: Scene) -> None:
    caches["reports"].clear()
    with pytest.raises(MissionsError, match="no active grid"):
        CoverageReport().make(make_agency("bare"), Asked(ON, ON))
    empty = made(scene, dt.date(2020, 1, 1), dt.date(2020, 1, 7))
    assert empty.charts == ()
    assert empty.sentence.startswith("No mission of an ended shift")
