"""What the exposure audit counts: minutes as designed and as delivered, crimes and residents, by block of time and cell."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Max, Sum
from django.utils.translation import gettext as _
from shapely.geometry import shape

from agencies.models import Agency, Beat
from forecasting.engine.census import people_per_cell
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import active_grid, cell_beats, grid_spec
from ingestion.models import CensusArea
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from patrols.engine.oversight import low_risk_share, predictability
from patrols.engine.plan import DesignCodecError, PlanDraw, design_from_bytes
from patrols.models import Mission, MissionPlan, Presence
from tactics.engine.exposure import as_if_minutes
from tactics.reports.asked import Asked
from tactics.reports.crimes import crimes_of
from tactics.studies.plans import PlanRow, plan_rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PLANS_AT_ONCE = 64
LEAST_WEEKS = 8
"""With fewer weeks than this, blocks are days: a handful of blocks says little of how sure a ratio is."""


@dataclass
class DesignFigures:
    """What the plans' draws were like, summed over plans."""

    plans: int = 0
    candidates: int = 0
    with_chance: int = 0
    drawn: int = 0
    highest: float = 0.0
    lowest: float = 1.0
    predictability: list[float] = field(default_factory=list)
    low_risk: list[float] = field(default_factory=list)
    unreadable: int = 0
    other_grid: int = 0


@dataclass(frozen=True, eq=False)
class ExposureInputs:
    """Everything by cell of the grid in use. Arrays [B, N] over blocks of time, but for the last four.

    Attributes:
        blocks: in words, e.g. "weeks".
        as_if, actual: minutes of missions as designed, and as delivered.
        crimes: reported crimes of the active types.
        missions: missions that stood at the end.
        harm: mean harm forecast for a shift where the cell was a candidate, NaN where it never was, [N].
        residents: by the newest census, [N]; None without one.
        beat: index into ``beats``, -1 for none, [N]; district: index into ``districts``, [N].
    """

    grid: Grid
    spec: GridSpec
    blocks: str
    as_if: Floats
    actual: Floats
    crimes: Floats
    missions: Floats
    harm: Floats
    residents: Floats | None
    census: str
    beat: Ints
    beats: list[str]
    district: Ints
    districts: list[str]
    design: DesignFigures
    crimes_outside: int


def exposure_inputs(
    agency: Agency, first: dt.date, last: dt.date, *, progress: Progress | None = None
) -> ExposureInputs:
    """Read the shifts that started on these local dates. Some 20 queries, and one for each 64 plans.

    Plans drawn on another grid than the one in use are counted and left out. Raises ``MissionsError`` where there is no grid, or
    no published plan on it.
    """
    grid = active_grid(agency)
    spec = grid_spec(grid)
    every = plan_rows(agency, first, last)
    rows = [row for row in every if row.grid_id == grid.pk]
    if not rows:
        raise MissionsError(
            _(
                "No plan was published on the grid in use between %(first)s and %(last)s: there is nothing to tell."
            )
            % {"first": first, "last": last},
            next_step=_("choose a period in which plans were published."),
        )
    place, n_blocks, words = _blocks(rows, first, last)
    n = len(spec)
    figures = DesignFigures(other_grid=len(every) - len(rows))
    as_if = np.zeros((n_blocks, n))
    harm, seen = np.zeros(n), np.zeros(n)
    for done, (row, draw) in enumerate(_designs(rows, figures), start=1):
        as_if[place(row.on)] += as_if_minutes(
            n, cell=draw.cell, pi=draw.pi, dose_minutes=draw.dose_minutes, visit_starts=draw.visit_start_minutes
        )  # fmt: skip
        harm += np.bincount(draw.cell, weights=draw.harm, minlength=n)
        seen += np.bincount(draw.cell, minlength=n)
        _add(figures, draw)
        if progress:
            progress(done, len(rows), "reading plans")
    missions = _missions(agency, rows, spec, as_if, place)
    crimes, outside = _crimes(agency, first, last, n_blocks, n, place)
    residents, census = residents_of(agency, grid, on=last)
    beat, beats, district, districts = _areas(agency, grid)
    with np.errstate(invalid="ignore"):
        mean = np.where(seen > 0, harm / np.maximum(seen, 1), np.nan)
    return ExposureInputs(
        grid=grid, spec=spec, blocks=words, as_if=as_if, actual=_delivered(agency, grid, first, last, n_blocks, n, place),
        crimes=crimes, missions=missions, harm=mean, residents=residents, census=census, beat=beat, beats=beats,
        district=district, districts=districts, design=figures, crimes_outside=outside,
    )  # fmt: skip


