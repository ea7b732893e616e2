"""Schedules, plannings and notices in the admin: one's own agency's, and what a schedule means on the calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from agencies.checklist import checklist
from agencies.models import AuditEvent, Membership, Shift, User
from patrols.admin.schedules import coming_rows
from patrols.models import NoticeDelivery, PlanSchedule, ShiftPlanning
from patrols.services import notice_choice_set
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
SCHEDULES, PLANNINGS, NOTICES = (
    f"/admin/patrols/{name}/" for name in ("planschedule", "shiftplanning", "noticedelivery")
)


@pytest.fixture
def admin(scene: Scene) -> User:
    return make_member(scene.agency, "admin")


def test_a_schedule_shows_when_each_of_the_next_shifts_is_planned(
    scene: Scene, admin: User, sign_in: SignIn
) -> None:
    client = sign_in(admin)
    data = {"agency": scene.agency.pk, "shift": "", "is_on": "on", "lead_minutes": 90, "refresh_minutes": 0}
    client.post(f"{SCHEDULES}add/", data)
    row = PlanSchedule.objects.get()
    assert AuditEvent.objects.filter(action="planschedule.added").exists()
    page = client.get(f"{SCHEDULES}{row.pk}/change/").content.decode()
    assert "America/Chicago" in page
    # Ninety minutes before the evening shift of 16:00.
    assert "14:30" in page
    again = client.post(f"{SCHEDULES}add/", data).content.decode()
    assert "There is a schedule for all shifts already." in again


def test_the_row_for_one_shift_takes_it_out_of_the_row_for_all(scene: Scene) -> None:
    every = PlanSchedule.objects.create(agency=scene.agency)
    own = PlanSchedule.objects.create(agency=scene.agency, shift=scene.shift, lead_minutes=600)
    now = dt.datetime(2026, 3, 7, 12, tzinfo=dt.UTC)
    assert {row["shift"] for row in coming_rows(scene.agency, now, only=every)} == {"Night", "Day"}
    rows = coming_rows(scene.agency, now, only=own)
    # Ten hours before 16:00, also on the day of 23 hours (8 March): 06:00 by the wall clock.
    assert [row["planned"] for row in rows[:2]] == ["Sun 8 Mar 2026 06:00 CDT", "Mon 9 Mar 2026 06:00 CDT"]
    night = PlanSchedule.objects.create(
        agency=scene.agency, shift=Shift.objects.get(agency=scene.agency, slug="day"), lead_minutes=600
    )
    # The day shift of 8 March starts at 08:00 summer time: ten hours before, it is 21:00 of the day before.
    assert coming_rows(scene.agency, now, only=night)[0]["planned"] == "Sat 7 Mar 2026 21:00 CST"


def test_the_checklist_says_when_the_next_shift_is_planned_without_any_row(scene: Scene, admin: User) -> None:
    (item,) = (item for item in checklist(scene.agency) if item.label == "Schedule")
    assert item.done
    assert "planned" in item.detail
    PlanSchedule.objects.create(agency=scene.agency, is_on=False)
    (item,) = (item for item in checklist(scene.agency) if item.label == "Schedule")
    assert not item.done


def test_plannings_and_notices_are_shown_read_only_and_to_their_own_agency(
    scene: Scene, admin: User, sign_in: SignIn
) -> None:
    planning = ShiftPlanning.objects.create(
        agency=scene.agency,
        shift=scene.shift,
        on=ON,
        due_at=timezone.now(),
        state="failed",
        message="No unit. Next step: …",
    )
    person = make_member(scene.agency, "supervisor", username="perkins")
    notice_choice_set(
        membership=Membership.objects.get(user=person), when_published=True, when_changed=True, when_failed=True,
        by_email=False, webhook_url="https://hooks.example.org/x?token=abc",
    )  # fmt: skip
    scene.plan(publish=True)
    notice = NoticeDelivery.objects.get()
    client = sign_in(admin)
    for address, pk, word in ((PLANNINGS, planning.pk, "No unit"), (NOTICES, notice.pk, "perkins")):
        assert word in client.get(address).content.decode()
        page = client.get(f"{address}{pk}/change/").content.decode()
        assert word in page
        assert "token=abc" not in page
        assert client.get(f"{address}add/").status_code == 403
        assert client.post(f"{address}{pk}/delete/", {"post": "yes"}).status_code == 403
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    for address, pk, word in ((PLANNINGS, planning.pk, "No unit"), (NOTICES, notice.pk, "perkins")):
        assert word not in stranger.get(address).content.decode()
        assert word not in stranger.get(f"{address}{pk}/change/", follow=True).content.decode()


def test_another_agencys_shift_is_refused(scene: Scene, admin: User, sign_in: SignIn) -> None:
    other = Shift.objects.filter(agency=make_agency("lakeside"))[0]
    data = {
        "agency": scene.agency.pk,
        "shift": other.pk,
        "is_on": "on",
        "lead_minutes": 90,
        "refresh_minutes": 0,
    }
    sign_in(admin).post(f"{SCHEDULES}add/", data)
    assert not PlanSchedule.objects.exists()
