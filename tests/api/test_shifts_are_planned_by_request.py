"""A machine has a shift planned, polls the plan, publishes it, and decides anew in the middle of the shift."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from agencies.models import AuditEvent, Beat
from forecasting.models import ForecastRun, RiskSurface
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus, run_execution
from missions_project.lib.sending import RowTask
from patrols.models import MissionPlan, PatrolPolicy
from patrols.no_plan import no_plan
from patrols.services import line, plan_run, shift_plan_queue
from tests.api.scenes import ApiScene, make_api_scene
from tests.patrols.scenes import ON, make_scene

pytestmark = pytest.mark.django_db
Callbacks = Callable[..., Any]
WHO = "patrols key"


@pytest.fixture
def scene() -> ApiScene:
    return make_api_scene()


def of_shift(scene: ApiScene, what: str) -> str:
    return f"shifts/{scene.plan.on.isoformat()}/{scene.scene.shift.slug}/{what}/"


def tomorrow(scene: ApiScene, what: str) -> str:
    on = scene.plan.on + dt.timedelta(days=1)
    return f"shifts/{on.isoformat()}/{scene.scene.shift.slug}/{what}/"


def queued(callbacks: list[Callable[[], Any]]) -> list[Any]:
    """Those that send for work: a sign-in among the requests leaves one of its own."""
    return [
        one for one in callbacks if isinstance(getattr(getattr(one, "func", None), "__self__", None), RowTask)
    ]


def path_of(scene: ApiScene, answer: HttpResponse) -> str:
    """The address that an answer points to, below the agency's root."""
    return str(answer["Location"]).removeprefix(f"http://testserver{scene.root}")


