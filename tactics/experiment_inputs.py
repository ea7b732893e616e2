"""The agency's recent past in the form that an experiment is tried out on: shifts, where it would have gone, what happened.

Nothing here needs a plan, a unit or a model: an agency that has a grid, shifts and incidents can ask what a study would show.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, CrimeType
from agencies.selectors import active_crime_types
from forecasting.engine.grid import GridSpec
from forecasting.engine.periods import Periods
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import (
    active_grid,
    cell_beats,
    grid_spec,
    succeeded_forecasts,
    surface_values,
    type_weights,
)
from forecasting.selectors.inputs import agency_shifts, aware, periods_between, shift_windows, utc64
from ingestion.engine.tables import IncidentTable
from ingestion.selectors import incident_table
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from patrols.models import PatrolPolicy
from patrols.selectors import active_policy
from tactics.engine.experiment import counted, plain_counts
from tactics.engine.impact import PlanHistory
from tactics.engine.impact.batch import BeatLayout
from tactics.engine.impact.outcomes import neighbours_of
from tactics.engine.impact.study import Floats, Ints

STRETCH_DAYS = 84
"""Twelve weeks of the agency's past are planned again: enough crimes for a figure, near enough to be like tomorrow."""
SHORTEST_DAYS = 7
YEAR = dt.timedelta(days=365)
MOST_VALUES = 20_000_000
"""Shifts × cells × crime types held at once, 80 MB: a large city's stretch is shorter, and has as many crimes."""
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class ExperimentInputs:
    """What ``tactics.engine.experiment.experiment`` takes, and what a reader should know of it.

    ``crime`` float32[S, N] by the types' slugs: what was reported in each shift and cell of the stretch, which the harm
    used for planning it again did not know. ``forecasts``: shifts whose harm is a stored forecast's; the others have the
    plain count of the year before.
    """

    history: PlanHistory
    grid: GridSpec
    crime: dict[str, Floats]
    shift_minutes: int
    first: dt.date
    last: dt.date
    forecasts: int
    crimes: dict[str, int]


