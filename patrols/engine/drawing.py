"""Everything that chance decides in a plan, beat by beat, each from its own stream of random numbers."""

from dataclasses import dataclass, replace

import numpy as np

from patrols.engine.design import Bools, DesignPolicy, Floats, Ints
from patrols.engine.records import METHODS, Codes
from patrols.engine.sampling import draw
from patrols.engine.schedule import Timetable, dose_minutes, start_minutes, timetable

_STREAM_DRAW, _STREAM_START, _STREAM_DOSE, _STREAM_STANDING = 0, 1, 2, 4
"""Second half of a stream's key; never renumber: stored plans would no longer re-draw. 3 deals units out."""


@dataclass(frozen=True)
class Drawn:
    """What chance decided, per candidate (``start`` [n, V]) and, for ``method``, per beat."""

    drawn: Bools
    start: Floats
    dose: Floats
    method: Codes


def draw_all(
    *,
    beat: Ints,
    pi: Floats,
    x_m: Floats,
    y_m: Floats,
    beat_id: Ints,
    tables: list[Timetable],
    policy: DesignPolicy,
    seed: int,
) -> Drawn:
    """Everything that chance decides, from stored numbers and the seed alone: the part that a replay repeats.

    Candidates come sorted by beat. Nothing here may look at harm: a replay on another machine, where a power is
    rounded differently, must still give the same bits.
    """
    n = len(pi)
    drawn = np.zeros(n, dtype=np.bool_)
    start = np.full((n, policy.visits_per_cell), np.nan)
    dose = np.zeros(n)
    method = np.zeros(len(beat_id), dtype=np.int8)
    first = np.searchsorted(beat, beat_id, side="left")
    last = np.searchsorted(beat, beat_id, side="right")
    for b, (key, table, lo, hi) in enumerate(
        zip(beat_id.tolist(), tables, first.tolist(), last.tolist(), strict=True)
    ):
        rows = slice(lo, hi)
        drawn[rows], used = draw(
            pi[rows],
            x_m=x_m[rows],
            y_m=y_m[rows],
            rng=_stream(seed, key, _STREAM_DRAW),
            local_pivotal_share=policy.local_pivotal_share,
        )
        method[b] = METHODS.index(used)
        start[rows] = start_minutes(
            drawn=drawn[rows],
            table=table,
            visits_per_cell=policy.visits_per_cell,
            rng=_stream(seed, key, _STREAM_START),
        )
        dose[rows] = dose_minutes(n=hi - lo, policy=policy, rng=_stream(seed, key, _STREAM_DOSE))
    return Drawn(drawn, start, dose, method)


def standing_starts(
    *, cell: int, shift_minutes: int, policy: DesignPolicy, dose_minutes: int, seed: int
) -> Floats:
    """Whole minutes after the shift's start at which a box that people added is visited. float64[v], ascending, v >= 1.

    As many visits as the policy asks for and the shift holds, spaced as those of drawn boxes, from the cell's own stream:
    nobody can tell an added box by its hours. A shift shorter than the dose gets one visit, at its start.
    """
    own = replace(
        policy, dose_min_minutes=dose_minutes, dose_max_minutes=max(dose_minutes, policy.dose_min_minutes)
    )
    table = timetable(k=1, units=1, shift_minutes=shift_minutes, policy=own)
    if table is None:
        return np.zeros(1)
    starts = start_minutes(
        drawn=np.array([True]),
        table=table,
        visits_per_cell=policy.visits_per_cell,
        rng=_stream(seed, cell, _STREAM_STANDING),
    )[0]
    fitting: Floats = starts[~np.isnan(starts)]
    return fitting


def _stream(seed: int, beat: int, purpose: int) -> np.random.Generator:
    """The beat's own random numbers for one purpose, independent of which other beats are planned."""
    # PCG64 by name: default_rng may change its bit generator in a later NumPy.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(beat, purpose))))
