"""The figures of bench_impact.py as the tables of docs/impact.md.

    python benchmarks/impact_tables.py [benchmarks/results/impact.json]

Prints markdown that is pasted under "## Figures"; parts that were not run are left out.
"""

import json
import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "impact.json"

TRUTHS = {"null": "no effect", "net10": "net 10 %", "net20": "net 20 %", "net30": "net 30 %"}
ESTIMATORS = {
    "contrast": "**contrast, AIPW (primary)**",
    "direct": "direct",
    "net": "net",
    "contrast, overlap": "contrast, overlap",
    "contrast, plain": "contrast, plain average",
    "contrast, hajek": "contrast, Hájek",
}
Part = dict[str, Any]


def tables(result: Part) -> str:
    """All tables that the figures at hand fill, as markdown."""
    scores = result.get("scores", {})
    parts = [score_table(scores), wrong_table(scores), question_table(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def score_table(scores: Part) -> str:
    """Bias, coverage, rejections and length: a row for every truth and estimator."""
    rows = [
        "| truth | estimator | true value | bias | 95 % interval covers | rejects zero | mean length |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, board in scores.items():
        for one in board["scores"]:
            share = name == "null"
            bias, error = (
                (one["bias"], one["bias_error"])
                if share
                else (one["bias_of_effect"], one["bias_of_effect_error"])
            )
            rows.append(
                f"| {TRUTHS[name]} | {ESTIMATORS[one['target']]} | {one['truth']:.3f} "
                f"| {100 * bias:+.2f} ± {100 * error:.2f} {'points' if share else '%'} "
                f"| {100 * one['coverage']:.1f} | {100 * one['rejected']:.1f} "
                f"| {one['length']:.4f} ± {one['length_error']:.4f} |"
            )
    return "\n".join(rows) if scores else ""


def wrong_table(scores: Part) -> str:
    """What two wrong analyses answer on the same histories."""
    rows = [
        "| truth | contrast, true | before/after of visited boxes | overridden cells dropped |",
        "|---|---|---|---|",
    ]
    for name, board in scores.items():
        wrong = {label: mean for label, mean, _ in board["wrong"]}
        rows.append(
            f"| {TRUTHS[name]} | {100 * board['scores'][0]['truth']:.1f} % | {100 * wrong['before/after']:+.1f} % "
            f"| {100 * wrong['overridden cells dropped']:+.1f} % |"
        )
    return "\n".join(rows) if scores else ""


def question_table(result: Part) -> str:
    """The single figures: lengths compared, shifts needed, speed, the tests by re-drawing, the designer's power."""
    rows = ["| question | figure |", "|---|---|"]
    for name, board in result.get("scores", {}).items():
        by = {one["target"]: one for one in board["scores"]}
        own, plain = by["contrast"], by["contrast, plain"]
        if name == "null":
            hajek = by["contrast, hajek"]
            rows.append(
                f"| AIPW length against Hájek's, no effect | {own['length']:.4f} ± {own['length_error']:.4f} against "
                f"{hajek['length']:.4f} ± {hajek['length_error']:.4f}: ratio {own['length'] / hajek['length']:.3f}; "
                f"√(residual / outcome variance) {board['residual_length']:.3f} |"
            )
        if name in ("null", "net20"):
            # Lengths fall with the root of the number of shifts.
            more = [
                (plain["length"] / by[other]["length"]) ** 2 for other in ("contrast", "contrast, overlap")
            ]
            rows.append(
                f"| shifts that the plain average needs for the same interval, {TRUTHS[name]} | {more[0]:.2f} × those of "
                f"missions as designed, {more[1]:.2f} × overlap-weighted |"
            )
    if speed := result.get("speed"):
        rows.append(
            f"| a year of a large city (277 beats, 1,095 shifts, 25,000 cells: {speed['rows']:,} rows, {speed['plans']:,} plans), "
            f"all estimators and intervals | {speed['estimators_wall_s']:.1f} s ({speed['estimators_cpu_s']:.1f} s of one core), "
            f"peak {speed['peak_mb']:,} MB of which the table {speed['table_mb']:,} MB |"
        )
    if fisher := result.get("fisher"):
        rows.append(
            f"| Fisher test, replayed, no effect, level 5 % ({fisher['histories']:,} histories of {fisher['plans']} plans, at most "
            f"199 draws, stopped at 10) | rejects {100 * fisher['rejected']:.1f} ± {100 * fisher['rejected_error']:.1f} %; "
            f"{fisher['mean_draws']:.0f} draws on average; the normal score rejects "
            f"{100 * fisher['rejected_by_normal_score']:.1f} % (`--parts fisher`) |"
        )
    if large := result.get("large_fisher"):
        rows.append(
            f"| Fisher test of the large year (approximate, {large['draws']} draws), {large['busy_plans']:,} of {large['plans']:,} "
            f"plans with a crime | {large['wall_s'] / 60:.1f} minutes ({large['cpu_s'] / 60:.1f} of one core), "
            f"{large['exceeded']} of {large['draws']} as extreme, p = {large['p_value']:.3f} (`--parts large`) |"
        )
    if few := result.get("few"):
        said = ", ".join(
            f"{100 * one['covers']:.1f} ± {100 * one['covers_error']:.1f} % at {TRUTHS[name]}"
            for name, one in few.items()
        )
        one = next(iter(few.values()))
        rows.append(
            f"| interval by re-drawing, {one['crimes_expected']:.0f} crimes expected in visited boxes ({one['histories']} histories, "
            f"99 draws) | covers {said} (`--parts few`) |"
        )
    for name, dose in result.get("dose", {}).items():
        what = (
            "missions do nothing" if name == "null" else f"short and long visits do the same, {TRUTHS[name]}"
        )
        rows.append(
            f"| slope by drawn dose ({dose['doses'][0]} to {dose['doses'][1]} minutes), {what}, level 5 % ({dose['histories']:,} "
            f"histories of {dose['plans']:,} plans, {dose['crimes_in_visited_boxes']:.0f} crimes in visited boxes) | rejects "
            f"{100 * dose['rejected']:.1f} ± {100 * dose['rejected_error']:.1f} %; mean slope per ten minutes "
            f"{100 * dose['mean_slope']:+.2f} ± {100 * dose['mean_slope_error']:.2f} % (`--parts dose`) |"
        )
    for name, power in result.get("power", {}).items():
        rows.append(
            f"| power at a true effect of {100 * float(name.split('_')[1]):.0f} %: designer / from the study / simulated "
            f"({power['histories']} histories) | {100 * power['designer']:.1f} % / {100 * power['from_the_study']:.1f} % / "
            f"{100 * power['simulated']:.1f} ± {100 * power['simulated_error']:.1f} % (`--parts power`) |"
        )
    return "\n".join(rows) if len(rows) > 2 else ""


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    print(tables(json.loads(path.read_text(encoding="utf-8"))), end="")
