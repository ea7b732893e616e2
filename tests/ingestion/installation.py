"""An installation of its own beside the test's database: processes that work on it can be killed with SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

SET_UP = """
import django; django.setup()
from tests import factories
from tests.ingestion.files import plain_feed
from django.core.management import call_command
call_command("migrate", verbosity=0)
plain_feed(factories.make_agency())
"""

# One process that has loaded everything forks a child for each order: starting Python anew would cost seconds a kill, and
# the kill would mostly meet imports of modules instead of an import of rows.
FORK_SERVER = """
import os, signal, sys, time
import django; django.setup()
from django.db import connections
from ingestion.models import Feed, ImportRun
from ingestion.services import import_run_execute, import_run_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
import ingestion.engine.normalise, pandas, pathlib

def work(kind, path):
    feed = Feed.objects.get(slug="rms")
    if kind == "resume":
        run = ImportRun.objects.order_by("pk").last()
        # What the reaper does with a run whose worker was killed.
        ImportRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(status=RunStatus.QUEUED)
        run.refresh_from_db()
    else:
        run = import_run_queue(feed=feed, path=pathlib.Path(path))
    try:
        import_run_execute(run=run)
    except MissionsError as exc:
        print(f"refused {exc}".replace("\\n", " "), flush=True)
        os._exit(3)

for order in sys.stdin:
    kind, seconds, path = order.rstrip("\\n").split("\\t")
    connections.close_all()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            work(kind, path)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if float(seconds) >= 0:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    how = "killed" if os.WIFSIGNALED(status) else f"exit{os.WEXITSTATUS(status)}"
    print(f"done {how} {time.monotonic() - began:.3f}", flush=True)
"""

FACTS = (
    "SELECT external_id, code, occurred_from, occurred_to, reported_at, last_updated_at, lon, lat, discovery, "
    "time_precision, place_precision_m, content_hash, crime_type_id, feed_id FROM ingestion_incident ORDER BY external_id"
)
QUARANTINE = (
    "SELECT row_number, external_id, code, field, {values}, fingerprint FROM ingestion_quarantinedrow "
    "WHERE resolved_at IS NULL ORDER BY row_number, fingerprint"
)


class Installation:
    """A database of its own, on disk or in the tests' PostgreSQL, and a process that imports into it on order."""

    def __init__(
        self, folder: Path, name: str, *, postgres_url: str = "", copy_of: Installation | None = None
    ) -> None:
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.postgres_url = ""
        self.said: list[str] = []
        self._server: subprocess.Popen[str] | None = None
        url = f"sqlite:///{self.folder / 'db.sqlite3'}"
        if postgres_url:
            parts = urlsplit(postgres_url)
            self._admin_url, database = postgres_url, f"kill_{name}_{os.getpid()}"
            self._run_admin(
                f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)',
                f'CREATE DATABASE "{database}"' + (f' TEMPLATE "{copy_of.database}"' if copy_of else ""),
            )
            self.database = database
            url = self.postgres_url = urlunsplit(parts._replace(path=f"/{database}"))
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
            "MISSIONS_TEST_DIR": str(self.folder),
            "DATABASE_URL": url,
            "PYTHONPATH": str(settings.BASE_DIR),
        }
        self.environment.pop("PYTEST_XDIST_WORKER", None)
        if copy_of is None:
            command = [sys.executable, "-c", SET_UP]
            subprocess.run(command, cwd=settings.BASE_DIR, env=self.environment, check=True, timeout=300)
        elif not postgres_url:
            for path in copy_of.folder.glob("db.sqlite3*"):
                shutil.copy(path, self.folder / path.name)

    @property
    def server(self) -> subprocess.Popen[str]:
        """The process that forks imports; started with the first order."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-c", FORK_SERVER],
                cwd=settings.BASE_DIR,
                env=self.environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._server

    def _run_admin(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def order(self, kind: str, path: Path | str = "", *, kill_after: float = -1) -> tuple[str, float]:
        """Import ("new") or go on with the last run ("resume"); returns how it ended ("exit0", "killed") and after what time."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(f"{kind}\t{kill_after}\t{path}\n")
        self.server.stdin.flush()
        self.said = []
        for line in self.server.stdout:
            self.said.append(line)
            if line.startswith("done "):
                _, how, seconds = line.split()
                return how, float(seconds)
        raise AssertionError("the process that imports has ended")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.postgres_url:
            import psycopg

            with psycopg.connect(self.postgres_url, options="-c missions.agencies=all") as connection:
                return [tuple(row) for row in connection.execute(query).fetchall()]  # type: ignore[arg-type]
        with closing(sqlite3.connect(self.folder / "db.sqlite3", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def facts(self) -> list[tuple[Any, ...]]:
        """Every stored column of every incident that does not tell when, and by which run, it came."""
        return self.rows(FACTS)

    def quarantine(self) -> list[tuple[Any, ...]]:
        values = '"values"::text' if self.postgres_url else '"values"'
        return self.rows(QUARANTINE.format(values=values))

    def runs(self) -> list[tuple[str, dict[str, int], dict[str, Any], dict[str, Any]]]:
        """Status, counts, refusals and rejections of each run, oldest first."""
        found = self.rows("SELECT status, counts, refusals, rejections FROM ingestion_importrun ORDER BY id")
        return [
            (status, *(one if isinstance(one, dict) else json.loads(one) for one in rest))
            for status, *rest in found
        ]

    def close(self) -> None:
        if (server := self._server) is not None:
            for pipe in (server.stdin, server.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGKILL)
                server.wait()
        if self.postgres_url:
            self._run_admin(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')
