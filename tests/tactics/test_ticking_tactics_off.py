"""Ticking tactics off at a visit: once only, taken back, fresh visits only, own agency only."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from agencies.models import Agency, Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission
from patrols.services import visit_end, visit_start
from tactics.models import Tactic, TacticRule, TacticUse
from tactics.selectors import uses_at, uses_of
from tactics.services import starter_catalogue_create, tactic_use_record


@pytest.fixture
def visit(agency: Agency, mission: Mission, unit: Unit, officer: User) -> Engagement:
    starter_catalogue_create(agency=agency)
    return visit_start(mission=mission, unit=unit, officer=officer, at=timezone.now()).engagement


def tick(
    visit: Engagement, slug: str, *, is_used: bool = True, at: dt.datetime | None = None
) -> TacticUse | None:
    tactic = Tactic.objects.get(agency=visit.agency, slug=slug)
    return tactic_use_record(
        engagement=visit, tactic=tactic, is_used=is_used, officer=visit.officer, at=at or timezone.now()
    )


def test_two_ticks_make_one_use(visit: Engagement) -> None:
    first = tick(visit, "foot-patrol")
    assert tick(visit, "foot-patrol") == first
    assert [use.tactic.slug for use in uses_of(visit)] == ["foot-patrol"]
    assert [use.pk for use in uses_at(visit.mission)] == [first.pk if first else 0]


def test_taking_back_twice_changes_nothing(visit: Engagement) -> None:
    tick(visit, "foot-patrol")
    assert tick(visit, "foot-patrol", is_used=False) is None
    assert tick(visit, "foot-patrol", is_used=False) is None
    assert uses_of(visit) == []


def test_whether_it_was_recommended_is_kept_although_rules_change(visit: Engagement) -> None:
    recommended, other = tick(visit, "foot-patrol"), tick(visit, "enforcement-action")
    TacticRule.objects.filter(agency=visit.agency).delete()
    assert recommended is not None
    assert other is not None
    recommended.refresh_from_db()
    assert recommended.was_recommended
    assert not other.was_recommended


def test_ticks_are_possible_for_four_hours_after_leaving_and_not_later(
    visit: Engagement, mission: Mission, unit: Unit
) -> None:
    ended = visit_end(mission=mission, unit=unit, at=timezone.now())
    assert ended is not None
    assert ended.left_at is not None
    tick(ended, "foot-patrol", at=ended.left_at + dt.timedelta(hours=4, seconds=-1))
    for is_used in (True, False):
        with pytest.raises(MissionsError, match="hours ago"):
            tick(ended, "foot-patrol", is_used=is_used, at=ended.left_at + dt.timedelta(hours=4))
    assert len(uses_of(ended)) == 1


def test_an_inactive_tactic_can_be_taken_back_but_not_ticked(visit: Engagement) -> None:
    tick(visit, "foot-patrol")
    Tactic.objects.filter(agency=visit.agency).update(is_active=False)
    with pytest.raises(MissionsError, match="no longer offered"):
        tick(visit, "park-walk")
    tick(visit, "foot-patrol", is_used=False)
    assert uses_of(visit) == []


def test_another_agencys_tactic_is_refused(visit: Engagement, stranger: User) -> None:
    elsewhere = Agency.objects.exclude(pk=visit.agency_id).get()
    foreign = Tactic.objects.create(agency=elsewhere, name="Walk", slug="walk")
    with pytest.raises(MissionsError, match="another agency"):
        tactic_use_record(engagement=visit, tactic=foreign, is_used=True, officer=None, at=timezone.now())
