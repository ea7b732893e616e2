"""What the models may hold in memory beside the matrix that they are given: never a second one."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from forecasting.engine.mixture import Blend, BoostedMixture, NonNegativeMixture
from forecasting.engine.models import BestShare, BoostedPoisson, LogLinearPoisson
from forecasting.engine.newton import moments, poisson_newton
from forecasting.engine.parallel import TypePool, rows_shared, single_threaded
from forecasting.engine.trees import Forest

ROWS, COLUMNS = 60_000, 120
RATES = tuple(range(110))
TREES = BoostedPoisson(columns=(3, 17, 60, 118, COLUMNS), ratios=((1, 2), (5, 90)), max_iter=4)
ESTIMATORS = {
    "best_share": BestShare(specs=(((3, 1.0),), ((7, 0.5), (40, 0.5)))),
    "log_linear": LogLinearPoisson(columns=RATES, plain=(115, 117), max_iter=3),
    "mixture": NonNegativeMixture(columns=RATES, mean_one=RATES, max_iter=20),
    "trees": BoostedPoisson(columns=(3, 17, 60, 118), ratios=((1, 2),), max_iter=4, max_rows=20_000),
    "boosted_mixture": BoostedMixture(NonNegativeMixture(columns=RATES, max_iter=20), TREES),
}
ESTIMATORS["blend"] = Blend((ESTIMATORS["log_linear"], ESTIMATORS["boosted_mixture"]), (0.2, 0.8))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


@pytest.fixture(scope="module")
def city() -> tuple[np.ndarray, np.ndarray]:
    """A design matrix as wide as a city's, and rare incidents."""
    rng = np.random.default_rng(0)
    X = rng.gamma(0.5, 2.0, (ROWS, COLUMNS)).astype(np.float32)
    return X, rng.poisson(0.05 * X[:, 3]).astype(float)


def peak_of(work: Callable[[], Any]) -> int:
    """Bytes allocated at the worst moment of some work, above what was there before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_the_measure_sees_a_copy(city: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = city
    assert peak_of(X.copy) >= X.nbytes


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_model_copies_the_matrix_that_it_learns_from(
    name: str, city: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = city
    ESTIMATORS[name].fit(X[:500], y[:500])  # what is loaded at the first use is no copy
    assert peak_of(lambda: ESTIMATORS[name].fit(X, y)) < 0.5 * X.nbytes


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_model_copies_the_matrix_that_it_predicts_from(
    name: str, city: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = city
    fitted = ESTIMATORS[name].fit(X[:20_000], y[:20_000])
    assert peak_of(lambda: fitted.predict(X)) < 0.25 * X.nbytes


@pytest.mark.parametrize("leaves", [2, 3, 9, 10, 31])
def test_trees_are_read_as_scikit_learn_reads_them(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    X = rng.gamma(0.5, 2.0, (9_000, 6)).astype(np.float32)
    X[:, 4] = rng.integers(0, 3, len(X))
    y = rng.poisson(X[:, 0] + (X[:, 4] == 1))
    edges = [np.unique(np.quantile(X[:, column], np.linspace(0.02, 0.98, 60))) for column in range(6)]
    steps = np.stack([np.searchsorted(edges[k], X[:, k], "left") for k in range(6)], axis=1).astype(float)
    fitted = HistGradientBoostingRegressor(
        loss="poisson", max_iter=12, max_leaf_nodes=leaves, max_bins=64, early_stopping=False
    ).fit(steps, y)
    assert np.array_equal(np.exp(Forest.of(fitted, edges).logs(X.T)), fitted.predict(steps))


def test_a_column_beside_the_matrix_counts_as_its_last_one(city: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = city[0][:9_000, :6], city[1][:9_000]
    beside = X[:, 2] + X[:, 3]
    trees = BoostedPoisson(columns=(0, 4, 6), ratios=((1, 6),), max_iter=5)
    whole = np.column_stack([X, beside])
    apart = BoostedPoisson(**trees.get_params()).fit_beside(X, beside, y, np.ones(len(y)))
    expected = trees.fit(whole, y).predict(whole)
    assert np.array_equal(apart.predict_beside(X, beside), expected)
    assert apart.n_features_in_ == 7


def test_a_fit_by_pieces_ends_where_nothing_is_left_to_gain() -> None:
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(5_000, 3))
    y, weight = rng.poisson(np.exp(Z @ [0.5, -0.3, 0.0] - 1)).astype(float), rng.random(5_000)
    # A start from which a whole step overshoots.
    beta, steps = poisson_newton(lambda rows: Z[rows].copy(), y, weight, 0.01, np.array([0, 0, 0, -6.0]), 50)
    share = weight / weight.sum()
    missed = share * (np.exp(Z @ beta[:3] + beta[3]) - y)
    assert np.abs(missed @ Z + 0.01 * beta[:3]).max() < 1e-8
    assert abs(missed.sum()) < 1e-8
    assert 3 < steps < 20


def test_moments_by_pieces_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(5)
    Z, weight = rng.normal(1e6, 1.0, (4_000, 2)), rng.random(4_000)
    weight[:2_000] = 0.0  # whole pieces that weigh nothing
    mean, spread = moments(lambda rows: Z[rows].copy(), weight)
    assert mean == pytest.approx(np.average(Z, axis=0, weights=weight), rel=1e-12)
    assert spread == pytest.approx(np.sqrt(np.cov(Z.T, aweights=weight, ddof=0).diagonal()), rel=1e-6)


@pytest.mark.parametrize("name", ["log_linear", "trees", "boosted_mixture"])
def test_rows_divided_among_workers_give_the_same_bits(
    name: str, city: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = city
    X = X[:20_011]
    fitted = ESTIMATORS[name].fit(X, y[:20_011])
    alone = fitted.predict(X)
    for workers in (2, 3):
        with TypePool(workers) as pool, rows_shared(pool):
            assert np.array_equal(fitted.predict(X), alone)
