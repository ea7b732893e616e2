"""Which of a beat's units is sent to which of its missions: by chance, evenly, and the same again for an audit."""

import numpy as np

_STREAM_UNITS = 3
"""Second half of the stream's key, after those of ``patrols.engine.plan``; never renumber."""


def assign_units(*, n_missions: int, unit_capacity: list[int], seed: int, beat: int) -> list[int]:
    """Return for each mission (in order of start) the position of the unit that is sent.

    Missions are dealt in rounds, each round in a new random order of the units that still have room, so that two
    units of equal capacity never differ by more than one mission and no unit's route can be told in advance.
    Raises ``ValueError`` when the units together have room for fewer missions.
    """
    if n_missions > sum(unit_capacity):
        raise ValueError(f"Beat {beat}: {n_missions} missions for units with room for {sum(unit_capacity)}.")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(beat, _STREAM_UNITS))))
    left = np.array(unit_capacity, dtype=np.int64)
    chosen: list[int] = []
    while len(chosen) < n_missions:
        free = np.flatnonzero(left > 0)
        for unit in rng.permutation(free).tolist()[: n_missions - len(chosen)]:
            chosen.append(unit)
            left[unit] -= 1
    return chosen
