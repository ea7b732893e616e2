"""Each thing that can be wrong with an installation is planted, found under its own name, and comes with how to mend it."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from agencies.models import BaseMap
from forecasting.models import ForecastRun
from ingestion.services.position_months import PositionMonths
from missions_project.lib.monthly import month_after, month_of
from missions_project.lib.runs import RunStatus
from missions_project.operations import doctor, health
from missions_project.operations.backup.services import MARK
from missions_project.operations.doctor import agencies, installation, services
from missions_project.operations.doctor.findings import CHECKS, Check, Level, examine
from missions_project.operations.models import Pulse
from missions_project.operations.pulses import BEAT, DISPATCH, pulse_write
from patrols.models import ShiftPlanning
from tests.factories import make_agency, make_member, make_operator
from tests.ingestion.files import plain_feed

pytestmark = pytest.mark.django_db
GOOD_KEY = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(autouse=True)
def sound(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with which nothing is wrong."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "missions_project.settings.production")
    settings.SECRET_KEY, settings.BACKUP_KEYS, settings.FEED_SECRETS_KEYS = GOOD_KEY, (GOOD_KEY,), (GOOD_KEY,)
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = ["missions.example.org"], "https://missions.example.org"
    settings.OPERATOR_EMAILS = ("operator@example.org",)
    settings.VAR_DIR, settings.SPOOL_DIR, settings.ARTEFACT_DIR = (
        tmp_path,
        tmp_path / "spool",
        tmp_path / "models",
    )
    for folder in (tmp_path, settings.SPOOL_DIR, settings.ARTEFACT_DIR):
        folder.mkdir(mode=0o700, exist_ok=True)
    tmp_path.chmod(0o700)
    (tmp_path / MARK).touch()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(total=100 * 1024**3, free=50 * 1024**3)
    )
    # SQLite is itself a finding; what is said of it is tested below.
    monkeypatch.setitem(CHECKS, "database", Check("database", "The database", lambda: iter(()), False))
    for name in (BEAT, DISPATCH):
        pulse_write(name=name, now=timezone.now())
    make_operator()
    agency = make_agency()
    BaseMap.objects.create(
        agency=agency, name="Streets", url_template="https://tiles.example.org/{z}/{x}/{y}.png"
    )
    return tmp_path


def found(name: str) -> list[tuple[Level, str]]:
    """What is found under this name; and nothing else may be."""
    rows = examine()
    assert {row.check for row in rows} <= {name}, rows
    assert all(row.next_step for row in rows)
    return [(row.level, row.what) for row in rows]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert examine() == []
    out = io.StringIO()
    call_command("doctor", stdout=out)
    assert "no errors, 0 warnings" in out.getvalue()


SETTINGS: list[tuple[str, str, Any, str]] = [
    ("profile", "DEBUG", True, "DEBUG is on"),
    ("secret_key", "SECRET_KEY", "short", "can be forged"),
    ("secret_key", "SECRET_KEY", "a" * 60, "monotonous"),
    ("hosts", "ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS is"),
    ("hosts", "PUBLIC_URL", "http://missions.example.org", "open connection"),
    ("hosts", "PUBLIC_URL", "https://elsewhere.example.org", "ALLOWED_HOSTS does not"),
    ("folders", "SPOOL_DIR", Path("/nowhere/at/all"), "cannot be written"),
    ("backups", "BACKUP_KEYS", (), "no backup can be made"),
    ("backups", "BACKUP_KEYS", ("short",), "shorter than"),
    ("sealing", "FEED_SECRETS_KEYS", (), "sealed with SECRET_KEY"),
    ("operator", "OPERATOR_EMAILS", (), "Nobody is told"),
    ("mail", "EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "printed"),
]


@pytest.mark.parametrize(("name", "setting", "value", "said"), SETTINGS, ids=lambda value: str(value)[:20])
def test_a_setting_that_is_wrong_is_found(
    settings: Any, name: str, setting: str, value: Any, said: str
) -> None:
    setattr(settings, setting, value)
    ((_, what),) = found(name)
    assert said in what


def test_a_trial_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
    ((level, what),) = found("profile")
    assert level == Level.WARNING
    assert "settings.dev" in what


def test_a_folder_that_everybody_can_open_is_found(sound: Path) -> None:
    (sound / "models").chmod(0o755)
    ((_, what),) = found("folders")
    assert "Every account" in what


@pytest.mark.parametrize(("gib", "level"), [(1.5, Level.WARNING), (0.1, Level.ERROR)])
def test_a_disk_that_fills_up_is_found(monkeypatch: pytest.MonkeyPatch, gib: float, level: Level) -> None:
    usage = SimpleNamespace(total=100 * 1024**3, free=int(gib * 1024**3))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert [row[0] for row in found("disk")] == [level]


def test_static_files_that_were_not_collected_are_found(settings: Any, tmp_path: Path) -> None:
    settings.WHITENOISE_USE_FINDERS, settings.STATIC_ROOT = False, str(tmp_path / "nowhere")
    ((level, what),) = found("static")
    assert level == Level.ERROR
    assert "not collected" in what


def test_a_backup_that_is_old_or_was_never_made_is_found(sound: Path) -> None:
    old = time.time() - 5 * 86_400
    os.utime(sound / MARK, (old, old))
    assert "5 days old" in found("backups")[0][1]
    (sound / MARK).unlink()
    assert "No backup was ever made" in found("backups")[0][1]


def test_a_database_that_is_away_is_one_finding_and_not_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(health, "database_check", away)
    monkeypatch.setattr(health, "migrations_waiting", away)
    monkeypatch.setitem(CHECKS, "database", Check("database", "The database", services.database, False))
    ((level, what),) = found("database")
    assert level == Level.ERROR
    assert "does not answer" in what
    assert "refused" not in what


def test_sqlite_and_an_old_server_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="sqlite"))
    assert "one writer at a time" in next(services.database())[1]
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="postgresql", pg_version=120_004))
    assert "PostgreSQL 12 is older" in next(services.database())[1]
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="postgresql", pg_version=160_001))
    assert list(services.database()) == []


def test_walls_that_do_not_hold_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # On the database itself: test_rows_stay_behind_the_wall.py.
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="sqlite"))
    assert list(services.walls()) == []
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="postgresql"))
    monkeypatch.setattr(services, "walls_passed_by", lambda: "postgres is a superuser")
    monkeypatch.setattr(services, "walls_missing", lambda connection, tables: ["a", "b", "c", "d"])
    passed, missing = services.walls()
    assert "The database role postgres is a superuser" in passed[1]
    assert (missing[0], missing[1]) == (Level.ERROR, "4 tables have no wall (a, b, c, …).")


def test_waiting_migrations_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "migrations_waiting", lambda: ["a.1", "b.2", "c.3", "d.4"])
    ((_, what),) = found("migrations")
    assert "4 migrations are waiting (a.1, b.2, c.3, …)" in what


@pytest.mark.parametrize(("seconds", "wrong"), [(-60, True), (60, True), (1, False)])
def test_clocks_that_differ_are_found(monkeypatch: pytest.MonkeyPatch, seconds: int, wrong: bool) -> None:
    monkeypatch.setattr(services, "connection", SimpleNamespace(vendor="postgresql"))
    monkeypatch.setattr(services, "database_now", lambda: timezone.now() + timedelta(seconds=seconds))
    assert bool(list(services.clock())) is wrong


def test_a_broker_that_is_away_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(health, "broker_check", away)
    ((_, what),) = found("broker")
    assert "no task is sent" in what


def test_queues_that_no_worker_serves_are_named(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://localhost"
    monkeypatch.setattr(health, "broker_check", lambda: None)
    monkeypatch.setattr(services, "queues_served", lambda: {"ingest", "plan"})
    ((_, what),) = found("workers")
    assert what == "No worker serves forecast, reports."


def age(name: str, minutes: int) -> None:
    Pulse.objects.filter(name=name).update(at=timezone.now() - timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lambda: Pulse.objects.all().delete(), "No scheduler ever worked"),
        (lambda: age(BEAT, 20), "No scheduler has worked for 20 minutes"),
        (lambda: age(DISPATCH, 20), "no worker has done its minute's task for 20 minutes"),
        (lambda: Pulse.objects.filter(name=DISPATCH).delete(), "for ever"),
    ],
)
def test_a_scheduler_or_worker_without_a_sign_of_life_is_found(
    plant: Callable[[], object], said: str
) -> None:
    plant()
    ((_, what),) = found("scheduler")
    assert said in what


def test_work_that_waits_and_work_that_fails_are_found() -> None:
    agency, now = make_agency("lakeside"), timezone.now()
    BaseMap.objects.create(
        agency=agency, name="Streets", url_template="https://tiles.example.org/{z}/{x}/{y}.png"
    )
    same = {
        "agency": agency,
        "shift": agency.shift_set.order_by("pk")[0],
        "on": now.date(),
        "period_from": now,
    }
    same |= {"period_to": now, "as_of": now}
    ForecastRun.objects.create(**same, queued_at=now - timedelta(minutes=40))
    ForecastRun.objects.create(**same, status=RunStatus.FAILED, started_at=now, finished_at=now)
    said = " ".join(what for _, what in found("lag"))
    assert "1 forecast runs wait, the oldest for 40 minutes" in said
    assert "1 of 1 forecast runs failed" in said


def test_a_mail_server_that_is_away_is_found(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    ((_, what),) = found("mail")
    assert "127.0.0.1:1 does not take us" in what


def test_an_installation_without_an_operator_is_found() -> None:
    from agencies.models import User

    User.objects.filter(is_superuser=True).update(is_active=False)
    ((_, what),) = found("operator_account")
    assert "Nobody may administer" in what


def test_a_model_file_that_is_lost_or_of_another_release_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    version = SimpleNamespace(
        agency=SimpleNamespace(name="Riverton", slug="riverton"),
        crime_type=SimpleNamespace(name="Burglary"),
        artefact="riverton/burglary.joblib",
        artefact_hash="0" * 64,
        summary={"library": "scikit-learn 0.1"},
    )
    rows = SimpleNamespace(live=lambda: rows, select_related=lambda *_: rows, order_by=lambda *_: [version])
    monkeypatch.setattr(agencies, "ModelVersion", SimpleNamespace(objects=rows))
    ((_, what),) = found("models")
    assert what.startswith("Riverton, Burglary: The model file riverton/burglary.joblib cannot be read")
    monkeypatch.setattr(agencies, "artefact_check", lambda **_: b"")
    ((_, what),) = found("models")
    assert "made with scikit-learn 0.1" in what


def test_late_forecasts_and_silent_feeds_are_found() -> None:
    agency, now = make_agency("lakeside"), timezone.now()
    BaseMap.objects.create(
        agency=agency, name="Streets", url_template="https://tiles.example.org/{z}/{x}/{y}.png"
    )
    shift = agency.shift_set.order_by("pk")[0]
    due = now - timedelta(minutes=45)
    ShiftPlanning.objects.create(agency=agency, shift=shift, on=now.date(), due_at=due, message="No grid.")
    feed = plain_feed(agency)
    feed.silent_after_hours = 2
    feed.save()
    said = " ".join(what for _, what in found("troubles"))
    assert f"the forecast of {shift.name} {now.date()} was due" in said
    assert "(No grid.)" in said
    assert f"no new rows from “{feed.name}”" in said


def test_an_agency_without_a_base_map_is_found() -> None:
    BaseMap.objects.all().delete()
    ((_, what),) = found("base_maps")
    assert "Riverton PD has no base map" in what


def test_a_look_that_breaks_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def broken() -> Any:
        raise KeyError("odd")

    monkeypatch.setitem(CHECKS, "disk", Check("disk", "Room on the disk", broken, False))
    ((level, what),) = found("disk")
    assert level == Level.ERROR
    assert "could not be looked at" in what


def test_the_command_ends_with_one_for_errors_and_prints_json(settings: Any) -> None:
    settings.OPERATOR_EMAILS = ()
    out = io.StringIO()
    call_command("doctor", stdout=out)
    assert "Next step: set OPERATOR_EMAILS" in out.getvalue()
    with pytest.raises(CommandError, match="0 errors, 1 warnings"):
        call_command("doctor", strict=True, stdout=io.StringIO())
    settings.SECRET_KEY = "short"
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 errors, 1 warnings"):
        call_command("doctor", json=True, stdout=out)
    told = json.loads(out.getvalue())
    assert {row["check"] for row in told["findings"]} == {"secret_key", "operator"}
    assert told["checks"] == list(doctor.CHECKS)


def test_months_of_positions_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a real table: tests/ingestion/test_positions_lie_in_months.py.
    later = month_after(month_of(timezone.now()), 2)
    states = (
        PositionMonths(is_kept=True, missing=(later,)),
        PositionMonths(is_kept=True, rest_holds_rows=True),
    )
    for state, levels in zip(states, ([], [Level.WARNING]), strict=True):
        monkeypatch.setattr(services, "position_months_state", lambda now, state=state: state)
        assert [level for level, _ in found("position_months")] == levels


def test_every_check_is_tested_here() -> None:
    text = Path(__file__).read_text()
    missing = [name for name in CHECKS if f'"{name}"' not in text and f".{name}()" not in text]
    assert not missing
    assert installation.Level is Level
    assert make_member is not None
