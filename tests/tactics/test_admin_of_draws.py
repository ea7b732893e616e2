"""Tactic policies, place layers, draws and updates in the admin: what can be set is checked and logged, the rest is to read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, AuditEvent, User
from ingestion.models import ContextLayer
from tactics.models import DrawMethod, PlaceLayer, Tactic, TacticDraw, TacticPolicy, TacticUpdate
from tests.factories import make_agency, make_member
from tests.tactics.factories import make_mission, make_plan

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
POLICIES, LAYERS = "/admin/tactics/tacticpolicy/", "/admin/tactics/placelayer/"
DRAWS, UPDATES = "/admin/tactics/tacticdraw/", "/admin/tactics/tacticupdate/"
POLICY: dict[str, Any] = {
    "name": "Learning", "is_active": "on", "method": "adaptive", "window_hours": 8, "floor": 0.2, "drawn_among": 3,
    "batch_days": 28, "settle_days": 7, "prior_crimes": 10,
}  # fmt: skip


@pytest.fixture
def agency() -> Agency:
    return make_agency("riverton")


@pytest.fixture
def client(agency: Agency, sign_in: SignIn) -> Client:
    return sign_in(make_member(agency, "admin", username="boss"))


def make_draws(agency: Agency, n: int, first: int = 1) -> list[TacticDraw]:
    plan = agency.missionplan_set.first() or make_plan(agency)
    tactic, _ = Tactic.objects.get_or_create(
        agency=agency, slug="foot-patrol", defaults={"name": f"Foot patrol of {agency.slug}"}
    )
    return [
        TacticDraw.objects.create(
            agency=agency, mission=make_mission(plan, number=number), tactic=tactic, method=DrawMethod.WEIGHTS, seed=7,
            probabilities={"foot-patrol": 0.625, "park-walk": 0.375},
        )
        for number in range(first, first + n)
    ]  # fmt: skip


def make_layer(agency: Agency, slug: str = "our-schools", **fields: Any) -> ContextLayer:
    return ContextLayer.objects.create(
        agency=agency, name=slug.replace("-", " ").capitalize(), slug=slug,
        geojson={"type": "FeatureCollection", "features": []}, **fields,
    )  # fmt: skip


def test_an_adaptive_policy_is_added_and_the_audit_log_has_its_author(agency: Agency, client: Client) -> None:
    assert client.post(f"{POLICIES}add/", POLICY | {"agency": agency.pk}).status_code == 302
    policy = TacticPolicy.objects.get()
    assert (policy.agency, policy.method, policy.is_active) == (agency, "adaptive", True)
    event = AuditEvent.objects.get(action="tacticpolicy.added")
    assert (str(event.actor), event.agency) == ("boss", agency)
    client.post(f"{POLICIES}{policy.pk}/change/", POLICY | {"agency": agency.pk, "batch_days": 14})
    assert AuditEvent.objects.get(action="tacticpolicy.changed").detail["changed"] == {"batch_days": [28, 14]}
    assert "Learning" in client.get(POLICIES).content.decode()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"floor": 0.1}, "greater than or equal to 0.2"),
        ({"floor": 0.3, "drawn_among": 4}, "more than 1"),
        ({"drawn_among": 1}, "greater than or equal to 2"),
        ({"window_hours": 0}, "greater than or equal to 1"),
        ({"name": ""}, "required"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_the_reason(
    agency: Agency, client: Client, changes: dict[str, Any], told: str
) -> None:
    answer = client.post(f"{POLICIES}add/", POLICY | {"agency": agency.pk} | changes)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not TacticPolicy.objects.exists()


def test_there_is_one_active_policy_and_the_page_says_so(agency: Agency, client: Client) -> None:
    TacticPolicy.objects.create(agency=agency)
    TacticPolicy.objects.create(agency=make_agency("lakeside"), name="Policy of lakeside")
    answer = client.post(f"{POLICIES}add/", POLICY | {"agency": agency.pk})
    assert "There is an active tactic policy already" in answer.content.decode()
    answer = client.post(
        f"{POLICIES}add/",
        {k: v for k, v in POLICY.items() if k != "is_active"} | {"agency": agency.pk},
    )
    assert answer.status_code == 302
    assert TacticPolicy.objects.filter(agency=agency, is_active=True).count() == 1


def test_a_place_layer_names_one_of_the_agencys_layers_and_no_coverage(
    agency: Agency, client: Client
) -> None:
    own = make_layer(agency)
    theirs = make_layer(make_agency("lakeside"), "their-schools")
    covered = make_layer(agency, "patrol-area", kind=ContextLayer.Kind.COVERAGE)
    page = client.get(f"{LAYERS}add/").content.decode()
    assert "Our schools" in page
    assert "Their schools" not in page
    assert "Patrol area" not in page
    given = {"agency": agency.pk, "kind": "schools", "near_m": 150}
    for wrong in (theirs, covered):
        answer = client.post(f"{LAYERS}add/", given | {"layer": wrong.pk})
        assert answer.status_code == 200
        assert "Select a valid choice" in answer.content.decode()
    assert not PlaceLayer.objects.exists()
    assert client.post(f"{LAYERS}add/", given | {"layer": own.pk}).status_code == 302
    made = PlaceLayer.objects.get()
    assert (made.agency, made.layer, made.kind, made.near_m) == (agency, own, "schools", 150)
    assert AuditEvent.objects.filter(action="placelayer.added", agency=agency).count() == 1
    client.post(f"{LAYERS}{made.pk}/delete/", {"post": "yes"})
    assert not PlaceLayer.objects.exists()
    assert AuditEvent.objects.filter(action="placelayer.deleted", agency=agency).count() == 1


def test_draws_show_the_chance_that_the_drawn_tactic_had(agency: Agency, client: Client) -> None:
    draw = make_draws(agency, 1)[0]
    page = client.get(DRAWS).content.decode()
    assert "0.625" in page
    assert "Foot patrol of riverton" in page
    detail = client.get(f"{DRAWS}{draw.pk}/change/").content.decode()
    assert "park-walk" in detail
    assert "0.375" in detail


def test_updates_show_what_was_counted(agency: Agency, client: Client) -> None:
    update = TacticUpdate.objects.create(
        agency=agency, number=1, counted_until=timezone.now() - dt.timedelta(days=7), n_missions=321,
        totals={"robbery": {"foot-patrol": {"missions": 321, "crimes": 45.0, "expected": 50.5}}},
    )  # fmt: skip
    assert "321" in client.get(UPDATES).content.decode()
    detail = client.get(f"{UPDATES}{update.pk}/change/").content.decode()
    assert "50.5" in detail


def test_draws_and_updates_are_to_read_only(agency: Agency, client: Client) -> None:
    draw = make_draws(agency, 1)[0]
    update = TacticUpdate.objects.create(agency=agency, number=1, counted_until=timezone.now(), n_missions=1)
    before = (TacticDraw.objects.values().get(), TacticUpdate.objects.values().get())
    for path, pk in ((DRAWS, draw.pk), (UPDATES, update.pk)):
        assert client.get(f"{path}add/").status_code == 403
        assert client.post(f"{path}{pk}/change/", {"seed": 8, "number": 2}).status_code == 403
        assert client.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code == 403
        client.post(path, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert (TacticDraw.objects.values().get(), TacticUpdate.objects.values().get()) == before


def test_another_agencys_rows_are_neither_listed_nor_opened(
    agency: Agency, client: Client, sign_in: SignIn
) -> None:
    other = make_agency("lakeside")
    rows = [
        (DRAWS, make_draws(other, 1)[0].pk),
        (POLICIES, TacticPolicy.objects.create(agency=other, name="Policy of lakeside").pk),
        (LAYERS, PlaceLayer.objects.create(agency=other, kind="schools", layer=make_layer(other)).pk),
        (UPDATES, TacticUpdate.objects.create(agency=other, number=1, counted_until=timezone.now(), n_missions=1).pk),
    ]  # fmt: skip
    for path, pk in rows:
        page = client.get(path).content.decode()
        assert "0 " in page
        assert f"{path}{pk}/change/" not in page
        assert "lakeside" not in page
        assert client.get(f"{path}{pk}/change/").status_code == 302
        assert client.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code in (302, 403)
    for role in ("officer", "supervisor", "analyst", "auditor"):
        other_client = sign_in(make_member(agency, role))
        assert {other_client.get(path, follow=True).status_code for path, _ in rows} == {403}
    assert (TacticPolicy.objects.count(), PlaceLayer.objects.count()) == (1, 1)


def test_the_list_of_draws_takes_so_many_queries_however_long_it_is(agency: Agency, client: Client) -> None:
    make_draws(agency, 2)
    client.get(DRAWS)
    with CaptureQueriesContext(connection) as few:
        client.get(DRAWS)
    make_draws(agency, 12, first=3)
    with CaptureQueriesContext(connection) as more:
        client.get(DRAWS)
    assert len(few) == len(more)
