"""Draw exactly K boxes so that each is chosen with exactly its own probability, spread over the map.

Notes
-----
Pivotal sampling (Deville and Tillé 1998) lets two undecided boxes play for their probabilities until one is decided;
whoever meets whom, each box's chance stays what it was. In the *local* pivotal method (Grafström, Lundström and
Schelin 2012, the second variant) a box picked at random plays against its nearest undecided neighbour, which spreads
the sample. Neighbours then exclude each other, some pairs for good; so a share of draws uses the *randomised*
method, where partners are picked at random.

Only ``Generator.random`` is used: it is a fixed function of the bit stream, while ``integers``, ``permutation`` and
others may change between NumPy releases and a stored plan would no longer re-draw.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from patrols.engine.design import Bools, Floats, Ints

Method = Literal["local_pivotal", "randomised_pivotal"]
LOCAL_PIVOTAL: Method = "local_pivotal"
RANDOMISED_PIVOTAL: Method = "randomised_pivotal"

DECIDED = 1e-12
"""A probability this close to 0 or 1 is rounding, not chance."""
BLOCK_CELLS = 1024
"""Beats larger than this are first played out in compact blocks, so that memory and time stay linear."""
NEAREST = 32
"""Neighbours listed per box; when all of them are decided, the nearest undecided one is searched for."""


@dataclass(frozen=True)
class Neighbours:
    """Who is near whom: for each box its nearest others, and in which equally-distant group each one lies.

    ``order[i]`` lists up to 32 other boxes, nearest first; ``tier[i]`` their squared distance in whole quanta.
    """

    order: list[list[int]]
    tier: list[list[int]]
    x_m: Floats
    y_m: Floats


def neighbours(x_m: Floats, y_m: Floats) -> Neighbours:
    """List every box's nearest others once, for any number of draws. float64[n] metres each.

    Distances are rounded to 2^-30 of the largest: on a square grid up to a dozen boxes are equally far, and
    floating-point noise must not decide between them. O(n^2) memory: for at most ``BLOCK_CELLS`` boxes.
    """
    n = len(x_m)
    if n < 2:
        return Neighbours([[]] * n, [[]] * n, x_m, y_m)
    squared = (x_m[:, None] - x_m[None, :]) ** 2 + (y_m[:, None] - y_m[None, :]) ** 2
    quantum = max(float(squared.max()), 1e-300) / 2.0**30
    # Distance and index in one key: no two are equal, so that any sorting routine gives the same order.
    key = np.rint(squared / quantum).astype(np.int64) * n + np.arange(n)
    np.fill_diagonal(key, np.iinfo(np.int64).max)
    keep = min(NEAREST, n - 1)
    if keep < n - 1:
        key = np.partition(key, keep - 1, axis=1)[:, :keep]
    key = np.sort(key, axis=1)[:, :keep]
    return Neighbours((key % n).tolist(), (key // n).tolist(), x_m, y_m)


def draw(
    pi: Floats, *, x_m: Floats, y_m: Floats, rng: np.random.Generator, local_pivotal_share: float = 0.9
) -> tuple[Bools, Method]:
    """Draw a beat's boxes: usually well spread, sometimes regardless of place. Also says which it was.

    ``pi`` float64[n] in 0..1, adding up to a whole number K within 1e-6 (else ``ValueError``). Returns bool[n] with
    exactly K true, each true with probability ``pi`` whichever method was used.
    """
    if float(rng.random()) < local_pivotal_share:
        return local_pivotal(pi, x_m=x_m, y_m=y_m, rng=rng), LOCAL_PIVOTAL
    return randomised_pivotal(pi, rng=rng), RANDOMISED_PIVOTAL


def draw_many(
    pi: Floats,
    *,
    x_m: Floats,
    y_m: Floats,
    rng: np.random.Generator,
    draws: int,
    local_pivotal_share: float = 0.9,
) -> Bools:
    """Draw the same beat many times over, for an auditor who counts how often each box comes up. bool[draws, n].

    The same methods as ``draw``; the neighbours are listed once.
    """
    near = neighbours(x_m, y_m) if len(pi) <= BLOCK_CELLS else None
    result = np.zeros((draws, len(pi)), dtype=np.bool_)
    for row in range(draws):
        if float(rng.random()) < local_pivotal_share:
            result[row] = local_pivotal(pi, x_m=x_m, y_m=y_m, rng=rng, near=near)
        else:
            result[row] = randomised_pivotal(pi, rng=rng)
    return result


def randomised_pivotal(pi: Floats, *, rng: np.random.Generator) -> Bools:
    """Draw with exactly these probabilities, partners picked at random: every pair can meet. bool[n]."""
    p: list[float] = pi.tolist()
    alive = _undecided(p)
    _play_at_random(p, alive, rng)
    return _finished(p, alive, pi)


def local_pivotal(
    pi: Floats, *, x_m: Floats, y_m: Floats, rng: np.random.Generator, near: Neighbours | None = None
) -> Bools:
    """Draw with exactly these probabilities, spread over the map: neighbours play each other first. bool[n].

    ``near`` may be passed when the same boxes are drawn many times. Equally near neighbours: one at random.
    Beats above ``BLOCK_CELLS`` boxes are cut into compact blocks; what each leaves undecided plays on together.
    """
    p: list[float] = pi.tolist()
    alive = _undecided(p)
    if near is None:
        while len(alive) > BLOCK_CELLS:
            remaining: list[int] = []
            for block in _blocks(np.asarray(alive, dtype=np.int64), x_m, y_m):
                remaining += _play_near(p, block, neighbours(x_m[block], y_m[block]), rng)
            alive = remaining
        index = np.asarray(alive, dtype=np.int64)
        alive = _play_near(p, index, neighbours(x_m[index], y_m[index]), rng)
    else:
        alive = _play_near(p, np.arange(len(p)), near, rng)
    return _finished(p, alive, pi)


def _undecided(p: list[float]) -> list[int]:
    return [i for i, value in enumerate(p) if DECIDED < value < 1.0 - DECIDED]


def _blocks(index: Ints, x_m: Floats, y_m: Floats) -> list[Ints]:
    """Halve along the longer side until every block is small enough. Ties by index."""
    if len(index) <= BLOCK_CELLS:
        return [index]
    x, y = x_m[index], y_m[index]
    along = x if np.ptp(x) >= np.ptp(y) else y
    ordered = index[np.argsort(along, kind="stable")]
    middle = len(ordered) // 2
    return _blocks(ordered[:middle], x_m, y_m) + _blocks(ordered[middle:], x_m, y_m)


def _duel(p: list[float], i: int, j: int, chance: float) -> tuple[bool, bool]:
    """Let two boxes play; afterwards at least one is decided. Returns whether each one now is."""
    a, b = p[i], p[j]
    total = a + b
    if total < 1.0:
        a, b = (0.0, total) if chance * total < b else (total, 0.0)
    else:
        a, b = (1.0, total - 1.0) if chance * (2.0 - total) < 1.0 - b else (total - 1.0, 1.0)
    p[i], p[j] = a, b
    return not DECIDED < a < 1.0 - DECIDED, not DECIDED < b < 1.0 - DECIDED


def _play_at_random(p: list[float], alive: list[int], rng: np.random.Generator) -> None:
    """Decide boxes in place until at most one of ``alive`` is left in it."""
    for first, second, chance in rng.random((len(alive), 3)).tolist():
        n = len(alive)
        if n < 2:
            return
        here = int(first * n)
        there = int(second * (n - 1))
        there += there >= here
        done_here, done_there = _duel(p, alive[here], alive[there], chance)
        # The later place first: removing the earlier one would move what stands at the later one.
        for place, done in sorted(((here, done_here), (there, done_there)), reverse=True):
            if done:
                alive[place] = alive[-1]
                alive.pop()


def _play_near(p: list[float], index: Ints, near: Neighbours, rng: np.random.Generator) -> list[int]:
    """Decide boxes in place, neighbours first; returns the at most one of ``index`` that is left undecided."""
    cells: list[int] = index.tolist()
    n = len(cells)
    undecided = [DECIDED < p[cell] < 1.0 - DECIDED for cell in cells]
    alive = [i for i in range(n) if undecided[i]]
    place = [0] * n
    for k, i in enumerate(alive):
        place[i] = k

    def remove(i: int) -> None:
        undecided[i] = False
        last = alive[-1]
        alive[place[i]] = last
        place[last] = place[i]
        alive.pop()

    order, tier = near.order, near.tier
    for first, second, chance in rng.random((len(alive), 3)).tolist():
        if len(alive) < 2:
            break
        i = alive[int(first * len(alive))]
        ties: list[int] = []
        best = -1
        for j, distance in zip(order[i], tier[i], strict=True):
            if best >= 0 and distance > best:
                break
            if undecided[j]:
                best = distance
                ties.append(j)
        if not ties:
            ties = _nearest_of(alive, i, near)
        j = ties[int(second * len(ties))] if len(ties) > 1 else ties[0]
        done_i, done_j = _duel(p, cells[i], cells[j], chance)
        if done_i:
            remove(i)
        if done_j:
            remove(j)
    return [cells[i] for i in alive]


def _nearest_of(alive: list[int], i: int, near: Neighbours) -> list[int]:
    """The nearest undecided boxes when none of the listed neighbours is left."""
    others = np.array([j for j in alive if j != i])
    squared = (near.x_m[others] - near.x_m[i]) ** 2 + (near.y_m[others] - near.y_m[i]) ** 2
    closest = squared <= squared.min() * (1.0 + 1e-9)
    found: list[int] = others[closest].tolist()
    # ``alive`` is in the order of past removals; sorted, the choice depends on place alone.
    return sorted(found)


def _finished(p: list[float], alive: list[int], pi: Floats) -> Bools:
    """Settle the last box, whose probability is 0 or 1 but for rounding, and count."""
    for i in alive:
        if 1e-6 < p[i] < 1.0 - 1e-6:
            raise ValueError(
                f"The probabilities add up to {pi.sum():.9f}, not to a whole number; pass those of a beat design."
            )
    drawn: Bools = np.asarray(p) > 0.5
    return drawn
