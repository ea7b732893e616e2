"""Pushes on this machine: 10,000 vehicle positions in a batch, single gunfire alerts a second, alert to open map.

    .venv/bin/python benchmarks/bench_push.py [--seconds 20] [--rate 200] [--out FILE]

Starts a throwaway PostgreSQL and the product's web server (gunicorn) beside it, and sends as a machine does. Targets: a
batch of 10,000 positions in 300 ms, 200 alerts a second for 20 s on two cores, an alert visible in 3 s. Ratios to the bare
work beside each figure: the same rows by a bare COPY, and a page of the same server that does nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.postgres import INSTALL_HINT, cluster, find_binaries, free_port  # noqa: E402 - the path first

BATCH = 10_000
ROUNDS = 7
SENDERS = 8
WORKERS = 2
THREADS = 4


def set_up() -> dict[str, str]:
    """An agency with a boundary, units, a gunfire type, two feeds, their keys, and a supervisor's session."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    from agencies.models import Agency, CrimeType, Membership, Unit, User
    from ingestion.models import Feed
    from ingestion.services.tokens import token_create

    call_command("migrate", verbosity=0)
    ring = [[-87.9, 41.6], [-87.5, 41.6], [-87.5, 42.0], [-87.9, 42.0], [-87.9, 41.6]]
    agency = Agency.objects.create(
        slug="bench",
        name="Bench",
        time_zone="America/Chicago",
        boundary={"type": "Polygon", "coordinates": [ring]},
    )
    CrimeType.objects.create(agency=agency, slug="gunfire", name="Gunfire", nibrs_code="gunfire", letter="G")
    Unit.objects.bulk_create([Unit(agency=agency, call_sign=f"A{number}") for number in range(200)])
    person = User.objects.create_user("bench", "bench@example.org")
    Membership.objects.create(agency=agency, user=person, role="supervisor")
    made = {}
    for kind in ("positions", "gunfire"):
        feed = Feed.objects.create(agency=agency, name=kind, slug=kind, record_kind=kind, kind="push")
        _, made[kind] = token_create(feed=feed, made_by=person, scope="push", name="bench", days=1)
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return {**made, "session": str(session.session_key)}


class CpuMeter:
    """Processor time of the web server, the database and this process: what others do on the machine does not count."""

    def __init__(self, web: int, database: int) -> None:
        self._roots = {"web": web, "database": database}
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        parents: dict[int, int] = {}
        ticks: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            pid = int(stat.parent.name)
            # Its own and that of children that have ended: a connection's process may be gone by now.
            parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
        found = {"senders": time.process_time()}
        for name, root in self._roots.items():
            own = [pid for pid in ticks if root in (pid, parents[pid], parents.get(parents[pid], 0))]
            found[name] = sum(ticks[pid] for pid in own) / os.sysconf("SC_CLK_TCK")
        return found

    def lap(self, pieces: int) -> dict[str, float]:
        """Milliseconds a piece of work since the last lap, by whom."""
        now, before = self._now(), self._before
        self._before = now
        return {name: round(1000 * (now[name] - before[name]) / pieces, 2) for name in now}


