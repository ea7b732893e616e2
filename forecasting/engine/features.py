"""What a forecast may know about every cell just before a shift begins, as relative rates.

A relative rate is a decayed (and blurred) count divided by its mean over all cells: 1 is an average cell. One
pseudo-incident spread evenly over the city is added to each, so that an empty history gives 1 and never NaN.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.aoristic import pieces_of
from forecasting.engine.counts import DecayedCounts, Kernel, kernel_build, mass_of, pooled_places
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import CompletenessBook, ReportingLag
from forecasting.engine.parallel import PIECE_ROWS, built, shared_map
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.watch import Watch, watch_of
from ingestion.engine.tables import IncidentTable

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEMORIES_DAYS = (3.0, 12.0, 45.0, 150.0, 450.0, 1460.0, math.inf)
SLOT_MEMORIES_DAYS = (150.0, 450.0, math.inf)
BANDWIDTHS_M = (0.0, 100.0, 200.0, 400.0, 900.0)
SLOT_BANDWIDTHS_M = (0.0, 100.0, 200.0, 400.0)
RECENT_DAYS = 45.0
_LEAST_CITY = 1e-9
_SLOT_COLUMNS = [MEMORIES_DAYS.index(days) for days in SLOT_MEMORIES_DAYS]


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
    watch: Watch = field(default_factory=Watch)


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
        watch=watch_of(grid, incidents.watched, incidents.categories),
    )


class History:
    """All states at one instant; walks forward through time. Nothing newer than the instant is inside.

    ``lags`` (one per source) say how late each source reports: counts are then raised by what is still to come.
    """

    def __init__(self, grid: GridSpec, events: Events, lags: Sequence[ReportingLag] | None = None) -> None:
        self.grid = grid
        self.events = events
        self._lags = lags
        self.n_slots = events.member.shape[1]
        wide = [b for b in BANDWIDTHS_M if b]
        self._kernels = dict(zip(wide, built(partial(kernel_build, grid), wide), strict=True))
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
        self._late = None if lags is None else CompletenessBook(lags, MEMORIES_DAYS)
        self.first_days = np.full(events.n_sources, np.inf)
        self._issued = -math.inf
        self.now_days = -math.inf
        self.watch = events.watch
        self._exposed: dict[tuple[int, tuple[float, ...]], tuple[float, float, Watch, Floats]] = {}

    @property
    def states(self) -> dict[str, DecayedCounts]:
        """Every carried state by name: all hours and each shift of day, on cells and on wider squares."""
        named = {f"all_{factor}": state for factor, state in self._all.items()}
        for slot, states in enumerate(self._slot):
            named |= {f"slot{slot}_{factor}": state for factor, state in states.items()}
        return named

    def anew(self) -> "History":
        """The same incidents with nothing of them counted yet, for a walk of its own."""
        return History(self.grid, self.events, self._lags)

    def seen_at(self, now_days: float, lags: Sequence[ReportingLag] | None = None) -> Self:
        """The same knowledge as it will have faded by a later instant: for reading only, the states are shared."""
        other = copy.copy(self)
        other.now_days, other._exposed = now_days, {}
        other._all = {factor: state.seen_at(now_days) for factor, state in self._all.items()}
        other._slot = [{f: state.seen_at(now_days) for f, state in slot.items()} for slot in self._slot]
        if lags is not None:
            other._late = CompletenessBook(lags, MEMORIES_DAYS)
            other._late.move_to(now_days, min(self._issued, now_days), self.first_days)
        return other

    def move_to(self, now_days: float, known_before_days: float) -> None:
        """Go forward to this instant and take in what was known before the second one (not after the first)."""
        for state in self.states.values():
            state.move_to(now_days)
        end = int(np.searchsorted(self.events.known_days, min(known_before_days, now_days), side="left"))
        new = slice(self._next, max(end, self._next))
        self._next = new.stop
        self._issued, self.now_days = min(known_before_days, now_days), now_days
        self.take_in(self.events, new)
        if self._late is not None:
            self._late.move_to(now_days, self._issued, self.first_days)

    def take_in(self, events: Events, new: slice) -> None:
        """Count these incidents, whenever they happened."""
        cell, source, member = events.cell[new], events.source[new], events.member[new]
        np.minimum.at(self.first_days, source, events.occurred_days[new])
        mass = mass_of(events.occurred_days[new], MEMORIES_DAYS, events.weight[new])
        here = [np.flatnonzero(member[:, slot]) for slot in range(self.n_slots)]
        slot_mass = [mass.take(at, _SLOT_COLUMNS) for at in here]
        for factor, place_of in self._place_of.items():
            place = place_of[cell]
            self._all[factor].add_mass(place, source, mass)
            for slot, at in enumerate(here):
                self._slot[slot][factor].add_mass(place[at], source[at], slot_mass[slot])

    def totals(self) -> Floats:
        """Decayed counts of the whole city, raised by what is not yet reported: [sources, memories]."""
        totals = self._all[1].totals()
        totals = totals if self._late is None else totals * self._late.factors(totals)
        for source in self.watch.since_days:
            # As if every cell that is watched now had been watched all along: new sensors are no crime wave.
            share = self._exposure(source, MEMORIES_DAYS)
            now = self.watch.n_watched(source, np.array([self.now_days]), len(self.grid))
            totals[source] *= now[0] / np.maximum(share.sum(axis=0), 1.0)
        return totals

    def watched(self, source: int) -> npt.NDArray[np.bool_] | None:
        """The cells in which this source can see at present, [N]; None where it sees everywhere."""
        return self.watch.cells(source, self.now_days)

    def _exposure(self, source: int, memories: tuple[float, ...]) -> Floats:
        first, wanted = float(self.first_days[source]), (source, memories)
        # Every bandwidth asks for it, at one instant the same: kept until the next, with what it was worked out for.
        kept = self._exposed.get(wanted)
        if kept is None or kept[:2] != (self.now_days, first) or kept[2] is not self.watch:
            share = self.watch.exposure(source, self.now_days, first, np.asarray(memories))
            self._exposed[wanted] = kept = (self.now_days, first, self.watch, share)
        return kept[3]

    def _seen(
        self, counts: Floats32, sources: slice, raised: Any
    ) -> list[tuple[int, int, npt.NDArray[np.float32]]]:
        """(column, source, counts so far) of the sources that do not see everywhere, before they are scaled."""
        if not self.watch:
            return []
        chosen = list(range(self.events.n_sources)[sources])
        factors = np.broadcast_to(np.asarray(raised).reshape(-1) / len(self.grid), (counts[0].size,))
        lifted = factors.reshape(counts.shape[1:])
        return [
            (number, source, counts[:, number] * lifted[number])
            for number, source in enumerate(chosen)
            if source in self.watch.since_days
        ]

    def _blurred(
        self, states: dict[int, DecayedCounts], kernel: Kernel, operator: sparse.csr_array | None
    ) -> Floats32:
        """The blur of what is stored, by the operator's rows for some cells, or for all if None; not to be changed."""
        blur: Floats32 = (kernel.operator if operator is None else operator) @ states[kernel.factor].stored
        return blur

    def level(self, sources: list[int]) -> Floats32:
        """Long-run counts per cell over several sources, [N]: where to look harder when sampling."""
        memory = MEMORIES_DAYS.index(1460.0)
        columns = self._all[1].values().reshape(len(self.grid), -1, len(MEMORIES_DAYS))
        level: Floats32 = columns[:, sources, memory].sum(axis=1)
        return level

    def rates(self, slot: int, cells: Ints | None = None, sources: slice = slice(None)) -> Floats32:
        """Every relative rate for a shift of this slot at these cells (all if None): [m, sources, rates]."""
        n_cells, n_sources = len(self.grid), self.events.n_sources
        m = n_cells if cells is None else len(cells)
        # Source by source in memory: a crime type's own rates are read as one block.
        out = np.empty((len(range(n_sources)[sources]), m, len(RATES)), dtype=np.float32).swapaxes(0, 1)
        groups = (
            (self._all, MEMORIES_DAYS, BANDWIDTHS_M, list(range(len(MEMORIES_DAYS)))),
            (self._slot[slot], SLOT_MEMORIES_DAYS, SLOT_BANDWIDTHS_M, _SLOT_COLUMNS),
        )
        # Cut out once for all states: cutting costs as much as blurring a few cells.
        operators = (
            {} if cells is None else {b: kernel.operator[cells] for b, kernel in self._kernels.items()}
        )
        jobs: list[Callable[[], None]] = []
        column = 0
        for states, memories, bandwidths, columns in groups:
            known = states[1].totals()
            totals = known[sources].astype(np.float32)
            raised: Floats32 | np.float32 = np.float32(n_cells)
            if self._late is not None and not self._late.complete:
                factors = self._late.factors(known, columns)[sources].astype(np.float32)
                totals, raised = totals * factors, (factors * np.float32(n_cells)).reshape(-1)
            for bandwidth in bandwidths:
                block = out[:, :, column : column + len(memories)]
                parts = (block, states, memories, bandwidth, totals, raised, sources, cells)
                jobs.append(partial(self._fill, *parts, operators.get(bandwidth)))
                column += len(memories)
        shared_map(lambda job: job(), jobs)
        return out

    def _fill(
        self,
        block: Floats32,
        states: dict[int, DecayedCounts],
        memories: tuple[float, ...],
        bandwidth: float,
        totals: Floats32,
        raised: Floats32 | np.float32,
        sources: slice,
        cells: Ints | None,
        operator: sparse.csr_array | None,
    ) -> None:
        """The relative rates of one bandwidth, written into their place: [m, sources, memories]."""
        m, n_sources = len(block), self.events.n_sources
        kernel = self._kernels.get(bandwidth)
        if kernel is None:
            stored = states[1].stored if cells is None else states[1].stored[cells]
        else:
            stored = self._blurred(states, kernel, operator)
        scale = states[1 if kernel is None else kernel.factor].scale
        seen = []
        if sources != slice(None):
            first, last, _ = sources.indices(n_sources)
            columns = slice(first * len(memories), last * len(memories))
            stored, scale = stored[:, columns], scale[columns]
        if self.watch:
            seen = self._seen((stored * scale).reshape(m, -1, len(memories)), sources, raised)
        mean = (totals + np.float32(1.0)).reshape(-1)
        for low in range(0, m, PIECE_ROWS):
            # Whole rows at a time, since a handful of memories is too short to be fast; few enough to stay close by.
            piece = stored[low : low + PIECE_ROWS] * scale
            piece *= raised
            piece += np.float32(1.0)
            piece /= mean
            block[low : low + PIECE_ROWS] = piece.reshape(len(piece), *block.shape[1:])
        for number, source, mine in seen:
            share = self._exposure(source, memories)
            even, city = 1.0 / max(float((share[:, -1] > 0).sum()), 1.0), share.sum(axis=0)
            if kernel is not None:
                squares = np.zeros((kernel.n_places, len(memories)))
                np.add.at(squares, kernel.place_of, share)
                share = (kernel.operator if operator is None else operator) @ squares
            elif cells is not None:
                share = share[cells]
            usual = totals[number] * share / np.maximum(city, _LEAST_CITY)
            block[:, number] = (mine + even) / (usual + even)


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
        first_days = np.full(events.n_sources, np.inf)
        np.minimum.at(first_days, events.source[known], events.occurred_days[known])
        late.move_to(now_days, issued, first_days)
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
