"""The oracle: what a forecaster who knew everything about Riverton would expect, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from missions_project.demo.intensity import CRIME_TYPES, Intensity, cumulative_years
from missions_project.demo.places import Places
from missions_project.demo.profiles import HOUR_S, local_to_utc_s
from missions_project.demo.terrain import Floats

MEMORY = 12.0  # parents older than this many mean delays are forgotten: exp(-12) is 6e-6 of a child


class GridLike(Protocol):
    """What the oracle needs of a grid: its cells, and which of them holds a point (-1: none)."""

    @property
    def cells(self) -> npt.NDArray[np.int64]:
        """Ids of the cells."""

    def locate(self, x_m: Floats, y_m: Floats) -> npt.NDArray[np.int64]:
        """Index into cells of the cell that holds each point, -1 outside."""


@dataclass(frozen=True)
class History:
    """True events, by time. type_index: into CRIME_TYPES; place: into the places; at_utc_s: seconds since 1970."""

    type_index: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    at_utc_s: Floats


class Oracle:
    """Evaluates the known intensity over any period, given the true events up to an instant."""

    def __init__(self, *, intensity: Intensity, places: Places, history: History) -> None:
        self.intensity = intensity
        self.places = places
        self.history = history
        self._cumulative = cumulative_years(intensity)

    def expected(
        self,
        crime_type: str,
        grid: GridLike,
        period_from: datetime,
        period_to: datetime,
        *,
        known_until: datetime | None = None,
    ) -> Floats:
        """Return the true expected count of one crime type in every cell of the grid over [from, to).

        Times without a zone are Riverton's wall clock. known_until: events before it are known (default: from).
        """
        from_s, to_s = local_to_utc_s(period_from), local_to_utc_s(period_to)
        until_s = from_s if known_until is None else local_to_utc_s(known_until)
        return self.expected_s(crime_type, grid, from_s, to_s, known_until_s=until_s)

    def expected_s(
        self,
        crime_type: str,
        grid: GridLike,
        from_s: float,
        to_s: float,
        *,
        known_until_s: float | None = None,
    ) -> Floats:
        """Return the same for a period in seconds since 1970."""
        cell = grid.locate(self.places.x_m, self.places.y_m)
        at_places = self.expected_at_places(crime_type, from_s, to_s, known_until_s=known_until_s)
        counts = np.bincount(cell[cell >= 0], weights=at_places[cell >= 0], minlength=len(grid.cells))
        return counts.astype(np.float64)

    def expected_at_places(
        self, crime_type: str, from_s: float, to_s: float, *, known_until_s: float | None = None
    ) -> Floats:
        """Return the expected count at every place over [from, to).

        Children of events still to come between the known instant and the period's end are included to the
        first generation; later ones add less than branching^2 x the share of a delay that fits in (below 0.1 %
        of the count for a shift issued at its start).

        Raises ValueError where the period leaves the simulated span or precedes the known instant.
        """
        until_s = from_s if known_until_s is None else known_until_s
        hours = self.intensity.hours
        if not hours.start_utc_s <= from_s < to_s <= hours.end_utc_s:
            raise ValueError(
                f"The period {from_s:.0f}-{to_s:.0f} lies outside the simulated span {hours.start_utc_s}-"
                f"{hours.end_utc_s} (seconds since 1970). Ask for a period inside it."
            )
        if until_s > from_s:
            raise ValueError(
                "known_until lies after the period's start: the oracle does not look into the period."
            )
        k = CRIME_TYPES.index(crime_type)
        expected = self._background(k, from_s, to_s)
        for parent in np.flatnonzero(self.intensity.branching[:, k]).tolist():
            known = self._known_parents(parent, from_s, until_s) * self._delay_mass(parent, k, from_s, to_s)
            coming = self._coming_parents(parent, k, from_s, to_s, until_s)
            kernel = self.intensity.kernels[parent]
            expected += self.intensity.branching[parent, k] * (kernel.T @ (known + coming))
        return expected

    def _years(self, component: int, from_s: float, to_s: float) -> float:
        """Return the component's relative rate integrated over a period, in years."""
        edges = (np.array([from_s, to_s]) - self.intensity.hours.start_utc_s) / HOUR_S
        whole = np.clip(edges.astype(np.int64), 0, self.intensity.hours.n_hours - 1)
        row = self._cumulative[component]
        value = row[whole] + (row[whole + 1] - row[whole]) * (edges - whole)
        return float(value[1] - value[0])

    def _background(self, k: int, from_s: float, to_s: float) -> Floats:
        total = np.zeros(len(self.places))
        for component in np.flatnonzero(self.intensity.type_of_component == k):
            surface = self.intensity.surfaces[component].astype(np.float64)
            factor = np.full(len(self.places), self._years(int(component), from_s, to_s))
            for event in self.intensity.events:
                first, last = max(from_s, event.from_utc_s), min(to_s, event.to_utc_s)
                if first < last:
                    extra = self._years(int(component), first, last) * event.attendance / 20_000.0
                    factor += extra * self.intensity.venue_boost[k, event.venue]
            total += surface * factor
        return total

    def _delay_mass(self, parent: int, k: int, from_s: float, to_s: float) -> float:
        """Return the integral over the period of g(t - from) x the child's hours: the part common to all parents."""
        tau = self.intensity.near_seconds[parent]
        start = self.intensity.hours.start_utc_s
        first, last = int((from_s - start) // HOUR_S), int(np.ceil((to_s - start) / HOUR_S))
        edges = np.clip(start + HOUR_S * np.arange(first, last + 1, dtype=np.float64), from_s, to_s) - from_s
        mass = -np.diff(np.exp(-edges / tau))
        return float(mass @ self.intensity.child_hours[k, self.intensity.hours.hour_of_week[first:last]])

    def _known_parents(self, parent: int, from_s: float, until_s: float) -> Floats:
        """Return, per place, known events of a type, each counting exp(-age / mean delay) at the period's start."""
        tau = self.intensity.near_seconds[parent]
        at = self.history.at_utc_s
        first, last = np.searchsorted(at, [until_s - MEMORY * tau, until_s])
        mine = self.history.type_index[first:last] == parent
        age = np.exp(-(from_s - at[first:last][mine]) / tau)
        where = self.history.place[first:last][mine]
        return np.bincount(where, weights=age, minlength=len(self.places)).astype(np.float64)

    def _coming_parents(self, parent: int, k: int, from_s: float, to_s: float, until_s: float) -> Floats:
        """Return, per place, parents expected in [until, to) x the share of their children that fall in [from, to).

        Births are taken as even over that time; they are counted without the events that are still to come.
        """
        births = self._background(parent, until_s, to_s)
        for grand in np.flatnonzero(self.intensity.branching[:, parent]).tolist():
            known = self._known_parents(grand, until_s, until_s)
            scale = self.intensity.branching[grand, parent] * self._delay_mass(grand, parent, until_s, to_s)
            births += scale * (self.intensity.kernels[grand].T @ known)
        tau = self.intensity.near_seconds[parent]
        span, lead = to_s - until_s, from_s - until_s
        # Mean over births u in [0, span) of P(lead <= u + delay < span).
        landing = (span - lead) - tau * (np.exp(-lead / tau) - np.exp(-span / tau))
        busy = self._delay_mass(parent, k, from_s, to_s) / -np.expm1(-(to_s - from_s) / tau)
        return max(0.0, landing / span) * busy * births
