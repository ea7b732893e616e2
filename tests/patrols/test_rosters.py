"""The roster page: who is on duty in one shift, changed by those who may, counted by the next plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import AuditEvent, Beat, District, Membership, Unit, User
from missions_project.lib.errors import MissionsError
from patrols.capacity_selectors import capacities
from patrols.models import Duty
from patrols.services import duties_copy, duty_clear, duty_set
from tests.factories import make_member
from tests.patrols.scenes import Scene, make_scene

SignIn = Callable[[User | None], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def boss(scene: Scene) -> User:
    return make_member(scene.agency, "supervisor", username="boss")


def address(scene: Scene, name: str = "roster") -> str:
    return reverse(f"patrols:{name}", args=[scene.agency.slug, scene.run.on.isoformat(), scene.shift.slug])


def as_shown(scene: Scene, **changes: tuple[str, str]) -> dict[str, str]:
    """What the browser sends: every unit as always, but those named by their beat."""
    data = {}
    for unit in Unit.objects.filter(agency=scene.agency).select_related("beat"):
        where, missions = changes.get(f"b{unit.beat.code if unit.beat else ''}", ("standing", ""))
        data |= {f"unit-{unit.pk}-where": where, f"unit-{unit.pk}-missions": missions}
    return data


def numbers(scene: Scene) -> dict[str, int]:
    return {row.beat.code: row.k for row in capacities(scene.agency, scene.shift, scene.run.on)}


def test_a_supervisor_sends_units_elsewhere_home_or_for_more_boxes(
    scene: Scene, boss: User, sign_in: SignIn
) -> None:
    client, to = sign_in(boss), Beat.objects.get(agency=scene.agency, code="22")
    page = client.get(address(scene)).content.decode()
    assert "Beats: 12 missions" in page
    data = as_shown(scene, b11=("off", ""), b12=(str(to.pk), "2"), b21=("standing", "5"))
    page = client.post(address(scene), data, follow=True).content.decode()
    assert "3 units changed." in page
    assert numbers(scene) == {"11": 0, "12": 0, "21": 5, "22": 5}
    assert "Beats: 10 missions" in page
    assert AuditEvent.objects.filter(agency=scene.agency, actor=boss, action="duty set").count() == 3
    client.post(address(scene), as_shown(scene))
    assert not Duty.objects.exists()
    assert numbers(scene) == {"11": 3, "12": 3, "21": 3, "22": 3}


def test_what_is_set_is_shown_again_and_saving_it_unchanged_writes_nothing(
    scene: Scene, boss: User, sign_in: SignIn
) -> None:
    unit = Unit.objects.get(agency=scene.agency, beat__code="11")
    duty_set(
        agency=scene.agency,
        unit=unit,
        shift=scene.shift,
        on=scene.run.on,
        beat=None,
        missions=None,
        actor=boss,
    )
    before = AuditEvent.objects.count()
    page = sign_in(boss).post(address(scene), as_shown(scene, b11=("off", "")), follow=True).content.decode()
    assert "Nothing was changed." in page
    assert AuditEvent.objects.count() == before
    assert '<option value="off" selected>' in page


def test_a_drawn_plan_is_not_changed_by_the_roster_and_the_page_says_so(
    scene: Scene, boss: User, sign_in: SignIn
) -> None:
    plan = scene.plan()
    page = sign_in(boss).post(address(scene), as_shown(scene, b11=("off", "")), follow=True).content.decode()
    assert "A plan is drawn already: draw it again" in page
    assert plan.missions.filter(beat__code="11").count() == 3


@pytest.mark.parametrize(("role", "status"), [("analyst", 403), ("auditor", 403), ("officer", 403)])
def test_others_may_not_change_it(scene: Scene, sign_in: SignIn, role: str, status: int) -> None:
    client = sign_in(make_member(scene.agency, role, username="other"))
    assert client.post(address(scene), as_shown(scene, b11=("off", ""))).status_code == status
    assert client.post(address(scene, "roster_copy")).status_code == status
    assert client.get(address(scene)).status_code == (403 if role == "officer" else 200)
    assert not Duty.objects.exists()


def test_strangers_find_no_roster(scene: Scene, stranger: User, sign_in: SignIn) -> None:
    assert sign_in(stranger).get(address(scene)).status_code == 404


def test_a_supervisor_of_one_district_changes_its_units_only(
    scene: Scene, boss: User, sign_in: SignIn
) -> None:
    membership = Membership.objects.get(user=boss)
    membership.districts.add(District.objects.get(agency=scene.agency, code="S"))
    data = as_shown(scene, b11=("off", ""), b22=("off", ""))
    page = sign_in(boss).post(address(scene), data, follow=True).content.decode()
    assert "1 unit changed." in page
    assert numbers(scene) == {"11": 0, "12": 3, "21": 3, "22": 3}
    north = Beat.objects.get(agency=scene.agency, code="22")
    page = sign_in(boss).post(
        address(scene), as_shown(scene, b11=("off", ""), b12=(str(north.pk), "")), follow=True
    )
    assert "lies outside your districts" in page.content.decode()
    assert numbers(scene)["22"] == 3


def test_another_agencys_beat_is_no_choice(scene: Scene, boss: User, sign_in: SignIn) -> None:
    other = Beat.objects.filter(agency=make_scene("lakeside").agency).first()
    assert other is not None
    page = sign_in(boss).post(address(scene), as_shown(scene, b11=(str(other.pk), "")))
    assert "Select a valid choice" in page.content.decode()
    assert not Duty.objects.exists()


def test_the_week_before_is_taken_over_for_units_that_have_nothing_set(
    scene: Scene, boss: User, sign_in: SignIn
) -> None:
    units = {
        unit.beat.code: unit
        for unit in Unit.objects.filter(agency=scene.agency).select_related("beat")
        if unit.beat
    }
    week = scene.run.on - dt.timedelta(days=7)
    for code, missions in (("11", 1), ("12", 2)):
        duty_set(
            agency=scene.agency, unit=units[code], shift=scene.shift, on=week, beat=units[code].beat,
            missions=missions, actor=boss,
        )  # fmt: skip
    duty_set(
        agency=scene.agency,
        unit=units["12"],
        shift=scene.shift,
        on=scene.run.on,
        beat=None,
        missions=None,
        actor=boss,
    )
    page = sign_in(boss).post(address(scene, "roster_copy"), follow=True).content.decode()
    assert "1 duty taken over" in page
    assert numbers(scene) == {"11": 1, "12": 0, "21": 3, "22": 3}


def test_a_date_on_which_the_shift_does_not_start_has_no_duties(scene: Scene, boss: User) -> None:
    scene.shift.weekdays = "0"
    scene.shift.save()
    unit = Unit.objects.get(agency=scene.agency, beat__code="11")
    with pytest.raises(MissionsError):
        duty_set(
            agency=scene.agency,
            unit=unit,
            shift=scene.shift,
            on=scene.run.on,
            beat=None,
            missions=None,
            actor=boss,
        )
    with pytest.raises(MissionsError):
        duties_copy(agency=scene.agency, shift=scene.shift, source=scene.run.on, on=scene.run.on, actor=boss)
    duty_clear(agency=scene.agency, unit=unit, shift=scene.shift, on=scene.run.on, actor=boss)
    assert not Duty.objects.exists()


def test_the_page_asks_the_database_as_often_for_many_units_as_for_few(
    scene: Scene, boss: User, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    beat = Beat.objects.get(agency=scene.agency, code="11")
    Unit.objects.bulk_create(Unit(agency=scene.agency, call_sign=f"X{n}", beat=beat) for n in range(60))
    client = sign_in(boss)
    client.get(address(scene))
    with django_assert_max_num_queries(20):
        client.get(address(scene))


def test_where_beats_are_many_one_is_typed_by_its_name_or_code(
    scene: Scene, boss: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patrols.roster_page.MOST_IN_A_LIST", 3)
    client = sign_in(boss)
    page = client.get(address(scene)).content.decode()
    assert "<select" not in page.partition("roster__units")[2]
    # One list of suggestions for all units, not one for each.
    assert page.count('<option value="Beat 22">') == 1
    assert 'placeholder="As always: Beat 11"' in page
    data = as_shown(scene, b11=("Off duty", ""), b12=("beat 22", "2"), b21=("", "5"), b22=("", ""))
    page = client.post(address(scene), data, follow=True).content.decode()
    assert "3 units changed." in page
    assert numbers(scene) == {"11": 0, "12": 0, "21": 5, "22": 5}
    assert 'value="Off duty"' in page.partition("<tbody>")[2]
    assert 'value="Beat 22"' in page.partition("<tbody>")[2]
    # Nor does a beat's number in the database name it, which may be another one's code.
    beat = Beat.objects.get(agency=scene.agency, code="22")
    beat.pk, beat.code, beat.name = 99, "99-B", ""
    beat.save(force_insert=True)
    page = client.post(address(scene), as_shown(scene, b11=("99", "")), follow=True).content.decode()
    assert "There is no such beat." in page
    assert numbers(scene) == {"11": 0, "12": 0, "21": 5, "22": 5, "99-B": 0}
