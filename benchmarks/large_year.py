"""A year of a large city, written to the database fast: 277 beats, 25,600 cells, six years of crimes, a plan in each shift.

Used by the benchmarks of reports and of pages. On PostgreSQL rows go in by COPY; elsewhere in batches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.copied import copied

DAYS, YEARS_BEFORE = 365, 5
VISITED, TICKED = 0.7, 0.85
BATCH = 5_000


@dataclass(frozen=True)
class Size:
    """How much is written: the last ``days`` of the year from ``first`` have plans; crimes are those of one year."""

    first: dt.date
    days: int = DAYS
    missions: int = 1
    passing: int = 500
    crimes: int = 120_000
    latest: int = 0
    """So many of the latest forecasts and plans are kept whole, beside those that the reports lay out."""


def written(model: Any, rows: Iterator[Any]) -> int:
    """Write rows in batches, so that a million of them take the memory of a few thousand."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return _copied(model, rows)
    count = 0
    while batch := list(islice(rows, BATCH)):
        model.objects.bulk_create(batch, batch_size=BATCH)
        count += len(batch)
    return count


def _copied(model: Any, rows: Iterator[Any]) -> int:
    """COPY: five times as fast as INSERT, and what the database fills in by itself (the key) is left out."""
    from django.db import connection

    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    count = 0
    with copied(connection, model._meta.db_table, [field.column for field in fields]) as copy:
        for row in rows:
            copy.write_row(
                [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
            )
            count += 1
    return count


def crimes(agency: Any, grid: Any, size: Size, rng: np.random.Generator) -> int:
    """Six years of crimes, most of them near 300 streets."""
    from agencies.models import CrimeType
    from forecasting.engine.grid import unproject
    from forecasting.selectors import grid_spec
    from ingestion.models import Feed, Incident

    spec = grid_spec(grid)
    types = list(CrimeType.objects.filter(agency=agency))
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    n = size.crimes * (YEARS_BEFORE + 1)
    side = spec.n_cols * spec.cell_size_m
    centre = rng.random((300, 2)) * side
    street = rng.choice(300, n, p=rng.dirichlet(np.full(300, 0.4)))
    x_m, y_m = (
        np.where(rng.random(n) < 0.3, rng.random(n) * side, centre[street, axis] + rng.normal(0, 250, n))
        for axis in (0, 1)
    )
    lon, lat = unproject(spec.x0_m + x_m, spec.y0_m + y_m, spec.epsg)
    begin = dt.datetime.combine(size.first, dt.time(6), tzinfo=dt.UTC) - dt.timedelta(days=365 * YEARS_BEFORE)
    seconds = np.sort(rng.integers(0, 86_400 * (365 * YEARS_BEFORE + DAYS), n))
    kind = rng.choice(len(types), n, p=np.array([0.11, 0.12, 0.12, 0.14, 0.01, 0.5]))
    return written(
        Incident,
        (
            Incident(
                agency=agency, feed=feed, external_id=str(at), occurred_from=(on := begin + dt.timedelta(seconds=int(seconds[at]))),
                occurred_to=on, reported_at=on, lon=float(lon[at]), lat=float(lat[at]), content_hash=at,
                crime_type=types[kind[at]],
            )
            for at in range(n)
        ),
    )  # fmt: skip


def forecasts(
    agency: Any, grid: Any, instances: list[tuple[Any, dt.date]], latest: int, rng: np.random.Generator
) -> list[Any]:
    """A forecast a shift; surfaces with values for those that the effectiveness report lays out, else their totals."""
    from django.utils import timezone

    from agencies.models import CrimeType
    from agencies.selectors import shift_instance_of
    from forecasting.codec import surface_encode
    from forecasting.models import ForecastRun, ModelVersion, RiskSurface
    from missions_project.lib.runs import RunStatus
    from tactics.reports.caught import laid_out

    now = timezone.now()
    rows = []
    for shift, on in instances:
        begins, ends = shift_instance_of(agency, shift, on)
        rows.append(
            ForecastRun(
                agency=agency, shift=shift, on=on, period_from=begins, period_to=ends, as_of=begins, grid=grid, finished_at=now,
                status=RunStatus.SUCCEEDED, started_at=now, data_hash="d" * 64,
            )
        )  # fmt: skip
    runs = ForecastRun.objects.bulk_create(rows, batch_size=500)
    versions = {one.crime_type_id: one for one in ModelVersion.objects.filter(agency=agency)}
    full = laid_out([(run.shift_id, run.period_from, run.pk) for run in runs])
    full |= set(range(len(runs) - latest, len(runs)))
    surface = {
        one.pk: surface_encode(rng.gamma(0.3, 0.01, grid.n_cells))
        for one in CrimeType.objects.filter(agency=agency)
    }
    written(
        RiskSurface,
        (
            RiskSurface(
                agency=agency, run=run, crime_type_id=kind, model_version=versions[kind], grid_hash=grid.hash, expected_total=40.0,
                values=values if number in full else b"",
            )
            for number, run in enumerate(runs)
            for kind, values in surface.items()
        ),
    )  # fmt: skip
    return runs


def year(agency: Any, grid: Any, size: Size, rng: np.random.Generator) -> dict[str, int]:
    """Plans, missions, drawn tactics, visits, ticks and presence of a year, after one plan that was made as in service."""
    from agencies.models import Beat, CrimeType, Shift, Unit
    from forecasting.selectors import cell_beats, grid_spec
    from missions_project.lib.runs import RunStatus
    from patrols.models import Engagement, Mission, MissionPlan, Presence, PresenceAccount
    from patrols.services import plan_missions, plan_queue
    from tactics.models import Tactic, TacticDraw, TacticUse
    from tactics.reports.coverage_read import MOST_DESIGNS
    from tests.patrols.scenes import make_forecast

    shifts = list(Shift.objects.filter(agency=agency).order_by("starts_at"))
    before = size.first - dt.timedelta(days=30)
    make_forecast(agency, grid, shifts[2], before)
    model = plan_missions(plan=plan_queue(agency=agency, shift=shifts[2], on=before, seed=1), with_reasons=False)  # fmt: skip
    model.refresh_from_db()
    instances = [
        (shift, size.first + dt.timedelta(days=day))
        for day in range(DAYS - size.days, DAYS)
        for shift in shifts
    ]
    runs = forecasts(agency, grid, instances, size.latest, rng)
    full = set(np.linspace(0, len(runs) - 1, MOST_DESIGNS).astype(int).tolist())
    full |= set(range(len(runs) - size.latest, len(runs)))
    plans = MissionPlan.objects.bulk_create(
        (
            MissionPlan(
                agency=agency, shift=run.shift, on=run.on, period_from=run.period_from, period_to=run.period_to, grid=grid,
                forecast_run=run, seed=number, state="published", status=RunStatus.SUCCEEDED, counts=model.counts,
                design=bytes(model.design) if number in full else b"",
            )
            for number, run in enumerate(runs)
        ),
        batch_size=200,
    )  # fmt: skip
    accounts = PresenceAccount.objects.bulk_create(
        PresenceAccount(agency=agency, shift=plan.shift, on=plan.on, period_to=plan.period_to, done_at=plan.period_to)
        for plan in plans
    )  # fmt: skip
    spec, beat_of = grid_spec(grid), cell_beats(grid)
    beats = list(Beat.objects.filter(agency=agency).order_by("pk"))
    cells = {beat.pk: spec.cells[beat_of == beat.pk] for beat in beats}
    units = {unit.beat_id: unit.pk for unit in Unit.objects.filter(agency=agency)}
    types = [one.pk for one in CrimeType.objects.filter(agency=agency)]
    choices = dict(Tactic.objects.filter(agency=agency, is_enforcement=False).values_list("pk", "slug"))
    tactics, chance = list(choices), dict.fromkeys(choices.values(), 1 / len(choices))

    def missions() -> Iterator[Any]:
        for plan in plans:
            number = 0
            for beat in beats:
                for cell in rng.choice(cells[beat.pk], size.missions, replace=False).tolist():
                    number += 1
                    start = plan.period_from + dt.timedelta(minutes=int(rng.integers(0, 400)))
                    yield Mission(
                        agency=agency, plan=plan, beat=beat, number=number, cell_id=cell, crime_type_id=types[number % len(types)],
                        visit_starts=[start.isoformat()] * 2, starts_at=start, dose_minutes=12, expected=0.03, harm=0.1,
                        probability=0.2,
                    )  # fmt: skip

    found = {"missions": written(Mission, missions())}
    keys = list(
        Mission.objects.filter(plan__in=[plan.pk for plan in plans[:1]]).values_list("pk", flat=True)[:1]
    )
    rows = list(
        Mission.objects.filter(agency=agency, pk__gte=keys[0])
        .order_by("pk")
        .values_list("pk", "plan_id", "beat_id", "cell_id", "starts_at")
    )
    account_of = {plan.pk: account.pk for plan, account in zip(plans, accounts, strict=True)}
    drawn = rng.choice(tactics, len(rows))
    visited = rng.random(len(rows)) < VISITED
    length = rng.integers(5, 20, len(rows))
    found["draws"] = written(
        TacticDraw,
        (
            TacticDraw(agency=agency, mission_id=row[0], tactic_id=int(drawn[at]), probabilities=chance, method="weights", seed=at)
            for at, row in enumerate(rows)
        ),
    )  # fmt: skip
    been = [at for at in range(len(rows)) if visited[at]]
    found["visits"] = written(
        Engagement,
        (
            Engagement(
                agency=agency, mission_id=rows[at][0], unit_id=units[rows[at][2]], arrived_at=rows[at][4],
                left_at=rows[at][4] + dt.timedelta(minutes=int(length[at])),
            )
            for at in been
        ),
    )  # fmt: skip
    engagements = list(Engagement.objects.order_by("pk").values_list("pk", flat=True))
    done = np.where(rng.random(len(rows)) < 0.6, drawn, rng.choice(tactics, len(rows)))
    found["ticks"] = written(
        TacticUse,
        (
            TacticUse(agency=agency, engagement_id=pk, tactic_id=int(done[at]), was_recommended=True)
            for pk, at in zip(engagements, been, strict=True)
            if rng.random() < TICKED
        ),
    )

    def presence() -> Iterator[Any]:
        for at in been:
            pk, plan_id, beat_id, cell, start = rows[at]
            yield Presence(
                agency=agency, account_id=account_of[plan_id], unit_id=units[beat_id], mission_id=pk, plan_id=plan_id, grid=grid, beat_id=beat_id,
                cell_id=cell, arrived_at=start, left_at=start + dt.timedelta(minutes=int(length[at])), source="avl",
                minutes=float(length[at]),
            )  # fmt: skip
        for plan in plans:
            places = rng.integers(0, len(spec), size.passing)
            for place in places.tolist():
                yield Presence(
                    agency=agency, account_id=account_of[plan.pk], plan_id=plan.pk, grid=grid, cell_id=int(spec.cells[place]),
                    beat_id=int(beat_of[place]), arrived_at=plan.period_from, left_at=plan.period_to, source="avl", minutes=0.8,
                )  # fmt: skip

    found["presence"] = written(Presence, presence())
    return found | {"plans": len(plans)}


def planted(size: Size) -> tuple[Any, Any, dict[str, int]]:
    """Write the city and its year; the agency, its grid, and how many rows of each kind there are."""
    from django.db import connection

    from benchmarks.bench_plan import set_up

    rng = np.random.default_rng(7)
    agency, grid = set_up()
    made = year(agency, grid, size, rng)
    made["crimes"] = crimes(agency, grid, size, rng)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # As autovacuum does by itself in a database that lives for more than a minute.
            cursor.execute("ANALYZE")
    return agency, grid, made
