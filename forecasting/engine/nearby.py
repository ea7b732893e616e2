"""Plain counts around cells, straight from the incidents and layers: no model in between."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecasting.engine.aoristic import shift_shares
from forecasting.engine.grid import GridSpec
from forecasting.engine.happenings import MARGIN, RADII_M, Happenings
from forecasting.engine.periods import Periods, ShiftWindow
from forecasting.engine.surroundings import Passing
from forecasting.engine.weather import NAMES, WARMTH_STEP_C
from ingestion.engine.tables import IncidentTable

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOWS_DAYS = (14, 45)
RECENT_RADIUS_M = 250.0
LONG_RUN_DAYS = 3 * 365.25
SHIFT_RADIUS_M = 400.0


@dataclass(frozen=True)
class RecentCount:
    """Incidents of one type near the cell in the last days, and how many are usual in as many days there.

    ``per_year``: the same place over three years at most; ``reference_per_year``: around the city's middle cell.
    """

    category: str
    days: int
    radius_m: float
    count: int
    usual: float
    per_year: float
    reference_per_year: float


@dataclass(frozen=True)
class ShiftCount:
    """Incidents near a cell that fell in this shift of day: a year, and as a share (None where nothing happened)."""

    per_year: float
    share: float | None


@dataclass(frozen=True)
class LayerAmount:
    """How much of a layer lies near the cell, and near the city's middle cell.

    ``unit`` is ``places`` (whole places within the radius of the cell's centre), ``km`` of line or ``ha`` of area
    (both within about that distance, as the model knows them).
    """

    layer: str
    radius_m: float
    unit: str
    amount: float
    reference_amount: float


@dataclass(frozen=True)
class EventCount:
    """Events of one kind that are on in the shift (an hour before and after included), in the city and near the cell.

    ``within`` holds (metres from the cell's centre, events within them), nearest first; both bounds included.
    """

    kind: str
    in_city: int
    within: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class WeatherValue:
    """The shift's weather as foreseen, against the usual of the season: ``warmth`` in °C, the others as models see them."""

    name: str
    value: float


def events_near(grid: GridSpec, events: Happenings, period: Periods, cell: int) -> tuple[EventCount, ...]:
    """What is on in the shift, by kind. ``events`` holds only what had been announced."""
    on = np.flatnonzero(
        (events.from_utc - MARGIN < period.to_utc[0]) & (events.to_utc + MARGIN > period.from_utc[0])
    )
    x_m, y_m = (column[cell] for column in grid.centres())
    away = np.hypot(events.x_m[on] - x_m, events.y_m[on] - y_m)
    out = []
    for kind in np.unique(events.kind[on]).tolist():
        mine = away[events.kind[on] == kind]
        radii = [max(float(radius), grid.cell_size_m) for radius in RADII_M]
        within = tuple((radius, int((mine <= radius).sum())) for radius in radii)
        out.append(EventCount(events.kinds[kind], len(mine), within))
    return tuple(out)


def weather_values(passing: Passing | None) -> tuple[WeatherValue, ...]:
    """The weather terms that a model was given for one period; none where it knows no weather."""
    if passing is None:
        return ()
    return tuple(
        WeatherValue(name.split(":", 1)[1], float(value) * (WARMTH_STEP_C if name == NAMES[0] else 1.0))
        for name, value in zip(passing.names.level, passing.terms[0], strict=True)
        if name in NAMES
    )


@dataclass(frozen=True)
class ContextValue:
    """A context column at the cell: its value, the city's mean, and the share of cells with less."""

    name: str
    value: float
    city_mean: float
    share_below: float


class ContextColumns:
    """The context columns as anyone would read them, sorted once for all cells."""

    def __init__(self, context: Floats32 | None, names: tuple[str, ...]) -> None:
        self._context = context
        self._columns: list[tuple[int, str, Floats32, float]] = []
        for column, name in enumerate(names if context is not None else ()):
            assert context is not None
            finite = np.sort(context[np.isfinite(context[:, column]), column])
            if len(finite):
                self._columns.append((column, name, finite, float(finite.mean(dtype=np.float64))))

    def at(self, cell: int) -> tuple[ContextValue, ...]:
        if self._context is None:
            return ()
        return tuple(
            ContextValue(name, value, mean, float(np.searchsorted(finite, value, "left")) / len(finite))
            for column, name, finite, mean in self._columns
            if np.isfinite(value := float(self._context[cell, column]))
        )


class NearbyCounts:
    """Counts incidents of the last three years around cell centres. Distances include the radius itself."""

    def __init__(
        self, grid: GridSpec, incidents: IncidentTable, period: Periods, shifts: tuple[ShiftWindow, ...]
    ) -> None:
        # Here, not above: loading it takes a third of a second, for which every command would wait.
        from scipy.spatial import cKDTree

        self.grid, self.categories = grid, incidents.categories
        self.centres = np.column_stack(grid.centres())
        self.recent_radius_m = max(RECENT_RADIUS_M, grid.cell_size_m)
        self.shift_radius_m = max(SHIFT_RADIUS_M, grid.cell_size_m)
        age = (period.from_utc[0] - incidents.occurred_utc) / np.timedelta64(1, "s") / 86_400.0
        oldest = float(age.max()) if len(age) else 0.0
        self.span_days = float(np.clip(oldest, 1.0, LONG_RUN_DAYS))
        use = np.flatnonzero((age >= 0) & (age <= self.span_days) & (incidents.category >= 0))
        self.age, self.category = age[use], incidents.category[use]
        self.x_m, self.y_m = incidents.x_m[use], incidents.y_m[use]
        # Of an incident with a long interval only a part.
        self.in_shift_now = shift_shares(incidents.take(use), shifts)[:, int(period.slot[0])]
        # A tree: 800 missions against 200,000 incidents one by one would take most of a minute.
        self._tree = cKDTree(np.column_stack([self.x_m, self.y_m])) if len(use) else None

    def _near(self, cells: Ints, radius_m: float) -> list[Ints]:
        if self._tree is None:
            return [np.zeros(0, dtype=np.int64) for _ in cells]
        found = self._tree.query_ball_point(self.centres[cells], radius_m)
        return [np.asarray(one, dtype=np.int64) for one in found]

    def _per_year(self, count: float) -> float:
        return float(count) * (365.25 / self.span_days)

    def per_year(self, source: int) -> Floats:
        """Incidents of one type a year in each cell: [N]."""
        own = self.category == source
        at = self.grid.locate(self.x_m[own], self.y_m[own])
        counts = np.bincount(at[at >= 0], minlength=len(self.grid))
        result: Floats = counts.astype(np.float64) * (365.25 / self.span_days)
        return result

    def neighbours(self, per_year: Floats, cell: int) -> float:
        """Mean of the surrounding cells that the grid keeps (up to eight); 0 if there is none."""
        near = (abs(self.grid.rows - self.grid.rows[cell]) <= 1) & (
            abs(self.grid.cols - self.grid.cols[cell]) <= 1
        )
        near[cell] = False
        return float(per_year[near].mean()) if near.any() else 0.0

    def recent(self, cells: Ints, reference: int) -> list[tuple[RecentCount, ...]]:
        """For each cell every type in every window, types in the table's order."""
        n = len(self.categories)
        near = self._near(np.append(cells, reference), self.recent_radius_m)
        all_time = [np.bincount(self.category[rows], minlength=n) for rows in near]
        out = []
        for rows, total in zip(near[:-1], all_time[:-1], strict=True):
            made = []
            for days in WINDOWS_DAYS:
                late = rows[self.age[rows] <= days]
                count = np.bincount(self.category[late], minlength=n)
                part = min(days / self.span_days, 1.0)
                made += [
                    RecentCount(
                        category,
                        days,
                        self.recent_radius_m,
                        int(count[number]),
                        float(total[number]) * part,
                        self._per_year(total[number]),
                        self._per_year(all_time[-1][number]),
                    )
                    for number, category in enumerate(self.categories)
                ]
            out.append(tuple(sorted(made, key=lambda one: self.categories.index(one.category))))
        return out

    def in_shift(self, source: int, cells: Ints) -> list[ShiftCount]:
        """For each cell the incidents of one type within ``shift_radius_m`` that fell in this shift of day."""
        out = []
        for rows in self._near(cells, self.shift_radius_m):
            own = rows[self.category[rows] == source]
            inside = float(self.in_shift_now[own].sum())
            out.append(ShiftCount(self._per_year(inside), inside / len(own) if len(own) else None))
        return out

    def city_shift_share(self, source: int) -> float | None:
        """The share of the whole city's incidents that fell in this shift. None where there are none."""
        own = self.category == source
        total = int(own.sum())
        return float(self.in_shift_now[own].sum()) / total if total else None
