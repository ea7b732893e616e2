#!/usr/bin/env python3
"""Many agencies on one machine: nightly training, then forecast and plan of one shift of each, by the product's own workers.

    .venv/bin/python benchmarks/bench_agencies.py [--agencies 10] [--processes 1 2 4] [--part scale|fairness|rows] [--out FILE]

A throwaway PostgreSQL, a Redis, and Celery workers in so many processes under the production profile. The agencies are made
up: seven in ten small (2,000 cells, 1,500 crimes a year), a quarter medium (8,000; 12,000), one in twenty large (25,000;
60,000). What is to be done is sent as the minute's dispatcher sends it; all times are from the run rows. Each process comes with a core of
its own as long as there are some; PostgreSQL and Redis use all of them. Limits: throughput in proportion to the cores within
15 %, 1.5 GB a worker process.

``fairness``: what a million rows that one agency imports do to another's forecast, with a worker for each queue and with
one worker for all. ``rows``: incidents by the million, what a further million costs and how the hot questions are answered;
then vehicle positions likewise, extrapolated to 200 million, and how long a month of them takes to go row by row and in one piece.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.agencies_city import KINDS  # noqa: E402 - the path first
from benchmarks.stack import Meter, Stack, peak_mb, stack, tree  # noqa: E402
from tools import up  # noqa: E402

STEPS = {"training": "forecast", "planning": "plan", "reasons": "plan"}
LIMIT_MB, LIMIT_SCALING = 1_536, 0.85
PATIENCE_SECONDS = 3_600.0
IMPORTED_ROWS, FAIR_ROUNDS = 1_000_000, 3
TABLE_ROWS = 10_000_000
POSITIONS_GOAL = 200
UNFINISHED = {
    "training": "SELECT count(*) FROM forecasting_trainingrun WHERE status IN ('queued', 'running')",
    "planning": "SELECT count(*) FROM patrols_shiftplanning WHERE state IN ('queued', 'running')",
    "reasons": "SELECT count(*) FROM patrols_missionplan WHERE status = 'succeeded' AND state = 'draft' AND reasons_at IS NULL",
}
RUNS = {
    "training": {"training": "forecasting_trainingrun"},
    "planning": {"forecast": "forecasting_forecastrun", "plan": "patrols_missionplan"},
    "reasons": {},
}


def own(agency_slugs: Any) -> list[str]:
    return [str(slug).split("-", maxsplit=1)[0] for slug in agency_slugs]


def step(one: Stack, what: str, processes: int) -> dict[str, Any]:
    """Send everything of one step to a fresh worker, and wait until all of it is done."""
    # A process alone would fit crime types on all cores at once: each further one has to come with a core of its own.
    worker = one.worker(STEPS[what], processes, cores=processes)
    meter = Meter(workers=worker.pid, database=one.database, broker=one.redis)
    sent = one.order(__file__, "send", what)
    began, longest = float(sent["began"]), 0
    if not sent["sent"]:
        raise RuntimeError(f"{what}: the dispatcher found nothing due")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while int(one.rows(UNFINISHED[what])[0][0]):
        longest = max(longest, one.waiting())
        if time.monotonic() > deadline or worker.poll() is not None:
            raise RuntimeError(f"{what} did not end")
        time.sleep(0.25)
    seconds = time.time() - began
    children = [pid for pid in tree(worker.pid) if pid != worker.pid]
    found = {
        "step": what,
        "processes": processes,
        "sent": sent["sent"],
        "drained_s": round(seconds, 1),
        "agencies_per_hour": round(3600 * sent["sent"] / seconds),
        "cpu_s": meter.read(),
        "worker_cpu_s_per_agency": round(meter.read()["workers"] / sent["sent"], 2),
        "most_waiting_messages": longest,
        "peak_mb_per_process": max(map(peak_mb, children)),
    }
    found |= {"failed": 0} | rows_told(one, what, began)
    one.stop(worker)
    print(json.dumps(found), flush=True)
    return found


def rows_told(one: Stack, what: str, began: float) -> dict[str, Any]:
    """What the run rows tell: failures, lag, order, and seconds by kind of agency."""
    found: dict[str, Any] = {}
    for name, table in RUNS[what].items():
        rows = one.rows(
            "SELECT split_part(a.slug, '-', 1), run.status, extract(epoch FROM run.started_at), "
            f"extract(epoch FROM run.finished_at) FROM {table} run JOIN agencies_agency a ON a.id = run.agency_id "
            "WHERE run.queued_at >= to_timestamp(%s) AND run.finished_at IS NOT NULL ORDER BY run.started_at",
            began - 1,
        )
        found["failed"] = found.get("failed", 0) + sum(row[1] != "succeeded" for row in rows)
        found[f"{name}_median_s"] = {
            kind.name: round(statistics.median([float(end - start) for slug, _, start, end in rows if slug == kind.name]), 2)
            for kind in KINDS
            if any(row[0] == kind.name for row in rows)
        }  # fmt: skip
        if "lag_s" not in found:
            lags = sorted(float(row[2]) - began for row in rows)
            found["lag_s"] = {"median": round(statistics.median(lags), 1), "largest": round(lags[-1], 1)}
            names = [row[0] for row in rows]
            first_small = names.index("small") if "small" in names else len(names)
            found["large_begin_before_small"] = "large" not in names[first_small:]
    return found


def scale(one: Stack, options: argparse.Namespace) -> dict[str, Any]:
    steps = []
    for processes in options.processes:
        steps += [step(one, what, processes) for what in STEPS]
    found: dict[str, Any] = {"steps": steps, "limit_mb_per_process": LIMIT_MB}
    found["peak_mb_per_process"] = max(row["peak_mb_per_process"] for row in steps)
    base = {row["step"]: row for row in steps if row["processes"] == options.processes[0]}
    found["scaling"] = {
        f"{row['step']} in {row['processes']}": {
            "speed_up": round(base[row["step"]]["drained_s"] / row["drained_s"], 2),
            # Beyond the cores more processes cannot be faster: those of the machine are what counts.
            "of_the_cores_added": round(
                base[row["step"]]["drained_s"]
                / row["drained_s"]
                / (min(row["processes"], os.cpu_count() or 1) / options.processes[0]),
                2,
            ),
            "limit": LIMIT_SCALING,
        }
        for row in steps
        if row["processes"] != options.processes[0]
    }
    return found


def fairness(one: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds until a small agency has its forecast and plan, alone and while another imports a million rows."""
    made = one.order(__file__, "file", str(options.rows or IMPORTED_ROWS))
    trainer = one.worker("forecast", 1)
    one.order(__file__, "send", "training")
    while int(one.rows(UNFINISHED["training"])[0][0]):
        time.sleep(0.25)
    one.stop(trainer)
    found: dict[str, Any] = {"imported_rows": made["rows"]}
    for name, queues in (
        ("worker_for_each_queue", up.QUEUES),
        ("one_worker_for_all", (",".join(up.QUEUES),)),
    ):
        workers = [one.worker(queue, 1) for queue in queues]
        # The first is thrown away: models and grids are read from disk then.
        planned(one)
        alone = [planned(one) for _ in range(FAIR_ROUNDS)]
        beside, imported = [], []
        for _ in range(FAIR_ROUNDS):
            one.order(__file__, "import", made["path"])
            while not one.rows("SELECT 1 FROM ingestion_importrun WHERE status = 'running'"):
                time.sleep(0.05)
            beside.append(planned(one))
            while one.rows("SELECT 1 FROM ingestion_importrun WHERE status IN ('queued', 'running')"):
                time.sleep(0.1)
            imported.append(
                float(one.rows("SELECT extract(epoch FROM finished_at - started_at) FROM ingestion_importrun ORDER BY id DESC")[0][0])
            )  # fmt: skip
        for worker in workers:
            one.stop(worker)
        found[name] = {
            "workers": len(queues),
            "forecast_and_plan_alone_s": sorted(round(value, 2) for value in alone),
            "beside_the_import_s": sorted(round(value, 2) for value in beside),
            "import_s": [round(value, 1) for value in imported],
            "ratio_of_medians": round(statistics.median(beside) / statistics.median(alone), 2),
        }
        print(json.dumps({name: found[name]}), flush=True)
    return found


