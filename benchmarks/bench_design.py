#!/usr/bin/env python3
"""Does chance keep its promises? Marginals over 100,000 draws, and a year of the demo city's shifts.

    python benchmarks/bench_design.py [--draws 100000] [--days 365] [--part draws|year|dense|fine|loops] [--out FILE]

`draws`: a beat of 40 boxes and one of 6 that is enumerated in full. `year`: Riverton on cells of 250 m, forecast by the
champion, planned by the product, patrolled and learnt from for a year (benchmarks/year.py): no cell may pass its dose cap, every
candidate must be visited at least as often as its floor promises, and no thief (benchmarks/thieves.py) may guess more boxes than
the design says. `dense`: the same on cells of 500 m, where caps bind most. `fine`: on 25,700 cells of 79 m, forecast by the
kernel alone. `loops`: do missions drift? Ours, a city that feels none, and
loops without the product's guards. Without `--part` all of them, about 25 minutes of one core. Exit code 1 where a limit is
missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.thieves import CountsVisits, KnowsAll, LearnsByTrees, LearnsOnline, ReadsMap  # noqa: E402 - the path must be set first
from benchmarks.year import Loop, run_year  # noqa: E402
from benchmarks.year_city import SHIFTS, demo_city  # noqa: E402
from benchmarks.year_figures import year_figures  # noqa: E402
from patrols.engine.design import DesignPolicy, inclusion_probabilities  # noqa: E402
from patrols.engine.sampling import draw_many  # noqa: E402

SHIFTS_A_DAY = len(SHIFTS)
FINE_M = 79.2


def beat(width: int, height: int, k: int) -> tuple[Any, Any, Any]:
    """Probabilities and places of a beat with skewed harm."""
    x_m, y_m = (part.ravel() * 250.0 for part in np.meshgrid(np.arange(width), np.arange(height)))
    n = len(x_m)
    harm = np.random.default_rng(3).gamma(0.5, 1.0, n)
    pi = inclusion_probabilities(weight=harm, floor=0.15 * k / n, cap=np.full(n, 0.9), k=k)
    return pi, x_m, y_m


def marginals(draws: int) -> dict[str, float]:
    """40 boxes, K = 4: frequencies against probabilities, size of every draw, pairs drawn together."""
    pi, x_m, y_m = beat(8, 5, 4)
    cpu = time.process_time()
    chosen = draw_many(pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(11), draws=draws)
    cpu = time.process_time() - cpu
    off = np.abs(chosen.mean(axis=0) - pi) / np.sqrt(pi * (1 - pi) / draws)
    together = chosen.astype(np.float32).T @ chosen.astype(np.float32)
    pairs = together[np.triu_indices(40, 1)]
    return {
        "draws": draws,
        "max_standard_errors_off": float(off.max()),
        "draws_without_exactly_k": int((chosen.sum(axis=1) != 4).sum()),
        "pairs_never_drawn_together": int((pairs == 0).sum()),
        "rarest_pair_times": int(pairs.min()),
        "cpu_s": cpu,
    }


def enumerated(draws: int) -> dict[str, float]:
    """6 boxes, K = 2, randomised pivotal: the 15 samples' frequencies against all courses of the game, worked out."""
    pi, x_m, y_m = beat(3, 2, 2)
    exact: dict[tuple[int, ...], float] = {}

    def play(p: tuple[float, ...], chance: float) -> None:
        alive = [i for i, value in enumerate(p) if 1e-12 < value < 1 - 1e-12]
        if len(alive) < 2:
            sample = tuple(i for i, value in enumerate(p) if value > 0.5)
            exact[sample] = exact.get(sample, 0.0) + chance
            return
        duels = list(combinations(alive, 2))
        for i, j in duels:
            a, b = p[i], p[j]
            ends = (
                (((0.0, a + b), b / (a + b)), ((a + b, 0.0), a / (a + b)))
                if a + b < 1
                else (((1.0, a + b - 1), (1 - b) / (2 - a - b)), ((a + b - 1, 1.0), (1 - a) / (2 - a - b)))
            )
            for (end_i, end_j), part in ends:
                after = list(p)
                after[i], after[j] = end_i, end_j
                play(tuple(after), chance * part / len(duels))

    play(tuple(pi.tolist()), 1.0)
    chosen = draw_many(
        pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(5), draws=draws, local_pivotal_share=0.0
    )
    code = chosen @ (1 << np.arange(6))
    worst = max(
        abs(float((code == sum(1 << i for i in sample)).mean()) - p) / np.sqrt(p * (1 - p) / draws)
        for sample, p in exact.items()
    )
    return {
        "samples": len(exact),
        "sum_of_exact": sum(exact.values()),
        "max_standard_errors_off": float(worst),
    }


