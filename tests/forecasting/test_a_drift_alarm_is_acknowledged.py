"""A drift alarm can be answered for: by whom, when and why is kept, and only new weeks raise it anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, User
from forecasting.engine.drift import Limits, alarms
from forecasting.models import DriftAcknowledgement, ModelVersion, ModelWeek
from forecasting.selectors import DriftAlarm, drift_of, live_alarms
from forecasting.services import drift_acknowledge
from missions_project.lib.errors import MissionsError
from tests.forecasting.scenes import Scene
from tests.forecasting.test_drift_is_measured import weeks

SignIn = Callable[[User | None], Client]
REASON = "The fair was in town; it ends on Sunday."
OFF = [1.0, 1.0, 1.7, 1.8]


@pytest.fixture
def version(scene: Scene) -> ModelVersion:
    """The live burglary model with two bad weeks behind it."""
    weeks(scene.version(), OFF, ends_days_ago=60)
    return scene.version()


@pytest.fixture
def boss(scene: Scene, member: Callable[[str], User]) -> User:
    return member("admin")


def only_alarm(version: ModelVersion) -> DriftAlarm:
    (alarm,) = drift_of(version).alarms
    return alarm


def acknowledge(version: ModelVersion, actor: User | None = None, **changed: object) -> DriftAcknowledgement:
    alarm = only_alarm(version)
    given = {"rule": alarm.rule, "through_week": alarm.through_week, "reason": REASON} | changed
    return drift_acknowledge(version=version, actor=actor, **given)  # type: ignore[arg-type]


def next_weeks(version: ModelVersion, ratios: list[float]) -> None:
    """More settled weeks behind those that are there."""
    newest = ModelWeek.objects.filter(version=version).order_by("-week_from")[0]
    ModelWeek.objects.bulk_create(
        ModelWeek(
            agency=version.agency, version=version, week_from=newest.week_from + dt.timedelta(weeks=number),
            n_shifts=21, expected=50.0, observed=round(50 * ratio), log_score=-300.0, measured_at=timezone.now(),
        )
        for number, ratio in enumerate(ratios, start=1)
    )  # fmt: skip


def test_it_keeps_who_when_why_and_what_was_seen(version: ModelVersion, boss: User) -> None:
    text = only_alarm(version).text
    row = acknowledge(version, boss)
    (event,) = AuditEvent.objects.filter(action="modelversion.drift_acknowledged")
    assert (event.actor, event.subject) == (boss, str(version))
    assert event.detail["note"] == row.reason == REASON
    assert event.detail["alarm"] == row.alarm == text
    assert event.detail["through_week"] == row.through_week.isoformat()
    alarm = only_alarm(version)
    assert alarm.acknowledged == row
    assert alarm.text == text
    assert drift_of(version).open_alarms == ()


def test_it_stays_acknowledged_until_new_weeks_alarm(version: ModelVersion, boss: User) -> None:
    acknowledge(version, boss)
    next_weeks(version, [1.0, 1.0, 1.0])
    assert not only_alarm(version).is_open
    next_weeks(version, [1.8, 1.9])
    alarm = only_alarm(version)
    assert alarm.is_open
    # Told of the new weeks alone: what was answered for is not counted twice.
    assert "More than expected: 185 where 100.0 were expected" in alarm.text
    acknowledge(version, boss)
    assert not only_alarm(version).is_open
    assert DriftAcknowledgement.objects.filter(version=version).count() == 2


def test_an_alarm_of_another_kind_is_not_covered(version: ModelVersion, boss: User) -> None:
    acknowledge(version, boss)
    next_weeks(version, [0.4, 0.4, 0.4])
    found = {alarm.rule: alarm.is_open for alarm in drift_of(version).alarms}
    assert found == {"fewer": True, "more": False}


def test_an_alarm_that_late_reports_took_away_is_not_shown_as_acknowledged(
    version: ModelVersion, boss: User
) -> None:
    acknowledge(version, boss)
    ModelWeek.objects.filter(version=version).update(observed=50)
    assert drift_of(version).alarms == ()


def test_without_a_reason_or_an_alarm_or_with_an_old_page_nothing_changes(
    version: ModelVersion, boss: User
) -> None:
    seen = only_alarm(version)
    for changed, words in (
        ({"reason": "  "}, "needs its reason"),
        ({"rule": "fewer"}, "no open alarm"),
        ({"through_week": seen.through_week - dt.timedelta(days=7)}, "newer week has settled"),
        ({"through_week": None}, "newer week has settled"),
    ):
        with pytest.raises(MissionsError, match=words):
            acknowledge(version, boss, **changed)
    acknowledge(version, boss)
    with pytest.raises(MissionsError, match="no open alarm"):
        acknowledge(version, boss)
    assert DriftAcknowledgement.objects.count() == 1
    assert AuditEvent.objects.filter(action="modelversion.drift_acknowledged").count() == 1


def test_one_alarm_is_answered_for_once(version: ModelVersion, boss: User) -> None:
    row = acknowledge(version, boss)
    row.pk = None
    with pytest.raises(IntegrityError):
        row.save(force_insert=True)


def press(client: Client, version: ModelVersion, **changed: str) -> int:
    alarm = only_alarm(version)
    address = reverse("admin:forecasting_modelversion_acknowledge", args=[version.pk])
    form = {"rule": alarm.rule, "through_week": alarm.through_week.isoformat(), "note": REASON} | changed
    return client.post(address, form).status_code


def test_who_may_approve_models_may_acknowledge_and_nobody_else(
    version: ModelVersion, boss: User, analyst: User, supervisor: User, stranger: User, sign_in: SignIn
) -> None:
    for person in (analyst, supervisor, stranger, None):
        assert press(sign_in(person), version) in {302, 403, 404}
        assert not DriftAcknowledgement.objects.exists(), person
    assert press(sign_in(boss), version, note="") == 302
    assert press(sign_in(boss), version, through_week="never") == 302
    assert not DriftAcknowledgement.objects.exists()
    assert press(sign_in(boss), version) == 302
    assert DriftAcknowledgement.objects.get().actor == boss


def test_the_pages_show_it_as_acknowledged(
    scene: Scene, version: ModelVersion, boss: User, sign_in: SignIn
) -> None:
    client = sign_in(boss)
    card = reverse("forecasting:model", args=[scene.agency.slug, "burglary"])
    change = reverse("admin:forecasting_modelversion_change", args=[version.pk])
    listed = reverse("admin:forecasting_modelversion_changelist")
    assert "Acknowledge the alarm" in client.get(change).content.decode()
    assert f'<a href="{change}">acknowledge it with your reason' in client.get(card).content.decode()
    press(client, version)
    for address in (card, change):
        page = client.get(address).content.decode()
        assert REASON in page
        assert f" by {boss} on " in page
    assert 'role="alert"' not in client.get(card).content.decode()
    assert "Acknowledge the alarm" not in client.get(change).content.decode()
    assert 'class="drift-acknowledged"' in client.get(listed).content.decode()
    risk = reverse("forecasting:risk", args=[scene.agency.slug])
    where = {"shift": scene.shift.slug, "date": scene.run.on.isoformat(), "type": "burglary"}
    assert "Drift alarm, acknowledged." in client.get(risk, where).content.decode()
    assert live_alarms(scene.agency)[version.pk][0].acknowledged is not None
    out = StringIO()
    call_command("drift", agency=scene.agency.slug, stdout=out)
    assert "ALARM" not in out.getvalue()
    assert f"acknowledged {timezone.now():%Y-%m-%d}" in out.getvalue()


def test_a_sum_that_starts_anew_is_never_above_the_one_that_does_not() -> None:
    rng = np.random.default_rng(4)
    expected, observed, skill = np.full(30, 40.0), rng.poisson(50.0, 30).astype(float), rng.normal(0, 1, 30)
    _, whole = alarms(expected, observed, skill, Limits())
    for first in (0, 1, 12, 30, 99):
        _, part = alarms(expected, observed, skill, Limits(), dict.fromkeys(whole, first))
        for rule, values in part.items():
            assert len(values) == 30
            assert (values <= whole[rule] + 1e-12).all()
            assert (values[:first] == 0).all()
