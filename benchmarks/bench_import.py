"""Import of a real city's two portal files into a fresh SQLite database: seconds, rows per second, peak memory.

.venv/bin/python benchmarks/bench_import.py [--data FOLDER] [--out FILE]

Writes benchmarks/results/import.json. The acceptance limits are 60 s for both files and 500 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FILES = ("portal_2017.csv.gz", "portal_2018.csv.gz")
TYPES = (
    ("homicide", "09A"),
    ("assault", "13A"),
    ("robbery", "120"),
    ("burglary", "220"),
    ("theft", "23H"),
    ("car-theft", "240"),
)


def set_up(data: Path) -> Any:
    """A fresh agency with the city's boundary and six crime types, and a feed of the ready-made profile."""
    import shapely
    import shapely.geometry
    from django.core.management import call_command

    from agencies.engine.geometry import geojson_from_polygon
    from agencies.models import Agency, CrimeType
    from ingestion.services import feed_ensure

    call_command("migrate", verbosity=0)
    shapes = json.loads((data / "districts.geojson").read_text())["features"]
    area = shapely.union_all([shapely.make_valid(shapely.geometry.shape(f["geometry"])) for f in shapes])
    agency = Agency.objects.create(
        slug="chicago", name="Chicago", time_zone="America/Chicago", boundary=geojson_from_polygon(area)
    )
    for slug, code in TYPES:
        CrimeType.objects.create(agency=agency, slug=slug, name=slug, nibrs_code=code, letter=slug[0].upper())
    return feed_ensure(agency=agency, slug="portal", profile="socrata", sample=data / FILES[0])


def measure(data: Path) -> dict[str, Any]:
    """Import both files, then both again, and read them as a table."""
    from ingestion.selectors import data_hash, incident_table
    from ingestion.services import import_run_execute, import_run_queue

    feed = set_up(data)
    results: dict[str, Any] = {"runs": []}
    for again in (False, True):
        for name in FILES:
            started, worked = time.perf_counter(), time.process_time()
            run = import_run_execute(run=import_run_queue(feed=feed, path=data / name))
            seconds = time.perf_counter() - started
            results["runs"].append(
                {
                    "file": name,
                    "again": again,
                    "seconds": round(seconds, 2),
                    "cpu_seconds": round(time.process_time() - worked, 2),
                    "rows_per_second": round(run.counts["received"] / seconds),
                    "counts": run.counts,
                    "quarantined_by_code": run.rejections,
                }
            )
    first = [one["seconds"] for one in results["runs"] if not one["again"]]
    results["import_seconds"] = round(sum(first), 2)
    results["reimport_ratio"] = round(
        sum(one["seconds"] for one in results["runs"] if one["again"]) / sum(first), 2
    )
    for name, read in (
        ("incident_table_seconds", lambda: incident_table(feed.agency, epsg=32616)),
        ("data_hash_seconds", lambda: data_hash(feed.agency)),
    ):
        started = time.perf_counter()
        read()
        results[name] = round(time.perf_counter() - started, 3)
    results["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "chicago")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "import.json")
    options = parser.parse_args()
    data = options.data
    if not (data / FILES[0]).is_file():
        print(f"Skipped: no portal files in {data}. Next step: --data FOLDER with {' and '.join(FILES)}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        os.environ["MISSIONS_VAR_DIR"] = folder
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "missions_project.settings.test"
        import django

        django.setup()
        results = measure(data)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    for one in results["runs"]:
        what = "again" if one["again"] else "first"
        print(
            f"{one['file']:<22}{what:<7}{one['seconds']:>8.2f} s ({one['cpu_seconds']:.1f} s of one core) {one['rows_per_second']:>9,} rows/s"
        )
    print(
        f"both files, first time {results['import_seconds']:.2f} s (limit 60); again × {results['reimport_ratio']}"
    )
    print(
        f"incident_table {results['incident_table_seconds']:.2f} s; peak memory {results['peak_memory_mb']} MB (limit 500)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
