"""The risk terrain: scikit-learn's rules, planted factors found, and a model that no single step would better."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor
from sklearn.utils.estimator_checks import check_estimator

from forecasting.engine.classics import RiskTerrain
from forecasting.engine.classics.selection import Table, elastic_net_descend, stepwise_bic
from forecasting.engine.classics.terrain import RiskTerrainRegressor
from forecasting.engine.parallel import single_threaded
from tests.forecasting.engine_points import lively_city


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


def test_the_risk_terrain_obeys_scikit_learn() -> None:
    check_estimator(RiskTerrainRegressor(), on_skip=None)


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
