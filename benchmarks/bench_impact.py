"""Is the measurement of patrol effects honest? Planted truth on the demo city, and speed on a large one.

    python benchmarks/bench_impact.py [--repetitions 2000] [--parts scores fisher power speed] [--out …/impact.json]

Seeds are fixed; one process. `--parts` picks what to run; figures of parts not run are kept from the output file. Without options 200 repetitions are
made, which takes about four minutes and shows every figure with a wider error.
"""

import argparse
import json
import pathlib
import resource
import sys
import time
from dataclasses import asdict
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from missions_project.demo.patrolled import riverton_world  # noqa: E402 - the path must be set first
from tactics.engine.impact.scoring import (  # noqa: E402
    Scoreboard,
    product_estimator,
    score_estimator,
)
from tactics.engine.impact.worlds import SCENARIOS, World  # noqa: E402

SEED = 20260301
PARTS = ("scores", "fisher", "power", "speed")


def scores(world: World, repetitions: int, keep: Any) -> dict[str, Any]:
    """Bias, coverage, length and false alarms of the product's own estimator, scenario by scenario."""
    found: dict[str, Any] = {}
    for name, scenario in SCENARIOS.items():
        started = time.monotonic()
        board = score_estimator(world, scenario, product_estimator, repetitions=repetitions, seed=SEED)
        found[name] = {**asdict(board), "wall_s": time.monotonic() - started}
        show(board)
        keep(found)
    return found


def show(board: Scoreboard) -> None:
    """One scenario's table."""
    print(
        f"{board.scenario}: {board.scores[0].histories} histories of {board.plans:.0f} plans, {board.treated_events:.0f} crimes expected in "
        f"visited boxes, {board.delivered_share:.0%} carried out, sqrt(residual / outcome variance) {board.residual_length:.3f}"
    )
    for one in board.scores:
        print(
            f"  {one.target:20} truth {one.truth:7.4f}  bias {one.bias:8.5f} ± {one.bias_error:.5f}"
            f" ({one.bias_of_effect:7.2%} ± {one.bias_of_effect_error:.2%})  covers {one.coverage:.1%} ± {one.coverage_error:.1%}"
            f"  rejects {one.rejected:.1%} ± {one.rejected_error:.1%}  length {one.length:.4f} ± {one.length_error:.4f}"
        )
    for name, mean, error in board.wrong:
        print(f"  wrong: {name:26} {mean:7.4f} ± {error:.4f}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results" / "impact.json")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(args.out.read_text()) if args.out.exists() else {}
    result["benchmark"] = "impact"

    def keep(part: str, figures: dict[str, Any]) -> None:
        result[part] = figures
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    world = riverton_world()
    if "scores" in args.parts:
        keep("scores", scores(world, args.repetitions, lambda found: keep("scores", found)))
    keep(
        "peak_mb", {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "seed": SEED}
    )
    print(f"figures: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
