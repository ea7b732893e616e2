"""Whose units carry out the missions of a beat that has no unit tonight, and which missions are dropped for want of one.

Fixed before the draw: from here on a beat's K is a number, and chance decides where.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from patrols.engine.design import Floats, Ints


@dataclass(frozen=True)
class Deal:
    """How many boxes each beat gets, and by whose units.

    ``k``: missions by beat, beats without any left out. ``served``: by (beat, beat whose units go there). ``dropped``:
    missions that no unit has time for, by beat. Missions are conserved: for each beat ``k + dropped`` is what it asked for.
    """

    k: dict[int, int]
    served: dict[tuple[int, int], int]
    dropped: dict[int, int]

    def handed(self, beat: int) -> dict[int, int]:
        """Which other beats' units serve this beat, and how many missions each."""
        return {by: n for (to, by), n in sorted(self.served.items()) if to == beat and by != beat}


def deal_missions(
    *,
    standing: Mapping[int, int],
    supply: Mapping[int, int],
    helpers: Mapping[int, Sequence[int]],
    worth: Mapping[int, Floats],
) -> Deal:
    """Share the units' missions out over their own beats and those beside them that have no unit.

    ``supply``: missions that the units on duty in a beat can do; a staffed beat asks for as many. ``standing``: missions
    that a beat has when all its units are there; a beat without supply asks for that many. ``helpers``: the staffed beats
    whose units may go to an unstaffed one, nearest first. ``worth``: harm of each beat's boxes, float64[m] in any unit and
    order; a beat's n-th mission is worth its n-th worst box. Only unstaffed beats with helpers, and these, change anything.

    The missions worth most are kept and the others dropped; but every staffed beat keeps one, whatever it is worth, so that
    no area is emptied by its neighbour. Ties go to the lower beat number.

    Notes
    -----
    Which missions can be served together is a matroid (a transversal one: missions against the units' places), so taking
    them in order of worth, each if the ones before can still be served, gives the largest total worth (Edmonds 1971).
    """
    asked = {beat: n for beat, n in supply.items() if n > 0}
    asked |= {
        beat: n for beat, n in standing.items() if n > 0 and supply.get(beat, 0) == 0 and helpers.get(beat)
    }
    by = {beat: [beat] if supply.get(beat, 0) > 0 else list(helpers[beat]) for beat in asked}
    touched = {helper for beat, servers in by.items() if supply.get(beat, 0) == 0 for helper in servers}
    left = dict(supply)
    served: dict[tuple[int, int], int] = {}
    claims: list[tuple[float, int, int]] = []
    for beat, n in asked.items():
        if supply.get(beat, 0) > 0 and beat not in touched:
            # Nobody else needs its units: all of its missions are its own.
            served[beat, beat], left[beat] = n, 0
            continue
        harm = -np.sort(-worth.get(beat, np.empty(0)))[:n]
        padded = [*harm.tolist(), *[0.0] * (n - len(harm))]
        for number, value in enumerate(padded):
            first = number == 0 and supply.get(beat, 0) > 0
            claims.append((np.inf if first else value, beat, number))
    for _, beat, _ in sorted(claims, key=lambda claim: (-claim[0], claim[1], claim[2])):
        _serve(beat, by, left, served, set())
    k: dict[int, int] = {}
    for (beat, _), n in served.items():
        k[beat] = k.get(beat, 0) + n
    idle = {beat: n for beat, n in standing.items() if n > 0 and beat not in asked}
    dropped = idle | {beat: n - k.get(beat, 0) for beat, n in asked.items() if n > k.get(beat, 0)}
    return Deal(dict(sorted(k.items())), {key: n for key, n in served.items() if n > 0}, dropped)


def _serve(
    beat: int,
    by: Mapping[int, Sequence[int]],
    left: dict[int, int],
    served: dict[tuple[int, int], int],
    seen: set[int],
) -> bool:
    """Find a unit for one more mission of the beat, if need be by moving another beat's mission to another unit."""
    for server in by[beat]:
        if left.get(server, 0) > 0:
            left[server] -= 1
            served[beat, server] = served.get((beat, server), 0) + 1
            return True
    for server in by[beat]:
        if server in seen:
            continue
        seen.add(server)
        for other in [to for (to, used), n in served.items() if used == server and n > 0 and to != beat]:
            if _serve(other, by, left, served, seen):
                served[other, server] -= 1
                served[beat, server] = served.get((beat, server), 0) + 1
                return True
    return False


def beat_neighbours(rows: Ints, cols: Ints, beat_of_cell: Ints) -> dict[int, set[int]]:
    """Return which beats share an edge of a cell with which; -1, outside all beats, is none.

    ``rows``, ``cols`` are the cells' places in the grid and ``beat_of_cell`` their beats, shape [N] each.
    """
    if len(rows) == 0:
        return {}
    picture = np.full((int(rows.max()) + 1, int(cols.max()) + 1), -1, dtype=np.int64)
    picture[rows, cols] = beat_of_cell
    found: dict[int, set[int]] = {}
    for one, other in ((picture[:, :-1], picture[:, 1:]), (picture[:-1], picture[1:])):
        edge = (one != other) & (one >= 0) & (other >= 0)
        for a, b in np.unique(np.column_stack([one[edge], other[edge]]), axis=0).tolist():
            found.setdefault(a, set()).add(b)
            found.setdefault(b, set()).add(a)
    return found


def helpers_of(
    unstaffed: Iterable[int],
    staffed: Iterable[int],
    neighbours: Mapping[int, set[int]],
    centre: Mapping[int, tuple[float, float]],
) -> dict[int, list[int]]:
    """Return the staffed beats that may help each unstaffed one: those that touch it, else the nearest one.

    ``centre`` in projected metres; the nearest comes first, the lower number where two are equally near. A beat without a
    cell, or with nobody on duty anywhere, has no helper.
    """
    able = sorted(set(staffed) & set(centre))

    def distance(a: int, b: int) -> float:
        return float(np.hypot(centre[a][0] - centre[b][0], centre[a][1] - centre[b][1]))

    result: dict[int, list[int]] = {}
    for beat in unstaffed:
        if beat not in centre or not able:
            continue
        near = sorted(able, key=lambda other: (distance(beat, other), other))
        touching = [other for other in near if other in neighbours.get(beat, set())]
        result[beat] = touching or near[:1]
    return result
