"""Hunches whose time is over, scored as forecasts are: rows to arrays, and the three figures side by side."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun, Grid, RiskSurface
from forecasting.selectors import cell_beats, succeeded_forecasts, surface_values
from ingestion.selectors import incident_table
from tactics.engine.hunches import PlaceScore, place_score, top_cells
from tactics.models import Hunch

SCORED_DAYS = 180
"""Hunches that ended longer ago are left out: what is being judged is how well officers see now."""
SCORED_MOST = 400
FEWEST = 20
"""Below this many the page gives the figures and says that they decide nothing."""


@dataclass(frozen=True)
class HunchScores:
    """All scored hunches beside as many of the forecast's top cells and of random cells of the same beats."""

    hunches: PlaceScore
    top: PlaceScore
    random: PlaceScore
    shifts: int
    waiting: int
    without_forecast: int

    @property
    def is_few(self) -> bool:
        return self.hunches.n < FEWEST


def hunch_scores(agency: Agency, *, now: dt.datetime) -> HunchScores:
    """Score the agency's hunches that ended within half a year, the newest 400. Nine queries, two more a crime type.

    A hunch is scored over the shifts that lie wholly in its period and were forecast, on the hunch's grid, before they began.
    Its cell's events are those that the public reported in these shifts; expected is the stored forecast's count. Beside it
    stand the forecast's top cells of the same shifts and types, as many as there were hunches (the first hunch against the
    highest cell, and so on), and the mean over all cells of the hunch's beat, which is what a random one has.
    """
    rows = list(
        Hunch.objects.filter(agency=agency, period_to__gt=now - dt.timedelta(days=SCORED_DAYS))
        .select_related("grid", "crime_type")
        .order_by("-period_to")[:SCORED_MOST]
    )
    over = sorted((row for row in rows if row.period_to <= now), key=lambda row: (row.made_at, row.pk))
    collected = _Collected(over)
    for grid in {row.grid_id: row.grid for row in over}.values():
        _collect(agency, grid, [row for row in over if row.grid_id == grid.pk], collected)
    scored = np.flatnonzero(collected.shifts > 0)
    return HunchScores(
        hunches=place_score(collected.expected[0][scored], collected.observed[0][scored]),
        top=place_score(collected.expected[1][scored], collected.observed[1][scored]),
        random=place_score(
            collected.expected[2][scored], collected.observed[2][scored], collected.chance[scored]
        ),
        shifts=int(collected.shifts.sum()),
        waiting=len(rows) - len(over),
        without_forecast=len(over) - len(scored),
    )


class _Collected:
    """Sums by hunch: of its own cell, of the forecast's cell of its rank, of its beat's mean cell."""

    def __init__(self, hunches: list[Hunch]) -> None:
        self.number = {hunch.pk: index for index, hunch in enumerate(hunches)}
        self.expected = np.zeros((3, len(hunches)))
        self.observed = np.zeros((3, len(hunches)))
        self.chance = np.zeros(len(hunches))
        self.shifts = np.zeros(len(hunches), dtype=np.int64)


def _collect(agency: Agency, grid: Grid, hunches: list[Hunch], into: _Collected) -> None:
    spec = GridSpec.from_bytes(bytes(grid.spec))
    first, last = min(row.period_from for row in hunches), max(row.period_to for row in hunches)
    runs = _runs(agency, grid, first, last)
    if not runs:
        return
    beat_of = cell_beats(grid)
    position = dict(
        zip(
            (row.pk for row in hunches),
            spec.index_of([row.cell_id for row in hunches]).tolist(),
            strict=True,
        )
    )
    events = _Events(agency, spec, first, last)
    beat_counts: dict[int, npt.NDArray[np.float64]] = {}
    by_type: dict[int, list[Hunch]] = defaultdict(list)
    for hunch in hunches:
        by_type[hunch.crime_type_id].append(hunch)
    for crime_type_id, group in by_type.items():
        surfaces = {
            surface.run_id: surface
            for surface in RiskSurface.objects.filter(
                run__in=[run.pk for run in runs], crime_type=crime_type_id
            )
            if surface.grid_hash == grid.hash
        }
        slug = group[0].crime_type.slug
        for run in runs:
            there = [
                row for row in group if row.period_from <= run.period_from and run.period_to <= row.period_to
            ]
            if not there or run.pk not in surfaces:
                continue
            values = surface_values(surfaces[run.pk], grid).astype(np.float64)
            counts = events.counts(slug, run)
            best = top_cells(values, len(there))
            for rank, hunch in enumerate(there):
                at, number = position[hunch.pk], into.number[hunch.pk]
                if at < 0:
                    continue
                beat = np.flatnonzero(beat_of == beat_of[at])
                into.shifts[number] += 1
                for side, cells in enumerate((np.array([at]), best[[min(rank, len(best) - 1)]], beat)):
                    into.expected[side, number] += values[cells].mean()
                    into.observed[side, number] += counts[cells].mean()
                beat_counts[number] = beat_counts.get(number, np.zeros(len(beat))) + counts[beat]
    for number, counts in beat_counts.items():
        into.chance[number] = float((counts > 0).mean())


def _runs(agency: Agency, grid: Grid, first: dt.datetime, last: dt.datetime) -> list[ForecastRun]:
    """The last forecast of each shift instance that was made before it began. One query."""
    rows = succeeded_forecasts(agency).filter(grid=grid, period_from__gte=first, period_to__lte=last)
    newest: dict[tuple[int, dt.date], ForecastRun] = {}
    for run in rows.order_by("as_of", "pk"):
        # A forecast refreshed during the shift has seen some of what it is scored by.
        if run.as_of <= run.period_from:
            newest[run.shift_id, run.on] = run
    return list(newest.values())


class _Events:
    """What the public reported, by cell, in any shift."""

    def __init__(self, agency: Agency, spec: GridSpec, first: dt.datetime, last: dt.datetime) -> None:
        table = incident_table(agency, epsg=spec.epsg, since=first, until=last)
        self._cells = spec.locate(table.x_m, table.y_m)
        self._at, self._category, self._n = table.occurred_utc, table.category, len(spec)
        self._number = {slug: number for number, slug in enumerate(table.categories)}

    def counts(self, slug: str, run: ForecastRun) -> npt.NDArray[np.float64]:
        """Events of the type in each cell during the shift, float[N]."""
        first, last = (
            np.datetime64(at.astimezone(dt.UTC).replace(tzinfo=None), "s")
            for at in (run.period_from, run.period_to)
        )
        of_type = (self._category == self._number.get(slug, -1)) & (self._cells >= 0)
        during = of_type & (self._at >= first) & (self._at < last)
        return np.bincount(self._cells[during], minlength=self._n).astype(np.float64)
