"""The rows that models learn from: the same for the same seed, and not without limit however long the history is."""

import dataclasses

import numpy as np
import pytest

from forecasting.engine.features import History, events_of
from forecasting.engine.sampling import BACKGROUND_ROWS, SampledRows, background_rows, rows_sample
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid


def sampled(seed: int, most: int = 10**6) -> SampledRows:
    grid, periods = square_grid(400.0), shift_instances(60, 20)
    events = events_of(grid, city(np.random.default_rng(3), 900, 60), SHIFTS)
    return rows_sample(History(grid, events), periods, [0, 1], np.random.default_rng(seed), 20, most)


def test_the_same_seed_gives_the_same_rows_bit_for_bit() -> None:
    one, again, other = sampled(7), sampled(7), sampled(8)
    for field in dataclasses.fields(one):
        if field.name not in ("periods", "watch"):
            assert np.array_equal(getattr(one, field.name), getattr(again, field.name)), field.name
    assert not np.array_equal(one.cell, other.cell)


@pytest.mark.parametrize("n_periods", [0, 1, 15, 200, 1_095, 2_200, 5_500, 50_000, 10**6])
@pytest.mark.parametrize("at_most", [60, 600])
def test_a_long_history_gives_no_more_background_rows_than_five_years(n_periods: int, at_most: int) -> None:
    each = background_rows(n_periods, at_most)
    assert 1 <= each <= at_most
    assert n_periods * each <= max(BACKGROUND_ROWS, n_periods)


def test_of_each_crime_type_no_more_rows_with_an_incident_are_kept_than_asked_for() -> None:
    few, all_of_them = sampled(9, most=100), sampled(9, most=10**6)
    assert all_of_them.outcome(0, 1e9)[~all_of_them.background].sum() > 200
    kept = (few.kept > 0).sum(axis=0)
    assert kept.min() > 50
    assert kept.max() < 150
    # Each stands for those that were left out.
    assert few.kept.sum(axis=0) == pytest.approx(all_of_them.kept.sum(axis=0), rel=0.3)
