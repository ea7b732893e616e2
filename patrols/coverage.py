"""What a plan covers, said before it is published: harm, low-risk areas, saturation, fairness."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from agencies.models import Beat
from forecasting.selectors import grid_spec
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.dosage import times_listed
from patrols.engine.oversight import gini, low_risk_share
from patrols.engine.plan import PlanDraw, design_from_bytes
from patrols.models import Mission, MissionPlan

Floats = npt.NDArray[np.float64]
LOW_RISK_DAYS = 28


@dataclass(frozen=True)
class BeatCoverage:
    """One beat's part: harm of its missions as a share of all its cells' harm (0..1; 0 without harm)."""

    beat: Beat
    missions: int
    harm: float
    share: float


@dataclass(frozen=True)
class DistrictCoverage:
    """One district's share of all missions and of all cells' harm, 0..1 each."""

    code: str
    missions: int
    mission_share: float
    harm_share: float


@dataclass(frozen=True)
class CellStrip:
    """Planned minutes of one of the plan's cells on each day of the window, oldest first; the last is the plan's own day."""

    cell_id: int
    number: int
    days: tuple[int, ...]
    limit: int

    @property
    def total(self) -> int:
        return sum(self.days)


@dataclass(frozen=True)
class PlanCoverage:
    """What a supervisor reads before publishing. Harm in the plan's unit; shares 0..1.

    ``low_risk_share`` is the part of planned visits of the last 28 days, this plan's included, in the lower half of
    cells by this plan's harm, ``low_risk_cells`` the part of these cells that had at least one.
    """

    harm_expected: float
    harm_total: float
    beats: tuple[BeatCoverage, ...]
    districts: tuple[DistrictCoverage, ...]
    low_risk_share: float
    low_risk_cells: float
    saturation: tuple[CellStrip, ...]
    gini: float


def plan_coverage(plan: MissionPlan) -> PlanCoverage:
    """Say what a finished plan covers. Three queries, however many missions.

    Missions withdrawn since count as planned: the design stays as it was. Raises ``MissionsError`` for an unfinished plan.
    """
    if plan.status != RunStatus.SUCCEEDED or plan.grid is None:
        raise MissionsError(_("This plan is not finished."), next_step=_("wait for it, or plan again."))
    draw = design_from_bytes(bytes(plan.design))
    certain = Q(source=Mission.Source.DRAWN) | Q(addition__isnull=False)
    missions = list(Mission.objects.filter(certain, plan=plan).defer("why").order_by("number"))
    beats = {
        beat.pk: beat
        for beat in Beat.objects.filter(agency_id=plan.agency_id)
        .select_related("district")
        .defer("geometry", "district__geometry")
    }
    window = int((plan.config_snapshot or {}).get("policy", {}).get("saturation_window_days", 7))
    first = plan.on - dt.timedelta(days=max(LOW_RISK_DAYS, window))
    # The plan itself may be a draft: its missions are added to those of published plans before it.
    earlier = Mission.objects.filter(
        certain,
        agency_id=plan.agency_id,
        plan__grid=plan.grid,
        plan__state=MissionPlan.State.PUBLISHED,
        plan__on__gte=first,
        plan__period_from__lt=plan.period_from,
    ).exclude(plan=plan)
    days = earlier.order_by().values_list(
        "cell_id", "dose_minutes", Cast("visit_starts", TextField()), "plan__on"
    )
    history = [(cell, dose, times_listed(starts), on) for cell, dose, starts, on in days]
    history += [(m.cell_id, m.dose_minutes, len(m.visit_starts), plan.on) for m in missions]
    low_share, low_cells = _low_risk(draw, plan, history)
    return PlanCoverage(
        harm_expected=sum(mission.harm for mission in missions),
        harm_total=_harm_total(draw, missions),
        beats=_beats(draw, missions, beats),
        districts=_districts(draw, missions, beats),
        low_risk_share=low_share,
        low_risk_cells=low_cells,
        saturation=_strips(missions, history, plan.on, window, draw.policy.saturation_hard_minutes),
        gini=gini(draw.pi),
    )


def _harm_total(draw: PlanDraw, missions: list[Mission]) -> float:
    return float(draw.harm.sum()) + sum(m.harm for m in missions if m.source == Mission.Source.ADDED)


def _harm_by_beat(draw: PlanDraw, missions: list[Mission]) -> dict[int, float]:
    """The harm of each beat's candidates and added cells; suppressed and saturated cells have none in the design."""
    total: dict[int, float] = defaultdict(float)
    ids, place = np.unique(draw.beat, return_inverse=True)
    for beat, harm in zip(
        ids.tolist(), np.bincount(place, weights=draw.harm, minlength=len(ids)), strict=True
    ):
        total[beat] += float(harm)
    for mission in missions:
        if mission.source == Mission.Source.ADDED:
            total[mission.beat_id] += mission.harm
    return total


