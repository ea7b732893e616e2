"""Riverton as a place to try missions in: the crimes expected in each cell and shift of the week, from the known truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from forecasting.engine.grid import GridSpec, grid_build
from missions_project.demo.city import City, build_city
from missions_project.demo.files import DEFAULT_SEED
from missions_project.demo.intensity import (
    CRIME_TYPES,
    GUNFIRE,
    MODELS,
    background_per_year,
    known_intensity,
)
from missions_project.demo.places import EPSG
from missions_project.demo.profiles import hour_axis, hour_of_week_profile, weather
from tactics.engine.impact.worlds import SHIFT_MINUTES, SHIFTS_A_WEEK, World

HOURS_A_YEAR = 365.25 * 24.0


def riverton_rates(city: City, grid: GridSpec) -> dict[str, npt.NDArray[np.float64]]:
    """Return reported crime by type, all but gunfire, expected in each cell and 8-hour third of the week: float64[21, N].

    The truth's lasting surfaces and hours of the week, at the level of all crime (repeats included); season, weather and
    the single repeats are left out. ``grid`` may be in any system of coordinates; Monday's first third comes first.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([city.seed, 2]).spawn(4)]
    hours = hour_axis(0, 24)
    truth = known_intensity(streams[2], city=city, hours=hours, sky=weather(streams[0], hours), events=())
    x_m, y_m = city.places.x_m, city.places.y_m
    if grid.epsg != EPSG:
        x_m, y_m = Transformer.from_crs(EPSG, grid.epsg, always_xy=True).transform(x_m, y_m)
    place_cell = grid.locate(x_m, y_m)
    inside = place_cell >= 0
    background = background_per_year()
    shift_hours = SHIFT_MINUTES // 60
    found: dict[str, npt.NDArray[np.float64]] = {}
    owner = 0
    for k_type, name in enumerate(CRIME_TYPES):
        per_hour = np.zeros((168, len(grid)))
        level = MODELS[name].per_year / background[k_type] / HOURS_A_YEAR
        for part in MODELS[name].components:
            if k_type != GUNFIRE:
                here = np.bincount(
                    place_cell[inside],
                    truth.surfaces[owner].astype(np.float64)[inside],
                    minlength=len(grid),
                )
                per_hour += level * hour_of_week_profile(part.hours)[:, None] * here[None, :]
            owner += 1
        if k_type != GUNFIRE:
            found[name] = per_hour.reshape(SHIFTS_A_WEEK, shift_hours, len(grid)).sum(axis=1)
    return found


def riverton_world(seed: int = DEFAULT_SEED, cell_size_m: float = 500.0, k: int = 2) -> World:
    """Return Riverton with its beats and the sum of ``riverton_rates``, for 2,000 histories in minutes.

    Cells of 500 m: about 30 a beat.
    """
    city = build_city(seed)
    grid = grid_build(city.boundary, cell_size_m, EPSG)
    rates = sum(riverton_rates(city, grid).values(), np.zeros((SHIFTS_A_WEEK, len(grid))))
    x_m, y_m = grid.centres()
    beat_of_cell = np.full(len(grid), -1, dtype=np.int64)
    for number, beat in enumerate(city.beats):
        beat_of_cell[shapely.contains_xy(beat.shape, x_m, y_m)] = number
    return World(grid, beat_of_cell, rates, k)
