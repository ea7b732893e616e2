"""How long it takes to read and normalise a city's open-data export, without a database.

    python benchmarks/bench_ingest_engine.py [--out benchmarks/results/ingest_engine.json] [FILE …]

Reads the given files (by default the public ones beside the checkout, ../shared/data/chicago/portal_*.csv.gz) as they are, in
the three stages of an import: the survey of the file, the reading of chunks, the normalising. Six crime types; the boundary is
the union of the districts. Wall and CPU seconds; peak memory of the process.
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ingestion.engine.codes import CodeTable  # noqa: E402 - the path must be set first
from ingestion.engine.context import NormaliseContext  # noqa: E402
from ingestion.engine.normalise import normalise_chunk  # noqa: E402
from ingestion.engine.places import Boundary  # noqa: E402
from ingestion.engine.profiles import SOCRATA_CITY  # noqa: E402
from ingestion.sources import CsvFileSource  # noqa: E402

CHICAGO = ROOT.parent / "shared" / "data" / "chicago"
CRIME_TYPES = {
    "homicide": "09A",
    "assault": "13A",
    "robbery": "120",
    "burglary": "220",
    "theft": "theft",
    "vehicle-theft": "240",
}


def context() -> NormaliseContext:
    """The agency that the files are read for; a fixed moment of reading, so that runs compare."""
    features = json.loads((CHICAGO / "districts.geojson").read_text())["features"]
    area = shapely.union_all([shapely.geometry.shape(feature["geometry"]) for feature in features])
    return NormaliseContext(
        "America/Chicago",
        datetime(2019, 1, 1, tzinfo=UTC),
        CodeTable(CRIME_TYPES),
        Boundary.from_geometry(area),
    )


class Stage:
    """Wall and CPU seconds spent in one stage."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._wall
        self.cpu_s += time.process_time() - self._cpu


def measure(path: Path, reading: NormaliseContext) -> dict[str, Any]:
    """The figures of one file."""
    stages = {"survey": Stage(), "read": Stage(), "normalise": Stage()}
    file = CsvFileSource().open(path)
    mapping = SOCRATA_CITY.mapping_for(file.header)
    mapping.validate(file.header)
    with stages["survey"]:
        file.survey(mapping)
    counts: Counter[str] = Counter()
    chunks = file.chunks(mapping)
    while True:
        with stages["read"]:
            chunk = next(chunks, None)
        if chunk is None:
            break
        with stages["normalise"]:
            result = normalise_chunk(chunk, mapping, reading)
        counts["received"] += result.received
        counts["usable"] += len(result)
        counts["superseded"] += len(result.superseded)
        counts["refused"] += sum(result.refused.values())
        counts.update(f"quarantined_{kept.rejection.code}" for kept in result.quarantined)
    wall_s = sum(stage.wall_s for stage in stages.values())
    return {
        "counts": dict(counts),
        "wall_s": round(wall_s, 2),
        "cpu_s": round(sum(stage.cpu_s for stage in stages.values()), 2),
        "rows_per_s": round(counts["received"] / wall_s),
        "normalise_rows_per_s": round(counts["received"] / stages["normalise"].wall_s),
        **{f"{name}_wall_s": round(stage.wall_s, 2) for name, stage in stages.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_engine.json")
    options = parser.parse_args()
    files = options.files or sorted(CHICAGO.glob("portal_*.csv.gz"))
    figures: dict[str, Any] = {"python": platform.python_version(), "numpy": np.__version__}
    if not files or not CHICAGO.exists():
        figures["skipped"] = "the public data are not beside this checkout (../shared/data/chicago)"
        print(f"Skipped: {figures['skipped']}.")
    else:
        reading = context()
        figures["files"] = {path.name: measure(path, reading) for path in files}
        figures["all_files_wall_s"] = round(sum(one["wall_s"] for one in figures["files"].values()), 2)
        figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        for name, one in figures["files"].items():
            print(
                f"{name:24} {one['counts']['received']:>9,} rows {one['wall_s']:>7.2f} s {one['rows_per_s']:>9,} rows/s   survey "
                f"{one['survey_wall_s']:.2f} read {one['read_wall_s']:.2f} normalise {one['normalise_wall_s']:.2f} "
                f"cpu {one['cpu_s']:.2f}"
            )
            print("    ", ", ".join(f"{key} {value:,}" for key, value in one["counts"].items()))
        print(f"All files {figures['all_files_wall_s']:.2f} s; peak memory {figures['peak_mb']} MB.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
