"""What a forecast may know about every cell just before a shift begins, as relative rates.

A relative rate is a decayed (and blurred) count divided by its mean over all cells: 1 is an average cell. One
pseudo-incident spread evenly over the city is added to each, so that an empty history gives 1 and never NaN.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.aoristic import pieces_of
from forecasting.engine.counts import DecayedCounts, Kernel, kernel_build, pooled_places
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import CompletenessBook, ReportingLag
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEMORIES_DAYS = (3.0, 12.0, 45.0, 150.0, 450.0, 1460.0, math.inf)
SLOT_MEMORIES_DAYS = (150.0, 450.0, math.inf)
BANDWIDTHS_M = (0.0, 100.0, 200.0, 400.0, 900.0)
SLOT_BANDWIDTHS_M = (0.0, 100.0, 200.0, 400.0)
RECENT_DAYS = 45.0


@dataclass(frozen=True)
class Rate:
    """One relative rate: how long it remembers, how far it looks, and whether only this shift of day counts."""

    half_life_days: float
    bandwidth_m: float
    same_shift: bool

    @property
    def name(self) -> str:
        memory = "all" if math.isinf(self.half_life_days) else f"{self.half_life_days:g}d"
        place = f"{self.bandwidth_m:g}m" if self.bandwidth_m else "here"
        return f"{memory}_{place}{'_same_shift' if self.same_shift else ''}"


RATES: tuple[Rate, ...] = tuple(
    Rate(memory, bandwidth, False) for bandwidth in BANDWIDTHS_M for memory in MEMORIES_DAYS
) + tuple(Rate(memory, bandwidth, True) for bandwidth in SLOT_BANDWIDTHS_M for memory in SLOT_MEMORIES_DAYS)


def rate_index(half_life_days: float, bandwidth_m: float, same_shift: bool = False) -> int:
    """The column of one rate in the last axis of ``History.rates``."""
    return RATES.index(Rate(half_life_days, bandwidth_m, same_shift))


@dataclass(frozen=True)
class Events:
    """Incidents inside the grid as plain columns, sorted by when they became known. All arrays [n].

    An incident that may have happened in several shifts is several rows, whose ``weight`` sums to one.
    """

    cell: Ints
    source: Ints
    occurred_days: Floats
    known_days: Floats
    member: npt.NDArray[np.bool_]
    weight: Floats
    n_sources: int


def events_of(grid: GridSpec, incidents: IncidentTable, shifts: tuple[ShiftWindow, ...]) -> Events:
    """Place the incidents on the grid. Those outside every cell, or with a category of -1, are left out."""
    cell = grid.locate(incidents.x_m, incidents.y_m)
    keep = np.flatnonzero((cell >= 0) & (incidents.category >= 0))
    pieces = pieces_of(incidents, shifts, keep)
    keep = keep[pieces.row]
    known = days_since_epoch(incidents.known_utc[keep])
    occurred = days_since_epoch(pieces.occurred_utc)
    # Whole order fixed by values: the same incidents in another order must give the same forecast.
    order = np.lexsort((pieces.weight, incidents.category[keep], cell[keep], occurred, known))
    keep = keep[order]
    return Events(
        cell=cell[keep],
        source=incidents.category[keep].astype(np.int64),
        occurred_days=occurred[order],
        known_days=known[order],
        member=pieces.member(shifts)[order],
        weight=pieces.weight[order],
        n_sources=len(incidents.categories),
    )


class History:
    """All states at one instant; walks forward through time. Nothing newer than the instant is inside.

    ``lags`` (one per source) say how late each source reports: counts are then raised by what is still to come.
    """

    def __init__(self, grid: GridSpec, events: Events, lags: Sequence[ReportingLag] | None = None) -> None:
        self.grid = grid
        self.events = events
        self.n_slots = events.member.shape[1]
        self._kernels = {b: kernel_build(grid, b) for b in BANDWIDTHS_M if b}
        factors = {1} | {kernel.factor for kernel in self._kernels.values()}
        places = {factor: pooled_places(grid, factor) for factor in sorted(factors)}
        self._place_of = {factor: place for factor, (place, _) in places.items()}
        # Squares of one cell are numbered like the cells themselves, so that raw counts need no lookup.
        self._all = {f: DecayedCounts(n, events.n_sources, MEMORIES_DAYS) for f, (_, n) in places.items()}
        self._slot = [
            {f: DecayedCounts(n, events.n_sources, SLOT_MEMORIES_DAYS) for f, (_, n) in places.items()}
            for _ in range(self.n_slots)
        ]
        self._next = 0
        self._now: float | None = None
        self._late = None if lags is None else CompletenessBook(lags, MEMORIES_DAYS)
        self._slot_columns = [MEMORIES_DAYS.index(memory) for memory in SLOT_MEMORIES_DAYS]

    def move_to(self, now_days: float, known_before_days: float) -> None:
        """Go forward to this instant and take in what was known before the second one (not after the first)."""
        states = [*self._all.values(), *(state for slot in self._slot for state in slot.values())]
        if self._now is not None:
            for state in states:
                state.advance(now_days - self._now)
        self._now = now_days
        end = int(np.searchsorted(self.events.known_days, min(known_before_days, now_days), side="left"))
        new = slice(self._next, max(end, self._next))
        self._next = new.stop
        cell, source = self.events.cell[new], self.events.source[new]
        age, mass = now_days - self.events.occurred_days[new], self.events.weight[new]
        for factor, place_of in self._place_of.items():
            place = place_of[cell]
            self._all[factor].add(place, source, age, mass)
            for slot in range(self.n_slots):
                at = np.flatnonzero(self.events.member[new, slot])
                self._slot[slot][factor].add(place[at], source[at], age[at], mass[at])
        if self._late is not None:
            self._late.move_to(
                now_days, min(known_before_days, now_days), source, self.events.occurred_days[new]
            )

    def totals(self) -> Floats:
        """Decayed counts of the whole city, raised by what is not yet reported: [sources, memories]."""
        totals = self._all[1].totals().copy()
        return totals if self._late is None else totals * self._late.factors(totals)

    def level(self, sources: list[int]) -> Floats32:
        """Long-run counts per cell over several sources, [N]: where to look harder when sampling."""
        memory = MEMORIES_DAYS.index(1460.0)
        columns = self._all[1].values().reshape(len(self.grid), -1, len(MEMORIES_DAYS))
        level: Floats32 = columns[:, sources, memory].sum(axis=1)
        return level

    def rates(self, slot: int, cells: Ints | None = None) -> Floats32:
        """Every relative rate for a shift of this slot at these cells (all if None): [m, sources, rates]."""
        n_cells, n_sources = len(self.grid), self.events.n_sources
        m = n_cells if cells is None else len(cells)
        out = np.empty((m, n_sources, len(RATES)), dtype=np.float32)
        column = 0
        for states, memories, bandwidths, columns in (
            (self._all, MEMORIES_DAYS, BANDWIDTHS_M, slice(None)),
            (self._slot[slot], SLOT_MEMORIES_DAYS, SLOT_BANDWIDTHS_M, self._slot_columns),
        ):
            totals = states[1].totals().astype(np.float32)
            raised: Floats32 | np.float32 = np.float32(n_cells)
            if self._late is not None and not self._late.complete:
                factors = self._late.factors(states[1].totals(), columns).astype(np.float32)
                totals, raised = totals * factors, factors * np.float32(n_cells)
            for bandwidth in bandwidths:
                if bandwidth:
                    kernel: Kernel = self._kernels[bandwidth]
                    operator = kernel.operator if cells is None else kernel.operator[cells]
                    counts = states[kernel.factor].blurred(operator)
                else:
                    counts = states[1].values(cells)
                block = out[:, :, column : column + len(memories)]
                np.multiply(counts.reshape(m, n_sources, -1), raised, out=block)
                block += np.float32(1.0)
                block /= totals + np.float32(1.0)
                column += len(memories)
        return out


def surfaces(
    history: History, periods: Periods, known_before_days: Floats | None = None
) -> Iterator[tuple[int, Floats32, Floats]]:
    """Walk through ascending periods; yield (number, rates of all cells, city totals) as known at each start."""
    starts = days_since_epoch(periods.from_utc)
    for number, start in enumerate(starts):
        known = start if known_before_days is None else float(known_before_days[number])
        history.move_to(float(start), known)
        yield number, history.rates(int(periods.slot[number])), history.totals()


def rates_by_brute_force(
    grid: GridSpec,
    events: Events,
    now_days: float,
    known_before_days: float,
    slot: int,
    lags: Sequence[ReportingLag] | None = None,
) -> Floats32:
    """The same rates counted from scratch, [N, sources, rates]: slow, and what the carried states must equal."""
    issued = min(known_before_days, now_days)
    known = events.known_days < issued
    late = None if lags is None else CompletenessBook(lags, MEMORIES_DAYS)
    if late is not None:
        late.move_to(now_days, issued, events.source[known], events.occurred_days[known])
    kernels = {b: kernel_build(grid, b) for b in BANDWIDTHS_M if b}
    out = np.empty((len(grid), events.n_sources, len(RATES)), dtype=np.float32)
    for column, rate in enumerate(RATES):
        use = known & (events.member[:, slot] if rate.same_shift else True)
        weight = events.weight[use] * np.exp2(-(now_days - events.occurred_days[use]) / rate.half_life_days)
        column_of = MEMORIES_DAYS.index(rate.half_life_days)
        totals: Floats = np.bincount(events.source[use], weight, events.n_sources)[:, None].astype(np.float64)
        factor = np.ones_like(totals) if late is None else late.factors(totals, [column_of])
        for source in range(events.n_sources):
            mine = events.source[use] == source
            cell, part = events.cell[use][mine], weight[mine] * factor[source]
            if rate.bandwidth_m:
                kernel = kernels[rate.bandwidth_m]
                counts = kernel.operator @ np.bincount(kernel.place_of[cell], part, kernel.n_places)
            else:
                counts = np.bincount(cell, part, len(grid))
            out[:, source, column] = (counts * len(grid) + 1.0) / (part.sum() + 1.0)
    return out


@dataclass(frozen=True)
class SampledRows:
    """Sampled (period, cell) pairs whose weighted sums are unbiased for sums over all cells and periods.

    ``rates`` [n, sources, rates]; ``period`` and ``cell`` [n]. Background rows are drawn whatever happened in
    them, with ``weight`` = 1 / (expected number of draws). The other rows are pairs in which something did
    happen; ``kept`` [n, targets] is 1 / (probability of having been kept), 0 where the row does not stand for
    that target. For one target use background rows without an incident of it, and kept rows with one.
    ``event_*``: each incident of a target in a sampled row, how much of it falls there, and the moment at which it
    became known.
    ``city_totals`` [periods, sources, memories] and ``city_counts`` [periods, targets] cover all cells.
    """

    rates: Floats32
    period: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    weight: Floats32
    background: npt.NDArray[np.bool_]
    kept: Floats32
    event_row: Ints
    event_target: Ints
    event_known_days: Floats
    event_weight: Floats
    periods: Periods
    city_totals: Floats

    def outcome(self, target: int, known_before_days: float) -> Floats32:
        """Incidents of a target per row, as far as known at an instant: [n]."""
        use = (self.event_target == target) & (self.event_known_days < known_before_days)
        mass = np.bincount(self.event_row[use], self.event_weight[use], minlength=len(self.cell))
        return mass.astype(np.float32)

    def for_target(
        self, target: int, ends_before_days: float, known_before_days: float
    ) -> tuple[Ints, Floats32, Floats32]:
        """The rows that stand for one target: (row numbers, incidents, weights)."""
        y = self.outcome(target, known_before_days)
        ended = days_since_epoch(self.periods.to_utc)[self.period] <= ends_before_days
        weight = np.where(
            self.background, np.where(y == 0, self.weight, 0), np.where(y > 0, self.kept[:, target], 0)
        )
        rows = np.flatnonzero(ended & (weight > 0))
        return rows, y[rows], weight[rows].astype(np.float32)


def rows_sample(
    history: History,
    periods: Periods,
    target_sources: list[int],
    rng: np.random.Generator,
    background_per_period: int = 60,
    max_kept_per_target: int = 20_000,
    inclusion: float = 1.0,
    progress: Progress = no_progress,
) -> SampledRows:
    """Walk once through the periods and sample rows for all targets together.

    Background cells are drawn with replacement, half evenly, half in proportion to the long-run level known at
    the time; the weights are exact whatever the level is. ``inclusion`` is the probability with which a period
    itself was chosen from a longer list. Memory: about 1.1 kB a row for six sources.
    """
    events = history.events
    target_of = np.full(events.n_sources, -1, dtype=np.int64)
    target_of[target_sources] = np.arange(len(target_sources))
    by_time = np.argsort(events.occurred_days, kind="stable")
    by_time = by_time[target_of[events.source[by_time]] >= 0]
    occurred = events.occurred_days[by_time]
    starts, ends = days_since_epoch(periods.from_utc), days_since_epoch(periods.to_utc)
    first, last = np.searchsorted(occurred, starts), np.searchsorted(occurred, ends)
    totals = np.zeros(len(target_sources))
    for low, high in zip(first, last, strict=True):
        totals += np.bincount(target_of[events.source[by_time[low:high]]], minlength=len(target_sources))
    chance = np.minimum(1.0, max_kept_per_target / np.maximum(totals, 1.0))

    n_cells, draws = len(history.grid), min(background_per_period, 4 * len(history.grid))
    parts: list[tuple[Floats32, Ints, Floats, npt.NDArray[np.bool_], Floats]] = []
    links: list[tuple[Ints, Ints, Floats, Floats]] = []
    city = np.zeros((len(periods), events.n_sources, len(MEMORIES_DAYS)))
    sampling = np.full(n_cells, 1.0 / n_cells)
    offset = 0
    for number in range(len(periods)):
        history.move_to(float(starts[number]), float(starts[number]))
        city[number] = history.totals()
        if number % 25 == 0:
            level = history.level(target_sources).astype(np.float64) + 1.0 / n_cells
            sampling = 0.5 / n_cells + 0.5 * level / level.sum()
            cumulative = np.cumsum(sampling)
            progress(number, len(periods), "Collecting history")
        drawn = np.minimum(
            np.searchsorted(cumulative, rng.random(draws) * cumulative[-1], side="right"), n_cells - 1
        )
        here = by_time[first[number] : last[number]]
        cell, target = events.cell[here], target_of[events.source[here]]
        pairs = np.unique(cell * len(target_sources) + target)
        pairs = pairs[rng.random(len(pairs)) < chance[pairs % len(target_sources)]]
        positive = np.unique(pairs // len(target_sources))
        kept = np.zeros((draws + len(positive), len(target_sources)))
        at = draws + np.searchsorted(positive, pairs // len(target_sources))
        kept[at, pairs % len(target_sources)] = 1.0 / (chance[pairs % len(target_sources)] * inclusion)
        cells = np.concatenate([drawn, positive])
        weight = np.zeros(len(cells))
        weight[:draws] = 1.0 / (draws * sampling[drawn] / cumulative[-1] * inclusion)
        background = np.arange(len(cells)) < draws
        parts.append((history.rates(int(periods.slot[number]), cells), cells, weight, background, kept))
        if len(here):
            # Every incident is linked to every sampled row of its cell: background rows must know theirs too.
            order = np.argsort(cells, kind="stable")
            low = np.searchsorted(cells[order], cell, "left")
            high = np.searchsorted(cells[order], cell, "right")
            repeat = high - low
            who = np.repeat(np.arange(len(here)), repeat)
            position = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat) + low[who]
            known, mass = events.known_days[here][who], events.weight[here][who]
            links.append((offset + order[position], target[who], known, mass))
        offset += len(cells)
    n_targets, n_sources = len(target_sources), events.n_sources
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    linked = [np.concatenate(column) for column in zip(*(links or [empty]), strict=True)]
    sizes = [len(part[1]) for part in parts]
    rates = np.empty((offset, n_sources, len(RATES)), dtype=np.float32)
    at_row = 0
    for number, part in enumerate(parts):
        rates[at_row : at_row + sizes[number]] = part[0]
        at_row += sizes[number]
        # Freed one by one: the blocks and the whole would otherwise lie in memory together.
        parts[number] = (np.empty((0, 0, 0), np.float32), *part[1:])
    progress(len(periods), len(periods), "Collecting history")
    return SampledRows(
        rates=rates,
        period=np.repeat(np.arange(len(periods)), sizes).astype(np.int32),
        cell=_stacked([part[1] for part in parts], (0,)).astype(np.int32),
        weight=_stacked([part[2] for part in parts], (0,)).astype(np.float32),
        background=_stacked([part[3] for part in parts], (0,)).astype(np.bool_),
        kept=_stacked([part[4] for part in parts], (0, n_targets)).astype(np.float32),
        event_row=linked[0],
        event_target=linked[1],
        event_known_days=linked[2],
        event_weight=linked[3],
        periods=periods,
        city_totals=city,
    )


def _stacked(parts: list[npt.NDArray[Any]], empty: tuple[int, ...]) -> npt.NDArray[Any]:
    # np.concatenate refuses an empty list: no period at all is a valid, empty sample.
    return np.concatenate(parts) if parts else np.zeros(empty)
