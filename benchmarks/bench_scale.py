#!/usr/bin/env python3
"""Does the cost grow in proportion? From 1 to 16 times the incidents, and from 1 to 16 times cells x shifts.

    python benchmarks/bench_scale.py [--no-big] [--figure docs/images/scale.svg] [--out FILE]

Processor seconds on made-up cities, each step in a process of its own, and the slope of their logarithms: 1 is growth
in proportion, below 1 better. Last, 6.7 million incidents are made up and all six types are fitted to them; its peak
memory is set against 6 GB. The plot is written to benchmarks/results/scale.svg, or where --figure says.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.city import (
    BEGIN,
    ROOT,
    SHIFTS,
    TYPES,
    champions,
    machine,
    made_up,
    measured,
    peak_mb,
    shift_instances,
    tonight,
)
from forecasting.engine.features import History, events_of, surfaces
from forecasting.engine.sampling import rows_sample
from forecasting.engine.train import forecast

STEPS = (1, 2, 4, 8, 16)
EVENTS_AT_ONE, CELLS_FOR_EVENTS, PERIODS_FOR_EVENTS = 250_000, 6_400, 150
CELLS_AT_ONE, PERIODS_AT_ONE, EVENTS_FOR_CELLS = 1_600, 60, 50_000
BIG_EVENTS, BIG_CELLS, BIG_DAYS, BIG_MB = 6_700_000, 26_896, 3_650, 6 * 1024
DAYS = 720


def by_events(step: int) -> dict[str, float]:
    """Place the incidents, carry the states through the shifts, sample the training rows."""
    grid, incidents = made_up(np.random.default_rng(1), EVENTS_AT_ONE * step, CELLS_FOR_EVENTS, DAYS)
    every = shift_instances(BEGIN, BEGIN + np.timedelta64(DAYS, "D"))
    periods = every.take(np.linspace(len(every) // 5, len(every) - 1, PERIODS_FOR_EVENTS).astype(int))

    def work() -> int:
        history = History(grid, events_of(grid, incidents, SHIFTS))
        rows = rows_sample(history, periods, list(range(len(TYPES))), np.random.default_rng(2))
        return len(rows.cell)

    rows, cost = measured(work)
    return {"times": step, "events": len(incidents), "rows": rows, **cost}


def by_cells(step: int) -> dict[str, float]:
    """Read every cell in every sampled shift, as testing a model does."""
    more_cells, more_periods = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2), 16: (4, 4)}[step]
    grid, incidents = made_up(np.random.default_rng(1), EVENTS_FOR_CELLS, CELLS_AT_ONE * more_cells, DAYS)
    every = shift_instances(BEGIN, BEGIN + np.timedelta64(DAYS, "D"))
    n = PERIODS_AT_ONE * more_periods
    periods = every.take(np.linspace(len(every) // 5, len(every) - 1, n).astype(int))
    History(grid, events_of(grid, incidents, SHIFTS))  # the blurs are made once for a grid, whatever follows

    def work() -> float:
        history = History(grid, events_of(grid, incidents, SHIFTS))
        return sum(float(rates[0, 0, 0]) for _, rates, _ in surfaces(history, periods))

    _, cost = measured(work)
    return {"times": step, "cells": len(grid), "periods": n, "cell_periods": len(grid) * n, **cost}


def big(n_events: int) -> dict[str, float]:
    """Make up the incidents, fit all six types, forecast one shift."""
    (grid, incidents), made = measured(
        lambda: made_up(np.random.default_rng(1), n_events, BIG_CELLS, BIG_DAYS)
    )
    now, shift = tonight(incidents)
    trained, fit = measured(lambda: champions(grid, incidents, now))
    found, one = measured(
        lambda: forecast(
            trained=trained, grid=grid, incidents=incidents, period=shift, shifts=SHIFTS, as_of_utc=now
        )
    )
    return {
        "events": len(incidents),
        "cells": len(grid),
        "made_up_cpu_s": made["cpu_s"],
        "fit_wall_s": fit["wall_s"],
        "fit_cpu_s": fit["cpu_s"],
        "forecast_cpu_s": one["cpu_s"],
        "expected_thefts": float(found["theft"].sum()),
        "peak_mb": peak_mb(),
        "ratio_to_6_gb": peak_mb() / BIG_MB,
    }


WORK = {"events": by_events, "cells": by_cells, "big": big}


def apart(what: str, step: int) -> dict[str, float]:
    """Each step in a new process: memory that an earlier one left warm would flatter the later ones."""
    started = time.perf_counter()
    command = [sys.executable, str(pathlib.Path(__file__).resolve()), "--step", what, str(step)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, float] = json.loads(done.stdout)
    print(f"{what:7} x{step:<9,} {row.get('cpu_s', row.get('fit_cpu_s', 0)):8.2f} s of processor "
          f"({time.perf_counter() - started:.0f} s on the clock)", flush=True)  # fmt: skip
    return row


def slope(rows: list[dict[str, float]]) -> float:
    """Growth of the cost: the exponent between the smallest and the largest, fitted over all."""
    times = np.log([row["times"] for row in rows])
    return float(np.polyfit(times, np.log([row["cpu_s"] for row in rows]), 1)[0])


def draw(tables: dict[str, list[dict[str, float]]], path: pathlib.Path) -> None:
    """Cost against size, both in powers of two, with the line of growth in proportion."""
    import matplotlib as mpl

    mpl.use("svg")
    # Letters as text and no random names: the file is small and the same figures give the same bytes.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "scale", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.1), layout="constrained")
    titles = {"events": "Incidents", "cells": "Cells × shifts"}
    for axis, (what, rows) in zip(axes, tables.items(), strict=True):
        times = [row["times"] for row in rows]
        cost = [row["cpu_s"] for row in rows]
        axis.plot(times, [cost[0] * time for time in times], "--", color="0.6", label="in proportion")
        axis.plot(times, cost, "o-", color="#1f5f8b", label=f"measured, slope {slope(rows):.2f}")
        axis.set(xscale="log", yscale="log", xticks=times, xticklabels=[f"{time}×" for time in times])
        axis.minorticks_off()
        axis.set(title=titles[what], xlabel="size", ylabel="processor seconds")
        axis.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-big", action="store_true", help="leave out the 6.7 million incidents")
    parser.add_argument("--big-events", type=int, default=BIG_EVENTS)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--figure", type=pathlib.Path, default=ROOT / "benchmarks" / "results" / "scale.svg")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results" / "scale.json")
    args = parser.parse_args()
    if args.step:
        print(json.dumps(WORK[args.step[0]](int(args.step[1]))))
        return 0
    tables = {what: [apart(what, step) for step in STEPS] for what in ("events", "cells")}
    result: dict[str, Any] = {
        "benchmark": "scale",
        "slope_events": slope(tables["events"]),
        "slope_cells_x_periods": slope(tables["cells"]),
        **tables,
        **machine(),
    }
    if not args.no_big:
        result["big"] = apart("big", args.big_events)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    draw(tables, args.figure)
    print(f"slope of cost: {result['slope_events']:.2f} with the incidents, "
          f"{result['slope_cells_x_periods']:.2f} with cells x shifts (1 is growth in proportion)")  # fmt: skip
    if "big" in result:
        print(f"{result['big']['events']:,} incidents: peak {result['big']['peak_mb']:,.0f} MB, ratio to 6 GB "
              f"{result['big']['ratio_to_6_gb']:.2f}, fit {result['big']['fit_wall_s']:.0f} s")  # fmt: skip
    print(f"plot: {args.figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
