"""PostgreSQL that crashes and is back, Redis that is killed and forgets: the same rows as a calm run's."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.city import WORKS
from tests.faults.installation import Installation, closing, states
from tools import postgres, up

LACK = up.missing()
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.skipif(bool(LACK), reason=LACK)]
DOWN_SECONDS = 3.0
HELD = {"importrun": 5, "trainingrun": 3, "forecastrun": 3, "missionplan": 2}
"""At which of its signs of life each work waits until the server under it is down: a plan alone is over between two looks."""


class Servers:
    """A PostgreSQL and a Redis that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        binaries = postgres.find_binaries()
        assert binaries is not None
        self.binaries = binaries
        self.database_port, self.broker_port = postgres.free_port(), postgres.free_port()
        self.data = up.postgres_folder(folder)
        up.cluster_ensure(self.data, binaries)
        self.start_database()
        self.start_broker()

    def installation(self, folder: Path) -> Installation:
        """One that uses these two."""
        return Installation(
            folder,
            database_url=f"postgres://{up.NAME}@127.0.0.1:{self.database_port}/postgres",
            broker_url=f"redis://127.0.0.1:{self.broker_port}/0",
        )

    def start_database(self) -> None:
        self.database = up.start_database(
            self.data, self.binaries, self.database_port, self.folder / "postgres.log"
        )
        up.wait_for_database({}, self.binaries, self.database_port)
        up.role_ensure(self.binaries, self.database_port)

    def start_broker(self) -> None:
        self.broker = up.start_redis(
            self.folder / f"redis{time.monotonic_ns()}", self.broker_port, self.folder / "redis.log"
        )

    def crash_database(self) -> None:
        """Every connection breaks at once; the next start recovers from the log, as after a power cut."""
        self.database.send_signal(signal.SIGQUIT)
        self.database.wait(timeout=30)

    def kill_broker(self) -> None:
        """SIGKILL; the next one starts in an empty folder: whatever it held is forgotten."""
        self.broker.kill()
        self.broker.wait(timeout=30)

    def close(self) -> None:
        import shutil

        self.broker.kill()
        self.broker.wait(timeout=30)
        self.crash_database()
        shutil.rmtree(self.data, ignore_errors=True)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path / "servers")
    yield made
    made.close()


def test_a_crash_of_the_database_and_a_broker_that_forgets_lose_and_double_nothing(
    servers: Servers, tmp_path: Path, calm: dict[str, Any]
) -> None:
    one = servers.installation(tmp_path / "one")
    with closing(one):
        one.order("found")
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
        one.order("found")
        servers.crash_database()
        one.start()
        # It has asked for the schedule and got no answer.
        one.wait(lambda: "OperationalError" in one.log)
        servers.start_database()
        one.wait(lambda: one.rows("SELECT 1 FROM operations_pulse WHERE name = 'dispatch'"))
