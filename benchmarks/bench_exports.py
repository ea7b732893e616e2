"""Files of a million rows: does the web server's memory stay flat while they leave?

    .venv/bin/python benchmarks/bench_exports.py [--rows 1000000] [--out FILE]

Starts a throwaway PostgreSQL and the product's web server (gunicorn, one worker), fills in incidents and visits, and downloads
both CSV files as an analyst's browser does: a tenth of the rows, then all. The server's peak resident memory of each download
is the kernel's own (VmHWM, set back before each). Target: the tenfold file takes at most 16 MB more.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.postgres import INSTALL_HINT, cluster, find_binaries, free_port  # noqa: E402 - the path first

BLOCK = 1 << 16
DAYS = 1000
FIRST = "2023-01-01"


def set_up(rows: int) -> str:
    """An agency with a published plan, and so many incidents and visits over a thousand days; returns an analyst's session."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.db import connection

    from agencies.models import CrimeType, Membership, User
    from ingestion.models import Feed
    from tests.patrols.scenes import make_scene

    call_command("migrate", verbosity=0)
    scene = make_scene("bench")
    plan = scene.plan(publish=True)
    # Plans of a thousand dates, each with one of the missions: visits are chosen by their shift's date.
    mission = plan.missions.order_by("number")[0]
    feed = Feed.objects.create(
        agency=scene.agency, name="RMS", slug="rms", record_kind="incidents", kind="push"
    )
    crime_type = CrimeType.objects.filter(agency=scene.agency)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO ingestion_incident (agency_id, feed_id, external_id, code, occurred_from, occurred_to, reported_at, lon, lat,
                 discovery, time_precision, content_hash, imported_at, crime_type_id)
               SELECT %s, %s, 'R-' || n, '0610', t, t + interval '1 hour', t + interval '5 hours', -87.6 + n %% 997 * 1e-4,
                 41.8 + n %% 991 * 1e-4, 'reported', 'minute', n, now(), %s
               FROM (SELECT n, %s::timestamptz + n * %s * interval '1 second' AS t FROM generate_series(0, %s) AS n) AS made""",
            [scene.agency.pk, feed.pk, crime_type.pk, FIRST, DAYS * 86_400 / rows, rows - 1],
        )
        _copy_plans(cursor, plan, mission)
        cursor.execute(
            """INSERT INTO patrols_engagement (agency_id, mission_id, arrived_at, left_at, source)
               SELECT %s, m.id, p.period_from + k * interval '20 seconds', p.period_from + k * interval '20 seconds' + interval '12 minutes', 'timer'
               FROM patrols_mission m JOIN patrols_missionplan p ON p.id = m.plan_id, generate_series(0, %s) AS k
               WHERE p.seed = 99""",
            [scene.agency.pk, rows // DAYS - 1],
        )
        cursor.execute("ANALYZE")
    person = User.objects.create_user("bench", "bench@example.org")
    Membership.objects.create(agency=scene.agency, user=person, role="analyst")
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def _copy_plans(cursor: Any, plan: Any, mission: Any) -> None:
    """The plan and its first mission once a day, under seed 99."""
    from patrols.models import Mission, MissionPlan

    for model, row, changes in (
        (
            MissionPlan,
            plan,
            {
                '"on"': f"date '{FIRST}' + d",
                "seed": "99",
                "period_from": f"timestamptz '{FIRST} 18:00Z' + d * interval '1 day'",
                "period_to": f"timestamptz '{FIRST} 18:00Z' + d * interval '1 day' + interval '8 hours'",
            },
        ),
        (Mission, mission, {"plan_id": "p.id"}),
    ):
        names = [f'"{f.column}"' for f in model._meta.concrete_fields if not f.primary_key]
        values = [changes.get(name, changes.get(name.strip('"'), f"s.{name}")) for name in names]
        source = (
            f"generate_series(0, {DAYS - 1}) AS d"
            if model is MissionPlan
            else "patrols_missionplan p WHERE p.seed = 99 AND s.id = %s"
        )
        where = " WHERE s.id = %s" if model is MissionPlan else ""
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) "
            f"SELECT {', '.join(values)} FROM {model._meta.db_table} s, {source}{where}",
            [row.pk],
        )


def worker_of(master: int) -> int:
    """The web server's one worker process."""
    for _ in range(600):
        found = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.1)
    raise SystemExit("The web server's worker did not start.")


def memory_mb(pid: int, name: str) -> float:
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith(name))
    return int(line.split()[1]) / 1024


def download(port: int, session: str, path: str, pid: int) -> dict[str, float]:
    """Read a file to its end; rows, megabytes, seconds, and the server's memory before and at its highest."""
    # 5: the kernel forgets the highest so far.
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, began = memory_mb(pid, "VmRSS"), time.monotonic()
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    wire.request("GET", path, headers={"Cookie": f"sessionid={session}", "Host": "localhost"})
    answer = wire.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {answer.read(300)!r}")
    size = lines = 0
    first_at = 0.0
    while block := answer.read(BLOCK):
        first_at = first_at or time.monotonic() - began
        size += len(block)
        lines += block.count(b"\n")
    return {
        "lines": lines,
        "megabytes": round(size / 1e6, 1),
        "seconds": round(time.monotonic() - began, 1),
        "first_byte_s": round(first_at, 2),
        "rss_before_mb": round(before, 1),
        "rss_peak_mb": round(memory_mb(pid, "VmHWM"), 1),
    }


def measure(rows: int, url: str) -> dict[str, Any]:
    os.environ["DATABASE_URL"] = url
    os.environ["DJANGO_SETTINGS_MODULE"] = "missions_project.settings.dev"
    os.environ["MISSIONS_VAR_DIR"] = tempfile.mkdtemp(prefix="missions-bench-")
    import django

    django.setup()
    from django.db import connections

    session = set_up(rows)
    connections.close_all()
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "missions_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "1", "--threads", "4", "--timeout", "600"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            pid = worker_of(server.pid)
            return downloads(port, session, pid, rows)
        finally:
            server.terminate()


def downloads(port: int, session: str, pid: int, rows: int) -> dict[str, Any]:
    import datetime as dt

    first = dt.date.fromisoformat(FIRST)
    _wait(port)
    found: dict[str, Any] = {}
    # Room for the days on which the clock's midnight is not UTC's.
    tenth, whole = first + dt.timedelta(days=DAYS // 10 - 1), first + dt.timedelta(days=DAYS + 1)
    for name, path in (
        ("incidents", "/bench/incidents.csv"),
        ("visits", "/bench/engagements.csv"),
    ):
        start = first - dt.timedelta(days=1)
        # Once small: what the first request loads is no part of the growth.
        download(port, session, f"{path}?from={start}&to={first}", pid)
        small = download(port, session, f"{path}?from={start}&to={tenth}", pid)
        large = download(port, session, f"{path}?from={start}&to={whole}", pid)
        assert large["lines"] >= rows, large
        grew = round(large["rss_peak_mb"] - small["rss_peak_mb"], 1)
        found[name] = {"tenth": small, "whole": large, "grew_mb": grew}
    return found


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            wire.request("GET", "/healthz")
            wire.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The web server did not answer.")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    binaries = find_binaries()
    if binaries is None:
        print(f"Skipped: no PostgreSQL. Next step: {INSTALL_HINT}")
        return
    with cluster(binaries) as url:
        figures = measure(options.rows, url)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
