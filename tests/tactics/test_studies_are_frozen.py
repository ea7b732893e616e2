"""A frozen study stays as it is: no page, service, shell or bulk update changes what was asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from agencies.models import Agency, AuditEvent, Beat, CrimeType, District, Shift, User
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import PatrolPolicy
from tactics.models import ImpactReport, ImpactStudy
from tactics.models.studies import FROZEN_FIELDS
from tactics.services import (
    report_cancel,
    report_queue,
    reports_due,
    study_cancel,
    study_change,
    study_create,
    study_freeze,
)
from tactics.services.studies import specification_hash, study_specification
from tactics.triggers import triggers_ensure
from tests.factories import make_agency

pytestmark = pytest.mark.django_db
State = ImpactStudy.State
SOON = timezone.localdate() + dt.timedelta(days=7)


def draft(agency: Agency, **fields: Any) -> ImpactStudy:
    values: dict[str, Any] = {
        "name": "Evenings",
        "question": "Do missions in the evening prevent burglary?",
        "crime_types": [CrimeType.objects.get(agency=agency, slug="burglary").pk],
        "first": SOON,
        "last": SOON + dt.timedelta(days=90),
        "minimum_detectable": 0.2,
        "minimum_basis": "84 shifts",
    }
    return study_create(agency=agency, actor=None, **(values | fields))


@pytest.fixture
def frozen(agency: Agency, owner: User) -> ImpactStudy:
    PatrolPolicy.objects.create(agency=agency)
    return study_freeze(study=draft(agency), actor=owner)


CHANGES: dict[str, Any] = {
    "name": "Other", "question": "Another?", "crime_types": [1], "districts": [1], "beats": [1], "shifts": [1],
    "first": SOON + dt.timedelta(days=1), "last": SOON + dt.timedelta(days=30), "window_hours": 2.0, "stop_at_next_draw": False,
    "estimand": "overlap", "with_plain": True, "family": "parts", "confidence": 0.9, "draws": 999, "settle_days": 3,
    "minimum_detectable": 0.1, "net_minimum_detectable": 0.5, "minimum_basis": "x", "specification": {"a": 1},
    "design_hash": "f" * 64, "code_version": "9", "seed": 5, "frozen_at": timezone.now(), "kind": "rolling", "agency_id": 0,
}  # fmt: skip


def test_every_field_of_the_design_is_under_guard() -> None:
    assert set(CHANGES) == set(FROZEN_FIELDS)


@pytest.mark.parametrize("name", FROZEN_FIELDS)
def test_neither_model_nor_database_lets_a_frozen_study_change(frozen: ImpactStudy, name: str) -> None:
    value = CHANGES[name]
    if name == "agency_id":
        value = make_agency("lakeside").pk
    with pytest.raises(DatabaseError), transaction.atomic():
        ImpactStudy.objects.filter(pk=frozen.pk).update(**{name: value})
    stored = ImpactStudy.objects.get(pk=frozen.pk)
    assert getattr(stored, name) == getattr(frozen, name)
    setattr(stored, name, value)
    with pytest.raises(ValidationError, match="frozen"):
        stored.save()


def test_a_frozen_study_cannot_be_thawed_changed_or_deleted(frozen: ImpactStudy) -> None:
    with pytest.raises(DatabaseError, match=r"frozen|constraint"), transaction.atomic():
        ImpactStudy.objects.filter(pk=frozen.pk).update(frozen_at=None, state=State.DRAFT)
    with pytest.raises(MissionsError, match="frozen"):
        study_change(study=frozen, question="Another?")
    with pytest.raises(ValidationError, match="never deleted"):
        frozen.delete()


def test_the_guard_is_put_back_after_a_migration(frozen: ImpactStudy) -> None:
    triggers_ensure()
    triggers_ensure()
    with pytest.raises(DatabaseError), transaction.atomic():
        ImpactStudy.objects.filter(pk=frozen.pk).update(question="Another?")


def test_what_happens_to_a_frozen_study_may_still_be_written(frozen: ImpactStudy, owner: User) -> None:
    ImpactStudy.objects.filter(pk=frozen.pk).update(state=State.RUNNING)
    cancelled = study_cancel(study=frozen, actor=owner, reason="The unit was disbanded.")
    assert cancelled.state == State.CANCELLED
    assert list(ImpactStudy.objects.filter(agency=frozen.agency)) == [cancelled]
    with pytest.raises(MissionsError, match="cannot be cancelled"):
        study_cancel(study=cancelled, actor=owner, reason="again")


def test_any_field_of_the_design_changes_its_hash(agency: Agency) -> None:
    PatrolPolicy.objects.create(agency=agency)
    study, now = draft(agency), timezone.now()
    district, beat = District.objects.filter(agency=agency)[0], Beat.objects.filter(agency=agency)[0]
    other = CrimeType.objects.get(agency=agency, slug="robbery")
    known = {
        "crime_types": [other.pk], "districts": [district.pk], "beats": [beat.pk],
        "shifts": [Shift.objects.filter(agency=agency)[0].pk],
    }  # fmt: skip
    seen = {specification_hash(study_specification(study, at=now))}
    design = [
        n
        for n in FROZEN_FIELDS
        if n not in ("agency_id", "kind", "specification", "design_hash", "code_version", "seed", "frozen_at")
    ]
    for name in design:
        before = getattr(study, name)
        setattr(study, name, known.get(name, CHANGES[name]))
        seen.add(specification_hash(study_specification(study, at=now)))
        setattr(study, name, before)
    assert len(seen) == len(design) + 1
    PatrolPolicy.objects.filter(agency=agency).update(exploration=0.3)
    assert specification_hash(study_specification(study, at=now)) not in seen


def test_the_frozen_specification_is_what_its_hash_says_and_is_in_the_audit_log(frozen: ImpactStudy) -> None:
    stored = ImpactStudy.objects.get(pk=frozen.pk)
    assert specification_hash(stored.specification) == stored.design_hash
    assert stored.specification["policy"]["exploration"] == 0.15
    assert stored.is_preregistered
    assert stored.seed == int(stored.design_hash[:15], 16)
    event = AuditEvent.objects.get(agency=frozen.agency, action="study frozen")
    assert event.detail["hash"] == stored.design_hash


def test_later_policies_and_types_do_not_reach_a_frozen_specification(frozen: ImpactStudy) -> None:
    before = ImpactStudy.objects.get(pk=frozen.pk).specification
    PatrolPolicy.objects.filter(agency=frozen.agency).update(exploration=0.4)
    CrimeType.objects.filter(agency=frozen.agency).update(weight=9.0)
    assert ImpactStudy.objects.get(pk=frozen.pk).specification == before


def test_a_study_is_frozen_only_when_it_is_known_what_it_could_show(agency: Agency, owner: User) -> None:
    study = draft(agency, minimum_detectable=None, minimum_basis="")
    with pytest.raises(MissionsError, match="not known yet"):
        study_freeze(study=study, actor=owner)
    study_change(study=study, minimum_detectable=0.3, minimum_basis="by hand")
    study_change(study=study, last=SOON + dt.timedelta(days=10))
    study.refresh_from_db()
    # Another length, another smallest effect.
    assert study.minimum_detectable is None


def test_a_study_frozen_after_its_first_shift_says_so(agency: Agency, owner: User) -> None:
    PatrolPolicy.objects.create(agency=agency)
    study = study_freeze(study=draft(agency, first=SOON - dt.timedelta(days=30)), actor=owner)
    assert not study.is_preregistered


def test_another_agencys_rows_are_not_studied(agency: Agency) -> None:
    other = make_agency("lakeside")
    with pytest.raises(MissionsError, match="does not have"):
        draft(agency, crime_types=[CrimeType.objects.filter(agency=other)[0].pk])
    with pytest.raises(ValidationError, match="at least one"):
        draft(agency, crime_types=[])


def test_nobody_looks_before_the_end(frozen: ImpactStudy, agency: Agency) -> None:
    with pytest.raises(MissionsError, match="analysed from"):
        report_queue(study=frozen)
    with pytest.raises(MissionsError, match="not frozen"):
        report_queue(study=draft(agency, name="Other"))


def test_frozen_studies_begin_with_their_first_shift_and_are_sent_for_when_due(frozen: ImpactStudy) -> None:
    at = dt.datetime.combine(SOON, dt.time(12), dt.UTC)
    assert reports_due(now=at) == []
    frozen.refresh_from_db()
    assert frozen.state == State.RUNNING
    assert frozen.next_report_at is not None
    assert frozen.next_report_at.date() == SOON + dt.timedelta(days=90 + 2 + 14)


def test_two_presses_make_one_analysis_and_a_waiting_one_can_be_stopped(
    frozen: ImpactStudy, owner: User
) -> None:
    report = report_queue(study=frozen, early=True)
    with pytest.raises(MissionsError, match="already in the queue"):
        report_queue(study=frozen, early=True)
    report_cancel(report=report, actor=owner)
    report.refresh_from_db()
    assert report.status == RunStatus.FAILED
    assert "Cancelled by owner" in report.error
    assert ImpactReport.objects.count() == 1
    report_queue(study=frozen, early=True)
