"""Two schedulers at once, a clock that is put back or forward, a disk that is full: the work is done, once, without anybody's help."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import Installation, closing, finished, states
from tests.faults.servers import Servers
from tools import up

LACK = up.missing()
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]
DISPATCH = "missions_project.pipeline.dispatch"


def test_of_two_schedulers_one_sends_and_the_other_follows_it_when_it_is_killed(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    one = either("plan")
    first, second = one.start(worker=False), one.start(worker=False)
    one.start_second("plan")
    one.line("plan")
    one.wait(lambda: len(one.sent(DISPATCH)) >= 3)
    sender = one.sent(DISPATCH)[0]
    assert set(one.sent(DISPATCH)) == {sender}, "both sent"
    dead, alive = (first, second) if sender == first.pid else (second, first)
    assert sender == dead.pid
    one.kill(dead)
    n = len(one.sent(DISPATCH))
    one.wait(lambda: len(one.sent(DISPATCH)) >= n + 2)
    assert set(one.sent(DISPATCH)[n:]) == {alive.pid}
    assert states(one, "plan") == [("succeeded", 1)]
    assert one.summed()["rows"] == calm["rows"]


def test_a_clock_put_back_by_an_hour_leaves_no_killed_run_waiting(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    one = either("plan")
    clock, hour = one.folder / "clock", 3600
    clock.write_text(str(hour))
    one.have("missionplan 2 group once")
    worker = one.keeper("plan")

    def put_back() -> None:
        if one.deaths:
            clock.write_text("0")
        worker()

    one.line("plan", keep=put_back)
    assert clock.read_text() == "0"
    assert states(one, "plan") == [("succeeded", 2)]
    assert one.summed()["rows"] == calm["rows"]


def test_a_clock_put_forward_by_an_hour_has_a_live_run_done_once(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    """Its last sign of life is an hour old then: another worker takes it over, and what the first one says is not heard."""
    one = either("plan")
    one.have("missionplan 2 nobody once")
    worker = one.keeper("plan")
    seconds: list[subprocess.Popen[bytes]] = []

    def put_forward() -> None:
        worker()
        if one.held.exists() and not seconds:
            (one.folder / "clock").write_text("3600")
            seconds.append(one.start_second("plan"))
        if one.held.exists() and states(one, "plan") == [("succeeded", 2)]:
            one.held.unlink()

    one.line("plan", keep=put_forward)
    assert seconds, "nobody was held"
    # The first one goes on with what it had in hand, and ends.
    one.held.unlink(missing_ok=True)
    time.sleep(3)  # long enough for what it had left
    assert states(one, "plan") == [("succeeded", 2)]
    assert one.summed()["rows"] == calm["rows"]


@pytest.mark.skipif(bool(LACK), reason=LACK)
def test_one_worker_whose_clock_is_an_hour_ahead_is_followed_when_it_is_killed(
    servers: Servers, tmp_path: Path, calm: dict[str, Any]
) -> None:
    """Its signs of life lie in the future for those whose clocks are right."""
    with closing(servers.stack(tmp_path / "one")) as one:
        (one.folder / "ahead").write_text("3600")
        one.have("importrun 5 group once")
        ahead, others = one.keeper(only="worker.ingest", FAULTS_CLOCK="ahead"), one.keeper("plan")
        seen: set[tuple[Any, ...]] = set()

        def keep() -> None:
            ahead()
            others()
            seen.update(
                one.rows("SELECT heartbeat_at > now() + interval '50 minutes' FROM ingestion_importrun")
            )

        one.line("import", keep=keep)
        assert (True,) in seen, "its clock was right"
        assert one.deaths == ["importrun 5 group once"]
        assert states(one, "import") == [("succeeded", 2)]
        found = one.summed()
    for label in ("ingestion.Incident", "ingestion.QuarantinedRow"):
        assert found["rows"][label] == calm["rows"][label]
    (run,) = (run for run in found["runs"] if run["kind"] == "ImportRun")
    assert run["counts"] == calm["runs"][0]["counts"]
    assert run["closed"]
    assert not run["error"]


def test_a_full_disk_puts_the_import_off_and_loses_nothing(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    one = either("import")
    keeper = one.keeper("import")
    keeper()
    one.wait(lambda: one.sent(DISPATCH))
    one.fill_disk()
    is_full = True
    told: set[str] = set()

    def free_the_disk() -> None:
        nonlocal is_full
        told.update(error for (error,) in one.rows("SELECT error FROM ingestion_importrun"))
        if is_full and any(word in one.log for word in TROUBLE):
            one.free_disk()
            is_full = False

    one.line("import", keep=free_the_disk)
    assert not is_full, "the disk was never full"
    # A trial's own database lies on that disk: it may have had no room for these words.
    assert told == {""} or {"It is tried again by itself" in error for error in told - {""}} == {True}
    assert finished(one, "import")
    ((status, attempts),) = states(one, "import")
    assert status == "succeeded"
    assert attempts > 1
    found, wanted = one.summed()["rows"], calm["rows"]
    assert {label: found[label] for label in ("ingestion.Incident", "ingestion.QuarantinedRow")} == {
        label: wanted[label] for label in ("ingestion.Incident", "ingestion.QuarantinedRow")
    }
    assert all(worker.poll() is None for worker in one.workers), "the workers lived through it"


TROUBLE = ("disk I/O error", "database or disk is full", "File too large", "put back")
