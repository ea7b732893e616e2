"""Cities with a known truth: how much crime there would be, what missions do, and how people depart from the plan."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from forecasting.engine.grid import GridSpec
from patrols.engine.design import DesignPolicy
from tactics.engine.impact.batch import BeatLayout
from tactics.engine.impact.outcomes import Reach, neighbours_of
from tactics.engine.impact.study import Floats, Ints

SHIFTS_A_DAY, SHIFT_MINUTES = 3, 480
SHIFTS_A_WEEK = 7 * SHIFTS_A_DAY


@dataclass(frozen=True, eq=False)
class World:
    """A city without missions: its grid, beats, and the crimes expected in each cell in each of the week's 21 shifts.

    ``beat_of_cell`` int64[N], -1 outside all beats; ``rates`` float64[21, N]; ``k`` boxes sent a car per beat and shift.
    """

    grid: GridSpec
    beat_of_cell: Ints
    rates: Floats
    k: int = 2
    policy: DesignPolicy = field(default_factory=DesignPolicy)

    @cached_property
    def layout(self) -> BeatLayout:
        """The cells sorted into beats."""
        return BeatLayout.of(self.beat_of_cell, *self.grid.centres())

    @cached_property
    def ring(self) -> Ints:
        """The cells around each cell."""
        return neighbours_of(self.grid)

    @cached_property
    def reach(self) -> Reach:
        """Which cells a mission touches besides its own."""
        return Reach.of(self.ring)

    @cached_property
    def next_door(self) -> Reach:
        """The same for what is moved into the cells around alone, a third of the work."""
        there = self.ring >= 0
        share = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
        return Reach(self.ring, share, there.astype(np.float64), np.zeros_like(share))

    def first_beats(self, beats: int) -> "World":
        """The same city with missions in its first beats only."""
        keep = np.unique(self.beat_of_cell[self.beat_of_cell >= 0])[:beats]
        beat = np.where(np.isin(self.beat_of_cell, keep), self.beat_of_cell, -1)
        return World(self.grid, beat, self.rates, self.k, self.policy)


@dataclass(frozen=True)
class Scenario:
    """What missions truly do and how they are carried out.

    ``prevented``: chance that a crime in a visited box, from the drawn start to the end of the shift, does not happen;
    ``displaced``: share of those that happen next door instead. ``complied``: share of drawn missions carried out apart
    from late overrides. ``dropped_quiet``: chance that a drawn box that looks quiet is dropped late, in knowledge of what
    the forecast does not know; ``added_busy``: chance that one not drawn which looks busy and ranks high is visited.
    ``surprise``: how much a shift differs from the forecast (half of the boxes 1 + s, half 1 - s times the rate).
    ``learning``: part of the forecast that follows recent counts; ``forecast_error``: spread of its lasting error (log).
    """

    name: str
    prevented: float = 0.0
    displaced: float = 0.5
    complied: float = 0.7
    dropped_quiet: float = 0.25
    added_busy: float = 0.03
    surprise: float = 0.5
    learning: float = 0.3
    forecast_error: float = 0.3
    shifts: int = 126


def scenario_named(name: str) -> Scenario:
    """One of the benchmark's scenarios: null, net10, net20, net30. Any other name: ``KeyError`` that lists them."""
    if name not in SCENARIOS:
        raise KeyError(f"No scenario {name!r}. There are: {', '.join(SCENARIOS)}.")
    return SCENARIOS[name]


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("null"),
        Scenario("net10", prevented=1 / 3),
        Scenario("net20", prevented=2 / 3),
        Scenario("net30", prevented=1.0),
    )
}
"""About 60 % of drawn missions are carried out and half of what they prevent moves next door: net = 0.3 x prevented."""


def made_up_world(rng: np.random.Generator, *, side: int = 12, beats: int = 4, k: int = 2) -> World:
    """A square city for tests: uneven crime, beats in strips, evenings twice as busy as mornings."""
    cells = np.arange(side * side, dtype=np.int64)
    grid = GridSpec(32615, 0.0, 0.0, 250.0, side, side, cells)
    level = rng.gamma(0.8, 0.08, side * side)
    by_shift = np.tile([0.8, 0.7, 1.5], 7)
    return World(grid, grid.cols * beats // side, level[None, :] * by_shift[:, None], k)
