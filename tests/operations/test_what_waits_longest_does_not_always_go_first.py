"""Within a queue on Redis: the minute's dispatch and what a person asked for, then a zone's shifts, then the rest."""

from __future__ import annotations

import pytest
from celery import current_app
from django.test import override_settings
from kombu import Connection

from missions_project.operations import queues
from missions_project.settings.base import BY_SCHEDULE, IN_SPARE_TIME

pytestmark = pytest.mark.sqlite_only
SENT = (
    "patrols.tasks.plan_reasons_task",
    "patrols.tasks.shift_planning_task",
    "patrols.tasks.shift_planning_task",
    "patrols.tasks.run_shift_task",
    "missions_project.pipeline.dispatch",
)


@pytest.mark.filterwarnings("ignore:task_always_eager")
def test_a_dispatch_goes_before_a_zones_shifts_and_reasons_after_them(
    redis_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    current_app.loader.import_default_modules()
    with Connection(redis_address) as link:
        for name in SENT:
            current_app.send_task(name, args=(0,), connection=link)
        monkeypatch.setattr(
            queues.current_app, "connection_for_read", lambda **_: Connection(redis_address), raising=False
        )
        with override_settings(CELERY_BROKER_URL=redis_address, CELERY_BROKER_TRANSPORT_OPTIONS={}):
            assert queues.queue_lengths() == {"ingest": 0, "forecast": 0, "plan": 5, "reports": 0}
        channel = link.default_channel
        taken = []
        while (message := channel.basic_get("plan", no_ack=True)) is not None:
            taken.append(message.headers["task"])
    assert taken[:2] == ["patrols.tasks.run_shift_task", "missions_project.pipeline.dispatch"]
    assert taken[2:] == [*list(SENT[1:3]), SENT[0]]


def test_nobody_waits_for_what_is_done_in_spare_time() -> None:
    current_app.loader.import_default_modules()

    def first(name: str) -> int:
        return int(current_app.amqp.router.route({}, name).get("priority") or 0)

    for name in ("patrols.tasks.shift_planning_task", "forecasting.tasks.training_run_task"):
        assert first(name) == BY_SCHEDULE["priority"], name
    for name in (
        "patrols.tasks.plan_reasons_task",
        "patrols.tasks.presence_task",
        "forecasting.tasks.live_score_task",
    ):
        assert first(name) == IN_SPARE_TIME["priority"], name
    for name in (
        "missions_project.pipeline.dispatch",
        "patrols.tasks.run_shift_task",
        "forecasting.tasks.forecast_run_task",
    ):
        assert first(name) == 0, name
