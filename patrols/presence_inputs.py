"""What the account of a shift's presence is made from, as columns for the engine."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Max, Q, QuerySet

from agencies.models import Agency, Beat, Shift, Unit
from forecasting.engine.grid import GridSpec, project
from forecasting.models import Grid
from ingestion.engine.coarsen import DAY, HOUR
from ingestion.models import CallForService, Discovery, OffenceCode, VehiclePosition
from patrols.engine.positions import Pings
from patrols.engine.presence import BoxGrid
from patrols.engine.reconcile import SOURCES, UNKNOWN, Claims
from patrols.models import Engagement, Mission, MissionPlan, Presence, PresenceAccount
from patrols.selectors import plan_draw_of

AROUND = dt.timedelta(hours=1)
"""Positions from before and after the shift that are read too: a visit may reach over its ends."""
LONGEST_CAD = dt.timedelta(hours=12)
CAD_WORDS = (
    "directed patrol",
    "dir patrol",
    "hot spot patrol",
    "hotspot patrol",
    "extra patrol",
    "foot patrol",
)
"""Words in a call's code, or in the description that the agency gave the code, that make it a directed patrol."""


@dataclass(frozen=True)
class ShiftBoxes:
    """Where presence is counted in one shift instance: every candidate box, and every box with a mission."""

    plans: list[MissionPlan]
    grid: Grid
    spec: GridSpec
    boxes: BoxGrid
    beat_of_box: dict[int, int]
    missions: list[Mission]
    period_from: dt.datetime
    period_to: dt.datetime


def shift_boxes(agency: Agency, shift: Shift, on: dt.date) -> ShiftBoxes | None:
    """Return the boxes of a shift instance with a published plan, else None. Four queries.

    Decisions during the shift share its boxes. A plan on another grid than the shift's first is left out: its ids would
    mean other squares.
    """
    rows = MissionPlan.objects.filter(
        agency=agency, shift=shift, on=on, state=MissionPlan.State.PUBLISHED, grid__isnull=False
    )
    plans = list(rows.select_related("grid").order_by("decision"))
    if not plans or plans[0].grid is None:
        return None
    grid = plans[0].grid
    plans = [plan for plan in plans if plan.grid_id == grid.pk]
    spec = GridSpec.from_bytes(bytes(grid.spec))
    beat_of_box: dict[int, int] = {}
    for plan in plans:
        drawn = plan_draw_of(plan)
        beat_of_box |= dict(zip(spec.cells[drawn.cell].tolist(), drawn.beat.tolist(), strict=True))
    missions = list(
        Mission.objects.filter(plan__in=[plan.pk for plan in plans])
        .select_related("plan")
        .defer("plan__design")
        .order_by("plan__period_from", "number")
    )
    beat_of_box |= {mission.cell_id: mission.beat_id for mission in missions}
    # A beat may be gone since the plan was drawn; its minutes stay.
    there = set(Beat.objects.filter(agency=agency).values_list("pk", flat=True))
    box = np.array(sorted(beat_of_box), dtype=np.int64)
    return ShiftBoxes(
        plans=plans,
        grid=grid,
        spec=spec,
        boxes=BoxGrid(spec.x0_m, spec.y0_m, spec.cell_size_m, spec.n_rows, spec.n_cols, box),
        beat_of_box={key: beat for key, beat in beat_of_box.items() if beat in there},
        missions=missions,
        period_from=min(plan.period_from for plan in plans),
        period_to=max(plan.period_to for plan in plans),
    )


def pings_of(agency: Agency, where: ShiftBoxes) -> Pings:
    """Return the positions of the agency's units during the shift, ``unit`` by primary key. Two queries.

    Call signs that the agency does not have count for nobody. About 200 bytes a position while it is read.
    """
    pk_of = dict(Unit.objects.filter(agency=agency).values_list("call_sign", "pk"))
    rows = VehiclePosition.objects.filter(
        agency=agency, at__gte=where.period_from - AROUND, at__lt=where.period_to + AROUND
    ).values_list("unit_code", "at", "lon", "lat", "received_at")
    table = np.fromiter(
        (
            (pk_of.get(code, UNKNOWN), at.timestamp(), lon, lat, received.timestamp())
            for code, at, lon, lat, received in rows.iterator(chunk_size=10_000)
        ),
        dtype=[("unit", "i8"), ("at", "f8"), ("lon", "f8"), ("lat", "f8"), ("received", "f8")],
    )
    table = table[table["unit"] != UNKNOWN]
    x_m, y_m = project(table["lon"], table["lat"], where.spec.epsg)
    return Pings(table["unit"].copy(), table["at"].copy(), x_m, y_m, table["received"].copy())


