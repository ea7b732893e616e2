"""A throwaway installation: its own folder, database and broker, and workers that are real processes and can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 480.0
"""Only against hanging for ever: nothing here asserts on time."""


class Installation:
    """One folder with everything in it. ``close`` ends what it started."""

    def __init__(self, folder: Path, *, database_url: str = "", broker_url: str = "filesystem://") -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        (folder / "env").touch()
        self.workers: list[subprocess.Popen[bytes]] = []
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MISSIONS_", "DJANGO_", "DATABASE_", "CELERY_", "PYTEST_", "COV_"))
        }
        self.environment = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "MISSIONS_VAR_DIR": str(folder),
            "FAULTS_FOLDER": str(folder),
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'missions.sqlite3'}",
            "CELERY_BROKER_URL": broker_url,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # Nobody's .env may point these processes at a real database.
            "MISSIONS_ENV_FILE": str(folder / "env"),
        }

    def copy(self, folder: Path) -> Installation:
        """Another installation with the same files (SQLite alone)."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("broker", "*.log", "killed"))
        return Installation(folder)

    def have(self, *faults: str) -> None:
        """Have the workers die of, or wait at, these faults, one a line: see ``tests.faults.worker``."""
        (self.folder / "faults").write_text("\n".join(faults) + "\n")

    @property
    def held(self) -> Path:
        """Who waits in the middle of its work writes this file, and goes on when it is gone."""
        return self.folder / "held"

    @property
    def deaths(self) -> list[str]:
        path = self.folder / "killed"
        return path.read_text().splitlines() if path.exists() else []

    def order(self, *words: str, seconds: float = 900) -> str:
        """Run one of ``tests.faults.city``'s orders and return what it printed."""
        command = [sys.executable, "-m", "tests.faults.city", words[0], str(self.folder), *words[1:]]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def line(self, *works: str, keep: Callable[[], Any] = lambda: None) -> None:
        """Ask for one work after the other and wait until each has ended."""
        command = [sys.executable, "-m", "tests.faults.city", "queue", str(self.folder), *works]
        with (self.folder / "line.log").open("ab") as sink:
            asking = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=sink, stderr=subprocess.STDOUT
            )
        try:
            self.wait(lambda: asking.poll() is not None, keep=keep)
        finally:
            asking.kill()
        assert asking.returncode == 0, (self.folder / "line.log").read_text()[-3000:]

    def keeper(self, *works: str, **options: Any) -> Crew:
        """Has the processes that these works need, or all: one worker, which does everything."""
        return Crew({"worker": partial(self.start, **options)})

    def worker_of(self, what: str) -> str:
        """Which of the keeper's processes does a kind of work."""
        return "worker"

    def summed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.order("sum").splitlines()[-1])
        return found

    def start_second(self, what: str) -> subprocess.Popen[bytes]:
        """One more worker for a kind of work, without a scheduler."""
        return self.start(scheduler=False)

    def start(self, *, scheduler: bool = True, worker: bool = True, **extra: str) -> subprocess.Popen[bytes]:
        """A worker with the scheduler in it, as the embedded default has; or one of the two alone."""
        command = [sys.executable, "-m", "celery", "--app", "missions_project"]
        if worker:
            command += ["worker", "--concurrency", "1", "--without-mingle", "--without-gossip"]
            command += ["--beat", f"--schedule={self.folder / 'beat'}"] if scheduler else []
        else:
            command += ["beat", "--pidfile="]
        return self.run(command, **extra)

    def run(self, command: list[str], **extra: str) -> subprocess.Popen[bytes]:
        """A process of Celery's, in a group of its own."""
        with (self.folder / "worker.log").open("ab") as sink:
            process = subprocess.Popen(
                [*command, "--loglevel", "WARNING"], cwd=ROOT, env={**self.environment, **extra},
                stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.workers.append(process)
        return process

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        """The web server, as `make demo` starts it; it replaces its own process when that is killed."""
        command = ["gunicorn", "missions_project.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--timeout", "120"]  # fmt: skip
        return self.answer(port, [sys.executable, "-m", *command, "--log-level", "warning"])

    def answer(self, port: int, command: list[str], **extra: str) -> subprocess.Popen[bytes]:
        """A web server, as soon as it answers."""
        with (self.folder / "web.log").open("ab") as sink:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**self.environment, **extra},
                stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.workers.append(process)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                return process
            time.sleep(0.2)
        raise AssertionError(
            f"The web server did not start:\n{(self.folder / 'web.log').read_text()[-3000:]}"
        )

    def fill_disk(self) -> None:
        """Let the workers find a full disk, until ``free_disk``."""
        for worker in self.workers:
            self.limit_files(worker, 400_000)

    def free_disk(self) -> None:
        for worker in self.workers:
            self.limit_files(worker, -1)

    def limit_files(self, process: subprocess.Popen[bytes], n_bytes: int) -> None:
        """Let no file of the worker and its children grow beyond this, as on a disk that is full; -1 lifts it."""
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(int(path.name)) == process.pid:
                    resource.prlimit(int(path.name), resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to the worker and all its children, as when the machine dies."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def sent(self, task: str) -> list[int]:
        """The processes that sent this task, in order."""
        path = self.folder / "sent"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[0]) for line in lines if line.endswith(f" {task}")]

    def begun(self, task: str) -> list[str]:
        """The messages for which a worker began this task, in order: one that was delivered twice stands here twice."""
        path = self.folder / "begun"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[0] for line in lines if line.endswith(f" {task}")]

    @property
    def log(self) -> str:
        path = self.folder / "worker.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    @property
    def told(self) -> str:
        """What became of the processes, the runs and the log: for whoever reads of a failure on a machine that is gone."""
        path = self.folder / "worker.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        happened = [line[:240] for line in lines if line[:2] == "20" or line.startswith("Process ")]
        runs = {what: states(self, what) for what in TABLES}
        ended = [process.poll() for process in self.workers]
        return (
            f"Exit codes of the processes (None: lives): {ended}. Runs: {runs}. What the worker's log tells:\n"
            + "\n".join(happened[-60:])
            + f"\nIt ends:\n{self.log}"
        )

    def wait(self, what: Callable[[], Any], *, keep: Callable[[], Any] = lambda: None) -> Any:
        """Look again and again until ``what`` is true; ``keep`` is called at each look, e.g. to start anew what was killed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            keep()
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError(f"It did not come to pass. {self.told}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows from the database, by whatever driver it has; empty while it cannot be read."""
        url = self.environment["DATABASE_URL"]
        if url.startswith("postgres"):
            import psycopg

            try:
                with psycopg.connect(
                    url, connect_timeout=5, options="-c missions.agencies=all"
                ) as connection:
                    return [tuple(row) for row in connection.execute(query).fetchall()]  # type: ignore[arg-type]
            except psycopg.OperationalError:
                return []
        import sqlite3

        with contextlib.closing(sqlite3.connect(self.folder / "missions.sqlite3", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def close(self) -> None:
        for process in self.workers:
            self.kill(process)


class Crew:
    """Processes by their names. Called, it starts each that is not there or has died, as systemd does."""

    def __init__(self, starts: dict[str, Callable[[], subprocess.Popen[bytes]]]) -> None:
        self._starts = starts
        self.held: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self) -> None:
        for name, start in self._starts.items():
            if name not in self.held or self.held[name].poll() is not None:
                self.held[name] = start()


EARLY = (
    "importrun 5 child once",
    "trainingrun 3 group once",
    "forecastrun 3 child once",
    "missionplan 2 group once",
)
"""Faults in the middle of each work."""
LATE = ("importrun close group once", "trainingrun close child once", "forecastrun close group once", "missionplan close child once")  # fmt: skip
"""When all is stored and only the row does not say so yet."""
TABLES = {
    "import": "ingestion_importrun", "training": "forecasting_trainingrun", "forecast": "forecasting_forecastrun",
    "plan": "patrols_missionplan",
}  # fmt: skip


def states(one: Installation, what: str) -> list[tuple[str, int]]:
    """Status and attempts of the runs of a kind, oldest first."""
    return [(s, n) for s, n in one.rows(f"SELECT status, attempts FROM {TABLES[what]} ORDER BY id")]


def finished(one: Installation, what: str) -> bool:
    found = states(one, what)
    return bool(found) and all(status in ("succeeded", "failed") for status, _ in found)


@contextlib.contextmanager
def closing(one: Installation) -> Iterator[Installation]:
    try:
        yield one
    finally:
        one.close()
