"""Does the live record keep its promise? Cities with planted truth, looked at after every shift of a year.

    python benchmarks/bench_live.py [--repeats 2000] [--shifts 1095] [--out benchmarks/results/live.json]

Nulls: two forecasts that are equally wrong, so that neither is better on average: in a steady city, in one whose nights vary
more than chance, in one where each is better in turn, and with crimes so rare that most shifts have none. The share of years in
which the e-value *ever* reaches 20 must be at most 5 %, and the share in which the confidence sequence *ever* misses the
true mean too. Alternatives: the model is right; how often a year shows it, and after how many shifts. Beside it the usual
z-test looked at after every shift, which is wrong.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.engine.live_record import THRESHOLD, evidence, largest_gain  # noqa: E402 - the path must be set first

CELLS = 150
ALPHA = 0.05


class World:
    """Two forecasts and the truth: expected counts per cell, the same in every shift, scaled by night."""

    def __init__(
        self, crimes: float, spread: float, truth: str, rng: np.random.Generator, *, night: float = 0.0
    ) -> None:
        base = rng.gamma(0.5, 1.0, CELLS)
        base *= crimes / base.sum()
        tilt = np.exp(spread * rng.normal(size=CELLS))
        self.model, self.plain = base * tilt, base / tilt
        self.model *= crimes / self.model.sum()
        self.plain *= 1.04 * crimes / self.plain.sum()
        self.ratio = np.log(self.model / self.plain)
        self.level = self.model.sum() - self.plain.sum()
        self.largest = largest_gain(self.model, self.plain)
        self.night = night
        self.rates = {"model": self.model, "plain": self.plain, "even": self._even()}
        self.truth = truth

    def _even(self) -> np.ndarray:
        """The mixture of both at which the mean difference is nought."""
        low, high = 0.0, 1.0
        for _ in range(80):
            middle = 0.5 * (low + high)
            rate = middle * self.model + (1 - middle) * self.plain
            low, high = (middle, high) if rate @ self.ratio < self.level else (low, middle)
        return high * self.model + (1 - high) * self.plain

    def year(self, shifts: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gains, their means given the history, and crimes of each shift."""
        if self.truth == "turns":
            # Four weeks each: mean gains of opposite sign and equal size.
            good = (np.arange(shifts) // 84) % 2 == 1
            up = self.model @ self.ratio - self.level
            down = self.level - self.plain @ self.ratio
            share = min(1.0, up / down)
            worse = share * self.plain + (1 - share) * self.rates["even"]
            better = (
                min(1.0, down * share / up) * self.model
                + (1 - min(1.0, down * share / up)) * self.rates["even"]
            )
            rates = np.where(good[:, None], better, worse)
        else:
            rates = np.broadcast_to(self.rates[self.truth], (shifts, CELLS))
        means = rates @ self.ratio - self.level
        if self.night:
            # Mean one: whole nights are busier or quieter than chance. The level differs too, so means stay as they are
            # given the history only, not given the night.
            rates = rates * rng.gamma(1 / self.night, self.night, shifts)[:, None]
        total = rates.sum(axis=1)
        n = rng.poisson(total)
        shift = np.repeat(np.arange(shifts), n)
        gain = np.full(shifts, -self.level)
        if self.truth == "turns":
            cumulative = np.cumsum(rates, axis=1) / total[:, None]
            cell = (cumulative[shift] < rng.random(len(shift))[:, None]).sum(axis=1)
        else:
            cell = np.searchsorted(
                np.cumsum(self.rates[self.truth]) / self.rates[self.truth].sum(), rng.random(len(shift))
            )
        np.add.at(gain, shift, self.ratio[np.minimum(cell, CELLS - 1)])
        return gain, means, n


def judged(world: World, repeats: int, shifts: int, rng: np.random.Generator) -> dict[str, Any]:
    crossed, crossed_plain, missed, naive, first = 0, 0, 0, 0, []
    clipped, width, skill = 0, [], []
    for _ in range(repeats):
        gain, means, n = world.year(shifts, rng)
        bound = np.full(shifts, world.largest)
        found = evidence(gain, bound, n)
        over = np.flatnonzero(found.log_e_model >= np.log(THRESHOLD))
        crossed += len(over) > 0
        crossed_plain += bool((found.log_e_plain >= np.log(THRESHOLD)).any())
        first.append(int(over[0]) + 1 if len(over) else shifts + 1)
        true = np.cumsum(means)
        seen = np.cumsum(n)
        with np.errstate(divide="ignore", invalid="ignore"):
            target = true / seen
        known = seen > 0
        missed += bool(((target < found.low - 1e-9) | (target > found.high + 1e-9))[known].any())
        clipped += int(found.clipped.sum())
        width.append(float(found.high[-1] - found.low[-1]))
        skill.append(float(target[-1]))
        t = np.arange(1, shifts + 1)
        mean = np.cumsum(gain) / t
        sd = np.sqrt(np.maximum(np.cumsum(gain**2) / t - mean**2, 1e-12))
        naive += bool((mean[29:] * np.sqrt(t[29:]) / sd[29:] > 1.6449).any())
    spread = (ALPHA * (1 - ALPHA) / repeats) ** 0.5
    reached = np.array(first)
    return {
        "ever_model_better": crossed / repeats,
        "ever_plain_better": crossed_plain / repeats,
        "sequence_ever_missed": missed / repeats,
        "z_test_looked_at_after_every_shift": naive / repeats,
        "median_shifts_to_show": int(np.median(reached)) if np.median(reached) <= shifts else None,
        "mean_skill_nats_per_crime": float(np.mean(skill)),
        "median_width_nats_per_crime": float(np.median(width)),
        "clipped_share": clipped / (repeats * shifts),
        "monte_carlo_error_at_5_percent": spread,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=2_000)
    parser.add_argument("--shifts", type=int, default=1_095)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "live.json")
    options = parser.parse_args()
    worlds = {
        "null, steady city, 3 crimes a shift": (3.0, 0.25, "even", 0.0),
        "null, restless nights, 3 crimes a shift": (3.0, 0.25, "even", 0.5),
        "null, better in turn, 3 crimes a shift": (3.0, 0.25, "turns", 0.0),
        "null, 0.2 crimes a shift": (0.2, 0.35, "even", 0.0),
        "null, very unlike forecasts, 1 crime a shift": (1.0, 0.9, "even", 0.0),
        "plain count right, 3 crimes a shift": (3.0, 0.15, "plain", 0.0),
        "model right, 3 crimes a shift, small skill": (3.0, 0.12, "model", 0.0),
        "model right, 3 crimes a shift": (3.0, 0.2, "model", 0.0),
        "model right, 10 crimes a shift": (10.0, 0.2, "model", 0.0),
        "model right, 0.5 crimes a shift": (0.5, 0.25, "model", 0.0),
    }
    results = {}
    begun = time.perf_counter()
    for number, (name, (crimes, spread, truth, night)) in enumerate(worlds.items()):
        rng = np.random.default_rng([options.seed, number])
        results[name] = judged(
            World(crimes, spread, truth, rng, night=night), options.repeats, options.shifts, rng
        )
        row = results[name]
        print(
            f"{name:48s} model {row['ever_model_better']:.4f}  plain {row['ever_plain_better']:.4f}  "
            f"missed {row['sequence_ever_missed']:.4f}  z {row['z_test_looked_at_after_every_shift']:.3f}  "
            f"shifts {row['median_shifts_to_show']}  skill {row['mean_skill_nats_per_crime']:+.3f} ± "
            f"{row['median_width_nats_per_crime'] / 2:.3f}  clipped {row['clipped_share']:.5f}",
            flush=True,
        )
    out = {
        "benchmark": "live", "repeats": options.repeats, "shifts": options.shifts, "seed": options.seed,
        "seconds": time.perf_counter() - begun, "worlds": results, "python": platform.python_version(),
        "numpy": np.__version__,
    }  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")
    nulls = [row for name, row in results.items() if name.startswith("null")]
    worst = max(max(row["ever_model_better"], row["sequence_ever_missed"]) for row in nulls)
    print(f"Worst level: {worst:.4f} (promised: at most {ALPHA}); {out['seconds']:.0f} s.")
    return 0 if worst <= ALPHA else 1


if __name__ == "__main__":
    sys.exit(main())
