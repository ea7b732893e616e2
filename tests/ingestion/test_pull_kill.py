"""A pull that is killed, at any moment, is taken up again and ends like one that nobody disturbed."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ingestion.services.tally import CLASSES
from tests.ingestion.command_line import CommandLine
from tests.ingestion.portals import DATASET, Portal, crime, serving

KILLS = 4
ROWS = 3_000
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

SET_UP = """
from tests import factories
from tests.ingestion.pulled import pulled_feed
from django.core.management import call_command
call_command("migrate", verbosity=0)
pulled_feed(factories.make_agency(), "socrata", {"domain": "URL", "dataset": "DATASET", "page_rows": 75})
"""


def pulling(one: CommandLine) -> subprocess.Popen[str]:
    return one.start("manage.py", "pull_feed", "--agency", "riverton", "--feed", "portal")


def kill_while_it_works(portal: Portal, process: subprocess.Popen[str], delay: float) -> bool:
    """SIGKILL the pull a moment after its first request; False if it had ended by then."""
    before = len(portal.asked)
    while process.poll() is None and len(portal.asked) == before:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    return process.returncode == -signal.SIGKILL


def test_killed_pulls_lose_and_double_nothing(tmp_path: Path) -> None:
    rows = [crime(number) for number in range(ROWS)]
    for number in range(0, ROWS, 50):
        rows[number]["latitude"] = None
    for number in range(1, ROWS, 50):
        rows[number]["fbi_code"] = "18"
    with serving(Portal(rows=rows)) as portal:
        (tmp_path / "calm").mkdir()
        calm = CommandLine(tmp_path / "calm")
        calm.environment["PULL_PRIVATE_HOSTS"] = "127.0.0.1"
        set_up = SET_UP.replace("URL", portal.url).replace("DATASET", DATASET)
        calm.finish(calm.start("-c", f"import django; django.setup()\n{set_up}"))
        shutil.copytree(tmp_path / "calm", tmp_path / "rough")
        rough = CommandLine(tmp_path / "rough")
        rough.environment["PULL_PRIVATE_HOSTS"] = "127.0.0.1"
        calm.finish(pulling(calm))

        moments = random.Random(7)
        killed = 0
        for _ in range(KILLS):
            killed += kill_while_it_works(portal, pulling(rough), moments.random() * 0.7)
            account = [counts for _, counts in rough.runs() if counts]
            assert all(counts["received"] == sum(counts[name] for name in CLASSES) for counts in account)
            assert len(rough.incidents()) == sum(counts["inserted"] for counts in account)
        assert killed > 1, "the pull must be slow enough to be killed"
        rough.finish(pulling(rough))

    assert rough.incidents() == calm.incidents()
    assert rough.kept() == calm.kept()
    cursors = [one.rows("SELECT cursor FROM ingestion_feed") for one in (rough, calm)]
    assert cursors[0] == cursors[1]
    assert {status for status, _ in rough.runs()} == {"succeeded"}
    assert len(rough.incidents()) == ROWS - 2 * ROWS // 50
