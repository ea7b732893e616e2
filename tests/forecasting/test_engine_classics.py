"""The published methods: each equals its definition counted the slow way, keeps its laws, and beats an even surface."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from forecasting.engine.classics import CLASSICS, GridETAS, ProspectiveHotspot, RiskTerrain
from forecasting.engine.classics.etas import excitation, expected_weights, moments_of
from forecasting.engine.classics.points import PointProcess, Points
from forecasting.engine.classics.selection import Table, elastic_net_descend, stepwise_bic
from forecasting.engine.classics.terrain import RiskTerrainRegressor
from forecasting.engine.grid import GridSpec
from forecasting.engine.parallel import single_threaded
from tests.forecasting.engine_city import square_grid

METHODS = sorted(CLASSICS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


@parametrize_with_checks([RiskTerrainRegressor()])
def test_the_risk_terrain_obeys_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


# --- a made-up city ---------------------------------------------------------------------------------------------


def points_at(
    grid: GridSpec, x_m: np.ndarray, y_m: np.ndarray, occurred: np.ndarray, delay: np.ndarray | float = 0.0
) -> Points:
    """Points inside the grid, ascending by when they became known."""
    known = occurred + delay
    order = np.lexsort((occurred, known))
    x_m, y_m, occurred, known = x_m[order], y_m[order], occurred[order], known[order]
    return Points(grid.locate(x_m, y_m), x_m, y_m, occurred, known)


def scattered(
    grid: GridSpec, rng: np.random.Generator, n: int, days: float, delay_days: float = 0.0
) -> Points:
    """Points anywhere, any time; with a delay they become known at whole days, many at once."""
    side = grid.n_cols * grid.cell_size_m
    x, y, at = rng.uniform(0, side, n), rng.uniform(0, side, n), rng.uniform(0, days, n)
    delay = np.ceil(at + rng.exponential(delay_days, n)) - at if delay_days else 0.0
    return points_at(grid, x, y, at, delay)


def chosen(points: Points, rows: np.ndarray) -> Points:
    return Points(
        points.cell[rows],
        points.x_m[rows],
        points.y_m[rows],
        points.occurred_days[rows],
        points.known_days[rows],
    )


def self_exciting(
    rng: np.random.Generator,
    background: np.ndarray,
    theta: float | tuple[float, ...],
    omega: float | tuple[float, ...],
    days: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate Mohler's process as a branching one: (cell, time). For each memory every incident has Poisson(theta)
    children in its own cell, after exponential delays."""
    cell = np.repeat(np.arange(len(background)), rng.poisson(background * days))
    at = rng.uniform(0, days, len(cell))
    cells, times = [cell], [at]
    while len(cell):
        born: list[tuple[np.ndarray, np.ndarray]] = []
        for mean, decay in zip(np.atleast_1d(theta), np.atleast_1d(omega), strict=True):
            children = rng.poisson(mean, len(cell))
            when = np.repeat(at, children) + rng.exponential(1 / decay, children.sum())
            born.append((np.repeat(cell, children)[when < days], when[when < days]))
        cell, at = (np.concatenate(part) for part in zip(*born, strict=True))
        cells.append(cell)
        times.append(at)
    return np.concatenate(cells), np.concatenate(times)


def in_cells(grid: GridSpec, rng: np.random.Generator, cell: np.ndarray, at: np.ndarray) -> Points:
    x, y = grid.centres()
    half = 0.49 * grid.cell_size_m
    gap_x, gap_y = rng.uniform(-half, half, (2, len(cell)))
    return points_at(grid, x[cell] + gap_x, y[cell] + gap_y, at)


def lively_city(seed: int = 0) -> tuple[GridSpec, Points, np.ndarray]:
    """400 cells, 400 days: a background that follows two of three kinds of place, and repeats for a fortnight."""
    rng = np.random.default_rng(seed)
    grid = square_grid(300.0)
    context = rng.normal(size=(len(grid), 3))
    background = 0.004 * np.exp(1.2 * (context[:, 0] > 0.5) + 1.5 * (context[:, 1] < -0.8))
    cell, at = self_exciting(rng, background, theta=0.35, omega=1 / 14, days=430.0)
    return grid, in_cells(grid, rng, cell, at), context


