"""How long it takes to count the minutes of a fleet in the boxes of a shift: 2 million positions, 300 boxes.

    python benchmarks/bench_dosage.py [--repeats 5] [--out benchmarks/results/dosage.json]

Made up: units that drive between places, park in boxes and on their edges, with jitter of 8 metres, silences, repeated
positions, shuffled. One core. No database is involved.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from patrols.engine.positions import Pings  # noqa: E402 - the path must be set first
from patrols.engine.presence import BoxGrid, vehicle_presence  # noqa: E402

TARGET_S = 5.0
SIDE, SIZE_M, BOXES = 160, 152.4, 300


def fleet(n: int, units: int, seed: int = 1) -> tuple[Pings, BoxGrid]:
    """Positions of a shift of eight hours; half of the stops are at boxes, a fifth of those on an edge."""
    rng = np.random.default_rng(seed)
    box = np.sort(rng.choice(SIDE * SIDE, BOXES, replace=False))
    each = n // units
    unit = np.repeat(np.arange(units), each)
    at_s = np.tile(np.linspace(0, 8 * 3600, each, endpoint=False), units) + rng.uniform(0, 2, each * units)
    legs = 24
    x, y = rng.uniform(0, SIDE * SIZE_M, (units, legs + 1)), rng.uniform(0, SIDE * SIZE_M, (units, legs + 1))
    at_box = rng.random((units, legs + 1)) < 0.5
    chosen = rng.choice(box, (units, legs + 1))
    inside = np.where(rng.random((units, legs + 1)) < 0.2, 0.0, 0.5)
    x = np.where(at_box, (chosen % SIDE + inside) * SIZE_M, x)
    y = np.where(at_box, (chosen // SIDE + 0.5) * SIZE_M, y)
    share = np.tile(np.linspace(0, legs, each, endpoint=False), units)
    leg = share.astype(np.int64)
    # A third of each leg is the drive, the rest is standing.
    driven = np.clip((share - leg) * 3 - 2, 0, 1)
    x_m = x[unit, leg] * (1 - driven) + x[unit, leg + 1] * driven + rng.normal(0, 8, len(unit))
    y_m = y[unit, leg] * (1 - driven) + y[unit, leg + 1] * driven + rng.normal(0, 8, len(unit))
    rows = np.flatnonzero(rng.random(len(unit)) > 0.02)
    rows = np.concatenate([rows, rng.choice(rows, n - len(rows))])
    rng.shuffle(rows)
    received = at_s + rng.exponential(4, len(at_s))
    pings = Pings(unit[rows], at_s[rows], x_m[rows], y_m[rows], received[rows])
    return pings, BoxGrid(0.0, 0.0, SIZE_M, SIDE, SIDE, box)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--positions", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "dosage.json")
    options = parser.parse_args()
    pings, boxes = fleet(options.positions, units=400)
    wall, processor = [], []
    for _ in range(options.repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        found = vehicle_presence(pings, boxes, from_s=0.0, to_s=8 * 3600.0)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_cpu)
    result = {
        "benchmark": "dosage",
        "positions": len(pings),
        "units": 400,
        "boxes": BOXES,
        "visits": len(found.visits),
        "minutes": float(found.visits.minutes.sum()),
        "target_s": TARGET_S,
        "wall_s": {"best": min(wall), "median": statistics.median(wall), "worst": max(wall)},
        "processor_s": {
            "best": min(processor),
            "median": statistics.median(processor),
            "worst": max(processor),
        },
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpus": os.cpu_count(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(
        f"{len(pings):,} positions, {BOXES} boxes: {result['visits']:,} visits, median {statistics.median(wall):.2f} s of wall "
        f"time, {statistics.median(processor):.2f} s of processor (target {TARGET_S:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