def _beats(draw: PlanDraw, missions: list[Mission], beats: dict[int, Beat]) -> tuple[BeatCoverage, ...]:
    total = _harm_by_beat(draw, missions)
    covered: dict[int, list[float]] = defaultdict(list)
    for mission in missions:
        covered[mission.beat_id].append(mission.harm)
    found = [
        BeatCoverage(
            beats[pk], len(covered[pk]), sum(covered[pk]), sum(covered[pk]) / total[pk] if total[pk] else 0.0
        )
        for pk in set(total) | set(covered)
        if pk in beats
    ]
    return tuple(sorted(found, key=lambda row: row.beat.code))


def _districts(
    draw: PlanDraw, missions: list[Mission], beats: dict[int, Beat]
) -> tuple[DistrictCoverage, ...]:
    harm: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for pk, value in _harm_by_beat(draw, missions).items():
        if pk in beats:
            harm[beats[pk].district.code] += value
    for mission in missions:
        count[beats[mission.beat_id].district.code] += 1
    all_harm = sum(harm.values()) or 1.0
    return tuple(
        DistrictCoverage(code, count[code], count[code] / max(len(missions), 1), harm[code] / all_harm)
        for code in sorted({beat.district.code for beat in beats.values()})
    )


def _low_risk(
    draw: PlanDraw, plan: MissionPlan, history: list[tuple[int, int, int, dt.date]]
) -> tuple[float, float]:
    """(share of the last 28 days' visits in the lower half by harm, share of that half's cells visited at all)."""
    assert plan.grid is not None
    spec = grid_spec(plan.grid)
    row_of = np.full(len(spec) + 1, -1)
    row_of[draw.cell] = np.arange(len(draw))
    since = plan.on - dt.timedelta(days=LOW_RISK_DAYS)
    recent = [(cell, times) for cell, _, times, on in history if on > since]
    visits = np.zeros(len(draw))
    if recent:
        # Cells off the grid have index -1: the extra last place, which is no candidate.
        rows = row_of[spec.index_of([cell for cell, _ in recent])]
        counts = np.array([n for _, n in recent], dtype=np.float64)
        np.add.at(visits, rows[rows >= 0], counts[rows >= 0])
    low = draw.harm <= np.median(draw.harm) if len(draw) else np.zeros(0, dtype=np.bool_)
    return low_risk_share(draw.harm, visits), float((visits[low] > 0).mean()) if low.any() else 0.0


def _strips(
    missions: list[Mission],
    history: list[tuple[int, int, int, dt.date]],
    on: dt.date,
    window: int,
    limit: float,
) -> tuple[CellStrip, ...]:
    spent: dict[int, list[int]] = {mission.cell_id: [0] * window for mission in missions}
    for cell, dose, times, day in history:
        if cell in spent and (place := window - 1 - (on - day).days) >= 0:
            spent[cell][place] += dose * times
    return tuple(CellStrip(m.cell_id, m.number, tuple(spent[m.cell_id]), int(limit)) for m in missions)
