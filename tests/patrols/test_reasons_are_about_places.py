"""What people write beside a mission or an area is screened before it is saved: places, never persons."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from agencies.engine.free_text import text_about_person
from agencies.models import AuditEvent, Beat, CrimeType
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, Suppression
from patrols.services import mission_add, mission_withdraw, suppression_create
from tests.factories import make_member
from tests.patrols.scenes import make_scene


@pytest.mark.parametrize(
    "text",
    ["call 312-555-0142", "(312) 555 0142", "3125550142", "ask j.doe@example.org", "SSN 123-45-6789", "DOB 1/2/1990",
     "plate AB 1234", "license plate: XYZ123", "tag no 7ABC123", "suspect Jones lives here", "Offender: J. Miller",
     "Mr. Smith complained", "two black males loitering", "B/M seen", "Hispanic youths"],
)  # fmt: skip
def test_text_about_a_person_is_known(text: str) -> None:
    assert text_about_person(text)


@pytest.mark.parametrize(
    "text",
    ["road closed", "Street fair 16:00-22:00, 2026-03-14", "burst main at 1200 block of Oak", "three burglaries since 3/12",
     "suspect vehicles parked here", "White Street closed", "black ice", "district 11, beat 1123", "cell 10234, 41.81234567",
     "register of shops", "Black Friday crowds", "plates of glass on the road", "the subject of Monday's briefing", "tag 4 boxes"],
)  # fmt: skip
def test_text_about_a_place_passes(text: str) -> None:
    assert text_about_person(text) == ""


@pytest.mark.django_db
def test_no_reason_about_a_person_is_saved() -> None:
    scene = make_scene()
    supervisor = make_member(scene.agency, "supervisor")
    plan = scene.plan()
    mission = plan.missions.all()[0]
    reason = "suspect Jones moved away"
    with pytest.raises(MissionsError, match="a person by name"):
        mission_withdraw(mission=mission, reason=reason, actor=supervisor)
    with pytest.raises(MissionsError, match="a person by name"):
        mission_add(
            plan=plan,
            cell_id=int(scene.spec.cells[0]),
            crime_type=CrimeType.objects.filter(agency=scene.agency)[0],
            starts_at=plan.period_from,
            dose_minutes=10,
            reason=reason,
            actor=supervisor,
        )
    with pytest.raises(ValidationError, match="a person by name"):
        suppression_create(
            agency=scene.agency,
            beat=Beat.objects.filter(agency=scene.agency)[0],
            geometry=None,
            reason=reason,
            expires_at=timezone.now() + dt.timedelta(days=1),
            actor=supervisor,
        )
    assert not Suppression.objects.exists()
    assert not Mission.objects.exclude(withdrawn_reason="", reason="").exists()
    assert not AuditEvent.objects.filter(detail__reason=reason).exists()
