"""What weather and games add to the count of the whole city, shift by shift: the level model alone, over many months.

The weather moves how much happens more than where; a replay of the level alone takes seconds, so that it can cover
January 2017 to July 2018, fitted anew each month on what had happened before it. Part of
`bench_accuracy.py --only surroundings`.
"""

import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FIRST, LAST = np.datetime64("2017-01"), np.datetime64("2018-08")
BEGIN = np.datetime64("2013-01-01")
SHIFT = np.timedelta64(8 * 3_600, "s")
WAIT_DAYS = 120.0
DRAWS = 2_000


def run(data: pathlib.Path, variants: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Each variant's gain in log score against the level without it, by crime type, with intervals over whole weeks.

    ``variants`` as for ``--layers``; only events and weather count here.
    """
    from forecasting.engine.bench.outlook import events_calendar, surroundings_of, weather_table

    targets, periods, totals, counts, grid = _city(data)
    plain = _forecast(periods, totals, counts, None)
    found: dict[str, Any] = {}
    for name, values in variants.items():
        given = [value.partition("=") for value in values]
        calendars = [events_calendar(pathlib.Path(path), kind) for kind, _, path in given if kind == "events"]
        tables = [weather_table(pathlib.Path(path), kind) for kind, _, path in given if kind == "weather"]
        around = surroundings_of([*calendars, *tables], grid.epsg)
        if around is None:
            continue
        names = around.names(FIRST.astype("datetime64[s]"))
        told = _forecast(periods, totals, counts, around.passing(names, grid, periods).terms)
        found[name] = {}
        for column, category in enumerate(targets):
            one = _gain(periods, counts[:, column], plain[:, column], told[:, column])
            found[name][category] = one
            print(
                f"level: {name:28} {category:20} {one['events']:6,} events  log score {one['value']:+.4f} "
                f"[{one['low']:+.4f}, {one['high']:+.4f}]"
            )
    return found


def _city(data: pathlib.Path) -> tuple[tuple[str, ...], Any, Floats, Floats, Any]:
    """(types, eight-hour shifts, decayed counts at each start [S, T, memories], counts [S, T], grid)."""
    import pandas as pd

    from forecasting.engine.bench.ground import boundary_read
    from forecasting.engine.features import History, events_of
    from forecasting.engine.grid import grid_build, project, to_metres, utm_epsg
    from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
    from ingestion.engine.tables import IncidentTable

    shifts = tuple(ShiftWindow(f"from_{hour:02}", hour * 60, 480) for hour in (0, 8, 16))
    begin: Any = np.arange(BEGIN.astype("datetime64[s]"), LAST.astype("datetime64[s]"), SHIFT)
    slot = (np.arange(len(begin)) % 3).astype(np.int16)
    periods = Periods(begin, begin + SHIFT, begin, slot)
    area = boundary_read(data / "chicago" / "districts.geojson")
    epsg = utm_epsg(area.centroid.x, area.centroid.y)
    grid = grid_build(to_metres(area, epsg), 250.0, epsg)
    frame = pd.read_parquet(data / "chicago" / "events_2013_2018.parquet").sort_values("occurred_at")
    frame = frame[(frame.occurred_at < str(LAST)).to_numpy()]
    targets = tuple(sorted(frame.category.unique()))
    at = frame.occurred_at.to_numpy().astype("datetime64[s]")
    x_m, y_m = project(frame.lon.to_numpy(), frame.lat.to_numpy(), epsg)
    category = np.searchsorted(targets, frame.category.to_numpy()).astype(np.int16)
    events = events_of(grid, IncidentTable(x_m, y_m, at, at, at, at, category, targets), shifts)
    history, starts = History(grid, events), days_since_epoch(periods.from_utc)
    totals = np.empty((len(periods), *history.totals().shape))
    for number, start in enumerate(starts):
        history.move_to(float(start), float(start))
        totals[number] = history.totals()
    which = np.searchsorted(starts, events.occurred_days, side="right") - 1
    counts = np.zeros((len(periods), len(targets)))
    np.add.at(counts, (which, events.source), events.weight)
    return targets, periods, totals, counts, grid


def _forecast(periods: Any, totals: Floats, counts: Floats, terms: Floats | None) -> Floats:
    """Expected incidents of the whole city, [S, T]; NaN before the first month."""
    from forecasting.engine.level import LevelModel
    from forecasting.engine.periods import days_since_epoch

    out = np.full(counts.shape, np.nan)
    first = float(days_since_epoch(periods.from_utc)[0])
    learnable = days_since_epoch(periods.from_utc) >= first + WAIT_DAYS
    for month in np.arange(FIRST, LAST):
        origin, end = month.astype("datetime64[s]"), (month + 1).astype("datetime64[s]")
        past = np.flatnonzero(learnable & (periods.to_utc <= origin))
        now = np.flatnonzero((periods.from_utc >= origin) & (periods.from_utc < end))
        seen, coming = (None, None) if terms is None else (terms[past], terms[now])
        for column in range(counts.shape[1]):
            level = LevelModel(3, first).fit(
                periods.take(past), totals[past, column], counts[past, column], np.ones(len(past)), seen
            )
            out[now, column] = level.predict(periods.take(now), totals[now, column], coming)
    return out


def _gain(periods: Any, counts: Floats, plain: Floats, told: Floats) -> dict[str, float]:
    """Nats per event by which ``told`` beats ``plain``."""
    ok = np.isfinite(plain)
    gain = counts[ok] * np.log(told[ok] / plain[ok]) - (told[ok] - plain[ok])
    week = ((periods.from_utc[ok] - periods.from_utc[ok][0]) // np.timedelta64(7, "D")).astype(np.int64)
    by_week, events = np.bincount(week, gain), np.bincount(week, counts[ok])
    draws = np.random.default_rng(0).integers(0, len(events), (DRAWS, len(events)))
    low, high = np.quantile(by_week[draws].sum(axis=1) / events[draws].sum(axis=1), [0.025, 0.975])
    return {
        "events": int(events.sum()),
        "value": float(by_week.sum() / events.sum()),
        "low": float(low),
        "high": float(high),
    }
