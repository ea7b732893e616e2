"""Riverton as a place to try missions in: the crimes expected in each cell and shift of the week, from the known truth."""

from __future__ import annotations

import numpy as np
import shapely

from forecasting.engine.grid import grid_build
from missions_project.demo.city import build_city
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


def riverton_world(seed: int = DEFAULT_SEED, cell_size_m: float = 500.0, k: int = 2) -> World:
    """Return Riverton with its beats and reported crime of all types but gunfire, by cell and shift of the week.

    The truth's lasting surfaces and hours of the week, at the level of all crime (repeats included); season, weather and
    the single repeats are left out, so that 2,000 histories take minutes. Cells of 500 m: about 30 a beat.
    """
    city = build_city(seed)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 2]).spawn(4)]
    hours = hour_axis(0, 24)
    truth = known_intensity(streams[2], city=city, hours=hours, sky=weather(streams[0], hours), events=())
    grid = grid_build(city.boundary, cell_size_m, EPSG)
    place_cell = grid.locate(city.places.x_m, city.places.y_m)
    background = background_per_year()
    per_hour = np.zeros((168, len(grid)))
    owner = 0
    for k_type, name in enumerate(CRIME_TYPES):
        level = MODELS[name].per_year / background[k_type] / HOURS_A_YEAR
        for part in MODELS[name].components:
            if k_type != GUNFIRE:
                here = np.bincount(
                    place_cell[place_cell >= 0],
                    truth.surfaces[owner].astype(np.float64)[place_cell >= 0],
                    minlength=len(grid),
                )
                per_hour += level * hour_of_week_profile(part.hours)[:, None] * here[None, :]
            owner += 1
    shift_hours = SHIFT_MINUTES // 60
    rates = per_hour.reshape(SHIFTS_A_WEEK, shift_hours, len(grid)).sum(axis=1)
    x_m, y_m = grid.centres()
    beat_of_cell = np.full(len(grid), -1, dtype=np.int64)
    for number, beat in enumerate(city.beats):
        beat_of_cell[shapely.contains_xy(beat.shape, x_m, y_m)] = number
    return World(grid, beat_of_cell, rates, k)
