"""Reading published plans for a study, some at a time: each design checked and drawn again, with the forecast it was drawn from."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from agencies.models import Agency, CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import surface_values
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.plan import DesignCodecError, PlanDraw, design_digest, design_from_bytes, replay
from patrols.models import Mission, MissionPlan
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.stored import Ledger, Spent, busy_until, closed_cells, harm_of_cells, slim
from tactics.engine.impact.study import Bools, Floats, Ints

PLANS_AT_ONCE = 64
"""Designs read at a time: 64 of a city of 25,000 cells unpack to some 200 MB."""
REACH_DAYS = 120
"""How far back missions count for a plan's rest and saturation, as in ``patrols.selectors.planned_history``."""

Surfaces = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PlanRow:
    """A published plan, or a decision during a shift, without its design."""

    pk: int
    shift_id: int
    shift_name: str
    on: dt.date
    decision: int
    period_from: dt.datetime
    period_to: dt.datetime
    grid_id: int
    forecast_id: int | None
    seed: int
    design_hash: str

    @property
    def label(self) -> str:
        """The plan in words: the shift, the date, which decision."""
        later = f", decision {self.decision}" if self.decision else ""
        return f"{self.shift_name} {self.on:%Y-%m-%d}{later}"

    @property
    def starts_at_minute(self) -> float:
        return self.period_from.timestamp() / 60.0


@dataclass(frozen=True)
class RefusedPlan:
    """A published plan that a study cannot use, and why. ``code`` is one of ``REFUSALS``."""

    plan_id: int
    label: str
    code: str
    message: str


REFUSALS = {
    "other_grid": "Drawn on another grid than most of the study's plans: its cells are other squares.",
    "unreadable": "Its stored design cannot be read.",
    "not_as_drawn": "Drawn again from its seed, it is not what is stored: somebody or something changed it.",
    "no_forecast": "The forecast it was drawn from is not kept any more, or lacks a crime type of the study.",
    "not_over": "Its outcome window is not over yet.",
    "same_start": "Another plan of the study starts at the same minute.",
    "beats_redrawn": "It was drawn with other beat boundaries than the newest plan.",
    "nothing_drawn": "It holds no candidate box.",
}


def plan_rows(agency: Agency, first: dt.date, last: dt.date) -> list[PlanRow]:
    """Return the agency's published plans of shifts that start on these local dates, in order of time. One query."""
    rows = MissionPlan.objects.filter(
        agency=agency,
        state=MissionPlan.State.PUBLISHED,
        status=RunStatus.SUCCEEDED,
        on__range=(first, last),
        grid__isnull=False,
    ).order_by("period_from", "decision", "pk")
    return [
        PlanRow(*values)
        for values in rows.values_list(
            "pk", "shift_id", "shift__name", "on", "decision", "period_from", "period_to", "grid_id",
            "forecast_run_id", "seed", "design_hash",
        )
    ]  # fmt: skip


