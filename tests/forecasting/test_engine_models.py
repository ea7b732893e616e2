"""The estimators: scikit-learn's rules, exact small cases, and the law that each of them is there for."""

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from forecasting.engine.effects import Factored
from forecasting.engine.mixture import Blend, BoostedMixture, NonNegativeMixture
from forecasting.engine.models import BestShare, BoostedPoisson, LogLinearPoisson, blend
from forecasting.engine.parallel import single_threaded

SMALL_TREES = BoostedPoisson(max_iter=3, min_samples_leaf=5)
BY_ROWS = {
    "check_sample_weight_equivalence_on_dense_data": "histogram edges and leaf sizes go by rows, as in scikit-learn"
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


@pytest.mark.parametrize(
    ("estimator", "excused"),
    [
        (BestShare(), {}),
        (LogLinearPoisson(), {}),
        (NonNegativeMixture(max_iter=40), {}),
        (SMALL_TREES, BY_ROWS),
        (Blend(), {}),
        (Factored(), {}),
        (BoostedMixture(mixture=NonNegativeMixture(max_iter=20), trees=SMALL_TREES), BY_ROWS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_estimators_obey_scikit_learn(estimator: object, excused: dict[str, str]) -> None:
    check_estimator(estimator, expected_failed_checks=excused, on_skip=None)


def rates(rng: np.random.Generator, n: int = 20_000, columns: int = 4) -> np.ndarray:
    """Relative rates: mean exactly one, heavy tails."""
    X = rng.gamma(0.4, 1.0, (n, columns))
    return X / X.mean(axis=0)


def test_the_mixture_finds_the_shares_that_made_the_counts() -> None:
    rng = np.random.default_rng(0)
    X = rates(rng)
    truth = 0.5 * X[:, 0] + 0.2 * X[:, 2] + 0.3
    y = rng.poisson(truth)
    fitted = NonNegativeMixture(mean_one=(0, 1, 2, 3), pseudo_events=1.0, max_iter=2_000).fit(X, y)
    assert np.allclose(fitted.shares_, [0.5, 0.0, 0.2, 0.0, 0.3], atol=0.03)
    assert fitted.predict(X).sum() == pytest.approx(y.sum(), rel=0.002)


def test_em_never_lowers_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    X = rates(rng, 2_000)
    y = rng.poisson(X[:, 0])
    scores = []
    for steps in (1, 2, 4, 8, 16, 32):
        risk = NonNegativeMixture(pseudo_events=0.0, max_iter=steps).fit(X, y).predict(X)
        scores.append(float(y @ np.log(risk) - risk.sum()))
    assert (np.diff(scores) >= -1e-3).all()


def test_log_linear_terms_recover_powers() -> None:
    rng = np.random.default_rng(2)
    X = rates(rng) + 0.2
    y = rng.poisson(0.7 * X[:, 0] ** 0.8 * X[:, 1] ** -0.3)
    fitted = LogLinearPoisson(floor=0.0, ridge_events=0.1).fit(X, y)
    powers = fitted.coef_ / fitted.spread_
    assert np.allclose(powers, [0.8, -0.3, 0.0, 0.0], atol=0.03)


@pytest.mark.parametrize("name", ["log_linear", "mixture", "boosting"])
def test_a_weighted_row_counts_as_that_many_rows(name: str) -> None:
    rng = np.random.default_rng(3)
    X = rates(rng, 600)
    y, weight = rng.poisson(X[:, 0]), rng.integers(1, 4, 600)
    many = np.repeat(np.arange(600), weight)
    make = {
        "log_linear": LogLinearPoisson,
        "mixture": lambda: NonNegativeMixture(pseudo_events=0.0),
        "boosting": lambda: BoostedPoisson(max_iter=1, max_leaf_nodes=2, min_samples_leaf=1, l2_events=0.0),
    }[name]
    weighted, repeated = make().fit(X, y, sample_weight=weight), make().fit(X[many], y[many])
    if name == "boosting":  # its histogram edges depend on the rows: means, not every leaf, must agree
        assert weighted.predict(X).mean() == pytest.approx(repeated.predict(X).mean(), rel=0.03)
    else:
        assert np.allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4)


def test_trees_mend_what_a_mixture_cannot_say() -> None:
    rng = np.random.default_rng(4)
    X = rates(rng, 30_000)
    truth = X[:, 0] * np.where(X[:, 1] > 1.5, 3.0, 0.5)
    y, new = rng.poisson(truth), rng.poisson(truth)
    mixture = NonNegativeMixture().fit(X, y)
    boosted = BoostedMixture(mixture=NonNegativeMixture(), trees=BoostedPoisson(max_iter=40)).fit(X, y)
    score = lambda risk: float(new @ np.log(np.maximum(risk, 1e-9)) - risk.sum())  # noqa: E731 - two uses in one line
    assert score(boosted.predict(X)) > score(mixture.predict(X)) + 500


def test_the_best_share_is_the_one_that_made_the_counts() -> None:
    rng = np.random.default_rng(5)
    X = rates(rng)
    y = rng.poisson(0.9 * X[:, 2] + 0.1)
    specs = (((0, 1.0),), ((2, 1.0),), ((0, 0.5), (2, 0.5)))
    fitted = BestShare(specs=specs).fit(X, y)
    assert fitted.spec_ == ((2, 1.0),)
    assert fitted.uniform_share_ == pytest.approx(0.1)


@pytest.mark.parametrize(
    "estimator", [BestShare(), LogLinearPoisson(), NonNegativeMixture(), BoostedPoisson(), BoostedMixture()]
)
def test_no_incident_at_all_predicts_next_to_nothing_and_never_nan(estimator: object) -> None:
    X = rates(np.random.default_rng(6), 500)
    risk = estimator.fit(X, np.zeros(500)).predict(X)
    assert np.isfinite(risk).all()
    assert (risk >= 0).all()
    assert risk.max() < 1e-6


def test_negative_rates_and_counts_are_refused() -> None:
    X = rates(np.random.default_rng(7), 50)
    with pytest.raises(ValueError, match="Negative values in y"):
        NonNegativeMixture().fit(X, np.full(50, -1.0))
    with pytest.raises(ValueError, match="Negative values in data"):
        NonNegativeMixture().fit(X - 1, np.ones(50))


def test_a_blend_ranks_alike_whatever_the_scale_of_its_parts() -> None:
    a, b = rates(np.random.default_rng(8), 100, 2).T + 0.1
    assert np.allclose(blend([5 * a, 0.2 * b]), blend([a, b]))
    assert np.allclose(blend([a, a], [0.9, 0.1]), a)
    assert np.allclose(blend([a, b]), np.sqrt(a * b))