def planned(one: Stack) -> float:
    """Seconds from sending the small agency's shift to its plan."""
    began = float(one.order(__file__, "send", "planning", "small-0")["began"])
    while int(one.rows(UNFINISHED["planning"])[0][0]):
        time.sleep(0.05)
    ((ended,),) = one.rows(
        "SELECT extract(epoch FROM max(finished_at)) FROM patrols_shiftplanning WHERE state = 'done'"
    )
    return float(ended) - began


def rows(one: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Incidents, then positions, in ten equal pieces up to the number asked for, and what a piece costs at each size."""
    found = grown(one, "rows", options.rows or TABLE_ROWS, first=lambda number, piece: number * piece)
    found["asked"] = one.order(__file__, "asked")
    positions = grown(one, "positions", options.positions or TABLE_ROWS, first=lambda number, piece: number)
    positions["at_200_million"] = extrapolated(positions, POSITIONS_GOAL)
    positions["asked"] = one.order(__file__, "positions_asked")
    positions["given_up"] = one.order(__file__, "positions_given_up")
    return found | {"positions": positions}


def grown(one: Stack, what: str, n: int, *, first: Callable[[int, int], int]) -> dict[str, Any]:
    """The table's sizes on the way to so many rows, and by how much a million costs more for each that is there."""
    piece = n // 10
    sizes = []
    for number in range(10):
        sizes.append(one.order(__file__, what, str(first(number, piece)), str(piece)))
        print(json.dumps({what: sizes[-1]}), flush=True)
    # Of the second half: the first rows go into indexes that lie in the memory's cache whole.
    half = sizes[len(sizes) // 2 :]
    millions = [row["rows"] / 1e6 for row in half]
    slope, start = statistics.linear_regression(millions, [row["seconds_a_million"] for row in half])
    return {
        "sizes": sizes,
        "seconds_a_million_more_for_each_million": round(slope, 4),
        "seconds_a_million_at_none": round(start, 3),
        "gb_a_million": round((sizes[-1]["table_mb"] + sizes[-1]["indexes_mb"]) / sizes[-1]["rows"] * 1e3, 3),
    }


def extrapolated(measured: dict[str, Any], millions: int) -> dict[str, Any]:
    """What so many million rows would take by the line through the second half. A calculation, not a measurement.

    A line that falls is the machine's doing: then a million costs what it cost in the second half on average, however many there are.
    """
    start, slope = measured["seconds_a_million_at_none"], measured["seconds_a_million_more_for_each_million"]
    if slope < 0:
        half = measured["sizes"][len(measured["sizes"]) // 2 :]
        start, slope = statistics.mean(row["seconds_a_million"] for row in half), 0.0
    return {
        "millions": millions,
        "measured_millions": round(measured["sizes"][-1]["rows"] / 1e6, 1),
        "seconds_for_the_last_million": round(start + slope * millions, 2),
        "seconds_for_all": round(start * millions + slope * millions**2 / 2),
        "gb": round(measured["gb_a_million"] * millions, 1),
    }


def order(words: list[str]) -> Any:
    """What is done inside the product, in a process of its own."""
    import django

    django.setup()
    from benchmarks import agencies_orders

    return agencies_orders.ORDERS[words[0]](*words[1:])


PARTS = {"scale": scale, "fairness": fairness, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agencies", type=int, default=10)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--part", choices=PARTS, default="scale")
    parser.add_argument("--rows", type=int, default=0, help="rows of the imported file, or of the table")
    parser.add_argument("--positions", type=int, default=0, help="vehicle positions, in --part rows")
    parser.add_argument("--order", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.order:
        print(json.dumps(order(options.order)))
        return 0
    if lack := up.missing():
        print(f"Skipped: {lack}")
        return 0
    results: dict[str, Any] = {"benchmark": "agencies", "part": options.part, "cores": os.cpu_count()}
    results["load_before"] = round(os.getloadavg()[0], 2)
    with stack() as one:
        began = time.monotonic()
        count = {"fairness": 2}.get(options.part, options.agencies)
        results["made"] = one.order(__file__, "make", str(count), options.part)
        results["making_s"] = round(time.monotonic() - began, 1)
        print(json.dumps(results), flush=True)
        results |= PARTS[options.part](one, options)
    name = "agencies" if options.part == "scale" else f"agencies_{options.part}"
    out = options.out or ROOT / "benchmarks" / "results" / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps({key: value for key, value in results.items() if key != "steps"}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
