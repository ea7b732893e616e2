"""The published methods: what holds for each of them, and the hot spot counted the slow way."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from forecasting.engine.classics import CLASSICS, ProspectiveHotspot
from forecasting.engine.grid import GridSpec
from forecasting.engine.parallel import single_threaded
from tests.forecasting.engine_city import square_grid
from tests.forecasting.engine_points import chosen, lively_city, nats_against_even, points_at, scattered

METHODS = sorted(CLASSICS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"bandwidth_m": 0.0}, "bandwidth_m is 0.0"), ({"even_share": 1.5}, "between 0 and 1")],
)
def test_impossible_parameters_are_refused(wrong: dict[str, float], message: str) -> None:
    grid = square_grid(1_000.0)
    with pytest.raises(ValueError, match=message):
        ProspectiveHotspot(**wrong).fit(scattered(grid, np.random.default_rng(0), 5, 1.0), grid, 2.0)
