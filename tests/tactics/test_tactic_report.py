"""The tactic report counts what was ticked, and how often it was what had been recommended."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, Unit, User
from patrols.models import Engagement, Mission, MissionPlan
from tactics.engine.shares import wilson
from tactics.models import Tactic, TacticDraw, TacticUse
from tactics.reports.asked import Asked
from tactics.reports.shapes import Report, Table
from tactics.reports.tactics_used import TacticReport
from tests.factories import make_agency, make_member
from tests.tactics.factories import make_mission, make_plan

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def town() -> Agency:
    cache.clear()
    return make_agency()


@pytest.fixture
def plan(town: Agency) -> MissionPlan:
    """Four missions with a recommendation of foot patrol or a marked car; three were visited.

    The first did what was recommended, for 10 minutes; the second the other, for 20 minutes, and a third thing; at the third
    nothing was ticked; nobody came to the fourth.
    """
    begun = timezone.now() - dt.timedelta(days=2)
    plan = make_plan(town, period_from=begun)
    foot, car, talk = (
        Tactic.objects.create(agency=town, name=name, slug=name.lower().replace(" ", "-"))
        for name in ("Foot patrol", "Marked car", "Talk to businesses")
    )
    units = list(Unit.objects.filter(agency=town).order_by("call_sign"))
    for number, (drawn, length, ticked) in enumerate(
        ((foot, 10, [foot]), (foot, 20, [car, talk]), (car, 7, []), (car, None, [])), start=1
    ):
        kind = "robbery" if number < 3 else "burglary"
        mission = make_mission(plan, unit=units[number - 1], number=number, crime_type=kind)
        TacticDraw.objects.create(
            agency=town, mission=mission, tactic=drawn, probabilities={"foot-patrol": 0.5, "marked-car": 0.5},
            method="weights", seed=1,
        )  # fmt: skip
        if length is None:
            continue
        visit(mission, begun + dt.timedelta(minutes=30 * number), length, ticked)
    return plan


def visit(mission: Mission, at: dt.datetime, length: float, ticked: list[Tactic]) -> Engagement:
    found = Engagement.objects.create(
        agency=mission.agency, mission=mission, unit=mission.assignment.unit, arrived_at=at,
        left_at=at + dt.timedelta(minutes=length),
    )  # fmt: skip
    for tactic in ticked:
        TacticUse.objects.create(
            agency=mission.agency, engagement=found, tactic=tactic, was_recommended=False
        )
    return found


def made(plan: MissionPlan, **changes: object) -> Report:
    return TacticReport().make(plan.agency, Asked(plan.on, plan.on, **changes))  # type: ignore[arg-type]


def table(report: Report, slug: str) -> Table:
    found = report.table(slug)
    assert found is not None
    return found


def test_uses_minutes_and_visits_are_those_on_record_however_they_are_cut(plan: MissionPlan) -> None:
    report = made(plan)
    figures = {figure.label: figure.value for figure in report.figures}
    assert figures["Visits"] == "3"
    assert figures["With a tactic"] == "2"
    assert figures["Minutes in these"] == "30"
    by_tactic = {row[0]: row[1:4] for row in table(report, "tactics").rows}
    assert by_tactic == {
        "Foot patrol": (2, 1, 10.0),
        "Marked car": (2, 1, 20.0),
        "Talk to businesses": (0, 1, 20.0),
    }
    for slug in ("types", "districts", "weeks"):
        rows = table(report, slug).rows
        assert sum(int(row[2] or 0) for row in rows) == 3
        assert sum(float(row[3] or 0) for row in rows) == pytest.approx(50)
    hours = sum(float(value or 0) for row in table(report, "hours").rows for value in row[1:])
    assert hours == pytest.approx(50)


def test_a_recommendation_is_followed_where_it_was_ticked_at_a_visited_mission(plan: MissionPlan) -> None:
    rows = {row[0]: row[1:] for row in table(made(plan), "followed").rows}
    assert rows["Foot patrol"][:4] == (2, 2, 1, 0.5)
    assert rows["Marked car"][:4] == (2, 1, 0, 0.0)
    assert rows["All"][:3] == (4, 3, 1)
    low, high = wilson(1, 3)
    assert rows["All"][4:] == pytest.approx((float(low), float(high)))
    week = table(made(plan), "weeks-followed").rows[0]
    assert week[1:3] == (3, 1)


def test_a_second_visit_of_a_mission_makes_no_second_mission(plan: MissionPlan) -> None:
    mission = plan.missions.get(number=1)
    tactic = Tactic.objects.get(slug="foot-patrol")
    visit(mission, timezone.now() - dt.timedelta(days=1), 5, [tactic])
    report = made(plan)
    assert {row[0]: row[3] for row in table(report, "followed").rows}["All"] == 1
    assert {row[0]: row[2] for row in table(report, "tactics").rows}["Foot patrol"] == 2
    done = {row[:2]: row[2] for row in table(report, "instead").rows}
    assert done["Foot patrol", "Foot patrol"] == 1


def test_what_was_done_instead_adds_up_with_what_was_not_ticked(plan: MissionPlan) -> None:
    done = {row[:2]: row[2:] for row in table(made(plan), "instead").rows}
    assert done == {
        ("Foot patrol", "Foot patrol"): (1, 0.5),
        ("Foot patrol", "Marked car"): (1, 0.5),
        ("Foot patrol", "Talk to businesses"): (1, 0.5),
        ("Marked car", "none ticked off"): (1, 1.0),
    }


def test_a_choice_of_crime_types_cuts_visits_and_recommendations_alike(plan: MissionPlan) -> None:
    report = made(plan, type=("burglary",))
    assert {figure.label: figure.value for figure in report.figures}["Visits"] == "1"
    assert {row[0]: row[1] for row in table(report, "followed").rows} == {"Marked car": 2, "All": 2}
    assert table(report, "types").rows == []


def test_a_timer_that_still_runs_counts_as_a_visit_without_length(plan: MissionPlan) -> None:
    Engagement.objects.filter(mission__number=1).update(left_at=None)
    rows = {row[0]: row[2:4] for row in table(made(plan), "tactics").rows}
    assert rows["Foot patrol"] == (1, 0.0)


def test_page_charts_and_files_show_the_same_and_cost_a_fixed_number_of_queries(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    client = sign_in(make_member(town, "analyst"))
    query = f"?from={plan.on}&to={plan.on}"
    with CaptureQueriesContext(connection) as queries:
        page = client.get(reverse("tactics:report", args=["riverton", "tactics"]) + query)
    assert len(queries) <= 16
    assert "A tactic was ticked off at 2 of 3 visits" in page.content.decode()
    for chart in ("weeks", "followed", "hours"):
        drawn = client.get(reverse("tactics:report_chart", args=["riverton", "tactics", chart]) + query)
        assert drawn.content.startswith(b"<?xml")
    answer = client.get(
        reverse("tactics:table_csv", args=["riverton", "tactics"]) + query + "&table=followed"
    )
    text = b"".join(answer).decode()
    rows = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    assert [row["followed"] for row in rows] == ["1", "0", "1"]
    answer = client.get(f"/api/v1/riverton/reports/tactics/{query}")
    assert [one["table"] for one in answer.json()["tables"]][:3] == ["tactics", "followed", "instead"]


def test_without_visits_nothing_is_claimed(town: Agency) -> None:
    report = TacticReport().make(town, Asked(dt.date(2020, 1, 1), dt.date(2020, 1, 31)))
    assert report.sentence == "No mission was visited in this period."
    assert report.charts == ()


def test_wilsons_interval_stays_inside_nought_and_one_and_says_nothing_of_nothing() -> None:
    low, high = wilson([0, 0, 7], [0, 3, 7])
    assert low[0] != low[0]
    assert (low[1], high[2]) == (0.0, 1.0)
    assert 0.5 < high[1] < 0.6
    assert 0.6 < low[2] < 0.7
