"""An import that is killed, at any moment, leaves true counts and can be run again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tests.ingestion.files import COLUMNS, good_row, write_rows

KILLS = 4
ROWS = 24_000
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

SET_UP = """
from tests import factories
from tests.ingestion.files import plain_feed
from django.core.management import call_command
call_command("migrate", verbosity=0)
plain_feed(factories.make_agency())
"""
STATE = """
import json
from ingestion.models import Incident, ImportRun, QuarantinedRow
from ingestion.services.tally import CLASSES
rows = list(Incident.objects.order_by("external_id").values_list(
    "external_id", "occurred_from", "occurred_to", "lon", "lat", "crime_type_id", "content_hash"))
kept = list(QuarantinedRow.objects.filter(resolved_at=None).order_by("external_id").values_list("external_id", "code"))
runs = [[run.status, run.counts, run.counts.get("received", 0) == sum(run.counts.get(name, 0) for name in CLASSES)]
        for run in ImportRun.objects.order_by("pk")]
print(json.dumps([rows, kept, runs], default=str))
"""


class Installation:
    """A database of its own on disk, worked on by processes that can be killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
            "MISSIONS_VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
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

    def run(self, code: str) -> str:
        process = self.start("-c", f"import django; django.setup()\n{code}")
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out

    def importing(self, file: Path) -> subprocess.Popen[str]:
        return self.start("manage.py", "import_incidents", "--agency", "riverton", "--feed", "rms", str(file))


def kill_after_first_chunk(process: subprocess.Popen[str], database: Path, delay: float) -> bool:
    """SIGKILL the import once it writes; False if it was quicker."""
    import sqlite3

    while process.poll() is None:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            if connection.execute("SELECT count(*) FROM ingestion_incident").fetchone()[0]:
                break
        time.sleep(0.02)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    return process.returncode == -signal.SIGKILL


def test_killed_imports_leave_true_counts_and_end_like_an_undisturbed_one(tmp_path):
    rows = [good_row(number) for number in range(ROWS)]
    for number in range(0, ROWS, 50):
        rows[number] |= {"lat": "", "lon": ""}
    file = write_rows(tmp_path / "a.csv", rows, COLUMNS)
    import json

    calm, rough = Installation(tmp_path / "calm"), Installation(tmp_path / "rough")
    for one in (calm, rough):
        one.run(SET_UP)
    out, err = (process := calm.importing(file)).communicate(timeout=300)
    assert process.returncode == 0, err

    moments = random.Random(5)
    killed = 0
    for _ in range(KILLS):
        process = rough.importing(file)
        killed += kill_after_first_chunk(process, tmp_path / "rough" / "db.sqlite3", moments.random() * 0.4)
        stored, kept, runs = json.loads(rough.run(STATE))
        assert all(is_true for _, _, is_true in runs)
        assert len(stored) == sum(counts.get("inserted", 0) for _, counts, _ in runs)
        assert len(kept) <= sum(counts.get("quarantined", 0) for _, counts, _ in runs)
    assert killed, "the import must be slow enough to be killed"
    process = rough.importing(file)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err

    expected, kept_expected, _ = json.loads(calm.run(STATE))
    stored, kept, runs = json.loads(rough.run(STATE))
    assert (stored, kept) == (expected, kept_expected)
    assert runs[-1][0] == "succeeded" and {status for status, _, _ in runs[:killed]} <= {"failed", "succeeded"}
    assert runs[-1][1]["received"] == ROWS
