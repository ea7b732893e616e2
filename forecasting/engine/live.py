"""A history that answers at once: it keeps its blurs, and renews them only around what is new."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from forecasting.engine.counts import DecayedCounts, Kernel
from forecasting.engine.features import Events, History
from forecasting.engine.grid import GridSpec

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEW_EVENTS = 64
"""Up to so many new incidents only the cells around them are blurred again; with more, all cells are."""


class LiveHistory(History):
    """A history without incidents that keeps its blurs, and renews them only around what is new."""

    def __init__(self, grid: GridSpec, n_sources: int, n_slots: int) -> None:
        super().__init__(grid, _no_events(n_sources, n_slots))
        self._blurs: dict[tuple[str, float], tuple[bytes, Floats32]] = {}

    def _blurred(
        self, states: dict[int, DecayedCounts], kernel: Kernel, operator: sparse.csr_array | None
    ) -> Floats32:
        if operator is not None:
            return super()._blurred(states, kernel, operator)
        state = states[kernel.factor]
        key = (self._name_of(state), kernel.bandwidth_m)
        # A store brought to newer units no longer fits its old blur.
        units = state.units
        if key not in self._blurs or self._blurs[key][0] != units:
            self._blurs[key] = units, kernel.operator @ state.stored
        return self._blurs[key][1]

    def _name_of(self, state: DecayedCounts) -> str:
        return next(name for name, mine in self.states.items() if mine.stored is state.stored)

    def take_in(self, events: Events, new: slice) -> None:
        """Count these incidents; the cells that feel them are blurred anew from the store, not added to.

        Adding to a blur would round otherwise than blurring from scratch does.
        """
        super().take_in(events, new)
        cells = np.unique(events.cell[new])
        if len(cells) > FEW_EVENTS:
            self._blurs.clear()
        near = {b: self._within_reach(cells, kernel.reach_cells) for b, kernel in self._kernels.items()}
        sources = np.unique(events.source[new])
        states = self.states
        for (name, bandwidth), (_, blur) in self._blurs.items():
            kernel, state, rows = self._kernels[bandwidth], states[name], near[bandwidth]
            n = len(state.half_lives_days)
            operator = kernel.operator[rows]
            for source in sources.tolist():
                columns = slice(source * n, (source + 1) * n)
                blur[rows, columns] = operator @ np.ascontiguousarray(state.stored[:, columns])

    def _within_reach(self, cells: Ints, reach_cells: int) -> Ints:
        if len(cells) > FEW_EVENTS:
            return np.zeros(0, dtype=np.int64)
        near = np.zeros(len(self.grid), dtype=bool)
        for cell in cells.tolist():
            near |= (abs(self.grid.rows - self.grid.rows[cell]) <= reach_cells) & (
                abs(self.grid.cols - self.grid.cols[cell]) <= reach_cells
            )
        return np.flatnonzero(near)


def _no_events(n_sources: int, n_slots: int) -> Events:
    nothing, never = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Events(nothing, nothing, never, never, np.zeros((0, n_slots), dtype=bool), never, n_sources)
