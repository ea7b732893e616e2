"""Drawing what happened in Riverton from its known intensity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from missions_project.demo.intensity import CRIME_TYPES, Intensity, cumulative_years
from missions_project.demo.oracle import History
from missions_project.demo.profiles import HOUR_S
from missions_project.demo.terrain import Floats

Ints = npt.NDArray[np.int64]


def draw_history(rng: np.random.Generator, intensity: Intensity) -> History:
    """Draw every true event of the span, in order of time (about half a second for three years).

    Background events by inverting the integrated rate; children generation by generation, with delays thinned
    by the hours of the week (Hawkes and Oakes 1974; Lewis and Shedler 1979). Whole seconds.
    """
    parts = [_background(rng, intensity)]
    while len(parts[-1][0]):
        parts.append(_children(rng, intensity, *parts[-1]))
    type_index, place, at_utc_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    at_utc_s = np.floor(at_utc_s)
    order = np.lexsort((place, type_index, at_utc_s))
    return History(type_index=type_index[order], place=place[order], at_utc_s=at_utc_s[order])


def _background(rng: np.random.Generator, intensity: Intensity) -> tuple[Ints, Ints, Floats]:
    edges = intensity.hours.start_utc_s + HOUR_S * np.arange(intensity.hours.n_hours + 1, dtype=np.float64)
    cumulative = cumulative_years(intensity)
    types, places, times = [], [], []
    for component, k in enumerate(intensity.type_of_component):
        surface = intensity.surfaces[component].astype(np.float64)
        row = cumulative[component]
        # One entry a window: the whole span, then each calendar event with its own places.
        windows = [(0.0, float(row[-1]), surface)]
        for event in intensity.events:
            first, last = np.interp([event.from_utc_s, event.to_utc_s], edges, row)
            boost = surface * intensity.venue_boost[k, event.venue] * (event.attendance / 20_000.0)
            windows.append((float(first), float(last), boost))
        for first, last, weight in windows:
            n = int(rng.poisson((last - first) * weight.sum()))
            if n:
                edge = np.cumsum(weight)
                places.append(np.searchsorted(edge, rng.random(n) * edge[-1], side="right"))
                times.append(np.interp(first + rng.random(n) * (last - first), row, edges))
                types.append(np.full(n, k, dtype=np.int64))
    return np.concatenate(types), np.concatenate(places).astype(np.int64), np.concatenate(times)


def _children(
    rng: np.random.Generator, intensity: Intensity, type_index: Ints, place: Ints, at_utc_s: Floats
) -> tuple[Ints, Ints, Floats]:
    hours = intensity.hours
    types, places, times = [], [], []
    for parent in range(len(CRIME_TYPES)):
        mine = np.flatnonzero(type_index == parent)
        for k in np.flatnonzero(intensity.branching[parent]):
            top = intensity.child_hours[k].max()
            n = rng.poisson(intensity.branching[parent, k] * top, size=len(mine))
            born_of = np.repeat(mine, n)
            when = at_utc_s[born_of] + rng.exponential(intensity.near_seconds[parent], size=len(born_of))
            where = _step(rng, intensity, parent, place[born_of])
            hour = np.minimum((when - hours.start_utc_s) // HOUR_S, hours.n_hours - 1).astype(np.int64)
            accept = rng.random(len(born_of)) * top < intensity.child_hours[k, hours.hour_of_week[hour]]
            accept &= when < hours.end_utc_s
            types.append(np.full(int(accept.sum()), k, dtype=np.int64))
            places.append(where[accept])
            times.append(when[accept])
    return np.concatenate(types), np.concatenate(places), np.concatenate(times)


def _step(rng: np.random.Generator, intensity: Intensity, parent: int, place: Ints) -> Ints:
    """Move from each place to one nearby, by the parent type's kernel."""
    kernel = intensity.kernels[parent]
    running = np.cumsum(kernel.data)
    # Rows sum to 1, so row b fills (b, b + 1] of the running sum: one search serves all rows.
    at = np.searchsorted(running, place + rng.random(len(place)))
    at = np.clip(at, kernel.indptr[place], kernel.indptr[place + 1] - 1)
    return kernel.indices[at].astype(np.int64)
