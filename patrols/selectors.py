"""Reading plans, missions, and what a planner must know before a draw."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from django.db.models import F, Max, Prefetch, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat, CrimeType, Shift, Unit
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface
from forecasting.reason_words import driver_said, headline_said, reasons_said
from forecasting.selectors import grid_spec, why_here
from patrols.engine.due import LEAD_MINUTES
from patrols.engine.plan import PlanDraw, design_from_bytes
from patrols.models import (
    Addition,
    Engagement,
    Mission,
    MissionPlan,
    PatrolPolicy,
    PlanSchedule,
    ShiftPlanning,
    Suppression,
)

Floats = npt.NDArray[np.float64]


def active_policy(agency: Agency) -> PatrolPolicy | None:
    """Return the policy that new plans use. One query."""
    return PatrolPolicy.objects.filter(agency=agency, is_active=True).first()


def active_suppressions(
    agency: Agency, *, period_from: dt.datetime, period_to: dt.datetime
) -> list[Suppression]:
    """Return the suppressions that hold at any time in the period. One query."""
    rows = Suppression.objects.filter(agency=agency, starts_at__lt=period_to, expires_at__gt=period_from)
    return list(rows.select_related("beat").order_by("pk"))


def active_additions(agency: Agency, shift: Shift, *, period_from: dt.datetime) -> list[Addition]:
    """Return the additions that hold when the shift instance starts, the oldest first. One query."""
    rows = Addition.objects.filter(
        Q(shift=None) | Q(shift=shift), agency=agency, starts_at__lte=period_from, expires_at__gt=period_from
    )
    return list(rows.select_related("crime_type", "author").order_by("pk"))


def suppressed_cells(
    suppressions: list[Suppression], spec: GridSpec, beat_of_cell: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which cells are taken out: those of a suppressed beat, or with their centre in a drawn area. bool[N]."""
    out = np.zeros(len(spec), dtype=np.bool_)
    lon, lat = spec.centres_lonlat()
    for row in suppressions:
        if row.beat_id:
            out |= beat_of_cell == row.beat_id
        elif row.geometry:
            out |= shapely.contains_xy(polygon_from_geojson(row.geometry), lon, lat)
    return out


