"""The self-exciting process: its recursion, its likelihood, and the process that made the incidents found again."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.classics import GridETAS
from forecasting.engine.classics.etas import excitation, expected_weights, moments_of
from tests.forecasting.engine_city import square_grid
from tests.forecasting.engine_points import (
    chosen,
    in_cells,
    lively_city,
    points_at,
    scattered,
    self_exciting,
)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 60), omega=st.sampled_from([1e-4, 0.05, 1.0, 300.0]))
@settings(max_examples=40, deadline=None)
def test_the_recursion_equals_a_sum_over_all_earlier_incidents(seed: int, n: int, omega: float) -> None:
    rng = np.random.default_rng(seed)
    # Half days: many incidents of the same instant, which must not raise each other.
    cell, at = rng.integers(0, 4, n), rng.integers(0, 200, n) / 2
    moments = moments_of(cell, at, 100.0)
    felt, aged = excitation(moments, omega)
    assert moments.size.sum() == n
    for i in range(len(moments.cell)):
        time = 100.0 - moments.left_days[i]
        age = time - at[(cell == moments.cell[i]) & (at < time)]
        assert felt[i] == pytest.approx(np.exp(-omega * age).sum(), rel=1e-9, abs=1e-12)
        assert aged[i] == pytest.approx((age * np.exp(-omega * age)).sum(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("memories_days", [(10.0,), (2.0, 40.0), (0.5, 5.0, 100.0)])
@pytest.mark.parametrize("prior", [0.0, 0.5])
@pytest.mark.parametrize("bandwidth_m", [None, 500.0])
def test_em_never_lowers_the_likelihood(
    memories_days: tuple[float, ...], prior: float, bandwidth_m: float | None
) -> None:
    grid, points, _ = lively_city(5)
    method = GridETAS(
        memories_days, prior_incidents=prior, background_bandwidth_m=bandwidth_m, max_iter=60, tol=0.0
    ).fit(points, grid, 430.0)
    scores = np.array(method.objective_)
    assert len(scores) > 20
    assert (np.diff(scores) >= -1e-9 * abs(scores[-1])).all()
    assert scores[-1] > scores[0] + 10


def test_the_likelihood_is_that_of_the_process() -> None:
    rng, grid = np.random.default_rng(6), square_grid(3_000.0)
    cell, at = self_exciting(rng, np.full(4, 0.1), theta=0.4, omega=0.2, days=100.0)
    points = in_cells(grid, rng, cell, at)
    method = GridETAS((7.0, 30.0), prior_incidents=0.0, max_iter=30, tol=0.0).fit(points, grid, 100.0)
    # The last entry is the likelihood of the parameters before the last step: stop one step earlier to get them.
    before = GridETAS((7.0, 30.0), prior_incidents=0.0, max_iter=29, tol=0.0).fit(points, grid, 100.0)
    jumps = before.branching_ * before.decay_per_day_
    truth = 0.0
    for i in range(len(points)):
        now, here = points.occurred_days[i], points.cell[i]
        age = now - points.occurred_days[(points.cell == here) & (points.occurred_days < now)]
        truth += math.log(
            before.background_[here] + (jumps * np.exp(-before.decay_per_day_ * age[:, None])).sum()
        )
    left = 100.0 - points.occurred_days
    truth -= before.background_.sum() * (100.0 - points.occurred_days.min())
    truth -= (before.branching_ * (1 - np.exp(-before.decay_per_day_ * left[:, None]))).sum()
    assert method.objective_[-1] == pytest.approx(truth, rel=1e-10)


def test_em_finds_the_process_that_made_the_incidents() -> None:
    rng, grid = np.random.default_rng(7), square_grid(600.0)
    background = rng.uniform(0.02, 0.1, len(grid))
    cell, at = self_exciting(rng, background, theta=0.5, omega=0.2, days=2_000.0)
    points = in_cells(grid, rng, cell, at)
    method = GridETAS(max_iter=500, tol=1e-8).fit(points, grid, 2_000.0)
    # 24,000 incidents: standard errors are about 0.006 for theta and 2 % for omega.
    assert method.branching_[0] == pytest.approx(0.5, abs=0.03)
    assert method.decay_per_day_[0] == pytest.approx(0.2, rel=0.08)
    assert method.background_.sum() == pytest.approx(background.sum(), rel=0.05)
    assert np.corrcoef(method.background_, background)[0, 1] > 0.95


def test_two_memories_are_told_apart() -> None:
    rng, grid = np.random.default_rng(8), square_grid(600.0)
    background = np.full(len(grid), 0.05)
    cell, at = self_exciting(rng, background, theta=(0.3, 0.3), omega=(2.0, 0.05), days=3_000.0)
    points = in_cells(grid, rng, cell, at)
    both = GridETAS((1.0, 30.0), max_iter=500, tol=1e-8).fit(points, grid, 3_000.0)
    single = GridETAS((14.0,), max_iter=500, tol=1e-8).fit(points, grid, 3_000.0)
    assert both.branching_ == pytest.approx([0.3, 0.3], abs=0.04)
    assert 1 / both.decay_per_day_ == pytest.approx([0.5, 20.0], rel=0.15)
    assert both.objective_[-1] > single.objective_[-1] + 500


@pytest.mark.parametrize("memories_days", [(10.0,), (3.0, 30.0)])
def test_branching_stays_below_one_even_when_incidents_explode(memories_days: tuple[float, ...]) -> None:
    rng, grid = np.random.default_rng(9), square_grid(3_000.0)
    # Numbers double every five days: the likeliest branching ratio is above one.
    at = 100.0 - rng.exponential(5 / math.log(2), 4_000)
    points = in_cells(grid, rng, rng.integers(0, 4, 3_000), at[at > 0][:3_000])
    method = GridETAS(memories_days, max_iter=100, tol=0.0).fit(points, grid, 100.0)
    assert 0.95 < method.branching_.sum() <= 0.99
    assert (np.diff(method.objective_) >= -1e-9 * abs(method.objective_[-1])).all()
    assert np.isfinite(method.intensity(points, 100.0, 365.0)).all()


def test_em_tells_how_far_it_is() -> None:
    grid, points, _ = lively_city(19)
    told: list[tuple[int, int, str]] = []
    method = GridETAS(max_iter=30).fit(
        points, grid, 430.0, progress=lambda done, total, label: told.append((done, total, label))
    )
    assert [done for done, _, _ in told] == [*range(method.n_iter_), 30]
    assert {total for _, total, _ in told} == {30}


def test_an_expected_count_includes_what_incidents_set_off_in_turn() -> None:
    theta, omega, mu, raised, length = 0.6, 0.2, 0.05, 0.4, 9.0
    weights = expected_weights(np.array([theta]), np.array([omega]), length)
    calm, fall = mu / (1 - theta), omega * (1 - theta)
    truth = calm * length + (mu + raised - calm) * (1 - math.exp(-fall * length)) / fall
    assert weights @ [mu, raised] == pytest.approx(truth, rel=1e-12)
    halves = expected_weights(np.array([theta / 2, theta / 2]), np.array([omega, omega]), length)
    assert halves @ [mu, raised / 2, raised / 2] == pytest.approx(truth, rel=1e-12)


def test_an_incident_raises_its_own_cell_and_the_rise_fades() -> None:
    grid, points, _ = lively_city(10)
    method = GridETAS().fit(points.known_before(400.0), grid, 400.0)
    x, y = grid.centres()
    one = points_at(grid, x[[5]], y[[5]], np.array([410.0]))
    calm = method.intensity(chosen(one, np.array([], dtype=int)), 411.0, 1.0)
    soon, late = (method.intensity(one, at, 1.0) for at in (411.0, 440.0))
    assert soon[5] > late[5] > calm[5]
    assert np.array_equal(np.delete(soon, 5), np.delete(calm, 5))


def test_the_prior_keeps_every_cell_possible_and_smoothing_lends_from_neighbours() -> None:
    rng, grid = np.random.default_rng(11), square_grid(300.0)
    points = points_at(grid, *rng.normal(1_500, 250, (2, 400)), rng.uniform(0, 300, 400))
    even = GridETAS().fit(points, grid, 300.0)
    plain = GridETAS(prior_incidents=0.0).fit(points, grid, 300.0)
    smooth = GridETAS(background_bandwidth_m=300.0).fit(points, grid, 300.0)
    empty = np.bincount(points.cell, minlength=len(grid)) == 0
    x, y = grid.centres()
    near = empty & (np.hypot(x - 1_500, y - 1_500) < 900)
    far = empty & (np.hypot(x - 1_500, y - 1_500) > 3_000)
    assert near.any()
    assert (plain.background_[empty] == 0).all()
    assert (even.background_ > 0).all()
    assert even.background_[near].mean() == pytest.approx(even.background_[far].mean())
    assert smooth.background_[near].mean() > 3 * smooth.background_[far].mean() > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"memories_days": ()}, "memories_days"),
        ({"memories_days": (5.0, 5.0)}, "must differ"),
        ({"max_branching": 1.0}, "Branching"),
        ({"memory_bounds_days": (0.0, 5.0)}, "memory_bounds_days"),
        ({"prior_incidents": -1.0}, "prior_incidents"),
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    grid = square_grid(1_000.0)
    with pytest.raises(ValueError, match=message):
        GridETAS(**wrong).fit(scattered(grid, np.random.default_rng(0), 5, 1.0), grid, 2.0)
