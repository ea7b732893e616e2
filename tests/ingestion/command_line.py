"""A database on disk and the commands that work on it, each in a process that can be killed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings


class CommandLine:
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

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return found

    def incidents(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT external_id, occurred_from, occurred_to, lon, lat, crime_type_id, content_hash, discovery "
            "FROM ingestion_incident ORDER BY external_id"
        )

    def kept(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT external_id, code FROM ingestion_quarantinedrow WHERE resolved_at IS NULL ORDER BY external_id"
        )

    def runs(self) -> list[tuple[str, dict[str, int]]]:
        found = self.rows("SELECT status, counts FROM ingestion_importrun ORDER BY id")
        return [(status, json.loads(counts)) for status, counts in found]
