"""Drawing a trial's tactics again: p-values from the sampler itself, and what adaptive chances would become.

Notes
-----
Fisher's (1935) test under the sharp null: every mission's crimes would have been the same after any tactic. Fixed chances
are drawn anew at once; adaptive ones batch by batch, with the policy run again on the fixed crimes that it was told, as
Simchi-Levi and Wang (2023) and Bojinov and Shephard (2019) do for designs that follow outcomes. The statistic is
studentised, so that its size does not depend on how often a tactic came up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from missions_project.lib.progress import Progress
from tactics.engine.allocation import thompson_chances
from tactics.engine.trials import Comparison, Floats, Ints, TacticTrial, compare, holm

Arms = npt.NDArray[np.int8]
Outcome = Callable[[Ints, Arms], tuple[Floats, Floats]]
"""What the policy is told of missions (rows int64[b]) that drew arms int8[R, b]: crimes [R or 1, b], expected [b]."""
BLOCK = 4_000_000
"""Draws at once: 100 MB."""


@dataclass(frozen=True)
class Redraws:
    """R histories of draws of the same missions: ``arm`` int8[R, n], the ``chance`` that each had float64[R, n].

    ``reciprocal`` float64[n, A]: the mean of 1 / chance over the histories, 0 where not in the draw. ``tables`` float64[R,
    n, A]: all chances, where they were asked for.
    """

    arm: Arms
    chance: Floats
    reciprocal: Floats
    tables: Floats | None = None


def redraw(
    trial: TacticTrial,
    draws: int,
    rng: np.random.Generator,
    told: Outcome | None = None,
    *,
    with_tables: bool = False,
) -> Redraws:
    """Draw all tactics again, ``draws`` times. ``told``: what updates hear of drawn arms; by default what they heard then.

    Which tactics are in a mission's draw stays; chances of adaptive draws are worked out again from what the updates in
    force had been told.
    """
    n, n_arms = trial.chance.shape
    arm, chance = np.zeros((draws, n), dtype=np.int8), np.ones((draws, n))
    reciprocal = np.zeros((n, n_arms))
    tables = np.zeros((draws, n, n_arms)) if with_tables else None
    kinds, kind = np.unique(trial.kind, return_inverse=True)
    totals = np.zeros((2, draws, len(kinds), n_arms))
    known = 0
    for batch in np.unique(trial.batch).tolist():
        fresh = np.flatnonzero((trial.counted > known) & (trial.counted <= batch))
        if len(fresh):
            known = batch
            crimes, expected = (
                told(fresh, arm[:, fresh])
                if told is not None
                else (trial.told_crimes[None, fresh], trial.told_expected[fresh])
            )
            of_kind = np.eye(len(kinds))[kind[fresh]]
            for a in range(n_arms):
                drew = arm[:, fresh] == a
                totals[0, :, :, a] += (drew * crimes) @ of_kind
                totals[1, :, :, a] += (drew * expected) @ of_kind
        for rows, table in _chances(trial, np.flatnonzero(trial.batch == batch), kind, totals):
            allowed = table > 0
            if tables is not None:
                tables[:, rows] = table[:, None, :]
            reciprocal[rows] = np.divide(1.0, table, out=np.zeros_like(table), where=allowed).mean(axis=0)
            numbers = rng.random((draws, len(rows)))
            # Rounding may leave the last sum a hair below 1: the last allowed tactic takes what is left.
            last = n_arms - 1 - np.argmax(allowed[0, ::-1])
            found = np.minimum(
                (numbers[:, :, None] >= np.cumsum(table, axis=1)[:, None, :]).sum(axis=2), last
            )
            arm[:, rows] = found
            chance[:, rows] = np.take_along_axis(np.broadcast_to(table, (draws, n_arms)), found, axis=1)
    return Redraws(arm, chance, reciprocal, tables)


def _chances(trial: TacticTrial, rows: Ints, kind: Ints, totals: Floats) -> list[tuple[Ints, Floats]]:
    """Missions of a batch in groups that share their chances: rows, float64[R or 1, A]."""
    found: list[tuple[Ints, Floats]] = []
    fixed = rows[~trial.adaptive[rows]]
    if len(fixed):
        tables, at = np.unique(trial.chance[fixed], axis=0, return_inverse=True)
        found += [(fixed[at.reshape(-1) == g], tables[g][None]) for g in range(len(tables))]
    moving = rows[trial.adaptive[rows]]
    if len(moving):
        sets = np.column_stack([kind[moving], trial.chance[moving] > 0])
        groups, at = np.unique(sets, axis=0, return_inverse=True)
        for g, group in enumerate(groups):
            table = thompson_chances(
                totals[0, :, group[0]], totals[1, :, group[0]], group[1:].astype(np.bool_), trial.policy
            )
            found.append((moving[at.reshape(-1) == g], table))
    return found


def pair_scores(trial: TacticTrial, arm: Arms | Ints, chance: Floats, residual: Floats) -> Floats:
    """The studentised difference of every two tactics in each history: float64[R, A, A]; positive: more crimes after the first.

    ``arm`` [R, n], ``chance`` [R, n], ``residual`` [n] or [R, n]. 0 where nothing tells two tactics apart.
    """
    n_arms = len(trial.names)
    in_draw = (trial.chance > 0).astype(np.float64)
    value = residual / chance
    total, square = np.zeros((2, len(arm), n_arms, n_arms))
    for a in range(n_arms):
        own = np.where(arm == a, value, 0.0)
        total[:, a, :] = own @ in_draw
        square[:, a, :] = (own * own) @ in_draw
    difference, spread = total - total.swapaxes(1, 2), np.sqrt(square + square.swapaxes(1, 2))
    return np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)


def pair_p_values(
    trial: TacticTrial, *, draws: int = 999, rng: np.random.Generator, progress: Progress | None = None
) -> Floats:
    """Two-sided p-values of "no difference" for every two tactics by drawing again: float64[A, A], NaN on the diagonal.

    (M + 1) / (draws + 1), M: histories in which the two lie at least as far apart as in the real one. NaN, too, for
    pairs that were never in one draw.
    """
    residual = trial.residual()
    real = np.abs(pair_scores(trial, trial.arm[None, :], trial.drawn_chance[None, :], residual)[0])
    further = np.zeros(real.shape)
    done, step = 0, max(1, min(draws, BLOCK // max(len(trial), 1)))
    while done < draws:
        count = min(step, draws - done)
        again = redraw(trial, count, rng)
        # Rounding must not turn a tie into "less far apart".
        further += (np.abs(pair_scores(trial, again.arm, again.chance, residual)) >= real - 1e-9).sum(axis=0)
        done += count
        if progress is not None:
            progress(done, draws, "Drawing the tactics again")
    found = (further + 1.0) / (draws + 1.0)
    together = (trial.chance > 0).astype(np.float64)
    found[(together.T @ together == 0) | np.eye(len(trial.names), dtype=np.bool_)] = np.nan
    return found


def compare_all(
    trial: TacticTrial, *, draws: int = 999, rng: np.random.Generator | None, progress: Progress | None = None
) -> tuple[Comparison, ...]:
    """Every two tactics that were ever in one draw, with p-values by replay, alone and for all pairs together (Holm).

    Without ``rng`` nothing is drawn again and there are no p-values.
    """
    n_arms = len(trial.names)
    p = (
        pair_p_values(trial, draws=draws, rng=rng, progress=progress)
        if rng is not None
        else np.full((n_arms, n_arms), np.nan)
    )
    pairs = [compare(trial, a, b) for a in range(n_arms) for b in range(a + 1, n_arms)]
    pairs = [pair for pair in pairs if pair.missions]
    p_values = np.array([p[pair.a, pair.b] for pair in pairs])
    return tuple(
        replace(pair, p_value=float(alone), p_holm=float(together))
        for pair, alone, together in zip(pairs, p_values, holm(p_values), strict=True)
    )


def planned_chances(
    trial: TacticTrial, ratios: Floats, *, draws: int = 200, rng: np.random.Generator, level: float = 1.0
) -> Floats:
    """What the chances of an adaptive trial would be worth if the tactics had these rates: float64[n, A], harmonic means.

    ``trial`` gives the missions, their batches and which tactics are in the draw; its own arms and crimes are not read.
    ``ratios`` float64[A]: crimes per crime forecast after each tactic. For ``power``.
    """

    def told(rows: Ints, arm: Arms) -> tuple[Floats, Floats]:
        mean = level * trial.expected[rows] * ratios[arm]
        return rng.poisson(mean).astype(np.float64), trial.expected[rows]

    mean = redraw(trial, draws, rng, told).reciprocal
    return np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
