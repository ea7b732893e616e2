"""What the dispatcher's minute costs with every agency of a country on one installation: 18,000 agencies, 54,000 shifts.

    .venv/bin/python benchmarks/bench_schedules.py [--agencies 18000] [--out FILE]

On a throwaway SQLite file: a minute in which a third of all shifts fall due at once (their claims inserted, nothing run),
and one in which nothing is due. Beside them the bare work: reading the same shifts as plain rows. No forecast is made.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
NOW = dt.datetime(2026, 3, 14, 20, 0, tzinfo=dt.UTC)


def set_up(n: int) -> None:
    """Agencies with three shifts each, a few starts apart, and one model in service."""
    from django.core.management import call_command

    from agencies.models import Agency, CrimeType, Shift
    from forecasting.models import Grid, ModelVersion, TrainingRun

    call_command("migrate", verbosity=0)
    agencies = Agency.objects.bulk_create(
        Agency(slug=f"a{i}", name=f"Agency {i}", time_zone=ZONES[i % len(ZONES)]) for i in range(n)
    )
    Shift.objects.bulk_create(
        Shift(
            agency=agency, name=name, slug=name, starts_at=dt.time(hour, 30 * (i % 2)), duration_minutes=480
        )
        for i, agency in enumerate(agencies)
        for name, hour in (("night", 0), ("day", 8), ("evening", 16))
    )
    types = CrimeType.objects.bulk_create(
        CrimeType(agency=agency, slug="robbery", name="Robbery", nibrs_code="120", letter="R")
        for agency in agencies
    )
    grids = Grid.objects.bulk_create(
        Grid(agency=a, cell_size_m=250, epsg=32616, n_cells=1, spec=b"", hash=f"{a.pk}") for a in agencies
    )
    runs = TrainingRun.objects.bulk_create(
        TrainingRun(agency=agency, status="succeeded") for agency in agencies
    )
    ModelVersion.objects.bulk_create(
        ModelVersion(
            agency=agency, crime_type=crime_type, run=run, grid=grid, number=1, champion="counts",
            beats_baseline=False, is_baseline=True, state="live", approved_at=NOW, artefact="", artefact_hash="",
            trained_from=NOW, trained_to=NOW, n_incidents=0, data_hash="",
        )
        for agency, crime_type, run, grid in zip(agencies, types, runs, grids, strict=True)
    )  # fmt: skip


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agencies", type=int, default=18_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "MISSIONS_VAR_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.dev",
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }
        import django

        django.setup()
        from agencies.models import Shift
        from patrols.services import plannings_claim

        set_up(given.agencies)
        busy, claimed = seconds(lambda: plannings_claim(now=NOW))
        idle = [seconds(partial(plannings_claim, now=NOW + dt.timedelta(seconds=n)))[0] for n in range(1, 6)]
        bare = [
            seconds(lambda: list(Shift.objects.values_list("pk", "agency_id", "starts_at")))[0]
            for _ in range(5)
        ]
        figures = {
            "agencies": given.agencies,
            "shifts": 3 * given.agencies,
            "claimed": len(claimed),
            "minute_with_all_due_seconds": round(busy, 3),
            "minute_with_nothing_due_seconds": round(statistics.median(idle), 3),
            "bare_reading_of_the_shifts_seconds": round(statistics.median(bare), 3),
        }
    text = json.dumps(figures, indent=1)
    sys.stdout.write(f"{text}\n")
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
