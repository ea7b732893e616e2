"""The live record's evidence: right however often somebody looks, and strong enough to be of use."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from forecasting.engine.live_record import ALPHA, BETS, THRESHOLD, evidence, largest_gain, log_e

CELLS = 40


def world(rng: np.random.Generator, crimes: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Two forecasts of the same city that differ in where the crimes are, and a little in how many."""
    base = rng.gamma(0.5, 1.0, CELLS)
    tilt = np.exp(spread * rng.normal(size=CELLS))
    model, plain = base * tilt, base / tilt
    return crimes * model / model.sum(), 1.04 * crimes * plain / plain.sum()


def even(model: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """A truth under which neither forecast scores better on average."""
    ratio, level = np.log(model / plain), model.sum() - plain.sum()
    share = optimize.brentq(lambda w: (w * model + (1 - w) * plain) @ ratio - level, 0, 1)
    return share * model + (1 - share) * plain


def record(
    model: np.ndarray,
    plain: np.ndarray,
    truth: np.ndarray,
    rng: np.random.Generator,
    *,
    shifts: int,
    restless: float = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains, bounds and crimes of so many shifts; ``restless`` makes whole nights busier or quieter than chance."""
    night = rng.gamma(1 / restless, restless, (shifts, 1)) if restless else 1.0
    crimes = rng.poisson(np.broadcast_to(truth, (shifts, CELLS)) * night)
    gain = crimes @ np.log(model / plain) - (model.sum() - plain.sum())
    return gain, np.full(shifts, largest_gain(model, plain)), crimes.sum(axis=1)


@pytest.mark.parametrize(
    ("crimes", "spread", "restless"), [(3.0, 0.25, 0.0), (3.0, 0.25, 0.5), (0.3, 0.4, 0.0)]
)
def test_where_neither_is_better_at_most_one_record_in_twenty_ever_says_so(
    crimes: float, spread: float, restless: float
) -> None:
    rng = np.random.default_rng(3)
    repeats, ever, missed = 300, 0, 0
    for _ in range(repeats):
        model, plain = world(rng, crimes, spread)
        gain, bound, n = record(model, plain, even(model, plain), rng, shifts=300, restless=restless)
        found = evidence(gain, bound, n)
        ever += bool((found.log_e_model >= np.log(THRESHOLD)).any())
        known = n.cumsum() > 0
        missed += bool(((found.low > 0) | (found.high < 0))[known].any())
    # Three Monte Carlo errors above the level.
    most = repeats * (ALPHA + 3 * (ALPHA * (1 - ALPHA) / repeats) ** 0.5)
    assert ever <= most
    assert missed <= most


def test_a_world_that_turns_is_covered_too() -> None:
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(150):
        model, plain = world(rng, 3.0, 0.25)
        ratio, level = np.log(model / plain), model.sum() - plain.sum()
        parts = [record(model, plain, truth, rng, shifts=60) for truth in (model, plain, model, plain)]
        gain, bound, n = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        means = np.repeat([truth @ ratio - level for truth in (model, plain, model, plain)], 60)
        found = evidence(gain, bound, n)
        known = n.cumsum() > 0
        target = means.cumsum()[known] / n.cumsum()[known]
        missed += bool(((target < found.low[known]) | (target > found.high[known])).any())
    assert missed <= 150 * ALPHA + 8


def test_a_model_that_is_right_is_shown_to_be_within_a_year() -> None:
    rng = np.random.default_rng(5)
    shown = 0
    for _ in range(40):
        model, plain = world(rng, 3.0, 0.2)
        gain, bound, n = record(model, plain, model, rng, shifts=1_095)
        found = evidence(gain, bound, n)
        shown += found.verdict == "model"
        assert found.low[-1] < gain.sum() / n.sum() < found.high[-1]
    assert shown >= 38


def test_a_plain_count_that_is_right_is_shown_to_be_too() -> None:
    rng = np.random.default_rng(6)
    model, plain = world(rng, 3.0, 0.25)
    found = evidence(*record(model, plain, plain, rng, shifts=1_095))
    assert found.verdict == "plain"
    assert found.high[-1] < 0


def test_each_step_of_the_e_value_is_a_fair_bet_at_worst() -> None:
    # The inequality under the whole method: exp(λx - ψ(λ)x²) ≤ 1 + λx on [-1, ∞).
    x = np.linspace(-1, 5, 2_001)[:, None]
    cost = -np.log1p(-BETS) - BETS
    assert (np.exp(BETS * x - cost * x**2) <= 1 + BETS * x + 1e-12).all()


def test_the_interval_leaves_out_nought_when_and_only_when_the_evidence_is_twice_the_threshold() -> None:
    rng = np.random.default_rng(7)
    model, plain = world(rng, 3.0, 0.2)
    gain, bound, n = record(model, plain, model, rng, shifts=400)
    found = evidence(gain, bound, n)
    known = n.cumsum() > 0
    assert ((found.low > 0) == (found.log_e_model > np.log(2 / ALPHA)))[known].all()
    assert ((found.high < 0) == (found.log_e_plain > np.log(2 / ALPHA)))[known].all()


def test_swapping_the_forecasts_swaps_the_evidence() -> None:
    rng = np.random.default_rng(8)
    gain, bound, n = rng.normal(0.1, 0.5, 50), np.full(50, 3.0), rng.poisson(2, 50) + 1
    one, other = evidence(gain, bound, n), evidence(-gain, bound, n)
    assert np.allclose(one.log_e_model, other.log_e_plain)
    assert np.allclose(one.low, -other.high)


def test_one_shift_counts_for_no_more_than_its_bound_and_is_marked() -> None:
    found = evidence([50.0, 0.1], [2.0, 2.0], [4, 1])
    assert found.clipped.tolist() == [True, False]
    assert found.log_e_model.tolist() == evidence([2.0, 0.1], [2.0, 2.0], [4, 1]).log_e_model.tolist()


def test_equal_forecasts_and_empty_records_tell_nothing() -> None:
    same = evidence([0.0, 0.0], [0.0, 0.0], [3, 1])
    assert same.log_e_model.tolist() == [0.0, 0.0]
    assert np.isnan(same.skill).all()
    nothing = evidence([], [], [])
    assert (len(nothing), nothing.verdict) == (0, "")


def test_the_bound_knows_only_the_two_forecasts_and_grows_with_their_difference() -> None:
    rng = np.random.default_rng(9)
    bounds = []
    for spread in (0.05, 0.2, 0.8):
        bounds.append(largest_gain(*world(np.random.default_rng(9), 3.0, spread)))
    assert bounds == sorted(bounds)
    model, plain = world(rng, 3.0, 0.4)
    assert largest_gain(model, plain) == pytest.approx(largest_gain(plain, model))
    assert largest_gain(np.zeros(4), np.zeros(4)) == 0.0


def test_the_e_value_of_no_sum_is_one() -> None:
    assert float(log_e(np.zeros(1), np.zeros(1))[0]) == 0.0
