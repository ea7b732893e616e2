#!/usr/bin/env python3
"""A year of a large city's plans through the database: 25,600 cells, 277 beats, 1,095 shifts, read and analysed as the worker does it.

    python benchmarks/bench_study.py [--shifts 1095] [--seed 20260301] [--pages] [--database URL [--made]] [--out FILE]

Makes a throwaway PostgreSQL cluster and in it past shifts: forecasts of six crime types, designs drawn by the product's own
engine, missions, visits with vehicle positions, some 60,000 crimes a year. Then a frozen study is analysed by the service that
the background task calls, twice, each time in a process of its own: the first draws every plan again to check it, the second
finds these checks in the database. Seconds and peak memory by stage; ``--pages`` answers the other pages' questions too.
Making the data takes about a second a shift and is not counted. ``--database`` uses a database that stays; ``--made``: with the
data in it.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FIRST = dt.date(2025, 1, 6)
"""A Monday."""
CRIMES_A_YEAR = 60_000
PARTS = ("study_first", "study_again")
PAGES = ("curves", "designer", "proposals")


def days_of(shifts: int) -> int:
    """Three shifts a day."""
    return max(-(-shifts // 3), 1)


def make(shifts: int, seed: int) -> dict[str, Any]:
    """Plant the past shifts with a known truth; the made-up city is the planning benchmark's."""
    import numpy as np

    from benchmarks.bench_plan import set_up
    from missions_project.demo.planted import Truth, history_plant

    agency, grid = set_up()
    rng = np.random.default_rng(seed)
    shape = rng.gamma(0.5, 1.0, grid.n_cells)
    shape /= shape.sum()
    shares = {
        "theft": 0.45, "burglary": 0.18, "vehicle-theft": 0.15, "assault": 0.12, "robbery": 0.095, "homicide": 0.005,
    }  # fmt: skip
    # Nights are quieter than evenings, in every week alike.
    third = np.tile([0.7, 0.9, 1.4], 7)
    rates = {
        slug: CRIMES_A_YEAR / 1095.0 * share * third[:, None] * shape[None, :]
        for slug, share in shares.items()
    }
    last = FIRST + dt.timedelta(days=days_of(shifts) - 1)
    started = time.monotonic()
    planted = history_plant(
        agency=agency,
        rates=rates,
        first=FIRST,
        last=last,
        seed=seed,
        truth=Truth(complied=0.6),
        k=2,
        progress=told,
    )
    return {
        "seconds": time.monotonic() - started,
        "cells": grid.n_cells,
        "shifts": planted.plans,
        "missions": planted.missions,
        "crimes": planted.crimes,
        "true_contrast": planted.contrast,
        "true_net": planted.net,
    }


def told(done: int, total: int, label: str) -> None:
    """One line a hundred steps."""
    if done % 105 == 0 or done == total:
        print(f"{label}: {done:,} of {total:,}", file=sys.stderr, flush=True)


def peak_mb() -> int:
    """The most memory that this process had at any time, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Stages:
    """Progress that notes when each stage was first and last heard of, and the peak memory then."""

    def __init__(self) -> None:
        self.begun, self.begun_cpu = time.monotonic(), time.process_time()
        self.found: dict[str, dict[str, Any]] = {}

    def __call__(self, done: int, total: int, label: str) -> None:
        now = time.monotonic() - self.begun
        one = self.found.setdefault(label, {"from_s": now})
        one |= {
            "to_s": now,
            "to_cpu_s": time.process_time() - self.begun_cpu,
            "steps": done,
            "peak_mb": peak_mb(),
        }


def study() -> dict[str, Any]:
    """A frozen study over all plans, analysed as ``impact_report_task`` does it; what it cost by stage."""
    from agencies.models import Agency, CrimeType, User
    from patrols.models import MissionPlan
    from tactics.models import ImpactStudy
    from tactics.services import impact_report_execute
    from tactics.services.studies import report_queue, study_create, study_freeze

    agency = Agency.objects.get(slug="bench")
    actor, _ = User.objects.get_or_create(username="bench", defaults={"email": "bench@example.org"})
    kept = ImpactStudy.objects.filter(agency=agency, name="The year").first()
    if kept is None:
        dates = MissionPlan.objects.filter(agency=agency).order_by("on").values_list("on", flat=True)
        draft = study_create(
            agency=agency, actor=actor, name="The year", question="Do missions prevent crime?", minimum_detectable=0.1,
            crime_types=list(CrimeType.objects.filter(agency=agency).values_list("pk", flat=True)),
            first=dates.first(), last=dates.last(),
        )  # fmt: skip
        kept = study_freeze(study=draft, actor=actor)
    report = report_queue(study=kept)
    before, stages, cpu = peak_mb(), Stages(), time.process_time()
    report = impact_report_execute(report=report, progress=stages)
    figures = report.figures
    fisher = stages.found.get("Drawing busy plans again") or stages.found.get("Drawing the plans again")
    wall = time.monotonic() - stages.begun
    # The test runs within the analysis: what is left is reading, table, estimators and intervals.
    seconds = fisher_seconds(stages.found, "to_s")
    whole_cpu = time.process_time() - cpu
    return {
        "wall_s": wall,
        "cpu_s": whole_cpu,
        "without_fisher_s": wall - seconds,
        "without_fisher_cpu_s": whole_cpu - fisher_seconds(stages.found, "to_cpu_s"),
        "fisher_s": seconds,
        "fisher_draws": fisher["steps"] if fisher else 0,
        "peak_mb": peak_mb(),
        "before_mb": before,
        "stages": stages.found,
        "counts": report.counts,
        "refused": figures["n_refused"],
        "sentence": report.sentence,
        "effects": figures["effects"],
        "fisher": figures["fisher"],
    }


def fisher_seconds(stages: dict[str, dict[str, Any]], clock: str) -> float:
    """From the end of adding up plans to the last draw, by the wall clock or the processor's."""
    names = ("Drawing busy plans again", "Drawing the plans again")
    end = max((stages[name][clock] for name in names if name in stages), default=0.0)
    begin = stages.get("Adding up plans", {}).get(clock, end)
    return max(end - begin, 0.0)


