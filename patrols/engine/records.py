"""What a shift's draw leaves behind: every candidate with its probability, and the messages for people."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from patrols.engine.design import Bools, DesignPolicy, Floats, Infeasible, Ints
from patrols.engine.sampling import Method

Codes = npt.NDArray[np.int8]

METHODS: tuple[Method, ...] = ("local_pivotal", "randomised_pivotal")
"""``beat_method`` holds positions in this list; append only, stored plans refer to it."""

ExclusionReason = Literal["suppressed", "at_dose_cap", "added"]
EXCLUSION_REASONS: tuple[ExclusionReason, ...] = ("suppressed", "at_dose_cap", "added")
"""``excluded_reason`` holds positions in this list; append only, stored plans refer to it."""

NoticeCode = Literal["visits_reduced", "units_overlap"]


@dataclass(frozen=True)
class Notice:
    """Something that a planner should know about a beat that was planned all the same."""

    beat: int
    code: NoticeCode
    setting: str
    message: str


@dataclass(frozen=True)
class PlanDraw:
    """The whole design of one shift and what was drawn from it: enough to draw it again, bit for bit.

    One element a candidate, sorted by (beat, cell): ``cell`` index into the grid's cells, ``beat``, ``harm`` (as
    passed in), ``planned_minutes`` and ``days_since_last`` before this plan, ``x_m``, ``y_m`` (projected metres),
    ``floor <= pi <= cap``, ``drawn`` (Z), ``visit_start_minutes`` [n, V] whole minutes after the start of the shift
    (NaN for visits that do not fit), ``dose_minutes`` per visit.

    One element a planned beat, ascending: ``beat_id``, ``beat_k``, ``beat_units``, ``beat_visits`` (visits that fit),
    ``beat_method`` (index into ``METHODS``). One element a cell taken out before the draw: ``excluded_cell``,
    ``excluded_reason`` (index into ``EXCLUSION_REASONS``; a suppressed cell counts as suppressed, whatever its dose, and one
    that people added as added).
    Beats that could not be planned are in ``infeasible`` and have no candidate.
    """

    cell: Ints
    beat: Ints
    harm: Floats
    planned_minutes: Floats
    days_since_last: Floats
    x_m: Floats
    y_m: Floats
    floor: Floats
    cap: Floats
    pi: Floats
    drawn: Bools
    visit_start_minutes: Floats
    dose_minutes: Floats
    beat_id: Ints
    beat_k: Ints
    beat_units: Ints
    beat_visits: Ints
    beat_method: Codes
    excluded_cell: Ints
    excluded_reason: Codes
    shift_minutes: int
    seed: int
    policy: DesignPolicy
    infeasible: tuple[Infeasible, ...]
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def drawn_rows(self) -> Ints:
        """Rows of the candidates that get a mission, by (beat, cell)."""
        return np.flatnonzero(self.drawn)

    @property
    def method_of_beat(self) -> dict[int, Method]:
        """Which way of drawing each planned beat got."""
        return {
            int(beat): METHODS[int(method)]
            for beat, method in zip(self.beat_id, self.beat_method, strict=True)
        }

    @property
    def messages(self) -> dict[int, tuple[str, ...]]:
        """All messages of a beat, for the shift board: why there is no plan, or what was changed."""
        found: dict[int, tuple[str, ...]] = {}
        items: tuple[Infeasible | Notice, ...] = (*self.infeasible, *self.notices)
        for item in items:
            found[item.beat] = (*found.get(item.beat, ()), item.message)
        return found
