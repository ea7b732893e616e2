"""SIGKILL in the middle of import, training, forecast and planning: the next worker goes on, and the end is a calm run's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from missions_project.lib.runs import MAX_ATTEMPTS
from tests.faults.city import WORKS
from tests.faults.installation import EARLY, LATE, Installation, states

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]


def test_each_work_killed_twice_ends_as_if_nothing_had_been(
    before: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    rough = before("import")
    rough.have(*EARLY, *LATE)
    rough.line(*WORKS, keep=rough.keeper())
    assert sorted(rough.deaths) == sorted((*EARLY, *LATE)), "each fault must have struck"
    found = rough.summed()
    assert found["rows"] == calm["rows"]
    assert {what: states(rough, what) for what in WORKS} == {what: [("succeeded", 3)] for what in WORKS}
    assert [run["counts"] for run in found["runs"]] == [run["counts"] for run in calm["runs"]]
    assert all(run["closed"] and not run["error"] for run in found["runs"])


def test_a_work_that_kills_its_worker_each_time_is_given_up_and_holds_up_nobody(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    rough = either("forecast")
    poison = "trainingrun 3 child always"
    rough.have(poison)
    keeper = rough.keeper()
    rough.order("ask", "training")
    rough.wait(lambda: rough.deaths, keep=keeper)
    # Into the same queue, while the poison waits for its next try.
    rough.line("forecast", "plan", keep=keeper)
    assert rough.deaths == [poison] * MAX_ATTEMPTS
    # The one of the calm part, and the poison.
    assert states(rough, "training") == [("succeeded", 1), ("failed", MAX_ATTEMPTS)]
    ((error,),) = rough.rows("SELECT error FROM forecasting_trainingrun WHERE status = 'failed'")
    assert f"The worker died {MAX_ATTEMPTS} times" in error
    assert "Next step:" in error
    assert [states(rough, what) for what in ("forecast", "plan")] == [[("succeeded", 1)]] * 2
    assert rough.summed()["rows"] == calm["rows"]
