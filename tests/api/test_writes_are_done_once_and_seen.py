"""ETags, If-Match, Idempotency-Key, the audit log, and what a car's terminal asks and reports."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from agencies.models import AuditEvent
from ingestion.models import ApiAnswer, ApiToken
from patrols.models import Addition, Assignment, Duty, Engagement, Mission, Suppression
from tests.api.scenes import ApiScene, make_api_scene
from tests.factories import rectangle

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> ApiScene:
    return make_api_scene()


def until() -> str:
    return (timezone.now() + dt.timedelta(days=2)).isoformat()


def test_what_the_client_has_already_is_304_until_it_changes(scene: ApiScene) -> None:
    path = f"units/{scene.unit.call_sign}/missions/now/"
    first = scene.get("officer", path)
    assert first.status_code == 200
    assert first["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first["Vary"]
    again = scene.get("officer", path, **{"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    own = first.json()["missions"][-1]["id"]
    assert scene.send("officer", f"missions/{own}/arrive/").status_code == 200
    changed = scene.get("officer", path, **{"if-none-match": first["ETag"]})
    assert changed.status_code == 200
    assert [row["is_here"] for row in changed.json()["missions"] if row["id"] == own] == [True]


def test_a_terminals_answer_is_small_and_holds_what_is_due_now(scene: ApiScene) -> None:
    answer = scene.get("patrols key", f"units/{scene.unit.call_sign}/missions/now/")
    told = answer.json()
    own = [mission for mission in scene.missions() if mission.beat.code == "11"]
    assert {row["id"] for row in told["missions"]} == {mission.pk for mission in own}
    assert len(answer.content) < 1_000 * (1 + len(own))
    Mission.objects.filter(pk=own[0].pk).update(withdrawn_at=timezone.now())
    assert (
        len(scene.get("patrols key", f"units/{scene.unit.call_sign}/missions/now/").json()["missions"])
        == len(own) - 1
    )
    assert scene.get("patrols key", "units/R22/missions/now/").status_code == 200
    assert scene.get("patrols key", "units/Z99/missions/now/").status_code == 404


def test_a_client_that_saw_an_older_state_changes_nothing(scene: ApiScene) -> None:
    mission = scene.missions()[0]
    path = f"missions/{mission.pk}/"
    seen = scene.get("supervisor", path)["ETag"]
    first = scene.send("supervisor", f"{path}assignment/", {"unit": "R21"}, method="put", if_match=seen)
    assert (first.status_code, first.json()["unit"]) == (200, "R21")
    second = scene.send("admin", f"{path}assignment/", {"unit": "R22"}, method="put", if_match=seen)
    assert second.status_code == 412
    assert second.json()["code"] == "changed"
    assert Assignment.objects.get(mission=mission).unit.call_sign == "R21"
    fresh = scene.get("admin", path)["ETag"]
    answer = scene.send("admin", f"{path}assignment/", {"unit": None}, method="put", if_match=fresh)
    assert (answer.status_code, answer.json()["unit"]) == (200, None)


@pytest.mark.parametrize("who", ["patrols key", "supervisor"])
def test_a_request_sent_twice_is_done_once_and_answered_alike(scene: ApiScene, who: str) -> None:
    sent = {"beat": "12", "reason": "Parade", "expires_at": until()}
    before = Suppression.objects.count()
    first = scene.send(who, "suppressions/", sent, idempotency_key="a-1")
    again = scene.send(who, "suppressions/", sent, idempotency_key="a-1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert Suppression.objects.count() == before + 1
    other = scene.send(who, "suppressions/", sent | {"reason": "Market"}, idempotency_key="a-1")
    assert (other.status_code, other.json()["code"]) == (409, "key_used_before")
    assert scene.send(who, "suppressions/", sent, idempotency_key="a-2").status_code == 201
    # Somebody else's word is another word.
    assert scene.send("admin", "suppressions/", sent, idempotency_key="a-1").status_code == 201
    assert scene.send(who, "suppressions/", sent, idempotency_key="two words").status_code == 400


def test_what_was_refused_may_be_tried_again_under_the_same_key(scene: ApiScene) -> None:
    mission = scene.missions(engagements__isnull=True)[0]
    path, unit = f"missions/{mission.pk}/leave/", {"unit": "R21"}
    assert scene.send("patrols key", path, unit, idempotency_key="b-1").status_code == 409
    assert not ApiAnswer.objects.exists()
    assert scene.send("patrols key", f"missions/{mission.pk}/arrive/", unit).status_code == 200
    assert scene.send("patrols key", path, unit, idempotency_key="b-1").status_code == 200


def test_kept_answers_are_forgotten_after_two_days(scene: ApiScene) -> None:
    sent = {"beat": "12", "reason": "Parade", "expires_at": until()}
    scene.send("patrols key", "suppressions/", sent, idempotency_key="c-1")
    ApiAnswer.objects.update(created_at=timezone.now() - dt.timedelta(days=3))
    assert scene.send("patrols key", "suppressions/", sent, idempotency_key="c-1").status_code == 201
    assert Suppression.objects.filter(reason="Parade").count() == 2
    assert ApiAnswer.objects.count() == 1


def test_a_key_that_changes_something_stands_in_the_audit_log(scene: ApiScene) -> None:
    mission = scene.missions()[0]
    scene.send("patrols key", f"missions/{mission.pk}/withdraw/", {"reason": "Closed road"})
    event = AuditEvent.objects.get(action="changed by key")
    token = ApiToken.objects.get(scope="patrols")
    assert event.subject == f"POST {scene.root}missions/{mission.pk}/withdraw/"
    assert event.detail == {"key": token.token_key, "name": "patrols machine"}
    assert AuditEvent.objects.filter(action="mission withdrawn").exists()
    scene.send("patrols key", f"missions/{mission.pk}/withdraw/", {"reason": "Closed road"})
    assert AuditEvent.objects.filter(action="changed by key").count() == 1


def test_reasons_about_persons_and_empty_ones_are_refused(scene: ApiScene) -> None:
    mission = scene.missions()[0]
    for reason, status in (("", 400), ("   ", 400), ("call me at 312-555-0188", 409)):
        answer = scene.send("admin", f"missions/{mission.pk}/withdraw/", {"reason": reason})
        assert answer.status_code == status, reason
        assert "312-555" not in answer.content.decode()


def test_a_unit_is_at_one_mission_at_a_time_and_a_second_press_changes_nothing(scene: ApiScene) -> None:
    first, second = [mission for mission in scene.missions() if mission.beat.code == "11"][:2]
    here = scene.send("officer", f"missions/{first.pk}/arrive/").json()
    assert scene.send("officer", f"missions/{first.pk}/arrive/").json() == here
    scene.send("officer", f"missions/{second.pk}/arrive/")
    visits = scene.get("officer", "engagements/?is_open=true").json()["results"]
    assert [visit["mission"] for visit in visits] == [second.pk]
    left = scene.send("officer", f"missions/{second.pk}/leave/").json()
    assert left["left_at"] is not None
    assert left["minutes"] >= 0
    nobody = scene.send("officer", f"missions/{second.pk}/leave/")
    assert (nobody.status_code, nobody.json()["code"]) == (409, "not_possible")


def test_a_terminal_without_signal_reports_late_but_not_ahead_of_time(scene: ApiScene) -> None:
    mission = scene.missions(beat__code="11")[-1]
    path = f"missions/{mission.pk}/arrive/"
    ahead = (timezone.now() + dt.timedelta(hours=1)).isoformat()
    assert scene.send("officer", path, {"at": ahead}).status_code == 400
    assert scene.send("officer", path, {"at": "2020-01-01T00:00:00Z"}).status_code == 400
    at = timezone.now() - dt.timedelta(minutes=9)
    assert scene.send("officer", path, {"at": at.isoformat()}).status_code == 200
    assert Engagement.objects.get(left_at__isnull=True).arrived_at == at


def test_another_system_records_whole_visits(scene: ApiScene) -> None:
    mission = scene.missions(beat__code="21")[0]
    now = timezone.now()
    sent: dict[str, Any] = {
        "mission": mission.pk, "unit": "R21", "source": "avl",
        "arrived_at": (now - dt.timedelta(minutes=30)).isoformat(),
        "left_at": (now - dt.timedelta(minutes=16)).isoformat(),
    }  # fmt: skip
    answer = scene.send("patrols key", "engagements/", sent)
    assert answer.status_code == 201
    assert (answer.json()["minutes"], answer.json()["source"]) == (14.0, "avl")
    assert Engagement.objects.get(pk=answer.json()["id"]).officer is None
    backwards = sent | {"left_at": (now - dt.timedelta(minutes=40)).isoformat()}
    assert scene.send("patrols key", "engagements/", backwards).status_code == 400
    assert scene.send("patrols key", "engagements/", sent | {"speed": 3}).json()["errors"]["speed"]


def test_missions_are_added_moved_and_swapped_beside_the_draw(scene: ApiScene) -> None:
    drawn = scene.missions(engagements__isnull=True)[0]
    design = bytes(scene.plan.design)
    free = next(
        int(cell)
        for cell in scene.scene.spec.cells
        if not scene.plan.missions.filter(cell_id=int(cell)).exists()
    )
    start = (scene.plan.period_to - dt.timedelta(minutes=30)).isoformat()
    moved = scene.send(
        "analyst", f"missions/{drawn.pk}/move/", {"reason": "Roadworks", "starts": [start]}
    ).json()
    assert moved["is_moved"] is True
    assert len(moved["visits"]) == 1
    swapped = scene.send(
        "analyst", f"missions/{drawn.pk}/swap/", {"reason": "Roadworks", "cell_id": free}
    ).json()
    assert (swapped["cell_id"], swapped["source"]) == (free, "added")
    drawn.refresh_from_db()
    assert drawn.withdrawn_at is not None
    assert drawn.swapped_for_id == swapped["id"]
    scene.plan.refresh_from_db()
    assert bytes(scene.plan.design) == design
    taken = {"reason": "Roadworks", "cell_id": free}
    other = scene.missions(withdrawn_at__isnull=True, source="drawn")[0]
    assert scene.send("analyst", f"missions/{other.pk}/swap/", taken).status_code == 409
    other.refresh_from_db()
    assert other.withdrawn_at is None


def test_suppressions_and_additions_end_early_and_stay_in_the_list(scene: ApiScene) -> None:
    for path, model in (("suppressions/", Suppression), ("additions/", Addition)):
        row = model.objects.get(agency=scene.agency)
        ended = scene.send("analyst", f"{path}{row.pk}/end/")
        assert (ended.status_code, ended.json()["is_active"]) == (200, False)
        assert scene.send("analyst", f"{path}{row.pk}/end/").status_code == 409
        assert scene.get("auditor", f"{path}?is_active=true").json()["results"] == []
        assert len(scene.get("auditor", f"{path}?is_active=false").json()["results"]) == 1


def test_a_place_that_is_to_be_visited_later_may_be_called_off_before(scene: ApiScene) -> None:
    sent = {
        "geometry": rectangle(300, 300, 500, 500), "crime_type": "burglary", "reason": "Fair",
        "starts_at": (timezone.now() + dt.timedelta(days=1)).isoformat(), "expires_at": until(),
    }  # fmt: skip
    made = scene.send("supervisor", "additions/", sent).json()
    assert made["is_active"] is False
    assert scene.send("supervisor", f"additions/{made['id']}/end/").status_code == 200
    assert Addition.objects.get(pk=made["id"]).expires_at <= timezone.now()


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], ["a", 1], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[[[[[[0]]]]]]]]},
        {"type": "Polygon", "coordinates": [[[500, 0], [501, 0], [501, 1], [500, 0]]]},
        {"type": "Polygon", "coordinates": [[[0.0001 * n, 0] for n in range(6_000)]]},
        [1, 2],
        None,
    ],
)
def test_areas_that_are_none_are_refused(scene: ApiScene, geometry: Any) -> None:
    sent = {"geometry": geometry, "reason": "Fair", "expires_at": until()}
    answer = scene.send("analyst", "suppressions/", sent)
    assert answer.status_code == 400, answer.content
    assert Suppression.objects.count() == 1


def test_a_duty_is_set_changed_and_cleared(scene: ApiScene) -> None:
    path = f"roster/{scene.plan.on}/{scene.scene.shift.slug}/R21/"
    assert scene.get("admin", path).status_code == 404
    assert scene.send("admin", path, {"beat": None}, method="put").json()["beat"] is None
    assert scene.send("admin", path, {"beat": "22", "missions": 5}, method="put").json()["missions"] == 5
    assert Duty.objects.filter(unit__call_sign="R21").count() == 1
    listed = scene.get("auditor", f"roster/?from={scene.plan.on}&unit=R21").json()["results"]
    assert [row["beat"] for row in listed] == ["22"]
    assert scene.send("admin", path, method="delete").status_code == 204
    assert scene.send("admin", path, method="delete").status_code == 204
    assert not Duty.objects.filter(unit__call_sign="R21").exists()
    assert scene.send("admin", path, {"beat": "22", "missions": 50}, method="put").status_code == 400


def test_a_draft_is_published_once(scene: ApiScene) -> None:
    Engagement.objects.all().delete()
    draft = scene.scene.plan(seed=9)
    answer = scene.send("supervisor", f"plans/{draft.pk}/publish/")
    assert (answer.status_code, answer.json()["state"]) == (200, "published")
    assert scene.send("supervisor", f"plans/{draft.pk}/publish/").status_code == 409
    assert scene.get("supervisor", f"plans/{scene.plan.pk}/").json()["state"] == "superseded"


def test_people_are_throttled_more_than_machines(scene: ApiScene, settings: Any) -> None:
    cache.clear()
    settings.API_PERSON_REQUESTS_PER_SECOND = 0.2
    answers = [scene.get("officer", "shifts/") for _ in range(5)]
    assert 429 in {answer.status_code for answer in answers}
    last = answers[-1]
    assert 1 <= int(last["Retry-After"]) <= 10
    assert (last.json()["code"], last["Content-Type"]) == ("throttled", "application/problem+json")
    assert scene.get("read key", "shifts/").status_code == 200


def test_every_error_has_one_shape(scene: ApiScene) -> None:
    client = scene.client("patrols key")
    answers = [
        client.get("/api/nothing/here/"),
        client.get(f"{scene.root}nothing/"),
        client.get(f"{scene.root}missions/0/"),
        client.get(f"{scene.root}missions/99999999999999999999/"),
        client.get(f"{scene.root}units/%00/missions/now/"),
        client.get(f"{scene.root}units/%ED%A0%80/missions/now/"),
        client.delete(f"{scene.root}missions/"),
        client.patch(f"{scene.root}missions/", {}),
        client.options(f"{scene.root}missions/"),
        client.get(f"{scene.root}missions/", headers={"accept": "text/html"}),
        client.post(f"{scene.root}missions/", "a,b", content_type="text/csv"),
        client.post(f"{scene.root}missions/", "{", content_type="application/json"),
        client.post(f"{scene.root}missions/", "[1]", content_type="application/json"),
        client.post(f"{scene.root}missions/", "{}", content_type="application/json"),
        scene.client("nobody").get(f"{scene.root}missions/"),
    ]
    assert [answer.status_code for answer in answers] == [
        404,
        404,
        404,
        404,
        404,
        404,
        405,
        405,
        405,
        406,
        415,
        400,
        400,
        400,
        401,
    ]
    for answer in answers:
        assert answer["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert {"type", "title", "status", "code", "detail"} <= set(told) <= {*told, "errors"}
        assert told["status"] == answer.status_code


def test_half_a_character_is_refused_in_words_and_not_with_a_crash(scene: ApiScene) -> None:
    client = scene.client("patrols key")
    for sent in ('{"reason": "\\ud800"}', '{"\\ud800": 1}', '{"reason": "a\\u0000b"}'):
        answer = client.post(
            f"{scene.root}missions/{scene.missions()[0].pk}/withdraw/", sent, content_type="application/json"
        )
        assert answer.status_code == 400, sent
        assert answer.json()["errors"]
    visit = '{"mission": 1, "arrived_at": "2026-03-01T00:00:00Z", "source": "\\ud800"}'
    assert client.post(f"{scene.root}engagements/", visit, content_type="application/json").status_code == 400


def test_a_change_that_loses_a_race_is_a_conflict_and_one_that_meets_a_busy_database_may_be_sent_again(
    scene: ApiScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sent = f"missions/{scene.missions()[0].pk}/withdraw/", {"reason": "Closed road"}
    for error, status in ((IntegrityError("unique"), 409), (OperationalError("locked"), 503)):

        def fails(error: Exception = error, **_: Any) -> None:
            raise error

        monkeypatch.setattr("patrols.api.missions.mission_withdraw", fails)
        for key in ({}, {"idempotency_key": f"d-{status}"}):
            answer = scene.send("supervisor", path, sent, **key)
            assert answer.status_code == status
            assert "Next step" in answer.json()["detail"]
            assert "unique" not in answer.content.decode()
    assert not ApiAnswer.objects.exists()


def test_an_address_without_its_last_slash_is_found_by_people_and_not_by_what_is_sent(
    scene: ApiScene,
) -> None:
    client = scene.client("read key")
    assert client.get(f"{scene.root}missions?limit=1").url == f"{scene.root}missions/?limit=1"
    assert client.get("/api/docs").url == "/api/docs/"
    assert client.post(f"{scene.root}missions", {}).status_code == 404
    assert client.get(f"{scene.root}nothing").status_code == 404


@pytest.mark.parametrize("path", ["suppressions/{}/end/", "missions/{}/withdraw/", "roster"])
def test_a_repeated_change_with_its_mark_gets_its_answer_and_a_late_one_is_told(
    scene: ApiScene, path: str
) -> None:
    if path == "roster":
        row = f"roster/{scene.plan.on}/{scene.scene.shift.slug}/{scene.unit.call_sign}/"
        at, sent, method = row, {"beat": "12", "missions": 3}, "put"
    else:
        model = Suppression if "supp" in path else Mission
        pk = model.objects.filter(agency=scene.agency).order_by("-pk")[0].pk
        row, at, method = path.split("{")[0] + f"{pk}/", path.format(pk), "post"
        sent = {"reason": "Closed road"} if model is Mission else {}
    seen = scene.get("admin", row)["ETag"]
    first = scene.send("admin", at, sent, method=method, if_match=seen, idempotency_key="e-1")
    assert first.status_code == 200
    again = scene.send("admin", at, sent, method=method, if_match=seen, idempotency_key="e-1")
    assert (again.status_code, again.json()) == (200, first.json())
    late = scene.send("admin", at, sent, method=method, if_match=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert scene.get("admin", row)["ETag"] != seen
