"""An open map shows a new alert within three seconds, asks for almost nothing meanwhile, and forecasts coalesce."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, User
from forecasting.models import ForecastRun
from forecasting.selectors import next_shift_instance
from forecasting.services import forecast_refresh, forecast_run, forecast_run_queue
from forecasting.services.refresh import REFRESH_OF
from ingestion.models import ForecastRefresh
from ingestion.services import refresh, refresh_ask, refresh_begin, refresh_end
from missions_project import pipeline
from tests.factories import make_member
from tests.forecasting.scenes import make_scene as make_forecast_scene
from tests.ingestion.files import place
from tests.ingestion.pushing import make_gunfire_type, make_token, push, push_feed
from tests.patrols.scenes import make_scene

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    refresh._asked.clear()
    yield
    cache.clear()
    refresh._asked.clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The messages that asked a worker for a refresh."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(pipeline.forecast_refresh_task, "apply_async", lambda *a, **k: found.append((a, k)))
    return found


def shot(number: int = 1, **changes: Any) -> dict[str, Any]:
    lon, lat = place(number)
    at = timezone.now() - dt.timedelta(seconds=5)
    return {"id": f"S{number}", "occurred_at": at.isoformat(), "lon": lon, "lat": lat, **changes}


def test_the_version_changes_with_a_push_and_the_layer_holds_it(
    agency: Agency, colleague: User, sign_in: SignIn, sent: list[Any]
) -> None:
    make_gunfire_type(agency)
    token = make_token(push_feed(agency, "gunfire"))
    client = sign_in(colleague)
    here, layer = (reverse(f"ingestion:{name}", args=["riverton"]) for name in ("version", "alerts"))
    first = client.get(here)
    assert client.get(here, headers={"if-none-match": first["ETag"]}).status_code == 304
    assert client.get(layer).json()["features"] == []
    push(token, "gunfire", [shot(1)])
    second = client.get(here, headers={"if-none-match": first["ETag"]})
    assert second.status_code == 200
    assert second.json() != first.json()
    shown = client.get(layer)
    assert [feature["properties"]["stage"] for feature in shown.json()["features"]] == ["detected"]
    assert client.get(layer, headers={"if-none-match": shown["ETag"]}).status_code == 304
    # The same alert again: nothing to look at.
    push(token, "gunfire", [shot(1, occurred_at=shown.json()["features"][0]["properties"]["at"])])
    assert client.get(here).json() == second.json()
    push(token, "gunfire", [shot(1, stage="dismissed", stage_at=timezone.now().isoformat())])
    assert client.get(here).json() != second.json()
    assert client.get(layer).json()["features"] == []


def test_while_nothing_changes_the_answer_costs_no_query(
    agency: Agency, colleague: User, sign_in: SignIn, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.LIVE_CACHE_SECONDS = 60
    client = sign_in(colleague)
    here = reverse("ingestion:version", args=["riverton"])
    etag = client.get(here)["ETag"]
    with django_assert_num_queries(0):
        for _ in range(3):
            assert client.get(here, headers={"if-none-match": etag}).status_code == 304


def test_a_grant_is_one_sessions_and_one_agencys(
    agency: Agency, colleague: User, stranger: User, sign_in: SignIn
) -> None:
    here = reverse("ingestion:version", args=["riverton"])
    assert sign_in(colleague).get(here).status_code == 200
    assert sign_in(stranger).get(here).status_code == 404
    assert sign_in(stranger).get(reverse("ingestion:version", args=["lakeside"])).status_code == 200
    assert sign_in(None).get(here).status_code == 302
    assert sign_in(colleague).post(here).status_code == 405


def test_a_hundred_alerts_in_a_second_ask_for_one_refresh(agency: Agency, sent: list[Any]) -> None:
    make_gunfire_type(agency)
    token = make_token(push_feed(agency, "gunfire"))
    push(make_token(push_feed(agency, "calls")), "calls", [shot(1, code="ALARM")])
    assert sent == []
    now = timezone.now()
    for number in range(5):
        push(token, "gunfire", [shot(number)])
    assert len(sent) == 1
    assert sent[0] == (((agency.pk,),), {"countdown": 1})
    # Another process has no memory of its own: the row decides.
    refresh._asked.clear()
    assert not refresh_ask(agency_id=agency.pk, now=now)
    refresh._asked.clear()
    assert refresh_ask(agency_id=agency.pk, now=now + dt.timedelta(seconds=60))


def test_one_refresh_runs_at_a_time_and_is_told_to_go_again(agency: Agency) -> None:
    now = timezone.now()
    assert refresh_ask(agency_id=agency.pk, now=now)
    assert refresh_begin(agency_id=agency.pk, now=now + dt.timedelta(seconds=1))
    assert not refresh_begin(agency_id=agency.pk, now=now + dt.timedelta(seconds=2))
    refresh._asked.clear()
    assert refresh_ask(agency_id=agency.pk, now=now + dt.timedelta(seconds=3))
    assert refresh_end(agency_id=agency.pk)
    assert refresh_begin(agency_id=agency.pk, now=now + dt.timedelta(seconds=4))
    assert not refresh_end(agency_id=agency.pk)
    # One that was killed does not stop the others for ever.
    assert refresh_begin(agency_id=agency.pk, now=now + dt.timedelta(seconds=5))
    assert refresh_begin(agency_id=agency.pk, now=now + dt.timedelta(hours=1))


def test_a_refresh_renews_the_next_shifts_forecast_and_leaves_no_heap_of_them() -> None:
    scene = make_forecast_scene()
    agency = scene.agency
    ForecastRefresh.objects.create(agency=agency, asked_at=timezone.now() - dt.timedelta(seconds=5))
    shift, on = next_shift_instance(agency, timezone.now())
    runs = ForecastRun.objects.filter(agency=agency, shift=shift, on=on)
    runs.delete()
    # Nobody has forecast it yet: alerts are no reason to begin.
    assert forecast_refresh(agency_id=agency.pk) is False
    assert not runs.exists()
    own = forecast_run(run=forecast_run_queue(agency=agency, shift=shift, on=on))
    for _ in range(3):
        assert forecast_refresh(agency_id=agency.pk) is False
    found = list(runs.order_by("pk"))
    assert len(found) == 2
    assert found[0] == own
    assert REFRESH_OF in found[1].config_snapshot


@pytest.mark.browser
def test_a_new_alert_appears_on_an_open_shift_map_within_three_seconds(
    signed_in_page: Any, sent: list[Any]
) -> None:
    scene = make_scene()
    scene.plan(publish=True)
    make_gunfire_type(scene.agency)
    token = make_token(push_feed(scene.agency, "gunfire"))
    page = signed_in_page(make_member(scene.agency, "supervisor"))
    here = reverse("patrols:board", args=["riverton", scene.run.on.isoformat(), scene.shift.slug])
    with page.expect_response(lambda answer: "alerts.geojson" in answer.url):
        page.goto(here)
    page.locator(".mission-label").first.wait_for()
    assert page.locator(".alert-mark").count() == 0
    push(token, "gunfire", [shot(3)])
    page.locator(".alert-mark").first.wait_for(state="attached", timeout=3_000)
    assert "New alert: Gunfire" in page.locator("#alert-news").inner_text()
