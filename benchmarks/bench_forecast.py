#!/usr/bin/env python3
"""Train on Chicago with the league, forecast a shift, explain a plan, and write down what it cost.

    python benchmarks/bench_forecast.py                     # 250 m, incidents of 2017 and 2018
    python benchmarks/bench_forecast.py --cell 150 --from 2013-01-01

How good the forecasts are: bench_accuracy.py. One JSON per run in benchmarks/results/. Without the public data folder it
says so and ends with exit code 0.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.city import DATA, ROOT, SHIFTS, TYPES, chicago, machine, measured, peak_mb, shift_instances
from forecasting.engine.features import events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.train import explain, explain_many, forecast, train
from ingestion.engine.tables import IncidentTable


def league_table(trained) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    rows = []
    for slug, one in trained.items():
        print(f"{slug}: champion {one.champion}, beats the best baseline: {one.beats_baseline}")
        for row in one.league:
            main = row.area("1%")
            print(
                f"  {row.name:20} log skill {row.log_skill.value:+.4f} [{row.log_skill.low:+.4f}, {row.log_skill.high:+.4f}]"
                f"  hit 1% {main.hit_rate.value:.4f}  lift {main.lift.value:.3f}  exp/obs {row.calibration.value:.3f}"
                f"  fit {row.seconds:.1f} s"
            )
        rows.append(one.summary())
    return rows


def trained_at(args, grid: GridSpec, incidents: IncidentTable, at: np.datetime64):  # type: ignore[no-untyped-def]
    first = np.datetime64(args.since, "s")
    return train(
        grid=grid,
        incidents=incidents,
        periods=shift_instances(first, at),
        shifts=SHIFTS,
        targets=TYPES,
        as_of_utc=at,
        rng=np.random.default_rng(args.seed),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, default=DATA, help="public data folder")
    parser.add_argument("--cell", type=float, default=250.0, help="cell size in metres")
    parser.add_argument(
        "--from", dest="since", default="2017-01-01", help="first day of incidents and shifts"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out", type=pathlib.Path, help="file for the figures (default: named by the options)"
    )
    args = parser.parse_args()
    found = chicago(args.data, args.cell, args.since)
    if found is None:
        return 0
    grid, incidents = found
    print(f"{len(grid):,} cells of {args.cell:g} m, {len(incidents):,} incidents since {args.since}")
    name = f"forecast_{args.cell:g}m_{args.since}"
    out = ROOT / "benchmarks" / "results" / name
    out.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {
        "cells": len(grid),
        "cell_size_m": args.cell,
        "incidents": len(incidents),
        "inside": len(events_of(grid, incidents, SHIFTS).cell),
        **machine(),
    }
    now = incidents.occurred_utc[-1].astype("datetime64[D]").astype("datetime64[s]")
    trained, training = measured(lambda: trained_at(args, grid, incidents, now))
    shift = shift_instances(now, now + np.timedelta64(8, "h"))
    given = {
        "trained": trained,
        "grid": grid,
        "incidents": incidents,
        "period": shift,
        "shifts": SHIFTS,
        "as_of_utc": now,
    }
    surfaces, one = measured(lambda: forecast(**given))
    top = np.argsort(-surfaces["burglary"])[:10]
    _, why = measured(lambda: explain(**given, cells=top, target="burglary"))
    # As when a whole plan is explained: every type, 800 boxes together.
    boxes = {slug: np.argsort(-surfaces[slug])[: 800 // len(TYPES)] for slug in TYPES}
    _, plan = measured(lambda: explain_many(**given, cells=boxes))
    result |= {
        "train": training,
        "forecast_one_shift": one,
        "explain_ten_cells": why,
        "explain_a_plan": plan,
        "league": league_table(trained),
    }
    for label in ("train", "forecast_one_shift", "explain_ten_cells", "explain_a_plan"):
        cost = result[label]
        print(f"{label:20} {cost['wall_s']:8.1f} s wall {cost['cpu_s']:8.1f} s processor")  # type: ignore[index]
    result["peak_memory_mb"] = peak_mb()
    print(f"peak memory {result['peak_memory_mb']:.0f} MB")
    (args.out or out.with_suffix(".json")).write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
