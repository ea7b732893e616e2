"""What the shift map shows, worked out from rows: states, groups by beat, the timeline."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from agencies.models import Agency, Beat, CrimeType
from forecasting.engine.grid import GridSpec, unproject
from patrols.models import Mission, MissionPlan

STATES = ("planned", "assigned", "under way", "done", "missed", "withdrawn")


def mission_state(mission: Mission, now: dt.datetime) -> str:
    """Return one of ``STATES`` from the mission's own rows. No query when fetched with details."""
    if mission.withdrawn_at:
        return "withdrawn"
    visits = list(mission.engagements.all())
    if any(visit.left_at is None for visit in visits):
        return "under way"
    if visits:
        return "done"
    if now >= mission.plan.period_to:
        return "missed"
    return "assigned" if hasattr(mission, "assignment") else "planned"


@dataclass(frozen=True)
class MissionRow:
    """A mission as the list shows it; times in the agency's zone."""

    mission: Mission
    state: str
    visits: tuple[tuple[dt.datetime, dt.datetime], ...]

    @property
    def unit(self) -> str:
        return self.mission.assignment.unit.call_sign if hasattr(self.mission, "assignment") else ""

    @property
    def place(self) -> str:
        return self.mission.place or f"Cell {self.mission.cell_id}"


@dataclass(frozen=True)
class BeatRows:
    """A beat's missions, with the units that carry them out."""

    beat: Beat
    rows: tuple[MissionRow, ...]

    @property
    def harm(self) -> float:
        return sum(row.mission.harm for row in self.rows)

    @property
    def units(self) -> list[str]:
        return sorted({row.unit for row in self.rows if row.unit})


def mission_rows(missions: Iterable[Mission], *, zone: str, now: dt.datetime) -> list[MissionRow]:
    """Return the missions with their state and visit times. No query when fetched with details."""
    tz = ZoneInfo(zone)
    made = []
    for mission in missions:
        starts = [dt.datetime.fromisoformat(text).astimezone(tz) for text in mission.visit_starts]
        dose = dt.timedelta(minutes=mission.dose_minutes)
        made.append(
            MissionRow(mission, mission_state(mission, now), tuple((start, start + dose) for start in starts))
        )
    return made


def rows_by_beat(rows: list[MissionRow]) -> list[BeatRows]:
    """Group rows by beat, beats by code."""
    ordered = sorted(rows, key=lambda row: (row.mission.beat.code, row.mission.number))
    return [
        BeatRows(next(iter(group)).mission.beat, tuple(group))
        for group in (list(items) for _, items in groupby(ordered, key=lambda row: row.mission.beat_id))
    ]


def state_counts(rows: list[MissionRow]) -> list[tuple[str, int]]:
    """How many missions are in each state, only those that occur."""
    counts = {state: sum(row.state == state for row in rows) for state in STATES}
    return [(state, n) for state, n in counts.items() if n]


@dataclass(frozen=True)
class Bar:
    """A visit on the timeline; x and width in per cent of the shift, y a lane."""

    x: float
    width: float
    y: int
    row: MissionRow


@dataclass(frozen=True)
class Timeline:
    """The shift's visits as bars, its hours, and where now is (None outside the shift)."""

    bars: tuple[Bar, ...]
    hours: tuple[tuple[float, str], ...]
    now: float | None
    height: int


LANE_PX = 12


def timeline(plan: MissionPlan, rows: list[MissionRow], *, zone: str, now: dt.datetime) -> Timeline:
    """Lay visits out over the shift, each in the first lane that is free. No query."""
    length = (plan.period_to - plan.period_from).total_seconds()
    tz = ZoneInfo(zone)

    def per_cent(instant: dt.datetime) -> float:
        return round(100 * (instant - plan.period_from).total_seconds() / length, 3)

    bars: list[Bar] = []
    free_at: list[dt.datetime] = []
    visits = sorted(((*visit, row) for row in rows for visit in row.visits), key=lambda item: item[0])
    for start, end, row in visits:
        lane = next((i for i, free in enumerate(free_at) if free <= start), len(free_at))
        free_at[lane : lane + 1] = [end + dt.timedelta(minutes=4)]
        bars.append(Bar(per_cent(start), round(per_cent(end) - per_cent(start), 3), lane * LANE_PX, row))
    hours = []
    mark = plan.period_from.replace(minute=0, second=0)
    while mark <= plan.period_to:
        if mark >= plan.period_from:
            hours.append((per_cent(mark), f"{mark.astimezone(tz):%H}"))
        mark += dt.timedelta(hours=1)
    inside = plan.period_from <= now < plan.period_to
    return Timeline(
        tuple(bars), tuple(hours), per_cent(now) if inside else None, max(1, len(free_at)) * LANE_PX
    )


def box_rings(spec: GridSpec, cell_ids: Iterable[int]) -> list[list[list[float]]]:
    """Return each cell's outline as a closed GeoJSON ring in WGS84. Ids off the grid raise ``ValueError``."""
    at = spec.index_of(list(cell_ids))
    if (at < 0).any():
        raise ValueError("A mission lies outside the plan's grid.")
    rings = shapely.get_coordinates(spec.boxes()[at]).reshape(-1, 5, 2)
    lon, lat = unproject(rings[..., 0].ravel(), rings[..., 1].ravel(), spec.epsg)
    pairs = np.round(np.column_stack([lon, lat]), 6).reshape(-1, 5, 2)
    result: list[list[list[float]]] = pairs.tolist()
    return result


def missions_geojson(plan: MissionPlan, rows: list[MissionRow]) -> dict[str, Any]:
    """Return the plan's boxes as a FeatureCollection, numbered as in the list. No query."""
    assert plan.grid is not None  # a finished plan has a grid
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    rings = box_rings(spec, [row.mission.cell_id for row in rows])
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": row.mission.pk,
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": mission_properties(row),
            }
            for row, ring in zip(rows, rings, strict=True)
        ],
    }


def mission_properties(row: MissionRow) -> dict[str, Any]:
    """A mission's facts as plain data, for maps and exports."""
    mission = row.mission
    return {
        "number": mission.number,
        "beat": mission.beat.code,
        "place": row.place,
        "crime_type": mission.crime_type.slug,
        "label": mission.crime_type.name,
        "letter": mission.crime_type.letter,
        "colour": mission.crime_type.colour,
        "state": row.state,
        "unit": row.unit,
        "starts": [start.isoformat(timespec="minutes") for start, _ in row.visits],
        "dose_minutes": mission.dose_minutes,
        "expected": float(f"{mission.expected:.4g}"),
        "harm": float(f"{mission.harm:.4g}"),
        "probability": float(f"{mission.probability:.4g}"),
        "source": mission.source,
    }


def type_style_sheet(agency: Agency) -> str:
    """Return CSS that gives each crime type's box its colour: inline styles are blocked by the page's policy."""
    lines = []
    for crime_type in CrimeType.objects.filter(agency=agency):
        red, green, blue = (int(crime_type.colour[i : i + 2], 16) for i in (1, 3, 5))
        ink = "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"
        lines.append(
            f".type-{crime_type.slug}{{background:{crime_type.colour};border-color:{crime_type.colour};color:{ink};"
            f"fill:{crime_type.colour}}}"
        )
    return "\n".join(lines)
