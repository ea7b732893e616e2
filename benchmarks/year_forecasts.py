"""How the simulated agency forecasts: with the engine's champion, or with the engine's kernel alone where cells are many."""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from benchmarks.year_city import LEAD, SHIFTS, WEIGHT, YearCity
from forecasting.engine.counts import DecayedCounts, kernel_build, mass_of
from forecasting.engine.fit import fit_champions
from forecasting.engine.periods import days_since_epoch
from forecasting.engine.state import ForecastState
from forecasting.engine.trained import TrainedType
from ingestion.engine.tables import IncidentTable
from missions_project.demo.intensity import CRIME_TYPES

Floats = npt.NDArray[np.float64]
KERNEL = "kernel"
HALF_LIFE_DAYS, BANDWIDTH_M, SAME_SHIFT_SHARE = 150.0, 200.0, 1 / 3


class Forecaster(ABC):
    """Harm expected in each cell in one shift, from what was known two hours before it began."""

    @abstractmethod
    def harm(self, number: int, known: IncidentTable, *, refit: bool) -> Floats:
        """Return weighted expected crimes of the city's period ``number``; periods come in their order.

        ``known`` holds everything that was reported so far or will be later; ``refit`` is the turn for fitting anew.
        """


def forecaster_of(city: YearCity, name: str, seed: int) -> Forecaster:
    """The kernel alone, or one of the engine's champions by its name."""
    return KernelForecaster(city) if name == KERNEL else ChampionForecaster(city, name, seed)


class KernelForecaster(Forecaster):
    """The engine's decayed counts (half-life 150 days) blurred over 200 m, a third of the weight on the same shift of day."""

    def __init__(self, city: YearCity) -> None:
        self._city, self._kernel = city, kernel_build(city.grid, BANDWIDTH_M)
        slots = len(CRIME_TYPES) * len(SHIFTS)
        self._counts = DecayedCounts(self._kernel.n_places, slots, (HALF_LIFE_DAYS,))
        self._until: np.datetime64 | None = None

    def harm(self, number: int, known: IncidentTable, *, refit: bool) -> Floats:
        as_of = self._city.periods.from_utc[number] - LEAD
        self._counts.move_to(float(days_since_epoch(as_of)))
        new = known.known_utc < as_of
        if self._until is not None:
            new &= known.known_utc >= self._until
        self._until = as_of
        self._take_in(known.take(np.flatnonzero(new)))
        share = np.full(len(SHIFTS), 1.0 - SAME_SHIFT_SHARE)
        share[int(self._city.periods.slot[number])] += len(SHIFTS) * SAME_SHIFT_SHARE
        weights = np.repeat(WEIGHT, len(SHIFTS)) * np.tile(share, len(CRIME_TYPES))
        # Blurring is linear: the weighted sum is blurred once, not each type's counts.
        blurred: Floats = self._kernel.operator @ (self._counts.values().astype(np.float64) @ weights)
        # One crime spread evenly is added, as the engine does: nothing known anywhere is an even surface.
        return blurred + WEIGHT.mean() / len(blurred)

    def _take_in(self, new: IncidentTable) -> None:
        cell = self._city.grid.locate(new.x_m, new.y_m)
        inside = np.flatnonzero(cell >= 0)
        minute = (new.occurred_local - new.occurred_local.astype("datetime64[D]")) / np.timedelta64(60, "s")
        slot = np.searchsorted([one.start_minute for one in SHIFTS], minute[inside], side="right") - 1
        source = new.category[inside].astype(np.int64) * len(SHIFTS) + slot
        mass = mass_of(days_since_epoch(new.occurred_utc[inside]), self._counts.half_lives_days)
        self._counts.add_mass(self._kernel.place_of[cell[inside]], source, mass)


class ChampionForecaster(Forecaster):
    """The engine's forecast as an agency has it: fitted every four weeks, advanced before each shift by what was reported."""

    def __init__(self, city: YearCity, champion: str, seed: int, most_periods: int = 200) -> None:
        self._city, self._champion, self._most = city, champion, most_periods
        self._rng = np.random.default_rng([seed, 1])
        self._state: ForecastState | None = None
        self._trained: dict[str, TrainedType] = {}

    def harm(self, number: int, known: IncidentTable, *, refit: bool) -> Floats:
        """Return the harm expected in each cell in one shift, from what was known two hours before it began."""
        city = self._city
        period = city.periods.take([number])
        as_of = period.from_utc[0] - LEAD
        if refit:
            past = city.periods.take(np.flatnonzero(city.periods.to_utc < as_of))
            self._trained = fit_champions(
                grid=city.grid,
                incidents=known.known_before(as_of),
                periods=past,
                shifts=SHIFTS,
                targets=CRIME_TYPES,
                as_of_utc=as_of,
                rng=self._rng,
                champion=self._champion,
                workers=1,
                max_periods=self._most,
            )
        if self._state is None:
            self._state = ForecastState.build(grid=city.grid, incidents=known, shifts=SHIFTS, as_of_utc=as_of)
        self._state.advance(known, as_of)
        surfaces = self._state.forecast(trained=self._trained, period=period, workers=1)
        total = np.zeros(len(city.grid))
        for k, name in enumerate(CRIME_TYPES):
            total += WEIGHT[k] * surfaces[name]
        return total
