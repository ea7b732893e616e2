"""What a study keeps of its plans while they are read one after another, and what it is about."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from agencies.models import CrimeType
from forecasting.engine.grid import GridSpec
from patrols.engine.plan import DesignPolicy
from tactics.engine.impact.fisher import MANY_PLANS
from tactics.engine.impact.outcomes import ShiftDraw
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.stored import Ledger, busy_until, closed_cells, harm_of_cells, slim
from tactics.engine.impact.study import Bools, Floats, Ints
from tactics.studies.plans import PlanRow, ReadPlan, RefusedPlan, refused


@dataclass(frozen=True)
class Scope:
    """The part of town and the shifts that are studied, as ids; empty: all."""

    districts: frozenset[int]
    beats: frozenset[int]
    shifts: frozenset[int]
    district_of_beat: dict[int, int]

    def has(self, row: PlanRow) -> bool:
        """Whether the plan's shift is studied."""
        return not self.shifts or row.shift_id in self.shifts

    def plans(self, row: PlanRow, beats: Ints) -> int:
        """How many of a shift's plans (one a beat) are studied."""
        if not self.has(row):
            return 0
        return sum(
            (not self.beats or beat in self.beats)
            and (not self.districts or self.district_of_beat.get(beat, 0) in self.districts)
            for beat in beats.tolist()
        )


@dataclass(frozen=True, eq=False)
class Planned:
    """How many boxes each beat of a shift was given, how often each was to be visited, under which policy, for how long."""

    beat_id: Ints
    k: Ints
    visits: Ints
    policy: DesignPolicy
    shift_minutes: float


class Reading:
    """What is kept of the plans while they are read one after another, in the order of time.

    ``replayable``: the plans studied are few enough to be replayed; harm and closed boxes, which only that needs, are let go
    once they are not (a year of a large city has 250 MB of them).
    """

    def __init__(
        self,
        spec: GridSpec,
        crime_types: list[CrimeType],
        *,
        ledger: Ledger,
        beat_of_cell: Ints,
        district_of_beat: dict[int, int],
        decided: set[tuple[int, dt.date]],
        scope: Scope,
    ) -> None:
        self.spec, self.crime_types, self.ledger = spec, crime_types, ledger
        self.beat_of_cell, self.decided, self.scope = beat_of_cell, decided, scope
        beats, place = np.unique(beat_of_cell, return_inverse=True)
        self.part_of_cell = np.array([district_of_beat.get(int(b), -1) for b in beats])[place]
        self.rows: list[PlanRow] = []
        self.planned: list[Planned] = []
        self.harm: list[Floats] = []
        self.closed: list[Bools] = []
        self.busy: dict[int, Floats] = {}
        self.sent: dict[int, Ints] = {}
        self.plans = self.out_of_step = self.unknown_harm = 0
        self.replayable = True

    def take(self, plan: ReadPlan) -> ShiftDraw | RefusedPlan:
        """Keep what a replay needs of a plan and hand on its draw and forecast; or say why the plan cannot be used."""
        row, draw = plan.row, plan.draw
        if not np.array_equal(self.beat_of_cell[draw.cell], draw.beat):
            return refused(row, "beats_redrawn")
        self.plans += self.scope.plans(row, draw.beat_id)
        if self.replayable and self.plans > MANY_PLANS:
            self.replayable = False
            self.harm, self.closed, self.busy, self.sent = [], [], {}, {}
            self.unknown_harm = 0
        if self.replayable:
            self._keep(plan)
        self.out_of_step += not self.ledger.agrees(draw, row.starts_at_minute / MINUTES_A_DAY)
        self.rows.append(row)
        self.planned.append(
            Planned(draw.beat_id, draw.beat_k, draw.beat_visits, draw.policy, float(draw.shift_minutes))
        )
        types = [plan.surfaces[one.pk] for one in self.crime_types]
        return ShiftDraw(
            row.starts_at_minute,
            slim(draw),
            sum(types[1:], types[0]),  # type: ignore[arg-type]  # float32 halves the memory
            np.stack(types) if len(types) > 1 else None,  # type: ignore[arg-type]
            None,
            row.design_hash,
        )

    def _keep(self, plan: ReadPlan) -> None:
        """Harm, closed boxes and, in a shift with decisions, until when boxes are visited."""
        row, draw = plan.row, plan.draw
        closed, wanted = closed_cells(draw, self.beat_of_cell)
        if (row.shift_id, row.on) in self.decided:
            open_now = np.zeros(len(self.spec), dtype=np.bool_)
            for s, until in self.busy.items():
                one = self.rows[s]
                if (one.shift_id, one.on) == (row.shift_id, row.on):
                    drawn = self.sent[s]
                    open_now[drawn] |= until[drawn] > row.starts_at_minute / MINUTES_A_DAY
            # Closed to this decision by chance alone: in another replay they may be free.
            by_chance = closed[open_now[closed]]
            closed, wanted = np.setdiff1d(closed, by_chance), np.union1d(wanted, by_chance)
            self.busy[len(self.rows)] = busy_until(draw, row.starts_at_minute, len(self.spec))
            self.sent[len(self.rows)] = draw.cell[draw.drawn]
        surfaces = np.stack([plan.surfaces[pk] for pk in sorted(plan.surfaces)])
        harm, unknown = harm_of_cells(draw, surfaces, self.part_of_cell, wanted)
        self.unknown_harm += unknown > 0
        is_closed = np.zeros(len(self.spec), dtype=np.bool_)
        is_closed[closed] = True
        self.harm.append(harm)
        self.closed.append(is_closed)

    def notes(self) -> list[str]:
        """What a reader should know of the plans, in words."""
        found = []
        if n := sum(row.decision > 0 for row in self.rows):
            found.append(
                f"{n:,} decisions during shifts count as points of their own; windows of earlier draws end where they begin."
            )
        if self.out_of_step:
            found.append(
                f"{self.out_of_step:,} of {len(self.rows):,} plans were drawn from other past missions than the order of time "
                "tells (planned ahead, or earlier plans were replaced): the replayed test is a little off for them."
            )
        if self.unknown_harm:
            found.append(
                f"In {self.unknown_harm:,} plans the harm of boxes at their limit of minutes could not be worked out from the "
                "forecast; replays take it as nought."
            )
        return found
