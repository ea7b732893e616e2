"""An import that is killed, at any moment, leaves true counts and can be run again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.services.tally import CLASSES
from tests.ingestion.files import COLUMNS, good_row, write_rows

KILLS = 3
ROWS = 30_000
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

SET_UP = """
from tests import factories
from ingestion.services.tally import CLASSES
from tests.ingestion.files import plain_feed
from django.core.management import call_command
call_command("migrate", verbosity=0)
plain_feed(factories.make_agency())
"""


class Installation:
    """A database of its own on disk, worked on by processes that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "db.sqlite3"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
            "MISSIONS_VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONPATH": str(settings.BASE_DIR),
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=settings.BASE_DIR,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self, process: subprocess.Popen[str]) -> None:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err

    def importing(self, file: Path) -> subprocess.Popen[str]:
        return self.start("manage.py", "import_incidents", "--agency", "riverton", "--feed", "rms", str(file))

    def rows(self, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def incidents(self) -> list[tuple]:
        return self.rows(
            "SELECT external_id, occurred_from, occurred_to, lon, lat, crime_type_id, content_hash, discovery "
            "FROM ingestion_incident ORDER BY external_id"
        )

    def kept(self) -> list[tuple]:
        return self.rows(
            "SELECT external_id, code FROM ingestion_quarantinedrow WHERE resolved_at IS NULL ORDER BY external_id"
        )

    def runs(self) -> list[tuple[str, dict[str, int]]]:
        found = self.rows("SELECT status, counts FROM ingestion_importrun ORDER BY id")
        return [(status, json.loads(counts)) for status, counts in found]


def kill_after_first_chunk(one: Installation, process: subprocess.Popen[str], delay: float) -> bool:
    """SIGKILL the import once it reports rows; False if its run had ended, even if the process had not."""
    before = len(one.runs())
    while process.poll() is None:
        if any(counts.get("received") for _, counts in one.runs()[before:]):
            break
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    return process.returncode == -signal.SIGKILL and one.runs()[-1][0] != "succeeded"


def test_killed_imports_leave_true_counts_and_end_like_an_undisturbed_one(tmp_path):
    rows = [good_row(number) for number in range(ROWS)]
    for number in range(0, ROWS, 50):
        rows[number] |= {"lat": "", "lon": ""}
    file = write_rows(tmp_path / "a.csv", rows, COLUMNS)
    (tmp_path / "calm").mkdir()
    calm = Installation(tmp_path / "calm")
    calm.finish(calm.start("-c", f"import django; django.setup()\n{SET_UP}"))
    shutil.copytree(tmp_path / "calm", tmp_path / "rough")
    rough = Installation(tmp_path / "rough")
    calm.finish(calm.importing(file))

    moments = random.Random(5)
    killed = 0
    for _ in range(KILLS):
        killed += kill_after_first_chunk(rough, rough.importing(file), moments.random() * 0.3)
        account = [counts for _, counts in rough.runs() if counts]
        assert all(counts["received"] == sum(counts[name] for name in CLASSES) for counts in account)
        assert len(rough.incidents()) == sum(counts["inserted"] for counts in account)
        assert len(rough.kept()) == max(counts["quarantined"] for counts in account)
    assert killed, "the import must be slow enough to be killed"
    rough.finish(rough.importing(file))

    assert rough.incidents() == calm.incidents()
    assert rough.kept() == calm.kept()
    statuses = [status for status, _ in rough.runs()]
    assert statuses[-1] == "succeeded"
    assert statuses.count("failed") == killed
    assert rough.runs()[-1][1]["received"] == ROWS
