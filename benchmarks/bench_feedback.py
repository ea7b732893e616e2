#!/usr/bin/env python3
"""Do patrols that find incidents send more patrols to where they have been? The naive loop against ours.

    python benchmarks/bench_feedback.py [--seeds 24] [--days 540] [--figure docs/images/feedback.svg] [--out FILE]

A beat of twelve boxes in two areas, one mission a day. The public reports a part of the crimes wherever they happen;
officers discover a further part, only where they are. The naive loop trains on everything and goes to the top box.
Ours trains on what was reported and draws from the randomised design, both with the product's own code. Two further
loops have one of the two guards each, to show which does what.

After Ensign, Friedler, Neville, Scheidegger and Venkatasubramanian, "Runaway feedback loops in predictive policing",
FAT* 2018. What is not simulated: patrols that deter crime.
"""

import argparse
import json
import pathlib
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.engine.counts import DecayedCounts  # noqa: E402 - the path above must come first
from patrols.engine.design import BeatDesign, DesignPolicy, beat_design  # noqa: E402
from patrols.engine.sampling import draw  # noqa: E402

Floats = npt.NDArray[np.float64]
BOXES_PER_AREA = 6
HALF_LIFE_DAYS = 45.0
WINDOW_DAYS = 60
REPORTED_PER_DAY, DISCOVERED_PER_VISIT = 0.10, 1.0
LOCKED = 0.9


@dataclass(frozen=True)
class Loop:
    """One way to run patrols: what trains the forecast, and how boxes are chosen from it."""

    name: str
    officer_initiated_trains: bool
    randomised: bool


NAIVE = Loop("naive: all incidents train, top box", True, False)
OURS = Loop("ours: reported incidents train, randomised design", False, True)
LOOPS = (
    NAIVE,
    Loop("reported incidents train, top box", False, False),
    Loop("all incidents train, randomised design", True, True),
    OURS,
)


@dataclass(frozen=True)
class Scenario:
    """The true rates of the two areas, relative to each other."""

    name: str
    area_a: float
    area_b: float

    @property
    def rates(self) -> Floats:
        """Each box's part of its beat's crime, relative to an average box: [boxes]."""
        rate = np.repeat([self.area_a, self.area_b], BOXES_PER_AREA)
        return rate / rate.mean()

    @property
    def true_share(self) -> float:
        return self.area_a / (self.area_a + self.area_b)


SCENARIOS = (Scenario("equal areas", 1.0, 1.0), Scenario("area A has 60 %", 0.6, 0.4))


@dataclass(frozen=True)
class Course:
    """What happened in one run: the box visited each day, and the share of its risk that the forecast put in area A."""

    visited: npt.NDArray[np.int64]
    believed: Floats

    def patrol_share(self, last_days: int | None = None) -> float:
        """The share of missions that went to area A (at the end, or in all)."""
        visited = self.visited if last_days is None else self.visited[-last_days:]
        return float((visited < BOXES_PER_AREA).mean())

    def top_box_share(self, last_days: int) -> float:
        """How much of the patrol the most visited box received at the end."""
        return float(np.bincount(self.visited[-last_days:]).max() / last_days)


