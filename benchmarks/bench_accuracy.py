#!/usr/bin/env python3
"""How good are the forecasts: the shared protocols, replayed by `manage.py backtest` and judged by the shared scorer.

    python benchmarks/bench_accuracy.py                       # all protocols
    python benchmarks/bench_accuracy.py --only portland       # one of portland, chicago, washington
    python benchmarks/bench_accuracy.py --only ablation       # Chicago without each family of columns, fitted anew;
                                                              # then with each input beside the incidents
    python benchmarks/bench_accuracy.py --only surroundings   # the second half of that alone

A finished backtest is kept beside the results and used again while the program is the same: a killed run goes on where
it stopped. The project's own figures must equal the scorer's to 1e-9, or the run ends with exit code 1.
Without the public data folder it says so and ends with exit code 0.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
AGREE_TO = 1e-9


@dataclass(frozen=True)
class Protocol:
    """One replay: which file, which window, and what `backtest` is told beside it."""

    events: str
    boundary: str
    options: tuple[str, ...]
    areas: tuple[str, ...]


FAMILIES = (
    *("recent_here", "recent_nearby", "long_run_here", "long_run_nearby"),
    *("time_of_day", "other_types", "context", "calendar"),
)
CHICAGO = (
    "--test-from",
    "2018-08-01",
    "--test-to",
    "2018-11-01",
    "--horizon",
    "shift",
    "--cell-size-m",
    "150",
)
PROTOCOLS = {
    "portland": Protocol(
        "portland/events_2012_2017.parquet",
        "portland/districts.geojson",
        (
            *("--test-from", "2016-03-01", "--test-to", "2017-06-01", "--horizon", "month"),
            *("--cell-size-m", "76.2", "--models", "blend,etas,prospective_hotspot"),
        ),
        ("0.25 sq mi", "0.75 sq mi", "1.0%", "5.0%"),
    ),
    "washington": Protocol(
        "washington_dc/gunshots_2006_2013.parquet",
        "",
        (
            *("--test-from", "2012-07-01", "--test-to", "2013-06-24", "--horizon", "day"),
            *("--cell-size-m", "250", "--refit-weeks", "13", "--models", "blend,etas"),
        ),
        ("1.0%", "5.0%"),
    ),
    "chicago": Protocol(
        "chicago/events_2013_2018.parquet",
        "chicago/districts.geojson",
        (*CHICAGO, "--refit-weeks", "1", "--models", "blend"),
        ("1.0%", "5.0%"),
    ),
}
ABLATION = Protocol(
    "chicago/events_2013_2018.parquet",
    "chicago/districts.geojson",
    (
        # The product's own cell size: nine blends at 150 m would take an hour.
        *("250" if word == "150" else word for word in CHICAGO),
        *("--refit-weeks", "0", "--layers", "chicago/liquor_places.geojson"),
        *("--models", ",".join(("blend", *(f"without_{family}" for family in FAMILIES)))),
    ),
    ("1.0%",),
)


def replay(name: str, protocol: Protocol, data: pathlib.Path) -> tuple[pathlib.Path, float]:
    """Run (or find) the backtest: (its folder, seconds; 0 where it had been finished before)."""
    out = RESULTS / f"backtest_{name}"
    command = [sys.executable, "manage.py", "backtest", str(data / protocol.events), "--out", str(out)]
    command += [str(data / word) if word.endswith(".geojson") else word for word in protocol.options]
    if protocol.boundary:
        command += ["--boundary", str(data / protocol.boundary)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode and "--out" in done.stderr + done.stdout:
        # Another program or other options wrote there: their figures must not pass for these.
        shutil.rmtree(out)
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"backtest of {name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    before = "finished before" in done.stdout
    return out, 0.0 if before else time.perf_counter() - began


def scored(protocol: Protocol, out: pathlib.Path, data: pathlib.Path) -> dict[str, Any]:
    """What the shared scorer says of the written forecast, by category."""
    target = out / "score.json"
    command = [
        sys.executable,
        str(data.parent / "bench" / "score.py"),
        "--events",
        str(data / protocol.events),
    ]
    command += ["--forecast", str(out), "--json", str(target)]
    if protocol.boundary:
        command += ["--boundary", str(data / protocol.boundary)]
    subprocess.run(command, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(target.read_text())
    return found


def written(league: dict[str, Any]) -> dict[str, Any]:
    return next(model for model in league["models"] if model["is_written"])


def disagreement(league: dict[str, Any], score: dict[str, Any]) -> float:
    """The largest difference between the project's own figures and the scorer's, over all areas."""
    mine = written(league)
    worst = abs(mine["calibration"]["value"] - score["calibration"])
    for area in mine["areas"]:
        label = area["area"] if "mi" in area["area"] else f"{float(area['area'].rstrip('%')):.1f}%"
        theirs = score["areas"][label]
        for name, figure in (("hit_rate", "hit_rate"), ("pai", "pai"), ("pei_star", "pei_star")):
            worst = max(worst, abs(area[name]["value"] - theirs[figure]))
    return float(worst)


def figures_of(protocol: Protocol, score: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "events": score["events"],
        "log_skill_nats_per_event": dict(
            zip(("value", "low", "high"), score["log_skill_nats_per_event"], strict=True)
        ),
        "expected_over_observed": score["calibration"],
        "expected_over_observed_low": score["calibration_ci"][0],
        "expected_over_observed_high": score["calibration_ci"][1],
    }
    for label in protocol.areas:
        area = score["areas"][label]
        out[f"at {label}"] = {
            "hit_rate": area["hit_rate"],
            "best_baseline": area["baseline_hit_rate"],
            "lift": area["lift_over_baseline"][0],
            "lift_low": area["lift_over_baseline"][1],
            "lift_high": area["lift_over_baseline"][2],
        }
    return out


def show(name: str, category: str, figures: dict[str, Any], areas: tuple[str, ...]) -> None:
    skill = figures["log_skill_nats_per_event"]
    lifts = "  ".join(
        f"{label}: {figures[f'at {label}']['lift']:.2f} "
        f"[{figures[f'at {label}']['lift_low']:.2f}, {figures[f'at {label}']['lift_high']:.2f}]"
        for label in areas
    )
    print(
        f"{name:10} {category:20} {figures['events']:6,} events  log skill {skill['value']:+.3f} "
        f"[{skill['low']:+.3f}, {skill['high']:+.3f}]  exp/obs {figures['expected_over_observed']:.3f} "
        f"[{figures['expected_over_observed_low']:.3f}, {figures['expected_over_observed_high']:.3f}]  lift {lifts}"
    )


def protocols_run(names: list[str], data: pathlib.Path) -> tuple[dict[str, Any], float]:
    found: dict[str, Any] = {}
    worst = 0.0
    for name in names:
        protocol = PROTOCOLS[name]
        out, seconds = replay(name, protocol, data)
        leagues = json.loads((out / "league.json").read_text())["categories"]
        found[name] = {"backtest_seconds": round(seconds, 1)}
        for category, score in scored(protocol, out, data).items():
            worst = max(worst, disagreement(leagues[category], score))
            found[name][category] = figures_of(protocol, score)
            show(name, category, found[name][category], protocol.areas)
    return found, worst


def ablation_run(data: pathlib.Path) -> dict[str, Any]:
    """What the blend loses, in nats an event, without each family (fitted anew), with paired intervals."""
    out, seconds = replay("ablation", ABLATION, data)
    found: dict[str, Any] = {"backtest_seconds": round(seconds, 1)}
    for category, league in json.loads((out / "league.json").read_text())["categories"].items():
        found[category] = {}
        for model in league["models"]:
            if model["name"].startswith("without_"):
                lost = model["against_written"]
                found[category][model["name"]] = lost
                print(
                    f"{category:20} {model['name']:24} {lost['value']:+.4f} [{lost['low']:+.4f}, {lost['high']:+.4f}]"
                )
    return found


def surroundings_run(data: pathlib.Path) -> dict[str, Any]:
    """What places, people, games and weather add to the incidents: each alone, then all together."""
    sys.path.insert(0, str(ROOT))
    from benchmarks import levels, surroundings

    found = levels.run(data, surroundings.inputs_write(data, RESULTS / "inputs"))

    def replayed(name: str, options: tuple[str, ...]) -> tuple[pathlib.Path, float]:
        return replay(name, Protocol(surroundings.EVENTS, surroundings.BOUNDARY, options, ("1.0%",)), data)

    return {"level": found, **surroundings.run(data, RESULTS, replayed)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=(*PROTOCOLS, "ablation", "surroundings"))
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS / "accuracy.json")
    args = parser.parse_args()
    data = args.data.resolve()
    if not (data / "portland").is_dir():
        print(
            f"Skipped: no public data at {data}. Point --data at the folder that holds chicago/ and portland/."
        )
        return 0
    RESULTS.mkdir(exist_ok=True)
    names = [args.only] if args.only in PROTOCOLS else [] if args.only else list(PROTOCOLS)
    found, worst = protocols_run(names, data)
    if args.only == "ablation":
        found["ablation"] = ablation_run(data)
    if args.only in ("ablation", "surroundings"):
        found["surroundings"] = surroundings_run(data)
    if names:
        found["largest_difference_to_the_scorer"] = worst
        print(f"largest difference to the scorer's figures: {worst:.1e} (allowed {AGREE_TO:.0e})")
    args.out.write_text(json.dumps(found, indent=1))
    return 0 if worst <= AGREE_TO else 1


if __name__ == "__main__":
    sys.exit(main())
