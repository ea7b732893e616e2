"""The demo city for a simulated year: its cells, beats and shifts, and the crimes that would happen if nobody patrolled."""

from dataclasses import dataclass
from datetime import date, time

import numpy as np
import numpy.typing as npt
import shapely

from agencies.engine.offence_codes import OFFENCE_CLASSES
from agencies.engine.shift_clock import ShiftHours, instances_array
from forecasting.engine.grid import GridSpec, grid_build
from forecasting.engine.periods import Periods, ShiftWindow
from ingestion.engine.tables import IncidentTable
from missions_project.demo.city import build_city
from missions_project.demo.events import draw_history
from missions_project.demo.files import DEFAULT_SEED
from missions_project.demo.intensity import CRIME_TYPES, MODELS, background_per_year, known_intensity
from missions_project.demo.places import EPSG
from missions_project.demo.profiles import TIME_ZONE, calendar, hour_axis, utc_s_to_local, weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOURS = tuple(ShiftHours(slug, time(hour), 480) for slug, hour in (("night", 0), ("day", 8), ("evening", 16)))
SHIFT_MINUTES = 480
SHIFTS = tuple(ShiftWindow(one.slug, one.start_time.hour * 60, one.duration_minutes) for one in HOURS)
FIRST, BEGINS = date(2023, 1, 1), date(2025, 1, 1)
"""Crime is simulated from the first of these days on; missions begin on the second."""
LEAD = np.timedelta64(120, "m")
DAY = np.timedelta64(86_400, "s")
BLOCK_SHIFTS = 84
"""Four weeks: how often models are fitted anew, and the step in which drift is looked for."""
REPORTING_HOURS, LATE_SHARE, LATE_DAYS = 1.5, 0.02, 14.0
WEIGHT = np.array([next(o.default_weight for o in OFFENCE_CLASSES if o.key == name) for name in CRIME_TYPES])


@dataclass(frozen=True, eq=False)
class YearCity:
    """The demo city on a grid, and all that would happen there if nobody patrolled.

    ``events`` ascend by time and hold the reports' times; ``true_harm`` float64[N]: weighted crimes a year of each cell by
    the city's lasting truth (repeats included in the level). ``beat_of_cell`` -1 outside all beats.
    """

    grid: GridSpec
    beat_of_cell: Ints
    true_harm: Floats
    events: IncidentTable
    periods: Periods
    starts: int
    """Index of the first period with missions."""

    @property
    def beats(self) -> Ints:
        found: Ints = np.unique(self.beat_of_cell[self.beat_of_cell >= 0])
        return found


def demo_city(cell_size_m: float, *, seed: int = DEFAULT_SEED, days: int = 365) -> YearCity:
    """Lay a grid over Riverton and draw two years without missions and ``days`` more as they would be without any."""
    city = build_city(seed)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 5]).spawn(5)]
    last = BEGINS.toordinal() + days
    dated = instances_array(HOURS, FIRST, date.fromordinal(last), TIME_ZONE)
    periods = Periods(dated.from_utc, dated.to_utc, dated.local_from, dated.slot.astype(np.int16))
    first_s = int(dated.from_utc[0].astype(np.int64))
    hours = hour_axis(first_s, int(dated.to_utc[-1].astype(np.int64) - first_s) // 3600 + 48)
    truth = known_intensity(
        streams[1],
        city=city,
        hours=hours,
        sky=weather(streams[0], hours),
        events=calendar(streams[2], hours),
    )
    history = draw_history(streams[3], truth)
    grid = grid_build(city.boundary, cell_size_m, EPSG)
    at = history.at_utc_s.astype(np.int64).astype("datetime64[s]")
    n = len(at)
    delay = 3_600.0 * REPORTING_HOURS * streams[4].lognormal(0.0, 1.1, n)
    delay += (streams[4].random(n) < LATE_SHARE) * streams[4].exponential(LATE_DAYS * 86_400.0, n)
    events = IncidentTable(
        x_m=city.places.x_m[history.place],
        y_m=city.places.y_m[history.place],
        occurred_utc=at,
        occurred_to_utc=at,
        occurred_local=utc_s_to_local(history.at_utc_s),
        known_utc=at + delay.astype(np.int64).astype("timedelta64[s]"),
        category=history.type_index.astype(np.int16),
        categories=CRIME_TYPES,
    )
    cell = grid.locate(city.places.x_m, city.places.y_m)
    inside = cell >= 0
    background = background_per_year()
    harm = np.zeros(len(grid))
    for owner, k in enumerate(truth.type_of_component):
        scale = WEIGHT[k] * MODELS[CRIME_TYPES[k]].per_year / background[k]
        harm += scale * np.bincount(
            cell[inside], truth.surfaces[owner].astype(np.float64)[inside], minlength=len(grid)
        )
    x_m, y_m = grid.centres()
    beat_of_cell = np.full(len(grid), -1, dtype=np.int64)
    for number, beat in enumerate(city.beats):
        beat_of_cell[shapely.contains_xy(beat.shape, x_m, y_m)] = number
    starts = int(np.searchsorted(dated.local_from, np.datetime64(BEGINS, "s")))
    return YearCity(grid, beat_of_cell, harm, events, periods, starts)
