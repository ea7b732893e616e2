"""From a trained model to a shift: the expected counts of every cell, and why."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.checks import check_trained
from forecasting.engine.design import calendar_columns
from forecasting.engine.explain import Explanation, explain_cells
from forecasting.engine.features import MEMORIES_DAYS, History, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import ReportingLag
from forecasting.engine.parallel import single_threaded
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.surroundings import NOTHING, Names, Passing, Surroundings
from forecasting.engine.trained import TrainedType, TypeModel
from forecasting.engine.workshop import matrix, surface
from ingestion.engine.tables import IncidentTable
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]


def forecast(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    progress: Progress = no_progress,
    lag: Mapping[str, ReportingLag] | None = None,
    surroundings: Surroundings | None = None,
) -> dict[str, Floats32]:
    """Expected incidents per cell in one shift instance, for each trained type: float32 [N].

    Uses only incidents known before ``as_of_utc`` (and before the shift begins). ``categories`` of the table,
    shifts and context columns must be those of the training. Counts are raised by what is not reported yet, and by
    what will happen until the shift begins. ``lag`` by category: as for ``train``; None is what was said there.
    ``surroundings``: events and weather, of which only what was known at the issue is used.
    """
    check_trained(trained, grid, incidents, shifts, context_names, period)
    (found,) = forecast_many(
        trained=trained,
        grid=grid,
        incidents=incidents.known_before(as_of_utc.astype("datetime64[s]")),
        periods=period,
        shifts=shifts,
        context=context,
        context_names=context_names,
        progress=progress,
        lag=lag,
        issued_utc=as_of_utc.astype("datetime64[s]"),
        surroundings=surroundings,
    )
    return found


@single_threaded()
def forecast_many(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    periods: Periods,
    shifts: tuple[ShiftWindow, ...],
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    progress: Progress = no_progress,
    lag: Mapping[str, ReportingLag] | None = None,
    issued_utc: np.datetime64 | None = None,
    surroundings: Surroundings | None = None,
) -> list[dict[str, Floats32]]:
    """Forecast ascending periods in one walk, each from what was known when it began (for tests and reports).

    ``lag``: as for ``forecast``; give {} where the table holds rows that were late then: they need no correction.
    ``issued_utc``: nothing later is known, whenever the periods begin.
    """
    events = events_of(grid, incidents, shifts)
    history = History(grid, events, lags_live(trained, incidents.categories, lag))
    issued = np.inf if issued_utc is None else float(days_since_epoch(issued_utc))
    calendar = calendar_columns(periods, shifts)
    passing = passing_of(trained, surroundings, grid, periods, issued_utc)
    scaled: dict[int, Floats32] = {}
    out: list[dict[str, Floats32]] = []
    for number in range(len(periods)):
        progress(number, len(periods), "Forecasting")
        start = float(days_since_epoch(periods.from_utc[number : number + 1])[0])
        history.move_to(start, min(start, issued))
        slot = int(periods.slot[number])
        rates, totals = history.rates(slot), history.totals()
        found: dict[str, Floats32] = {}
        for slug, one in trained.items():
            z = None
            if context is not None and one.model.shape.scaler is not None:
                scaler = one.model.shape.scaler
                z = scaled.setdefault(id(scaler), scaler.transform(context))
            found[slug] = shift_surface(
                one.model,
                rates,
                totals,
                periods.take([number]),
                calendar[number],
                z,
                history.watched(one.model.shape.layout.source),
                passing.get(one.model.shape.names),
                number,
            )
        out.append(found)
    progress(len(periods), len(periods), "Forecasting")
    return out


def shift_surface(
    model: TypeModel,
    rates: Floats32,
    totals: npt.NDArray[np.float64],
    period: Periods,
    calendar: Floats32,
    z: Floats32 | None,
    watched: npt.NDArray[np.bool_] | None = None,
    passing: Passing | None = None,
    number: int = 0,
) -> Floats32:
    """One crime type's expected counts in one shift: float32 [N].

    ``rates`` [N, sources, rates] and ``totals`` [sources, memories] as known then; ``calendar`` [6] of the shift;
    ``passing`` events and weather of several periods, of which this is ``number``.
    """
    shape, slot, n = model.shape, int(period.slot[0]), len(rates)
    source = shape.layout.source
    every_hour = np.broadcast_to(calendar, (n, len(calendar)))
    here = shape.passing_rows(passing, number, np.arange(n))
    X = matrix(shape, rates, totals[source, len(MEMORIES_DAYS) - 1], every_hour, slot, np.arange(n), z, here)
    terms = None if passing is None else passing.terms[[number]]
    total = float(shape.level.predict(period, totals[None, source], terms)[0])
    return surface(model.estimator, X, total, watched).astype(np.float32)


def passing_of(
    trained: Mapping[str, TrainedType],
    surroundings: Surroundings | None,
    grid: GridSpec,
    periods: Periods,
    issued_utc: np.datetime64 | None = None,
) -> dict[Names, Passing]:
    """What passes in these periods, once for all models that know the same columns; empty where nothing was given."""
    if surroundings is None:
        return {}
    issued = None if issued_utc is None else np.broadcast_to(issued_utc, len(periods))
    names = {one.model.shape.names for one in trained.values()} - {NOTHING}
    return {one: surroundings.passing(one, grid, periods, issued) for one in names}


def explain_many(
    *,
    trained: Mapping[str, TrainedType],
    grid: GridSpec,
    incidents: IncidentTable,
    period: Periods,
    shifts: tuple[ShiftWindow, ...],
    as_of_utc: np.datetime64,
    context: Floats32 | None = None,
    context_names: tuple[str, ...] = (),
    cells: Mapping[str, npt.NDArray[np.int64]],
    lag: Mapping[str, ReportingLag] | None = None,
    surroundings: Surroundings | None = None,
) -> dict[str, list[Explanation]]:
    """Why these cells (positions in ``grid.cells``), type by type: the drivers as numbers, for one shift."""
    issued_utc = min(as_of_utc.astype("datetime64[s]"), period.from_utc[0])
    check_trained(trained, grid, incidents, shifts, context_names, period)
    return explain_cells(
        models={slug: trained[slug].model for slug in cells},
        grid=grid,
        incidents=incidents.known_before(issued_utc),
        period=period,
        shifts=shifts,
        context=context,
        context_names=context_names,
        cells={slug: np.asarray(places, dtype=np.int64) for slug, places in cells.items()},
        lags=lags_live(trained, incidents.categories, lag),
        issued_utc=issued_utc,
        surroundings=surroundings,
    )


def explain(*, cells: npt.NDArray[np.int64], target: str, **given: Any) -> list[Explanation]:
    """The same for one crime type."""
    return explain_many(cells={target: cells}, **given)[target]


def lags_live(
    trained: Mapping[str, TrainedType],
    categories: tuple[str, ...],
    said: Mapping[str, ReportingLag] | None = None,
) -> tuple[ReportingLag, ...]:
    """How late each source of a table reports: a crime type's own model says it, any other one for other sources."""
    models = [one.model for one in trained.values()]
    own = [trained[slug].model if slug in trained else models[0] for slug in categories] if models else []
    return tuple(model.live_lag(source, said) for source, model in enumerate(own))
