#!/usr/bin/env python3
"""How long it takes to plan one shift of a large city with its database: 277 beats, 25,600 cells, a week of plans before it.

    python benchmarks/bench_plan.py [--repeats 3] [--profile] [--out FILE]

A throwaway SQLite database, six crime types, a roster of 277 units, the starter set of tactics; the reasons are left to a worker, as in service.
Processor seconds stand beside wall seconds; target 1.5 s. Last, the whole plan is drawn 1,000 times more.
"""

import argparse
import cProfile
import datetime as dt
import json
import os
import pstats
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIDE, BEATS, ROWS, CELL_M = 160, 277, 16, 250.0
ON = dt.date(2026, 3, 14)


def set_up() -> Any:
    """The agency with beats in rows of 17 or 18, units, a grid and a made-up forecast of each shift of nine days."""
    from django.core.management import call_command

    from agencies.models import Agency, Beat, CrimeType, District, Shift, Unit
    from forecasting.services import grid_build
    from patrols.models import PatrolPolicy
    from tactics.services import starter_catalogue_create
    from tests.factories import rectangle

    call_command("migrate", verbosity=0)
    side = SIDE * CELL_M
    agency = Agency.objects.create(
        slug="bench", name="Bench", time_zone="America/Chicago", boundary=rectangle(0, 0, side, side)
    )
    high = side / ROWS
    for row in range(ROWS):
        district = District.objects.create(
            agency=agency, code=f"D{row}", geometry=rectangle(0, row * high, side, (row + 1) * high)
        )
        n = BEATS // ROWS + (row < BEATS % ROWS)
        for column in range(n):
            shape = rectangle(side * column / n, row * high, side * (column + 1) / n, (row + 1) * high)
            beat = Beat.objects.create(
                agency=agency, district=district, code=f"{row:02}{column:02}", geometry=shape
            )
            Unit.objects.create(agency=agency, call_sign=f"U{beat.code}", beat=beat)
    for name, hour in (("night", 0), ("day", 8), ("evening", 16)):
        Shift.objects.create(
            agency=agency, name=name, slug=name, starts_at=dt.time(hour), duration_minutes=480
        )
    for number, (code, slug) in enumerate(
        (
            ("120", "robbery"),
            ("220", "burglary"),
            ("240", "vehicle-theft"),
            ("13A", "assault"),
            ("09A", "homicide"),
            ("23F", "theft"),
        )
    ):
        CrimeType.objects.create(
            agency=agency, name=slug, slug=slug, nibrs_code=code, weight=1.0 + number, letter=slug[0].upper()
        )
    PatrolPolicy.objects.create(agency=agency)
    # Each plan draws its missions' tactics too.
    starter_catalogue_create(agency=agency)
    return agency, grid_build(agency=agency)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    import django

    django.setup()
    import numpy as np

    from agencies.models import Shift
    from benchmarks.city import measured
    from patrols.coverage import plan_coverage
    from patrols.engine.redraw import draw_frequencies
    from patrols.selectors import plan_draw_of
    from patrols.services import plan_missions, plan_publish, plan_queue
    from tests.patrols.scenes import make_forecast

    agency, grid = set_up()
    shifts = list(Shift.objects.filter(agency=agency))

    def plan(on: dt.date, shift: Shift) -> Any:
        row = plan_queue(agency=agency, shift=shift, on=on, seed=1)
        return plan_missions(plan=row, with_reasons=False)

    for day in range(7, 0, -1):
        for shift in shifts:
            on = ON - dt.timedelta(days=day)
            make_forecast(agency, grid, shift, on)
            plan_publish(plan=plan(on, shift), actor=None)
    make_forecast(agency, grid, shifts[2], ON)
    costs, made = [], None
    for _ in range(options.repeats):
        made, cost = measured(lambda: plan(ON, shifts[2]))
        costs.append(cost)
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(plan, ON, shifts[2])
        pstats.Stats(profile).sort_stats("cumulative").print_stats(30)
    assert made is not None
    made.refresh_from_db()
    draw = plan_draw_of(made)
    _, coverage = measured(lambda: plan_coverage(made))
    found, again = measured(lambda: draw_frequencies(draw, draws=options.draws, rng=np.random.default_rng(1)))
    return {
        "benchmark": "plan",
        "cells": grid.n_cells,
        "beats": len(draw.beat_id),
        "missions": int(draw.drawn.sum()),
        "plan_wall_s": min(cost["wall_s"] for cost in costs),
        "plan_cpu_s": min(cost["cpu_s"] for cost in costs),
        "ratio_of_cpu_to_1_5_s": min(cost["cpu_s"] for cost in costs) / 1.5,
        "coverage_cpu_s": coverage["cpu_s"],
        "draws": options.draws,
        "draws_cpu_s": again["cpu_s"],
        "draws_worst_standard_errors": found.largest,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "plan.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        os.environ |= {
            "MISSIONS_VAR_DIR": folder,
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
        }
        result = measure(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
