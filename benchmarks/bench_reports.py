#!/usr/bin/env python3
"""How long each report takes: a year of a large city (277 beats, 25,600 cells), and the pages of the demo.

    python benchmarks/bench_reports.py [--missions 1] [--passing 500] [--crimes 120000] [--out FILE]
    DATABASE_URL=… python benchmarks/bench_reports.py --kept
    MISSIONS_VAR_DIR=var python benchmarks/bench_reports.py --demo [--rounds 20]

The city is written to a throwaway database (SQLite; PostgreSQL where DATABASE_URL names a fresh one): six years of crimes, a
year of published plans with a mission or more in each beat and shift, seven in ten visited, tactics drawn and ticked, presence
at missions and without. Each report is asked for the whole year, by its page, with nothing in the cache; then its charts
and its workbook. Target: 10 s a report. ``--kept`` takes the city that DATABASE_URL holds already, from an earlier run or from
``bench_pages.py --large``, and the year of plans in it. ``--demo`` asks for the pages of the demo's database instead, 20 times each, with nothing
in the cache, again as people find them who come after the hour at which a worker counts the long ones, and as a question that
nobody has asked before; target: p95 200 ms.
"""

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.large_year import DAYS, Size, planted  # noqa: E402 - the path first

FIRST = dt.date(2025, 3, 1)
LIMIT_S, LIMIT_DEMO_MS = 10.0, 200.0


def asked(client: Any, slug: str, kind: Any, query: str) -> dict[str, Any]:
    """Wall and processor seconds of a report's page with nothing in the cache, of its charts and files."""
    from django.core.cache import caches
    from django.urls import reverse

    caches["reports"].clear()
    busy, started = time.process_time(), time.perf_counter()
    answer = client.get(reverse("tactics:report", args=[slug, kind.slug]) + query)
    took = {
        "page_s": round(time.perf_counter() - started, 2),
        "page_cpu_s": round(time.process_time() - busy, 2),
        "page_kb": len(answer.content) // 1000,
    }
    assert answer.status_code == 200, answer.content[:2000]
    report = answer.context["report"]
    started = time.perf_counter()
    for chart in report.charts:
        assert kind.chart(report, chart.slug)
    took["charts_s"] = round(time.perf_counter() - started, 2)
    started = time.perf_counter()
    book = client.get(reverse("tactics:workbook", args=[slug, kind.slug]) + query)
    assert book.status_code == 200
    took["workbook_s"] = round(time.perf_counter() - started, 2)
    for table in report.tables:
        if table.place and table.rows:
            started = time.perf_counter()
            size = sum(map(len, client.get(reverse("tactics:table_gpkg", args=[slug, kind.slug, table.slug]) + query)))  # fmt: skip
            took[f"gpkg_{table.slug}_s"] = round(time.perf_counter() - started, 2)
            took[f"gpkg_{table.slug}_kb"] = size // 1000
    return took


def people(agency: Any) -> tuple[Any, Any]:
    """Clients of an analyst and of a supervisor, who alone sees units' activity."""
    from django.test import Client

    from tactics.models import ReportPolicy
    from tests.factories import make_member

    ReportPolicy.objects.get_or_create(agency=agency, defaults={"unit_activity": True})
    clients = []
    for role in ("analyst", "supervisor"):
        client = Client()
        client.force_login(make_member(agency, role), backend="django.contrib.auth.backends.ModelBackend")
        clients.append(client)
    return clients[0], clients[1]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    import django

    django.setup()
    from django.db import transaction
    from django.test.utils import setup_test_environment

    # Else a page does not say which report it shows.
    setup_test_environment()

    if options.kept:
        agency, grid, first, made = kept()
    else:
        started, first = time.perf_counter(), FIRST
        agency, grid, made = planted(
            Size(first, options.days, options.missions, options.passing, options.crimes)
        )
        print(f"written in {time.perf_counter() - started:.0f} s: {made}", flush=True)
    with transaction.atomic():
        reports = year_asked(agency, first)
        # The people and the policy were for this measurement only.
        transaction.set_rollback(True)
    slowest = max(one["page_s"] for one in reports.values())
    return {"benchmark": "reports", "cells": grid.n_cells, **made, "reports": reports, "ratio_to_10_s": slowest / LIMIT_S}  # fmt: skip


def kept() -> tuple[Any, Any, dt.date, dict[str, int]]:
    """The city that an earlier run left: the agency, its grid, the year's first day, and how many rows of each kind."""
    from agencies.models import Agency
    from forecasting.models import Grid
    from ingestion.models import Incident
    from patrols.models import Mission, MissionPlan, Presence

    agency = Agency.objects.get(slug="bench")
    of = {"agency": agency}
    made = {
        str(model._meta.model_name): model.objects.filter(**of).count()
        for model in (Mission, Presence, Incident)
    }
    last = MissionPlan.objects.filter(**of).latest("on").on
    return agency, Grid.objects.get(**of), last - dt.timedelta(days=DAYS - 1), made


