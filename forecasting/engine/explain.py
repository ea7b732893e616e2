"""Why this cell: the real drivers of a forecast as numbers, and the words made from those numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from forecasting.engine.aoristic import shift_shares
from forecasting.engine.design import FAMILIES, calendar_columns
from forecasting.engine.features import MEMORIES_DAYS, History, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import ReportingLag
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.workshop import ShapeModel, matrix, surface
from ingestion.engine.tables import IncidentTable

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RECENT_WINDOW_DAYS = 14
RECENT_RADIUS_M = 250.0
LONG_RUN_DAYS = 3 * 365.25
SHIFT_RADIUS_M = 400.0


class _Model(Protocol):
    """The part of a stored model that explaining needs."""

    @property
    def shape(self) -> ShapeModel: ...
    @property
    def estimator(self) -> Any: ...


@dataclass(frozen=True)
class RecentCount:
    """Incidents of one type near the cell in the last days, and how many are usual in as many days there."""

    category: str
    days: int
    radius_m: float
    count: int
    usual: float


@dataclass(frozen=True)
class ContextValue:
    """A context column at the cell: its value, the city's mean, and the share of cells with less."""

    name: str
    value: float
    city_mean: float
    share_below: float


@dataclass(frozen=True)
class Explanation:
    """The drivers of one cell's forecast.

    ``expected`` incidents in this shift; ``reference_expected`` those of the middle cell of the city; ``rank`` 1 is
    the highest of ``n_cells``. ``per_year_here`` and ``per_year_neighbours`` (mean of the surrounding cells) are
    reported counts over the last three years at most. ``shift_share``: the part of the incidents within 400 m that
    fell in this shift of day, ``city_shift_share`` the city's. ``contributions``: how much each family of drivers
    adds to log(expected / reference_expected); they sum to it.
    """

    target: str
    cell: int
    cell_id: int
    expected: float
    reference_expected: float
    rank: int
    n_cells: int
    recent: tuple[RecentCount, ...]
    per_year_here: float
    per_year_neighbours: float
    per_year_city_mean: float
    shift_slug: str
    shift_share: float | None
    city_shift_share: float | None
    context: tuple[ContextValue, ...]
    contributions: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def explain_cells(
    *,
    model: _Model,
    target: str,
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    context: Floats32 | None,
    context_names: tuple[str, ...],
    cells: Ints,
    lags: Sequence[ReportingLag] | None = None,
    issued_utc: np.datetime64 | None = None,
) -> list[Explanation]:
    """Explain these cells (positions in ``grid.cells``). ``incidents`` holds what was known at the issue."""
    if len(cells) and (cells.min() < 0 or cells.max() >= len(grid)):
        raise ValueError("A cell to explain is not in the grid. Give positions in grid.cells.")
    shape = model.shape
    source = shape.layout.source
    history = History(grid, events_of(grid, incidents, shifts), lags)
    start = float(days_since_epoch(period.from_utc)[0])
    history.move_to(start, start if issued_utc is None else float(days_since_epoch(issued_utc)))
    slot, n = int(period.slot[0]), len(grid)
    totals = history.totals()
    z = shape.scaler.transform(context) if shape.scaler is not None and context is not None else None
    calendar = np.broadcast_to(calendar_columns(period, shifts)[0], (n, 6))
    total = totals[source, len(MEMORIES_DAYS) - 1]
    X = matrix(shape, history.rates(slot), total, calendar, slot, np.arange(n), z)
    expected = surface(model.estimator, X, float(shape.level.predict(period, totals[None, source])[0]))
    order = np.argsort(expected, kind="stable")
    reference = int(order[n // 2])
    rank = np.empty(n, dtype=np.int64)
    # Ties share the worst rank, as in the scores.
    rank[:] = n - np.searchsorted(expected[order], expected, side="left")
    parts = contributions(model.estimator, X[cells], X[reference], shape.layout.families, expected[cells])
    numbers = _Numbers(grid, incidents, period, shifts, source)
    per_year = numbers.per_year()
    city_share = numbers.shift_share(None)
    return [
        Explanation(
            target=target,
            cell=int(cell),
            cell_id=int(grid.cells[cell]),
            expected=float(expected[cell]),
            reference_expected=float(expected[reference]),
            rank=int(rank[cell]),
            n_cells=n,
            recent=numbers.recent(int(cell)),
            per_year_here=float(per_year[cell]),
            per_year_neighbours=float(numbers.neighbours(per_year, int(cell))),
            per_year_city_mean=float(per_year.mean()),
            shift_slug=shifts[slot].slug,
            shift_share=numbers.shift_share(int(cell)),
            city_shift_share=city_share,
            context=_context(context, context_names, int(cell)),
            contributions={family: float(parts[row, k]) for k, family in enumerate(FAMILIES)},
        )
        for row, cell in enumerate(cells)
    ]


def contributions(
    estimator: Any,
    X: Floats32,
    reference: Floats32,
    families: tuple[str, ...],
    expected: Floats | None = None,
) -> Floats:
    """Split log(risk / the reference cell's risk) into families of columns: [k, families], rows add up exactly.

    The reference cell's values are replaced by the cell's family by family, once in the order of ``FAMILIES``
    and once in reverse; each family gets the mean of its two changes. For a log-linear model these are its terms;
    for trees and mixtures the sum is exact and the split a two-order Shapley value.
    """
    k, n_families = len(X), len(FAMILIES)
    if k == 0:
        return np.zeros((0, n_families))
    member = [np.flatnonzero(np.array(families) == family) for family in FAMILIES]
    states = []
    for order in (range(n_families), range(n_families - 1, -1, -1)):
        now = np.repeat(reference[None, :], k, axis=0)
        states.append(now.copy())
        for family in order:
            now[:, member[family]] = X[:, member[family]]
            states.append(now.copy())
    # One batch: blends bring each batch to mean one, so only risks of the same batch may be compared.
    risk = np.asarray(estimator.predict(np.concatenate(states)), dtype=np.float64)
    logs = np.log(np.maximum(risk, 1e-12)).astype(np.float64).reshape(2, n_families + 1, k)
    forward: Floats = np.diff(logs[0], axis=0)
    backward: Floats = np.diff(logs[1], axis=0)[::-1]
    both: Floats = 0.5 * (forward + backward)
    return both.T


def _context(context: Floats32 | None, names: tuple[str, ...], cell: int) -> tuple[ContextValue, ...]:
    if context is None:
        return ()
    out = []
    for column, name in enumerate(names):
        values = context[:, column]
        finite = values[np.isfinite(values)]
        if len(finite) == 0 or not np.isfinite(values[cell]):
            continue
        below = float((finite < values[cell]).mean())
        out.append(ContextValue(name, float(values[cell]), float(finite.mean()), below))
    return tuple(out)


class _Numbers:
    """Plain counts around a cell, straight from the incidents: no model in between."""

    def __init__(
        self,
        grid: GridSpec,
        incidents: IncidentTable,
        period: Periods,
        shifts: tuple[ShiftWindow, ...],
        source: int,
    ) -> None:
        self.grid, self.incidents, self.source = grid, incidents, source
        self.x_m, self.y_m = grid.centres()
        self.age = (period.from_utc[0] - incidents.occurred_utc) / np.timedelta64(1, "s") / 86_400.0
        oldest = float(self.age.max()) if len(self.age) else 0.0
        self.span_days = float(np.clip(oldest, 1.0, LONG_RUN_DAYS))
        self.within = (self.age >= 0) & (self.age <= self.span_days)
        self.own = self.within & (incidents.category == source)
        self.in_shift = shift_shares(incidents, shifts)[:, int(period.slot[0])]

    def per_year(self) -> Floats:
        at = self.grid.locate(self.incidents.x_m[self.own], self.incidents.y_m[self.own])
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

    def _close(self, cell: int, radius_m: float) -> npt.NDArray[np.bool_]:
        dx, dy = self.incidents.x_m - self.x_m[cell], self.incidents.y_m - self.y_m[cell]
        close: npt.NDArray[np.bool_] = dx * dx + dy * dy <= radius_m * radius_m
        return close

    def recent(self, cell: int) -> tuple[RecentCount, ...]:
        radius = max(RECENT_RADIUS_M, self.grid.cell_size_m)
        near = self._close(cell, radius) & self.within
        out = []
        for number, category in enumerate(self.incidents.categories):
            mine = near & (self.incidents.category == number)
            count = int((mine & (self.age <= RECENT_WINDOW_DAYS)).sum())
            usual = float(mine.sum()) * min(RECENT_WINDOW_DAYS / self.span_days, 1.0)
            out.append(RecentCount(category, RECENT_WINDOW_DAYS, radius, count, usual))
        return tuple(out)

    def shift_share(self, cell: int | None) -> float | None:
        """None where nothing happened: a share of nothing is not a number."""
        use = (
            self.own
            if cell is None
            else self.own & self._close(cell, max(SHIFT_RADIUS_M, self.grid.cell_size_m))
        )
        total = int(use.sum())
        return float(self.in_shift[use].sum()) / total if total else None


def words(explanation: Explanation, labels: Mapping[str, str] | None = None) -> list[str]:
    """Say the numbers in plain sentences, the strongest first. Every number comes from the explanation."""
    named = labels or {}
    name = named.get(explanation.target, explanation.target.replace("_", " "))
    lines = [
        f"Expected in this shift: {explanation.expected:.4f} {name}; rank {explanation.rank:,} of "
        f"{explanation.n_cells:,} cells."
    ]
    if explanation.reference_expected > 0:
        times = explanation.expected / explanation.reference_expected
        lines.append(f"That is {times:.1f} times the city's middle cell.")
    for item in explanation.recent:
        if item.count and (item.category == explanation.target or item.count > item.usual):
            kind = named.get(item.category, item.category.replace("_", " "))
            lines.append(
                f"{kind}: {item.count} within {item.radius_m:.0f} m in the last {item.days} days "
                f"(usual: {item.usual:.1f})."
            )
    lines.append(
        f"Long run: {explanation.per_year_here:.1f} a year in this cell, {explanation.per_year_neighbours:.1f} in the "
        f"cells around it, {explanation.per_year_city_mean:.2f} in the average cell."
    )
    if explanation.shift_share is not None and explanation.city_shift_share is not None:
        lines.append(
            f"{explanation.shift_share:.0%} of the incidents nearby fall in this shift of day; "
            f"city-wide it is {explanation.city_shift_share:.0%}."
        )
    for value in sorted(explanation.context, key=lambda one: -one.share_below)[:2]:
        if value.share_below >= 0.9:
            lines.append(
                f"{value.name}: {value.value:.3g}, more than in {value.share_below:.0%} of the cells."
            )
    return lines
