"""Few missions for several beats: who gets how many, before anything is drawn."""

import numpy as np

from patrols.engine.design import Floats, Ints


def missions_spread(harm: Floats, room: Ints, missions: int) -> Ints:
    """Share missions out over beats by the harm expected in each, none above its room. int64[B], in the beats' order.

    Sums to ``missions``, or to all the room where that is less. Beats without harm come last; equal claims go to the
    beat that stands first. ``harm`` >= 0 in any unit, ``room`` >= 0 missions, shape [B] each.

    Notes
    -----
    Sainte-Laguë's highest averages (each further mission to the beat with the largest harm / (2 given + 1)): the split of
    whole seats that follows the shares most closely, without rounding to a wrong sum.

    >>> missions_spread(np.array([6.0, 3.0, 1.2]), np.array([9, 9, 9]), 5).tolist()
    [3, 1, 1]
    """
    if (harm < 0).any() or np.isnan(harm).any() or (room < 0).any() or missions < 0:
        raise ValueError("Harm, room and missions must be numbers of 0 or more.")
    given = np.zeros(len(harm), dtype=np.int64)
    # Beats without harm still have a claim, behind all others: a mission asked for is not lost to a flat map.
    claim = np.maximum(harm, np.finfo(np.float64).tiny * 1e6)
    for _ in range(min(missions, int(room.sum()))):
        average = np.where(given < room, claim / (2 * given + 1), -1.0)
        given[int(np.argmax(average))] += 1
    return given


def neighbour_beats(rows: Ints, cols: Ints, beat_of_cell: Ints, beat: int) -> list[int]:
    """Return the beats that share an edge of a cell with this beat, ascending; -1, outside all beats, is none.

    ``rows``, ``cols`` are the cells' places in the grid and ``beat_of_cell`` their beats, shape [N] each.
    """
    at = {(int(row), int(col)): int(b) for row, col, b in zip(rows, cols, beat_of_cell, strict=True)}
    own = beat_of_cell == beat
    found = {
        at.get((int(row) + up, int(col) + right), -1)
        for row, col in zip(rows[own], cols[own], strict=True)
        for up, right in ((0, 1), (1, 0), (0, -1), (-1, 0))
    }
    return sorted(found - {-1, beat})
