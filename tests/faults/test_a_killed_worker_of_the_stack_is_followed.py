"""SIGKILL of the production stack's workers, on PostgreSQL and Redis: by signs of life, and by messages that nobody acknowledged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.city import WORKS
from tests.faults.installation import EARLY, LATE, closing, states
from tests.faults.servers import Servers
from tools import up

LACK = up.missing()
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.skipif(bool(LACK), reason=LACK)]
TASKS = {
    "import": "ingestion.tasks.import_task", "training": "forecasting.tasks.training_run_task",
    "forecast": "forecasting.tasks.forecast_run_task", "plan": "patrols.tasks.plan_task",
}  # fmt: skip
RECEIVED = ("importrun received group once", "trainingrun received group once", "forecastrun received group once", "missionplan received group once")  # fmt: skip
"""The worker has the message and has not begun: the row waits still."""


def test_each_work_killed_twice_ends_as_if_nothing_had_been(
    servers: Servers, tmp_path: Path, calm: dict[str, Any]
) -> None:
    with closing(servers.stack(tmp_path / "one")) as one:
        one.have(*EARLY, *LATE)
        one.line(*WORKS, keep=one.keeper())
        assert sorted(one.deaths) == sorted((*EARLY, *LATE)), "each fault must have struck"
        assert {what: states(one, what) for what in WORKS} == {what: [("succeeded", 3)] for what in WORKS}
        for task in TASKS.values():
            # Redis keeps what the dead held for four hours: who followed was sent for by the dispatcher, each time.
            assert len(one.begun(task)) == len(set(one.begun(task))) >= 3, task
        found = one.summed()
    assert found["rows"] == calm["rows"]
    assert [run["counts"] for run in found["runs"]] == [run["counts"] for run in calm["runs"]]
    assert all(run["closed"] and not run["error"] for run in found["runs"])


def test_a_message_of_a_killed_worker_is_delivered_again_and_one_delivered_twice_is_done_once(
    servers: Servers, tmp_path: Path, calm: dict[str, Any]
) -> None:
    with closing(servers.stack(tmp_path / "one")) as one:
        # Nobody is taken for dead here: the broker alone brings the work back.
        one.environment |= {"FAULTS_PATIENCE": "3600", "FAULTS_EVERY": "5", "FAULTS_VISIBILITY": "2"}
        one.have(*RECEIVED, "missionplan 2 nobody once")
        keeper, second, seen = one.keeper(), one.keeper(only="worker.plan"), []

        def keep() -> None:
            keeper()
            second()
            # The plan is at work at one worker; two seconds later the other one is given the same message.
            if one.held.exists() and len(one.begun(TASKS["plan"])) >= 3:
                seen.extend(states(one, "plan"))
                one.held.unlink()

        one.line(*WORKS, keep=keep)
        assert sorted(one.deaths) == sorted((*RECEIVED, "missionplan 2 nobody once"))
        assert seen == [("running", 1)]
        assert {what: states(one, what) for what in WORKS} == {what: [("succeeded", 1)] for what in WORKS}
        for task in TASKS.values():
            assert len(one.begun(task)) > len(set(one.begun(task))) == 1, task
        told = (one.folder / "worker.log").read_text()
        assert "raised unexpected" not in told, "an operator would look for a fault"
        found = one.summed()
    assert found["rows"] == calm["rows"]
    assert [run["counts"] for run in found["runs"]] == [run["counts"] for run in calm["runs"]]
    assert all(run["closed"] and not run["error"] for run in found["runs"])
