"""Redis delivers a killed worker's message again, hours after its run was done: no error in the log, nothing done."""

from __future__ import annotations

import logging

import pytest

from agencies.models import Agency
from forecasting.models import TrainingRun
from forecasting.tasks import training_run_task
from ingestion.models import ImportRun
from ingestion.services import ImportBusy, import_turns
from ingestion.tasks import import_task
from missions_project.lib.runs import RunStatus
from tests.ingestion.files import plain_feed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILED])
def test_a_run_that_is_anothers_is_left_alone(
    agency: Agency, status: RunStatus, caplog: pytest.LogCaptureFixture
) -> None:
    run = TrainingRun.objects.create(agency=agency, status=status, attempts=1)
    with caplog.at_level(logging.INFO):
        ended = training_run_task.apply((run.pk,))
    assert ended.state == "SUCCESS"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "Nothing left to do" in caplog.text
    run.refresh_from_db()
    assert (run.status, run.attempts, run.error) == (status, 1, "")


def test_an_import_that_must_wait_is_still_tried_again(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ImportRun.objects.create(agency=agency, feed=plain_feed(agency))
    asked: list[int] = []

    def busy(*, run: ImportRun) -> ImportRun:
        asked.append(run.pk)
        if len(asked) < 3:
            raise ImportBusy("Another import runs.", next_step="wait.")
        return run

    monkeypatch.setattr(import_turns, "import_run_execute", busy)
    assert import_task.apply((run.pk,)).get() is None
    assert asked == [run.pk] * 3
