"""Why this cell: the real drivers of a forecast as numbers. The words are made in ``forecasting.engine.wording``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from forecasting.engine.design import FAMILIES, Layout, calendar_columns, context_part, part_family
from forecasting.engine.features import MEMORIES_DAYS, History, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.happenings import Happenings
from forecasting.engine.lag import ReportingLag
from forecasting.engine.nearby import (
    ContextColumns,
    ContextValue,
    EventCount,
    LayerAmount,
    NearbyCounts,
    RecentCount,
    WeatherValue,
    events_near,
    weather_values,
)
from forecasting.engine.parallel import single_threaded
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch, weekday_of
from forecasting.engine.surroundings import NOTHING, Passing, Surroundings
from forecasting.engine.workshop import ShapeModel, matrix, surface
from ingestion.engine.tables import IncidentTable

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ORDERS = 32
"""Orders in which parts are exchanged, half of them the other half reversed."""
_ROWS_AT_A_TIME = 20_000
_LEAST_RISK = 1e-12


class _Model(Protocol):
    """The part of a stored model that explaining needs."""

    @property
    def shape(self) -> ShapeModel: ...
    @property
    def estimator(self) -> Any: ...


@dataclass(frozen=True)
class Explanation:
    """The drivers of one cell's forecast.

    ``expected`` incidents in this shift; ``reference_expected`` those of the middle cell of the city, which lies at
    ``reference_cell``; ``rank`` 1 is the highest of ``n_cells``. ``per_year_here`` and ``per_year_neighbours`` (mean
    of the surrounding cells) are reported counts over the last three years at most. ``shift_share``: the part of the
    incidents within ``shift_radius_m`` that fell in this shift of day (``shift_per_year`` of them a year),
    ``city_shift_share`` the city's. ``weekday`` of the shift's start, Monday 0. ``contributions``: how much each part
    (a family, ``other:<type>``, ``context:<layer>``, ``event:<name>``, ``weather:<name>``) adds to
    log(expected / reference_expected); they sum to it. ``layers``: what stands near, where somebody counted it.
    ``is_watched`` False: no sensor covers the cell, so nothing is expected, and nothing contributes.
    ``events``: what is on in this shift, near the cell and in the city. ``weather``: as foreseen, against the usual of the
    season. ``against_usual``: the model knows events or weather, and ``reference_expected`` is the middle cell's in a
    shift of this slot and day without an event and with the weather usual for the season.
    """

    target: str
    cell: int
    cell_id: int
    expected: float
    reference_cell: int
    reference_expected: float
    rank: int
    n_cells: int
    recent: tuple[RecentCount, ...]
    per_year_here: float
    per_year_neighbours: float
    per_year_city_mean: float
    shift_slug: str
    weekday: int
    shift_radius_m: float
    shift_share: float | None
    city_shift_share: float | None
    shift_per_year: float
    context: tuple[ContextValue, ...]
    contributions: dict[str, float]
    layers: tuple[LayerAmount, ...] = ()
    is_watched: bool = True
    events: tuple[EventCount, ...] = ()
    weather: tuple[WeatherValue, ...] = ()
    against_usual: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@single_threaded()
def explain_cells(
    *,
    models: Mapping[str, _Model],
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    context: Floats32 | None,
    context_names: tuple[str, ...],
    cells: Mapping[str, Ints],
    lags: Sequence[ReportingLag] | None = None,
    issued_utc: np.datetime64 | None = None,
    surroundings: Surroundings | None = None,
) -> dict[str, list[Explanation]]:
    """Explain these cells (positions in ``grid.cells``) for each type, in the order given.

    ``incidents`` holds what was known at the issue. The walk through the history is made once for all types.
    """
    for places in cells.values():
        if len(places) and (places.min() < 0 or places.max() >= len(grid)):
            raise ValueError("A cell to explain is not in the grid. Give positions in grid.cells.")
    history = History(grid, events_of(grid, incidents, shifts), lags)
    start = float(days_since_epoch(period.from_utc)[0])
    history.move_to(start, start if issued_utc is None else float(days_since_epoch(issued_utc)))
    slot, n = int(period.slot[0]), len(grid)
    totals, rates = history.totals(), history.rates(slot)
    calendar = np.broadcast_to(calendar_columns(period, shifts)[0], (n, 6))
    nearby = NearbyCounts(grid, incidents, period, shifts)
    columns = ContextColumns(context, context_names)
    around_us = surroundings or Surroundings()
    issued = period.from_utc if issued_utc is None else np.minimum(issued_utc, period.from_utc)
    passes = {
        names: around_us.passing(names, grid, period, issued)
        for names in {models[target].shape.names for target in cells} - {NOTHING}
    }
    known = (around_us.happenings or Happenings.none()).known_before(issued[0])
    out: dict[str, list[Explanation]] = {}
    for target, places in cells.items():
        model = models[target]
        shape = model.shape
        source = shape.layout.source
        z = shape.scaler.transform(context) if shape.scaler is not None and context is not None else None
        total = totals[source, len(MEMORIES_DAYS) - 1]
        passing = passes.get(shape.names)
        here = shape.passing_rows(passing, 0, np.arange(n))
        X = matrix(shape, rates, total, calendar, slot, np.arange(n), z, here)
        now = None if passing is None else passing.terms
        level = float(shape.level.predict(period, totals[None, source], now)[0])
        watched = history.watched(source)
        expected = surface(model.estimator, X, level, watched)
        order = np.argsort(expected, kind="stable")
        # The middle one of the cells that can be seen: elsewhere nothing is expected.
        seen = order[expected[order] > 0] if (expected > 0).any() else order
        reference = int(seen[len(seen) // 2])
        # Ties share the worst rank, as in the scores.
        rank = n - np.searchsorted(expected[order], expected, side="left")
        layer_logs = None
        if shape.context_rate is not None and z is not None:
            terms = shape.context_rate.log_terms(z[np.append(places, reference)], slot)
            layer_logs = terms[:-1] - terms[-1]
        middle, reference_expected = X[reference], float(expected[reference])
        city: dict[str, float] = {}
        if passing is not None:
            still = replace(
                passing, local=tuple(one * 0 for one in passing.local), weather=passing.weather * 0
            )
            quiet = shape.passing_rows(still, 0, np.arange(n))
            middle = X[reference].copy()
            middle[shape.layout.passing] = 0 if quiet is None else quiet[reference]
            usual = float(shape.level.predict(period, totals[None, source])[0])
            city, reference_expected = _city_parts(
                model, X, reference, (level, usual), quiet, passing, watched
            )
        names, parts = contributions(model.estimator, shape.layout, X[places], middle, total, layer_logs)
        names, parts = _with_city(names, parts, city)
        seen_here = np.ones(len(places), dtype=bool) if watched is None else watched[places]
        parts[~seen_here] = 0.0
        per_year = nearby.per_year(source)
        around = nearby.recent(places, reference)
        in_shift, city_share = nearby.in_shift(source, places), nearby.city_shift_share(source)
        out[target] = [
            Explanation(
                target=target,
                cell=int(cell),
                cell_id=int(grid.cells[cell]),
                expected=float(expected[cell]),
                reference_cell=reference,
                reference_expected=reference_expected,
                rank=int(rank[cell]),
                n_cells=n,
                recent=around[row],
                per_year_here=float(per_year[cell]),
                per_year_neighbours=nearby.neighbours(per_year, int(cell)),
                per_year_city_mean=float(per_year.mean()),
                shift_slug=shifts[slot].slug,
                weekday=int(weekday_of(period.local_from)[0]),
                shift_radius_m=nearby.shift_radius_m,
                shift_share=in_shift[row].share,
                city_shift_share=city_share,
                shift_per_year=in_shift[row].per_year,
                context=columns.at(int(cell)),
                contributions={name: float(parts[row, k]) for k, name in enumerate(names)},
                is_watched=bool(seen_here[row]),
                events=events_near(grid, known, period, int(cell)),
                weather=weather_values(passing),
                against_usual=passing is not None,
            )
            for row, cell in enumerate(places)
        ]
    return out


def contributions(
    estimator: Any,
    layout: Layout,
    X: Floats32,
    reference: Floats32,
    all_time_total: float,
    layer_logs: Floats | None = None,
) -> tuple[tuple[str, ...], Floats]:
    """Split log(risk / the reference cell's risk) into parts: (their names, [k, parts]); rows add up exactly.

    ``X`` [k, columns] and ``reference`` [columns] are rows of the layout's matrix; ``layer_logs`` [k, C] what each
    context column adds to the log of the context's own rate, against the reference. A part that is equal in both rows
    (season, weekday, weather) gets exactly 0: it sets the city's level and says nothing about the place.

    Notes
    -----
    Shapley values (Lundberg & Lee, NIPS 2017, with one reference cell as background). The reference's values are
    replaced by the cell's, part by part, in ``ORDERS`` orders; each part gets its mean change. Orders come in pairs,
    one the reverse of the other (Mitchell et al., JMLR 23, 2022): any interaction of two parts is then halved
    between them, as in the exact values, so that only interactions of three and more parts are approximated; terms of
    a log-linear model come out exactly. Columns worked out from others (shrunk rates, the context's rate) are worked
    out anew in each mixed row, so that no row contradicts itself and each layer answers for its own share of them.
    """
    names = layout.part_names
    k = len(X)
    out = np.zeros((k, len(names)))
    part_of = np.array([names.index(part) if part else -1 for part in layout.parts])
    differs = (reference != X).any(axis=0)
    players = [part for part in range(len(names)) if differs[part_of == part].any()]
    if k == 0 or not players:
        return names, out
    states, paths = _states(len(players))
    player_of = np.array([players.index(part) if part in players else -1 for part in part_of])
    # A column of no player is worked out from others, or equal in every row.
    taken = np.where(player_of >= 0, states[:, player_of], False)
    logs = None
    if layout.context_names:
        logs = _layer_shares(layout, X, reference, layer_logs)
        column_of = player_of[layout.static]
        in_state = np.where(column_of >= 0, states[:, column_of], False).astype(np.float64)
    step = max(1, _ROWS_AT_A_TIME // len(states))
    for first in range(0, k, step):
        own = X[first : first + step]
        mixed = np.where(taken[None], own[:, None], reference)
        rows = mixed.reshape(-1, mixed.shape[2])
        if logs is not None:
            moved = logs[first : first + step] @ in_state.T
            rate = float(reference[layout.n_rates - 1]) * np.exp(moved)
            rows[:, layout.n_rates - 1] = rate.reshape(-1)
        layout.derive(rows, all_time_total)
        # The two ends are the rows themselves: rounding on the way must not show in the sum.
        mixed[:, 0], mixed[:, 1] = reference, own
        # All states of a cell in one call: a model that scales each batch would else compare unlike risks.
        risk = np.asarray(estimator.predict(rows), dtype=np.float64).reshape(len(own), -1)
        log_risk = np.log(np.maximum(risk, _LEAST_RISK))
        for path, order in paths:
            out[first : first + step, np.array(players)[order]] += np.diff(log_risk[:, path], axis=1)
    return names, out / len(paths)


def _city_parts(
    model: _Model,
    X: Floats32,
    reference: int,
    levels: tuple[float, float],
    quiet: Floats32 | None,
    passing: Passing,
    watched: Bools | None,
) -> tuple[dict[str, float], float]:
    """What events and weather do to every cell alike, by part, and the middle cell's expected count in a usual shift.

    Two things: they move the city's level (``levels`` now and usually), and a crowd in one place takes its share of
    that level from all others. Both on the log scale; the second is split among parts as contributions are. ``quiet``
    [N, P]: the columns of a shift without events and with usual weather.
    """
    layout, level, usual_level = model.shape.layout, *levels
    own = model.shape.level.log_terms(int(passing.slot[0]), passing.terms[0])
    gap = float(np.log(max(level, _LEAST_RISK) / max(usual_level, _LEAST_RISK)))
    # A level that was cut off at its bound moved less than its terms say: the rest is spread by size.
    size = np.abs(own)
    own = own + (gap - own.sum()) * size / max(float(size.sum()), _LEAST_RISK)
    city: dict[str, float] = {}
    for name, value in zip(passing.names.level, own.tolist(), strict=True):
        city[context_part(name)] = city.get(context_part(name), 0.0) + value
    part_of = np.array([context_part(name) for name in layout.passing_names], dtype=object)
    block = X[:, layout.passing]
    base = block if quiet is None else quiet
    differs = block != base
    players = [part for part in dict.fromkeys(part_of.tolist()) if differs[:, part_of == part].any()]
    moved = np.flatnonzero(differs.any(axis=1))
    plain = X.copy()
    plain[:, layout.passing] = base
    seen = np.ones(len(X)) if watched is None else watched.astype(np.float64)
    still = np.maximum(np.asarray(model.estimator.predict(plain), dtype=np.float64), 0.0) * seen
    total = max(float(still.sum()), _LEAST_RISK)
    if players:
        states, paths = _states(len(players))
        sums = np.empty(len(states))
        for number, state in enumerate(states):
            on = np.isin(part_of, [part for part, is_on in zip(players, state, strict=True) if is_on])
            rows = plain[moved]
            rows[:, layout.passing] = np.where(on, block[moved], base[moved])
            risk = np.maximum(np.asarray(model.estimator.predict(rows), dtype=np.float64), 0.0)
            sums[number] = total + float((risk * seen[moved]).sum() - still[moved].sum())
        logs = np.log(np.maximum(sums, _LEAST_RISK))
        for path, order in paths:
            for player, step in zip(order.tolist(), np.diff(logs[path]).tolist(), strict=True):
                city[players[player]] = city.get(players[player], 0.0) - step / len(paths)
    return city, float(still[reference]) * usual_level / total


def _with_city(
    names: tuple[str, ...], parts: Floats, city: Mapping[str, float]
) -> tuple[tuple[str, ...], Floats]:
    """The parts of the cells and those of the whole city in one table, families in their order."""
    if not city:
        return names, parts
    every = sorted(dict.fromkeys((*names, *city)), key=lambda part: FAMILIES.index(part_family(part)))
    out = np.zeros((len(parts), len(every)))
    for column, name in enumerate(every):
        out[:, column] = city.get(name, 0.0)
        if name in names:
            out[:, column] += parts[:, names.index(name)]
    return tuple(every), out


def _layer_shares(layout: Layout, X: Floats32, reference: Floats32, layer_logs: Floats | None) -> Floats:
    """What each context column adds to the log of the context's rate, so that the sum is that rate's: [k, C]."""
    rate = layout.n_rates - 1
    truth = np.log(np.maximum(X[:, rate], _LEAST_RISK) / max(float(reference[rate]), _LEAST_RISK))
    shares = np.zeros((len(X), len(layout.context_names))) if layer_logs is None else layer_logs
    # A rate cut off at its bounds moved less than its terms say: the rest is spread by size.
    size = np.abs(shares) + 1e-9
    rest: Floats = truth - shares.sum(axis=1)
    whole: Floats = shares + rest[:, None] * size / size.sum(axis=1, keepdims=True)
    return whole


def _states(n_players: int) -> tuple[Bools, list[tuple[Ints, Ints]]]:
    """Which players have moved in each distinct state, [states, players], and each order as a path through them.

    State 0 is nobody, state 1 everybody. The orders are the same in every run.
    """
    rng = np.random.default_rng(20_190_612)
    number: dict[bytes, int] = {}
    states: list[Bools] = []

    def at(state: Bools) -> int:
        if (key := state.tobytes()) not in number:
            number[key] = len(states)
            states.append(state.copy())
        return number[key]

    at(np.zeros(n_players, dtype=np.bool_))
    at(np.ones(n_players, dtype=np.bool_))
    paths: list[tuple[Ints, Ints]] = []
    for _ in range(ORDERS // 2):
        one = rng.permutation(n_players)
        for order in (one, one[::-1]):
            now = np.zeros(n_players, dtype=np.bool_)
            path = [at(now)]
            for player in order:
                now[player] = True
                path.append(at(now))
            paths.append((np.array(path, dtype=np.int64), order.astype(np.int64)))
    return np.array(states), paths
