"""What a study knows: every box that could have been sent a car in every shift, whether it was, and what happened.

One row a candidate box and shift instance, sorted by shift, then beat. A *plan* is one beat in one shift instance: its
draw is independent of all others given what went before.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tactics.engine.impact.sparse import MostlyZero

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating] | npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CHUNK_ROWS = 250_000
"""Rows worked on at a time: a year of a large city has 28 million, and each float column of it takes 225 MB."""


@dataclass(frozen=True)
class Study:
    """The study's table; columns [n] may have any numeric type (small ones keep a large city below 2 GB).

    ``pi`` (0..1, both excluded), ``drawn`` (Z), ``start_minutes`` from the shift's start to the drawn first visit (drawn
    for boxes not sent a car too), ``window_minutes`` counted from there; ``forecast`` the crimes expected in the box in
    that window by the forecast stored with the plan, ``ring_forecast`` those in the boxes around it; ``outcome`` and
    ``ring_outcome`` what was reported. ``before``: crimes in the box in the same shift before the drawn start;
    ``ring_before`` in the boxes around
    (None: not counted); ``week_before``: in the box in the seven days before the shift. Other missions' reach, in forecast crimes: ``spill_in`` around
    this box (each neighbour's mission spread over its ring), ``ring_drawn`` missions inside the ring, ``ring_spill_in``
    what others spill into the ring; each only for the minutes that overlap this row's window. ``dose_minutes`` drawn
    for the row, sent or not; ``delivered_minutes`` measured presence in all rows (None without vehicle positions).

    One element a plan [P]: ``plan_start`` first row, ``plan_shift``, ``plan_beat``, ``plan_week`` (whole numbers that tell
    weeks apart), ``plan_district``. ``type_outcome``, ``type_forecast`` [T, n] by ``type_names``.
    ``type_totals`` [T, 8, P] in place of both: what ``sums.type_sums`` needs of each type under the missions' weighting (a
    large city's rows by type would take more memory than the table).
    ``includes_later_policy``: a window runs past the box's next draw.
    """

    cell: Numbers
    pi: Numbers
    drawn: Bools
    start_minutes: Numbers
    window_minutes: Numbers
    forecast: Numbers
    ring_forecast: Numbers
    outcome: Numbers
    ring_outcome: Numbers
    before: Numbers
    week_before: Numbers
    spill_in: Numbers | MostlyZero
    ring_drawn: Numbers | MostlyZero
    ring_spill_in: Numbers
    dose_minutes: Numbers
    plan_start: Ints
    plan_shift: Ints
    plan_beat: Ints
    plan_week: Ints
    plan_district: Ints
    ring_before: Numbers | None = None
    delivered_minutes: Numbers | MostlyZero | None = None
    type_names: tuple[str, ...] = ()
    type_outcome: Numbers | None = None
    type_forecast: Numbers | None = None
    type_totals: Floats | None = None
    includes_later_policy: bool = False
    design_digests: tuple[str, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.pi)

    @property
    def plans(self) -> int:
        """How many plans (a beat in a shift) the study holds."""
        return len(self.plan_start)

    @property
    def has_types(self) -> bool:
        """Whether crime types can be looked at one by one."""
        return self.type_outcome is not None or self.type_totals is not None

    @property
    def plan_sizes(self) -> Ints:
        """How many rows each plan has. int64[P]."""
        return np.diff(np.append(self.plan_start, len(self)))

    def problems(self) -> tuple[str, ...]:
        """What makes the table unusable, in words; empty when it is sound."""
        n, found = len(self.pi), []
        for name in (
            "cell", "drawn", "start_minutes", "window_minutes", "forecast", "ring_forecast", "outcome", "ring_outcome",
            "before", "week_before", "spill_in", "ring_drawn", "ring_spill_in", "dose_minutes",
        ):  # fmt: skip
            if getattr(self, name).shape != (n,):
                found.append(
                    f"{name} has shape {getattr(self, name).shape}, pi has ({n},): one element a row."
                )
        if n == 0 or self.plans == 0:
            return (
                *found,
                "The study holds no candidate: no plan was drawn in its period. Widen its dates or beats.",
            )
        if not ((self.pi > 0).all() and (self.pi < 1).all()):
            found.append(
                "A candidate's probability is not between 0 and 1: what it would have been otherwise is unknown."
            )
        if self.plan_start[0] != 0 or (np.diff(self.plan_start) <= 0).any() or self.plan_start[-1] >= n:
            found.append("plan_start must ascend from 0 inside the rows, one element a plan.")
        if (np.diff(self.plan_shift) < 0).any():
            found.append("Plans must be in the order of their shifts.")
        return tuple(found)

    def chunks(self) -> list[tuple[slice, slice]]:
        """Rows and plans to work on at a time: (slice of plans, slice of rows), whole plans only."""
        edges = [0]
        stops = np.append(self.plan_start[1:], len(self))
        while edges[-1] < self.plans:
            first = int(self.plan_start[edges[-1]])
            reach = int(np.searchsorted(stops, first + CHUNK_ROWS, side="right"))
            edges.append(max(reach, edges[-1] + 1))
        return [
            (
                slice(a, b),
                slice(int(self.plan_start[a]), int(self.plan_start[b]) if b < self.plans else len(self)),
            )
            for a, b in pairwise(edges)
        ]


class StudyError(ValueError):
    """The study cannot be analysed; the message says why and what to do."""
