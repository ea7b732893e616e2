"""PostgreSQL that crashes and is back, Redis that is killed and forgets: the same rows as a calm run's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.city import WORKS
from tests.faults.installation import states
from tests.faults.servers import Servers
from tools import up

LACK = up.missing()
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.skipif(bool(LACK), reason=LACK)]
DOWN_SECONDS = 3.0
HELD = {"importrun": 5, "trainingrun": 3, "forecastrun": 3, "missionplan": 2}
"""At which of its signs of life each work waits until the server under it is down: a plan alone is over between two looks."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Of their own: recovery from a crash goes through every file of every database, for more than a minute where there are many."""
    with closing(Servers(tmp_path_factory.mktemp("servers") / "both")) as made:
        yield made


def test_a_crash_of_the_database_and_a_broker_that_forgets_lose_and_double_nothing(
    servers: Servers, tmp_path: Path, calm: dict[str, Any]
) -> None:
    one = servers.installation(tmp_path / "one")
    with closing(one):
        database, broker = (
            (servers.crash_database, servers.start_database),
            (servers.kill_broker, servers.start_broker),
        )
        strikes = dict(zip(HELD, (database, broker, broker, database), strict=True))
        one.have(*(f"{model} {at} nobody once" for model, at in HELD.items()))
        struck: list[str] = []
        keeper = one.keeper()

        def strike() -> None:
            keeper()
            if one.held.exists() and (model := one.held.read_text()):
                down, up_again = strikes[model]
                down()
                struck.append(model)
                one.held.unlink()
                time.sleep(DOWN_SECONDS)
                up_again()

        one.line(*WORKS, keep=strike)
        assert struck == list(HELD)
        assert {what: [status for status, _ in states(one, what)] for what in WORKS} == {
            what: ["succeeded"] for what in WORKS
        }
        found = one.summed()
    assert found["rows"] == calm["rows"]
    assert [run["counts"] for run in found["runs"]] == [run["counts"] for run in calm["runs"]]
    assert all(run["closed"] and not run["error"] for run in found["runs"])


def test_a_worker_that_starts_before_its_database_has_a_scheduler(servers: Servers, tmp_path: Path) -> None:
    one = servers.installation(tmp_path / "one")
    with closing(one):
        servers.crash_database()
        one.start()
        # It has asked for the schedule and got no answer.
        one.wait(lambda: "OperationalError" in one.log)
        servers.start_database()
        one.wait(lambda: one.rows("SELECT 1 FROM operations_pulse WHERE name = 'dispatch'"))
