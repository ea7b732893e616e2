"""A membership limited to districts changes missions there and nowhere else; officers see their own and no draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, Beat, CrimeType, District, Membership, Unit, User
from forecasting.selectors import cell_beats
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, MissionPlan, Suppression
from patrols.services import mission_add, suppression_create
from tests.factories import make_member, rectangle
from tests.patrols.scenes import Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def southerner(scene: Scene) -> User:
    """A supervisor of district S."""
    person = make_member(scene.agency, "supervisor")
    Membership.objects.get(user=person).districts.add(District.objects.get(agency=scene.agency, code="S"))
    return person


def post(client: Client, name: str, pk: int, **data: object) -> str:
    return client.post(reverse(f"patrols:{name}", args=["riverton", pk]), data, follow=True).content.decode()


def missions(plan: MissionPlan, district: str) -> list[Mission]:
    return list(plan.missions.filter(beat__district__code=district).select_related("assignment"))


def test_a_supervisor_assigns_and_withdraws_in_own_districts_only(
    scene: Scene, plan: MissionPlan, southerner: User, sign_in: SignIn
) -> None:
    client, unit = sign_in(southerner), Unit.objects.get(agency=scene.agency, call_sign="R12")
    own, other = missions(plan, "S")[0], missions(plan, "N")[0]
    before = other.assignment.unit_id
    for mission in (own, other):
        text = post(client, "assign", mission.pk, unit=unit.pk)
        text += post(client, "withdraw", mission.pk, reason="road closed")
        assert ("outside your districts" in text) == (mission == other)
        mission.refresh_from_db()
        mission.assignment.refresh_from_db()
    assert own.assignment.unit == unit
    assert own.withdrawn_at
    assert other.assignment.unit_id == before
    assert other.withdrawn_at is None
    assert not AuditEvent.objects.filter(detail__mission=other.pk).exists()


def test_the_drawer_offers_changes_in_own_districts_only(
    plan: MissionPlan, southerner: User, sign_in: SignIn
) -> None:
    client = sign_in(southerner)
    for district, offered in (("S", True), ("N", False)):
        address = reverse("patrols:drawer", args=["riverton", missions(plan, district)[0].pk])
        text = client.get(address).content.decode()
        assert ("Withdraw this mission" in text) == offered
        assert ("outside your districts" in text) != offered


def test_a_mission_is_added_in_own_districts_only(scene: Scene, plan: MissionPlan, southerner: User) -> None:
    taken = set(plan.missions.values_list("cell_id", flat=True))
    district_of = dict(Beat.objects.values_list("pk", "district__code"))
    beats = cell_beats(scene.grid)
    for district in "NS":
        position = next(
            int(i)
            for i in np.flatnonzero(beats >= 0)
            if district_of[int(beats[i])] == district and int(scene.spec.cells[i]) not in taken
        )
        arguments = {
            "plan": plan,
            "cell_id": int(scene.spec.cells[position]),
            "crime_type": CrimeType.objects.get(agency=scene.agency, slug="robbery"),
            "starts_at": plan.period_from + dt.timedelta(hours=1),
            "dose_minutes": 12,
            "reason": "burst main",
            "actor": southerner,
        }
        if district == "S":
            assert mission_add(**arguments).pk
        else:
            with pytest.raises(MissionsError, match="outside your districts"):
                mission_add(**arguments)


@pytest.mark.parametrize(
    ("beat", "area", "is_own"),
    [
        ("11", None, True),
        ("21", None, False),
        (None, rectangle(100, 100, 3900, 2000), True),
        (None, rectangle(100, 1500, 900, 2500), False),
    ],
)
def test_an_area_is_suppressed_in_own_districts_only(
    scene: Scene, southerner: User, beat: str | None, area: dict[str, object] | None, is_own: bool
) -> None:
    arguments = {
        "agency": scene.agency,
        "beat": Beat.objects.get(agency=scene.agency, code=beat) if beat else None,
        "geometry": area and {"type": "MultiPolygon", "coordinates": [area["coordinates"]]},
        "reason": "street fair",
        "expires_at": timezone.now() + dt.timedelta(days=1),
        "actor": southerner,
    }
    if is_own:
        suppression_create(**arguments)
    else:
        with pytest.raises(MissionsError, match="outside your districts"):
            suppression_create(**arguments)
    assert Suppression.objects.exists() == is_own


def test_a_supervisor_of_some_districts_publishes_the_whole_plan(
    scene: Scene, southerner: User, sign_in: SignIn
) -> None:
    draft = scene.plan()
    post(sign_in(southerner), "publish", draft.pk)
    draft.refresh_from_db()
    assert draft.state == MissionPlan.State.PUBLISHED


@pytest.mark.parametrize("name", ["patrols:drawer", "tactics:mission_tactics"])
def test_an_officer_opens_no_drawer_of_drafts_or_of_other_units(
    scene: Scene, sign_in: SignIn, name: str
) -> None:
    mission = scene.plan().missions.all()[0]
    officer = make_member(
        scene.agency, "officer", unit=Unit.objects.get(agency=scene.agency, call_sign="R11")
    )
    address = reverse(name, args=["riverton", mission.pk])
    assert sign_in(officer).get(address).status_code == 403
    assert sign_in(make_member(scene.agency, "auditor")).get(address).status_code == 200
