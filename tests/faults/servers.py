"""A PostgreSQL and a Redis that can be killed and started again, and the product on them as `make up` runs it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from tests.faults.installation import Crew, Installation
from tools import postgres, up


class Servers:
    """The two servers, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._made = 0
        binaries = postgres.find_binaries()
        assert binaries is not None
        self.binaries = binaries
        self.database_port, self.broker_port = postgres.free_port(), postgres.free_port()
        self.data = up.postgres_folder(folder)
        up.cluster_ensure(self.data, binaries)
        self.start_database()
        self.start_broker()

    def installation(self, folder: Path) -> Installation:
        """A city with nothing imported yet, in a database and a Redis of its own, with the processes of a trial on one machine."""
        return Installation(self._city(folder), **self._places())

    def stack(self, folder: Path) -> Installation:
        """The same with the processes of the production stack."""
        return Stack(self._city(folder), **self._places())

    def _places(self) -> dict[str, str]:
        return {
            "database_url": self._database_url(f"city{self._made}"),
            "broker_url": f"redis://127.0.0.1:{self.broker_port}/{self._made}",
        }

    def _city(self, folder: Path) -> Path:
        """Founded once, which takes longer than copying a database."""
        founded = self.folder / "founded"
        if not self._made:
            self._say("CREATE DATABASE founded")
            Installation(founded, database_url=self._database_url("founded")).order("found")
        self._made += 1
        shutil.copytree(founded, folder)
        self._say(f"CREATE DATABASE city{self._made} TEMPLATE founded")
        return folder

    def _database_url(self, name: str) -> str:
        return f"postgres://{up.NAME}@127.0.0.1:{self.database_port}/{name}"

    def _say(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._database_url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # our own words

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
        self.kill_broker()
        self.crash_database()
        shutil.rmtree(self.data, ignore_errors=True)


class Stack(Installation):
    """The production profile: a worker for each queue and the scheduler, by `make up`'s own command lines."""

    def __init__(self, folder: Path, *, database_url: str, broker_url: str) -> None:
        super().__init__(folder, database_url=database_url, broker_url=broker_url)
        told = up.environment(folder, 8000, 0, 0)
        own = {name: value for name, value in told.items() if os.environ.get(name) != value}
        self.environment = {
            **own,
            **self.environment,
            "FAULTS_PROFILE": "production",
            # As ``told`` reads it.
            "LOG_FORMAT": "plain",
            # Nobody here has a second factor to show.
            "MFA_REQUIRED_ROLES": "",
        }

    def keeper(self, *, only: str = "", **extra: str) -> Crew:
        """Has every process but the web server, or one of them once more."""
        lines = up.process_list(0)
        commands = {name: shlex.split(line) for name, line in lines.items() if name == only or (not only and name != "web")}  # fmt: skip
        if only:
            # Two of one name would take each other's answers.
            commands[only].append("--hostname=second@%h")
        return Crew({name: partial(self.run, command, **extra) for name, command in commands.items()})

    def worker_of(self, what: str) -> str:
        return {"import": "worker.ingest", "plan": "worker.plan"}.get(what, "worker.forecast")

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        """The web server with as many processes as `make up` gives it."""
        up.manage(self.environment, "collectstatic", "--verbosity", "0", "--no-input")
        extra = up.web_environment(self.folder, {})
        return self.answer(port, shlex.split(up.process_list(port)["web"]), **extra)
