"""The production stack for a benchmark: a throwaway PostgreSQL, a Redis, the product's own workers and web server, and what they use.

Nothing of the product runs in this process: orders are given to processes of their own, and what they cost is read from
/proc.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.bench_push import database_pid  # noqa: E402 - the path first
from missions_project.lib import walls  # noqa: E402 - the path first
from tools import postgres, up  # noqa: E402

START_SECONDS = 600
"""Only against waiting for ever: a busy machine starts a worker in a minute."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stack:
    """What runs: its folder, its environment, and the processes that this benchmark started."""

    folder: Path
    environment: dict[str, str]
    database_url: str
    broker_url: str
    database: int
    redis: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def order(self, script: str, *words: str) -> Any:
        """Run the script's order in a process of its own; what it printed last, read as JSON."""
        command = [sys.executable, script, "--order", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} failed: see above")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def start(self, name: str, *words: str, cores: int = 0) -> subprocess.Popen[bytes]:
        """A process of the product, on so many of the machine's cores; 0 is all of them."""

        def before() -> None:
            postgres.die_with_parent()
            if cores:
                os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

        with (self.folder / f"{name}.log").open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", *words], cwd=ROOT, env=self.environment, stdout=sink, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=before,
            )  # fmt: skip
        self.started.append(process)
        return process

    def worker(self, queues: str, processes: int, *, cores: int = 0) -> subprocess.Popen[bytes]:
        """A worker of these queues with so many processes, as `make up` starts it; returns when it answers."""
        from celery import Celery

        name = f"{queues.replace(',', '-')}-{len(self.started)}"
        process = self.start(
            name, "celery", "--app", "missions_project", "worker", "--concurrency", str(processes), "--without-mingle",
            "--without-gossip", "--queues", queues, "--hostname", f"{name}@bench", cores=cores,
        )  # fmt: skip
        client = Celery(broker=self.broker_url)
        deadline = time.monotonic() + START_SECONDS
        while not client.control.ping(destination=[f"{name}@bench"], timeout=1.0):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The worker did not start:\n{self.log(name)}")
        client.close()
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
        self.started.remove(process)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.database_url) as connection:
            # Row-level security shows nothing to a session that has not said whose rows it asks for.
            connection.execute(walls.EVERYTHING.statement(only_transaction=False))
            return [tuple(row) for row in connection.execute(query, values).fetchall()]  # type: ignore[arg-type]

    def waiting(self) -> int:
        """Messages in all queues, of every priority, without those that a worker holds."""
        import redis

        client = redis.Redis.from_url(self.broker_url)
        lists = [key for queue in up.QUEUES for key in (queue, *(f"{queue}\x06\x16{n}" for n in (3, 6, 9)))]
        return sum(int(client.llen(name)) for name in lists)  # type: ignore[arg-type]


@contextlib.contextmanager
def stack(**settings: str) -> Iterator[Stack]:
    """Yield an empty stack under the production profile; everything in it is gone when the block ends."""
    binaries = postgres.find_binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="missions-bench-"))
    one: Stack | None = None
    with postgres.cluster(binaries) as url:
        redis_port, database_port = postgres.free_port(), int(url.rsplit(":", 1)[1].split("/")[0])
        server = up.start_redis(folder / "redis", redis_port, folder / "redis.log")
        try:
            (folder / "none").touch()
            told = up.environment(folder, 8000, database_port, redis_port)
            told |= {"MISSIONS_ENV_FILE": str(folder / "none"), "PYTHONPATH": str(ROOT), **settings}
            one = Stack(folder, told, url, told["CELERY_BROKER_URL"], database_pid(url), server.pid)
            yield one
        finally:
            for process in list(one.started) if one else []:
                one.stop(process) if one else None
            server.terminate()
            server.wait(timeout=30)
            shutil.rmtree(folder, ignore_errors=True)


def tree(root: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found, grown = {root}, True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in found and pid not in found}
        grown = bool(below)
        found |= below
    return sorted(found)


def cpu_seconds(root: int) -> float:
    """Processor seconds of a process, all below it, and those below it that have ended."""
    ticks = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))
    return ticks / TICKS


def peak_mb(pid: int) -> int:
    """The most memory that a process ever had in RAM, MB; 0 where it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    return 0


class Meter:
    """Processor seconds since it was made, by whom."""

    def __init__(self, **roots: int) -> None:
        self._roots, self._began = roots, time.monotonic()
        self._before = {name: cpu_seconds(pid) for name, pid in roots.items()}

    def read(self) -> dict[str, float]:
        return {name: round(cpu_seconds(pid) - self._before[name], 2) for name, pid in self._roots.items()}

    def shares(self) -> dict[str, float]:
        """Cores that each has used since, on the average: 2.0 is all of a machine with two."""
        wall = time.monotonic() - self._began
        return {name: round(value / wall, 2) for name, value in self.read().items()}
