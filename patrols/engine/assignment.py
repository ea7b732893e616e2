"""Which of a beat's units is sent to which of its missions: by chance, evenly, and the same again for an audit."""

import numpy as np

_STREAM_UNITS = 3
"""Second half of the stream's key, after those of ``patrols.engine.plan``; never renumber."""


def assign_units(*, n_missions: int, unit_capacity: list[int], seed: int, beat: int) -> list[int]:
    """Return for each mission (in order of its visits' starts) the position of the unit that is sent.

    The units' order is drawn once; missions are then dealt by turns, skipping units that are full. Turns keep one
    unit's visits apart: the timetable spaces neighbouring starts for units that alternate. Units of equal capacity
    never differ by more than one mission. Raises ``ValueError`` when the units together have room for fewer.
    """
    if n_missions > sum(unit_capacity):
        raise ValueError(f"Beat {beat}: {n_missions} missions for units with room for {sum(unit_capacity)}.")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(beat, _STREAM_UNITS))))
    # Not rng.permutation: its stream may change with a NumPy release, and audits would fail.
    turns = np.argsort(rng.random(len(unit_capacity)), kind="stable").tolist()
    left = list(unit_capacity)
    chosen: list[int] = []
    turn = 0
    while len(chosen) < n_missions:
        unit = turns[turn % len(turns)]
        turn += 1
        if left[unit] > 0:
            chosen.append(unit)
            left[unit] -= 1
    return chosen


def assign_helpers(
    *,
    visits: list[list[tuple[float, float]]],
    unit_capacity: list[int],
    busy: list[list[tuple[float, float]]],
) -> list[int]:
    """Return for each mission in a beat without a unit the position of the helping unit that is sent.

    ``visits``: each mission's visits as (from, to) in minutes; ``busy``: the same of what each unit does in its own beat. A
    mission goes to the unit whose other visits it overlaps least, of equals to the one with most room left, then the first.
    Nothing is left to chance: what the unit does at home was. Raises ``ValueError`` when they have room for fewer.
    """
    if len(visits) > sum(unit_capacity):
        raise ValueError(f"{len(visits)} missions for helping units with room for {sum(unit_capacity)}.")
    left, spans = list(unit_capacity), [list(one) for one in busy]
    chosen: list[int] = []
    for mission in visits:
        able = [unit for unit, room in enumerate(left) if room > 0]
        unit = min(able, key=lambda unit: (_overlap(mission, spans[unit]), -left[unit], unit))
        left[unit] -= 1
        spans[unit] += mission
        chosen.append(unit)
    return chosen


def _overlap(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)