def nats_against_even(method: PointProcess, points: Points, first: int, days: int) -> float:
    """Mean log of the relative rate at the incidents of days that the method did not see."""
    logs = []
    for day in range(first, first + days):
        surface = method.intensity(points, float(day), 1.0)
        happened = (points.occurred_days >= day) & (points.occurred_days < day + 1)
        logs.append(np.log(surface[points.cell[happened]] / surface.mean()))
    return float(np.concatenate(logs).mean())


# --- what holds for every method --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_each_method_earns_its_place_against_an_even_surface(name: str) -> None:
    grid, points, context = lively_city()
    method = CLASSICS[name]().fit(points.known_before(400.0), grid, 400.0, context)
    assert nats_against_even(method, points, 400, 30) > 0.1


@pytest.mark.parametrize("name", METHODS)
def test_nothing_known_later_changes_a_single_bit(name: str) -> None:
    rng, grid = np.random.default_rng(1), square_grid(300.0)
    points = scattered(grid, rng, 1_500, 200.0, delay_days=4.0)
    context = rng.normal(size=(len(grid), 3))
    until, at = 150.0, 160.0
    truth = CLASSICS[name]().fit(points.known_before(until), grid, until, context).intensity(points, at, 1.0)
    later = np.flatnonzero(points.known_days >= at)
    before = np.flatnonzero(points.known_days < at)
    moved = chosen(points, np.arange(len(points)))
    moved.cell[later] = (moved.cell[later] * 7 + 3) % len(grid)
    moved.x_m[later] += 500.0
    for other in (moved, chosen(points, before), chosen(points, np.append(before, np.repeat(later, 3)))):
        again = CLASSICS[name]().fit(other, grid, until, context).intensity(other, at, 1.0)
        assert np.array_equal(again, truth)


@pytest.mark.parametrize("name", METHODS)
def test_the_order_of_points_known_at_the_same_instant_is_irrelevant(name: str) -> None:
    rng, grid = np.random.default_rng(2), square_grid(300.0)
    points = scattered(grid, rng, 1_500, 100.0, delay_days=3.0)
    context = rng.normal(size=(len(grid), 3))
    shuffled = rng.permutation(len(points))
    other = chosen(points, shuffled[np.argsort(points.known_days[shuffled], kind="stable")])
    assert not np.array_equal(other.cell, points.cell)
    one, two = (
        CLASSICS[name]().fit(given_points, grid, 90.0, context).intensity(given_points, 95.0, 7.0)
        for given_points in (points, other)
    )
    assert np.array_equal(one, two)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("with_context", [True, False])
def test_an_empty_history_gives_a_finite_even_surface(name: str, with_context: bool) -> None:
    grid = square_grid(500.0)
    nothing = scattered(grid, np.random.default_rng(0), 0, 1.0)
    context = np.random.default_rng(1).normal(size=(len(grid), 2)) if with_context else None
    surface = CLASSICS[name]().fit(nothing, grid, 10.0, context).intensity(nothing, 12.0, 1.0)
    assert surface.shape == (len(grid),)
    assert surface.dtype == np.float64
    assert np.isfinite(surface).all()
    assert (surface == surface[0]).all()
    assert surface[0] > 0


@pytest.mark.parametrize("name", METHODS)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), delay_days=st.sampled_from([0.0, 5.0]))
@settings(max_examples=15, deadline=None)
def test_a_surface_is_finite_and_never_negative(name: str, seed: int, n: int, delay_days: float) -> None:
    rng, grid = np.random.default_rng(seed), square_grid(1_000.0)
    points = scattered(grid, rng, n, 30.0, delay_days)
    context = rng.normal(size=(len(grid), 2))
    method = CLASSICS[name]().fit(points, grid, 20.0, context)
    for at in (20.0, 29.0, 500.0):
        surface = method.intensity(points, at, 0.3)
        assert surface.shape == (len(grid),)
        assert np.isfinite(surface).all()
        assert (surface >= 0).all()
        assert surface.sum() > 0


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_cloned_with_its_parameters_and_asks_to_be_fitted(name: str) -> None:
    grid = square_grid(1_000.0)
    nothing = scattered(grid, np.random.default_rng(0), 0, 1.0)
    method = CLASSICS[name]()
    assert clone(method).get_params() == method.get_params()
    fresh = clone(method.fit(nothing, grid, 1.0))
    with pytest.raises(RuntimeError, match="Call fit"):
        fresh.intensity(nothing, 1.0, 1.0)


