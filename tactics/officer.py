"""What the officer's page shows, worked out from rows: which mission is next, whether it is dark, the box's surroundings."""

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
import shapely.geometry

from agencies.models import Agency, Unit
from forecasting.engine.grid import GridSpec, unproject
from missions_project.lib.lazy import gettext_lazy
from patrols.board import MissionRow, box_rings, mission_rows, visits_to
from patrols.models import Engagement, Mission
from tactics.engine.sun import is_sun_down, sun_times

NIGHT_FROM_HOUR, NIGHT_TO_HOUR = 19, 7
"""When it is taken to be dark where an agency has no area yet, and so no sky."""
LOOKS = {"auto": gettext_lazy("Auto"), "light": gettext_lazy("Light"), "dark": gettext_lazy("Dark")}
LOOK_COOKIE = "officer_look"
NEAR_M = 500.0
"""Streets this close to the box are drawn with it: enough to know the corner, small enough for a phone."""

STATE_WORDS = {
    "here": gettext_lazy("You are here"),
    "now": gettext_lazy("Due now"),
    "later": gettext_lazy("Later"),
    "overdue": gettext_lazy("Window passed"),
    "done": gettext_lazy("Done"),
    "withdrawn": gettext_lazy("Withdrawn"),
}


@dataclass(frozen=True)
class Sky:
    """Whether it is dark over the agency now, and from when to when it will be: the page turns by itself off line too."""

    is_dark: bool
    nights: tuple[tuple[dt.datetime, dt.datetime], ...]


def sky_over(agency: Agency, now: dt.datetime) -> Sky:
    """Return whether the sun is down at the middle of the agency's boundary. No query.

    Without a boundary of its own, from 19:00 up to, not including, 07:00 by the agency's clock.
    """
    zone = ZoneInfo(agency.time_zone)
    today = now.astimezone(zone).date()
    days = [today + dt.timedelta(days=number) for number in (-1, 0, 1)]
    if not agency.boundary:
        hours = (dt.time(NIGHT_FROM_HOUR), dt.time(NIGHT_TO_HOUR))
        clock = [
            (
                dt.datetime.combine(day, hours[0], zone),
                dt.datetime.combine(day + dt.timedelta(days=1), hours[1], zone),
            )
            for day in days
        ]
        return Sky(any(start <= now < end for start, end in clock), tuple(clock))
    west, south, east, north = shapely.geometry.shape(agency.boundary).bounds
    lat, lon = (south + north) / 2, (west + east) / 2
    suns = [sun_times(day, lat=lat, lon=lon) for day in [*days, today + dt.timedelta(days=2)]]
    nights = tuple(
        (one[1], following[0])
        for one, following in pairwise(suns)
        if one is not None and following is not None
    )
    return Sky(is_sun_down(now, lat=lat, lon=lon), nights)


@dataclass(frozen=True)
class MyMission:
    """A mission as one unit sees it: which visit comes next (None when all are made) and what it has done there."""

    row: MissionRow
    state: str
    visit: tuple[dt.datetime, dt.datetime] | None
    visits_made: int
    minutes: float
    open_visit: Engagement | None

    @property
    def mission(self) -> Mission:
        return self.row.mission

    @property
    def key(self) -> int:
        """The mission's number in addresses. Made-up missions count downwards from -1: no row has such a number."""
        return abs(self.mission.pk)

    @property
    def centre(self) -> tuple[float, float] | None:
        """The middle of the box (longitude, latitude), for distances worked out on the phone. No query."""
        grid = self.mission.plan.grid
        if grid is None:
            return None
        spec = GridSpec.from_bytes(bytes(grid.spec))
        at = spec.index_of([self.mission.cell_id])
        if at[0] < 0:
            return None
        x_m, y_m = spec.centres()
        lon, lat = unproject(x_m[at], y_m[at], spec.epsg)
        return round(float(lon[0]), 5), round(float(lat[0]), 5)

    @property
    def state_word(self) -> str:
        return STATE_WORDS[self.state]

    @property
    def visits_planned(self) -> int:
        return len(self.row.visits)


def my_missions(missions: list[Mission], *, unit: Unit, zone: str, now: dt.datetime) -> list[MyMission]:
    """Return the unit's view of its missions, in the order given. No query when fetched with details.

    The next visit is the first one not yet made whose window has not passed, else the last one not made. Visits of
    another unit to the same mission do not count.
    """
    return [_my_mission(row, unit, now) for row in mission_rows(missions, zone=zone, now=now)]