def page(kind: str) -> dict[str, Any]:
    """One question of the pages beside studies, answered as the worker does it: with the choices that its page opens with."""
    from django.http import QueryDict

    from agencies.models import Agency, CrimeType
    from patrols.models import MissionPlan
    from patrols.selectors import active_policy
    from tactics.curves import CurveChoices
    from tactics.experiment import experiment_choices
    from tactics.models import Inquiry
    from tactics.services.inquiries import inquiry_answer, inquiry_ask

    agency = Agency.objects.get(slug="bench")
    types = list(CrimeType.objects.filter(agency=agency))
    last = MissionPlan.objects.filter(agency=agency).order_by("-on").values_list("on", flat=True)[0]
    choices: dict[str, Any] = {}
    if kind == "curves":
        first = last - dt.timedelta(days=91)
        choices = CurveChoices(first, last, tuple(one.slug for one in types)).as_json()
    elif kind == "designer":
        choices = experiment_choices(QueryDict(""), crime_types=types, policy=active_policy(agency)).as_json()
    stages, cpu = Stages(), time.process_time()
    asked = Inquiry.Kind.EXPERIMENT if kind == "designer" else Inquiry.Kind(kind)
    inquiry = inquiry_ask(agency=agency, kind=asked, choices=choices)
    inquiry_answer(inquiry=inquiry, progress=stages)
    return {
        "wall_s": time.monotonic() - stages.begun,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "stages": stages.found,
    }


def run_part(part: str, shifts: int, seed: int) -> dict[str, Any]:
    """One part, in this process."""
    import django

    django.setup()
    if part == "make":
        return make(shifts, seed)
    return study() if part in PARTS else page(part)


def in_own_process(part: str, options: argparse.Namespace, url: str, folder: str) -> dict[str, Any]:
    """The same in a process of its own, so that its peak memory is its own."""
    target = Path(folder) / f"{part}.json"
    command = [
        sys.executable, __file__, "--part", part, "--shifts", str(options.shifts), "--seed", str(options.seed),
        "--out", str(target),
    ]  # fmt: skip
    environment = os.environ | {
        "DATABASE_URL": url,
        "MISSIONS_VAR_DIR": folder,
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
    }
    subprocess.run(command, env=environment, check=True)
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def database(options: argparse.Namespace) -> contextlib.AbstractContextManager[str]:
    """The address of a throwaway cluster, or of the database given."""
    from tools.postgres import INSTALL_HINT, cluster, find_binaries

    if options.database:
        return contextlib.nullcontext(str(options.database))
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit(f"No PostgreSQL server binaries found. Next step: {INSTALL_HINT}")
    return cluster(binaries)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shifts", type=int, default=1095)
    parser.add_argument("--seed", type=int, default=20260301, help="of the planted history")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--database")
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--part", choices=("make", *PARTS, *PAGES))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "study.json")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)

    def keep(found: dict[str, Any]) -> None:
        options.out.write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")

    if options.part:
        keep(run_part(options.part, options.shifts, options.seed))
        return 0
    result: dict[str, Any] = {"benchmark": "study"}
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder, database(options) as url:
        wanted: list[str] = [*([] if options.made else ["make"]), *PARTS, *(PAGES if options.pages else ())]
        for part in wanted:
            result[part] = in_own_process(part, options, url, folder)
            keep(result)
            print(json.dumps({part: result[part]}, indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
