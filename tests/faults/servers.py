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

from tests.faults.city import WORKS
from tests.faults.installation import Crew, Installation
from tools import postgres, up

FULL = """
CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER is_full BEFORE INSERT ON ingestion_incident EXECUTE FUNCTION is_full();
"""


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
        self.disk = self.data.with_name(f"{self.data.name}-disk")
        up.cluster_ensure(self.data, binaries)
        self.start_database()
        self.start_broker()

    def installation(self, folder: Path) -> Installation:
        """A city with nothing imported yet, in a database and a Redis of its own, with the processes of a trial on one machine."""
        return Installation(self._city(folder, WORKS[0]), **self._places())

    def stack(self, folder: Path, *, before: str = WORKS[0]) -> Installation:
        """A city from before a work with the processes of the production stack."""
        return Stack(self._city(folder, before), self, **self._places())

    def _places(self) -> dict[str, str]:
        return {
            "database_url": self._database_url(f"city{self._made}"),
            "broker_url": self._broker_url(self._made),
        }

    def _city(self, folder: Path, before: str) -> Path:
        """A copy: to found one and to do its work takes longer."""
        shutil.copytree(self._original(before), folder)
        self._made += 1
        self._say(f"CREATE DATABASE city{self._made} TEMPLATE before_{before}")
        return folder

    def _original(self, before: str) -> Path:
        """The city from before a work: the works that precede it done once, undisturbed."""
        folder, url = self.folder / before, self._database_url(f"before_{before}")
        if folder.exists():
            return folder
        if before == WORKS[0]:
            self._say(f"CREATE DATABASE before_{before}")
            self._in_production(folder, url).order("found")
        else:
            precedes = WORKS[WORKS.index(before) - 1]
            shutil.copytree(self._original(precedes), folder)
            self._say(f"CREATE DATABASE before_{before} TEMPLATE before_{precedes}")
            self._in_production(folder, url).order("work", precedes)
        return folder

    def _in_production(self, folder: Path, url: str) -> Stack:
        """With the keys that its copies have too: they would not open a model that another installation sealed."""
        return Stack(folder, self, database_url=url, broker_url=self._broker_url(0))

    def _broker_url(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.broker_port}/{number}"

    def _database_url(self, name: str, *, user: str = up.NAME) -> str:
        return f"postgres://{user}@127.0.0.1:{self.database_port}/{name}"

    def _say(self, statement: str, *, database: str = "postgres", user: str = up.NAME) -> None:
        import psycopg

        url = self._database_url(database, user=user)
        with psycopg.connect(url, autocommit=True) as connection:
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

    def put_incidents_on_a_small_disk(self, database: str) -> None:
        """A disk of their own, too small for them, until ``enlarge_disk``; without the right to mount one the database only says so."""
        self.disk.mkdir(mode=0o700)
        options = f"size=256k,mode=700,uid={self.data.stat().st_uid}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.disk], capture_output=True
        )
        if done.returncode != 0:
            self.disk.rmdir()
            self._say(FULL, database=database)
            return
        self._say(f"CREATE TABLESPACE small LOCATION '{self.disk}'", user=postgres.SUPERUSER)
        move = "ALTER TABLE ingestion_incident SET TABLESPACE small"
        self._say(move, database=database, user=postgres.SUPERUSER)

    def enlarge_disk(self, database: str) -> None:
        if not self.disk.is_mount():
            self._say("DROP TRIGGER is_full ON ingestion_incident", database=database)
            return
        subprocess.run(["mount", "-o", "remount,size=64m", self.disk], check=True)

    def close(self) -> None:
        self.kill_broker()
        self.crash_database()
        if self.disk.is_mount():
            subprocess.run(["umount", self.disk], check=True)
            self.disk.rmdir()
        shutil.rmtree(self.data, ignore_errors=True)


class Stack(Installation):
    """The production profile: a worker for each queue and the scheduler, by `make up`'s own command lines."""

    def __init__(self, folder: Path, servers: Servers, *, database_url: str, broker_url: str) -> None:
        super().__init__(folder, database_url=database_url, broker_url=broker_url)
        self.servers, self.database = servers, database_url.rpartition("/")[2]
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

    def keeper(self, *works: str, only: str = "", **extra: str) -> Crew:
        """Has every process but the web server, those alone that these works need, or one of them once more."""
        commands = {name: shlex.split(line) for name, line in up.process_list(0).items() if name != "web"}
        # The dispatches wait in the queue of the plans.
        needed = {only} if only else {*map(self.worker_of, works), "worker.plan", "beat"}
        if only or works:
            commands = {name: command for name, command in commands.items() if name in needed}
        if only:
            # Two of one name would take each other's answers.
            commands[only].append("--hostname=second@%h")
        return Crew({name: partial(self.run, command, **extra) for name, command in commands.items()})

    def worker_of(self, what: str) -> str:
        return {"import": "worker.ingest", "plan": "worker.plan"}.get(what, "worker.forecast")

    def start_second(self, what: str) -> subprocess.Popen[bytes]:
        crew = self.keeper(only=self.worker_of(what))
        crew()
        return next(iter(crew.held.values()))

    def fill_disk(self) -> None:
        """The database's, not the workers': it says so to whoever imports."""
        self.servers.put_incidents_on_a_small_disk(self.database)

    def free_disk(self) -> None:
        self.servers.enlarge_disk(self.database)

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        """The web server with as many processes as `make up` gives it."""
        up.manage(self.environment, "collectstatic", "--verbosity", "0", "--no-input")
        extra = up.web_environment(self.folder, {})
        return self.answer(port, shlex.split(up.process_list(port)["web"]), **extra)