def _my_mission(row: MissionRow, unit: Unit, now: dt.datetime) -> MyMission:
    own = [visit for visit in visits_to(row.mission) if visit.unit_id == unit.pk]
    open_visit = next((visit for visit in own if visit.left_at is None), None)
    ended = [visit for visit in own if visit.left_at is not None]
    waiting = row.visits[len(ended) :]
    visit = next((window for window in waiting if window[1] >= now), waiting[-1] if waiting else None)
    if open_visit is not None:
        state = "here"
    elif row.mission.withdrawn_at is not None:
        state = "withdrawn"
    elif visit is None:
        state = "done"
    elif visit[1] < now:
        state = "overdue"
    else:
        state = "now" if visit[0] <= now else "later"
    return MyMission(row, state, visit, len(ended), sum(v.minutes or 0.0 for v in ended), open_visit)


def next_of(mine: list[MyMission]) -> MyMission | None:
    """Return the mission for the big card: where the timer runs, else the next window, else the last one passed."""
    for wanted in (("here",), ("now", "later")):
        found = [row for row in mine if row.state in wanted and (row.visit or row.open_visit)]
        if found:
            return min(found, key=lambda row: (row.visit or row.row.visits[-1])[0])
    overdue = [row for row in mine if row.state == "overdue"]
    return max(overdue, key=lambda row: row.row.visits[-1][0], default=None)


def dose_percent(seconds: float, dose_minutes: int) -> int:
    """How much of the recommended stay is over, in whole per cent, at most 100."""
    return min(100, int(100 * max(seconds, 0.0) / (60 * dose_minutes)))


def place_geojson(
    mission: Mission,
    others: list[Mission],
    *,
    beat_geometry: dict[str, object],
    streets: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the mission's box with its beat, the streets near it and the unit's other boxes, in WGS84.

    Streets are cut to 500 m around the box. Boxes of another grid are left out. Properties: ``kind`` is beat, street,
    other or box; boxes carry number, letter and colour.
    """
    assert mission.plan.grid is not None  # a published plan has a grid
    spec = GridSpec.from_bytes(bytes(mission.plan.grid.spec))
    same_grid = [other for other in others if other.plan.grid_id == mission.plan.grid_id]
    features = [_feature(beat_geometry, kind="beat", label=mission.beat.code)]
    features += _streets_near(spec, mission.cell_id, streets)
    drawn = [*same_grid, mission]
    for row, ring in zip(drawn, box_rings(spec, [row.cell_id for row in drawn]), strict=True):
        features.append(
            _feature(
                {"type": "Polygon", "coordinates": [ring]},
                kind="box" if row.pk == mission.pk else "other",
                number=row.number,
                letter=row.crime_type.letter,
                colour=row.crime_type.colour,
            )
        )
    return {"type": "FeatureCollection", "features": features}


def _feature(geometry: Any, **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def area_geojson(
    beats: list[tuple[str, dict[str, Any]]], *, own: str, streets: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the beats (code, outline) with the streets of the own one, in WGS84: where a hunch can be tapped.

    Without an own beat all streets are left out: a city's are too many for a phone.
    """
    features = [
        _feature(geometry, kind="own" if code == own else "beat", label=code) for code, geometry in beats
    ]
    mine = next((geometry for code, geometry in beats if code == own), None)
    if mine is not None:
        features += _streets_in(shapely.geometry.shape(mine).bounds, streets)
    return {"type": "FeatureCollection", "features": features}


def _streets_near(spec: GridSpec, cell_id: int, streets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = int(spec.index_of([cell_id])[0])
    west, south, east, north = shapely.bounds(spec.boxes()[at])
    lon, lat = unproject(
        np.array([west - NEAR_M, east + NEAR_M]), np.array([south - NEAR_M, north + NEAR_M]), spec.epsg
    )
    return _streets_in((float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])), streets)


def _streets_in(
    window: tuple[float, float, float, float], streets: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    # A feature without a place is legal GeoJSON.
    streets = [feature for feature in streets if feature.get("geometry")]
    if not streets:
        return []
    lines = np.array([shapely.geometry.shape(feature["geometry"]) for feature in streets], dtype=object)
    near = np.flatnonzero(shapely.intersects(shapely.box(*window), lines))
    cut = shapely.clip_by_rect(lines[near], *window)
    return [
        _feature(
            shapely.geometry.mapping(line),
            kind="street",
            label=str((streets[index].get("properties") or {}).get("name") or ""),
        )
        for index, line in zip(near.tolist(), cut, strict=True)
        if not line.is_empty
    ]