def simulate(
    scenario: Scenario,
    loop: Loop,
    days: int,
    seed: int,
    *,
    discovered_per_visit: float = DISCOVERED_PER_VISIT,
    policy: DesignPolicy | None = None,
) -> Course:
    """Run the loop day by day: forecast, choose, observe, learn."""
    rng = np.random.default_rng(seed)
    policy = policy or DesignPolicy()
    rates = scenario.rates
    n = len(rates)
    side = np.arange(n)
    x_m, y_m = (side % 3).astype(np.float64) * 150.0, (side // 3).astype(np.float64) * 150.0
    counts = DecayedCounts(n, 1, (HALF_LIFE_DAYS,))
    last_visit = np.full(n, -np.inf)
    visited, believed = np.zeros(days, dtype=np.int64), np.zeros(days)
    for day in range(days):
        counts.move_to(float(day))
        # The engine's relative rate: one incident spread evenly is added, so that nothing known is an even surface.
        risk = (counts.values()[:, 0].astype(np.float64) * n + 1.0) / (float(counts.totals()[0, 0]) + 1.0)
        believed[day] = risk[:BOXES_PER_AREA].sum() / risk.sum()
        if loop.randomised:
            window = visited[max(0, day - round(policy.saturation_window_days)) : day]
            minutes = np.bincount(window, minlength=n).astype(np.float64) * policy.mission_max_minutes
            box = _drawn(risk, minutes, np.asarray(day - last_visit, np.float64), x_m, y_m, policy, rng)
        else:
            box = int(rng.choice(np.flatnonzero(risk == risk.max())))
        visited[day], last_visit[box] = box, day
        reported = rng.poisson(REPORTED_PER_DAY * rates)
        discovered = np.zeros(n, dtype=np.int64)
        discovered[box] = rng.poisson(discovered_per_visit * rates[box])
        learnt = reported + discovered if loop.officer_initiated_trains else reported
        place = np.repeat(side, learnt)
        counts.add(place, np.zeros(len(place), dtype=np.int64), np.zeros(len(place)))
    return Course(visited, believed)


def _drawn(
    risk: Floats,
    minutes: Floats,
    since: Floats,
    x_m: Floats,
    y_m: Floats,
    policy: DesignPolicy,
    rng: np.random.Generator,
) -> int:
    """One box from the product's own design and draw."""
    design = beat_design(
        beat=1,
        k=1,
        harm=risk,
        suppressed=np.zeros(len(risk), dtype=bool),
        planned_minutes=minutes,
        days_since_last=since,
        policy=policy,
    )
    if not isinstance(design, BeatDesign):
        raise ValueError(design.message)
    at = design.candidate
    chosen, _ = draw(
        design.pi, x_m=x_m[at], y_m=y_m[at], rng=rng, local_pivotal_share=policy.local_pivotal_share
    )
    return int(at[np.flatnonzero(chosen)[0]])


def judged(scenario: Scenario, courses: list[Course]) -> dict[str, Any]:
    """How far the patrols' shares ended from the truth, over all runs."""
    last = len(courses[0].visited) // 3
    share = np.array([course.patrol_share(last) for course in courses])
    off = abs(share - scenario.true_share)
    return {
        "true_share_a": scenario.true_share,
        "patrol_share_a_mean": float(share.mean()),
        "patrol_share_a_p05": float(np.quantile(share, 0.05)),
        "patrol_share_a_p95": float(np.quantile(share, 0.95)),
        "distance_from_truth_mean": float(off.mean()),
        "distance_from_truth_worst": float(off.max()),
        "locked_runs_share": float((np.maximum(share, 1 - share) >= LOCKED).mean()),
        "top_box_share_mean": float(np.mean([course.top_box_share(last) for course in courses])),
        "believed_share_a_mean": float(np.mean([course.believed[-last:].mean() for course in courses])),
    }


def moving_share(course: Course) -> Floats:
    """The share of the last 60 days' missions that went to area A, for each day from the 60th."""
    inside = np.cumsum(np.concatenate([[0.0], course.visited < BOXES_PER_AREA]))
    return (inside[WINDOW_DAYS:] - inside[:-WINDOW_DAYS]) / WINDOW_DAYS


def draw_figure(found: dict[str, dict[str, list[Course]]], path: pathlib.Path) -> None:
    """Shares of patrols in area A over time, the naive loop and ours, for each scenario."""
    import matplotlib as mpl

    mpl.use("svg")
    # Letters as text and no random names: the file is small and the same figures give the same bytes.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "feedback", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(SCENARIOS), figsize=(7.2, 3.2), sharey=True, layout="constrained")
    for axis, scenario in zip(axes, SCENARIOS, strict=True):
        for loop, colour in ((NAIVE, "#b5482a"), (OURS, "#1f5f8b")):
            shares = np.array([moving_share(course)[::10] for course in found[scenario.name][loop.name]])
            day = WINDOW_DAYS + 10 * np.arange(shares.shape[1])
            if loop is OURS:
                # The naive runs end at nothing or at all: a band between the two would hide that.
                low, high = np.quantile(shares, [0.05, 0.95], axis=0)
                axis.fill_between(day, low, high, color=colour, alpha=0.2, linewidth=0)
            for line in shares if loop is NAIVE else shares[:4]:
                axis.plot(day, line, color=colour, linewidth=0.7, alpha=0.7)
            axis.plot([], [], color=colour, label=loop.name.split(":")[0])
        axis.axhline(
            scenario.true_share, color="0.2", linestyle="--", linewidth=1, label="true share of crime"
        )
        axis.set(title=scenario.name, xlabel="day", ylim=(-0.03, 1.03))
    axes[0].set_ylabel("patrols in area A (last 60 days)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=24, help="runs of each loop")
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument(
        "--discovered",
        type=float,
        default=DISCOVERED_PER_VISIT,
        help="incidents that a visit finds on average",
    )
    parser.add_argument(
        "--figure", type=pathlib.Path, default=ROOT / "benchmarks" / "results" / "feedback.svg"
    )
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results" / "feedback.json")
    args = parser.parse_args()
    found = {
        scenario.name: {
            loop.name: [
                simulate(scenario, loop, args.days, seed, discovered_per_visit=args.discovered)
                for seed in range(args.seeds)
            ]
            for loop in LOOPS
        }
        for scenario in SCENARIOS
    }
    table = {
        scenario.name: {name: judged(scenario, courses) for name, courses in found[scenario.name].items()}
        for scenario in SCENARIOS
    }
    ratio = {
        name: rows[OURS.name]["distance_from_truth_mean"] / rows[NAIVE.name]["distance_from_truth_mean"]
        for name, rows in table.items()
    }
    result = {
        "benchmark": "feedback",
        "seeds": args.seeds,
        "days": args.days,
        "discovered_per_visit": args.discovered,
        "distance_from_truth_ours_to_naive": ratio,
        "loops": table,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    draw_figure(found, args.figure)
    print("Share of patrols in area A over the last third, mean [5 %, 95 % of runs]")
    for scenario_name, rows in table.items():
        print(f"{scenario_name} (truth {next(iter(rows.values()))['true_share_a']:.2f})")
        for name, row in rows.items():
            print(
                f"  {name:50} {row['patrol_share_a_mean']:.2f} [{row['patrol_share_a_p05']:.2f}, "
                f"{row['patrol_share_a_p95']:.2f}]  off by {row['distance_from_truth_mean']:.2f}, "
                f"locked in {row['locked_runs_share']:.0%}, top box {row['top_box_share_mean']:.0%}"
            )
    print(f"distance from the truth, ours / naive: {', '.join(f'{value:.2f}' for value in ratio.values())}")
    print(f"plot: {args.figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
