"""Late plans, silent feeds and drift reach the operator by e-mail and web-hook: once when they begin, once when they are over."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone, translation

from forecasting.models import ModelVersion, ModelWeek, TrainingRun
from ingestion.models import Feed, ImportRun
from ingestion.selectors.silence import silences, silences_everywhere
from missions_project import pipeline
from missions_project.lib.deliveries import signature
from missions_project.lib.http import Fetcher
from missions_project.operations import watch
from missions_project.operations.alerts import (
    _by_language,
    alert_send,
    alerts_claim,
    alerts_look_due,
    alerts_update,
)
from missions_project.operations.models import Alert, AlertDelivery
from missions_project.operations.watch import troubles
from patrols.models import ShiftPlanning
from tests.factories import make_agency, make_grid, make_member, make_operator
from tests.patrols.scenes import make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(settings: Any) -> None:
    settings.OPERATOR_EMAILS = ("operator@example.org",)
    settings.PUBLIC_URL = "https://missions.example.org"


def late(
    minutes: int, *, now: datetime, state: str = "queued", slug: str = "riverton", **fields: Any
) -> ShiftPlanning:
    agency = make_agency(slug)
    shift = agency.shift_set.order_by("pk")[0]
    due = now - timedelta(minutes=minutes)
    return ShiftPlanning.objects.create(
        agency=agency, shift=shift, on=now.date(), due_at=due, state=state, **fields
    )


def send_all(now: datetime) -> int:
    found = alerts_claim(now=now + timedelta(seconds=1))
    for pk, attempt in found:
        alert_send(pk=pk, attempt=attempt)
    return len(found)


@pytest.mark.parametrize(
    ("minutes", "state", "kinds"),
    [
        (29, "queued", []),
        (31, "queued", ["forecast_late"]),
        (31, "running", ["forecast_late"]),
        (31, "failed", ["forecast_late"]),
        (31, "done", []),
        (60 * 25, "queued", []),
    ],
)
def test_a_round_is_late_half_an_hour_after_it_was_due(minutes: int, state: str, kinds: list[str]) -> None:
    now = timezone.now()
    late(minutes, now=now, state=state)
    assert [row.kind for row in troubles(now=now)] == kinds


def test_with_a_forecast_it_is_the_plan_that_is_late_and_of_rounds_the_newest_counts() -> None:
    now, scene = timezone.now(), make_scene()
    row = {"agency": scene.agency, "shift": scene.shift, "on": now.date(), "forecast_run": scene.run}
    ShiftPlanning.objects.create(**row, round=0, due_at=now - timedelta(minutes=90))
    ShiftPlanning.objects.create(**row, round=1, due_at=now - timedelta(minutes=40), message="No units.")
    (only,) = troubles(now=now)
    assert only.kind == "plan_late"
    assert "(No units.)" in only.what
    assert f"/riverton/shifts/{now.date()}/" in only.next_step


def test_an_alert_is_sent_once_and_again_when_it_is_over() -> None:
    now = timezone.now()
    row = late(45, now=now)
    assert alerts_update(now=now) == (1, 0)
    assert alerts_update(now=now) == (0, 0)
    assert send_all(now) == 1
    assert send_all(now) == 0
    (first,) = mail.outbox
    assert first.to == ["operator@example.org"]
    assert first.subject.startswith("[Missions] Riverton PD: the forecast of")
    assert "\n" not in first.subject
    assert "Next step: see https://missions.example.org/riverton/" in first.body
    ShiftPlanning.objects.filter(pk=row.pk).update(state="done")
    assert alerts_update(now=now) == (0, 1)
    assert send_all(now) == 1
    assert mail.outbox[1].subject.startswith("[Missions] Over: ")
    # The same trouble another time is another alert.
    ShiftPlanning.objects.filter(pk=row.pk).update(state="failed")
    assert alerts_update(now=now) == (1, 0)
    assert Alert.objects.count() == 2


def test_each_operator_reads_the_alert_in_their_own_language(settings: Any, translated: None) -> None:
    settings.OPERATOR_EMAILS = ("Jefa@example.org", "team@example.org", "old@example.org")
    operator = make_operator(username="jefa")
    operator.email, operator.language = "jefa@example.org", "es"
    operator.save()
    gone = make_operator(username="gone")
    gone.email, gone.language, gone.is_active = "old@example.org", "es", False
    gone.save()
    now = timezone.now()
    # Whatever the worker speaks, the alert is kept in English.
    with translation.override("es"):
        row = late(45, now=now)
        alerts_update(now=now)
        assert send_all(now) == 1
    assert "the forecast of" in Alert.objects.get().what
    told = {tuple(message.to): message for message in mail.outbox}
    spanish, english = told[("Jefa@example.org",)], told[("team@example.org", "old@example.org")]
    assert "el pronóstico de" in spanish.subject
    assert "Siguiente paso: " in spanish.body
    assert "Next step" not in spanish.body
    assert "the forecast of" in english.subject
    assert "Next step: see https://missions.example.org/riverton/" in english.body
    ShiftPlanning.objects.filter(pk=row.pk).update(state="done")
    alerts_update(now=now)
    send_all(now)
    assert mail.outbox[2].subject.startswith("[Missions] Resuelto: ")
    # Nobody else is a user: the installation's language decides.
    settings.LANGUAGE_CODE, settings.OPERATOR_EMAILS = "es", ("team@example.org",)
    ShiftPlanning.objects.filter(pk=row.pk).update(state="failed")
    alerts_update(now=now)
    send_all(now)
    assert "Siguiente paso: " in mail.outbox[-1].body


def test_who_reads_which_language(settings: Any, django_assert_num_queries: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    for name, address, language, is_active in (
        ("one", "one@example.org", "es", True),
        ("two", "two@example.org", "", True),
        ("off", "off@example.org", "es", False),
    ):
        user = make_operator(username=name)
        user.email, user.language, user.is_active = address, language, is_active
        user.save()
    with django_assert_num_queries(1):
        found = _by_language(("ONE@example.org", "two@example.org", "off@example.org", "team@example.org"))
    assert found == {
        "es": ["ONE@example.org"],
        "en": ["two@example.org", "off@example.org", "team@example.org"],
    }


def test_a_web_hook_gets_signed_json(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bytes, dict[str, str]]] = []
    monkeypatch.setattr(Fetcher, "post", lambda _, url, *, body, headers: sent.append((url, body, headers)))
    settings.OPERATOR_EMAILS, settings.OPERATOR_WEBHOOK_URL = (), "https://hooks.example.org/x"
    settings.OPERATOR_WEBHOOK_SECRET = "a secret"
    now = timezone.now()
    late(45, now=now)
    alerts_update(now=now)
    assert send_all(now) == 1
    ((url, body, headers),) = sent
    assert url == "https://hooks.example.org/x"
    told = json.loads(body)
    assert (told["event"], told["kind"], told["agency"], told["closed_at"]) == (
        "raised",
        "forecast_late",
        "riverton",
        None,
    )
    expected = signature("a secret", headers["X-Missions-Timestamp"], body)
    assert headers["X-Missions-Signature"] == f"sha256={expected}"


def test_a_mail_server_that_is_away_is_tried_again(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    now = timezone.now()
    late(45, now=now)
    alerts_update(now=now)
    send_all(now)
    delivery = AlertDelivery.objects.get()
    assert delivery.state == "waiting"
    assert "check EMAIL_HOST" in delivery.error
    assert delivery.next_at > now


def test_nobody_looks_where_nobody_is_to_be_told(settings: Any, django_assert_num_queries: Any) -> None:
    now = timezone.now()
    assert alerts_look_due(now=now)
    assert not alerts_look_due(now=now + timedelta(minutes=4))
    assert alerts_look_due(now=now + timedelta(minutes=5))
    settings.OPERATOR_EMAILS = ()
    with django_assert_num_queries(0):
        assert not alerts_look_due(now=now + timedelta(minutes=20))


def test_the_dispatcher_looks_and_sends() -> None:
    late(45, now=timezone.now())
    # Tasks are done in place: the first minute's look writes, and what it wrote is sent at once or in the next.
    pipeline.alerts_due()
    pipeline.alerts_due()
    assert len(mail.outbox) == 1


def test_all_agencies_cost_no_more_queries_than_one(django_assert_num_queries: Any) -> None:
    now = timezone.now()
    late(45, now=now)
    late(45, now=now, slug="lakeside")
    with django_assert_num_queries(4):
        assert len(troubles(now=now)) == 2
    assert timedelta(minutes=30) == watch.LATE_AFTER


def test_the_operators_page_is_the_operators_alone(sign_in: Any) -> None:
    now = timezone.now()
    late(45, now=now)
    alerts_update(now=now)
    assert sign_in(None).get("/operator/").url.startswith("/accounts/login/")
    member = make_member(make_agency("lakeside"), "admin")
    assert sign_in(member).get("/operator/").status_code == 404
    answer = sign_in(make_operator()).get("/operator/")
    assert answer.status_code == 200
    text = answer.content.decode()
    for said in (
        "Riverton PD: the forecast of",
        "Database",
        "not well",
        "Forecast runs",
        "The last alerts",
        "none was made here",
    ):
        assert said in text, said


def test_the_operators_page_costs_the_same_for_many_agencies(
    sign_in: Any, django_assert_max_num_queries: Any
) -> None:
    client = sign_in(make_operator())
    client.get("/operator/")
    for slug in ("a1", "b2", "c3"):
        late(45, now=timezone.now(), slug=slug)
    with django_assert_max_num_queries(34) as captured:
        client.get("/operator/")
    before = len(captured)
    late(45, now=timezone.now(), slug="d4")
    with django_assert_max_num_queries(before):
        client.get("/operator/")


@pytest.mark.parametrize("agencies", [3, 30])
def test_the_look_costs_the_same_for_three_agencies_and_for_thirty(
    agencies: int, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    for number in range(agencies):
        agency = make_agency(f"a{number:02}")
        # The last day's rows did not come, those of the other did, and the third kind is judged by its own hours.
        for slug, hours, own in (("stopped", 70, None), ("going", 2, None), ("strict", 5, 4)):
            feed = Feed.objects.create(agency=agency, slug=slug, name=slug, silent_after_hours=own)
            ImportRun.objects.bulk_create(
                ImportRun(agency=agency, feed=feed, queued_at=now - timedelta(hours=hours + 24 * day), counts={"inserted": 1})
                for day in range(10)
            )  # fmt: skip
        version = ModelVersion.objects.create(
            agency=agency, crime_type=agency.crimetype_set.all()[0], run=TrainingRun.objects.create(agency=agency),
            grid=make_grid(agency), number=1, champion="x", beats_baseline=True, artefact="x", artefact_hash="x", state="live",
            trained_from=now, trained_to=now, n_incidents=1, data_hash="x", approved_at=now,
        )  # fmt: skip
        ModelWeek.objects.bulk_create(
            ModelWeek(
                agency=agency, version=version, week_from=now.date() - timedelta(weeks=60 - week), n_shifts=21, expected=50.0,
                observed=200, log_score=-300.0, measured_at=now,
            )
            for week in range(8)
        )  # fmt: skip
    with django_assert_num_queries(9):
        found = troubles(now=now)
    assert [row.kind for row in found].count("drift") >= agencies
    quiet = [row.key.rpartition(":")[2] for row in found if row.kind == "feed_silent"]
    assert quiet == ["stopped", "strict"] * agencies
    alone = silences(agency, Feed.objects.filter(agency=agency), now=now)
    assert silences_everywhere(Feed.objects.filter(agency=agency), now=now) == alone
    assert len(alone) == 2
