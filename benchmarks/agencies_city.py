"""Made-up agencies of three sizes, written to PostgreSQL fast: their areas, beats, units, grids and four years of crimes."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.copied import copied

CELL_M = 250
YEARS = 4
ZONE = "America/Chicago"
TYPES = (
    ("120", "robbery", 0.09), ("220", "burglary", 0.16), ("240", "vehicle-theft", 0.15), ("13A", "assault", 0.14),
    ("09A", "homicide", 0.01), ("23F", "theft", 0.45),
)  # fmt: skip
STREETS = 300
COPY_ROWS = 500_000
CSV = "(FORMAT csv, FORCE_NOT_NULL (code))"
COLUMNS = (
    "agency_id", "feed_id", "external_id", "code", "occurred_from", "occurred_to", "reported_at", "lon", "lat", "discovery",
    "time_precision", "content_hash", "imported_at", "crime_type_id",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A size of agency: ``share`` of all agencies, ``side`` cells along an edge, crimes a year."""

    name: str
    share: float
    side: int
    beats: int
    crimes_a_year: int


KINDS = (
    Kind("small", 0.70, 45, 4, 1_500),
    Kind("medium", 0.25, 89, 25, 12_000),
    Kind("large", 0.05, 158, 121, 60_000),
)


def mix(n: int) -> list[Kind]:
    """So many agencies in the mix, at least one of each size where there are three (else small ones), the sizes shuffled among each other."""
    counts = [max(1, round(kind.share * n)) if n > 2 else 0 for kind in KINDS]
    counts[0] = n - counts[1] - counts[2]
    kinds = [kind for kind, count in zip(KINDS, counts, strict=True) for _ in range(count)]
    return [kinds[at] for at in np.random.default_rng(5).permutation(len(kinds))]


