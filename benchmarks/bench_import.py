"""Import of a real city's portal file into SQLite and PostgreSQL: seconds, ratios, waiting pages, peak memory.

.venv/bin/python benchmarks/bench_import.py [--data FOLDER] [--out FILE] [--part sqlite|postgres|long] [--profile]

Each part is measured in a process of its own and writes its figures into benchmarks/results/import.json:

- sqlite: both files into a fresh SQLite database, twice, while another process writes as a page would. Limits: 20 s for the file of
  2017 (60 s for both), no page waits more than 2 s, 500 MB, the second time at most 1.5 times the first.
- postgres: the file of 2017 into a throwaway cluster, against a bare COPY of the same decompressed file into a table of
  texts, in the same run. Limit: 5 times.
- long: a made-up file of 6.7 million rows (the file of 2017 25 times over, each with other identifiers) against that of 2017 alone: peak
  memory of both, and memory on the way. Only on request (--part long): it takes six minutes or more.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FILES = ("portal_2017.csv.gz", "portal_2018.csv.gz")
COPIES = 25
TYPES = (
    ("homicide", "09A"),
    ("assault", "13A"),
    ("robbery", "120"),
    ("burglary", "220"),
    ("theft", "23H"),
    ("car-theft", "240"),
)
WRITER = """
import json, sys, time
import django; django.setup()
from agencies.models import Agency, AuditEvent
agency = Agency.objects.get()
print("ready", flush=True)
waits = []
while not sys.stdin.closed:
    began = time.perf_counter()
    AuditEvent.objects.create(agency=agency, action="bench.page", subject="a page's write")
    waits.append(time.perf_counter() - began)
    time.sleep(0.05)
    import select
    if select.select([sys.stdin], [], [], 0)[0]:
        break
