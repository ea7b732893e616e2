"""The shift board on this machine: server time and queries at 300 missions, weight of the first load, 200 boards that poll.

    .venv/bin/python benchmarks/bench_board.py [--boards 200] [--seconds 20] [--out FILE]

Starts a throwaway PostgreSQL and the product's web server (gunicorn), with a city of 100 beats and 300 missions. Targets:
p95 of the board's server time 120 ms in at most 12 queries, first load 300 kB compressed without tiles, 200 boards that ask
the version address every 2 s on two cores answered in 300 ms (p95). Beside the polls: the same while missions are assigned,
so that boards load their list, too.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.bench_push import Line, web_server  # noqa: E402 - the path first
from tools.postgres import INSTALL_HINT, cluster, find_binaries  # noqa: E402

BEATS_ACROSS = 10
BEAT_M = 1_500.0
ROUNDS = 60
POLL_S = 2.0


def set_up(time_zone: str = "America/Chicago") -> dict[str, Any]:
    """A city of 100 beats with two units each, a forecast, a published plan of 300 missions, and a supervisor's session."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.utils import timezone

    from agencies.models import Beat, District, Membership, Shift, Unit, User
    from forecasting.services import grid_build
    from patrols.models import Engagement, PatrolPolicy
    from patrols.services import plan_missions, plan_publish, plan_queue
    from tests.factories import make_agency, rectangle
    from tests.patrols.scenes import make_forecast

    call_command("migrate", verbosity=0)
    side = BEATS_ACROSS * BEAT_M
    agency = make_agency("bench", boundary=rectangle(0, 0, side, side), time_zone=time_zone)
    Unit.objects.filter(agency=agency).delete()
    Beat.objects.filter(agency=agency).delete()
    district = District.objects.get(agency=agency, code="S")
    for row in range(BEATS_ACROSS):
        for column in range(BEATS_ACROSS):
            x, y = column * BEAT_M, row * BEAT_M
            beat = Beat.objects.create(
                agency=agency,
                district=district,
                code=f"{row}{column}",
                geometry=rectangle(x, y, x + BEAT_M, y + BEAT_M),
            )
            Unit.objects.create(agency=agency, call_sign=f"A{row}{column}", beat=beat, missions_per_shift=2)
            Unit.objects.create(agency=agency, call_sign=f"B{row}{column}", beat=beat, missions_per_shift=1)
    _context_layers(agency)
    shift, on = Shift.objects.get(agency=agency, slug="evening"), timezone.localdate()
    PatrolPolicy.objects.create(agency=agency)
    make_forecast(agency, grid_build(agency=agency), shift, on)
    plan = plan_queue(agency=agency, shift=shift, on=on, seed=7)
    plan_missions(plan=plan, with_reasons=False)
    plan_publish(plan=plan, actor=None)
    why = {
        "headline": "Burglary is 2.1 times the usual here, most of all after dark",
        "clauses": [],
        "words": [],
        "bars": [],
    }
    plan.missions.update(why=why, place="Elm Street & Market Avenue")
    missions = list(plan.missions.select_related("assignment").order_by("number"))
    for mission in missions[: len(missions) // 3]:
        Engagement.objects.create(
            agency=agency,
            mission=mission,
            unit=mission.assignment.unit,
            arrived_at=mission.starts_at,
            left_at=mission.starts_at + dt.timedelta(minutes=11),
        )
    person = User.objects.create_user("bench", "bench@example.org")
    Membership.objects.create(agency=agency, user=person, role="supervisor")
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return {
        "session": str(session.session_key),
        "board": f"/bench/shifts/{on}/{shift.slug}/",
        "missions": len(missions),
        "person": person,
        "mission": missions[0],
    }


def _context_layers(agency: Any) -> None:
    """Streets every 150 m and a river, as a city of this size has them."""
    from ingestion.models import ContextLayer
    from tests.factories import degrees

    def line(number: int, *points: tuple[float, float]) -> dict[str, Any]:
        at = [[round(value, 5) for value in degrees(x, y)] for x, y in points]
        return {
            "type": "Feature",
            "properties": {"name": f"{number} Street"},
            "geometry": {"type": "LineString", "coordinates": at},
        }

    side, step = BEATS_ACROSS * BEAT_M, 150
    streets = [line(n, (n * step, 0), (n * step, side)) for n in range(int(side / step))]
    streets += [line(n, (0, n * step), (side, n * step)) for n in range(int(side / step))]
    for slug, features in (("streets", streets), ("river", [line(0, (0, 0), (side, side))])):
        ContextLayer.objects.create(
            agency=agency,
            slug=slug,
            name=slug.title(),
            kind="reference",
            geojson={"type": "FeatureCollection", "features": features},
        )


def server_time(made: dict[str, Any]) -> dict[str, Any]:
    """The board, its list and its boxes by Django's own client in this process: no network, no waiting for others."""
    from django.db import connection
    from django.test import Client

    # What the web server does at its start belongs to its time.
    import missions_project.wsgi  # noqa: F401 - imported for what it does

    client = Client()
    client.force_login(made["person"], backend="django.contrib.auth.backends.ModelBackend")
    found: dict[str, Any] = {"missions": made["missions"]}
    for name, address in (
        ("board", made["board"]),
        ("list", made["board"] + "list/"),
        ("boxes", made["board"] + "plan.geojson"),
        ("notes", made["board"] + "notes/"),
    ):
        counted: list[str] = []

        def count(run: Any, sql: str, *rest: Any, into: list[str] = counted) -> Any:
            into.append(sql)
            return run(sql, *rest)

        with connection.execute_wrapper(count):
            assert client.get(address).status_code == 200
        taken = []
        busy = time.process_time()
        for _ in range(ROUNDS):
            started = time.perf_counter()
            client.get(address)
            taken.append(1000 * (time.perf_counter() - started))
        busy = 1000 * (time.process_time() - busy) / ROUNDS
        found[name] = {
            "queries": len(counted),
            "median_ms": round(statistics.median(taken), 1),
            "p95_ms": round(statistics.quantiles(taken, n=20)[18], 1),
            # What others do on the machine counts in the two above, and not here.
            "cpu_ms": round(busy, 1),
        }
    return found | {"limit_p95_ms": 120, "limit_queries": 12}


def first_load(line: Line, board: str) -> dict[str, Any]:
    """Kilobytes that the board's first load sends, every part compressed by itself; tiles are none of ours."""
    status, page = line.get(board)
    assert status == 200, status
    html = page.decode()
    parts = set(re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+\.(?:js|css|svg)[^"]*)"', html))
    parts |= set(re.findall(r'data-(?:missions|alerts|version|layers)="([^"]+)"', html))
    parts |= set(re.findall(r'hx-get="([^"]+/notes/)"', html))
    sizes = {"page": len(gzip.compress(page, 6))}
    layers = {}
    for address in sorted(parts):
        full = urljoin(board, address.replace("&amp;", "&"))
        status, body = line.get(full)
        assert status == 200, (full, status)
        sizes[full] = len(gzip.compress(body, 6))
        if full.endswith("/layers/"):
            layers = {row["slug"]: row["url"] for row in json.loads(body)["layers"] if row["on"]}
    for slug, url in layers.items():
        sizes[f"layer {slug}"] = len(gzip.compress(line.get(url)[1], 6))
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    return {
        "total_kb": round(sum(sizes.values()) / 1000, 1),
        "limit_kb": 300,
        "requests": len(sizes),
        "largest_kb": {name: round(size / 1000, 1) for name, size in largest},
    }


class Board:
    """One open board: asks the version every two seconds over its own connection, and the list when it has changed."""

    def __init__(self, port: int, made: dict[str, Any], taken: dict[str, list[float]]) -> None:
        self._port, self._made, self._taken = port, made, taken
        self._etag, self._plan = "", ""
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _ask(self, address: str, name: str) -> tuple[int, bytes, str]:
        headers = (
            f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={self._made['session']}\r\n"
        )
        headers += "Accept-Encoding: gzip\r\n" + (
            f"If-None-Match: {self._etag}\r\n" if name == "version" else ""
        )
        started = time.perf_counter()
        for _ in range(2):
            try:
                if self._line is None:
                    self._line = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._line
                writer.write((headers + "\r\n").encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                break
            except (OSError, asyncio.IncompleteReadError):
                # The server closes a line that was silent: a browser opens another one, too.
                self._line = None
        else:
            raise RuntimeError(f"{address}: no answer")
        found = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in head.splitlines()[1:])}
        body = await reader.readexactly(int(found.get("content-length", 0)))
        if found.get("connection", "").lower() == "close":
            writer.close()
            self._line = None
        self._taken.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        return int(head.split()[1]), body, found.get("etag", "")

    async def run(self, until: float, offset: float) -> None:
        await asyncio.sleep(offset)
        while time.perf_counter() < until:
            began = time.perf_counter()
            status, body, etag = await self._ask(self._made["board"] + "version.json", "version")
            assert status in (200, 304), status
            if status == 200:
                plan, known = json.loads(body)["plan"], self._plan
                self._etag, self._plan = etag, plan
                if known and plan != known:
                    for name, part in (("list", "list/"), ("boxes", "plan.geojson")):
                        assert (await self._ask(self._made["board"] + part, name))[0] == 200
            await asyncio.sleep(max(0.0, POLL_S - (time.perf_counter() - began)))
        if self._line is not None:
            self._line[1].close()


async def poll(port: int, made: dict[str, Any], boards: int, seconds: float, change: Any) -> dict[str, Any]:
    """So many boards for so long; ``change`` (or None) is called every five seconds by somebody else."""
    taken: dict[str, list[float]] = {}
    until = time.perf_counter() + seconds

    async def somebody() -> None:
        while change and time.perf_counter() < until - 3:
            await asyncio.sleep(5.0)
            await asyncio.to_thread(change)

    opened = [Board(port, made, taken).run(until, POLL_S * number / boards) for number in range(boards)]
    await asyncio.gather(*opened, somebody())
    return {
        name: {
            "answers": len(values),
            "median_ms": round(statistics.median(values), 1),
            "p95_ms": round(statistics.quantiles(values, n=20)[18], 1),
            "p99_ms": round(statistics.quantiles(values, n=100)[98], 1),
        }
        for name, values in taken.items()
    }


def child(options: argparse.Namespace) -> int:
    """The measuring itself, in a process whose settings name the database."""
    import django

    django.setup()
    made = set_up()
    results: dict[str, Any] = {"server_time": server_time(made)}
    with web_server(Path(os.environ["MISSIONS_VAR_DIR"]) / "web.log") as (port, _):
        line = Line(port, session=made["session"])
        results["first_load"] = first_load(line, made["board"])
        asyncio.run(poll(port, made, 20, 3.0, None))
        results["polling_unchanged"] = asyncio.run(poll(port, made, options.boards, options.seconds, None))
        results["polling_changing"] = asyncio.run(
            poll(port, made, options.boards, options.seconds, lambda: _assign(made))
        )
        results["boards"], results["limit_poll_p95_ms"] = options.boards, 300
        options.out.write_text(json.dumps(results))
    return 0


def _assign(made: dict[str, Any]) -> None:
    from django.db import connection

    from patrols.services import mission_assign

    mission_assign(mission=made["mission"], unit=made["mission"].assignment.unit, actor=made["person"])
    connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boards", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "board.json")
    options = parser.parse_args()
    if options.part:
        return child(options)
    binaries = find_binaries()
    if binaries is None:
        print(f"Skipped: no PostgreSQL server binaries. Next step: {INSTALL_HINT}.")
        return 0
    results: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    with cluster(binaries) as url, tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        out = Path(folder) / "part.json"
        environment = {
            **os.environ,
            "MISSIONS_VAR_DIR": folder,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.dev",
            "ALLOWED_HOSTS": "127.0.0.1,testserver",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, __file__, "--part", "--out", str(out)]
        command += ["--boards", str(options.boards), "--seconds", str(options.seconds)]
        subprocess.run(command, env=environment, check=True)
        results |= json.loads(out.read_text())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
