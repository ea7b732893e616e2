"""Reading published plans for a study, some at a time: each design checked and drawn again, with the forecast it was drawn from."""

import datetime as dt
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.crypto import constant_time_compare

from agencies.models import Agency, CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import surface_values
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.plan import (
    DesignCodecError,
    PlanDraw,
    design_digest,
    design_from_bytes,
    design_part,
    replay,
)
from patrols.models import Mission, MissionPlan
from patrols.replays import replay_mark, replay_marks_keep
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.stored import Spent
from tactics.engine.impact.study import Ints

PLANS_AT_ONCE = 16
"""Plans read at a time: with their forecasts, as the driver hands them out, 16 of a city of 25,000 cells take some 50 MB."""
NEWEST = 64
"""Plans that are asked which beat a cell belongs to."""
REACH_DAYS = 120
"""How far back missions count for a plan's rest and saturation, as in ``patrols.selectors.planned_history``."""

READ_COLUMNS = frozenset(
    (
        "cell", "beat", "harm", "planned_minutes", "days_since_last", "pi", "drawn", "visit_start_minutes", "dose_minutes",
        "beat_id", "beat_k", "beat_visits", "excluded_cell", "excluded_reason",
    )
)  # fmt: skip
"""What a study reads of a design that was checked before; to check one takes all columns."""

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
    replay_mark: str

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
            "forecast_run_id", "seed", "design_hash", "replay_mark",
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
    # Flat columns: a year of a large city has 600,000 missions, as rows of Python objects 150 MB.
    plan_of, cell_of, spent_of, is_added = array("q"), array("q"), array("d"), array("b")
    for plan_id, cell_id, dose, text, source in rows.iterator(chunk_size=5000):
        plan_of.append(plan_id)
        cell_of.append(cell_id)
        spent_of.append(float(dose * (text.count('"') // 2)))
        is_added.append(source != Mission.Source.DRAWN)
    if not plan_of:
        return {}
    plan = np.frombuffer(plan_of, dtype=np.int64)
    order = np.argsort(plan, kind="stable")
    at = spec.index_of(np.frombuffer(cell_of, dtype=np.int64)[order])
    minutes = np.frombuffer(spent_of, dtype=np.float64)[order]
    added = np.frombuffer(is_added, dtype=np.int8)[order] > 0
    found = {}
    keys, begun = np.unique(plan[order], return_index=True)
    for plan_id, begin, end in zip(
        keys.tolist(), begun.tolist(), [*begun[1:].tolist(), len(plan)], strict=True
    ):
        begins, ends = (one.timestamp() / 60.0 / MINUTES_A_DAY for one in period[plan_id])
        inside, some = slice(begin, end), added[begin:end]
        found[plan_id] = (
            Spent(begins, ends, at[inside], minutes[inside]),
            Spent(begins, ends, at[inside][some], minutes[inside][some]),
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

    Two queries for 16 plans. A design that was drawn again before bears a signed mark of that (``patrols.replays``) and is
    believed as long as its bytes, seed and digest are those of the mark; every other one is checked against the digest kept beside it, drawn
    again bit for bit, and marked: one query more for 16 plans.
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
        marks: dict[int, str] = {}
        for row in some:
            design = bytes(designs.pop(row.pk))
            yield _read(row, design, surfaces.get(row.forecast_id or -1, {}), grid, crime_types, marks)
        replay_marks_keep(agency, marks)


def refused(row: PlanRow, code: str, more: str = "") -> RefusedPlan:
    """A plan left out of a study for one of the named reasons."""
    return RefusedPlan(row.pk, row.label, code, f"{REFUSALS[code]} {more}".strip())


def _read(
    row: PlanRow,
    design: bytes,
    stored: dict[int, RiskSurface],
    grid: Grid,
    crime_types: list[CrimeType],
    marks: dict[int, str],
) -> ReadPlan | RefusedPlan:
    try:
        draw = _as_drawn(row, design, marks)
    except DesignCodecError as error:
        return refused(row, "unreadable", str(error))
    if isinstance(draw, RefusedPlan):
        return draw
    if len(draw.cell) == 0:
        return refused(row, "nothing_drawn")
    if missing := [one.name for one in crime_types if one.pk not in stored]:
        return refused(row, "no_forecast", f"Missing: {', '.join(missing)}.")
    try:
        surfaces = {pk: surface_values(one, grid) for pk, one in stored.items()}
    except MissionsError as error:
        return refused(row, "no_forecast", str(error))
    return ReadPlan(row, draw, surfaces)


def _as_drawn(row: PlanRow, design: bytes, marks: dict[int, str]) -> PlanDraw | RefusedPlan:
    """The plan's draw, if it is what its seed gives; a new mark of that goes into ``marks``. Raises ``DesignCodecError``."""
    mark = replay_mark(plan_id=row.pk, seed=row.seed, design_hash=row.design_hash, design=design)
    if row.replay_mark and constant_time_compare(row.replay_mark, mark):
        return design_part(design, READ_COLUMNS)
    draw = design_from_bytes(design)
    if len(draw) == 0:
        return draw
    if differences := _differences(row, draw):
        return refused(row, "not_as_drawn", differences)
    marks[row.pk] = mark
    return draw


def _differences(row: PlanRow, draw: PlanDraw) -> str:
    if design_digest(draw) != row.design_hash:
        return "The design's digest is not the digest kept beside the plan."
    if row.seed != draw.seed:
        return f"The design holds seed {draw.seed}, the plan's row {row.seed}."
    return " ".join(replay(draw, seed=row.seed, digest=row.design_hash).differences[:3])


def beats_of_plans(agency: Agency, rows: list[PlanRow], beats_now: Ints) -> Ints:
    """Return the beat that each cell belonged to when the newest plans were drawn: int64[N]. One query.

    The beats' boundaries may have been redrawn since; where no plan tells, those of now hold.
    """
    newest = [row.pk for row in rows[-NEWEST:]]
    designs = MissionPlan.objects.filter(agency=agency, pk__in=newest).order_by(
        "period_from", "decision", "pk"
    )
    found = np.full(len(beats_now), -1, dtype=np.int64)
    for (design,) in designs.values_list("design").reverse().iterator(chunk_size=PLANS_AT_ONCE):
        try:
            draw = design_part(bytes(design), frozenset(("cell", "beat")))
        except DesignCodecError:
            # Named when the plans are read in turn.
            continue
        free = found[draw.cell] < 0
        found[draw.cell[free]] = draw.beat[free]
    return np.where(found < 0, beats_now, found)