def spent_before(
    agency: Agency, grid: Grid, spec: GridSpec, first: dt.datetime, last: dt.datetime
) -> dict[int, tuple[Spent, Spent]]:
    """Return what each published plan sent to which cells, by plan: (all planned missions, of these the ones people added).

    Missions of plans that begin before ``last`` and up to 120 days before ``first``. Two queries; some 100 bytes a mission
    while it is read.
    """
    plans = MissionPlan.objects.filter(
        agency=agency,
        grid=grid,
        state=MissionPlan.State.PUBLISHED,
        period_from__lt=last,
        period_from__gte=first - dt.timedelta(days=REACH_DAYS),
    )
    period = {pk: (a, b) for pk, a, b in plans.values_list("pk", "period_from", "period_to")}
    planned = Q(source=Mission.Source.DRAWN) | Q(addition__isnull=False)
    rows = (
        Mission.objects.filter(planned, plan__in=plans)
        .annotate(starts_text=Cast("visit_starts", TextField()))
        .values_list("plan_id", "cell_id", "dose_minutes", "starts_text", "source")
    )
    cells: dict[int, list[tuple[int, float, bool]]] = defaultdict(list)
    for plan_id, cell_id, dose, text, source in rows.iterator(chunk_size=5000):
        cells[plan_id].append((cell_id, float(dose * (text.count('"') // 2)), source != Mission.Source.DRAWN))
    found = {}
    for plan_id, missions in cells.items():
        begins, ends = (at.timestamp() / 60.0 / MINUTES_A_DAY for at in period[plan_id])
        at = spec.index_of([cell for cell, *_ in missions])
        minutes = np.array([spent for _, spent, _ in missions])
        added = np.array([is_added for *_, is_added in missions], dtype=np.bool_)
        found[plan_id] = (
            Spent(begins, ends, at, minutes),
            Spent(begins, ends, at[added], minutes[added]),
        )
    return found


@dataclass(frozen=True, eq=False)
class ReadPlan:
    """A plan whose design is what its seed gives, with the forecast's surfaces by crime type, float32[N] each."""

    row: PlanRow
    draw: PlanDraw
    surfaces: dict[int, Surfaces]


def read_plans(
    agency: Agency, rows: list[PlanRow], grid: Grid, crime_types: list[CrimeType]
) -> Iterator[ReadPlan | RefusedPlan]:
    """Read each plan with its forecast, in the order given; what cannot be used comes back with the reason.

    Two queries for 64 plans. Every design is checked against the digest kept beside it and drawn again bit for bit.
    """
    for begin in range(0, len(rows), PLANS_AT_ONCE):
        some = rows[begin : begin + PLANS_AT_ONCE]
        designs = dict(
            MissionPlan.objects.filter(agency=agency, pk__in=[row.pk for row in some]).values_list(
                "pk", "design"
            )
        )
        surfaces: dict[int, dict[int, RiskSurface]] = defaultdict(dict)
        wanted = {row.forecast_id for row in some if row.forecast_id}
        for one in RiskSurface.objects.filter(agency=agency, run__in=wanted).defer("baseline_values"):
            surfaces[one.run_id][one.crime_type_id] = one
        for row in some:
            yield _read(row, designs.pop(row.pk), surfaces.get(row.forecast_id or -1, {}), grid, crime_types)


def refused(row: PlanRow, code: str, more: str = "") -> RefusedPlan:
    """A plan left out of a study for one of the named reasons."""
    return RefusedPlan(row.pk, row.label, code, f"{REFUSALS[code]} {more}".strip())


def _read(
    row: PlanRow, design: Any, stored: dict[int, RiskSurface], grid: Grid, crime_types: list[CrimeType]
) -> ReadPlan | RefusedPlan:
    try:
        draw = design_from_bytes(bytes(design))
    except DesignCodecError as error:
        return refused(row, "unreadable", str(error))
    if len(draw) == 0:
        return refused(row, "nothing_drawn")
    if differences := _differences(row, draw):
        return refused(row, "not_as_drawn", differences)
    if missing := [one.name for one in crime_types if one.pk not in stored]:
        return refused(row, "no_forecast", f"Missing: {', '.join(missing)}.")
    try:
        surfaces = {pk: surface_values(one, grid) for pk, one in stored.items()}
    except MissionsError as error:
        return refused(row, "no_forecast", str(error))
    return ReadPlan(row, draw, surfaces)


_as_drawn: dict[str, None] = {}
"""Digests of designs that were found to be what their seed gives: the same bytes give the same answer for ever."""
KEPT_ANSWERS = 100_000


def _differences(row: PlanRow, draw: PlanDraw) -> str:
    digest = design_digest(draw)
    if digest != row.design_hash:
        return "The design's digest is not the digest kept beside the plan."
    if row.seed != draw.seed:
        return f"The design holds seed {draw.seed}, the plan's row {row.seed}."
    if digest in _as_drawn:
        return ""
    result = replay(draw, seed=row.seed, digest=row.design_hash)
    if not result:
        return " ".join(result.differences[:3])
    if len(_as_drawn) >= KEPT_ANSWERS:
        _as_drawn.pop(next(iter(_as_drawn)))
    _as_drawn[digest] = None
    return ""


def beats_of_plans(agency: Agency, rows: list[PlanRow], beats_now: Ints) -> Ints:
    """Return the beat that each cell belonged to when the newest plans were drawn: int64[N]. One query.

    The beats' boundaries may have been redrawn since; where no plan tells, those of now hold.
    """
    newest = [row.pk for row in rows[-PLANS_AT_ONCE:]]
    designs = dict(MissionPlan.objects.filter(agency=agency, pk__in=newest).values_list("pk", "design"))
    found = np.full(len(beats_now), -1, dtype=np.int64)
    for pk in reversed(newest):
        try:
            draw = design_from_bytes(bytes(designs.pop(pk)))
        except DesignCodecError:
            # Named when the plans are read in turn.
            continue
        free = found[draw.cell] < 0
        found[draw.cell[free]] = draw.beat[free]
    return np.where(found < 0, beats_now, found)


class Reading:
    """What is kept of the plans while they are read one after another, in the order of time."""

    def __init__(
        self,
        spec: GridSpec,
        crime_types: list[CrimeType],
        *,
        ledger: Ledger,
        beat_of_cell: Ints,
        district_of_beat: dict[int, int],
        decided: set[tuple[int, dt.date]],
    ) -> None:
        self.spec, self.crime_types, self.ledger = spec, crime_types, ledger
        self.beat_of_cell, self.decided = beat_of_cell, decided
        beats, place = np.unique(beat_of_cell, return_inverse=True)
        self.part_of_cell = np.array([district_of_beat.get(int(b), -1) for b in beats])[place]
        self.rows: list[PlanRow] = []
        self.draws: list[PlanDraw] = []
        self.forecasts: list[list[Surfaces]] = []
        self.harm: list[Floats] = []
        self.closed: list[Bools] = []
        self.busy: dict[int, Floats] = {}
        self.out_of_step = self.unknown_harm = 0

    def take(self, plan: ReadPlan) -> RefusedPlan | None:
        """Keep a plan's draw and forecast; what no analysis reads is let go. Returns why the plan cannot be kept, if so."""
        row, draw = plan.row, plan.draw
        if not np.array_equal(self.beat_of_cell[draw.cell], draw.beat):
            return refused(row, "beats_redrawn")
        closed, wanted = closed_cells(draw, self.beat_of_cell)
        if (row.shift_id, row.on) in self.decided:
            open_now = np.zeros(len(self.spec), dtype=np.bool_)
            for s, until in self.busy.items():
                one = self.rows[s]
                if (one.shift_id, one.on) == (row.shift_id, row.on):
                    drawn = self.draws[s].cell[self.draws[s].drawn]
                    open_now[drawn] |= until[drawn] > row.starts_at_minute / MINUTES_A_DAY
            # Closed to this decision by chance alone: in another replay they may be free.
            by_chance = closed[open_now[closed]]
            closed, wanted = np.setdiff1d(closed, by_chance), np.union1d(wanted, by_chance)
            self.busy[len(self.rows)] = busy_until(draw, row.starts_at_minute, len(self.spec))
        surfaces = np.stack([plan.surfaces[pk] for pk in sorted(plan.surfaces)])
        harm, unknown = harm_of_cells(draw, surfaces, self.part_of_cell, wanted)
        self.unknown_harm += unknown > 0
        self.out_of_step += not self.ledger.agrees(draw, row.starts_at_minute / MINUTES_A_DAY)
        is_closed = np.zeros(len(self.spec), dtype=np.bool_)
        is_closed[closed] = True
        self.rows.append(row)
        self.draws.append(slim(draw))
        self.forecasts.append([plan.surfaces[one.pk] for one in self.crime_types])
        self.harm.append(harm)
        self.closed.append(is_closed)
        return None

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
