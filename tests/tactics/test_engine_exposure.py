"""The exposure audit's arithmetic: parts, tenths, ratios with intervals, and what is beyond the threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactics.engine.exposure import (
    TENTHS,
    as_if_minutes,
    beyond,
    by_area,
    disparity,
    for_each,
    part_of_all,
    tenths,
)


def test_a_design_foresees_chance_times_minutes_times_visits_that_fit() -> None:
    starts = np.array([[0.0, 60.0], [30.0, np.nan]])
    found = as_if_minutes(
        4, cell=np.array([0, 3]), pi=np.array([0.5, 0.2]), dose_minutes=np.array([10.0, 15.0]), visit_starts=starts
    )  # fmt: skip
    assert found.tolist() == [10.0, 0.0, 0.0, 3.0]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(0, 1000))
def test_tenths_rise_with_the_figure_and_do_not_depend_on_the_order(values: list[int], seed: int) -> None:
    figure, weight = np.array(values, dtype=float), np.ones(len(values))
    found = tenths(figure, weight)
    order = np.random.default_rng(seed).permutation(len(values))
    assert (tenths(figure[order], weight) == found[order]).all()
    ranked = found[np.argsort(figure, kind="stable")]
    assert (np.diff(ranked) >= 0).all()
    assert found.min() >= 0
    assert found.max() < TENTHS


def test_a_place_without_figure_or_residents_is_in_no_tenth() -> None:
    assert tenths(np.array([1.0, np.nan, 3.0]), np.array([1.0, 1.0, 0.0])).tolist() == [5, -1, -1]
    assert tenths(np.array([np.nan]), np.ones(1)).tolist() == [-1]


def test_cells_outside_every_area_count_nowhere_and_the_rest_is_conserved() -> None:
    values = np.arange(8.0).reshape(2, 4)
    found = by_area(values, np.array([0, 1, -1, 0]), 3)
    assert found.tolist() == [[3.0, 1.0, 0.0], [11.0, 5.0, 0.0]]


def test_patrol_in_proportion_is_one_and_its_interval_holds_one() -> None:
    rng = np.random.default_rng(1)
    residents = np.array([1000.0, 2000.0, 3000.0])
    exposure = rng.poisson(residents / 20.0, (52, 3)).astype(float)
    found = disparity(exposure, residents, rng=rng)
    assert found.ratio == pytest.approx([1.0, 1.0, 1.0], abs=0.05)
    assert ((found.low <= 1.01) & (found.high >= 0.99)).all()
    assert beyond(found, 1.25).tolist() == [0, 0, 0]


def test_a_planted_disparity_is_found_with_its_size_and_only_there() -> None:
    rng = np.random.default_rng(2)
    exposure = rng.poisson([200.0, 100.0, 100.0], (30, 3)).astype(float)
    found = disparity(exposure, np.ones(3), rng=rng)
    assert found.ratio[0] == pytest.approx(1.5, abs=0.05)
    assert beyond(found, 1.25).tolist() == [1, -1, -1]
    assert beyond(found, 2.0).tolist() == [0, 0, 0]


def test_intervals_against_crime_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    hit = 0
    for _ in range(200):
        exposure = rng.poisson(60.0, (40, 2)).astype(float)
        crimes = rng.poisson([3.0, 6.0], (40, 2)).astype(float)
        found = disparity(exposure, crimes, rng=rng, draws=300)
        hit += bool(found.low[0] <= 1.5 <= found.high[0])
    assert 0.89 <= hit / 200 <= 0.99


def test_an_area_with_nobody_in_it_has_no_ratio_and_is_never_beyond() -> None:
    found = disparity(np.ones((5, 2)), np.array([0.0, 10.0]), rng=np.random.default_rng(4))
    assert np.isnan(found.ratio[0])
    assert np.isnan(found.low[0])
    assert beyond(found, 1.25)[0] == 0


def test_one_block_of_time_gives_a_ratio_without_an_interval_and_no_finding() -> None:
    found = disparity(np.array([[9.0, 1.0]]), np.ones(2), rng=np.random.default_rng(5))
    assert found.ratio.tolist() == [1.8, 0.2]
    assert np.isnan(found.low).all()
    assert beyond(found, 1.25).tolist() == [0, 0]


def test_parts_add_up_to_one_and_their_intervals_shrink_with_the_weeks() -> None:
    rng = np.random.default_rng(3)
    weeks = rng.poisson([300.0, 100.0, 0.0], (200, 3)).astype(float)
    few, many = (part_of_all(weeks[:n], rng=np.random.default_rng(4)) for n in (12, 200))
    for found in (few, many):
        assert found.value.sum() == pytest.approx(1.0)
        assert ((found.low <= found.value) & (found.value <= found.high)).all()
        assert (found.low[2], found.high[2]) == (0.0, 0.0)
    assert (few.high - few.low)[0] == pytest.approx((many.high - many.low)[0] * np.sqrt(200 / 12), rel=0.4)


@pytest.mark.slow
def test_intervals_of_parts_hold_what_they_promise() -> None:
    """400 periods of 26 weeks whose weeks differ in size and in place: the true part lies inside in nearly 95 of 100."""
    rng = np.random.default_rng(5)
    truth, held = np.array([0.6, 0.3, 0.1]), np.zeros(3)
    for _ in range(400):
        size = rng.gamma(8.0, 50.0, (26, 1))
        weeks = rng.poisson(size * truth * rng.gamma(20.0, 1 / 20.0, (26, 3))).astype(float)
        found = part_of_all(weeks, rng=rng, draws=400)
        held += (found.low <= truth) & (truth <= found.high)
    assert (held / 400 > 0.90).all()
    assert (held / 400 < 0.98).all()


def test_minutes_for_each_resident_need_a_resident() -> None:
    found = for_each(
        np.array([[100.0, 50.0, 10.0], [300.0, 50.0, 10.0]]),
        np.array([200.0, 0.4, np.nan]),
        rng=np.random.default_rng(6),
    )
    assert found.value[0] == 2.0
    assert found.low[0] == 1.0
    assert found.high[0] == 3.0
    assert np.isnan([*found.value[1:], *found.low[1:], *found.high[1:]]).all()


def test_one_week_says_nothing_of_how_sure_a_part_is_and_nothing_delivered_has_no_part() -> None:
    one = part_of_all(np.array([[3.0, 1.0], [0.0, 0.0]]), rng=np.random.default_rng(7))
    assert one.value.tolist() == [0.75, 0.25]
    assert np.isnan([*one.low, *one.high]).all()
    assert np.isnan(part_of_all(np.zeros((4, 2)), rng=np.random.default_rng(8)).value).all()
