"""Decayed counts and blurs: the carried state is what counting from scratch gives; nothing is lost or added."""

import dataclasses
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.counts import DecayedCounts, kernel_build
from forecasting.engine.features import (
    BANDWIDTHS_M,
    MEMORIES_DAYS,
    RATES,
    History,
    events_of,
    rates_by_brute_force,
    surfaces,
)
from forecasting.engine.grid import grid_build
from forecasting.engine.lag import ReportingLag
from forecasting.engine.periods import ShiftWindow, days_since_epoch, shift_membership
from forecasting.engine.sampling import rows_sample
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid, table

RIVER_CITY = shapely.box(0, 0, 4_000, 3_000).difference(shapely.box(1_500, 400, 1_900, 3_100))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_a_carried_state_equals_counting_from_scratch(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    memories = (0.5, 3.0, 90.0, math.inf)
    place, source, at = rng.integers(0, 7, n), rng.integers(0, 2, n), np.sort(rng.uniform(0, 400, n))
    state, now = DecayedCounts(7, 2, memories), 0.0
    for then in np.sort(rng.uniform(0, 420, 9)):
        state.advance(then - now)
        new = (at >= now) & (at < then)
        state.add(place[new], source[new], then - at[new])
        now = then
        truth = np.zeros((7, 2, 4))
        seen = at < now
        np.add.at(truth, (place[seen], source[seen]), 0.5 ** ((now - at[seen])[:, None] / np.array(memories)))
        assert np.allclose(state.values().reshape(7, 2, 4), truth, rtol=1e-4, atol=1e-6)
        assert np.allclose(state.totals(), truth.sum(0), rtol=1e-9, atol=1e-9)


def test_a_state_never_goes_back_in_time() -> None:
    with pytest.raises(ValueError, match="back in time"):
        DecayedCounts(3, 1, (7.0,)).advance(-1.0)


@pytest.mark.parametrize("bandwidth_m", [50.0, 100.0, 200.0, 400.0, 900.0, 2_500.0])
@pytest.mark.parametrize("cell_size_m", [100.0, 250.0])
def test_a_blur_keeps_every_incident_inside_the_city(bandwidth_m: float, cell_size_m: float) -> None:
    grid = grid_build(RIVER_CITY, cell_size_m, 32616)
    kernel = kernel_build(grid, bandwidth_m)
    mass = np.asarray(kernel.operator.sum(axis=0)).ravel()
    assert kernel.n_places == len(mass)
    assert np.allclose(mass, 1.0, atol=1e-4)
    assert kernel.operator.data.min() >= 0


def test_a_blur_in_open_country_has_the_width_that_it_says() -> None:
    grid = square_grid(100.0, 12_000.0)
    x, _ = grid.centres()
    middle = int(grid.locate([6_020.0], [6_020.0])[0])
    for bandwidth_m in (200.0, 400.0, 900.0):
        kernel = kernel_build(grid, bandwidth_m)
        weight = kernel.operator[:, [int(kernel.place_of[middle])]].toarray().ravel().astype(float)
        spread = math.sqrt(weight @ (x - weight @ x) ** 2)
        # Squares of several cells and the cut at three standard deviations cost some width.
        assert abs(spread / bandwidth_m - 1) < 0.15


@pytest.mark.parametrize("delay_days", [0.0, 5.0])
def test_features_equal_a_count_from_scratch_whatever_was_walked_before(delay_days: float) -> None:
    incidents = city(np.random.default_rng(3), n=600, days=120, delay_days=delay_days)
    grid, periods = square_grid(300.0), shift_instances(120, 30)
    events = events_of(grid, incidents, SHIFTS)
    some = periods.take([0, 1, 50, 200])
    for number, rates, _ in surfaces(History(grid, events), some):
        start = float(days_since_epoch(some.from_utc)[number])
        truth = rates_by_brute_force(grid, events, start, start, int(some.slot[number]))
        assert np.allclose(rates, truth, rtol=2e-3, atol=1e-3)
        assert np.allclose(rates.mean(axis=0), 1.0, atol=2e-3)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    incidents = city(rng, n=400, days=60)
    shuffled = incidents.take(rng.permutation(len(incidents)))
    grid, last = square_grid(300.0), shift_instances(60).take([170])
    one, other = (
        next(surfaces(History(grid, events_of(grid, given_table, SHIFTS)), last))[1]
        for given_table in (incidents, shuffled)
    )
    assert np.array_equal(one, other)


def test_cells_asked_one_by_one_equal_the_whole_surface() -> None:
    grid = square_grid(300.0)
    history = History(grid, events_of(grid, city(np.random.default_rng(1), 500, 90), SHIFTS))
    history.move_to(7_400.0, 7_400.0)
    cells = np.array([0, 17, 17, 399])
    assert np.allclose(history.rates(1, cells), history.rates(1)[cells], rtol=1e-5)


def test_an_empty_history_is_an_even_surface() -> None:
    grid = square_grid(500.0)
    nothing = city(np.random.default_rng(0), n=0)
    _, rates, totals = next(surfaces(History(grid, events_of(grid, nothing, SHIFTS)), shift_instances(1)))
    assert (rates == 1.0).all()
    assert (totals == 0.0).all()
    assert rates.shape == (len(grid), 2, len(RATES))
    assert totals.shape == (2, len(MEMORIES_DAYS))
    assert set(BANDWIDTHS_M) == {rate.bandwidth_m for rate in RATES}


def test_shifts_past_midnight_belong_to_the_day_they_start_on_and_may_overlap() -> None:
    friday_night = ShiftWindow("friday", 22 * 60, 480, weekdays=(4,))
    power = ShiftWindow("power", 20 * 60, 360)
    at = np.array(
        ["2024-03-01T21:59", "2024-03-01T22:00", "2024-03-02T05:59", "2024-03-02T06:00", "2024-03-02T23:00"],
        "datetime64[s]",
    )
    assert shift_membership(at, (friday_night, power)).tolist() == [
        [False, True],
        [True, True],
        [True, False],
        [False, False],
        [False, True],
    ]


def test_sampled_rows_stand_exactly_for_all_cells_and_periods() -> None:
    rng = np.random.default_rng(11)
    grid, incidents, periods = square_grid(400.0), city(rng, 1_500, 60), shift_instances(60, 20)
    events = events_of(grid, incidents, SHIFTS)
    counts = np.zeros((len(periods), len(grid)))
    start, end = days_since_epoch(periods.from_utc), days_since_epoch(periods.to_utc)
    for number in range(len(periods)):
        now = (
            (events.source == 0)
            & (events.occurred_days >= start[number])
            & (events.occurred_days < end[number])
        )
        np.add.at(counts[number], events.cell[now], 1)
    value = np.linspace(1, 2, len(grid))[None, :] * np.linspace(2, 3, len(periods))[:, None]
    found = []
    for seed in range(30):
        rows = rows_sample(
            History(grid, events), periods, [0, 1], np.random.default_rng(seed), 40, max_kept_per_target=200
        )
        at, y, weight = rows.for_target(0, 1e9, 1e9, 0)
        here = value[rows.period[at], rows.cell[at]]
        assert (y == counts[rows.period[at], rows.cell[at]]).all()
        found.append((weight @ here, weight @ (y * here), weight @ y))
    truth = np.array([value.sum(), (counts * value).sum(), counts.sum()])
    error = np.std(found, axis=0, ddof=1) / math.sqrt(len(found))
    assert (abs(np.mean(found, axis=0) - truth) <= 4 * error + 1e-6).all()


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_sampled_rows_do_not_depend_on_the_number_of_workers(workers: int) -> None:
    grid, periods = square_grid(400.0), shift_instances(60, 20)
    lags = tuple(ReportingLag((0.0, 5.0, 30.0), (0.4, 0.7, 1.0)) for _ in range(2))
    history = History(grid, events_of(grid, city(np.random.default_rng(3), 900, 60), SHIFTS), lags)
    alone = rows_sample(history, periods, [0, 1], np.random.default_rng(4), 20)
    shared = rows_sample(history.anew(), periods, [0, 1], np.random.default_rng(4), 20, workers=workers)
    for field in dataclasses.fields(alone):
        if field.name not in ("periods", "watch"):
            assert np.array_equal(getattr(alone, field.name), getattr(shared, field.name)), field.name


def test_rows_know_only_what_was_known_at_the_cut_off() -> None:
    grid, periods = square_grid(400.0), shift_instances(60, 20)
    incidents = city(np.random.default_rng(2), 800, 60, delay_days=10.0)
    rows = rows_sample(
        History(grid, events_of(grid, incidents, SHIFTS)), periods, [0], np.random.default_rng(0), 20
    )
    cutoff = float(days_since_epoch(periods.to_utc[90]))
    early, late = rows.outcome(0, cutoff), rows.outcome(0, 1e9)
    assert (early <= late).all()
    assert early.sum() < late.sum()
    at, _, _ = rows.for_target(0, cutoff, cutoff, 0)
    assert days_since_epoch(periods.to_utc)[rows.period[at]].max() <= cutoff


def test_incidents_outside_the_grid_and_unknown_categories_are_left_out() -> None:
    at = np.array(["2020-02-01", "2020-02-02", "2020-02-03"], "datetime64[s]")
    incidents = table(np.array([100, -50, 100]), np.array([100, 100, 100]), at, np.array([0, 0, -1]))
    assert events_of(square_grid(500.0), incidents, SHIFTS).cell.tolist() == [0]
