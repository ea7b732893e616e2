"""How often each box really comes up: a stored design drawn many times over, with fresh seeds. The proof for an auditor."""

from dataclasses import dataclass

import numpy as np

from missions_project.lib.progress import Progress
from patrols.engine.design import Floats, Ints
from patrols.engine.records import PlanDraw
from patrols.engine.sampling import draw_many

CHUNK = 500
"""Draws between two signs of life: also what is held in memory at once, times the cells of a beat."""


@dataclass(frozen=True)
class Frequencies:
    """How often each candidate was drawn in ``draws`` draws, and how far that is from its probability.

    One element a candidate, in the plan's order: ``count`` int64[n], ``pi`` float64[n]; ``z`` float64[n], the deviation in
    standard errors √(π(1−π)/draws), 0 where π is 0 or 1 and was met exactly, infinite where it was not. ``sums_exact``:
    whether every draw sent missions to exactly K boxes of each beat.
    """

    draws: int
    count: Ints
    pi: Floats
    z: Floats
    sums_exact: bool

    @property
    def largest(self) -> float:
        """The largest deviation of all candidates, in standard errors; 0 for none."""
        return float(np.abs(self.z).max(initial=0.0))

    @property
    def least_likely(self) -> float:
        """How likely a count at least as far out as the strangest is, where draws are right, corrected for all candidates.

        Exact binomial tails, both sides, times the number of candidates (Bonferroni), at most 1: standard errors mislead
        where few draws meet small chances, and would accuse an honest plan.
        """
        from scipy.stats import binom

        if len(self.pi) == 0:
            return 1.0
        below = binom.cdf(self.count, self.draws, self.pi)
        above = binom.sf(self.count - 1, self.draws, self.pi)
        return float(min(1.0, 2.0 * np.minimum(below, above).min() * len(self.pi)))

    @property
    def agrees(self) -> bool:
        """Whether the draws are what the probabilities promise; wrong about honest ones once in a thousand times."""
        return self.sums_exact and self.least_likely >= 0.001


def draw_frequencies(
    plan: PlanDraw, *, draws: int, rng: np.random.Generator, progress: Progress | None = None
) -> Frequencies:
    """Draw the plan's boxes ``draws`` times from its stored probabilities, never with the plan's own seed.

    ``draws`` >= 1. Time grows with draws × candidates, about a second a million.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; pass 1 or more.")
    count = np.zeros(len(plan), dtype=np.int64)
    exact = True
    first = np.searchsorted(plan.beat, plan.beat_id, side="left")
    last = np.searchsorted(plan.beat, plan.beat_id, side="right")
    done, total = 0, draws * len(plan.beat_id)
    for lo, hi, k in zip(first.tolist(), last.tolist(), plan.beat_k.tolist(), strict=True):
        rows = slice(lo, hi)
        for start in range(0, draws, CHUNK):
            size = min(CHUNK, draws - start)
            drawn = draw_many(
                plan.pi[rows],
                x_m=plan.x_m[rows],
                y_m=plan.y_m[rows],
                rng=rng,
                draws=size,
                local_pivotal_share=plan.policy.local_pivotal_share,
            )
            count[rows] += drawn.sum(axis=0)
            exact &= bool((drawn.sum(axis=1) == k).all())
            done += size
            if progress is not None:
                progress(done, total, "Drawing anew")
    error = np.sqrt(plan.pi * (1.0 - plan.pi) / draws)
    away = count / draws - plan.pi
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(np.abs(away) < 1e-12, 0.0, away / error)
    return Frequencies(draws, count, plan.pi.copy(), z, exact)
