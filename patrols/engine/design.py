"""How likely each box is to be sent a car: the design of a beat's missions, before anything is drawn.

Notes
-----
Fixed-size unequal-probability designs with a floor and caps: every candidate keeps a known chance strictly
between 0 and 1, so that what missions do can be estimated later (Horvitz and Thompson 1952).
"""

from dataclasses import dataclass, fields
from math import ceil, floor, isfinite
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

SUM_TOLERANCE = 1e-9
"""How far the probabilities of a beat may be from adding up to K."""

InfeasibleCode = Literal[
    "no_cell", "zero_capacity", "all_suppressed", "all_saturated", "no_candidate", "floor_above_cap",
    "cap_below_need", "cooldown_too_strong", "saturation_too_strong", "shift_too_short",
]  # fmt: skip


@dataclass(frozen=True)
class DesignPolicy:
    """The agency's dials for directed patrol; everything that shapes who is sent where, when and how long.

    Ranges are checked by :meth:`problems`, which names each setting that is out of range and what to do.
    """

    gamma: float = 1.0
    """Exponent on harm (no unit, >= 0): 0 spreads evenly, 1 follows harm, above 1 chases the hottest boxes."""
    exploration: float = 0.15
    """Share of a beat's missions spread evenly over all candidates (0..1): everybody's floor."""
    cap_max: float = 0.9
    """Highest probability that any box may have in one shift (0..0.9): every box can be left alone."""
    cooldown_days: float = 2.0
    """Days after a planned mission during which the box's cap is lowered; 0 switches it off."""
    cooldown_factor: float = 0.5
    """What is left of the cap above the floor right after a mission (0..1), growing back evenly to 1."""
    saturation_window_days: float = 7.0
    """Length of the rolling window, in days, over which the caller adds up planned minutes."""
    saturation_soft_minutes: float = 240.0
    """Planned minutes in the window from which the cap begins to fall."""
    saturation_hard_minutes: float = 480.0
    """Planned minutes in the window that no box may exceed: without room for one more it is no candidate."""
    visits_per_cell: int = 3
    """Visits to a chosen box in one shift, where the shift is long enough."""
    min_spacing_minutes: int = 60
    """Least minutes between the starts of two visits to the same box."""
    travel_minutes: int = 5
    """Minutes kept free between two boxes of the same unit."""
    dose_min_minutes: int = 10
    """Shortest recommended stay, in whole minutes (Koper 1995: 10 to 16)."""
    dose_max_minutes: int = 16
    """Longest recommended stay, in whole minutes."""
    local_pivotal_share: float = 0.9
    """Probability that a beat's draw is spatially spread; the rest is drawn without regard to place (0..1)."""

    @property
    def mission_max_minutes(self) -> int:
        """The most minutes that one mission can add to a box."""
        return self.visits_per_cell * self.dose_max_minutes

    def problems(self) -> tuple["PolicyProblem", ...]:
        """Which settings cannot work, and what to do. Empty when the policy is sound."""
        found: list[PolicyProblem] = []

        def need(ok: bool, setting: str, message: str) -> None:
            if not ok:
                found.append(PolicyProblem(setting, message))

        for field in fields(self):
            # A NaN passes every "<" below as False or True by accident: stop it here.
            value = float(getattr(self, field.name))
            need(isfinite(value), field.name, f"{field.name} is {value}; enter a number.")
            need(not value < 0, field.name, f"{field.name} is {value:g}; enter 0 or more.")
        if found:
            return tuple(found)
        need(self.exploration <= 1, "exploration", f"exploration is {self.exploration:g}; enter 0 to 1.")
        need(
            0 < self.cap_max <= 0.9,
            "cap_max",
            f"cap_max is {self.cap_max:g}; enter more than 0 and at most 0.9, so that every box can be left alone.",
        )
        need(
            self.cooldown_factor <= 1,
            "cooldown_factor",
            f"cooldown_factor is {self.cooldown_factor:g}; enter 0 to 1.",
        )
        need(
            self.local_pivotal_share <= 1,
            "local_pivotal_share",
            f"local_pivotal_share is {self.local_pivotal_share:g}; enter 0 to 1.",
        )
        need(self.visits_per_cell >= 1, "visits_per_cell", "visits_per_cell is 0; enter at least 1.")
        need(self.dose_min_minutes >= 1, "dose_min_minutes", "dose_min_minutes is 0; enter at least 1.")
        need(
            self.dose_max_minutes >= self.dose_min_minutes,
            "dose_max_minutes",
            f"dose_max_minutes ({self.dose_max_minutes}) is below dose_min_minutes ({self.dose_min_minutes}); "
            "raise it or lower the shortest stay.",
        )
        need(
            self.saturation_hard_minutes - self.mission_max_minutes > self.saturation_soft_minutes,
            "saturation_hard_minutes",
            f"saturation_hard_minutes ({self.saturation_hard_minutes:g}) leaves no room above "
            f"saturation_soft_minutes ({self.saturation_soft_minutes:g}) for one mission of "
            f"{self.mission_max_minutes} minutes; raise the hard limit or lower the soft one.",
        )
        return tuple(found)