def _blocks(rows: list[PlanRow], first: dt.date, last: dt.date) -> tuple[Any, int, str]:
    """(block of a date, number of blocks, their name): weeks from the first day on, or days where these are few."""
    days = (last - first).days + 1
    weekly = len({(row.on - first).days // 7 for row in rows}) >= LEAST_WEEKS
    length = 7 if weekly else 1
    return (lambda on: (on - first).days // length), -(-days // length), "weeks" if weekly else "days"


def _designs(rows: list[PlanRow], figures: DesignFigures) -> Iterator[tuple[PlanRow, PlanDraw]]:
    for at in range(0, len(rows), PLANS_AT_ONCE):
        part = {row.pk: row for row in rows[at : at + PLANS_AT_ONCE]}
        stored = MissionPlan.objects.filter(pk__in=list(part)).order_by("period_from", "decision", "pk")
        for pk, design in stored.values_list("pk", "design").iterator(chunk_size=8):
            try:
                yield part[pk], design_from_bytes(design)
            except DesignCodecError:
                figures.unreadable += 1


def _add(figures: DesignFigures, draw: PlanDraw) -> None:
    figures.plans += 1
    if not len(draw):
        return
    figures.candidates += len(draw)
    figures.with_chance += int(((draw.pi > 0) & (draw.pi < 1)).sum())
    figures.drawn += int(draw.drawn.sum())
    figures.highest = max(figures.highest, float(draw.pi.max()))
    figures.lowest = min(figures.lowest, float(draw.pi.min()))
    beat_k = {int(beat): int(k) for beat, k in zip(draw.beat_id, draw.beat_k, strict=True)}
    figures.predictability.append(predictability(draw.pi, draw.beat, beat_k))
    figures.low_risk.append(low_risk_share(draw.harm, draw.pi))


def _missions(agency: Agency, rows: list[PlanRow], spec: GridSpec, as_if: Floats, place: Any) -> Floats:
    """Missions that stood at the end, by block and cell; those that people asked for before a draw join the design with a chance of 1."""
    on = {row.pk: row.on for row in rows}
    found = np.zeros_like(as_if)
    missions = list(
        Mission.objects.filter(agency=agency, plan__in=list(on))
        .order_by()
        .values_list(
            "plan_id", "cell_id", "source", "addition_id", "dose_minutes", "visit_starts", "withdrawn_at"
        )
        .iterator(chunk_size=2000)
    )
    cells = spec.index_of([row[1] for row in missions])
    for cell, (plan_id, _cell, source, addition, dose, starts, withdrawn) in zip(
        cells, missions, strict=True
    ):
        if cell < 0:
            continue
        block = place(on[plan_id])
        if source == Mission.Source.ADDED and addition is not None:
            as_if[block, cell] += dose * len(starts)
        found[block, cell] += withdrawn is None
    return found


def _delivered(
    agency: Agency, grid: Grid, first: dt.date, last: dt.date, n_blocks: int, n: int, place: Any
) -> Floats:
    spec = grid_spec(grid)
    found = np.zeros((n_blocks, n))
    rows = (
        Presence.objects.filter(
            agency=agency, grid=grid, mission__isnull=False, account__on__range=(first, last)
        )
        .order_by()
        .values_list("account__on", "cell_id")
        .annotate(minutes=Sum("minutes"))
    )
    spent = list(rows)
    cells = spec.index_of([cell_id for _, cell_id, _ in spent])
    for cell, (on, _cell, minutes) in zip(cells, spent, strict=True):
        if cell >= 0:
            found[place(on), cell] += minutes
    return found


def _crimes(
    agency: Agency, first: dt.date, last: dt.date, n_blocks: int, n: int, place: Any
) -> tuple[Floats, int]:
    """Reported crimes of the active types by block and cell, and how many lie outside every cell."""
    crimes = crimes_of(agency, Asked(first, last), since=first)
    found = np.zeros((n_blocks, n))
    kept = crimes.between(np.datetime64(first), np.datetime64(last))
    cells, days = crimes.cell[kept], crimes.day[kept]
    block = np.array([place(day) for day in days.astype(dt.date)], dtype=np.int64)
    inside = cells >= 0
    np.add.at(found, (block[inside], cells[inside]), 1.0)
    return found, int((~inside).sum())


def residents_of(agency: Agency, grid: Grid, *, on: dt.date) -> tuple[Floats | None, str]:
    """Return how many people live in each cell, and the census that says so; None without one. Two queries."""
    published = CensusArea.objects.filter(agency=agency, valid_from__lte=on, population__isnull=False)
    newest = published.aggregate(newest=Max("valid_from"))["newest"]
    if newest is None:
        return None, ""
    rows = list(
        published.filter(valid_from=newest).order_by("pk").values_list("geometry", "population", "source")
    )
    people = people_per_cell(
        grid_spec(grid), [shape(row[0]) for row in rows], [float(row[1] or 0.0) for row in rows]
    )
    return (people, f"{rows[0][2]} ({newest})") if people.sum() > 0 else (None, "")


def _areas(agency: Agency, grid: Grid) -> tuple[Ints, list[str], Ints, list[str]]:
    """(beat of each cell, beats' names, district of each cell, districts' names)."""
    rows = list(Beat.objects.filter(agency=agency).select_related("district").order_by("code"))
    districts = sorted({row.district.name or row.district.code for row in rows})
    number = {row.pk: at for at, row in enumerate(rows)}
    beat = np.array([number.get(int(pk), -1) for pk in cell_beats(grid)], dtype=np.int64)
    of_beat = [districts.index(row.district.name or row.district.code) for row in rows]
    # One more, for cells of no beat: their number is -1.
    return beat, [row.code for row in rows], np.array([*of_beat, -1], dtype=np.int64)[beat], districts