print(json.dumps({"writes": len(waits), "longest_wait_s": round(max(waits), 3),
                  "median_wait_ms": round(1000 * sorted(waits)[len(waits) // 2], 2)}), flush=True)
"""


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


def timed_import(feed: Any, path: Path) -> dict[str, Any]:
    """One import with its wall and processor seconds, and the memory after each million rows."""
    from ingestion.services import import_run_execute, import_run_queue

    memory: dict[int, int] = {}

    def look(done: int, total: int, label: str) -> None:
        if label == "Importing":
            memory.setdefault(done // 1_000_000, resident_mb())

    started, worked = time.perf_counter(), time.process_time()
    run = import_run_execute(run=import_run_queue(feed=feed, path=path), progress=look)
    seconds = time.perf_counter() - started
    return {
        "file": path.name,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - worked, 2),
        "rows_per_second": round(run.counts["received"] / seconds),
        "counts": run.counts,
        "quarantined_by_code": run.rejections,
        "memory_mb_at_millions_of_rows": memory,
    }


def resident_mb() -> int:
    """Memory that this process has now (Linux; elsewhere its peak)."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_mb()
    return round(int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


@contextmanager
def page_writes(into: dict[str, Any]) -> Iterator[None]:
    """Beside the block, another process writes a row each 50 ms, as a page would; its waits go into the dictionary."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == "ready"
    try:
        yield
    finally:
        writer.stdin.write("stop\n")
        writer.stdin.close()
        into |= json.loads(writer.stdout.readline())
        writer.wait(timeout=60)


def part_sqlite(data: Path) -> dict[str, Any]:
    """Import both files, then both again, and read them as a table."""
    from ingestion.selectors import data_hash, incident_table

    feed = set_up(data)
    results: dict[str, Any] = {"runs": [], "page_writes": {}}
    with page_writes(results["page_writes"]):
        for again in (False, True):
            results["runs"] += [timed_import(feed, data / name) | {"again": again} for name in FILES]
    first, second = (
        [one["seconds"] for one in results["runs"] if one["again"] is again] for again in (False, True)
    )
    results |= {
        "file_2017_seconds": first[0],
        "import_seconds": round(sum(first), 2),
        "reimport_ratio": round(sum(second) / sum(first), 2),
    }
    for name, read in (
        ("incident_table_seconds", lambda: incident_table(feed.agency, epsg=32616)),
        ("data_hash_seconds", lambda: data_hash(feed.agency)),
    ):
        started = time.perf_counter()
        read()
        results[name] = round(time.perf_counter() - started, 3)
    return results | {"peak_memory_mb": peak_mb()}


def server_cpu_seconds() -> float:
    """Processor seconds that this connection's own server process has used (Linux; 0 elsewhere)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        path = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def both_cpu_seconds() -> float:
    """Processor seconds of this process and of its server process: what a busy machine does not distort much."""
    return time.process_time() + server_cpu_seconds()


def bare_copy(plain: Path) -> tuple[float, float]:
    """Wall and processor seconds (client and server) of a COPY of the file into a fresh table of texts."""
    from django.db import connection

    header = plain.open(encoding="utf-8").readline().strip().split(",")
    columns = ", ".join(f'"{name}" text' for name in header)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute(f"CREATE TABLE bench_copy ({columns})")
        worked = both_cpu_seconds()
        started = time.perf_counter()
        with (
            cursor.cursor.copy("COPY bench_copy FROM STDIN (FORMAT csv, HEADER)") as copy,
            plain.open("rb") as file,
        ):
            while block := file.read(1 << 20):
                copy.write(block)
        seconds = time.perf_counter() - started
        worked = both_cpu_seconds() - worked
        cursor.execute("DROP TABLE bench_copy")
    return seconds, worked


def part_postgres(data: Path) -> dict[str, Any]:
    """The file of 2017 into PostgreSQL, and the bare COPY before and after it."""
    feed = set_up(data)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.csv"
        with gzip.open(data / FILES[0], "rb") as packed, plain.open("wb") as out:
            while block := packed.read(1 << 20):
                out.write(block)
        copies = [bare_copy(plain) for _ in range(3)]
        worked = both_cpu_seconds()
        first = timed_import(feed, data / FILES[0])
        first["client_and_server_cpu_seconds"] = round(both_cpu_seconds() - worked, 2)
        copies += [bare_copy(plain) for _ in range(3)]
        again = timed_import(feed, data / FILES[0])
    copy_s = statistics.median(wall for wall, _ in copies)
    copy_cpu_s = statistics.median(cpu for _, cpu in copies)
    return {
        "copy_seconds": [round(wall, 2) for wall, _ in copies],
        "copy_median_seconds": round(copy_s, 2),
        "copy_median_cpu_seconds": round(copy_cpu_s, 2),
        "cpu_ratio_to_copy": round(first["client_and_server_cpu_seconds"] / copy_cpu_s, 1),
        "first": first,
        "again": again,
        "ratio_to_copy": round(first["seconds"] / copy_s, 1),
        "reimport_ratio": round(again["seconds"] / first["seconds"], 2),
        "peak_memory_mb": peak_mb(),
    }


def long_file(data: Path, out: Path) -> int:
    """Write the file of 2017 many times over, each time with other identifiers; returns the number of rows."""
    with gzip.open(data / FILES[0], "rt", encoding="utf-8", newline="") as packed:
        header, *rows = csv.reader(packed)
    with out.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(header)
        for copy in range(COPIES):
            writer.writerows([f"{copy}-{row[0]}", *row[1:]] for row in rows)
    return COPIES * len(rows)


def part_long(data: Path) -> dict[str, Any]:
    """Import a file of 6.7 million rows; its peak memory stands beside that of the 2017 file in the sqlite part."""
    feed = set_up(data)
    normal = timed_import(feed, data / FILES[0])
    normal_mb = peak_mb()
    path = Path(os.environ["MISSIONS_VAR_DIR"]) / "long.csv"
    # In a child: its rows in memory must not count as the import's.
    subprocess.run([sys.executable, __file__, "--data", str(data), "--write-long", str(path)], check=True)
    long = timed_import(feed, path)
    return {
        "file_mb": round(path.stat().st_size / 2**20),
        "normal": normal,
        "long": long,
        "normal_peak_memory_mb": normal_mb,
        "peak_memory_mb": peak_mb(),
        "seconds_a_million_rows": round(1e6 * long["seconds"] / long["counts"]["received"], 1),
    }


PARTS = {"sqlite": part_sqlite, "postgres": part_postgres, "long": part_long}


def measure_part(name: str, data: Path, profile: bool) -> dict[str, Any]:
    """Measure one part in this process."""
    import django

    django.setup()
    if not profile:
        return PARTS[name](data)
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    result: dict[str, Any] = profiler.runcall(PARTS[name], data)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(60)
    return result


def run_part(name: str, data: Path, profile: bool) -> dict[str, Any] | None:
    """Measure one part in a process of its own, with a database of its own; None where there is no PostgreSQL."""
    from tools import postgres

    with tempfile.TemporaryDirectory(prefix="missions-bench-") as folder:
        environment = {**os.environ, "MISSIONS_TEST_DIR": folder, "MISSIONS_VAR_DIR": folder,
                       "DJANGO_SETTINGS_MODULE": "missions_project.settings.test"}  # fmt: skip
        command = [
            sys.executable,
            __file__,
            "--data",
            str(data),
            "--measure",
            name,
            *(["--profile"] if profile else []),
        ]
        out = Path(folder) / "figures.json"
        command += ["--out", str(out)]
        if name == "postgres":
            if (binaries := postgres.find_binaries()) is None:
                print(f"postgres: not measured. Next step: {postgres.INSTALL_HINT}")
                return None
            with postgres.cluster(binaries) as url:
                subprocess.run(command, cwd=ROOT, env=environment | {"DATABASE_URL": url}, check=True)
        else:
            url = f"sqlite:///{folder}/bench.sqlite3"
            subprocess.run(command, cwd=ROOT, env=environment | {"DATABASE_URL": url}, check=True)
        result: dict[str, Any] = json.loads(out.read_text())
        return result


def report(results: dict[str, Any]) -> None:
    """The figures beside their limits."""
    if part := results.get("sqlite"):
        for one in part["runs"]:
            what = "again" if one["again"] else "first"
            print(f"{one['file']:<22}{what:<7}{one['seconds']:>8.2f} s ({one['cpu_seconds']:.1f} s of one core)"
                  f"{one['rows_per_second']:>9,} rows/s")  # fmt: skip
        print(f"SQLite: 2017 {part['file_2017_seconds']:.1f} s (limit 20), both {part['import_seconds']:.1f} s (limit 60), again × "
              f"{part['reimport_ratio']} (limit 1.5), {part['peak_memory_mb']} MB (limit 500); {part['page_writes']['writes']} writes "
              f"beside it, longest wait {part['page_writes']['longest_wait_s']} s (limit 2)")  # fmt: skip
    if part := results.get("postgres"):
        print(f"PostgreSQL: 2017 {part['first']['seconds']:.1f} s ({part['first']['cpu_seconds']:.1f} s of one core), bare COPY "
              f"{part['copy_median_seconds']} s: × {part['ratio_to_copy']} (limit 5); by processor time × "
              f"{part['cpu_ratio_to_copy']} ({part['first']['client_and_server_cpu_seconds']} against "
              f"{part['copy_median_cpu_seconds']} s, client and server); again × {part['reimport_ratio']} (limit 1.5); "
              f"{part['peak_memory_mb']} MB (limit 500)")  # fmt: skip
    if part := results.get("long"):
        print(f"{part['long']['counts']['received']:,} rows ({part['file_mb']:,} MB): {part['long']['seconds']:.0f} s, "
              f"{part['peak_memory_mb']} MB; one file of 2017 {part['normal_peak_memory_mb']} MB; at 0, 1, 2 … million rows "
              f"{', '.join(str(mb) for mb in part['long']['memory_mb_at_millions_of_rows'].values())} MB")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "chicago")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "import.json")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--profile", action="store_true", help="say where the time goes, on standard error")
    parser.add_argument("--measure", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--write-long", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = options.data.resolve()
    if not (data / FILES[0]).is_file():
        print(f"Skipped: no portal files in {data}. Next step: --data FOLDER with {' and '.join(FILES)}.")
        return 0
    if options.write_long:
        long_file(data, options.write_long)
        return 0
    if options.measure:
        options.out.write_text(json.dumps(measure_part(options.measure, data, options.profile)))
        return 0
    parts = options.part or ["sqlite", "postgres"]
    results = {
        name: figures for name in parts if (figures := run_part(name, data, options.profile)) is not None
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    report(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