def directed_patrols(agency_id: int) -> QuerySet[CallForService]:
    """The agency's dispatch records of directed patrols, at the precision of a visit. One query for the codes."""
    described = Q()
    coded = Q()
    for word in CAD_WORDS:
        described |= Q(description__icontains=word)
        coded |= Q(code__icontains=word)
    # (feed, code): the same code may be something else in another feed.
    codes = OffenceCode.objects.filter(described, agency=agency_id).values_list("feed_id", "code")
    for feed_id, code in codes:
        coded |= Q(feed_id=feed_id, code=code)
    return (
        CallForService.objects.filter(coded, agency=agency_id, discovery=Discovery.OFFICER_INITIATED)
        # Made coarse by the retention policy: an hour and a hundred metres are no visit.
        .exclude(time_precision__in=(HOUR, DAY))
    )


def _calls_of(agency: Agency, where: ShiftBoxes) -> QuerySet[CallForService]:
    return directed_patrols(agency.pk).filter(
        occurred_from__gte=where.period_from - LONGEST_CAD,
        occurred_from__lt=where.period_to,
        occurred_to__gte=where.period_from,
    )


def claims_of(agency: Agency, where: ShiftBoxes) -> Claims:
    """Return what officers and dispatchers recorded: visits to the shift's missions, directed patrols. Four queries."""
    return _claims(_engagement_rows(where) + _cad_rows(agency, where))


def claims_kept(account: PresenceAccount, where: ShiftBoxes) -> Claims:
    """What the last count left of people's records, and what came in since, where positions are gone. Five queries.

    The records themselves would bring back the minutes that the positions spoke against: those are not there to do so again.
    """
    rows = Presence.objects.filter(account=account, visits=1).exclude(source=Presence.Source.AVL)
    kept = [
        (
            unit_id or UNKNOWN, cell, arrived.timestamp(), left.timestamp(), SOURCES.index(source),
            UNKNOWN if mission_id is None else mission_id,
        )
        for unit_id, cell, arrived, left, source, mission_id in rows.values_list(
            "unit_id", "cell_id", "arrived_at", "left_at", "source", "mission_id"
        )
    ]  # fmt: skip
    visit, call = account.counts.get("last_visit"), account.counts.get("last_call")
    # A count from before these were noted does not say what it had seen.
    if visit is not None:
        kept += _engagement_rows(where, after=visit)
    if call is not None:
        kept += _cad_rows(account.agency, where, after=call)
    return _claims(kept)


def newest_records(agency: Agency, where: ShiftBoxes) -> dict[str, int]:
    """The keys of the shift's newest visit and newest dispatch record, 0 without any. Three queries."""
    visits = Engagement.objects.filter(mission__plan__in=[plan.pk for plan in where.plans])
    found = {"last_visit": visits, "last_call": _calls_of(agency, where)}
    return {name: int(rows.aggregate(last=Max("pk"))["last"] or 0) for name, rows in found.items()}


_Row = tuple[int, int, float, float, int, int]


def _engagement_rows(where: ShiftBoxes, after: int = 0) -> list[_Row]:
    cell_of = {mission.pk: mission.cell_id for mission in where.missions}
    # Visits that a machine made out of positions would count as people's word for what the positions say themselves.
    rows = Engagement.objects.filter(
        mission__plan__in=[plan.pk for plan in where.plans],
        source__in=(Engagement.Source.TIMER, Engagement.Source.MANUAL),
        pk__gt=after,
    ).values_list("unit_id", "mission_id", "arrived_at", "left_at", "source")
    return [
        (
            unit_id or UNKNOWN,
            cell_of[mission_id],
            arrived.timestamp(),
            left.timestamp() if left else float("nan"),
            SOURCES.index(source),
            mission_id,
        )
        for unit_id, mission_id, arrived, left, source in rows
    ]


def _cad_rows(agency: Agency, where: ShiftBoxes, after: int = 0) -> list[_Row]:
    """Directed patrols from the calls for service, by the unit that they name; one that the agency does not have is unknown."""
    rows = (
        _calls_of(agency, where)
        .filter(pk__gt=after)
        .values_list("unit_code", "occurred_from", "occurred_to", "lon", "lat")
    )
    found = list(rows)
    if not found:
        return []
    x_m, y_m = project([row[3] for row in found], [row[4] for row in found], where.spec.epsg)
    position = where.spec.locate(x_m, y_m)
    cells = np.where(position >= 0, where.spec.cells[position], UNKNOWN).tolist()
    pk_of = dict(Unit.objects.filter(agency=agency).values_list("call_sign", "pk"))
    return [
        (pk_of.get(code, UNKNOWN), cell, start.timestamp(), end.timestamp(), SOURCES.index("cad"), UNKNOWN)
        for cell, (code, start, end, _, _) in zip(cells, found, strict=True)
        if cell in where.beat_of_box
    ]


def _claims(rows: list[_Row]) -> Claims:
    def column(at: int, dtype: Any) -> npt.NDArray[Any]:
        return np.array([row[at] for row in rows], dtype=dtype)

    return Claims(
        column(0, np.int64), column(1, np.int64), column(2, np.float64), column(3, np.float64),
        column(4, np.int8), column(5, np.int64),
    )  # fmt: skip
