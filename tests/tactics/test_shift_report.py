"""The shift report adds up to what was planned, done and recorded, whichever way it is cut."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable

import pytest
from django.core.cache import cache, caches
from django.test import Client
from django.urls import reverse

from agencies.models import Unit, User
from patrols.models import MissionPlan, Presence
from patrols.services import mission_withdraw
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
QUERY = f"?from={ON}&to={ON}"


@pytest.fixture
def client_of(scene: Scene, sign_in: SignIn) -> Client:
    cache.clear()
    return sign_in(make_member(scene.agency, "analyst"))


def rows(client: Client, table: str, more: str = "") -> list[dict[str, str]]:
    address = reverse("tactics:table_csv", args=["riverton", "shifts"])
    text = b"".join(client.get(f"{address}{QUERY}&table={table}{more}")).decode()
    return list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))


def test_shifts_and_beats_add_up_to_the_missions_and_minutes_on_record(
    scene: Scene, plan: MissionPlan, client_of: Client
) -> None:
    missions = list(plan.missions.all())
    recommended = sum(m.dose_minutes * len(m.visit_starts) for m in missions)
    at_missions = Presence.objects.filter(agency=scene.agency, mission__isnull=False)
    for table in ("shifts", "beats"):
        found = rows(client_of, table)
        assert sum(int(row["missions"]) for row in found) == len(missions)
        assert sum(int(row["done"]) for row in found) == 3
        assert sum(int(row["missed"]) for row in found) == len(missions) - 3
        assert sum(int(row["recommended_minutes"]) for row in found) == recommended
        minutes = sum(float(row["delivered_minutes"]) for row in found)
        assert minutes == pytest.approx(sum(row.minutes for row in at_missions))
    visits = rows(client_of, "visits")
    assert len(visits) == at_missions.count()
    assert {row["source"] for row in visits} == {"Vehicle location", "Officer's timer"}


@pytest.mark.parametrize(("before", "named"), [(6, True), (7, False)])
def test_who_was_where_names_units_for_a_week_at_most(
    scene: Scene, plan: MissionPlan, client_of: Client, before: int, named: bool
) -> None:
    query = f"?from={ON - dt.timedelta(days=before)}&to={ON}"
    text = b"".join(
        client_of.get(reverse("tactics:table_csv", args=["riverton", "shifts"]) + query + "&table=visits")
    ).decode()
    found = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    signs = set(Unit.objects.filter(agency=scene.agency).values_list("call_sign", flat=True))
    assert found
    assert ({row["unit"] for row in found} <= signs) is named
    assert {row["unit"] for row in found} == {"–"} or named
    page = client_of.get(reverse("tactics:report", args=["riverton", "shifts"]) + query).content.decode()
    assert ("Units are named where 7 days at most are asked for." in page) is not named


def test_a_withdrawn_mission_is_neither_done_nor_missed(
    scene: Scene, plan: MissionPlan, client_of: Client
) -> None:
    missed = plan.missions.filter(engagements=None, presences=None).first()
    assert missed is not None
    supervisor = make_member(scene.agency, "supervisor")
    mission_withdraw(mission=missed, reason="x", actor=supervisor)
    (row,) = rows(client_of, "shifts")
    assert (row["withdrawn"], row["missions"]) == ("1", str(plan.missions.count() - 1))
    assert int(row["done"]) + int(row["missed"]) == int(row["missions"])


def test_filters_cut_missions_and_minutes_alike(plan: MissionPlan, client_of: Client) -> None:
    beats = rows(client_of, "beats")
    one = beats[0]
    only = rows(client_of, "beats", f"&beat={one['beat']}")
    assert only == [one]
    (shift,) = rows(client_of, "shifts", f"&beat={one['beat']}")
    assert float(shift["delivered_minutes"]) == float(one["delivered_minutes"])


def test_supervisors_read_the_page_and_the_chart_of_who_was_where(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    caches["reports"].clear()
    client = sign_in(make_member(scene.agency, "supervisor"))
    page = client.get(reverse("tactics:report", args=["riverton", "shifts"]) + QUERY).content.decode()
    assert f"3 of {plan.missions.count()} missions were done" in page
    drawn = client.get(reverse("tactics:report_chart", args=["riverton", "shifts", "whereabouts"]) + QUERY)
    assert drawn.content.startswith(b"<?xml")
    quiet = client.get(
        reverse("tactics:report", args=["riverton", "shifts"]) + "?from=2020-01-01&to=2020-01-01"
    )
    assert "No missions were planned." in quiet.content.decode()
