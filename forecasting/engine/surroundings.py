"""What passes over the city while the map stays the same: scheduled events and the weather, as known at the issue."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.grid import GridSpec
from forecasting.engine.happenings import Happenings, city_names, city_terms, local_columns, local_names
from forecasting.engine.periods import Periods, Times
from forecasting.engine.weather import NAMES, Weather

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Names:
    """Which columns there are: ``level`` terms of the city-wide count, ``local`` events near a cell, ``weather`` for the trees."""

    level: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    weather: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the design matrix, in its order."""
        return (*self.local, *self.weather)


NOTHING = Names()
"""The columns where nothing passes."""


@dataclass(frozen=True)
class Passing:
    """What passes in S periods. ``terms`` [S, level names]; ``local`` one sparse [S, N] a name; ``weather`` [S, names].

    ``slot`` [S]: the periods' shifts of day.
    """

    names: Names
    terms: Floats = field(repr=False)
    local: tuple[sparse.csr_array, ...] = field(repr=False)
    weather: Floats32 = field(repr=False)
    slot: Ints = field(repr=False)

    def at(self, period: Ints | int, cells: Ints) -> Floats32:
        """The cells' columns in these periods (one for all, or one for each cell): [m, columns]."""
        n_local = len(self.local)
        out = np.zeros((len(cells), n_local + self.weather.shape[1]), dtype=np.float32)
        for column, near in enumerate(self.local):
            if near.nnz:
                out[:, column] = sparse_values(near, period, cells)
        out[:, n_local:] = self.weather[period]
        return out


def sparse_values(near: sparse.csr_array, period: Ints | int, cells: Ints) -> Floats:
    """Values of a sparse [S, N] at (period, cell) pairs, one period for all or one for each, most of them 0: [m]."""
    out = np.zeros(len(cells))
    if isinstance(period, int | np.integer):
        low, high = int(near.indptr[period]), int(near.indptr[period + 1])
        if high > low:
            whole = np.zeros(near.shape[1])
            whole[near.indices[low:high]] = near.data[low:high]
            out = whole[cells]
        return out
    # Only pairs of periods in which something is on: scipy's own look-up takes far longer for zeros.
    some = np.flatnonzero(near.indptr[period + 1] > near.indptr[period])
    if len(some):
        out[some] = np.asarray(near[period[some], cells[some]]).reshape(-1)
    return out


@dataclass(frozen=True)
class Surroundings:
    """Events and weather, whatever an agency has of them. Both may be None: then nothing passes.

    ``weather_in_trees`` gives the weather to the trees as well, which may find that a warm evening fills the parks. On
    Chicago it brought nothing, not even with a perfect forecast (docs/accuracy.md): off unless asked for.
    """

    happenings: Happenings | None = None
    weather: Weather | None = None
    weather_in_trees: bool = False

    def names(self, known_before: np.datetime64) -> Names:
        """The columns of a training at this instant: kinds of events that nobody had announced are none."""
        events = None if self.happenings is None else self.happenings.known_before(known_before)
        sky: tuple[str, ...] = ()
        if self.weather is not None and (self.weather.issued_utc < known_before).any():
            sky = NAMES
        return Names(
            level=((*city_names(events), *sky) if events is not None else sky),
            local=local_names(events) if events is not None else (),
            weather=sky if self.weather_in_trees else (),
        )

    def passing(
        self, names: Names, grid: GridSpec, periods: Periods, issued_utc: Times | None = None
    ) -> Passing:
        """What was known of each period when its forecast was issued (when it began if None).

        A name of which nothing is known any more gives zeros: no event, usual weather.
        """
        issued = periods.from_utc if issued_utc is None else np.minimum(issued_utc, periods.from_utc)
        sky = np.zeros((len(periods), len(NAMES)))
        if self.weather is not None and (names.weather or set(NAMES) & set(names.level)):
            sky = self.weather.foreseen(periods, issued)
        terms = np.zeros((len(periods), len(names.level)))
        kinds = tuple(name for name in names.level if name not in NAMES)
        local: tuple[sparse.csr_array, ...] = ()
        if self.happenings is not None:
            terms[:, : len(kinds)] = city_terms(self.happenings, periods, issued, kinds)
            local = local_columns(self.happenings, grid, periods, issued, names.local)
        else:
            local = tuple(sparse.csr_array((len(periods), len(grid))) for _ in names.local)
        for column, name in enumerate(names.level):
            if name in NAMES:
                terms[:, column] = sky[:, NAMES.index(name)]
        chosen = [NAMES.index(name) for name in names.weather]
        return Passing(names, terms, local, sky[:, chosen].astype(np.float32), periods.slot.astype(np.int64))