# --- prospective hot spot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bandwidth_m", "size_m", "band_cells"), [(400, 150, 0.5), (250, 300, 1.0), (90, 200, 0.5)]
)
def test_the_hot_spot_equals_a_double_loop(bandwidth_m: float, size_m: float, band_cells: float) -> None:
    rng, at = np.random.default_rng(3), 100.0
    grid = square_grid(size_m, 1_500.0)
    # A city with holes: a flat cell id must not wrap round an edge.
    grid = GridSpec(
        grid.epsg, 0, 0, size_m, grid.n_rows, grid.n_cols, grid.cells[rng.random(len(grid)) < 0.8]
    )
    every = scattered(grid, rng, 500, 120.0, delay_days=2.0)
    points = chosen(every, np.flatnonzero(every.cell >= 0))
    method = ProspectiveHotspot(bandwidth_m=bandwidth_m, band_cells=band_cells).fit(points, grid, at)
    x, y = grid.centres()
    truth = np.zeros(len(grid))
    for cell in range(len(grid)):
        for i in range(len(points)):
            age = at - points.occurred_days[i]
            distance = math.dist((x[cell], y[cell]), (points.x_m[i], points.y_m[i]))
            if points.known_days[i] < at and age < 61.0 and distance <= bandwidth_m:
                bands, weeks = distance // (band_cells * size_m), age // 7.0
                truth[cell] += 1 / (1 + bands) / (1 + weeks)
    assert truth.max() > 0
    assert np.allclose(method.weights(points, at), truth, rtol=1e-12, atol=1e-12)


def test_the_even_share_changes_no_rank_and_is_larger_where_places_say_less() -> None:
    rng, grid = np.random.default_rng(4), square_grid(200.0)
    anywhere = scattered(grid, rng, 3_000, 300.0)
    hot = points_at(grid, *rng.normal(3_000, 300, (2, 3_000)), rng.uniform(0, 300, 3_000))
    shares = [ProspectiveHotspot().fit(points, grid, 290.0).even_share_ for points in (anywhere, hot)]
    assert shares[0] > 0.8
    assert shares[1] < 0.1
    plain, mixed = (
        ProspectiveHotspot(even_share=share).fit(hot, grid, 290.0).intensity(hot, 290.0, 1.0)
        for share in (0.0, 0.3)
    )
    assert np.array_equal(np.argsort(plain, kind="stable"), np.argsort(mixed, kind="stable"))
    assert mixed.mean() == pytest.approx(plain.mean())
    assert mixed.min() > 0


# --- self-exciting process --------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="bandwidth_m"):
        ProspectiveHotspot(bandwidth_m=0.0).fit(scattered(grid, np.random.default_rng(0), 5, 1.0), grid, 2.0)


# --- risk terrain -----------------------------------------------------------------------------------------------


def test_the_terrain_finds_the_planted_factors_and_their_risk() -> None:
    rng = np.random.default_rng(12)
    X = rng.normal(size=(8_000, 12))
    X[:, 7] = X[:, 2] + 0.3 * rng.normal(size=8_000)  # goes with a true factor, causes nothing
    high, low = np.quantile(X[:, 2], 0.9), np.quantile(X[:, 5], 0.25)
    y = rng.poisson(0.5 * np.where(X[:, 2] > high, 4.0, 1.0) * np.where(X[:, 5] <= low, 2.5, 1.0))
    terms = RiskTerrainRegressor().fit(X, y).terms_
    assert [(term.column, term.above) for term in terms] == [(2, True), (5, False)]
    assert [term.times_risk for term in terms] == pytest.approx([4.0, 2.5], rel=0.08)
    assert [term.threshold for term in terms] == pytest.approx([high, low], abs=0.01)


def test_noise_makes_next_to_no_risk_factor() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(3_000, 6)), rng.poisson(0.7, 3_000)
        fitted = RiskTerrainRegressor().fit(X, y)
        found.append(len(fitted.terms_))
        assert np.abs(fitted.predict(X) / y.mean() - 1).mean() < 0.1
    # 48 forms are tried each time; a chi-square of one degree passes log(3000) about once in 200.
    assert np.mean(found) < 0.4
    assert found.count(0) >= 13


