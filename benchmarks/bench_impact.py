"""Is the measurement of patrol effects honest? Planted truth on the demo city, and speed on a large one.

    python benchmarks/bench_impact.py [--repetitions 2000] [--parts scores controls fisher few power dose speed large] [--out …/impact.json]

Seeds are fixed; one process. `--parts` picks what to run; figures of parts not run are kept from the output file. Without options 200 repetitions are
made, which takes about four minutes and shows every figure with a wider error.
"""

import argparse
import json
import pathlib
import resource
import sys
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.impact_tables import tables  # noqa: E402 - the path must be set first
from missions_project.demo.patrolled import riverton_world  # noqa: E402
from tactics.engine.impact import PlanHistory, Study, analyse, design_experiment  # noqa: E402
from tactics.engine.impact.batch import BeatLayout  # noqa: E402
from tactics.engine.impact.dose import dose_response  # noqa: E402
from tactics.engine.impact.estimators import ratio_effect  # noqa: E402
from tactics.engine.impact.fisher import fisher_test, inverted_interval, recorded_test  # noqa: E402
from tactics.engine.impact.histories import planted_histories  # noqa: E402
from tactics.engine.impact.power import study_precision  # noqa: E402
from tactics.engine.impact.replays import redraws  # noqa: E402
from tactics.engine.impact.report import negative_controls  # noqa: E402
from tactics.engine.impact.scoring import (  # noqa: E402
    PlantedTruth,
    Scoreboard,
    product_estimator,
    score_estimator,
)
from tactics.engine.impact.sums import plan_sums  # noqa: E402
from tactics.engine.impact.worlds import (  # noqa: E402
    SCENARIOS,
    SHIFTS_A_DAY,
    SHIFTS_A_WEEK,
    Scenario,
    World,
    made_up_world,
)

SEED = 20260301
FISHER_BEATS, FISHER_SHIFTS = 4, 42
DOSE_BEATS = 4
PARTS = ("scores", "controls", "fisher", "few", "power", "dose", "speed", "large")


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


def controls(world: World, repetitions: int) -> dict[str, Any]:
    """How often a negative control fails on histories whose draws were fair, and its mean: both should be as for chance."""
    found: dict[str, Any] = {}
    for name in ("null", "net20"):
        rng = np.random.Generator(np.random.PCG64(SEED + 6))
        every = [
            negative_controls(plan_sums(planted.study, ("missions",))["missions"])
            for planted in planted_histories(world, SCENARIOS[name], repetitions=repetitions, rng=rng)
        ]
        failed = float(np.mean([any(one.fails for one in history) for history in every]))
        found[name] = {
            "histories": repetitions,
            "withheld": failed,
            "withheld_error": float(np.sqrt(failed * (1 - failed) / repetitions)),
        }
        for at, one in enumerate(every[0]):
            means = np.array([history[at].effect.estimate for history in every])
            alone = float(np.mean([history[at].effect.p_value <= 0.05 for history in every]))
            found[name][one.name] = {
                "mean": float(np.nanmean(means)),
                "mean_error": float(np.nanstd(means) / np.sqrt(repetitions)),
                "below_5_percent": alone,
            }
        print(f"controls, {name}: {found[name]}", flush=True)
    return found