@pytest.fixture
def forecasts(scene: ApiScene, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Forecasts made by copying the scene's surfaces; their ids, in order."""
    made: list[int] = []

    def copy(*, run: ForecastRun) -> ForecastRun:
        with run_execution(run) as reporter:
            for surface in RiskSurface.objects.filter(run=scene.scene.run):
                surface.pk, surface.run = None, run
                surface.save()
            reporter.record(grid=scene.scene.grid, data_hash="e" * 64)
        made.append(run.pk)
        return run

    monkeypatch.setattr(line, "forecast_run", copy)
    return made


def test_a_shift_is_forecast_planned_polled_and_published(
    scene: ApiScene, forecasts: list[int], django_capture_on_commit_callbacks: Callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        answer = scene.send(WHO, tomorrow(scene, "plan"))
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["trigger"]) == ("queued", "person")
    assert int(answer["Retry-After"]) > 0
    path = path_of(scene, answer)
    waiting = scene.get(WHO, path)
    assert waiting.json()["status"] == "queued"
    assert scene.get(WHO, path, **{"if-none-match": waiting["ETag"]}).status_code == 304
    for callback in callbacks:
        callback()
    done = scene.get(WHO, path, **{"if-none-match": waiting["ETag"]})
    assert (done.status_code, done.json()["status"], done.json()["state"]) == (200, "succeeded", "draft")
    assert done.json()["forecast"] == forecasts[0] != scene.scene.run.pk
    published = scene.send(WHO, f"{path}publish/", if_match=done["ETag"])
    assert (published.status_code, published.json()["state"]) == (200, "published")
    assert scene.send(WHO, f"{path}publish/").status_code == 409
    on = (scene.plan.on + dt.timedelta(days=1)).isoformat()
    shift = scene.get(WHO, f"shifts/{on}/{scene.scene.shift.slug}/").json()
    assert shift["plan"] == published.json()["id"]


def test_what_waits_already_is_the_answer_and_nothing_more_is_queued(
    scene: ApiScene, django_capture_on_commit_callbacks: Callbacks
) -> None:
    path, before = tomorrow(scene, "plan"), ForecastRun.objects.count()
    with django_capture_on_commit_callbacks() as first:
        one = scene.send(WHO, path)
    with django_capture_on_commit_callbacks() as second:
        again = scene.send("supervisor", path)
        MissionPlan.objects.filter(pk=one.json()["id"]).update(status=RunStatus.RUNNING)
        third = scene.send("admin", path, {"forecast": False})
    assert (len(queued(first)), len(queued(second))) == (1, 0)
    assert one["Location"] == again["Location"] == third["Location"]
    assert (again.status_code, third.json()["status"]) == (202, "running")
    assert ForecastRun.objects.count() == before + 1
    # Another shift instance is another plan, and so is one after this was drawn.
    assert scene.send(WHO, of_shift(scene, "plan"))["Location"] != one["Location"]
    MissionPlan.objects.filter(pk=one.json()["id"]).update(status=RunStatus.SUCCEEDED)
    assert scene.send(WHO, path)["Location"] != one["Location"]


def test_a_request_sent_twice_under_one_key_names_the_same_plan_even_when_it_is_drawn(
    scene: ApiScene,
) -> None:
    path = tomorrow(scene, "plan")
    one = scene.send(WHO, path, idempotency_key="plan-1")
    MissionPlan.objects.filter(pk=one.json()["id"]).update(status=RunStatus.SUCCEEDED)
    again = scene.send(WHO, path, idempotency_key="plan-1")
    assert (again.status_code, again["Location"], again.json()) == (202, one["Location"], one.json())
    assert scene.send(WHO, path, {"forecast": False}, idempotency_key="plan-1").status_code == 409


def test_without_a_forecast_of_its_own_it_is_drawn_from_the_newest(
    scene: ApiScene, django_capture_on_commit_callbacks: Callbacks
) -> None:
    before = ForecastRun.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        answer = scene.send("supervisor", of_shift(scene, "plan"), {"forecast": False})
    told = scene.get("supervisor", path_of(scene, answer)).json()
    assert (told["status"], told["forecast"]) == ("succeeded", scene.scene.run.pk)
    assert ForecastRun.objects.count() == before
    # The published plan is still the shift's.
    assert scene.get(WHO, of_shift(scene, "plan").removesuffix("plan/")).json()["plan"] == scene.plan.pk


def test_a_forecast_that_fails_is_told_by_the_plan_with_its_next_step(scene: ApiScene) -> None:
    answer = scene.send(WHO, tomorrow(scene, "plan"))
    plan = MissionPlan.objects.get(pk=answer.json()["id"])
    with pytest.raises(MissionsError):
        # The scene's models have no files.
        plan_run(plan=plan)
    told = scene.get(WHO, path_of(scene, answer)).json()
    assert told["status"] == "failed"
    assert told["error"].startswith("Its forecast failed.")
    assert told["error"].count("Next step:") == 1
    assert scene.send(WHO, f"plans/{plan.pk}/publish/").status_code == 409
    assert scene.send(WHO, tomorrow(scene, "plan")).json()["id"] != plan.pk


def test_a_plan_waits_while_another_worker_makes_its_forecast(scene: ApiScene, forecasts: list[int]) -> None:
    answer = scene.send(WHO, tomorrow(scene, "plan"))
    plan = MissionPlan.objects.get(pk=answer.json()["id"])
    ForecastRun.objects.filter(pk=plan.forecast_run_id).update(
        status=RunStatus.RUNNING, progress_done=30, progress_total=100, progress_label="Reading incidents"
    )
    assert plan_run(plan=plan) is None
    plan.refresh_from_db()
    assert plan.status == RunStatus.QUEUED
    shown = no_plan(scene.agency, plan.shift, plan.on, plan, now=timezone.now())
    assert shown is not None
    assert (shown.title, shown.reason, shown.percent) == ("Forecasting …", "Reading incidents", 30)
    ForecastRun.objects.filter(pk=plan.forecast_run_id).update(status=RunStatus.QUEUED)
    drawn = plan_run(plan=MissionPlan.objects.get(pk=plan.pk))
    assert drawn is not None
    assert drawn.missions.exists()
    assert forecasts == [drawn.forecast_run_id]


def test_a_date_on_which_the_shift_does_not_start_is_not_there(scene: ApiScene) -> None:
    shift = scene.scene.shift
    shift.weekdays = str(scene.plan.on.weekday())
    shift.save()
    assert scene.send(WHO, tomorrow(scene, "plan")).status_code == 404
    assert scene.send(WHO, f"shifts/yesterday/{shift.slug}/plan/").status_code == 404
    assert scene.send(WHO, of_shift(scene, "plan"), {"forcast": True}).status_code == 400
    assert MissionPlan.objects.count() == 1


def test_a_decision_during_the_shift_is_drawn_published_or_dismissed(
    scene: ApiScene, django_capture_on_commit_callbacks: Callbacks
) -> None:
    sent = {"missions": 1, "beats": ["12"], "reason": "Shots near the station"}
    with django_capture_on_commit_callbacks(execute=True):
        answer = scene.send("supervisor", of_shift(scene, "decisions"), sent)
    assert answer.status_code == 202, answer.content
    path = path_of(scene, answer)
    drawn = scene.get("supervisor", path).json()
    assert (drawn["status"], drawn["decision"], drawn["reason"]) == ("succeeded", 1, sent["reason"])
    listed = scene.get("supervisor", f"missions/?plan={drawn['id']}").json()["results"]
    assert {row["beat"] for row in listed} <= {"12"}
    assert scene.send("supervisor", f"{path}publish/").json()["state"] == "published"
    assert scene.send("supervisor", f"{path}dismiss/").status_code == 409
    with django_capture_on_commit_callbacks(execute=True):
        second = scene.send(WHO, of_shift(scene, "decisions"), {"missions": 1, "reason": "A fight"})
    assert second.json()["decision"] == 2
    path = path_of(scene, second)
    seen = scene.get(WHO, path)["ETag"]
    dismissed = scene.send(WHO, f"{path}dismiss/", if_match=seen)
    assert (dismissed.status_code, dismissed.json()["state"]) == (200, "superseded")
    assert scene.send(WHO, f"{path}dismiss/", if_match=seen).status_code == 412
    assert AuditEvent.objects.filter(action="decision dismissed").count() == 1
    assert scene.send(WHO, f"plans/{scene.plan.pk}/dismiss/").status_code == 409


def test_the_same_words_of_the_same_person_that_still_wait_are_one_decision(
    scene: ApiScene, django_capture_on_commit_callbacks: Callbacks
) -> None:
    path, sent = of_shift(scene, "decisions"), {"missions": 1, "reason": "Shots near the station"}
    with django_capture_on_commit_callbacks() as callbacks:
        one = scene.send("supervisor", path, sent)
        again = scene.send("supervisor", path, sent)
        other = scene.send("supervisor", path, sent | {"missions": 2})
        somebody = scene.send("admin", path, sent)
    assert one["Location"] == again["Location"]
    assert len({one["Location"], other["Location"], somebody["Location"]}) == 3
    assert len(queued(callbacks)) == 3
    assert AuditEvent.objects.filter(action="decision asked for").count() == 3


def test_what_stands_against_a_decision_is_said_with_the_next_step(scene: ApiScene) -> None:
    path, sent = of_shift(scene, "decisions"), {"missions": 1, "reason": "Shots near the station"}
    refused = [
        (scene.send(WHO, tomorrow(scene, "decisions"), sent), "is not running"),
        (scene.send(WHO, path, sent | {"missions": 40}), "may ask for 1 to"),
        (scene.send(WHO, path, sent | {"reason": "Black male, 20"}), "which is never kept"),
    ]
    MissionPlan.objects.update(state=MissionPlan.State.DRAFT)
    refused.append((scene.send(WHO, path, sent), "No plan of this shift is published"))
    PatrolPolicy.objects.update(replans_max=0)
    refused.append((scene.send(WHO, path, sent), "switched off"))
    for answer, words in refused:
        assert answer.status_code == 409, answer.content
        assert words in answer.json()["detail"]
        assert "Next step:" in answer.json()["detail"]
    for wrong in (
        {"reason": "x"},
        {"missions": 0, "reason": "x"},
        sent | {"beats": []},
        sent | {"beats": ["99"]},
    ):
        answer = scene.send(WHO, path, wrong)
        assert answer.status_code == 400, wrong
    assert not MissionPlan.objects.filter(decision__gt=0).exists()


def test_a_supervisor_decides_in_own_districts_only(
    scene: ApiScene, django_capture_on_commit_callbacks: Callbacks
) -> None:
    who, path = "southern supervisor", of_shift(scene, "decisions")
    sent = {"missions": 1, "reason": "Shots near the station"}
    answer = scene.send(who, path, sent | {"beats": ["21"]})
    assert answer.status_code == 409
    assert "outside your districts" in answer.json()["detail"]
    with django_capture_on_commit_callbacks(execute=True):
        answer = scene.send(who, path, sent)
    plan = MissionPlan.objects.get(pk=answer.json()["id"])
    south = set(Beat.objects.filter(agency=scene.agency, district__code="S").values_list("pk", flat=True))
    assert set(plan.config_snapshot["asked"]["beats"]) == south
    assert {mission.beat_id for mission in plan.missions.all()} <= south
    with django_capture_on_commit_callbacks(execute=True):
        north = scene.send("admin", path, sent | {"beats": ["21"], "reason": "A fight"})
    answer = scene.send(who, f"{path_of(scene, north)}publish/")
    assert answer.status_code == 409
    assert "outside your districts" in answer.json()["detail"]


def test_another_agencys_beats_and_plans_are_as_unknown_as_none(scene: ApiScene) -> None:
    other = make_api_scene("lakeside")
    Beat.objects.filter(agency=other.agency, code="12").update(code="L12")
    answer = scene.send(WHO, of_shift(scene, "decisions"), {"missions": 1, "reason": "x", "beats": ["L12"]})
    assert answer.status_code == 400
    assert scene.send(WHO, f"plans/{other.plan.pk}/dismiss/").status_code == 404
    assert other.send(WHO, "shifts/2026-03-14/nothing/plan/").status_code == 404


def test_a_plan_is_asked_for_in_a_fixed_number_of_queries(
    scene: ApiScene, django_assert_max_num_queries: Any
) -> None:
    client, path = scene.client(WHO), scene.root + tomorrow(scene, "plan")
    with django_assert_max_num_queries(25):
        assert client.post(path, {}, content_type="application/json").status_code == 202
    with django_assert_max_num_queries(14):
        assert client.post(path, {}, content_type="application/json").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_four_who_ask_at_the_same_moment_get_one_plan() -> None:
    made = make_scene()
    together = Barrier(4)

    def ask(_: int) -> tuple[int, bool]:
        try:
            together.wait()
            plan, is_new = shift_plan_queue(
                agency=made.agency, shift=made.shift, on=ON, with_forecast=True, actor=None
            )
            return plan.pk, is_new
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(ask, range(4)))
    assert len({pk for pk, _ in told}) == 1
    assert sorted(is_new for _, is_new in told) == [False, False, False, True]
    assert ForecastRun.objects.exclude(pk=made.run.pk).count() == MissionPlan.objects.count() == 1