def agencies_make(n: int) -> dict[str, Any]:
    """Write them all; what was written, by kind."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    rng = np.random.default_rng(16)
    found: dict[str, Any] = {kind.name: {"agencies": 0, "cells": 0, "incidents": 0} for kind in KINDS}
    for number, kind in enumerate(mix(n)):
        cells, incidents = agency_make(f"{kind.name}-{number}", kind, rng)
        row = found[kind.name]
        row["agencies"] += 1
        row["cells"] = cells
        row["incidents"] += incidents
    with connection.cursor() as cursor:
        # As autovacuum does by itself in a database that lives for more than a minute.
        cursor.execute("ANALYZE")
    return found


def agency_make(slug: str, kind: Kind, rng: np.random.Generator) -> tuple[int, int]:
    """One agency that can be trained, forecast and planned; its cells and crimes."""
    from django.utils import timezone

    from agencies.models import Agency, Beat, CrimeType, District, Shift, Unit
    from forecasting.models import ModelPolicy, TrainingRun
    from forecasting.services import grid_build
    from ingestion.models import Feed
    from missions_project.lib.runs import RunStatus
    from patrols.models import PatrolPolicy, PlanSchedule
    from tactics.services import starter_catalogue_create
    from tests.factories import rectangle

    side = kind.side * CELL_M
    agency = Agency.objects.create(
        slug=slug, name=slug, time_zone=ZONE, cell_size_m=CELL_M, boundary=rectangle(0, 0, side, side)
    )
    rows = round(kind.beats**0.5)
    step = side / rows
    for row in range(rows):
        district = District.objects.create(
            agency=agency, code=f"D{row}", geometry=rectangle(0, row * step, side, (row + 1) * step)
        )
        for column in range(rows):
            x, y = column * step, row * step
            beat = Beat.objects.create(
                agency=agency,
                district=district,
                code=f"{row:02}{column:02}",
                geometry=rectangle(x, y, x + step, y + step),
            )
            Unit.objects.create(agency=agency, call_sign=f"U{beat.code}", beat=beat)
    for name, hour in (("night", 0), ("day", 8), ("evening", 16)):
        Shift.objects.create(
            agency=agency, name=name, slug=name, starts_at=dt.time(hour), duration_minutes=480
        )
    for weight, (code, name, _) in enumerate(TYPES, 1):
        CrimeType.objects.create(
            agency=agency, name=name, slug=name, nibrs_code=code, weight=weight, letter=name[0].upper()
        )
    PatrolPolicy.objects.create(agency=agency)
    starter_catalogue_create(agency=agency)
    # Only the shift that comes next is planned, when the benchmark says so: see shift_choose.
    PlanSchedule.objects.create(agency=agency, is_on=False, lead_minutes=480)
    ModelPolicy.objects.update_or_create(
        agency=agency, defaults={"refit_days": 1, "drift_measured_at": timezone.now()}
    )
    # The first training is somebody's decision: from the second on they come by schedule.
    TrainingRun.objects.create(agency=agency, status=RunStatus.SUCCEEDED)
    grid = grid_build(agency=agency)
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    n = kind.crimes_a_year * YEARS
    crimes_copy(agency, feed, grid, n, rng)
    return grid.n_cells, n


def shift_choose() -> str:
    """Have each agency's next shift planned by schedule, and no other; its name."""
    from zoneinfo import ZoneInfo

    from django.utils import timezone

    from agencies.models import Shift
    from patrols.models import PlanSchedule

    hour = timezone.now().astimezone(ZoneInfo(ZONE)).hour
    name = ("day", "evening", "night")[hour // 8]
    PlanSchedule.objects.filter(shift__isnull=False).delete()
    PlanSchedule.objects.bulk_create(
        PlanSchedule(agency_id=shift.agency_id, shift=shift, lead_minutes=480)
        for shift in Shift.objects.filter(slug=name)
    )
    return name


def crimes_copy(
    agency: Any, feed: Any, grid: Any, n: int, rng: np.random.Generator, *, first: int = 0
) -> None:
    """So many crimes up to now, seven in ten near 300 streets, by COPY in pieces."""
    from django.db import connection

    from agencies.models import CrimeType
    from forecasting.engine.grid import unproject
    from forecasting.selectors import grid_spec

    spec = grid_spec(grid)
    ids = np.array([CrimeType.objects.get(agency=agency, slug=slug).pk for _, slug, _ in TYPES])
    side = spec.n_cols * spec.cell_size_m
    centre = rng.random((STREETS, 2)) * side
    share = rng.dirichlet(np.full(STREETS, 0.4))
    for begin in range(0, n, COPY_ROWS):
        size = min(COPY_ROWS, n - begin)
        street = rng.choice(STREETS, size, p=share)
        x_m, y_m = (
            np.clip(
                np.where(
                    rng.random(size) < 0.3,
                    rng.random(size) * side,
                    centre[street, axis] + rng.normal(0, 250, size),
                ),
                0,
                side,
            )
            for axis in (0, 1)
        )
        lon, lat = unproject(spec.x0_m + x_m, spec.y0_m + y_m, spec.epsg)
        kind = ids[rng.choice(len(ids), size, p=[share for *_, share in TYPES])]
        seconds = rng.integers(3_600, YEARS * 365 * 86_400, size)
        text = rows_text(agency.pk, feed.pk, first + begin, lon, lat, seconds, kind)
        with copied(connection, "ingestion_incident", COLUMNS, CSV) as copy:
            copy.write(text)


def rows_text(
    agency_id: int, feed_id: int, first: int, lon: Any, lat: Any, seconds_ago: Any, kind: Any
) -> bytes:
    """The rows as COPY reads them, ``seconds_ago`` before now."""
    import pyarrow as pa
    from pyarrow import csv

    n = len(lon)
    now = np.datetime64(dt.datetime.now(dt.UTC).replace(tzinfo=None), "s")
    at = pa.array((now - seconds_ago.astype("timedelta64[s]")).astype("datetime64[s]"))
    number: npt.NDArray[np.int64] = np.arange(first, first + n)

    def same(value: Any) -> Any:
        return pa.repeat(pa.scalar(value), n)

    columns = [
        same(agency_id), same(feed_id), pa.array(number).cast(pa.string()), same(""), at, at, at, pa.array(lon), pa.array(lat),
        same("reported"), same("minute"), pa.array(number), same(str(now)), pa.array(kind),
    ]  # fmt: skip
    sink = io.BytesIO()
    table = pa.table(dict(zip(COLUMNS, columns, strict=True)))
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()
