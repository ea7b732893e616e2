"""Where sensors do not reach, gunfire is unknown: never learnt as peace, never forecast, and new sensors are no wave."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import shapely

from forecasting.engine.bench.contest import with_even_share
from forecasting.engine.design import calendar_columns
from forecasting.engine.features import MEMORIES_DAYS, RATES, History, events_of, rate_index
from forecasting.engine.fit import fit_champions
from forecasting.engine.periods import Periods, days_since_epoch
from forecasting.engine.sampling import rows_sample
from forecasting.engine.train import TrainedType, explain, forecast
from forecasting.engine.watch import watch_of
from forecasting.engine.wording import clauses, headline, words
from ingestion.engine.tables import IncidentTable, WatchedArea
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

GRID = square_grid(400.0)
X_M, Y_M = GRID.centres()
DAYS = 300
WEST = X_M.mean() > X_M
OLD = shapely.box(X_M.min() - 300, Y_M.min() - 300, X_M.mean(), Y_M.max() + 300)
NEW = shapely.box(X_M.mean(), Y_M.min() - 300, X_M.max() + 300, Y_M.mean())
NEW_CELLS = (X_M.mean() < X_M) & (Y_M.mean() > Y_M)
NEVER = ~WEST & ~NEW_CELLS
START = shift_instances(DAYS).from_utc[0]
NEW_FROM = START + np.timedelta64(250 * 86_400, "s")


def even_city(watched: bool, seed: int = 3) -> IncidentTable:
    """The same risk everywhere, heard only where and when there are sensors; burglary is the gunfire here."""
    table = city(np.random.default_rng(seed), n=14_000, days=DAYS, delay_days=0.0)
    rng = np.random.default_rng(seed + 1)
    pick = rng.integers(0, len(GRID), len(table))
    x_m, y_m = X_M[pick] + rng.uniform(-199, 199, len(table)), Y_M[pick] + rng.uniform(-199, 199, len(table))
    table = replace(table, x_m=x_m, y_m=y_m)
    cell = GRID.locate(x_m, y_m)
    heard = WEST[cell] | (NEW_CELLS[cell] & (table.occurred_utc >= NEW_FROM))
    table = table.take(np.flatnonzero(heard | (table.category != 0)))
    areas = (WatchedArea("burglary", OLD, START), WatchedArea("burglary", NEW, NEW_FROM))
    return replace(table, watched=areas if watched else ())


@cache
def fitted() -> tuple[dict[str, TrainedType], Periods, dict[str, Any]]:
    """Champions of the watched city, the next evening, and what a forecast of it is given."""
    as_of = shift_instances(DAYS).to_utc[-1]
    given = {"grid": GRID, "incidents": even_city(True), "shifts": SHIFTS, "as_of_utc": as_of}
    trained = fit_champions(
        periods=shift_instances(DAYS), targets=("burglary", "robbery"), rng=np.random.default_rng(1), **given
    )
    return trained, shift_instances(DAYS + 1).take([DAYS * 3 + 2]), given


def test_a_cell_is_watched_from_the_first_day_on_which_an_area_covers_it() -> None:
    again = WatchedArea("burglary", NEW, START + np.timedelta64(400, "D"))
    watch = watch_of(GRID, (*even_city(True).watched, again), ("burglary", "robbery"))
    assert set(watch.since_days) == {0}
    since = watch.since_days[0]
    assert (since[WEST] == days_since_epoch(START)).all()
    assert (since[NEW_CELLS] == days_since_epoch(NEW_FROM)).all()
    assert np.isinf(since[NEVER]).all()
    assert watch.cells(1, 9_999.0) is None
    before, after = days_since_epoch(np.array([START, NEW_FROM + np.timedelta64(1, "D")]))
    assert watch.n_watched(0, np.array([before, after]), len(GRID)).tolist() == [
        WEST.sum(),
        WEST.sum() + NEW_CELLS.sum(),
    ]


def test_new_sensors_do_not_make_a_cell_look_quiet_nor_the_city_look_loud() -> None:
    now = float(days_since_epoch(START)) + 290.0
    found = {}
    for watched in (False, True):
        history = History(GRID, events_of(GRID, even_city(watched), SHIFTS))
        history.move_to(now, now)
        found[watched] = history.rates(0)[:, 0], history.totals()[0]
    long_run = rate_index(450.0, 400.0)
    ignoring, knowing = (found[watched][0][:, long_run] for watched in (False, True))
    # The risk is the same everywhere: what is watched since forty days is no safer than what always was.
    assert ignoring[NEW_CELLS].mean() < 0.4 * ignoring[WEST].mean()
    assert knowing[NEW_CELLS].mean() == pytest.approx(knowing[WEST].mean(), rel=0.12)
    # As many a day as the present sensors hear, though most of the memory is older than the new ones.
    memory = MEMORIES_DAYS.index(450.0)
    more = (WEST.sum() + NEW_CELLS.sum()) / WEST.sum()
    assert found[True][1][memory] > found[False][1][memory] * (1 + 0.5 * (more - 1))


def test_a_part_of_the_cells_gets_the_same_rates_as_all_of_them() -> None:
    history = History(GRID, events_of(GRID, even_city(True), SHIFTS))
    now = float(days_since_epoch(START)) + 280.0
    history.move_to(now, now)
    some = np.array([0, 17, 60, 111])
    assert np.allclose(history.rates(1, some), history.rates(1)[some], rtol=1e-5)
    assert history.rates(1).shape == (len(GRID), 2, len(RATES))


def test_nothing_is_learnt_where_nothing_could_be_heard() -> None:
    periods = shift_instances(DAYS)
    rows = rows_sample(
        History(GRID, events_of(GRID, even_city(True), SHIFTS)), periods, [0, 1], np.random.default_rng(0)
    )
    starts = days_since_epoch(periods.from_utc)
    at, _, weight = rows.for_target(0, 1e9, 1e9, 0)
    cell, start = rows.cell[at], starts[rows.period[at]]
    assert not NEVER[cell].any()
    assert (start[NEW_CELLS[cell]] >= days_since_epoch(NEW_FROM)).all()
    # What is left still stands for all watched cells in all shifts.
    watched = WEST.sum() * len(periods) + NEW_CELLS.sum() * (starts >= days_since_epoch(NEW_FROM)).sum()
    assert weight.sum() == pytest.approx(watched, rel=0.03)
    assert NEVER[rows.cell[rows.for_target(1, 1e9, 1e9, 1)[0]]].any()


def test_a_forecast_expects_nothing_unwatched_and_the_right_level_where_sensors_are_new() -> None:
    trained, tonight, given = fitted()
    surfaces = forecast(trained=trained, period=tonight, **given)
    gunfire = surfaces["burglary"]
    assert (gunfire[NEVER] == 0).all()
    assert (gunfire[~NEVER] > 0).all()
    assert gunfire[NEW_CELLS].mean() == pytest.approx(gunfire[WEST].mean(), rel=0.3)
    assert (surfaces["robbery"] > 0).all()
    assert calendar_columns(tonight, SHIFTS).shape == (1, 6)


def test_the_even_share_of_a_published_method_stays_where_sensors_reach() -> None:
    risk = np.array([0.0, 3.0, 1.0, 0.0])
    watched = np.array([True, True, True, False])
    assert with_even_share(risk, 0.3, watched).tolist() == pytest.approx([0.4, 2.5, 1.1, 0.0])
    assert with_even_share(risk, 0.3).tolist() == pytest.approx([0.3, 2.4, 1.0, 0.3])


def test_a_cell_without_sensors_is_said_to_be_unknown_and_gets_no_reasons() -> None:
    trained, tonight, given = fitted()
    cells = np.array([int(np.flatnonzero(NEVER)[0]), int(np.flatnonzero(WEST)[0])])
    unknown, heard = explain(trained=trained, period=tonight, cells=cells, target="burglary", **given)
    assert (unknown.expected, unknown.is_watched, heard.is_watched) == (0.0, False, True)
    assert not any(unknown.contributions.values())
    assert any(heard.contributions.values())
    assert clauses(unknown) == []
    (said,) = words(unknown)
    assert "sensor" in said
    assert "unknown" in said
    assert "sensor" in headline(unknown)
    assert len(words(heard)) > 1


def test_the_context_does_not_learn_from_silence_where_nobody_listens() -> None:
    """Bars stand in the unwatched part only: the silence there must not make bars look safe."""
    table = even_city(True)
    as_of = shift_instances(DAYS).to_utc[-1]
    rng = np.random.default_rng(2)
    bars = np.where(NEVER, 1.0, 0.0) + rng.uniform(0.0, 0.5, len(GRID))
    trained = fit_champions(
        grid=GRID,
        incidents=table,
        shifts=SHIFTS,
        as_of_utc=as_of,
        periods=shift_instances(DAYS),
        targets=("burglary", "robbery"),
        context=bars[:, None].astype(np.float32),
        context_names=("bars_150m",),
        rng=np.random.default_rng(1),
    )
    rates = trained["burglary"].model.shape.context_rate.rates
    assert rates[:, NEVER].mean() > 0.6 * rates[:, ~NEVER].mean()
    assert rates[:, NEW_CELLS].mean() == pytest.approx(rates[:, WEST].mean(), rel=0.15)