def test_of_each_factor_one_form_stays() -> None:
    rng = np.random.default_rng(13)
    near = rng.gamma(1.0, 1.0, 6_000)
    X = np.column_stack([near, near + 0.2 * rng.normal(size=6_000), rng.normal(size=6_000)])
    y = rng.poisson(0.3 * np.exp(1.0 * np.minimum(near, 3)))
    one = RiskTerrainRegressor(factors=(0, 0, 1)).fit(X, y)
    many = RiskTerrainRegressor(one_form_per_factor=False).fit(X, y)
    assert len([term for term in one.terms_ if term.column in (0, 1)]) == 1
    assert len(many.terms_) > 2
    score = lambda fitted: float(y @ np.log(fitted.predict(X)) - fitted.predict(X).sum())  # noqa: E731 - two uses in one line
    assert score(many) > score(one)


def test_no_single_step_would_better_the_chosen_model() -> None:
    rng = np.random.default_rng(14)
    forms = rng.random((2_000, 8)) < rng.uniform(0.05, 0.5, 8)
    y = rng.poisson(np.exp(-0.5 + forms[:, :4] @ [1.0, 0.6, -0.7, 0.2])).astype(float)
    table = Table(forms, y, np.ones(2_000))

    def bic(columns: list[int]) -> float:
        if columns:
            model = PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-9).fit(forms[:, columns], y)
            rate = model.predict(forms[:, columns])
        else:
            rate = np.full(len(y), y.mean())
        return -2 * float(y @ np.log(rate) - rate.sum()) + (1 + len(columns)) * math.log(2_000)

    found, coefficients = stepwise_bic(table, np.arange(8), np.arange(8), 8)
    assert {0, 1, 2} <= set(found)
    model = PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-9).fit(forms[:, found], y)
    assert np.allclose(coefficients, [model.intercept_, *model.coef_], atol=1e-4)
    best = bic(found)
    for form in range(8):
        other = [one for one in found if one != form] if form in found else [*found, form]
        assert bic(other) >= best - 1e-6


def test_the_elastic_net_meets_its_own_conditions() -> None:
    rng = np.random.default_rng(15)
    wide = rng.normal(size=(1_500, 10))
    wide -= wide.mean(axis=0)
    target = rng.poisson(np.exp(wide[:, 0] * 0.5 - wide[:, 3] * 0.3)).astype(float)
    target /= target.mean()
    share, beta, l1, l2 = np.full(1_500, 1 / 1_500), np.zeros(10), 0.05, 0.02
    _, log_rate = elastic_net_descend(wide, share, target, beta, 0.0, l1, l2)
    slope = (share * (target - np.exp(log_rate))) @ wide - l2 * beta
    assert (share * (target - np.exp(log_rate))).sum() == pytest.approx(0.0, abs=1e-5)
    assert 0 < np.count_nonzero(beta) < 10
    assert np.allclose(slope[beta != 0], l1 * np.sign(beta[beta != 0]), atol=1e-4)
    assert (np.abs(slope[beta == 0]) <= l1 + 1e-4).all()


def test_a_form_without_any_incident_does_not_break_the_fit() -> None:
    X = np.repeat(np.arange(4.0), 300)[:, None]
    y = np.repeat([0.0, 1.0, 1.0, 5.0], 300)
    fitted = RiskTerrainRegressor(one_form_per_factor=False).fit(X, y)
    assert np.allclose(fitted.predict(np.arange(4.0)[:, None]), [0.0, 1.0, 1.0, 5.0], atol=0.01)


def test_without_counts_the_terrain_predicts_next_to_nothing() -> None:
    X = np.random.default_rng(16).normal(size=(200, 3))
    risk = RiskTerrainRegressor().fit(X, np.zeros(200)).predict(X)
    assert (risk >= 0).all()
    assert risk.max() < 1e-6


def test_the_terrain_map_is_the_same_every_day_and_grows_with_the_period() -> None:
    grid, points, context = lively_city(17)
    method = RiskTerrain().fit(points, grid, 430.0, context)
    # Repeats make the counts cluster, which BIC takes for weak factors: the planted two must come first.
    assert {term.column for term in method.regressor_.terms_[:2]} == {0, 1}
    one = method.intensity(points, 430.0, 1.0)
    assert np.array_equal(one * 7.0, method.intensity(points, 500.0, 7.0))
    # Poisson regression with an intercept keeps the total.
    assert one.sum() * (430.0 - points.occurred_days.min()) == pytest.approx(
        len(points.known_before(430.0)), rel=1e-3
    )


def test_a_context_of_another_grid_is_refused() -> None:
    grid, points, context = lively_city(18)
    with pytest.raises(ValueError, match="one row for each of 400 cells"):
        RiskTerrain().fit(points, grid, 430.0, context[:-1])
