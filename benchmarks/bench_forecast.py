#!/usr/bin/env python3
"""Train, forecast and score on Chicago, and write down what it cost and how good it was.

    python benchmarks/bench_forecast.py                     # figures of speed: 250 m, incidents of 2017 and 2018
    python benchmarks/bench_forecast.py --cell 150 --from 2013-01-01 --score 2018-08-01 2018-11-01

With --score each shift of the window is forecast from everything before its start (models trained once, before the
window, or every --refit-weeks weeks), written as the shared scorer reads it and scored by it. One JSON per run in
benchmarks/results/. Without the public data folder it says so and ends with exit code 0.
"""

import argparse
import json
import pathlib
import subprocess
import sys
from functools import partial

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.city import DATA, ROOT, SHIFTS, TYPES, chicago, machine, measured, peak_mb, shift_instances
from forecasting.engine.features import events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.train import Periods, explain, explain_many, forecast, forecast_many, train
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


def scored_window(args, grid: GridSpec, incidents: IncidentTable, data: pathlib.Path, out: pathlib.Path):  # type: ignore[no-untyped-def]
    """Forecast every shift of the window, write the scorer's files, run the scorer."""
    begin, end = (np.datetime64(value, "s") for value in args.score)
    folder = out / "forecast"
    folder.mkdir(parents=True, exist_ok=True)
    step = np.timedelta64(7 * args.refit_weeks, "D") if args.refit_weeks else np.timedelta64(end - begin)
    collected: dict[str, list[np.ndarray]] = {slug: [] for slug in TYPES}
    windows: list[Periods] = []
    costs = []
    origin = begin
    while origin < end:
        until = min(origin + step, end)
        trained, cost = measured(partial(trained_at, args, grid, incidents, origin))
        costs.append({"origin": str(origin), **cost})
        league_table(trained)
        window = shift_instances(origin, until)
        made = forecast_many(trained=trained, grid=grid, incidents=incidents, periods=window, shifts=SHIFTS)
        for slug in TYPES:
            collected[slug] += [one[slug] for one in made]
        windows.append(window)
        origin = until
    starts = np.concatenate([one.from_utc for one in windows])
    ends = np.concatenate([one.to_utc for one in windows])
    head = {key: getattr(grid, key) for key in ("epsg", "x0_m", "y0_m", "cell_size_m", "n_rows", "n_cols")}
    (folder / "grid.json").write_text(json.dumps(head))
    for slug, surfaces in collected.items():
        np.savez(
            folder / f"{slug}.npz",
            cells=grid.cells,
            period_from=starts,
            period_to=ends,
            expected=np.stack(surfaces),
        )
    scorer = data.parent / "bench" / "score.py"
    events = data / "chicago" / "events_2013_2018.parquet"
    target = out / "score.json"
    command = [sys.executable, str(scorer), "--events", str(events), "--forecast", str(folder)]
    command += ["--boundary", str(data / "chicago" / "districts.geojson"), "--json", str(target)]
    subprocess.run(command, check=True)
    return {"training": costs, "score": json.loads(target.read_text())}


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
    parser.add_argument(
        "--score", nargs=2, metavar=("FROM", "TO"), help="score a window with the shared scorer"
    )
    parser.add_argument(
        "--refit-weeks", type=int, default=0, help="train again every so many weeks (0: once)"
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
    name = f"forecast_{args.cell:g}m_{args.since}" + (f"_score_{args.score[0]}" if args.score else "")
    out = ROOT / "benchmarks" / "results" / name
    out.mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {
        "cells": len(grid),
        "cell_size_m": args.cell,
        "incidents": len(incidents),
        "inside": len(events_of(grid, incidents, SHIFTS).cell),
        **machine(),
    }
    if args.score:
        result |= scored_window(args, grid, incidents, args.data, out)
    else:
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
