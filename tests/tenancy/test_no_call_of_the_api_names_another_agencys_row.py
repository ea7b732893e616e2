"""A call of the API that names another agency's row, in its address, its query or its body, by a machine's key or by a session.

Addresses and methods are those of the walk in tests/api; the fields are asked of the queries and bodies that they read.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve, reverse

from agencies.models import CrimeType
from ingestion.models import Incident
from tactics.models import Tactic
from tests.api.test_every_route_knows_who_asks import ROUTES, address, body
from tests.tenancy.names import listening
from tests.tenancy.towns import KEY, NAME, Town, mission_of, two_towns
from tests.tenancy.trying import attempts, undone, wrongs
from tests.tenancy.walk import crossings, rows_of, words_of

pytestmark = [pytest.mark.slow, pytest.mark.both_databases, pytest.mark.django_db]
STATES = {"plan_publish", "plan_dismiss", "mission_leave"}
"""Refused with 409 as the shift stands; what they name is looked for before that."""


def sent_to(town: Town, method: str, name: str) -> dict[str, Any]:
    """What makes sense there, with every field that may name a row."""
    if method not in ("POST", "PUT"):
        return {}
    more: dict[str, Any] = {
        "shift_decide": {"beats": ["11"]},
        "additions": {"shift": town.scene.scene.shift.slug, "tactic": town.first(Tactic).slug},
        "mission_arrive": {"unit": town.unit.call_sign},
        "mission_leave": {"unit": town.unit.call_sign},
    }
    found: dict[str, Any] = body(town.scene, name) | more.get(name, {})
    return found


def parts_at(town: Town, name: str, places: list[str]) -> dict[str, Any]:
    own = {"mission_id": mission_of(town).pk, "surface": "burglary"}
    known = resolve(address(town.scene, name, places)).kwargs
    return {part: own.get(part, known[part]) for part in places}


def call(client: Client, method: str, name: str, parts: dict[str, Any], sent: dict[str, Any]) -> Any:
    path = reverse(f"api:{name}", kwargs={"agency_slug": "riverton"} | parts)
    if method == "GET":
        return client.get(path, sent)
    return client.generic(method, path, json.dumps(sent), content_type="application/json")


def told(answer: Any) -> str:
    text = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return text.decode("utf-8", "replace")  # type: ignore[no-any-return]


@pytest.mark.parametrize("who", ["patrols key", "admin"])
def test_no_call_reaches_another_agencys_rows(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    ours, theirs = two_towns()
    before, own = rows_of(theirs.agency), rows_of(ours.agency)
    client = ours.client(who)
    problems: list[str] = []
    tried = 0
    for method, name, places in ROUTES:
        parts, sent = parts_at(ours, name, places), sent_to(ours, method, name)
        with undone(), listening(monkeypatch) as heard:
            answer = call(client, method, name, parts, sent)
            assert answer.status_code in ({409} if name in STATES and method == "POST" else {200, 201, 202, 204}), (
                method, name, answer.status_code, told(answer)[:500],
            )  # fmt: skip
        for attempt, path, other in attempts(theirs, name, parts, sent, heard):
            tried += 1
            with undone() as written:
                answer = call(client, method, name, path, other)
                found = wrongs(theirs, ours, before, written, told(answer))
                if answer.status_code >= 500 or (path != parts and answer.status_code != 404):
                    found.append(f"answered {answer.status_code}")
                problems += [f"{method} {name}, {attempt}: {one}" for one in found]
    assert not problems, "\n".join(problems)
    assert tried > 90, tried
    assert (rows_of(theirs.agency), rows_of(ours.agency)) == (before, own)


def test_rows_that_are_pushed_land_with_the_keys_own_agency() -> None:
    ours, theirs = two_towns()
    before = rows_of(theirs.agency)
    row = {
        "id": theirs.first(Incident).external_id, "occurred_at": "2026-03-01T21:40:00-06:00", "code": theirs.first(CrimeType).slug,
        "nibrs_code": "220", "lon": -87.69, "lat": 41.81,
    }  # fmt: skip
    push = Client(headers={"authorization": f"Token {ours.feed_keys['push']}"})
    answer = push.post("/api/v1/incidents/", json.dumps([row]), content_type="application/json")
    assert (answer.status_code, answer.json()["inserted"]) == (200, 1), answer.content
    assert NAME not in told(answer)
    assert Incident.objects.get(agency=ours.agency, external_id=row["id"]).feed == ours.feed
    assert not crossings()
    assert rows_of(theirs.agency) == before


def test_another_feeds_upload_is_not_said_to_exist() -> None:
    ours, theirs = two_towns()
    job = theirs.agency.importrun_set.get(feed=theirs.feed)
    type(job).objects.filter(pk=job.pk).update(job_id="7b0c1c6e-5c3a-4f41-8d0e-9a4c6e0d7713")
    push = Client(headers={"authorization": f"Token {ours.feed_keys['push']}"})
    assert push.get("/api/dataservice/7b0c1c6e-5c3a-4f41-8d0e-9a4c6e0d7713/").status_code == 404
    own = Client(headers={"authorization": f"Token {theirs.feed_keys['push']}"})
    assert own.get("/api/dataservice/7b0c1c6e-5c3a-4f41-8d0e-9a4c6e0d7713/").status_code == 200
    for page in ("missions", "missioneffectiveness"):
        reader = Client(headers={"authorization": f"Token {ours.feed_keys['read']}"})
        answer = reader.get(f"/api/{page}/", {"effective_from": "2026-01-01", "agency": theirs.agency.slug})
        assert NAME not in told(answer)
        assert KEY not in told(answer)
    assert NAME not in words_of(ours.agency)
