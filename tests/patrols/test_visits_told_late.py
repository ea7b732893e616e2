"""What a phone tells afterwards takes its place among what the unit did since, in whatever order it is told."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission, MissionPlan
from patrols.services import visit_end_told_late, visit_start, visit_start_told_late
from tests.tactics import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit(agency: Agency) -> Unit:
    return Unit.objects.get(agency=agency, call_sign="R11")


@pytest.fixture
def plan(agency: Agency) -> MissionPlan:
    return factories.make_plan(agency)


@pytest.fixture
def first(plan: MissionPlan, unit: Unit) -> Mission:
    return factories.make_mission(plan, unit=unit)


@pytest.fixture
def second(plan: MissionPlan, unit: Unit) -> Mission:
    return factories.make_mission(plan, unit=unit, number=2)


def ago(minutes: float) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes)


NOW = timezone.now()


def visits() -> list[tuple[int, float, float | None]]:
    """Each visit: its mission, minutes ago that it began and ended."""

    def minutes(at: dt.datetime | None) -> float | None:
        return None if at is None else round((NOW - at).total_seconds() / 60)

    return [
        (row.mission.number, minutes(row.arrived_at) or 0, minutes(row.left_at))
        for row in Engagement.objects.select_related("mission").order_by("arrived_at", "pk")
    ]


def test_with_nothing_later_it_is_an_arrival_like_any_other(
    first: Mission, second: Mission, unit: Unit
) -> None:
    visit_start(mission=first, unit=unit, officer=None, at=ago(40))
    started = visit_start_told_late(mission=second, unit=unit, officer=None, at=ago(20))
    assert [visit.mission for visit in started.ended] == [first]
    assert visits() == [(1, 40, 20), (2, 20, None)]


def test_a_visit_told_late_does_not_end_the_one_that_began_after_it(
    first: Mission, second: Mission, unit: Unit
) -> None:
    visit_start(mission=second, unit=unit, officer=None, at=ago(10))
    visit_start_told_late(mission=first, unit=unit, officer=None, at=ago(40))
    assert visits() == [(1, 40, 10), (2, 10, None)]
    visit_end_told_late(mission=first, unit=unit, at=ago(25))
    assert visits() == [(1, 40, 25), (2, 10, None)]


def test_with_its_departure_it_keeps_its_own_end(first: Mission, unit: Unit) -> None:
    visit_start(mission=first, unit=unit, officer=None, at=ago(10))
    visit_start_told_late(mission=first, unit=unit, officer=None, at=ago(60), left_at=ago(45))
    visit_end_told_late(mission=first, unit=unit, at=ago(45))
    assert visits() == [(1, 60, 45), (1, 10, None)]


def test_the_earlier_press_of_two_phones_counts(first: Mission, unit: Unit) -> None:
    visit_start(mission=first, unit=unit, officer=None, at=ago(10))
    visit_start_told_late(mission=first, unit=unit, officer=None, at=ago(14))
    assert visits() == [(1, 14, None)]
    visit_end_told_late(mission=first, unit=unit, at=ago(1))
    visit_end_told_late(mission=first, unit=unit, at=ago(3))
    visit_end_told_late(mission=first, unit=unit, at=ago(2))
    assert visits() == [(1, 14, 3)]


def test_an_arrival_in_the_midst_of_another_visit_ends_that_one(
    first: Mission, second: Mission, unit: Unit
) -> None:
    visit_start(mission=first, unit=unit, officer=None, at=ago(60))
    visit_end_told_late(mission=first, unit=unit, at=ago(20))
    visit_start_told_late(mission=second, unit=unit, officer=None, at=ago(40), left_at=ago(30))
    assert visits() == [(1, 60, 40), (2, 40, None)]
    visit_end_told_late(mission=second, unit=unit, at=ago(30))
    assert visits() == [(1, 60, 40), (2, 40, 30)]


def test_a_departure_before_any_arrival_is_none(first: Mission, unit: Unit) -> None:
    assert visit_end_told_late(mission=first, unit=unit, at=ago(5)) is None
    visit_start(mission=first, unit=unit, officer=None, at=ago(1))
    assert visit_end_told_late(mission=first, unit=unit, at=ago(5)) is None
    assert visits() == [(1, 1, None)]


def test_who_was_there_before_a_withdrawal_was_there(first: Mission, unit: Unit) -> None:
    first.withdrawn_at, first.withdrawn_reason = ago(10), "road closed"
    first.save()
    with pytest.raises(MissionsError, match="road closed"):
        visit_start_told_late(mission=first, unit=unit, officer=None, at=ago(5))
    visit_start_told_late(mission=first, unit=unit, officer=None, at=ago(15))
    assert visits() == [(1, 15, None)]
