"""A retention policy deletes notes, presses, hunches and practice when they are old, and nothing that still stands on them."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from agencies.models import Agency, CrimeType, Unit
from ingestion.models import RetentionPolicy
from ingestion.services import retention_kind, retention_plan, retention_run
from patrols.models import Engagement
from tactics.models import Hunch, OfficerAction, PracticeShift, Tactic, TacticUse, VisitNote
from tactics.services import Press, actions_apply
from tests.factories import make_agency, make_member
from tests.tactics.factories import make_grid, make_mission, make_plan

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
NOW = timezone.now


@pytest.fixture
def agency() -> Agency:
    return make_agency("riverton")


def fill(agency: Agency) -> Engagement:
    """One visit with a tick; of each kind one row 40 days old and one of yesterday (of practice, one row each officer)."""
    unit = Unit.objects.filter(agency=agency).earliest("pk")
    mission = make_mission(make_plan(agency), unit=unit)
    tactic = Tactic.objects.create(agency=agency, slug="foot-patrol", name="Foot patrol")
    visit = Engagement.objects.create(
        agency=agency, mission=mission, unit=unit, arrived_at=NOW() - 40 * DAY,
        left_at=NOW() - 40 * DAY + dt.timedelta(minutes=12), source="timer",
    )  # fmt: skip
    TacticUse.objects.create(
        agency=agency, engagement=visit, tactic=tactic, was_recommended=False, used_at=NOW() - 40 * DAY
    )
    grid = mission.plan.grid or make_grid(agency)
    kind = CrimeType.objects.get(agency=agency, slug="robbery")
    for number, days in enumerate((40, 1)):
        then = NOW() - days * DAY
        officer = make_member(agency, "officer", unit=unit)
        VisitNote.objects.create(
            agency=agency, engagement=visit, text=f"Lamp {number} is out", written_at=then
        )
        OfficerAction.objects.create(
            agency=agency, uuid=uuid.uuid4(), unit=unit, mission=mission, kind="arrived", device_at=then, at=then,
            received_at=then, status="done", engagement=visit,
        )  # fmt: skip
        Hunch.objects.create(
            agency=agency, uuid=uuid.uuid4(), grid=grid, cell_id=17, crime_type=kind, made_at=then - 3 * DAY,
            period_from=then - 2 * DAY, period_to=then, reason="Dark since the lamps broke",
        )  # fmt: skip
        PracticeShift.objects.create(agency=agency, officer=officer, started_at=then)
    return visit


def policy_for(agency: Agency, kind: str, days: int) -> RetentionPolicy:
    policy = RetentionPolicy(agency=agency, kind=kind, delete_after_days=days)
    policy.full_clean()
    policy.save()
    return policy


@pytest.mark.parametrize(
    ("kind", "model"),
    [("notes", VisitNote), ("presses", OfficerAction), ("hunches", Hunch), ("practice", PracticeShift)],
)
def test_what_is_old_goes_what_is_young_stays_and_so_does_the_visit(
    agency: Agency, kind: str, model: type[VisitNote | OfficerAction | Hunch | PracticeShift]
) -> None:
    visit = fill(agency)
    young = model._default_manager.order_by("pk").last()
    others = {other: other._default_manager.count() for other in (VisitNote, OfficerAction, Hunch, PracticeShift) if other is not model}  # fmt: skip
    assert retention_run(policy=policy_for(agency, kind, 30)).deleted == 1
    assert list(model._default_manager.all()) == [young]
    assert {other: other._default_manager.count() for other in others} == others
    assert list(Engagement.objects.all()) == [visit]
    assert TacticUse.objects.count() == 1


def test_another_agencys_rows_stay(agency: Agency) -> None:
    fill(agency)
    other = make_agency("lakeside")
    for kind in ("notes", "presses", "hunches", "practice"):
        assert retention_run(policy=policy_for(other, kind, 30)).deleted == 0
        assert retention_kind(kind).old(agency, NOW()).count() == 2


def test_a_hunch_that_was_made_long_ago_for_days_to_come_stays(agency: Agency) -> None:
    Hunch.objects.create(
        agency=agency, uuid=uuid.uuid4(), grid=make_grid(agency), cell_id=17, crime_type=CrimeType.objects.get(agency=agency, slug="robbery"),
        made_at=NOW() - 40 * DAY, period_from=NOW() - 39 * DAY, period_to=NOW() + DAY, reason="The fair",
    )  # fmt: skip
    assert retention_run(policy=policy_for(agency, "hunches", 1)).deleted == 0


def test_presses_are_kept_for_as_long_as_a_phone_may_send_them_again(agency: Agency) -> None:
    unit = Unit.objects.filter(agency=agency).earliest("pk")
    officer = make_member(agency, "officer", unit=unit)
    mission = make_mission(make_plan(agency), unit=unit)
    press = Press(uuid=uuid.uuid4(), kind="arrived", mission_id=mission.pk, device_at=NOW())
    first = actions_apply(agency=agency, unit=unit, officer=officer, presses=[press])
    assert [row.status for row in first] == ["done"]
    # Whatever the policy says: the number must be known until a press is too old to count.
    policy = policy_for(agency, "presses", 1)
    assert retention_run(policy=policy, now=NOW() + 13 * DAY).deleted == 0
    later = NOW() + 15 * DAY
    assert retention_run(policy=policy, now=later).deleted == 1
    again = actions_apply(agency=agency, unit=unit, officer=officer, presses=[press], now=later)
    assert [row.status for row in again] == ["refused"]
    assert "7 days ago" in again[0].message
    assert Engagement.objects.count() == 1


def test_a_policy_that_takes_hunches_away_from_their_score_says_so(agency: Agency) -> None:
    assert any(
        "180 days" in text for text in retention_plan(policy=policy_for(agency, "hunches", 90)).notices
    )
    RetentionPolicy.objects.all().delete()
    assert not retention_plan(policy=policy_for(agency, "hunches", 365)).notices
    assert not retention_plan(policy=policy_for(agency, "notes", 90)).notices
