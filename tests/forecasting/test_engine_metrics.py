"""The yardsticks, against slow definitions and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.metrics import (
    Estimate,
    area_cells,
    bootstrap_weeks,
    hits_at,
    ideal_hits,
    log_score,
    ratio_estimate,
    week_blocks,
    worst_ranks,
)
from tests.forecasting.engine_city import shift_instances

few_levels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(few_levels, st.integers(1, 30))
def test_ties_are_broken_against_the_forecast(pairs: list[tuple[int, int]], k: int) -> None:
    score, y = np.array(pairs, dtype=float).T
    k = min(k, len(score))
    order = np.lexsort((y, -score))  # highest score first; among equals the emptiest first
    cells = np.flatnonzero(y)
    assert hits_at(score, cells, y[cells], {"k": k})[0] == y[order][:k].sum()
    ranks = worst_ranks(score, cells, y[cells])
    assert len(set(ranks.tolist())) == len(ranks)


@settings(max_examples=100, deadline=None)
@given(few_levels)
def test_no_forecast_beats_the_ideal_and_hits_grow_with_the_area(pairs: list[tuple[int, int]]) -> None:
    score, y = np.array(pairs, dtype=float).T
    cells = np.flatnonzero(y)
    areas = {str(k): k for k in range(1, len(score) + 1)}
    hits, ideal = hits_at(score, cells, y[cells], areas), ideal_hits(y[cells], areas)
    assert (hits <= ideal).all()
    assert (np.diff(hits) >= 0).all()
    assert hits[-1] == ideal[-1] == y.sum()


def test_a_flat_forecast_gets_nothing_until_it_flags_everything() -> None:
    y = np.zeros(100)
    y[7] = 3
    assert hits_at(np.ones(100), np.array([7]), np.array([3.0]), {"99": 99, "100": 100}).tolist() == [
        0.0,
        3.0,
    ]


def test_areas_are_the_customary_ones_and_never_larger_than_the_city() -> None:
    areas = area_cells(26_710, 150.0, budget_cells=300)
    assert areas["1%"] == 267
    assert areas["0.2%"] == 53
    assert areas["0.25 sq mi"] == 28
    assert areas["budget"] == 300
    assert set(area_cells(5, 150.0)) == {"0.2%", "0.5%", "1%", "2%", "5%", "10%"}


def test_the_log_score_is_best_at_the_truth() -> None:
    truth = np.array([0.5, 2.0, 0.01])
    mean = lambda guess: float((truth * np.log(guess) - guess).sum())  # noqa: E731 - expected log score
    assert log_score(truth, np.array([1]), np.array([1.0])) == pytest.approx(np.log(2) - truth.sum())
    assert mean(truth) > mean(truth * 1.1)
    assert mean(truth) > mean(truth[::-1])


def test_intervals_are_paired_and_blocks_are_weeks() -> None:
    periods = shift_instances(21)
    blocks = week_blocks(periods)
    assert np.bincount(blocks).tolist() == [21, 21, 21]
    rng = np.random.default_rng(0)
    draws = bootstrap_weeks(blocks, rng, 200)
    top = rng.poisson(5, len(periods)).astype(float)
    same = ratio_estimate(top, top, blocks, draws)
    assert (same.value, same.low, same.high) == (1.0, 1.0, 1.0)
    half = ratio_estimate(top, top + rng.poisson(5, len(top)), blocks, draws)
    assert half.low <= half.value <= half.high


def test_a_share_of_nothing_is_not_a_number_and_null_in_json() -> None:
    blocks, draws = np.zeros(3, np.int64), np.zeros((10, 1), np.int64)
    nothing = ratio_estimate(np.zeros(3), np.zeros(3), blocks, draws)
    assert np.isnan(nothing.value)
    assert nothing.as_dict() == {"value": None, "low": None, "high": None}
    assert Estimate(1.0, 0.5, 2.0).as_dict() == {"value": 1.0, "low": 0.5, "high": 2.0}


def test_one_week_has_no_interval() -> None:
    blocks = np.zeros(5, dtype=np.int64)
    found = ratio_estimate(
        np.ones(5), np.full(5, 2.0), blocks, bootstrap_weeks(blocks, np.random.default_rng(1))
    )
    assert found.value == 0.5
    assert found.as_dict() == {"value": 0.5, "low": None, "high": None}
