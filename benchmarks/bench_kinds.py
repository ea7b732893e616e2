"""The same rows from every kind of file into SQLite: seconds, rows a second and peak memory, as multiples of CSV in the same run.

.venv/bin/python benchmarks/bench_kinds.py [--data FOLDER] [--rows N] [--out FILE]

The portal's file of 2017 (its first rows, with the columns that are mapped) is written as CSV, Excel workbook, JSON lines,
Parquet and N-DEx XML. Each kind is imported in a process of its own into a fresh database, CSV first and last: the median
of both is the measure, and their difference says how restless the machine was.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SOURCE = "portal_2017.csv.gz"
COLUMNS = ("id", "occurred_at", "nibrs_code", "lat", "lon")
SUFFIX = {
    "csv_file": "csv",
    "excel_file": "xlsx",
    "json_lines_file": "jsonl",
    "parquet_file": "parquet",
    "ndex_xml_file": "xml",
}
XML_COLUMNS = {
    "external_id": "IncidentID",
    "nibrs_code": "NIBRSCode",
    "occurred_from": "OccurredFrom",
    "lon": "Longitude",
    "lat": "Latitude",
}
PLAIN_COLUMNS = {
    "external_id": "id",
    "nibrs_code": "nibrs_code",
    "occurred_from": "occurred_at",
    "lon": "lon",
    "lat": "lat",
}
NIBRS = {"05": "220", "06": "23H", "07": "240", "03": "120", "04A": "13A", "04B": "13A", "01A": "09A"}


def rows_of(path: Path, number: int) -> list[dict[str, str]]:
    """The portal's first rows that every kind can carry: a national code that is forecast, and a place."""
    from datetime import datetime

    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        found = (
            {
                "id": row["ID"],
                "occurred_at": datetime.strptime(row["Date"], "%m/%d/%Y %I:%M:%S %p").isoformat(),  # noqa: DTZ007 - local wall clock, as in the file
                "nibrs_code": NIBRS[row["FBI Code"]],
                "lat": row["Latitude"],
                "lon": row["Longitude"],
            }
            for row in csv.DictReader(text)
            if row["FBI Code"] in NIBRS and row["Latitude"]
        )
        return list(islice(found, number))


def write_all(rows: list[dict[str, str]], folder: Path) -> None:
    """One file of each kind, written by the tests' own writers (which need Django's settings, and no database)."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
        "MISSIONS_TEST_DIR": str(folder),
    }
    import django

    django.setup()
    from tests.ingestion.files import write_rows
    from tests.ingestion.reports import WRITERS

    for kind, suffix in SUFFIX.items():
        writer: Any = write_rows if kind == "csv_file" else WRITERS[kind]
        writer(folder / f"rows.{suffix}", rows, COLUMNS)


def measure(kind: str, path: Path, data: Path) -> dict[str, Any]:
    """Import the file in this process, into its own fresh database."""
    import django

    django.setup()
    from benchmarks.bench_import import peak_mb, set_up, timed_import
    from ingestion.engine.mapping import FeedMapping
    from ingestion.models import Feed

    agency = set_up(data).agency
    mapping = FeedMapping(columns=XML_COLUMNS if kind == "ndex_xml_file" else PLAIN_COLUMNS)
    feed = Feed(agency=agency, slug="kind", name="Kind", kind=kind, mapping=mapping.to_json())
    feed.full_clean()
    feed.save()
    before = peak_mb()
    found = timed_import(feed, path)
    return found | {
        "file_mb": round(path.stat().st_size / 2**20, 1),
        "memory_before_mb": before,
        "peak_memory_mb": peak_mb(),
    }


def run_kind(kind: str, folder: Path, data: Path) -> dict[str, Any]:
    """Measure one kind in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="missions-bench-") as own:
        environment = {
            **os.environ,
            "MISSIONS_TEST_DIR": own,
            "MISSIONS_VAR_DIR": own,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
            "DATABASE_URL": f"sqlite:///{own}/bench.sqlite3",
        }
        out = Path(own) / "figures.json"
        command = [sys.executable, __file__, "--measure", kind, "--folder", str(folder)]
        subprocess.run(
            [*command, "--data", str(data), "--out", str(out)], cwd=ROOT, env=environment, check=True
        )
        figures: dict[str, Any] = json.loads(out.read_text())
        return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "chicago")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "kinds.json")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--measure", choices=SUFFIX, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = options.data.resolve()
    if not (data / SOURCE).is_file():
        print(f"Skipped: no portal file in {data}. Next step: --data FOLDER with {SOURCE}.")
        return 0
    if options.measure:
        path = options.folder / f"rows.{SUFFIX[options.measure]}"
        options.out.write_text(json.dumps(measure(options.measure, path, data)))
        return 0
    with tempfile.TemporaryDirectory(prefix="missions-kinds-") as name:
        folder = Path(name)
        write_all(rows_of(data / SOURCE, options.rows), folder)
        order = [*SUFFIX, "csv_file"]
        runs = [(kind, run_kind(kind, folder, data)) for kind in order]
    csv_s = [one["seconds"] for kind, one in runs if kind == "csv_file"]
    csv_cpu_s = [one["cpu_seconds"] for kind, one in runs if kind == "csv_file"]
    kinds = {
        kind: one
        | {
            "ratio_to_csv": round(one["seconds"] / statistics.median(csv_s), 2),
            "cpu_ratio_to_csv": round(one["cpu_seconds"] / statistics.median(csv_cpu_s), 2),
        }
        for kind, one in runs[:-1]
    }
    for kind, one in kinds.items():
        assert one["counts"] == kinds["csv_file"]["counts"], f"{kind} gave other counts than CSV"
    results = {"rows": kinds["csv_file"]["counts"]["received"], "csv_seconds": csv_s, "kinds": kinds}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    for kind, one in kinds.items():
        print(
            f"{kind:<18}{one['file_mb']:>7.1f} MB{one['seconds']:>8.2f} s{one['rows_per_second']:>9,} rows/s  × {one['ratio_to_csv']} "
            f"of CSV (processor × {one['cpu_ratio_to_csv']}), {one['peak_memory_mb']} MB ({one['memory_before_mb']} before)"
        )
    print(f"CSV before and after: {csv_s[0]} and {csv_s[1]} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