def planned_history(
    agency: Agency, *, grid: Grid, before: dt.datetime, window_days: float, reach_days: float = 120.0
) -> tuple[Floats, Floats]:
    """Return what was planned for each cell before this instant: minutes in the window, days since the last mission.

    Two float64[N] arrays; infinity days for a cell without any mission in the last ``reach_days`` (or the window, if
    longer). Missions of published plans only, drawn or added before their draw, whether carried out or not, at their
    planned times: so the whole history of plans can be drawn again. Two queries.
    """
    spec = grid_spec(grid)
    minutes, days = np.zeros(len(spec)), np.full(len(spec), np.inf)
    plans = MissionPlan.objects.filter(
        agency=agency,
        grid=grid,
        state=MissionPlan.State.PUBLISHED,
        period_from__lt=before,
        period_from__gte=before - dt.timedelta(days=max(reach_days, window_days)),
    )
    end_of = dict(plans.values_list("pk", "period_to"))
    # What people add after a draw is no part of the plan; what they added before it is.
    planned = Q(source=Mission.Source.DRAWN) | Q(addition__isnull=False)
    # As text: a city's weeks hold 17,000 lists of starts, and only their lengths are wanted.
    rows = list(
        Mission.objects.filter(planned, plan__in=list(end_of))
        .annotate(starts_text=Cast("visit_starts", TextField()))
        .values_list("cell_id", "dose_minutes", "starts_text", "plan_id")
    )
    if not rows:
        return minutes, days
    cell_ids, doses, texts, plan_ids = zip(*rows, strict=True)
    at = spec.index_of(list(cell_ids))
    ago_of = {pk: (before - end).total_seconds() / 86400 for pk, end in end_of.items()}
    ago = np.array([ago_of[pk] for pk in plan_ids])
    # No mission was less than nought days ago: one whose shift still runs is of now.
    np.minimum.at(days, at, np.maximum(ago, 0.0))
    spent = np.array(doses, dtype=np.float64) * [text.count('"') // 2 for text in texts]
    recent = ago < window_days
    np.add.at(minutes, at[recent], spent[recent])
    return minutes, days


def plan_for(agency: Agency, shift: Shift, on: dt.date) -> MissionPlan | None:
    """Return the shift's plan: the published one, else the newest that is not superseded. One query.

    Decisions in the middle of the shift are not it: ``plans_of`` gives both.
    """
    rows = MissionPlan.objects.filter(agency=agency, shift=shift, on=on, decision=0).defer("design")
    order = {MissionPlan.State.PUBLISHED: 0, MissionPlan.State.DRAFT: 1}
    candidates = [plan for plan in rows.order_by("-queued_at") if plan.state in order]
    return min(candidates, key=lambda plan: order[MissionPlan.State(plan.state)], default=None)


def plans_of(agency: Agency, shift: Shift, on: dt.date) -> list[MissionPlan]:
    """Return the shift's plan and its later decisions, in order: of each the published one, else the newest draft. One query.

    The shift's missions are those of all of them together. Drafts that failed or still run are in the list too.
    """
    rows = (
        MissionPlan.objects.filter(agency=agency, shift=shift, on=on)
        .exclude(state=MissionPlan.State.SUPERSEDED)
        .defer("design")
        .order_by("decision", "-queued_at")
    )
    found: dict[int, MissionPlan] = {}
    for plan in rows:
        known = found.get(plan.decision)
        if known is None or (plan.state == MissionPlan.State.PUBLISHED != known.state):
            found[plan.decision] = plan
    return list(found.values())


def last_number(plan: MissionPlan) -> int:
    """Return the highest mission number that stands in any plan of the shift instance, 0 for none. One query.

    A mission added after a decision, or drawn in one, goes on from there: no two of a shift have the same number.
    """
    rows = Mission.objects.filter(agency=plan.agency_id, plan__shift=plan.shift_id, plan__on=plan.on).exclude(
        plan__state=MissionPlan.State.SUPERSEDED
    )
    return int(rows.aggregate(last=Max("number"))["last"] or 0)


def planning_state(agency: Agency, shift: Shift, on: dt.date) -> ShiftPlanning | None:
    """Return the newest round of planning the shift instance by schedule, or None. One query."""
    return ShiftPlanning.objects.filter(agency=agency, shift=shift, on=on).order_by("-round").first()


def schedule_of(
    schedules: Mapping[tuple[int, int | None], PlanSchedule], agency_id: int, shift_id: int
) -> PlanSchedule:
    """Return the schedule that holds for a shift: its own, else that for all, else the defaults, unsaved. No query.

    ``schedules`` by (agency, shift or None). An agency that never opened its schedules has its shifts planned too.
    """
    return (
        schedules.get((agency_id, shift_id))
        or schedules.get((agency_id, None))
        or PlanSchedule(agency_id=agency_id, lead_minutes=LEAD_MINUTES)
    )


def schedules_of(agency: Agency) -> dict[tuple[int, int | None], PlanSchedule]:
    """Return the agency's schedules, for ``schedule_of``. One query."""
    return {(agency.pk, row.shift_id): row for row in PlanSchedule.objects.filter(agency=agency)}


def missions_of_plans(agency: Agency, plans: list[MissionPlan], types: dict[int, CrimeType]) -> list[Mission]:
    """Return the plans' missions in the plans' order and by number, with beat, unit and how visits ended. Three queries.

    Plans and crime types are those passed in, and each beat is read once: three hundred copies of a grid or a beat
    would be most of what the database sends.
    """
    order = {plan.pk: (position, plan) for position, plan in enumerate(plans)}
    rows = (
        Mission.objects.filter(agency=agency, plan__in=plans)
        .defer("why")
        .annotate(
            why_line=KeyTextTransform("headline", "why"),
            # Not the rows: six hundred objects, made to show three hundred call signs.
            unit_key=F("assignment__unit"),
            unit_sign=F("assignment__unit__call_sign"),
        )
        .prefetch_related(
            Prefetch(
                "beat",
                queryset=Beat.objects.select_related("district").defer("geometry", "district__geometry"),
            ),
        )
    )
    # Nor the visits' rows: a state needs to know only which of them have ended.
    ends: dict[int, list[dt.datetime | None]] = defaultdict(list)
    visits = Engagement.objects.filter(agency=agency, mission__plan__in=plans).order_by("arrived_at")
    for mission_id, left_at in visits.values_list("mission", "left_at"):
        ends[mission_id].append(left_at)
    missions: list[Mission] = sorted(rows, key=lambda mission: (order[mission.plan_id][0], mission.number))
    for mission in missions:
        mission.plan = order[mission.plan_id][1]
        mission.visit_ends = ends[mission.pk]  # type: ignore[attr-defined]
        mission.crime_type = types[mission.crime_type_id]
        # Of its reasons only the line that lists show: all of them are a kilobyte a mission.
        mission.why = {"headline": getattr(mission, "why_line", None) or ""}
    return missions


def missions_of(plan: MissionPlan) -> list[Mission]:
    """Return the plan's missions by number, with beat, type, unit and visits. Two queries."""
    return list(_with_details(Mission.objects.filter(plan=plan)).order_by("number"))


def mission_of(agency: Agency, mission_id: int) -> Mission | None:
    """Return one mission of this agency with its details, or None. Two queries."""
    return _with_details(Mission.objects.filter(agency=agency, pk=mission_id)).first()


def missions_for_unit(agency: Agency, unit: Unit, *, now: dt.datetime) -> list[Mission]:
    """Return the unit's missions of published plans whose shift is now or starts within four hours. Two queries."""
    rows = Mission.objects.filter(
        agency=agency,
        assignment__unit=unit,
        withdrawn_at__isnull=True,
        plan__state=MissionPlan.State.PUBLISHED,
        plan__period_to__gt=now,
        plan__period_from__lt=now + dt.timedelta(hours=4),
    )
    return list(_with_details(rows).order_by("starts_at", "number"))


def cell_history(agency: Agency, *, cell_id: int, before: dt.datetime, limit: int = 10) -> list[Engagement]:
    """Return the latest visits to the cell before an instant, newest first. One query."""
    rows = Engagement.objects.filter(agency=agency, mission__cell_id=cell_id, arrived_at__lt=before)
    return list(rows.select_related("mission__plan__shift", "unit").order_by("-arrived_at")[:limit])


def plan_draw_of(plan: MissionPlan) -> PlanDraw:
    """Return the stored design and draw of a plan. Raises ``DesignCodecError`` where the bytes were damaged."""
    return design_from_bytes(bytes(plan.design))


def forecast_tried(agency: Agency, shift: Shift, on: dt.date) -> ForecastRun | None:
    """Return the newest try to forecast the shift instance, however it ended. One query."""
    return ForecastRun.objects.filter(agency=agency, shift=shift, on=on).order_by("-queued_at").first()


def _with_details(rows: QuerySet[Mission]) -> QuerySet[Mission]:
    return (
        rows.select_related(
            "beat", "beat__district", "crime_type", "assignment__unit", "plan", "plan__shift", "plan__grid"
        )
        .defer("beat__geometry", "beat__district__geometry", "plan__design")
        .prefetch_related(
            Prefetch("engagements", queryset=Engagement.objects.select_related("unit").order_by("arrived_at"))
        )
    )


def missions_between(agency: Agency, first: dt.date, last: dt.date) -> Iterator[Mission]:
    """Yield the missions of published plans of shifts that start on these local dates, in order, a thousand at a time."""
    rows = Mission.objects.filter(
        agency=agency, plan__state=MissionPlan.State.PUBLISHED, plan__on__range=(first, last)
    )
    return _with_details(rows).order_by("plan__period_from", "number").iterator(chunk_size=1000)


VISIT_FIELDS = (
    "mission__plan_id", "mission__plan__shift__slug", "mission__plan__on", "mission__number", "mission__beat__code",
    "mission__cell_id", "mission__crime_type__slug", "unit__call_sign", "arrived_at", "left_at", "source", "pk",
    "mission__plan__grid_id",
)  # fmt: skip


def visits_between(agency: Agency, first: dt.date, last: dt.date) -> Iterator[tuple[Any, ...]]:
    """Yield ``VISIT_FIELDS`` of the visits to missions of shifts that start on these local dates, in order, as they come.

    Tuples and no objects: with each visit's mission and plan comes its whole grid otherwise, a gigabyte for a million.
    """
    rows = Engagement.objects.filter(agency=agency, mission__plan__on__range=(first, last))
    return rows.order_by("arrived_at", "pk").values_list(*VISIT_FIELDS).iterator(chunk_size=2000)


def models_behind(agency: Agency, first: dt.date, last: dt.date) -> str:
    """Name the model versions behind published plans of shifts that start on these local dates, for the head of a file. One query."""
    plans = MissionPlan.objects.filter(
        agency=agency, state=MissionPlan.State.PUBLISHED, on__range=(first, last), forecast_run__isnull=False
    )
    runs = RiskSurface.objects.filter(agency=agency, run__in=plans.values("forecast_run"))
    rows = ModelVersion.objects.filter(agency=agency, pk__in=runs.values("model_version")).order_by(
        "crime_type__name", "number"
    )
    return "; ".join(str(row) for row in rows.select_related("crime_type")) or _(
        "none behind any mission of this period"
    )


@dataclass(frozen=True)
class WhyBar:
    """One family of drivers: how many times it multiplies the typical expected count; x and width of 100."""

    label: str
    factor: float
    x: float
    width: float

    @property
    def raises(self) -> bool:
        return self.factor > 1


@dataclass(frozen=True)
class WhyHere:
    """Why the forecast sent a car: the three strongest reasons, everything in words, and the drivers as bars."""

    reasons: list[str]
    words: list[str]
    bars: list[WhyBar]


def mission_why(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a mission keeps of an answer of ``why_here``: about a kilobyte of words and shares. No query."""
    return {
        "headline": told["headline"],
        "clauses": told["clauses"],
        "words": told["sentences"],
        "bars": [[bar["label"], round(bar["value"], 4)] for bar in told["bars"]],
    }


def why_here_of(mission: Mission) -> WhyHere | None:
    """Return why the plan's forecast rates this mission's box as it does; None for a mission that a person added.

    No query where the reasons were written with the plan. Otherwise they are worked out now: about ten queries and
    the agency's incidents, which are kept in memory for the next question about the same forecast.
    """
    run, grid = mission.plan.forecast_run, mission.plan.grid
    if mission.source != Mission.Source.DRAWN or run is None or grid is None:
        return None
    why = mission.why
    if not why:
        position = int(GridSpec.from_bytes(bytes(grid.spec)).index_of([mission.cell_id])[0])
        why = mission_why(why_here(run, [position], mission.crime_type)[0])
    largest = max((abs(value) for _, value in why["bars"]), default=0.0) or 1.0
    bars = []
    for label, value in why["bars"]:
        width = round(48 * abs(value) / largest, 1)
        bars.append(WhyBar(driver_said(label), math.exp(value), 50.0 if value > 0 else 50.0 - width, width))
    reasons = reasons_said(why["clauses"]) or [headline_said(why["headline"])]
    return WhyHere(reasons, reasons_said(why["words"]), bars)
