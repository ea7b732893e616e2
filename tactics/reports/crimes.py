"""Crimes as reports count them: of which type, on which local day, in which beat and cell."""

import datetime as dt
import json
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import shapely
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat, CrimeType
from agencies.selectors import active_crime_types
from forecasting.engine.grid import GridSpec, to_metres
from forecasting.selectors import active_grid, grid_spec
from ingestion.engine.tables import IncidentTable
from ingestion.selectors import incident_table
from tactics.reports.asked import Asked

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crimes:
    """Crimes inside the choice of districts, beats and types, by time of occurrence; arrays of shape (n,).

    Attributes:
        types: the crime types that were asked for, in the agency's order; ``kind`` indexes them.
        day: local day of the beginning, datetime64[D].
        row: their places in ``table``.
        x_m, y_m: metres in the grid's projection.
        beat: index into ``beats``, -1 outside all of them.
        cell: index of the grid's cell, -1 outside.
        beats: (code, district's name) of every beat of the agency, by code.
        grid: key of the grid in use; ``spec`` says how it lies.
        data_from: the first local day of which the agency has any crime on record; None without any.
        read_at: when the database told all this.
    """

    types: list[CrimeType]
    kind: Ints
    day: npt.NDArray[np.datetime64]
    table: IncidentTable
    row: Ints
    x_m: npt.NDArray[np.float64]
    y_m: npt.NDArray[np.float64]
    beat: Ints
    cell: Ints
    beats: list[tuple[str, str]]
    grid: int
    spec: GridSpec
    data_from: np.datetime64 | None
    read_at: dt.datetime

    def between(self, first: np.datetime64, last: np.datetime64) -> npt.NDArray[np.bool_]:
        """Which crimes began on these local days, both included."""
        found: npt.NDArray[np.bool_] = (self.day >= first) & (self.day <= last)
        return found


@dataclass(frozen=True)
class CrimesRead:
    """Every crime of some local days, as the database told it at one time: whatever is asked of them later.

    Attributes:
        table: the crimes of all active types, by time of occurrence.
        beat, cell: where each lies, int64[n], as in ``Crimes``.
        beats: (code, district's name, district's code) of every beat.
        grid: key of the grid in use; ``spec`` says how it lies.
        since: the first local day that was read; ``read_at``: when that was.
    """

    table: IncidentTable
    beat: Ints
    cell: Ints
    beats: list[tuple[str, str, str]]
    grid: int
    spec: GridSpec
    since: dt.date
    read_at: dt.datetime


def crimes_of(agency: Agency, asked: Asked, *, since: dt.date, until: dt.date | None = None) -> Crimes:
    """Return the crimes of local days from ``since`` to ``until``, both included; without it to the last one asked for.

    Nine queries, two more with gunfire. Raises ``MissionsError`` where there is no grid yet.
    """
    until = until or asked.last
    return crimes_asked(crimes_read(agency, since, until), active_crime_types(agency), asked, since, until)


def crimes_read(agency: Agency, since: dt.date, last: dt.date) -> CrimesRead:
    """Read the crimes of these local days, both included. Eight queries, two more with gunfire.

    Raises ``MissionsError`` where there is no grid yet.
    """
    grid, read_at = active_grid(agency), timezone.now()
    spec = grid_spec(grid)
    table = incident_table(
        agency,
        epsg=spec.epsg,
        since=_midnight(since, agency.time_zone),
        until=_midnight(last + dt.timedelta(days=1), agency.time_zone),
        with_calls=False,
    )
    beats, areas = beat_areas(agency, spec.epsg)
    return CrimesRead(
        table=table,
        beat=area_of_points(areas, table.x_m, table.y_m),
        cell=spec.locate(table.x_m, table.y_m),
        beats=beats,
        grid=grid.pk,
        spec=spec,
        since=since,
        read_at=read_at,
    )


def crimes_asked(
    read: CrimesRead, types: list[CrimeType], asked: Asked, since: dt.date, until: dt.date
) -> Crimes:
    """Return what was asked for of the crimes that were read. ``types`` are the agency's active ones, all of which were read. No query."""
    table = read.table
    local = table.occurred_local.astype("datetime64[D]")
    asked_for = [crime_type for crime_type in types if asked.lets(type=crime_type.slug)]
    number = np.full(len(table.categories) + 1, -1, dtype=np.int64)
    known = np.zeros(len(table.categories) + 1, dtype=bool)
    for crime_type in types:
        known[table.categories.index(crime_type.slug)] = True
    for position, crime_type in enumerate(asked_for):
        number[table.categories.index(crime_type.slug)] = position
    category = table.category.astype(np.int64)
    kind = number[category]
    inside = (local >= np.datetime64(since)) & (local <= np.datetime64(until))
    crimes = inside & known[category]
    kept = inside & (kind >= 0)
    if asked.district or asked.beat:
        chosen = [asked.lets(district=code[2], beat=code[0]) for code in read.beats]
        kept &= (read.beat >= 0) & np.array([*chosen, False])[read.beat]
    row = np.flatnonzero(kept)
    return Crimes(
        types=asked_for,
        kind=kind[row],
        day=local[row],
        table=table,
        row=row,
        x_m=table.x_m[row],
        y_m=table.y_m[row],
        beat=read.beat[row],
        cell=read.cell[row],
        beats=[(code, name) for code, name, _ in read.beats],
        grid=read.grid,
        spec=read.spec,
        data_from=local[crimes].min() if crimes.any() else None,
        read_at=read.read_at,
    )


def _midnight(day: dt.date, zone: str) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(zone))


def beat_areas(agency: Agency, epsg: int) -> tuple[list[tuple[str, str, str]], npt.NDArray[np.object_]]:
    """Return (code, district's name, district's code) of the agency's beats, by code, and their areas in metres. One query."""
    rows = list(
        Beat.objects.filter(agency=agency)
        .order_by("code")
        .annotate(text=Cast("geometry", TextField()))
        .values_list("code", "district__name", "district__code", "text")
    )
    areas = np.array(
        [to_metres(polygon_from_geojson(json.loads(text)), epsg) for *_, text in rows], dtype=object
    )
    return [(code, name or district, district) for code, name, district, _ in rows], areas


def area_of_points(
    areas: npt.NDArray[np.object_], x_m: npt.NDArray[np.float64], y_m: npt.NDArray[np.float64]
) -> Ints:
    """The area that holds each point, the first by order on a shared edge, -1 for none."""
    found = np.full(len(x_m), -1, dtype=np.int64)
    shapely.prepare(areas)
    # Area by area over the points in its box, without making a geometry of each point, which took ten times as long.
    order = np.argsort(x_m)
    x, y = x_m[order], y_m[order]
    bounds = shapely.bounds(areas).reshape(-1, 4)
    begins, ends = np.searchsorted(x, bounds[:, 0], "left"), np.searchsorted(x, bounds[:, 2], "right")
    # The last one to write is the first by order.
    for number in range(len(areas) - 1, -1, -1):
        column = slice(begins[number], ends[number])
        near = (
            np.flatnonzero((y[column] >= bounds[number, 1]) & (y[column] <= bounds[number, 3]))
            + begins[number]
        )
        inside = shapely.intersects_xy(areas[number], x[near], y[near])
        found[order[near[inside]]] = number
    return found
