"""The product's design and draw for many plans at once: what re-drawing a whole year 199 times needs.

The same rules as ``patrols.engine.design`` and ``patrols.engine.sampling``, written over arrays [plans, boxes of a
beat]. A test holds both against each other: equal probabilities to 1e-9, equal ways of drawing.

Notes
-----
Local pivotal method: Grafström, Lundström and Schelin 2012. Ties between equally near boxes are broken anew at every
step, as in the product: with ties fixed once per plan, pairs of neighbours would exclude each other more often.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from patrols.engine.design import SUM_TOLERANCE, DesignPolicy

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_FAR = np.float32(1e9)


@dataclass(frozen=True)
class BeatLayout:
    """The city's boxes sorted into beats of equal width, so that all beats can be worked on in one array.

    ``cell`` int64[B, C]: grid positions, -1 where a beat has fewer than C boxes; ``beat_id`` int64[B] ascending;
    ``x_m``, ``y_m`` float64[B, C].
    """

    beat_id: Ints
    cell: Ints
    x_m: Floats
    y_m: Floats

    @staticmethod
    def of(beat_of_cell: Ints, x_m: Floats, y_m: Floats) -> "BeatLayout":
        """Sort the grid's cells into beats; -1 in ``beat_of_cell`` means outside all beats."""
        beat_id = np.unique(beat_of_cell[beat_of_cell >= 0])
        members = [np.flatnonzero(beat_of_cell == beat) for beat in beat_id]
        width = max((len(one) for one in members), default=0)
        cell = np.full((len(beat_id), width), -1, dtype=np.int64)
        for row, one in enumerate(members):
            cell[row, : len(one)] = one
        return BeatLayout(beat_id, cell, x_m[cell], y_m[cell])

    @property
    def valid(self) -> Bools:
        """Where a box is: bool[B, C]."""
        there: Bools = self.cell >= 0
        return there

    def spread(self, per_cell: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Values per grid cell [..., N] as [..., B, C]; places without a box hold cell -1's value: mask them."""
        return per_cell[..., self.cell]

    @cached_property
    def tier(self) -> Floats32:
        """How near each box is to each other one of its beat, in equally-distant groups 1, 2, ...: [B, C, C]."""
        beats, width = self.cell.shape
        tiers = np.full((beats, width, width), _FAR, dtype=np.float32)
        for b in range(beats):
            n = int(self.valid[b].sum())
            x, y = self.x_m[b, :n], self.y_m[b, :n]
            squared = (x[:, None] - x[None, :]) ** 2 + (y[:, None] - y[None, :]) ** 2
            quantum = max(float(squared.max(initial=0.0)), 1e-300) / 2.0**30
            key = np.rint(squared / quantum).astype(np.int64)
            level = np.unique(key)
            rank = np.searchsorted(level, key).astype(np.float32)
            np.fill_diagonal(rank, _FAR)
            tiers[b, :n, :n] = rank
        return tiers


def batch_probabilities(
    *,
    harm: Floats,
    allowed: Bools,
    planned_minutes: Floats,
    days_since_last: Floats,
    k: Ints,
    policy: DesignPolicy,
) -> Floats:
    """Every box's chance of a mission in many plans at once. float64[G, C]; 0 where a box is no candidate.

    ``harm`` >= 0, ``allowed`` (in the beat and not suppressed), ``planned_minutes``, ``days_since_last``: [G, C];
    ``k`` int64[G]. A plan that the product would call infeasible has no candidate: its row is all zero.
    """
    candidate = allowed & (planned_minutes + policy.mission_max_minutes <= policy.saturation_hard_minutes)
    n = candidate.sum(axis=1)
    floor = policy.exploration * k / np.maximum(n, 1)
    cool: Floats = np.ones_like(planned_minutes)
    if policy.cooldown_days > 0:
        recovered = np.minimum(days_since_last / policy.cooldown_days, 1.0)
        cool = policy.cooldown_factor + (1.0 - policy.cooldown_factor) * recovered
    last_room = policy.saturation_hard_minutes - policy.mission_max_minutes
    fresh = np.clip((last_room - planned_minutes) / (last_room - policy.saturation_soft_minutes), 0.0, 1.0)
    room = np.where(candidate, (policy.cap_max - floor[:, None]) * cool * fresh, 0.0)
    spare = k - floor * n
    feasible = (k > 0) & (n > 0) & (floor <= policy.cap_max) & (room.sum(axis=1) >= spare - SUM_TOLERANCE)
    weight = np.where(candidate, harm, 0.0)
    top = weight.max(axis=1, keepdims=True)
    weight = np.divide(weight, top, out=np.zeros_like(weight), where=top > 0)
    if policy.gamma != 1.0:
        weight = np.where(candidate & (top > 0), weight**policy.gamma, 0.0)
    weight[weight < 1e-200] = 0.0
    extra = _fill(weight, room, np.minimum(spare, (room * (weight > 0)).sum(axis=1)))
    left = spare - extra.sum(axis=1)
    if (left > SUM_TOLERANCE).any():
        others = candidate & (weight == 0)
        extra += _fill(others.astype(np.float64), room * others, np.maximum(left, 0.0))
    return np.where(candidate & feasible[:, None], floor[:, None] + extra, 0.0)


def _fill(weight: Floats, room: Floats, amount: Floats) -> Floats:
    """Pour ``amount`` [G] into vessels of size ``room`` at rates ``weight``: exact, one round per binding cap."""
    full = np.zeros(weight.shape, dtype=np.bool_)
    kappa = np.zeros(len(weight))
    for _ in range(weight.shape[1] + 1):
        rate = (weight * ~full).sum(axis=1)
        rest = amount - (room * full).sum(axis=1)
        kappa = np.divide(rest, rate, out=np.zeros_like(rate), where=rate > 0)
        binding = ~full & (weight > 0) & (kappa[:, None] * weight > room)
        if not binding.any():
            break
        full |= binding
    filled: Floats = np.where(full, room, np.minimum(room, np.maximum(kappa, 0.0)[:, None] * weight))
    return filled


def batch_draw(
    pi: Floats, *, tier: Floats32, beat: Ints, rng: np.random.Generator, local_pivotal_share: float = 0.9
) -> Bools:
    """Draw many plans at once, each with exactly its own probabilities and size. bool[G, C].

    ``pi`` float64[G, C] (0 where there is no candidate), each row adding up to a whole number; ``tier`` [B, C, C] from
    the layout; ``beat`` int64[G] says which of its B rows a plan belongs to.
    """
    groups, width = pi.shape
    p = pi.copy()
    is_open = (p > 1e-12) & (p < 1.0 - 1e-12)
    count = is_open.sum(axis=1)
    # Open boxes first: each plan keeps a list of its undecided ones, shortened by moving the last one up.
    alive = np.argsort(~is_open, axis=1, kind="stable").astype(np.int64)
    place = np.empty_like(alive)
    np.put_along_axis(place, alive, np.broadcast_to(np.arange(width), alive.shape), axis=1)
    is_local = np.less(rng.random(groups), local_pivotal_share)
    closed = np.where(is_open, np.float32(0.0), _FAR)
    while True:
        at = np.flatnonzero(count > 1)
        if len(at) == 0:
            break
        u = rng.random((len(at), 3))
        here = (u[:, 0] * count[at]).astype(np.int64)
        i = alive[at, here]
        there = (u[:, 1] * (count[at] - 1)).astype(np.int64)
        there += there >= here
        j = alive[at, there]
        near = np.flatnonzero(is_local[at])
        if len(near):
            rows = at[near]
            distance = tier[beat[rows], i[near]] + closed[rows]
            distance += rng.random(distance.shape, dtype=np.float32) * np.float32(0.9)
            j[near] = distance.argmin(axis=1)
        a, b = p[at, i], p[at, j]
        total = a + b
        small = total < 1.0
        first_loses = np.where(small, u[:, 2] * total < b, u[:, 2] * (2.0 - total) >= 1.0 - b)
        loser, winner = np.where(small, 0.0, total - 1.0), np.where(small, total, 1.0)
        a, b = np.where(first_loses, loser, winner), np.where(first_loses, winner, loser)
        p[at, i], p[at, j] = a, b
        for box, value in ((i, a), (j, b)):
            done = np.flatnonzero((value <= 1e-12) | (value >= 1.0 - 1e-12))
            rows, gone = at[done], box[done]
            closed[rows, gone] = _FAR
            spot, last = place[rows, gone], count[rows] - 1
            moved = alive[rows, last]
            alive[rows, spot], place[rows, moved] = moved, spot
            count[rows] = last
    drawn: Bools = p > 0.5
    return drawn