@contextmanager
def web_server(log: Path) -> Iterator[tuple[int, int]]:
    """The product's own web server on a free port: (port, process id)."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "missions_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", str(WORKERS), "--threads", str(THREADS), "--log-level", "warning", "--preload"]
    with log.open("wb") as sink:
        server = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            try:
                Line(port).get("/api/schema/")
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError(f"The web server did not start: {log.read_text()[-1000:]}")
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


class Line:
    """One connection to the server, kept open where the server does."""

    def __init__(self, port: int, token: str = "", session: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Token {token}"} if token else {"Cookie": f"sessionid={session}"}

    def post(self, address: str, body: bytes) -> tuple[int, bytes]:
        return self._ask("POST", address, body, {"Content-Type": "application/json"})

    def get(self, address: str, **headers: str) -> tuple[int, bytes]:
        return self._ask("GET", address, None, headers)

    def _ask(
        self, method: str, address: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            self._connection.request(method, address, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
        except (BrokenPipeError, http.client.RemoteDisconnected, ConnectionResetError):
            # The server closes a line that was silent for two seconds; a push may be sent twice.
            self._connection.close()
            self._connection.request(method, address, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
        return answer.status, answer.read()


def positions_body(batch: int) -> tuple[bytes, list[tuple[Any, ...]]]:
    """A batch of positions of 200 cars, none of them sent before; and the same as plain rows."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=batch)
    rows = []
    for number in range(BATCH):
        at = start + dt.timedelta(seconds=number // 200 * 5)
        unit = f"A{number % 200}"
        rows.append(
            (
                unit,
                at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                -87.7 + number % 997 / 10_000,
                41.8 + number % 991 / 10_000,
            )
        )
    names = ("unit", "at", "lon", "lat")
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode(), rows


def bare_copy(rows: list[tuple[Any, ...]]) -> float:
    """Milliseconds of a bare COPY of the same rows into a table without keys."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bare (unit text, at timestamptz, lon float8, lat float8)")
        started = time.perf_counter()
        with cursor.cursor.copy("COPY bare FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return 1000 * (time.perf_counter() - started)


def measure_batches(post: Any) -> dict[str, Any]:
    """Batches of new positions through ``post(body)``, after one that warms the server up, each beside a bare COPY."""
    taken: list[float] = []
    for batch in range(ROUNDS + WORKERS):
        body, _ = positions_body(batch)
        started = time.perf_counter()
        status, answer = post(body)
        taken.append(1000 * (time.perf_counter() - started))
        told = json.loads(answer)
        assert status == 200, answer[:300]
        assert told["inserted"] == BATCH, told
    warm = taken[WORKERS:]
    return {
        "rows": BATCH,
        "median_ms": round(statistics.median(warm)),
        "worst_ms": round(max(warm)),
        "limit_ms": 300,
    }


def in_process(token: str) -> Any:
    """A function that posts a batch without a web server, for SQLite."""
    from django.test import Client

    client = Client()

    def post(body: bytes) -> tuple[int, bytes]:
        answer = client.post(
            "/api/v1/positions/",
            body,
            content_type="application/json",
            headers={"authorization": f"Token {token}"},
        )
        return answer.status_code, answer.content

    return post


def alert_body(number: int) -> bytes:
    at = dt.datetime.now(dt.UTC).isoformat()
    place = {"lon": -87.7 + number % 997 / 10_000, "lat": 41.8 + number % 991 / 10_000}
    return json.dumps([{"id": f"S{number}", "occurred_at": at, "stage": "detected", **place}]).encode()


def sustained(port: int, token: str, rate: int, seconds: float) -> dict[str, Any]:
    """Single alerts at a steady rate from several senders; each waits for its answer, late ones are not dropped."""
    total = int(rate * seconds)
    taken: list[float] = []
    failed: list[int] = []
    lock = threading.Lock()
    numbers = iter(range(total))
    began = time.perf_counter() + 0.2

    def sender() -> None:
        line = Line(port, token)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            status, _ = line.post("/api/v1/gunfire/", alert_body(number))
            with lock:
                # From when it was due: a server that falls behind must not look fast.
                taken.append(1000 * (time.perf_counter() - due))
                failed.extend([status] if status != 200 else [])

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return {
        "asked_per_second": rate,
        "seconds": round(took, 1),
        "alerts_per_second": round(total / took, 1),
        "failed": len(failed),
        "median_ms": round(statistics.median(taken), 1),
        "p99_ms": round(statistics.quantiles(taken, n=100)[98], 1),
    }


def most(port: int, address: str, token: str, seconds: float, body: Any = None) -> float:
    """Requests a second that the same senders get through when none waits for its turn."""
    until = time.perf_counter() + seconds
    done = [0] * SENDERS

    def sender(index: int) -> None:
        line = Line(port, token)
        while time.perf_counter() < until:
            number = 10_000_000 + index * 1_000_000 + done[index]
            status, _ = line.post(address, body(number)) if body else line.get(address)
            done[index] += status in (200, 404)

    threads = [threading.Thread(target=sender, args=(index,)) for index in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(done) / seconds, 1)


def visible(port: int, token: str, session: str, rounds: int = 8) -> dict[str, Any]:
    """Seconds from the push of an alert until a board that polls every 2 s has it in its layer."""
    board, sender = Line(port, session=session), Line(port, token)
    taken = []
    for number in range(rounds):
        told = json.loads(board.get("/bench/version.json")[1])
        key = 90_000_000 + number
        pushed = time.perf_counter()
        status, answer = sender.post("/api/v1/gunfire/", alert_body(key))
        assert status == 200, answer
        # The board asked at an unknown moment of its two seconds: the rounds go through them.
        time.sleep(2 * (number + 1) / rounds)
        while True:
            now_told = json.loads(board.get("/bench/version.json")[1])
            if now_told != told:
                newest = json.loads(board.get("/bench/alerts.geojson")[1])["features"]
                if newest:
                    break
            time.sleep(2)
        taken.append(time.perf_counter() - pushed)
    return {"median_s": round(statistics.median(taken), 2), "worst_s": round(max(taken), 2), "limit_s": 3}


def on_postgres(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from django.db import connection

    made = set_up()
    with web_server(folder / "web.log") as (port, web):
        results: dict[str, Any] = {}
        spent = CpuMeter(web, options.database_pid)
        line = Line(port, made["positions"])
        results["positions_batch"] = measure_batches(lambda body: line.post("/api/v1/positions/", body))
        results["positions_batch"]["cpu_ms"] = spent.lap(ROUNDS + WORKERS)
        bare = statistics.median(bare_copy(positions_body(100 + n)[1]) for n in range(ROUNDS))
        results["positions_batch"] |= {
            "bare_copy_ms": round(bare, 1),
            "ratio_to_bare_copy": round(results["positions_batch"]["median_ms"] / bare, 1),
        }
        most(port, "/api/v1/gunfire/", made["gunfire"], 1.0, alert_body)
        spent.lap(1)
        results["alerts"] = sustained(port, made["gunfire"], options.rate, options.seconds)
        used = spent.lap(int(options.rate * options.seconds))
        results["alerts"] |= {
            "cpu_ms": used,
            "per_second_by_cpu_of_two_cores": round(2_000 / sum(used.values()), 1),
        }
        results["alerts"]["most_per_second"] = most(
            port, "/api/v1/gunfire/", made["gunfire"], 5.0, alert_body
        )
        empty = most(port, "/api/nothing/", "", 3.0)
        results["alerts"]["empty_pages_per_second"] = empty
        results["alerts"]["ratio_to_empty_page"] = round(empty / results["alerts"]["most_per_second"], 2)
        results["alert_to_open_map"] = visible(port, made["gunfire"], made["session"])
        results["version_polls_per_second"] = most_polls(port, made["session"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(received), sum(inserted + updated + unchanged + quarantined + refused) FROM ingestion_pushtally"
        )
        received, answered = cursor.fetchone()
    results["account"] = {"received": int(received), "answered_for": int(answered)}
    connection.close()
    return results


def most_polls(port: int, session: str) -> float:
    """Version polls a second over one connection while nothing changes."""
    line, until, done = Line(port, session=session), time.perf_counter() + 3.0, 0
    while time.perf_counter() < until:
        done += line.get("/bench/version.json")[0] == 200
    return round(done / 3.0, 1)


def child(options: argparse.Namespace) -> int:
    """The measuring itself, in a process whose settings name one database."""
    import django

    django.setup()
    folder = Path(os.environ["MISSIONS_VAR_DIR"])
    if options.part == "sqlite":
        results: dict[str, Any] = measure_batches(in_process(set_up()["positions"]))
    else:
        results = on_postgres(options, folder)
    options.out.write_text(json.dumps(results))
    return 0


def database_pid(url: str) -> int:
    """The database server's process: the one that listens on the URL's port; 0 for a file."""
    port = url.rsplit(":", 1)[-1].split("/")[0]
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        if url and words[0].endswith(b"postgres") and b"-p" in words and port.encode() in words:
            return int(line.parent.name)
    return 0


def run_part(part: str, url: str, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        out = Path(folder) / "part.json"
        environment = {
            **os.environ,
            "MISSIONS_VAR_DIR": folder,
            "DATABASE_URL": url or f"sqlite:///{folder}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.dev",
            "ALLOWED_HOSTS": "127.0.0.1,testserver",
            "API_REQUESTS_PER_SECOND": "100000",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, __file__, "--part", part, "--out", str(out)]
        command += ["--seconds", str(options.seconds), "--rate", str(options.rate)]
        command += ["--database-pid", str(database_pid(url))]
        subprocess.run(command, env=environment, check=True)
        found: dict[str, Any] = json.loads(out.read_text())
        return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    parser.add_argument("--database-pid", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "push.json")
    options = parser.parse_args()
    if options.part:
        return child(options)
    binaries = find_binaries()
    if binaries is None:
        print(f"Skipped: no PostgreSQL server binaries. Next step: {INSTALL_HINT}.")
        return 0
    results: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    results["sqlite_positions_batch"] = run_part("sqlite", "", options)
    with cluster(binaries) as url:
        results["postgresql"] = run_part("postgresql", url, options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
