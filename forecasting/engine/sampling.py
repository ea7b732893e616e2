"""Rows to learn from: a sample of (period, cell) pairs that stands for all of them."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.features import MEMORIES_DAYS, RATES, History
from forecasting.engine.parallel import TypePool
from forecasting.engine.periods import Periods, days_since_epoch
from forecasting.engine.watch import Watch
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_Part = tuple[Floats32, Ints, Floats, npt.NDArray[np.bool_], Floats]

MAX_SAMPLED_PERIODS = 5_500
"""Five years of eight-hour shifts: of a longer history an even random part is read."""
BACKGROUND_ROWS = 22 * MAX_SAMPLED_PERIODS
"""Rows without an incident in all."""
MOST_KEPT = 28_000
"""Rows with an incident, of each crime type."""
_SAME_LEVEL = 25
"""Periods for which cells are drawn by the same long-run level."""


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
    watch: Watch = field(default_factory=Watch)

    def outcome(self, target: int, known_before_days: float) -> Floats32:
        """Incidents of a target per row, as far as known at an instant: [n]."""
        use = (self.event_target == target) & (self.event_known_days < known_before_days)
        mass = np.bincount(self.event_row[use], self.event_weight[use], minlength=len(self.cell))
        return mass.astype(np.float32)

    def for_target(
        self, target: int, ends_before_days: float, known_before_days: float, source: int
    ) -> tuple[Ints, Floats32, Floats32]:
        """The rows that stand for one target: (row numbers, incidents, weights); only cells where ``source`` could see."""
        y = self.outcome(target, known_before_days)
        ended = days_since_epoch(self.periods.to_utc)[self.period] <= ends_before_days
        weight = np.where(
            self.background, np.where(y == 0, self.weight, 0), np.where(y > 0, self.kept[:, target], 0)
        )
        since = self.watch.since_days.get(source)
        if since is not None:
            ended &= since[self.cell] <= days_since_epoch(self.periods.from_utc)[self.period]
        rows = np.flatnonzero(ended & (weight > 0))
        return rows, y[rows], weight[rows].astype(np.float32)


def background_rows(n_periods: int, at_most: int = 60) -> int:
    """How many background rows each of so many periods gives: about as many in all, however many the periods are.

    >>> background_rows(5_500), background_rows(4_000), background_rows(1_095)
    (22, 30, 60)
    """
    return int(np.clip(BACKGROUND_ROWS // max(n_periods, 1), 1, at_most))


def rows_sample(
    history: History,
    periods: Periods,
    target_sources: list[int],
    rng: np.random.Generator,
    background_per_period: int = 60,
    max_kept_per_target: int = MOST_KEPT,
    inclusion: float = 1.0,
    progress: Progress = no_progress,
    workers: int = 1,
) -> SampledRows:
    """Walk once through the periods and sample rows for all targets together.

    Background cells are drawn with replacement, half evenly, half in proportion to the long-run level known at
    the time; the weights are exact whatever the level is. ``inclusion`` is the probability with which a period
    itself was chosen from a longer list. ``workers`` walk through a stretch of the periods each; the rows are the same
    whatever their number, since a state does not depend on the way to it (``history`` itself ends with the first
    stretch). Memory: about 1.1 kB a row for six sources.
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
    chances: list[tuple[Floats, Ints]] = []
    for low, high in zip(first, last, strict=True):
        # All of chance is decided here, in one order: what the workers do with it does not depend on their number.
        uniform, here = rng.random(draws), by_time[low:high]
        pairs = np.unique(events.cell[here] * len(target_sources) + target_of[events.source[here]])
        chances.append((uniform, pairs[rng.random(len(pairs)) < chance[pairs % len(target_sources)]]))
    city = np.zeros((len(periods), events.n_sources, len(MEMORIES_DAYS)))

    def walk(stretch: range) -> list[_Part]:
        """Read the states at the sampled cells of these periods, on a history of their own."""
        mine = history if stretch.start == 0 else history.anew()
        for number in range(0, stretch.start, _SAME_LEVEL):
            # Step by step: the incidents of years at once would be the largest arrays of all.
            mine.move_to(float(starts[number]), float(starts[number]))
        parts: list[_Part] = []
        for number in stretch:
            mine.move_to(float(starts[number]), float(starts[number]))
            city[number] = mine.totals()
            if number % _SAME_LEVEL == 0:
                level = mine.level(target_sources).astype(np.float64) + 1.0 / n_cells
                sampling = 0.5 / n_cells + 0.5 * level / level.sum()
                cumulative = np.cumsum(sampling)
                if stretch.start == 0:
                    progress(number * len(periods) // len(stretch), len(periods), "Collecting history")
            uniform, pairs = chances[number]
            drawn = np.minimum(
                np.searchsorted(cumulative, uniform * cumulative[-1], side="right"), n_cells - 1
            )
            positive = np.unique(pairs // len(target_sources))
            kept = np.zeros((draws + len(positive), len(target_sources)))
            at = draws + np.searchsorted(positive, pairs // len(target_sources))
            kept[at, pairs % len(target_sources)] = 1.0 / (chance[pairs % len(target_sources)] * inclusion)
            cells = np.concatenate([drawn, positive])
            weight = np.zeros(len(cells))
            weight[:draws] = 1.0 / (draws * sampling[drawn] / cumulative[-1] * inclusion)
            background = np.arange(len(cells)) < draws
            parts.append((mine.rates(int(periods.slot[number]), cells), cells, weight, background, kept))
        return parts

    # Whole stretches of one level each, as long as there are workers.
    edges = np.linspace(0, len(periods), workers + 1).astype(int) // _SAME_LEVEL * _SAME_LEVEL
    edges[-1] = len(periods)
    stretches = [range(low, high) for low, high in itertools.pairwise(edges.tolist()) if high > low]
    with TypePool(len(stretches)) as pool:
        parts = list(itertools.chain.from_iterable(pool.map(walk, stretches)))
    links: list[tuple[Ints, Ints, Floats, Floats]] = []
    offset = 0
    for low, high, (_, cells, *_) in zip(first, last, parts, strict=True):
        here = by_time[low:high]
        if len(here):
            # Every incident is linked to every sampled row of its cell: background rows must know theirs too.
            cell, order = events.cell[here], np.argsort(cells, kind="stable")
            begin = np.searchsorted(cells[order], cell, "left")
            repeat = np.searchsorted(cells[order], cell, "right") - begin
            who = np.repeat(np.arange(len(here)), repeat)
            position = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat) + begin[who]
            known, mass = events.known_days[here][who], events.weight[here][who]
            links.append((offset + order[position], target_of[events.source[here]][who], known, mass))
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
        watch=events.watch,
    )


def _stacked(parts: list[npt.NDArray[Any]], empty: tuple[int, ...]) -> npt.NDArray[Any]:
    # np.concatenate refuses an empty list: no period at all is a valid, empty sample.
    return np.concatenate(parts) if parts else np.zeros(empty)
