"""A unit's timer: started once, stopped once, and never in two places."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from agencies.models import Agency, Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission, MissionPlan
from patrols.services import visit_end, visit_start
from tactics.selectors import last_departure, open_visit, unit_mission, unit_missions
from tests.tactics import factories


def test_a_second_arrival_at_the_same_place_changes_nothing(
    mission: Mission, unit: Unit, officer: User
) -> None:
    now = timezone.now()
    first = visit_start(mission=mission, unit=unit, officer=officer, at=now)
    again = visit_start(mission=mission, unit=unit, officer=officer, at=now + dt.timedelta(seconds=2))
    assert again.engagement == first.engagement
    assert again.ended == ()
    assert Engagement.objects.get().arrived_at == now


def test_arriving_elsewhere_ends_the_visit_that_is_open(
    plan: MissionPlan, mission: Mission, unit: Unit, officer: User
) -> None:
    now = timezone.now()
    other = factories.make_mission(plan, unit=unit, number=2)
    visit_start(mission=mission, unit=unit, officer=officer, at=now)
    started = visit_start(mission=other, unit=unit, officer=officer, at=now + dt.timedelta(minutes=11))
    assert [(visit.mission, visit.minutes) for visit in started.ended] == [(mission, 11.0)]
    assert open_visit(unit.agency, unit) == started.engagement


def test_another_units_timer_runs_on(agency: Agency, mission: Mission, unit: Unit, officer: User) -> None:
    other = Unit.objects.get(agency=agency, call_sign="R12")
    visit_start(mission=mission, unit=other, officer=officer, at=timezone.now())
    assert visit_start(mission=mission, unit=unit, officer=officer, at=timezone.now()).ended == ()
    assert Engagement.objects.filter(left_at__isnull=True).count() == 2


def test_leaving_twice_changes_nothing(mission: Mission, unit: Unit, officer: User) -> None:
    now = timezone.now()
    visit_start(mission=mission, unit=unit, officer=officer, at=now)
    ended = visit_end(mission=mission, unit=unit, at=now + dt.timedelta(minutes=12))
    assert ended is not None
    assert ended.minutes == 12.0
    assert visit_end(mission=mission, unit=unit, at=now + dt.timedelta(minutes=20)) is None
    assert Engagement.objects.get().minutes == 12.0
    assert last_departure(unit.agency, unit, since=now) == ended


def test_a_withdrawn_mission_starts_no_timer(mission: Mission, unit: Unit, officer: User) -> None:
    mission.withdrawn_at, mission.withdrawn_reason = timezone.now(), "road closed"
    mission.save()
    with pytest.raises(MissionsError, match="road closed"):
        visit_start(mission=mission, unit=unit, officer=officer, at=timezone.now())


def test_another_agencys_unit_is_refused(mission: Mission, officer: User, stranger: User) -> None:
    foreign = Unit.objects.exclude(agency=mission.agency).earliest("pk")
    with pytest.raises(MissionsError, match="another agency"):
        visit_start(mission=mission, unit=foreign, officer=officer, at=timezone.now())


def test_a_forgotten_timer_stays_in_the_list_after_the_shift(
    agency: Agency, unit: Unit, officer: User
) -> None:
    now = timezone.now()
    past = factories.make_plan(agency, shift="day", period_from=now - dt.timedelta(hours=10))
    forgotten = factories.make_mission(past, unit=unit, number=4)
    assert unit_missions(agency, unit, now=now) == []
    visit_start(mission=forgotten, unit=unit, officer=officer, at=now - dt.timedelta(hours=3))
    assert unit_missions(agency, unit, now=now) == [forgotten]
    visit_end(mission=forgotten, unit=unit, at=now)
    assert unit_missions(agency, unit, now=now) == []
    assert unit_mission(agency, unit, forgotten.pk, now=now) == forgotten


def test_drafts_and_other_units_missions_are_not_the_units(
    agency: Agency, unit: Unit, mission: Mission
) -> None:
    draft = factories.make_plan(agency, shift="night", state=MissionPlan.State.DRAFT)
    factories.make_mission(draft, unit=unit)
    other = factories.make_mission(
        mission.plan, unit=Unit.objects.get(agency=agency, call_sign="R12"), number=2
    )
    now = timezone.now()
    assert unit_missions(agency, unit, now=now) == [mission]
    assert unit_mission(agency, unit, other.pk, now=now) is None


@pytest.mark.django_db(transaction=True)
def test_many_presses_at_once_leave_one_timer(plan: MissionPlan, unit: Unit, officer: User) -> None:
    missions = [factories.make_mission(plan, unit=unit, number=number) for number in (1, 2)]

    def press(number: int) -> int:
        try:
            mission = missions[number % 2]
            return visit_start(mission=mission, unit=unit, officer=officer, at=timezone.now()).engagement.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        pressed = list(pool.map(press, range(16)))
    assert len(pressed) == 16
    assert Engagement.objects.filter(left_at__isnull=True).count() == 1
