"""Every address below /api/v1/<agency>/ by everybody: roles, keys, strangers, nobody. A new one without a line here fails."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from agencies.models import AuditEvent
from patrols.models import Duty, Engagement, Mission, Suppression
from tests.api.scenes import ApiScene, make_api_scene
from tests.auditing import locks_behind_the_chains
from tests.factories import make_operator, rectangle
from tests.ingestion.pushing import make_token, push_feed

pytestmark = pytest.mark.django_db

EVERYONE = {"officer", "supervisor", "analyst", "admin", "auditor", "operator", "read key", "patrols key"}
PLANS = EVERYONE - {"officer"}
OVERRIDE = {"supervisor", "analyst", "admin", "operator", "patrols key"}
RUN = {"supervisor", "admin", "operator", "patrols key"}
CARRY_OUT = RUN | {"officer"}
WHO: dict[tuple[str, str], set[str]] = {
    ("GET", "shifts"): EVERYONE,
    ("GET", "shift"): EVERYONE,
    ("GET", "forecasts"): PLANS,
    ("GET", "forecast"): PLANS,
    ("GET", "forecast_cells"): PLANS,
    ("GET", "surface_geojson"): PLANS,
    ("GET", "surface_tiff"): PLANS,
    ("GET", "surface_npy"): PLANS,
    ("GET", "plans"): PLANS,
    ("GET", "plan"): PLANS,
    ("POST", "shift_plan"): RUN,
    ("POST", "shift_decide"): RUN,
    ("POST", "plan_publish"): RUN,
    ("POST", "plan_dismiss"): RUN,
    ("GET", "missions"): EVERYONE,
    ("POST", "missions"): OVERRIDE,
    ("GET", "mission"): EVERYONE,
    ("GET", "mission_tactics"): EVERYONE,
    ("PUT", "mission_assignment"): RUN,
    ("POST", "mission_withdraw"): OVERRIDE,
    ("POST", "mission_move"): OVERRIDE,
    ("POST", "mission_swap"): OVERRIDE,
    ("POST", "mission_arrive"): CARRY_OUT,
    ("POST", "mission_leave"): CARRY_OUT,
    ("GET", "unit_now"): EVERYONE,
    ("GET", "engagements"): EVERYONE,
    ("POST", "engagements"): CARRY_OUT,
    ("GET", "suppressions"): PLANS,
    ("POST", "suppressions"): OVERRIDE,
    ("GET", "suppression"): PLANS,
    ("POST", "suppression_end"): OVERRIDE,
    ("GET", "additions"): PLANS,
    ("POST", "additions"): OVERRIDE,
    ("GET", "addition"): PLANS,
    ("POST", "addition_end"): OVERRIDE,
    ("GET", "roster"): PLANS,
    ("GET", "duty"): PLANS,
    ("PUT", "duty"): RUN,
    ("DELETE", "duty"): RUN,
    ("GET", "reports"): PLANS,
    ("GET", "report"): PLANS,
}
OWN_ROWS = {"mission_id", "plan_id", "forecast_id", "suppression_id", "addition_id", "call_sign"}


def walked() -> Iterator[tuple[str, str, list[str]]]:
    """Each method of each address below the agency, with the names of its arguments."""
    api = next(entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/")
    assert isinstance(api, URLResolver)
    for part in api.url_patterns:
        if not isinstance(part, URLResolver):
            continue
        assert "agency_slug" in str(part.pattern)
        for entry in part.url_patterns:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if hasattr(entry.callback.view_class, method.lower()):
                    yield method, entry.name, list(entry.pattern.converters)


# Deletions last: what they take away is asked for before.
ROUTES = sorted(walked(), key=lambda route: (route[0] == "DELETE", route))


def address(scene: ApiScene, name: str, arguments: list[str], slug: str = "") -> str:
    own = next(mission for mission in scene.missions() if mission.beat.code == "11")
    known: dict[str, Any] = {
        "mission_id": own.pk,
        "plan_id": scene.plan.pk,
        "forecast_id": scene.scene.run.pk,
        "surface": "harm",
        "slug": "shifts",
        "on": scene.plan.on.isoformat(),
        "shift_slug": scene.scene.shift.slug,
        "call_sign": scene.unit.call_sign,
        "suppression_id": scene.agency.suppression_set.all()[0].pk,
        "addition_id": scene.agency.addition_set.all()[0].pk,
    }
    return reverse(
        f"api:{name}", kwargs={"agency_slug": slug or scene.agency.slug} | {a: known[a] for a in arguments}
    )


def body(scene: ApiScene, name: str) -> dict[str, Any]:
    """What makes sense there."""
    own = next(mission for mission in scene.missions() if mission.beat.code == "11")
    taken = {mission.cell_id for mission in scene.missions()}
    free = next(int(cell) for cell in scene.scene.spec.cells if int(cell) not in taken)
    later, why = (timezone.now() + dt.timedelta(days=2)).isoformat(), "Broken lamps"
    last = (scene.plan.period_to - dt.timedelta(minutes=20)).isoformat()
    hour_ago = (timezone.now() - dt.timedelta(hours=1)).isoformat()
    return {
        "missions": {"plan": scene.plan.pk, "cell_id": free, "crime_type": "robbery", "starts_at": last,
                     "dose_minutes": 12, "reason": why},
        "shift_decide": {"missions": 1, "reason": why},
        "mission_assignment": {"unit": scene.unit.call_sign},
        "mission_withdraw": {"reason": why},
        "mission_move": {"reason": why, "starts": [last]},
        "mission_swap": {"reason": why, "cell_id": free},
        "engagements": {"mission": own.pk, "unit": scene.unit.call_sign, "arrived_at": hour_ago,
                        "left_at": timezone.now().isoformat()},
        "suppressions": {"beat": "12", "reason": why, "expires_at": later},
        "additions": {"geometry": rectangle(300, 300, 500, 500), "crime_type": "robbery", "reason": why,
                      "expires_at": later},
        "duty": {"beat": "12", "missions": 2},
    }.get(name, {})  # fmt: skip


def ask(client: Client, method: str, path: str, sent: dict[str, Any]) -> HttpResponse:
    if method == "GET":
        return client.get(path)
    return client.generic(method, path, json.dumps(sent), content_type="application/json")


@pytest.fixture
def scene() -> ApiScene:
    made = make_api_scene()
    made.people["operator"] = make_operator()
    return made


def test_every_address_has_a_line_here() -> None:
    assert {(method, name) for method, name, _ in ROUTES} == set(WHO)


@pytest.mark.parametrize("who", sorted(EVERYONE))
def test_each_role_may_what_its_line_says(scene: ApiScene, who: str) -> None:
    client = scene.client(who)
    for method, name, arguments in ROUTES:
        path, sent = address(scene, name, arguments), body(scene, name)
        # A withdrawn mission and an ended suppression stand in the way of the next address.
        Mission.objects.update(withdrawn_at=None)
        Suppression.objects.update(expires_at=timezone.now() + dt.timedelta(days=1))
        answer = ask(client, method, path, sent)
        if who not in WHO[method, name]:
            assert answer.status_code == 403, (method, name, answer.status_code)
            assert "Next step" in answer.json()["detail"], (method, name)
            continue
        # 409: the published plan is no draft; no timer runs; a mission is there already.
        refused = ("plan_publish", "plan_dismiss", "mission_leave")
        allowed = {200, 201, 202, 204} | ({409} if name in refused else set())
        assert answer.status_code in allowed, (method, name, answer.status_code, answer.content[:300])


def test_no_change_locks_a_row_after_the_audit_log(scene: ApiScene) -> None:
    client = scene.client("patrols key")
    for method, name, arguments in ROUTES:
        Mission.objects.update(withdrawn_at=None)
        Suppression.objects.update(expires_at=timezone.now() + dt.timedelta(days=1))
        path, sent = address(scene, name, arguments), body(scene, name)
        with locks_behind_the_chains() as found:
            if method != "GET":
                ask(client, method, path, sent)
        assert found == [], (method, name)


def test_strangers_find_nothing_and_nobody_is_asked_who_they_are(scene: ApiScene) -> None:
    other = make_api_scene("lakeside")
    for method, name, arguments in ROUTES:
        path, sent = address(scene, name, arguments), body(scene, name)
        for who in ("admin", "supervisor", "officer", "read key", "patrols key"):
            answer = ask(other.client(who), method, path, sent)
            assert answer.status_code == 404, (method, name, who, answer.status_code)
        answer = ask(scene.client("nobody"), method, path, sent)
        assert answer.status_code == 401, (method, name)
        assert answer["WWW-Authenticate"] == "Token"
        for client in (scene.client("nobody"), other.client("admin")):
            assert scene.agency.name.encode() not in ask(client, method, path, sent).content


def test_another_agencys_rows_are_not_there_under_ones_own_address(scene: ApiScene) -> None:
    other = make_api_scene("lakeside")
    for method, name, arguments in ROUTES:
        if set(arguments) & OWN_ROWS:
            there = address(scene, name, arguments, slug="lakeside")
            for who in ("admin", "patrols key"):
                answer = ask(other.client(who), method, there, body(other, name))
                assert answer.status_code == 404, (method, name, who, answer.status_code)
    assert not Engagement.objects.filter(agency=other.agency).exclude(mission__agency=other.agency).exists()


def test_another_agencys_codes_and_ids_in_a_body_are_as_unknown_as_none(scene: ApiScene) -> None:
    other = make_api_scene("lakeside")
    theirs = other.missions()[0]
    sent = body(scene, "engagements")
    assert scene.send("patrols key", "engagements/", sent | {"mission": theirs.pk}).status_code == 404
    answer = scene.send("patrols key", "engagements/", sent | {"unit": other.unit.call_sign})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"unit"}
    assert (
        scene.send("admin", "missions/", body(scene, "missions") | {"plan": other.plan.pk}).status_code == 400
    )


def test_a_page_of_another_site_cannot_write_in_a_persons_name(scene: ApiScene) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(scene.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    before = AuditEvent.objects.count()
    for method, name, arguments in ROUTES:
        if method != "GET":
            answer = ask(client, method, address(scene, name, arguments), body(scene, name))
            assert answer.status_code == 403, (method, name)
    assert AuditEvent.objects.count() == before
    assert Duty.objects.get().missions == 2


def test_a_push_key_reads_nothing_and_a_feeds_read_key_reads_its_agency(scene: ApiScene) -> None:
    feed = push_feed(scene.agency)
    for scope, status in (("push", 403), ("read", 200)):
        headers = {"authorization": f"Token {make_token(feed, scope)}"}
        assert Client(headers=headers).get(f"{scene.root}missions/").status_code == status


def test_an_officer_sees_and_does_only_what_is_the_own_units(scene: ApiScene) -> None:
    listed = scene.get("officer", "missions/").json()["results"]
    assert listed
    assert {row["unit"] for row in listed} == {scene.unit.call_sign}
    elsewhere = next(mission for mission in scene.missions() if mission.beat.code == "21")
    assert scene.get("officer", f"missions/{elsewhere.pk}/").status_code == 404
    assert scene.send("officer", f"missions/{elsewhere.pk}/arrive/").status_code == 404
    assert scene.get("officer", "units/R21/missions/now/").status_code == 404
    own = next(mission for mission in scene.missions() if mission.beat.code == "11")
    assert scene.send("officer", f"missions/{own.pk}/arrive/", {"unit": "R21"}).status_code == 404
    # Another unit's visit to another mission.
    Engagement.objects.create(agency=scene.agency, mission=elsewhere, arrived_at=timezone.now())
    visits = scene.get("officer", "engagements/").json()["results"]
    assert {visit["unit"] for visit in visits} == {scene.unit.call_sign}


def test_a_supervisor_writes_in_own_districts_only(scene: ApiScene) -> None:
    north = next(mission for mission in scene.missions() if mission.beat.code == "21")
    who, why = "southern supervisor", {"reason": "Broken lamps"}
    assert scene.get(who, f"missions/{north.pk}/").status_code == 200
    refused = [
        scene.send(who, f"missions/{north.pk}/withdraw/", why),
        scene.send(who, f"missions/{north.pk}/assignment/", {"unit": "R21"}, method="put"),
        scene.send(who, "suppressions/", body(scene, "suppressions") | {"beat": "21"}),
        scene.send(
            who, "additions/", body(scene, "additions") | {"geometry": rectangle(100, 3000, 300, 3200)}
        ),
    ]
    assert [answer.status_code for answer in refused] == [409] * 4
    assert all("outside your districts" in answer.json()["detail"] for answer in refused)
    on, shift = scene.plan.on.isoformat(), scene.scene.shift.slug
    answer = scene.send(who, f"roster/{on}/{shift}/R21/", {"beat": "21"}, method="put")
    assert "outside your districts" in answer.json()["detail"]
    assert scene.send(who, f"missions/{north.pk}/arrive/", {"unit": "R21"}).status_code == 403
    assert not Mission.objects.filter(withdrawn_at__isnull=False).exists()
