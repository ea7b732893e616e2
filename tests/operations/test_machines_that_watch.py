"""Health, readiness and metrics: what a machine is told, and what nobody is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from missions_project.operations import health
from missions_project.operations.measures import request_count
from missions_project.operations.pulses import BEAT, pulse_write
from tests.factories import make_agency
from tests.ingestion.files import plain_feed


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    health._migrated.clear()


def test_a_living_process_says_so_without_asking_anybody(client: Client) -> None:
    # No database fixture: a query would fail this test.
    answer = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert answer.status_code == 200
    assert answer.json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_is_database_migrations_and_broker(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["database", "migrations", "broker"])
def test_what_is_not_ready_is_named_and_why_is_not(
    client: Client, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def away() -> None:
        raise OSError("redis://missions:hunter2@10.0.0.9 refused")

    monkeypatch.setitem(health.READY, part, away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"][part] == "failed"
    assert b"hunter2" not in answer.content
    assert b"10.0.0.9" not in answer.content


@pytest.mark.django_db
def test_waiting_migrations_are_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "migrations_waiting", lambda: ["patrols.9999_tomorrow"])
    assert client.get("/readyz").json()["checks"]["migrations"] == "failed"


@pytest.mark.django_db
def test_metrics_tell_feeds_forecasts_queues_and_no_person(client: Client) -> None:
    agency = make_agency()
    plain_feed(agency)
    pulse_write(name=BEAT, now=timezone.now())
    request_count(method="BREW", status=418, seconds=0.1)
    text = client.get("/metrics").content.decode()
    for name in (
        "missions_up 1.0",
        'missions_runs_queued{kind="forecastrun"} 0.0',
        'missions_queue_lag_seconds{kind="importrun"} 0.0',
        'missions_queue_tasks{queue="forecast"}',
        'missions_pulse_age_seconds{name="beat"}',
        'missions_http_requests_total{method="other",status="4xx"}',
    ):
        assert name in text, name
    assert not any(f'{label}="' in text for label in ("user", "person", "username", "unit", "officer"))
    assert "BREW" not in text


@pytest.mark.django_db
def test_metrics_are_for_the_token_or_this_machine_alone(client: Client, settings: Any) -> None:
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert client.get("/metrics", headers={"x-forwarded-for": "8.8.8.8"}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 404
    settings.METRICS_TOKEN = "a long token"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer other"}).status_code == 404
    there = client.get("/metrics", headers={"authorization": "Bearer a long token"}, REMOTE_ADDR="10.0.0.9")
    assert there.status_code == 200


@pytest.mark.django_db
def test_a_database_that_is_away_leaves_metrics_that_say_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from missions_project.operations import metrics

    def away(now: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(metrics, "_from_database", away)
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "missions_up 0.0" in answer.content.decode()


def test_every_mistake_in_the_settings_is_told_at_once_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from missions_project.settings import environment

    monkeypatch.setattr(environment, "problems", [])
    for name, value in (
        ("A", "many"),
        ("B", "0"),
        ("C", "perhaps"),
        ("D", "ftp://x"),
        ("E", "xml"),
        ("F", " "),
    ):
        monkeypatch.setenv(name, value)
    assert environment.whole("A", 5) == 5
    assert environment.whole("B", 5) == 5
    assert environment.flag("C") is False
    environment.address("D", "", ("https", "http"))
    assert environment.choice("E", "plain", ("plain", "json")) == "plain"
    environment.required("F", "secret")
    with pytest.raises(ImproperlyConfigured) as told:
        environment.check()
    lines = str(told.value).splitlines()
    assert len(lines) == 7
    assert all("Next step:" in line for line in lines[1:])
    # Told once: what is mended is not told again.
    environment.check()


def test_values_that_make_sense_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from missions_project.settings import environment

    monkeypatch.setattr(environment, "problems", [])
    for name, value in (("A", " 7 "), ("B", "yes"), ("C", "a, b,,c ")):
        monkeypatch.setenv(name, value)
    assert (environment.whole("A", 5), environment.flag("B"), environment.listed("C")) == (
        7,
        True,
        ("a", "b", "c"),
    )
    assert environment.address("UNSET_ADDRESS", "", ("https",)) == ""
    environment.check()


def test_an_env_file_fills_in_what_the_environment_does_not_say(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from missions_project.settings import environment

    file = tmp_path / "env"
    file.write_text("MISSIONS_TEST_ONE='a b'\nMISSIONS_TEST_TWO=file # why\n")
    monkeypatch.setenv("MISSIONS_ENV_FILE", str(file))
    monkeypatch.setenv("MISSIONS_TEST_TWO", "environment")
    monkeypatch.setenv("MISSIONS_TEST_ONE", "")
    monkeypatch.delenv("MISSIONS_TEST_ONE")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "missions_project.settings.production")
    environment.load_env_file()
    assert (os.environ["MISSIONS_TEST_ONE"], os.environ["MISSIONS_TEST_TWO"]) == ("a b", "environment")
    monkeypatch.setenv("MISSIONS_ENV_FILE", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match="Next step"):
        environment.load_env_file()
