"""Server time of every page that an administrator can open, on the demo city: the 95th percentile against 200 ms.

    .venv/bin/python benchmarks/bench_pages.py [--rounds 20] [--out FILE] [--only WORD] [--profile NAME]
    .venv/bin/python tools/postgres.py .venv/bin/python benchmarks/bench_pages.py --large

Needs the demo set up once (`make demo`). Pages are found by following links and asked for with the test client, so that
nothing but the server's own work is measured; the first answer of each is not counted. Slow pages are asked less often. Each page
is weighed with all styles, scripts, pictures and data that it names, compressed, against 350 kB.
`--profile` prints where the time of one page goes. `--large` measures a city of 25,600 cells with six years of crimes and a year
of plans instead, against 400 ms: it is written to the database that DATABASE_URL names, once (about two minutes of processor
time); point DATABASE_URL at a server of your own to keep it. Processor time is the product's and the database's together.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import gc
import json
import os
import pstats
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.page_weight import LIMIT_KB, page_weight  # noqa: E402 - the path first
from benchmarks.upload_pages import READ_SECONDS, uploaded  # noqa: E402

MOST_MS, MOST_LARGE_MS = 200.0, 400.0
MOST_SECONDS_A_PAGE = 6.0


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds.

    >>> p95([1.0, 2.0, 3.0])
    3.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def database_ms() -> float:
    """Processor milliseconds that this connection's own server process has used: 0 where there is none to ask."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return 0.0
    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    client: Any, address: str, rounds: int, pause: float = 0.0
) -> tuple[list[float], list[float], int, str]:
    """Milliseconds of each answer after the first, by the wall and of the processors, the last's queries and its text."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address, follow=True)
    times: list[float] = []
    busy: list[float] = []
    until = time.perf_counter() + MOST_SECONDS_A_PAGE + pause * rounds
    while len(times) < rounds and (len(times) < 3 or time.perf_counter() < until):
        # As in the web server: the collector works between the answers, not during one.
        gc.collect()
        gc.disable()
        time.sleep(pause)
        there = database_ms()
        start, begun = time.perf_counter(), time.thread_time()
        client.get(address, follow=True)
        times.append(1000 * (time.perf_counter() - start))
        here = 1000 * (time.thread_time() - begun)
        # The database's clock ticks every 10 ms.
        busy.append(here + database_ms() - there)
        gc.enable()
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address, follow=True)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return times, busy, len(asked), body.decode(errors="replace")


def large_city() -> None:
    """Write the large city with a year of plans that ends today, unless the database has it."""
    from django.core.management import call_command
    from django.utils import timezone

    from agencies.models import Agency
    from benchmarks.large_year import DAYS, Size, planted
    from tests.factories import make_operator

    call_command("migrate", verbosity=0)
    if Agency.objects.filter(slug="bench").exists():
        return
    started = time.perf_counter()
    first = timezone.localdate() - dt.timedelta(days=DAYS - 1)
    _, _, made = planted(Size(first, crimes=60_000, latest=3 * DAYS))
    make_operator("admin")
    print(f"written in {time.perf_counter() - started:.0f} s: {made}", flush=True)


def profiled(client: Any, address: str) -> None:
    profile = cProfile.Profile()
    profile.runcall(client.get, address, follow=True)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(40)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--profile", default="")
    parser.add_argument("--large", action="store_true", help="a city of 25,600 cells, in DATABASE_URL")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
    import django

    django.setup()
    from django.conf import settings
    from django.db import OperationalError
    from django.test import Client

    from agencies.models import User
    from tools.page_walk import Found, pages_of

    settings.ALLOWED_HOSTS = ["*"]
    most = MOST_LARGE_MS if arguments.large else MOST_MS
    if arguments.large:
        large_city()
    try:
        person = User.objects.filter(username="admin").first()
    except OperationalError:
        person = None
    if person is None:
        print("Skipped: the demo city is not set up. To run it: make demo, once")
        return 0
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    rows: dict[str, dict[str, float]] = {}
    known: dict[str, int] = {}

    def look_at(pages: Iterable[Found], pause: float = 0.0) -> None:
        for found in pages:
            if arguments.only not in found.name:
                continue
            if arguments.profile == found.name:
                profiled(client, found.address)
            times, busy, queries, text = measure(client, found.address, arguments.rounds, pause)
            weight, parts = page_weight(client, found.address, text, known)
            rows[found.name] = row = {
                "p95_ms": round(p95(times), 1), "p95_cpu_ms": round(p95(busy), 1), "queries": queries, "kb": weight, "rounds": len(times)
            }  # fmt: skip
            print(
                f"{row['p95_ms']:8.0f} ms, processor {row['p95_cpu_ms']:.0f} ms, {queries} queries: {found.name}",
                flush=True,
            )
            if weight > LIMIT_KB:
                heaviest = sorted(parts.items(), key=lambda part: -part[1])[:5]
                print(
                    f"    {weight} kB: " + ", ".join(f"{size // 1000} {name}" for name, size in heaviest),
                    flush=True,
                )

    look_at(pages_of(client))
    if not arguments.large:
        with uploaded(client) as pages:
            look_at(pages, READ_SECONDS)
    slow = {name: row for name, row in rows.items() if row["p95_ms"] > most}
    heavy = {name: row["kb"] for name, row in rows.items() if row["kb"] > LIMIT_KB}
    print(
        f"{len(rows)} pages, {len(slow)} above {most:.0f} ms, {len(heavy)} above {LIMIT_KB} kB with all that they name"
    )
    figures = {
        "pages": len(rows),
        "limit_ms": most,
        "pages_above": len(slow),
        "all": rows,
        "slowest": slow,
        "heavy": heavy,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
