"""A broker that is away breaks no page: what has a row waits in the database and is sent for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from agencies.models import User
from forecasting.models import ForecastRun
from forecasting.tasks import forecast_run_task
from missions_project import pipeline
from missions_project.lib.runs import RunStatus
from patrols.tasks import run_shift_task
from tests.factories import make_grid

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def away(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("Error 111 connecting to 127.0.0.1:6379. Connection refused.")


def test_only_work_that_the_dispatcher_sends_for_again_may_lose_its_message() -> None:
    forgiving = {name for name, task in current_app.tasks.items() if getattr(task, "sent_again", False)}
    assert forgiving == {task.name for _, task in pipeline._RUNS}


def test_a_forecast_asked_for_meanwhile_waits_and_is_sent_for_again(
    owner: User,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    make_grid(owner.memberships.get().agency)
    address = reverse("forecasting:risk_forecast", args=["riverton"])
    monkeypatch.setattr(forecast_run_task, "delay", away)
    with django_capture_on_commit_callbacks(execute=True):
        answer = sign_in(owner).post(address, {"shift": "evening", "date": "2025-03-14"})
    assert answer.status_code == 302
    run = ForecastRun.objects.get()
    assert run.status == RunStatus.QUEUED
    sent: list[int] = []
    monkeypatch.setattr(forecast_run_task, "delay", sent.append)
    ForecastRun.objects.update(queued_at="2025-03-14T00:00Z", heartbeat_at=None)
    assert pipeline.resend_forgotten() == 1
    assert sent == [run.pk]


def test_work_without_a_row_says_that_it_was_not_taken(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    monkeypatch.setattr(run_shift_task, "delay", away)
    with pytest.raises(OperationalError), django_capture_on_commit_callbacks(execute=True):
        run_shift_task.delay_on_commit(1, 1, "2025-03-14", None)