def year_asked(agency: Any, first: dt.date) -> dict[str, Any]:
    from tactics.reports.kinds import all_kinds

    analyst, supervisor = people(agency)
    query = f"?from={first}&to={first + dt.timedelta(days=DAYS - 1)}"
    reports = {}
    for slug, kind in all_kinds().items():
        client = supervisor if slug == "unit-activity" else analyst
        reports[slug] = asked(client, "bench", kind, query)
        print(slug, reports[slug], flush=True)
    return reports


def timed(client: Any, address: str, rounds: int, before: Callable[[], object]) -> dict[str, Any]:
    """Median and p95 of a page, each round after ``before``."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from missions_project.lib import collector

    taken, queries = [], 0
    # As in a web process: Python looks for rubbish between answers, not in the middle of one.
    collector.settle()
    for _ in range(rounds):
        collector.collect()
        before()
        started = time.perf_counter()
        with CaptureQueriesContext(connection) as counted:
            assert client.get(address).status_code == 200
        taken.append(1000 * (time.perf_counter() - started))
        queries = len(counted)
    p95 = round(statistics.quantiles(taken, n=20)[18])
    return {"median_ms": round(statistics.median(taken)), "p95_ms": p95, "queries": queries}


def demo(options: argparse.Namespace) -> dict[str, Any]:
    """p95 of each page on the demo's own database, its own days: with nothing in the cache, counted ahead, and as a question
    that nobody has asked before, with the crimes that were read ahead."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.cache import caches
    from django.db import transaction
    from django.urls import reverse

    from agencies.models import Agency
    from tactics.reports import kept_crimes
    from tactics.reports.kept import reports_ahead
    from tactics.reports.kinds import all_kinds
    from tactics.tasks import report_again_task

    settings.ALLOWED_HOSTS = ["*"]
    agency = Agency.objects.filter(is_demo=True).first() or Agency.objects.earliest("pk")
    found = {}
    with transaction.atomic():
        analyst, supervisor = people(agency)
        for slug in all_kinds():
            client = supervisor if slug == "unit-activity" else analyst
            address = reverse("tactics:report", args=[agency.slug, slug])
            client.get(address)
            found[slug] = timed(client, address, options.rounds, caches["reports"].clear)
            print(slug, found[slug], flush=True)
        # Nobody does it: the page that shows an old count only asks.
        report_again_task.delay = lambda *args: None  # type: ignore[method-assign]
        started = time.perf_counter()
        print(
            f"counted {reports_ahead(agency=agency, languages=['en'])} ahead in {time.perf_counter() - started:.1f} s"
        )
        for slug, kind in all_kinds().items():
            if kind.is_long:
                address = reverse("tactics:report", args=[agency.slug, slug])
                found[slug]["counted_ahead"] = timed(analyst, address, options.rounds, lambda: None)
                print(slug, found[slug]["counted_ahead"], flush=True)
        crimes = caches["reports"].get(kept_crimes._key(agency))

        def only_crimes() -> None:
            caches["reports"].clear()
            if crimes is not None:
                caches["reports"].set(kept_crimes._key(agency), crimes)

        for slug, kind in all_kinds().items():
            if kind.is_long:
                address = reverse("tactics:report", args=[agency.slug, slug])
                found[slug]["new_question"] = timed(analyst, address, options.rounds, only_crimes)
                print(slug, found[slug]["new_question"], flush=True)
        # The people and the policy above were for this measurement only.
        transaction.set_rollback(True)
    worst = max(one.get("new_question", one)["p95_ms"] for one in found.values())
    return {"benchmark": "report_pages", "pages": found, "ratio_to_200_ms": worst / LIMIT_DEMO_MS}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--demo", action="store_true", help="measure pages of the database in MISSIONS_VAR_DIR"
    )
    parser.add_argument("--kept", action="store_true", help="measure the city that DATABASE_URL holds")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--days", type=int, default=DAYS, help="days with plans, the last ones of the year")
    parser.add_argument("--missions", type=int, default=1, help="missions a beat and shift")
    parser.add_argument(
        "--passing", type=int, default=500, help="boxes a shift in which units were without a mission"
    )
    parser.add_argument("--crimes", type=int, default=120_000, help="crimes a year")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    if options.demo:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
        result = demo(options)
    else:
        with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
            os.environ["MISSIONS_VAR_DIR"] = folder
            os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
            os.environ["DJANGO_SETTINGS_MODULE"] = "missions_project.settings.test"
            result = measure(options)
    out = options.out or ROOT / "benchmarks" / "results" / f"{result['benchmark']}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
