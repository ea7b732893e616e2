#!/usr/bin/env python3
"""A busy evening on the web server: 200 shift boards that ask every 2 s and 800 officers' phones every 15 s, by locust on loopback.

    .venv/bin/python benchmarks/bench_load.py [--short] [--seconds 180] [--web-processes 2] [--out FILE]

A throwaway PostgreSQL and a Redis, the product's own web server (gunicorn as `make up` starts it) under the production
profile, a city of 100 beats with 300 missions of which everybody looks at the same shift. Boards ask with their mark and load
list and boxes when it has changed; each officer presses ten times in eight hours. Counted from half a minute after the last has opened a page. Limits: p95 500 ms, no error. Locust runs in
a process of its own, and shares the machine's cores with the server: whose processor seconds are whose is told, too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.stack import Meter, Stack, stack  # noqa: E402 - the path first
from tools import postgres, up  # noqa: E402

LIMIT_MS = 500
PRESSES_A_SHIFT, SHIFT_SECONDS, PHONE_SECONDS = 10, 8 * 3_600, 15
ARRIVE_A_SECOND = 8
SETTLE_SECONDS = 30
"""Between the last arrival and the first answer that counts: people who open their pages all at once are no polls."""


def make(boards: str, phones: str) -> dict[str, Any]:
    """The city of bench_board, and people with sessions: supervisors at boards, officers of its units with phones."""
    from django.contrib.auth.hashers import make_password
    from django.urls import reverse

    from agencies.models import Agency, Membership, User
    from benchmarks.bench_board import set_up
    from patrols.models import Mission

    # Somewhere it is evening, so that the shift runs while officers press.
    ahead = min(14, 18 - dt.datetime.now(dt.UTC).hour)
    made = set_up(f"Etc/GMT{-ahead:+d}")
    agency = Agency.objects.get(slug="bench")
    missions = list(Mission.objects.filter(agency=agency).select_related("assignment__unit"))
    own = {mission.assignment.unit: mission for mission in reversed(missions)}
    units = sorted(own, key=lambda unit: unit.call_sign)
    names = [f"board{n}" for n in range(int(boards))] + [f"phone{n}" for n in range(int(phones))]
    # Nobody signs in by password here: the sessions are written.
    password = make_password(None)
    people = User.objects.bulk_create(
        User(username=name, email=f"{name}@example.org", password=password) for name in names
    )
    at_boards, with_phones = people[: int(boards)], people[int(boards) :]
    Membership.objects.bulk_create(
        [Membership(agency=agency, user=person, role="supervisor") for person in at_boards]
        + [
            Membership(agency=agency, user=person, role="officer", unit=units[n % len(units)])
            for n, person in enumerate(with_phones)
        ]
    )
    return {
        "agency": agency.slug,
        "board": made["board"],
        "missions": made["missions"],
        "boards": int(boards),
        "settle": SETTLE_SECONDS,
        "phones": int(phones),
        "board_sessions": [session_of(person) for person in at_boards],
        "phone_people": [
            {
                "session": session_of(person), "person": str(person.pk), "unit": units[n % len(units)].call_sign,
                "mission": str(own[units[n % len(units)]].pk),
            }
            for n, person in enumerate(with_phones)
        ],
        "alerts": reverse("ingestion:alerts", args=[agency.slug]),
        "alerts_version": reverse("ingestion:version", args=[agency.slug]),
        "sync": reverse("tactics:sync", args=[agency.slug]),
        "press_chance": PRESSES_A_SHIFT * PHONE_SECONDS / SHIFT_SECONDS,
    }  # fmt: skip


def session_of(person: Any) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def serve(one: Stack, port: int, processes: int) -> subprocess.Popen[bytes]:
    """The web server as `make up` starts it, or with so many processes; returns when it answers."""
    import http.client

    words = [*shlex.split(up.process_list(port)["web"])[2:], "--workers", str(processes)]
    server = one.start("web", *words)
    for _ in range(300):
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/healthz", headers={"Host": "localhost"})
            if line.getresponse().status == 200:
                return server
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The web server did not start: {one.log('web')}")


def load(one: Stack, options: argparse.Namespace) -> dict[str, Any]:
    made = one.order(__file__, "make", str(options.boards), str(options.phones))
    (one.folder / "made.json").write_text(json.dumps(made))
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--verbosity", "0", "--no-input"], cwd=ROOT, env=one.environment, check=True
    )  # fmt: skip
    port = postgres.free_port()
    server = serve(one, port, options.web_processes)
    users = options.boards + options.phones
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "load_people.py"), "--headless", "--users", str(users),
        "--spawn-rate", str(ARRIVE_A_SECOND), "--run-time", f"{round(users / ARRIVE_A_SECOND + SETTLE_SECONDS + options.seconds)}s", "--reset-stats",
        "--host", f"http://127.0.0.1:{port}", "--only-summary", "--loglevel", "WARNING", "--stop-timeout", "20",
    ]  # fmt: skip
    with (one.folder / "locust.log").open("wb") as sink:
        people = subprocess.Popen(
            command, env={**os.environ, "LOAD_FOLDER": str(one.folder)}, stdout=sink, stderr=subprocess.STDOUT, cwd=one.folder
        )  # fmt: skip
    while people.poll() is None and not (one.folder / "there").exists():
        time.sleep(0.2)
    meter = Meter(web=server.pid, database=one.database, redis=one.redis, locust=people.pid)
    shares: dict[str, float] = {}
    while people.poll() is None:
        read = meter.shares()
        # Its last breath is of no process any more, and would read as nothing.
        shares = read if people.poll() is None and read["locust"] > 0 else shares
        time.sleep(1.0)
    if not (one.folder / "told.json").exists():
        raise RuntimeError(f"locust told nothing:\n{(one.folder / 'locust.log').read_text()[-3000:]}")
    told = json.loads((one.folder / "told.json").read_text())
    return {
        "web": f"{options.web_processes} processes, as `make up` starts them",
        "missions": made["missions"],
        "boards": options.boards,
        "phones": options.phones,
        "seconds": options.seconds,
        **told,
        "limit_p95_ms": LIMIT_MS,
        "cores_used": shares,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boards", type=int, default=200)
    parser.add_argument("--phones", type=int, default=800)
    parser.add_argument("--seconds", type=int, default=180, help="after everybody is there")
    parser.add_argument("--short", action="store_true", help="30 seconds")
    parser.add_argument(
        "--web-processes", type=int, default=up.web_processes(), help="as `make up` starts it"
    )
    parser.add_argument("--order", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "load.json")
    options = parser.parse_args()
    if options.order:
        import django

        django.setup()
        print(json.dumps(make(*options.order[1:])))
        return 0
    lack = up.missing() or (
        "no locust. To run it: pip install -r requirements-dev.txt"
        if importlib.util.find_spec("locust") is None
        else ""
    )
    if lack:
        print(f"Skipped: {lack}")
        return 0
    options.seconds = 30 if options.short else options.seconds
    results: dict[str, Any] = {
        "benchmark": "load",
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    with stack(API_REQUESTS_PER_SECOND="100000") as one:
        results |= load(one, options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
