#!/usr/bin/env python3
"""Tactics told apart on planted histories: the level of the replayed test, its power beside the designer's, interval coverage.

    python benchmarks/bench_tactics.py [--null 2000] [--power 500] [--draws 99] [--seed 6] [--out FILE]

Missions draw one of three tactics, by preferences or adaptively (floor 0.2, thirteen batches of four weeks). Boxes differ
in risk, the forecast is wrong by a factor of its own in each, and counts are Poisson. Targets: under no difference at most
6 % rejected at 5 %; the power that the designer predicted within 5 points; always-valid intervals wrong at any of twelve
looks in at most 5 %.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tactics.engine.allocation import Allocation  # noqa: E402 - the checkout is put on the path first
from tactics.engine.trial_replays import pair_p_values, planned_chances, redraw  # noqa: E402
from tactics.engine.trials import TacticTrial, compare, holm, power  # noqa: E402

NAMES = ("foot patrol", "marked car", "business contact")
WEIGHTS = np.array([3.0, 2.5, 1.5])
BATCHES = 13
WEEKS = 52
PAIR = (0, 1)


def missions(n: int, *, adaptive: bool, rng: np.random.Generator) -> tuple[TacticTrial, np.ndarray[Any, Any]]:
    """A year of n missions of two crime types; at some, only two tactics are allowed. And what is truly to be expected."""
    batch = np.sort(rng.integers(0, BATCHES, n))
    week = batch * (WEEKS // BATCHES) + rng.integers(0, WEEKS // BATCHES, n)
    expected = rng.gamma(1.5, 0.08 / 1.5, n)
    truth = expected * rng.gamma(4.0, 0.25, n)
    weights = np.tile(WEIGHTS, (n, 1))
    # Business contact only near businesses.
    weights[rng.random(n) < 0.4, 2] = 0.0
    chance = weights / weights.sum(axis=1, keepdims=True)
    zero = np.zeros(n)
    trial = TacticTrial(
        NAMES,
        np.zeros(n, dtype=np.int64),
        chance,
        zero,
        expected,
        week,
        rng.integers(0, 2, n),
        np.full(n, adaptive),
        batch,
        # A batch is counted one batch later: reports come in late.
        np.where(batch + 2 < BATCHES, batch + 2, 0),
        zero,
        expected,
        Allocation(floor=0.2, prior_crimes=10.0),
    )
    return trial, truth


def histories(
    trial: TacticTrial,
    truth: np.ndarray[Any, Any],
    ratios: np.ndarray[Any, Any],
    count: int,
    rng: np.random.Generator,
) -> list[TacticTrial]:
    """So many histories of these missions: drawn, carried out, counted."""
    # Every mission's crimes after each tactic, fixed before the draw: the same whether the policy hears of them or not.
    after = [rng.poisson(truth * ratio, size=(count, len(truth))).astype(np.float64) for ratio in ratios]

    def told(rows: Any, arm: Any) -> Any:
        return np.choose(arm, [own[:, rows] for own in after]), trial.expected[rows]

    drawn = redraw(trial, count, rng, told, with_tables=True)
    assert drawn.tables is not None
    made = []
    for h in range(count):
        arm = drawn.arm[h].astype(np.int64)
        crimes = np.choose(arm, [own[h] for own in after])
        made.append(replace(trial, arm=arm, chance=drawn.tables[h], crimes=crimes, told_crimes=crimes))
    return made


def rejections(n: int, ratios: Any, *, adaptive: bool, count: int, draws: int, seed: int) -> dict[str, Any]:
    """How often the test of one pair chosen beforehand, and any of all pairs after Holm, reject at 5 %."""
    rng = np.random.default_rng(seed)
    ratios = np.asarray(ratios, dtype=np.float64)
    trial, truth = missions(n, adaptive=adaptive, rng=rng)
    pairs = [(0, 1), (0, 2), (1, 2)]
    one = any_of = covered = done = 0
    while done < count:
        for mine in histories(trial, truth, ratios, min(25, count - done), rng):
            p = pair_p_values(mine, draws=draws, rng=rng)
            one += bool(p[PAIR] <= 0.05)
            any_of += bool((holm(np.array([p[pair] for pair in pairs])) <= 0.05).any())
            found = compare(mine, *PAIR)
            covered += bool(found.point_low <= ratios[0] / ratios[1] <= found.point_high)
            done += 1
    chance = planned_chances(trial, ratios, rng=rng) if adaptive else trial.chance
    predicted = power(chance, trial.expected, *PAIR, ratios[0] / ratios[1], level=ratios[1])
    return {
        "missions": n,
        "adaptive": adaptive,
        "ratios": ratios.tolist(),
        "histories": count,
        "rejects_pair": one / count,
        "rejects_any_after_holm": any_of / count,
        "monte_carlo_error": float(np.sqrt(max(one / count * (1 - one / count), 1e-9) / count)),
        "predicted_power": predicted,
        "coverage_at_the_end": covered / count,
    }


def always_valid(n: int, ratios: Any, *, adaptive: bool, count: int, seed: int) -> dict[str, Any]:
    """How often the always-valid interval is wrong at any of twelve looks, and how often it shows a difference by the end."""
    rng = np.random.default_rng(seed)
    ratios = np.asarray(ratios, dtype=np.float64)
    trial, truth = missions(n, adaptive=adaptive, rng=rng)
    looks = [np.flatnonzero(trial.batch < b) for b in range(2, BATCHES + 1)]
    wrong = wrong_once = shown = 0
    true = ratios[0] / ratios[1]
    made = (
        mine
        for first in range(0, count, 25)
        for mine in histories(trial, truth, ratios, min(25, count - first), rng)
    )
    for mine in made:
        ever = ever_once = False
        for rows in looks:
            part = replace(
                mine,
                **{
                    name: getattr(mine, name)[rows]
                    for name in (
                        "arm", "chance", "crimes", "expected", "week", "kind", "adaptive", "batch", "counted",
                        "told_crimes", "told_expected",
                    )
                },
            )  # fmt: skip
            found = compare(part, *PAIR)
            ever |= bool(found.low > true or found.high < true)
            ever_once |= bool(found.point_low > true or found.point_high < true)
        wrong += ever
        wrong_once += ever_once
        shown += found.shows
    return {
        "missions": n,
        "adaptive": adaptive,
        "ratio": float(true),
        "histories": count,
        "wrong_at_any_look": wrong / count,
        "plain_interval_wrong_at_any_look": wrong_once / count,
        "shown_at_the_end": shown / count,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--null", type=int, default=2000)
    parser.add_argument("--power", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=99)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "tactics.json")
    options = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "tactics", "seed": options.seed, "draws": options.draws}
    began = time.perf_counter()
    # The level of the adaptive test first: if time runs out, it is the figure that matters most.
    cases = [
        (f"null_{'adaptive' if adaptive else 'weights'}", (2000, (1.0, 1.0, 1.0), adaptive, options.null))
        for adaptive in (True, False)
    ]
    cases += [
        (f"power_{'adaptive' if adaptive else 'weights'}_{n}", (n, (0.7, 1.0, 1.2), adaptive, options.power))
        for n in (3000, 1500, 5000)
        for adaptive in (False, True)
    ]
    for number, (name, (n, ratios, adaptive, count)) in enumerate(cases):
        result[name] = rejections(
            n, ratios, adaptive=adaptive, count=count, draws=options.draws, seed=options.seed + number
        )
        print(name, json.dumps(result[name]), f"{time.perf_counter() - began:.0f} s", flush=True)
    for adaptive in (False, True):
        for ratio in (1.0, 0.7):
            name = f"always_valid_{'adaptive' if adaptive else 'weights'}_{ratio:g}"
            result[name] = always_valid(
                5000, (ratio, 1.0, 1.0), adaptive=adaptive, count=options.null, seed=options.seed + 100
            )
            print(name, json.dumps(result[name]), f"{time.perf_counter() - began:.0f} s", flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