def fisher(world: World, repetitions: int, keep: Any) -> dict[str, Any]:
    """How often the replayed Fisher test rejects when missions do nothing, at 5 %: four beats, two weeks, 199 draws."""
    small = world.first_beats(FISHER_BEATS)
    scenario = replace(SCENARIOS["null"], shifts=FISHER_SHIFTS)
    rng = np.random.Generator(np.random.PCG64(SEED + 1))
    started = time.monotonic()
    p_values, draws, normal = [], [], []
    found: dict[str, Any] = {}
    for done, planted in enumerate(planted_histories(small, scenario, repetitions=repetitions, rng=rng)):
        result = fisher_test(planted.study, history_of(small, planted.harm), rng=rng, draws=199, at_once=40)
        p_values.append(result.p_value)
        normal.append(result.normal_p)
        draws.append(result.draws)
        if (done + 1) % 50 == 0 or done + 1 == repetitions:
            rejected = float(np.mean(np.array(p_values) <= 0.05))
            found = {
                "histories": done + 1,
                "plans": planted.study.plans,
                "rejected": rejected,
                "rejected_error": float(np.sqrt(rejected * (1 - rejected) / (done + 1))),
                "rejected_by_normal_score": float(np.mean(np.array(normal) <= 0.05)),
                "mean_draws": float(np.mean(draws)),
                "p_value_deciles": np.histogram(p_values, np.linspace(0, 1, 11))[0].tolist(),
                "wall_s": time.monotonic() - started,
            }
            keep(found)
            print(f"Fisher, null: {found}", flush=True)
    return found


def few(repetitions: int) -> dict[str, Any]:
    """Coverage of the interval by re-drawing where only some 27 crimes are expected in visited boxes; 99 draws."""
    rng = np.random.default_rng(5)
    world = made_up_world(rng, side=8, beats=4)
    found: dict[str, Any] = {}
    for name in ("null", "net20"):
        scenario = replace(SCENARIOS[name], shifts=42)
        truth, limits, events = PlantedTruth(), [], []
        for planted in planted_histories(world, scenario, repetitions=repetitions, rng=rng):
            truth.add(planted)
            again = redraws(planted.study, history_of(world, planted.harm), draws=99, rng=rng, at_once=99)
            effect = inverted_interval(planted.study, again)
            limits.append((effect.low, effect.high))
            events.append(float(planted.crime[planted.study.drawn].sum()))
        true = truth.of("contrast", scenario)
        covers = float(np.mean([low <= true <= high for low, high in limits]))
        found[name] = {
            "histories": repetitions,
            "crimes_expected": float(np.mean(events)),
            "true": true,
            "covers": covers,
            "covers_error": float(np.sqrt(covers * (1 - covers) / repetitions)),
        }
        print(f"few crimes, {name}: {found[name]}", flush=True)
    return found