@dataclass(frozen=True)
class PolicyProblem:
    """One setting that cannot work, and the next step."""

    setting: str
    message: str


class PolicyError(ValueError):
    """The policy cannot work; ``problems`` names each setting and the next step."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Infeasible:
    """Why a beat has no plan: which setting stands in the way, and the next step. A value, not an exception."""

    beat: int
    code: InfeasibleCode
    setting: str
    message: str


@dataclass(frozen=True)
class BeatDesign:
    """The probabilities of one beat's candidates, in the order of ``candidate``.

    ``candidate`` int64[n] indexes the beat's own cells; ``floor``, ``cap`` and ``pi`` are float64[n] with
    0 <= floor <= pi <= cap <= 0.9 and the sum of ``pi`` equal to K within 1e-9.
    """

    beat: int
    k: int
    candidate: Ints
    floor: Floats
    cap: Floats
    pi: Floats


def has_dose_room(planned_minutes: Floats, policy: DesignPolicy) -> Bools:
    """Whether the box can take one more full mission without passing its hard dose limit. bool[n]."""
    # Asking only "is it at the limit already?" would let the next mission carry the box past it.
    room: Bools = planned_minutes + policy.mission_max_minutes <= policy.saturation_hard_minutes
    return room


def caps(*, floor: float, planned_minutes: Floats, days_since_last: Floats, policy: DesignPolicy) -> Floats:
    """The highest probability of each box today, lowered where cars have been lately. float64[n].

    The part above the floor shrinks by two factors, both continuous and in 0..1: cool-down (``cooldown_factor``
    right after a mission, 1 from ``cooldown_days`` on) and saturation (1 up to the soft minutes, 0 where one more
    mission would just reach the hard ones). Never below ``floor``. ``days_since_last`` is infinity for "never".
    """
    cool: Floats = np.ones_like(planned_minutes)
    if policy.cooldown_days > 0:
        recovered = np.minimum(days_since_last / policy.cooldown_days, 1.0)
        cool = policy.cooldown_factor + (1.0 - policy.cooldown_factor) * recovered
    last_room = policy.saturation_hard_minutes - policy.mission_max_minutes
    fresh = np.clip((last_room - planned_minutes) / (last_room - policy.saturation_soft_minutes), 0.0, 1.0)
    lowered: Floats = floor + (policy.cap_max - floor) * cool * fresh
    return lowered


def inclusion_probabilities(*, weight: Floats, floor: float, cap: Floats, k: int) -> Floats:
    """Share K missions over the boxes: a floor for all, the rest by weight, none above its cap. float64[n].

    pi_i = min(cap_i, floor + kappa * weight_i) with the one kappa that makes the sum K; found exactly by sorting
    the points where caps begin to bind, so no iteration and no tolerance is involved. If every box of positive
    weight is at its cap and missions are left, the rest goes evenly to the boxes of weight zero, up to their caps
    (the limit of a vanishing weight). All weights zero gives the even spread.

    Needs ``floor <= cap_i``, ``n * floor <= K <= sum(cap)`` (else ``ValueError``), weights finite and >= 0.

    >>> inclusion_probabilities(weight=np.array([6.0, 1.0, 1.0]), floor=0.0, cap=np.full(3, 0.9), k=1)
    array([0.75 , 0.125, 0.125])
    >>> inclusion_probabilities(weight=np.array([6.0, 1.0, 1.0]), floor=0.0, cap=np.full(3, 0.5), k=1)
    array([0.5 , 0.25, 0.25])
    """
    spare = k - floor * len(weight)
    room = cap - floor
    if room.min(initial=0.0) < -SUM_TOLERANCE or spare < -SUM_TOLERANCE or spare > room.sum() + SUM_TOLERANCE:
        raise ValueError("Floor, caps and K do not fit together; call beat_design, which says why.")
    positive = weight > 0
    extra = np.zeros_like(weight)
    if spare >= room[positive].sum():
        extra[positive] = room[positive]
        left = ~positive
        if left.any():
            extra[left] = _fill(np.ones(int(left.sum())), room[left], spare - float(room[positive].sum()))
    else:
        extra[positive] = _fill(weight[positive], room[positive], spare)
    pi: Floats = np.clip(floor + extra, floor, cap)
    # Rounding leaves the sum some 1e-16 off; the free boxes take it, in proportion to their way to floor or cap.
    residual = k - float(pi.sum())
    slack = cap - pi if residual > 0 else pi - floor
    total = float(slack.sum())
    if total > 0:
        pi = np.clip(pi + slack * (residual / total), floor, cap)
    return pi


def _fill(weight: Floats, room: Floats, amount: float) -> Floats:
    """Pour ``amount`` into vessels of size ``room`` at rates ``weight`` (> 0) until it is used up."""
    with np.errstate(over="ignore"):
        full_at = room / weight
    # Stable: equal vessels must fill in the same order on every machine.
    order = np.argsort(full_at, kind="stable")
    filled_before = np.concatenate([[0.0], np.cumsum(room[order])])
    rate_left = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    poured_at = filled_before[:-1] + full_at[order] * rate_left[:-1]
    n_full = int(np.searchsorted(poured_at, amount, side="right"))
    if n_full == len(weight):
        return room.copy()
    kappa = max(amount - float(filled_before[n_full]), 0.0) / float(rate_left[n_full])
    # A weight near nothing beside a kappa near infinity: its vessel is full, whatever their product says.
    with np.errstate(over="ignore"):
        return np.minimum(room, kappa * weight)


def beat_design(
    *,
    beat: int,
    k: int,
    harm: Floats,
    suppressed: Bools,
    planned_minutes: Floats,
    days_since_last: Floats,
    policy: DesignPolicy,
) -> BeatDesign | Infeasible:
    """Decide every box's chance of a mission in one beat and shift, or say why that cannot be done.

    All arrays have the shape [m] of the beat's cells. ``k`` is how many cells to send missions to; it is fixed
    before the draw and never changed here. Harm has any unit, finite and >= 0; only ratios count.
    """
    m = len(harm)
    if m == 0:
        return Infeasible(
            beat,
            "no_cell",
            "beat boundary",
            f"Beat {beat} holds no grid cell. Check that its boundary lies inside the agency's, or join it to a "
            "neighbour.",
        )
    if k == 0:
        return Infeasible(
            beat,
            "zero_capacity",
            "capacity",
            f"Beat {beat} has no capacity in this shift (K = 0). Put a unit on duty there, or hand its missions "
            "to a neighbour before planning.",
        )
    room = has_dose_room(planned_minutes, policy)
    candidate = np.flatnonzero(~suppressed & room)
    n = len(candidate)
    if n == 0:
        return _no_candidate(beat, suppressed, room, policy)
    floor_pi = policy.exploration * k / n
    if floor_pi > policy.cap_max:
        return Infeasible(
            beat,
            "floor_above_cap",
            "exploration",
            f"Beat {beat}: the floor, exploration × K / candidates = {policy.exploration:g} × {k} / {n} = "
            f"{floor_pi:.3f}, is above cap_max = {policy.cap_max:g}. {_fewer(k, n, policy)}",
        )
    if n * policy.cap_max < k - SUM_TOLERANCE:
        return Infeasible(
            beat,
            "cap_below_need",
            "cap_max",
            f"Beat {beat}: {k} mission(s) over {n} candidate cell(s) need a probability of {k / n:.3f} each, above "
            f"cap_max = {policy.cap_max:g}. {_fewer(k, n, policy)}",
        )
    cap = caps(
        floor=floor_pi,
        planned_minutes=planned_minutes[candidate],
        days_since_last=days_since_last[candidate],
        policy=policy,
    )
    if float(cap.sum()) < k - SUM_TOLERANCE:
        return _caps_too_low(
            beat, k, cap, floor_pi, planned_minutes[candidate], days_since_last[candidate], policy
        )
    pi = inclusion_probabilities(weight=_weight(harm[candidate], policy.gamma), floor=floor_pi, cap=cap, k=k)
    return BeatDesign(beat, k, candidate, np.full(n, floor_pi), cap, pi)


def _weight(harm: Floats, gamma: float) -> Floats:
    """Harm to the power gamma, scaled by the largest first: a large gamma would overflow otherwise."""
    top = float(harm.max(initial=0.0))
    if top == 0:
        return np.zeros_like(harm)
    weight: Floats = (harm / top) ** gamma
    # Weights below this ratio would make kappa overflow; such a box lives on its floor anyway.
    weight[weight < 1e-200] = 0.0
    return weight


def _fewer(k: int, n: int, policy: DesignPolicy) -> str:
    most, cells = floor(n * policy.cap_max + SUM_TOLERANCE), ceil(k / policy.cap_max - SUM_TOLERANCE)
    return (
        f"K is fixed before the draw and not lowered silently: lower the missions per shift of the beat's units to "
        f"{most} in all, or lift suppressions until {cells} cells are candidates."
    )


def _no_candidate(beat: int, suppressed: Bools, room: Bools, policy: DesignPolicy) -> Infeasible:
    m = len(suppressed)
    if suppressed.all():
        return Infeasible(
            beat,
            "all_suppressed",
            "suppressions",
            f"Beat {beat}: all {m} cell(s) are suppressed. End a suppression, or set the beat's capacity to 0.",
        )
    code: InfeasibleCode = "no_candidate" if suppressed.any() else "all_saturated"
    return Infeasible(
        beat,
        code,
        "saturation_hard_minutes",
        f"Beat {beat}: {int(suppressed.sum())} of {m} cell(s) are suppressed and the others have no room for one more "
        f"mission below saturation_hard_minutes = {policy.saturation_hard_minutes:g} in "
        f"{policy.saturation_window_days:g} days. Raise the limit, or lower K in the coming shifts.",
    )


def _caps_too_low(
    beat: int, k: int, cap: Floats, floor_pi: float, planned: Floats, days: Floats, policy: DesignPolicy
) -> Infeasible:
    """Name the dial that takes more away: the one without which the sum of caps would be larger."""
    without_cooldown = caps(
        floor=floor_pi, planned_minutes=planned, days_since_last=np.full_like(days, np.inf), policy=policy
    ).sum()
    without_saturation = caps(
        floor=floor_pi, planned_minutes=np.zeros_like(planned), days_since_last=days, policy=policy
    ).sum()
    cooldown = without_cooldown >= without_saturation
    what = "cool-down after recent missions" if cooldown else "saturation by planned minutes"
    setting = "cooldown_factor" if cooldown else "saturation_soft_minutes"
    return Infeasible(
        beat,
        "cooldown_too_strong" if cooldown else "saturation_too_strong",
        setting,
        f"Beat {beat}: {what} leaves caps that add up to {cap.sum():.2f} over {len(cap)} candidate cell(s), below "
        f"K = {k}. K is fixed before the draw and not lowered silently: lower the missions per shift of the beat's "
        f"units to {floor(float(cap.sum()))} in all, or raise {setting}.",
    )
