"""What the dosage and coverage report reads: minutes by cell and day, beats of cells, and what plans promised to lower-risk areas."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from agencies.models import Agency, Beat
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import active_grid, cell_beats, grid_spec
from missions_project.lib.number_rows import EpochSeconds, FloatSum, numbers_of
from missions_project.lib.runs import RunStatus
from patrols.engine.oversight import low_risk_share
from patrols.engine.plan import design_from_bytes
from patrols.models import Mission, MissionPlan, PatrolPolicy, Presence
from tactics.reports.asked import Asked
from tactics.reports.shifts import JSONLength

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DAY_S = 86_400
MOST_DESIGNS = 12
"""Designs that are opened to tell the lower half of cells by harm: each means a megabyte in a large city."""


@dataclass(frozen=True)
class Minutes:
    """Minutes by cell (its place in the grid) and day (0 is the first of the period, days before it are negative)."""

    cell: Ints
    day: Ints
    values: Floats

    def inside(self, kept: npt.NDArray[np.bool_]) -> "Minutes":
        return Minutes(self.cell[kept], self.day[kept], self.values[kept])

    def by_cell(self, n_cells: int) -> Floats:
        """float64[N], of the period itself."""
        own = self.day >= 0
        found = np.bincount(self.cell[own], weights=self.values[own], minlength=n_cells)
        return found.astype(np.float64)

    def by(self, cell_group: Ints, groups: int, day_group: Ints, periods: int) -> Floats:
        """float64 [groups, periods]; groups below 0 are left out, as are days before the period."""
        group = cell_group[self.cell]
        own = (self.day >= 0) & (group >= 0)
        at = group[own] * periods + day_group[self.day[own]]
        found = np.bincount(at, weights=self.values[own], minlength=groups * periods)
        return found.astype(np.float64).reshape(groups, periods)


@dataclass(frozen=True)
class Dosed:
    """All that the report is made from. ``beat`` of each cell indexes ``codes``, -1 outside all; ``kept``: inside the choice.

    ``harm``: mean share of the city's harm over some of the period's designs, NaN for cells that were in none; ``target``:
    the share of missions that the plans' chances gave to the lower half, None without plans.
    """

    grid: Grid
    spec: GridSpec
    codes: list[tuple[str, str]]
    beat: Ints
    kept: npt.NDArray[np.bool_]
    recommended: Minutes
    delivered: Minutes
    passing: Minutes
    harm: Floats
    designs: int
    plans: int
    target: float | None
    window: int
    soft: int
    hard: int


def dosed(agency: Agency, asked: Asked, now: dt.datetime) -> Dosed:
    """Read the minutes of ended shifts of these local dates on the grid in use. Eight queries.

    Raises ``MissionsError`` where there is no grid yet.
    """
    grid = active_grid(agency)
    spec = grid_spec(grid)
    rows = list(Beat.objects.filter(agency=agency).order_by("code").values_list("pk", "code", "district__code"))  # fmt: skip
    beat = _positions([pk for pk, _, _ in rows], cell_beats(grid))
    chosen = np.array([asked.lets(beat=code, district=district) for _, code, district in rows] + [True])
    # Cells outside all beats belong to no choice of them.
    chosen[-1] = not (asked.beat or asked.district)
    policy = PatrolPolicy.objects.filter(agency=agency, is_active=True).first() or PatrolPolicy()
    recommended = _recommended(agency, asked, grid, spec, now, policy.saturation_window_days)
    delivered, passing = _present(agency, asked, grid, spec, now)
    kept = chosen[beat]
    harm, designs, plans, target = _lower_half(agency, asked, grid, spec, now)
    return Dosed(
        grid=grid,
        spec=spec,
        codes=[(code, district) for _, code, district in rows],
        beat=beat,
        kept=kept,
        recommended=recommended.inside(kept[recommended.cell]),
        delivered=delivered.inside(kept[delivered.cell]),
        passing=passing.inside(kept[passing.cell]),
        harm=np.where(kept, harm, np.nan),
        designs=designs,
        plans=plans,
        target=target,
        window=policy.saturation_window_days,
        soft=policy.saturation_soft_minutes,
        hard=policy.saturation_hard_minutes,
    )


def _positions(keys: list[int], values: Ints) -> Ints:
    """Where each value stands in the list of keys, -1 for those that are not in it."""
    number = {key: at for at, key in enumerate(keys)}
    ids, place = np.unique(values, return_inverse=True)
    found: Ints = np.array([number.get(int(one), -1) for one in ids], dtype=np.int64)[place]
    return found


def _arrays(rows: QuerySet[Any], spec: GridSpec, first: dt.date, amounts: int) -> tuple[Ints, Ints, Floats]:
    """(cell, day, amounts [rows, amounts]) of rows (cell's id, date, amounts …), all of them numbers; cells that the grid has not are left out."""
    table = np.nan_to_num(numbers_of(rows, columns=2 + amounts))
    cell = spec.index_of(table[:, 0].astype(np.int64))
    began = np.datetime64(first, "D").astype(np.int64)
    day = table[:, 1].astype(np.int64) // DAY_S - began
    known = cell >= 0
    return cell[known], day[known], table[known, 2:]


def _recommended(
    agency: Agency, asked: Asked, grid: Grid, spec: GridSpec, now: dt.datetime, window: int
) -> Minutes:
    """Minutes of missions as they stand; also of the days before the period that its first windows reach back to. One query."""
    since = asked.first - dt.timedelta(days=window - 1)
    rows = Mission.objects.filter(
        agency=agency,
        withdrawn_at=None,
        plan__grid=grid,
        plan__state=MissionPlan.State.PUBLISHED,
        plan__on__range=(since, asked.last),
        plan__period_to__lte=now,
        **({"plan__shift__slug__in": asked.shift} if asked.shift else {}),
    )
    grouped = (
        rows.order_by()
        .values_list("cell_id", EpochSeconds("plan__on"))
        .annotate(spent=FloatSum(F("dose_minutes") * JSONLength(Coalesce("moved_starts", "visit_starts"))))
    )
    cell, day, values = _arrays(grouped, spec, asked.first, 1)
    return Minutes(cell, day, values[:, 0])


def _present(
    agency: Agency, asked: Asked, grid: Grid, spec: GridSpec, now: dt.datetime
) -> tuple[Minutes, Minutes]:
    """Minutes on record at missions, and of units that passed or stayed without one. One query."""
    rows: QuerySet[Presence] = Presence.objects.filter(
        agency=agency,
        grid=grid,
        account__on__range=(asked.first, asked.last),
        account__period_to__lte=now,
        **({"account__shift__slug__in": asked.shift} if asked.shift else {}),
    )
    grouped = (
        rows.order_by()
        .values_list("cell_id", EpochSeconds("account__on"))
        .annotate(
            delivered=FloatSum("minutes", filter=Q(mission__isnull=False)),
            passing=FloatSum("minutes", filter=Q(mission__isnull=True)),
        )
    )
    cell, day, values = _arrays(grouped, spec, asked.first, 2)
    found = [Minutes(cell, day, values[:, at]) for at in (0, 1)]
    return found[0].inside(values[:, 0] > 0), found[1].inside(values[:, 1] > 0)


def _lower_half(
    agency: Agency, asked: Asked, grid: Grid, spec: GridSpec, now: dt.datetime
) -> tuple[Floats, int, int, float | None]:
    """(mean share of harm by cell, designs read, plans, the target). Two queries."""
    plans = MissionPlan.objects.filter(
        agency=agency,
        grid=grid,
        state=MissionPlan.State.PUBLISHED,
        status=RunStatus.SUCCEEDED,
        decision=0,
        on__range=(asked.first, asked.last),
        period_to__lte=now,
        **({"shift__slug__in": asked.shift} if asked.shift else {}),
    ).order_by("period_from")
    counts = list(plans.values_list("pk", "counts"))
    picked = (
        {counts[at][0] for at in np.linspace(0, len(counts) - 1, min(len(counts), MOST_DESIGNS)).astype(int)}
        if counts
        else set()
    )
    total, times = np.zeros(len(spec)), np.zeros(len(spec))
    designs = 0
    for design in MissionPlan.objects.filter(pk__in=picked).exclude(design=b"").values_list("design", flat=True):  # fmt: skip
        draw = design_from_bytes(bytes(design))
        designs += 1
        total[draw.cell] += draw.harm / (draw.harm.sum() or 1.0)
        times[draw.cell] += 1
    harm = np.divide(total, times, out=np.full(len(spec), np.nan), where=times > 0)
    promised = [
        (float(one.get("missions", 0)), float(one["low_risk_share"]))
        for _, one in counts
        if one and one.get("low_risk_share") is not None
    ]
    missions = sum(n for n, _ in promised)
    return harm, designs, len(counts), sum(n * share for n, share in promised) / missions if missions else None  # fmt: skip


def low_share(harm: Floats, minutes: Floats) -> float | None:
    """The part of minutes in the lower half of cells by harm, 0..1; None without designs or minutes."""
    known = ~np.isnan(harm)
    if not known.any() or not minutes[known].any():
        return None
    return low_risk_share(harm[known], minutes[known])


def most_in_window(minutes: Minutes, n_cells: int, window: int, days: int) -> Floats:
    """The most minutes that each cell had in any ``window`` days in a row that end in the period: float64[N]."""
    most = np.zeros(n_cells)
    cells, place = np.unique(minutes.cell, return_inverse=True)
    # In parts: 25,600 cells times two years of days would be 150 MB at once.
    for first in range(0, len(cells), 4_000):
        own = (place >= first) & (place < first + 4_000)
        part = np.zeros((min(4_000, len(cells) - first), days + window))
        np.add.at(part, (place[own] - first, minutes.day[own] + window), minutes.values[own])
        running = part.cumsum(axis=1)
        most[cells[first : first + 4_000]] = (running[:, window:] - running[:, :-window]).max(axis=1)
    return most
