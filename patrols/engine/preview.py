"""What a policy would do tonight, before anybody saves it: every box's chance, what is covered, and what chance costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from patrols.engine.design import (
    BeatDesign,
    Bools,
    DesignPolicy,
    Floats,
    Infeasible,
    Ints,
    PolicyError,
    beat_design,
)
from patrols.engine.oversight import (
    entropy_bits,
    gini,
    harm_share,
    low_risk_share,
    predictability,
    price_of_randomisation,
)

GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
"""How strongly missions follow harm, from not at all to the most that a policy may ask for: the points of the curve."""


@dataclass(frozen=True)
class PreviewInputs:
    """One shift as a plan would find it; arrays have one element a grid cell, as ``plan_draw`` takes them."""

    harm: Floats
    beat_of_cell: Ints
    beat_k: Mapping[int, int]
    suppressed: Bools
    planned_minutes: Floats
    days_since_last: Floats


@dataclass(frozen=True)
class DesignPreview:
    """The chances that a policy gives, and their sum in figures; nothing is drawn.

    ``pi`` float64[N], 0 for cells that are no candidates. Shares are 0..1; ``harm_share`` and
    ``price_of_randomisation`` as in ``patrols.engine.oversight``; ``entropy_bits_per_mission`` bits; ``at_cap``
    and ``at_floor`` count candidates whose chance is held down by their cap, or is no more than everybody's floor.
    Beats that cannot be planned are in ``infeasible`` and leave no chance behind.
    """

    pi: Floats
    missions: int
    candidates: int
    at_cap: int
    at_floor: int
    harm_share: float
    price_of_randomisation: float
    predictability: float
    entropy_bits_per_mission: float
    low_risk_share: float
    gini: float
    highest: float
    infeasible: tuple[Infeasible, ...]


def design_preview(inputs: PreviewInputs, policy: DesignPolicy) -> DesignPreview:
    """Work out every candidate's chance of a mission under a policy, without drawing.

    Raises ``PolicyError`` for a policy that cannot work, as a plan would.
    """
    if problems := policy.problems():
        raise PolicyError(problems)
    designs: list[tuple[BeatDesign, Ints]] = []
    infeasible: list[Infeasible] = []
    for beat, cells in _cells_of_beats(inputs):
        made = beat_design(
            beat=beat,
            k=int(inputs.beat_k[beat]),
            harm=inputs.harm[cells],
            suppressed=inputs.suppressed[cells],
            planned_minutes=inputs.planned_minutes[cells],
            days_since_last=inputs.days_since_last[cells],
            policy=policy,
        )
        if isinstance(made, Infeasible):
            infeasible.append(made)
        else:
            designs.append((made, cells[made.candidate]))
    return _summed(inputs, designs, tuple(infeasible))


def gamma_curve(
    inputs: PreviewInputs, policy: DesignPolicy, gammas: Sequence[float] = GAMMAS
) -> list[tuple[float, DesignPreview]]:
    """The same under each strength of following harm, all else as the policy says: what more certainty would buy."""
    return [(gamma, design_preview(inputs, replace(policy, gamma=gamma))) for gamma in gammas]


def _cells_of_beats(inputs: PreviewInputs) -> list[tuple[int, Ints]]:
    """Each beat with capacity and its cells' positions, beats ascending."""
    order = np.argsort(inputs.beat_of_cell, kind="stable")
    beats = sorted(beat for beat, k in inputs.beat_k.items() if k > 0)
    sorted_beat = inputs.beat_of_cell[order]
    first = np.searchsorted(sorted_beat, beats, side="left")
    last = np.searchsorted(sorted_beat, beats, side="right")
    return [
        (beat, order[start:stop].astype(np.int64))
        for beat, start, stop in zip(beats, first, last, strict=True)
    ]


def _summed(
    inputs: PreviewInputs, designs: list[tuple[BeatDesign, Ints]], infeasible: tuple[Infeasible, ...]
) -> DesignPreview:
    cell = np.concatenate([np.empty(0, np.int64), *(cells for _, cells in designs)])
    pi = np.concatenate([np.empty(0), *(design.pi for design, _ in designs)])
    cap = np.concatenate([np.empty(0), *(design.cap for design, _ in designs)])
    floor = np.concatenate([np.empty(0), *(design.floor for design, _ in designs)])
    beat = np.concatenate([np.empty(0, np.int64), *(np.full(len(c), d.beat) for d, c in designs)])
    beat_k = {design.beat: design.k for design, _ in designs}
    harm, missions = inputs.harm[cell], sum(beat_k.values())
    everywhere = np.zeros(len(inputs.harm))
    everywhere[cell] = pi
    return DesignPreview(
        pi=everywhere,
        missions=missions,
        candidates=len(cell),
        at_cap=int((pi >= cap - 1e-12).sum()),
        at_floor=int((pi <= floor + 1e-12).sum()),
        harm_share=harm_share(harm, pi),
        price_of_randomisation=price_of_randomisation(harm, pi, beat, beat_k),
        predictability=predictability(pi, beat, beat_k),
        entropy_bits_per_mission=entropy_bits(pi) / missions if missions else 0.0,
        low_risk_share=low_risk_share(harm, pi),
        gini=gini(pi),
        highest=float(pi.max(initial=0.0)),
        infeasible=infeasible,
    )