def history_of(world: World, harm: np.ndarray) -> PlanHistory:
    """The plans of a made-up history, ready to be drawn again."""
    beats = len(world.layout.beat_id)
    k = np.minimum(world.k, world.layout.valid.sum(axis=1) // 3)
    shifts = len(harm)
    return PlanHistory(
        world.layout,
        world.policy,
        np.arange(shifts) / SHIFTS_A_DAY,
        np.arange(1, shifts + 1) / SHIFTS_A_DAY,
        harm.astype(np.float64),
        np.tile(k, (shifts, 1)),
        np.full((shifts, beats), world.policy.visits_per_cell),
    )


def power(world: World, repetitions: int) -> dict[str, Any]:
    """The designer's power against the share of planted histories in which the effect is shown."""
    found: dict[str, Any] = {}
    scenario = Scenario(
        "power", displaced=0.0, complied=1.0, dropped_quiet=0.0, added_busy=0.0, surprise=0.0, learning=0.0, shifts=63
    )  # fmt: skip
    for effect in (0.15, 0.3):
        rng = np.random.Generator(np.random.PCG64(SEED + 2))
        planned: list[float] = []
        measured: list[float] = []
        shown = 0
        for done, planted in enumerate(
            planted_histories(world, replace(scenario, prevented=effect), repetitions=repetitions, rng=rng)
        ):
            sums = plan_sums(planted.study, ("missions",))["missions"]
            result = ratio_effect(sums)
            shown += result.shows
            if done < 40:
                measured.append(study_precision(sums).power(effect))
            if done == 0:
                option = design_experiment(
                    history_of(world, planted.harm[:SHIFTS_A_WEEK]),
                    crime={"all": world.rates},
                    ks=(world.k,),
                    days=(scenario.shifts // SHIFTS_A_DAY,),
                    pools=(("all",),),
                    rng=rng,
                )[0]
                planned.append(
                    float(
                        np.interp(
                            effect, [at for at, _ in option.curve], [chance for _, chance in option.curve]
                        )
                    )
                )
        found[f"effect_{effect}"] = {
            "designer": planned[0],
            "from_the_study": float(np.mean(measured)),
            "simulated": shown / repetitions,
            "simulated_error": float(np.sqrt(shown / repetitions * (1 - shown / repetitions) / repetitions)),
            "histories": repetitions,
        }
        print(f"power at {effect:.0%}: {found[f'effect_{effect}']}", flush=True)
    return found


def dose(world: World, repetitions: int, keep: Any) -> dict[str, Any]:
    """How often the slope by drawn dose is "shown" though longer visits do no more, at 5 %: missions that do nothing, and
    missions that prevent as much after a short visit as after a long one."""
    small = world.first_beats(DOSE_BEATS)
    found: dict[str, Any] = {}
    for name in ("null", "net20"):
        rng = np.random.Generator(np.random.PCG64(SEED + 5))
        started = time.monotonic()
        slopes, p_values, outside, crimes = [], [], 0, []
        for planted in planted_histories(small, SCENARIOS[name], repetitions=repetitions, rng=rng):
            study = planted.study
            result = dose_response(study, plan_sums(study, ("missions",))["missions"])
            if result is None:
                raise RuntimeError("A history without a crime in visited boxes has no slope to test.")
            slopes.append(result.per_ten_minutes)
            p_values.append(result.p_value)
            outside += not result.low <= 0.0 <= result.high
            crimes.append(float(np.asarray(study.outcome)[study.drawn].sum()))
        rejected = float(np.mean(np.array(p_values) <= 0.05))
        found[name] = {
            "histories": repetitions,
            "plans": planted.study.plans,
            "crimes_in_visited_boxes": float(np.mean(crimes)),
            "doses": [small.policy.dose_min_minutes, small.policy.dose_max_minutes],
            "rejected": rejected,
            "rejected_error": float(np.sqrt(rejected * (1 - rejected) / repetitions)),
            "interval_leaves_zero_out": outside / repetitions,
            "mean_slope": float(np.mean(slopes)),
            "mean_slope_error": float(np.std(slopes) / np.sqrt(repetitions)),
            "wall_s": time.monotonic() - started,
        }
        keep(found)
        print(f"dose, {name}: {found[name]}", flush=True)
    return found


def large_year() -> tuple[Study, BeatLayout]:
    """A year of a large city: 277 beats, 1,095 shifts, every one of 25,000 cells a candidate; and where its cells are."""
    rng = np.random.Generator(np.random.PCG64(SEED + 3))
    beats, shifts, cells = 277, 1_095, 25_000
    of_beat = np.sort(rng.integers(0, beats, cells))
    first = np.searchsorted(of_beat, np.arange(beats))
    size = np.diff(np.append(first, cells))
    share = rng.gamma(0.5, 1.0, cells)
    pi_cell = 0.15 * 2 / size[of_beat] + 1.7 * share / np.add.reduceat(share, first)[of_beat]
    pi_cell = np.minimum(pi_cell, 0.9)
    n = cells * shifts
    pi = np.empty(n, dtype=np.float32)
    drawn = np.empty(n, dtype=np.bool_)
    small: dict[str, Any] = {
        name: np.zeros(n, dtype=np.uint8) for name in ("outcome", "ring_outcome", "before", "week_before")
    }
    real: dict[str, Any] = {
        name: np.zeros(n, dtype=np.float32)
        for name in ("forecast", "spill_in", "ring_drawn", "ring_spill_in")
    }
    rate = (60_000.0 / shifts) * share / share.sum()
    for s in range(shifts):
        rows = slice(s * cells, (s + 1) * cells)
        pi[rows], drawn[rows] = pi_cell, rng.random(cells) < pi_cell
        real["forecast"][rows] = rate * 0.75
        small["outcome"][rows] = rng.poisson(rate * 0.75 * (1.0 - 0.2 * drawn[rows]))
        small["ring_outcome"][rows] = rng.poisson(rate * 6.0)
        small["before"][rows] = rng.poisson(rate * 0.25)
        small["week_before"][rows] = rng.poisson(rate * 21.0)
        for name in ("spill_in", "ring_drawn", "ring_spill_in"):
            real[name][rows] = rate * rng.random()
    start = np.full(n, 120, dtype=np.int16)
    first_row = (np.arange(shifts)[:, None] * cells + first[None, :]).ravel()
    study = Study(
        cell=np.tile(np.arange(cells, dtype=np.int32), shifts),
        pi=pi,
        drawn=drawn,
        start_minutes=start,
        window_minutes=np.full(n, 360, dtype=np.int16),
        ring_forecast=np.tile((rate * 6.0).astype(np.float32), shifts),
        dose_minutes=rng.integers(10, 17, n, dtype=np.uint8),
        plan_start=first_row,
        plan_shift=np.repeat(np.arange(shifts), beats),
        plan_beat=np.tile(np.arange(beats), shifts),
        plan_week=np.repeat(np.arange(shifts) // SHIFTS_A_WEEK, beats),
        plan_district=np.tile(np.arange(beats) % 25, shifts),
        **small,
        **real,
    )
    at = np.arange(cells).astype(np.float64)
    return study, BeatLayout.of(of_beat, 250.0 * (at % 160), 250.0 * (at // 160))


def speed() -> dict[str, Any]:
    """The large year's estimators and intervals: time and memory."""
    study, _ = large_year()
    ready_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started, cpu = time.monotonic(), time.process_time()
    report = analyse(study)
    found = {
        "rows": len(study),
        "plans": study.plans,
        "estimators_wall_s": time.monotonic() - started,
        "estimators_cpu_s": time.process_time() - cpu,
        "table_mb": ready_mb,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "primary": report.primary.estimate,
        "low": report.primary.low,
        "high": report.primary.high,
    }
    print(f"speed: {found}", flush=True)
    return found


def large_fisher(draws: int = 199) -> dict[str, Any]:
    """The large year's Fisher test as the background job runs it: at the recorded probabilities, with early stopping."""
    study, layout = large_year()
    busy = int((np.add.reduceat(np.asarray(study.outcome), study.plan_start) > 0).sum())
    rng = np.random.Generator(np.random.PCG64(SEED + 4))
    started, cpu = time.monotonic(), time.process_time()
    result = recorded_test(
        study,
        layout,
        rng=rng,
        draws=draws,
        progress=lambda done, total, label: print(f"{label}: {done:,} of {total:,}", flush=True),
    )
    found = {
        "plans": study.plans,
        "busy_plans": busy,
        "draws": result.draws,
        "exceeded": result.exceeded,
        "stopped_early": result.stopped_early,
        "p_value": result.p_value,
        "normal_p": result.normal_p,
        "wall_s": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(f"Fisher test of the large year: {found}", flush=True)
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

    # First, while little else is in memory: its peak is the figure.
    if "speed" in args.parts:
        keep("speed", speed())
    if "large" in args.parts:
        keep("large_fisher", large_fisher())
    world = riverton_world()
    if "power" in args.parts:
        keep("power", power(world, min(args.repetitions, 500)))
    if "few" in args.parts:
        keep("few", few(min(args.repetitions, 200)))
    if "dose" in args.parts:
        keep("dose", dose(world, args.repetitions, lambda found: keep("dose", found)))
    if "fisher" in args.parts:
        keep("fisher", fisher(world, args.repetitions, lambda found: keep("fisher", found)))
    if "controls" in args.parts:
        keep("controls", controls(world, args.repetitions))
    if "scores" in args.parts:
        keep("scores", scores(world, args.repetitions, lambda found: keep("scores", found)))
    keep("peak_mb", {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "seed": SEED})
    args.out.with_suffix(".md").write_text(tables(result), encoding="utf-8")
    print(f"figures: {args.out}, as tables {args.out.with_suffix('.md')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