def experiment_inputs(
    agency: Agency,
    *,
    crime_types: list[CrimeType],
    now: dt.datetime | None = None,
    progress: Progress = no_progress,
) -> ExperimentInputs:
    """Lay the agency's last weeks with incidents as shifts to plan again. About 20 queries, and one for the forecasts' surfaces.

    Harm is that of each shift's own forecast where one is stored, else the plain count of the year before the stretch;
    crimes are those reported in the stretch. Raises ``MissionsError`` naming what is missing.
    """
    now = now or timezone.now()
    grid, windows = active_grid(agency), shift_windows(agency_shifts(agency))
    spec = grid_spec(grid)
    every = active_crime_types(agency)
    days = max(
        SHORTEST_DAYS,
        min(STRETCH_DAYS, MOST_VALUES // max(len(spec) * len(windows) * max(len(crime_types), 1), 1)),
    )
    progress(0, 4, "Reading incidents")
    table = incident_table(agency, epsg=grid.epsg, since=now - YEAR - dt.timedelta(days=2 * days), until=now)
    if len(table) == 0:
        raise MissionsError(
            _("No incident of the last year is known."), next_step=_("import incidents first (Data → Feeds).")
        )
    # A feed that is a month late must not make the last month look peaceful.
    end, begin = aware(table.occurred_utc[-1]), aware(table.occurred_utc[0])
    # Days before the first record are not peaceful but unknown; half of what is known must be left to count from.
    days = max(SHORTEST_DAYS, min(days, (end - begin).days // 2))
    periods = periods_between(windows, agency.time_zone, utc64(end - dt.timedelta(days=days)), utc64(end))
    if len(periods.from_utc) < 2:
        raise MissionsError(
            _("There are too few shifts in the agency's past to plan again."),
            next_step=_("set the shifts (Admin → Shifts) and import at least two weeks of incidents."),
        )
    beat_of_cell = cell_beats(grid)
    if not (beat_of_cell >= 0).any():
        raise MissionsError(_("No cell lies in a beat."), next_step=_("upload the beats (Admin → Beats)."))
    progress(1, 4, "Counting crimes by shift and box")
    cell, shift_of = spec.locate(table.x_m, table.y_m), _shift_of(table, periods)
    crime = {
        row.slug: counted(
            shift_of=np.where(_is(table, row.slug), shift_of, -1), cell=cell, shifts=len(periods.from_utc), cells=len(spec)
        )
        for row in crime_types
    }  # fmt: skip
    progress(2, 4, "Reading forecasts")
    harm, forecasts = _harm(agency, grid, spec, every, table, cell, periods)
    progress(3, 4, "Laying shifts")
    policy = (active_policy(agency) or PatrolPolicy(agency=agency)).as_design_policy()
    layout = BeatLayout.of(beat_of_cell, *spec.centres())
    plans = (len(periods.from_utc), len(layout.beat_id))
    history = PlanHistory(
        layout,
        policy,
        _days(periods.from_utc),
        _days(periods.to_utc),
        harm,
        np.ones(plans, dtype=np.int64),
        np.full(plans, policy.visits_per_cell, dtype=np.int64),
    )
    minutes = (periods.to_utc - periods.from_utc).astype("timedelta64[m]").astype(np.int64)
    return ExperimentInputs(
        history=history,
        grid=spec,
        crime=crime,
        shift_minutes=int(np.median(minutes)),
        first=aware(periods.from_utc[0]).date(),
        last=aware(periods.from_utc[-1]).date(),
        forecasts=forecasts,
        crimes={slug: int(values.sum()) for slug, values in crime.items()},
    )


def _days(instants: np.ndarray) -> Floats:  # type: ignore[type-arg]
    since: Floats = instants.astype("datetime64[s]").astype(np.int64) / DAY_SECONDS
    return since


def _is(table: IncidentTable, slug: str) -> np.ndarray:  # type: ignore[type-arg]
    if slug not in table.categories:
        return np.zeros(len(table), dtype=np.bool_)
    mask: np.ndarray = table.category == table.categories.index(slug)  # type: ignore[type-arg]
    return mask


def _shift_of(table: IncidentTable, periods: Periods) -> Ints:
    """The shift instance in which each incident fell (the one begun last, where they overlap), -1 for none."""
    middle = table.occurred_utc + (table.occurred_to_utc - table.occurred_utc) // 2
    at = np.searchsorted(periods.from_utc, middle, side="right") - 1
    inside = (at >= 0) & (middle < periods.to_utc[np.maximum(at, 0)])
    return np.where(inside, at, -1).astype(np.int64)


def _harm(
    agency: Agency,
    grid: Grid,
    spec: GridSpec,
    types: list[CrimeType],
    table: IncidentTable,
    cell: Ints,
    periods: Periods,
) -> tuple[Floats, int]:
    """Each shift's harm [S, N]: of its forecast where there is one, else the plain count's; and how many have forecasts."""
    run_of: dict[Any, int] = {}
    first, last = aware(periods.from_utc[0]), aware(periods.from_utc[-1])
    runs = (
        succeeded_forecasts(agency)
        .filter(grid=grid, period_from__range=(first, last))
        .order_by("finished_at")
    )
    shift_at: dict[Any, int] = {one: number for number, one in enumerate(periods.from_utc.tolist())}
    sample = None
    for run in runs:
        # A later forecast of the same shift takes the place of an earlier one.
        key = utc64(run.period_from).tolist()
        if key in shift_at:
            run_of[key], sample = run.pk, run
    # District priorities need a forecast's grid of beats; before the first one the types' own weights stand.
    weights = (
        type_weights(sample, types) if sample else {row: np.full(len(spec), row.weight) for row in types}
    )
    before = (table.occurred_utc < periods.from_utc[0]) & (cell >= 0)
    ring = neighbours_of(spec)
    plain = np.zeros(len(spec))
    for row in types:
        mine = before & _is(table, row.slug)
        counts = np.bincount(cell[mine], minlength=len(spec)).astype(np.float64)
        plain += weights[row] * plain_counts(counts, ring)
    harm = np.tile(plain, (len(periods.from_utc), 1))
    number_of = {pk: shift_at[key] for key, pk in run_of.items()}
    made = dict.fromkeys(number_of, False)
    surfaces = RiskSurface.objects.filter(agency=agency, run__in=number_of).defer("baseline_values")
    for surface in surfaces.select_related("crime_type").iterator(chunk_size=200):
        if surface.crime_type not in weights:
            continue
        s = number_of[surface.run_id]
        if not made[surface.run_id]:
            harm[s], made[surface.run_id] = 0.0, True
        harm[s] += weights[surface.crime_type] * surface_values(surface, grid)
    return harm, sum(made.values())
