"""A made-up shift looks and works like a real one and is in no table but its own."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, CrimeType, Unit, User
from patrols.models import Mission
from tactics.models import PracticeShift, Tactic
from tactics.practice import practice_page
from tactics.services import practice_start, starter_catalogue_create
from tests.tactics import factories
from tests.tactics.test_officer_page import STANDING, text_of

SignIn = Callable[[User | None], Client]
PAGE = "/riverton/my/training/"
ROOMS = ("agencies", "ingestion", "forecasting", "patrols", "tactics")


def counts() -> dict[str, int]:
    """How many rows every table of ours holds, practice aside."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label.split(".")[0] in (*ROOMS, "audit") and model is not PracticeShift
    }


@pytest.fixture
def tactics(agency: Agency) -> None:
    starter_catalogue_create(agency=agency)
    factories.make_grid(agency)


def send(client: Client, officer: User, *actions: dict[str, Any]) -> list[dict[str, str]]:
    data = {
        "person": str(officer.pk),
        "device_now": timezone.now().timestamp() * 1000,
        "actions": list(actions),
    }
    answer = client.post(f"{PAGE}sync/", json.dumps(data), content_type="application/json")
    return list(answer.json()["results"])


def action(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    at = timezone.now().timestamp() * 1000
    return {
        "uuid": str(uuid.uuid4()),
        "kind": kind,
        "mission": str(number),
        "device_at": at,
        "skew_ms": 0,
    } | fields


@pytest.mark.usefixtures("tactics")
def test_a_whole_made_up_shift_changes_no_table_but_its_own(
    agency: Agency, mission: Mission, officer: User, sign_in: SignIn
) -> None:
    client = sign_in(officer)
    before = counts()
    walk = Tactic.objects.get(agency=agency, slug="foot-patrol")
    page = text_of(client.get(PAGE))
    assert "Practice. Nothing here is real" in page
    assert STANDING in page
    assert "1 · Practice corner" in page
    presses = [
        action("arrived", 1),
        action("tactic", 1, tactic=str(walk.pk), used=True),
        action("note", 1, text="lamp out"),
        action("left", 1),
        action("arrived", 2),
    ]
    assert [row["status"] for row in send(client, officer, *presses)] == ["done"] * 5
    assert [row["status"] for row in send(client, officer, *presses)] == ["again"] * 5
    page = text_of(client.get(f"{PAGE}?mission=1"))
    assert "lamp out" in page
    page = text_of(client.get(PAGE))
    assert "You are here" in page
    assert "Left mission 1 after 0 min." in page
    refused = send(
        client, officer, action("note", 2, text="plate ABC 1234"), action("left", 3), action("arrived", 9)
    )
    assert [row["status"] for row in refused] == ["refused"] * 3
    # Without scripts too.
    for kind in ("arrive", "tactic", "note", "leave"):
        answer = client.post(f"{PAGE}3/{kind}/", {"tactic": walk.pk, "used": "1", "text": "gate open"})
        assert answer.status_code == 302
    assert [
        feature["properties"]["kind"] for feature in client.get(f"{PAGE}1/place.geojson").json()["features"]
    ].count("other") == 2
    assert counts() == before
    assert "plate" not in json.dumps(PracticeShift.objects.get().log)
    client.post(f"{PAGE}again/")
    assert PracticeShift.objects.get().log == []
    assert counts() == before


@pytest.mark.usefixtures("tactics")
def test_its_places_are_the_same_each_time_and_its_numbers_are_nobodys(
    agency: Agency, unit: Unit, officer: User
) -> None:
    now = timezone.now()
    shift = practice_start(agency=agency, officer=officer, unit=unit, at=now)
    one, two = (practice_page(agency, unit, shift, now=now) for _ in range(2))
    assert one is not None
    assert two is not None
    assert [row.mission.cell_id for row in one.mine] == [row.mission.cell_id for row in two.mine]
    assert len({row.mission.cell_id for row in one.mine}) == 3
    assert all(row.mission.pk < 0 and row.mission._state.adding for row in one.mine)
    assert [row.key for row in one.mine] == [1, 2, 3]


def test_a_practice_of_another_day_begins_anew(agency: Agency, unit: Unit, officer: User) -> None:
    now = timezone.now()
    old = practice_start(agency=agency, officer=officer, unit=unit, at=now - dt.timedelta(days=1))
    assert practice_start(agency=agency, officer=officer, unit=unit, at=now).started_at == now
    assert PracticeShift.objects.count() == 1
    assert PracticeShift.objects.get().pk == old.pk


@pytest.mark.usefixtures("tactics")
def test_its_number_of_queries_is_fixed(agency: Agency, officer: User, sign_in: SignIn) -> None:
    client = sign_in(officer)
    client.get(PAGE)
    send(client, officer, action("arrived", 1))
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
    own = [query for query in queries.captured_queries if "django_session" not in query["sql"]]
    assert len(own) <= 14, [query["sql"][:120] for query in own]


def test_an_agency_without_types_or_grid_is_told_and_not_crashed_on(
    agency: Agency, officer: User, sign_in: SignIn
) -> None:
    client = sign_in(officer)
    assert "1 · Practice corner" in text_of(client.get(PAGE)), "no grid: the mission without its box"
    assert client.get(f"{PAGE}1/place.geojson").status_code == 404
    CrimeType.objects.filter(agency=agency).update(is_active=False)
    assert "No practice yet" in text_of(client.get(PAGE))


def test_it_is_closed_to_others(agency: Agency, stranger: User, sign_in: SignIn) -> None:
    assert sign_in(stranger).get(PAGE).status_code == 404
    assert sign_in(None).get(PAGE).status_code == 302
    assert not PracticeShift.objects.exists()
