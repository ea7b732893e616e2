"""How long it takes to plan one shift of a large city: 277 beats, 25,600 cells.

    python benchmarks/bench_patrols.py [--repeats 5] [--out benchmarks/results/patrols.json]

Prints a table and writes the same figures as JSON. The city is made up: 160 × 160 cells of 500 ft, beats of uneven
size around random centres, skewed harm, some cells suppressed, some saturated. No database is involved.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from patrols.engine.oversight import plan_oversight  # noqa: E402 - the path must be set first
from patrols.engine.plan import (  # noqa: E402
    DesignPolicy,
    design_from_bytes,
    design_to_bytes,
    plan_draw,
    replay,
)
from patrols.engine.sampling import draw_many  # noqa: E402

SIDE, BEATS, CELL_SIZE_M = 160, 277, 152.4


def city(seed: int = 1) -> dict[str, Any]:
    """The arguments of ``plan_draw`` for the made-up city."""
    rng = np.random.default_rng(seed)
    col, row = (part.ravel() for part in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    n = SIDE * SIDE
    # Half of the centres huddle downtown: real beats differ in size by more than ten to one.
    spread = np.where(np.arange(BEATS) % 2 == 0, 0.12, 0.5)[:, None]
    centre = SIDE * (0.5 + spread * (2 * rng.random((BEATS, 2)) - 1))
    beat = np.argmin((col[:, None] - centre[:, 0]) ** 2 + (row[:, None] - centre[:, 1]) ** 2, axis=1)
    size = np.bincount(beat, minlength=BEATS)
    return {
        "harm": rng.gamma(0.3, 1.0, n),
        "beat_of_cell": beat,
        "beat_k": {b: min(3, int(size[b] * 0.3)) for b in range(BEATS)},
        "suppressed": rng.random(n) < 0.01,
        "planned_minutes": np.where(rng.random(n) < 0.1, rng.random(n) * 480, 0.0),
        "days_since_last": rng.exponential(5.0, n),
        "x_m": 4.3e5 + CELL_SIZE_M * col,
        "y_m": 4.6e6 + CELL_SIZE_M * row,
        "shift_minutes": 480,
        "policy": DesignPolicy(),
        "seed": 20260301,
    }


def timed(action: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Wall seconds of an action: best, median and worst."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return {"best_s": min(seconds), "median_s": statistics.median(seconds), "worst_s": max(seconds)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "patrols.json")
    options = parser.parse_args()

    arguments = city()
    plan = plan_draw(**arguments)
    data = design_to_bytes(plan)
    one_beat = arguments | {
        "beat_of_cell": np.zeros(SIDE * SIDE, dtype=np.int64),
        "beat_k": {0: 831},
        "beat_units": {0: 277},
    }
    side = np.arange(40)
    x_m, y_m = np.asarray(side % 8 * 250.0, np.float64), np.asarray(side // 8 * 250.0, np.float64)
    pi = np.full(40, 0.1)
    figures = {
        "plan, all beats": timed(lambda: plan_draw(**arguments), options.repeats),
        "plan, the city as one beat": timed(lambda: plan_draw(**one_beat), options.repeats),
        "pack the design": timed(lambda: design_to_bytes(plan), options.repeats),
        "unpack the design": timed(lambda: design_from_bytes(data), options.repeats),
        "replay from bytes": timed(lambda: replay(data), options.repeats),
        "oversight figures": timed(lambda: plan_oversight(plan), options.repeats),
        "1,000 draws of a 40-cell beat": timed(
            lambda: draw_many(pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(0), draws=1000), options.repeats
        ),
    }
    size = np.bincount(arguments["beat_of_cell"], minlength=BEATS)
    result = {
        "benchmark": "patrols",
        "cells": SIDE * SIDE,
        "beats": BEATS,
        "beats_planned": len(plan.beat_id),
        "largest_beat_cells": int(size.max()),
        "smallest_beat_cells": int(size.min()),
        "candidates": len(plan),
        "missions": int(plan.drawn.sum()),
        "design_bytes": len(data),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpus": os.cpu_count(),
        "timings": figures,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    print(
        f"{result['beats_planned']} of {BEATS} beats planned, {size.min()} to {size.max()} cells each; "
        f"{len(plan)} candidates, {result['missions']} missions; design {len(data) / 1000:.0f} kB"
    )
    print(f"{'':32} {'best':>9} {'median':>9} {'worst':>9}")
    for name, seconds in figures.items():
        print(f"{name:32} " + " ".join(f"{value * 1000:6.1f} ms" for value in seconds.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
