#!/usr/bin/env python3
"""Does chance keep its promises? Marginals over 100,000 draws, and a year of a large city's shifts.

    python benchmarks/bench_design.py [--draws 100000] [--shifts 1095] [--out FILE]

First a beat of 40 boxes and a beat of 6 that is enumerated in full. Then the made-up city of bench_patrols (277 beats, 25,600
cells) is planned shift after shift, each from the planned minutes of those before: no cell may pass its dose cap, every
candidate must be visited at least as often as its floor promises, and a thief who knows every probability must not
guess more boxes than the design says.
"""

import argparse
import json
import sys
import time
from collections import deque
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.bench_patrols import city  # noqa: E402 - the path must be set first
from patrols.engine.design import inclusion_probabilities  # noqa: E402
from patrols.engine.oversight import predictability  # noqa: E402
from patrols.engine.plan import plan_draw  # noqa: E402
from patrols.engine.sampling import draw_many  # noqa: E402

SHIFTS_A_DAY = 3


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


def year(shifts: int) -> dict[str, float]:
    """Plan shift after shift from what was planned before."""
    arguments = city()
    policy, n = arguments["policy"], len(arguments["harm"])
    arguments["suppressed"] = np.zeros(n, dtype=np.bool_)
    window: deque[Any] = deque()
    window_shifts = round(policy.saturation_window_days * SHIFTS_A_DAY)
    minutes, last = np.zeros(n), np.full(n, -np.inf)
    promised, variance, visited = np.zeros(n), np.zeros(n), np.zeros(n)
    most, guessed, bound, missions, mapped, unplanned = 0.0, 0.0, 0.0, 0, 0.0, 0
    cpu = time.process_time()
    for shift in range(shifts):
        if len(window) == window_shifts:
            cells, spent = window.popleft()
            minutes[cells] -= spent
        # A shift ends a third of a day after it starts: the next one is that much less than its distance away.
        days = np.maximum((shift - last - 1) / SHIFTS_A_DAY, 0.0)
        plan = plan_draw(
            **arguments | {"planned_minutes": minutes.copy(), "days_since_last": days, "seed": shift}
        )
        unplanned += len(plan.infeasible)
        rows = plan.drawn_rows
        cells = plan.cell[rows]
        spent = plan.dose_minutes[rows] * np.isfinite(plan.visit_start_minutes[rows]).sum(axis=1)
        minutes[cells] += spent
        window.append((cells, spent))
        last[cells] = shift
        most = max(most, float(minutes.max()))
        promised[plan.cell] += plan.floor
        variance[plan.cell] += plan.pi * (1 - plan.pi)
        visited[cells] += 1
        k = {int(b): int(number) for b, number in zip(plan.beat_id, plan.beat_k, strict=True)}
        bound += predictability(plan.pi, plan.beat, k) * len(rows)
        guessed += _hits(plan, plan.pi, k)
        mapped += _hits(plan, plan.harm, k)
        missions += len(rows)
    candidate = variance > 0
    short = (promised - visited)[candidate] / np.sqrt(variance[candidate])
    return {
        "shifts": shifts,
        "missions": missions,
        "beat_shifts_not_planned": unplanned,
        "most_planned_minutes_in_window": most,
        "dose_cap_minutes": policy.saturation_hard_minutes,
        "cells_ever_candidates": int(candidate.sum()),
        "cells_never_visited": int((visited[candidate] == 0).sum()),
        "worst_standard_errors_below_floor": float(short.max()),
        "guessed_by_who_knows_every_probability": guessed / missions,
        "guessed_by_who_has_the_risk_map": mapped / missions,
        "design_bound": bound / missions,
        "ratio_to_bound": guessed / bound,
        "cpu_s_a_shift": (time.process_time() - cpu) / shifts,
    }


def _hits(plan: Any, score: Any, k: dict[int, int]) -> float:
    """How many drawn boxes are among each beat's K best by this score."""
    order = np.lexsort((-score, plan.beat))
    first = np.searchsorted(plan.beat[order], plan.beat[order], side="left")
    rank = np.arange(len(order)) - first
    named = rank < np.array([k[int(b)] for b in plan.beat[order]])
    return float(plan.drawn[order][named].sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--shifts", type=int, default=365 * SHIFTS_A_DAY)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "design.json")
    options = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "design"}
    for name, work in (
        ("40 boxes", lambda: marginals(options.draws)),
        ("6 boxes", lambda: enumerated(options.draws)),
        ("a year", lambda: year(options.shifts)),
    ):
        result[name] = work()
        print(name, json.dumps(result[name], indent=2), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