def year(
    cell_size_m: float, loop: Loop, *, k: int, units: int, days: int, group_cells: int, watched: bool = True
) -> dict[str, Any]:
    """A year of the demo city under one loop, with the thieves where it is ``watched``."""
    cpu = time.process_time()
    made = demo_city(cell_size_m, days=days)
    thieves = (KnowsAll(), ReadsMap(), CountsVisits(), LearnsOnline(), LearnsByTrees())
    record = run_year(
        made, loop, shifts=days * SHIFTS_A_DAY, k=k, units=units, thieves=thieves if watched else ()
    )
    found = year_figures(record, DesignPolicy(), group_cells=group_cells)
    return {
        "cell_size_m": cell_size_m,
        "forecast": loop.forecast,
        "missions_a_beat": k,
        **found,
        "cpu_s": time.process_time() - cpu,
    }


LOOPS = (
    Loop("the product: what the public reports trains, boxes are drawn", forecast="kernel"),
    Loop("the same in a city that feels no missions", forecast="kernel", prevented=0.0),
    Loop("what patrols find trains too, boxes are drawn", forecast="kernel", found_trains=True),
    Loop(
        "naive: what patrols find trains too, always the top boxes",
        forecast="kernel",
        found_trains=True,
        randomised=False,
    ),
)


def verdict(result: dict[str, Any]) -> list[str]:
    """The limits that a year misses; empty when it keeps them all. A shorter time is not judged: chance alone would miss them."""
    wrong = []
    for name, found in result.items():
        if not isinstance(found, dict) or "dose" not in found or found["shifts"] < 365 * SHIFTS_A_DAY:
            continue
        if found["dose"]["most_planned_minutes_in_any_window"] > found["dose"]["dose_cap_minutes"]:
            wrong.append(f"{name}: a cell passed its dose cap")
        if found["floor"]["worst_standard_errors_below_floor"] > 5:
            wrong.append(f"{name}: a cell was visited less than its floor promises")
        if found["floor"]["worst_square_standard_errors_below_floor"] > 5:
            wrong.append(f"{name}: a square of cells was visited less than its floors promise")
        wrong += [
            f"{name}: somebody who {thief} guesses {row['ratio_to_bound']:.3f} of the bound"
            for thief, row in found["thieves"].items()
            if row["ratio_to_bound"] > 1.05
        ]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--part", choices=("draws", "year", "dense", "fine", "loops"), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "design.json")
    options = parser.parse_args()
    days = options.days
    parts: dict[str, list[tuple[str, Callable[[], Any]]]] = {
        "draws": [
            ("40 boxes", lambda: marginals(options.draws)),
            ("6 boxes", lambda: enumerated(options.draws)),
        ],
        "year": [("a year", lambda: year(250.0, Loop("year"), k=4, units=2, days=days, group_cells=8))],
        "dense": [
            (
                "a year, few large boxes",
                lambda: year(500.0, Loop("dense"), k=4, units=2, days=days, group_cells=4),
            )
        ],
        "fine": [
            (
                "a year, 25,700 cells",
                lambda: year(
                    FINE_M,
                    Loop("fine", forecast="kernel"),
                    k=12,
                    units=4,
                    days=days,
                    group_cells=16,
                ),
            )
        ],
        "loops": [
            (
                loop.name,
                partial(year, 250.0, loop, k=4, units=2, days=days, group_cells=8, watched=False),
            )
            for loop in LOOPS
        ],
    }
    result: dict[str, Any] = {"benchmark": "design"}
    for part in options.part or parts:
        for name, work in parts[part]:
            result[name] = work()
            print(name, json.dumps(result[name], indent=2), flush=True)
    result["missed"] = verdict(result)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print("Missed:", ", ".join(result["missed"]) or "nothing")
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
