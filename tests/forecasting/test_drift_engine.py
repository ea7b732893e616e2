"""The drift alarm: rare for a sound model whatever its counts, quick for one that is off, and exact in its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecasting.engine.drift import (
    Limits,
    alarm_height,
    alarms,
    count_sums,
    cusum,
    dispersion,
    poisson_interval,
    poisson_limits,
)

YEAR = 52
WORLDS = 1_500


def false_alarm_share(draw: object, limits: Limits, weekly: float) -> float:
    """In which share of made-up years of a sound model any of the three sums raises an alarm."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(WORLDS):
        observed, skill = draw(rng)  # type: ignore[operator]
        found += bool(alarms(np.full(YEAR, weekly), observed, skill, limits)[0])
    return found / WORLDS


def cells(weekly: float, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A model's expected counts in n cells, and a plain count's that spreads the same total otherwise."""
    shape = np.random.default_rng(1).gamma(0.6, 1.0, n) + 0.05
    plain = shape**0.7
    return weekly * shape / shape.sum(), weekly * plain / plain.sum()


@pytest.mark.parametrize("weekly", [1.0, 12.0, 300.0])
@pytest.mark.parametrize("ratio", [1.0, 1.05, 1 / 1.05])
def test_a_sound_model_raises_an_alarm_in_no_more_years_than_stated(weekly: float, ratio: float) -> None:
    limits = Limits(false_alarms=0.05)
    model, plain = cells(weekly)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        counts = rng.poisson(ratio * model, (YEAR, len(model)))
        skill = counts @ np.log(model / plain) - (model.sum() - plain.sum())
        return counts.sum(axis=1).astype(float), skill

    # Three standard errors of the simulation above the promise would be a broken promise.
    assert false_alarm_share(draw, limits, weekly) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / WORLDS)


@pytest.mark.parametrize("weekly", [20.0, 200.0])
def test_weeks_that_vary_more_than_chance_raise_no_more_alarms_where_that_is_known(weekly: float) -> None:
    def draw(rng: np.random.Generator) -> tuple[np.ndarray, None]:
        # Negative binomial with twice the variance of a Poisson.
        return rng.negative_binomial(weekly, 0.5, YEAR).astype(float), None

    assert false_alarm_share(draw, Limits(dispersion=2.0), weekly) <= 0.05
    assert false_alarm_share(draw, Limits(dispersion=1.0), weekly) > false_alarm_share(
        draw, Limits(dispersion=2.0), weekly
    )


@pytest.mark.parametrize(("ratio", "rule"), [(1.3, "more"), (0.7, "fewer")])
def test_an_error_of_a_third_is_found_within_a_quarter(ratio: float, rule: str) -> None:
    rng = np.random.default_rng(2)
    found = [
        [alarm.rule for alarm in alarms(np.full(13, 60.0), rng.poisson(60.0 * ratio, 13).astype(float), None, Limits())[0]]
        for _ in range(200)
    ]  # fmt: skip
    assert np.mean([rules == [rule] for rules in found]) > 0.9


def test_a_plain_count_that_forecasts_better_is_found() -> None:
    rng = np.random.default_rng(3)
    plain, model = cells(60.0)  # the other way round: the plain count is the truth
    counts = rng.poisson(plain, (26, len(plain)))
    skill = counts @ np.log(model / plain) - (model.sum() - plain.sum())
    found, sums = alarms(np.full(26, 60.0), counts.sum(axis=1).astype(float), skill, Limits())
    assert [alarm.rule for alarm in found] == ["skill"]
    assert sums["skill"][found[0].week] >= alarm_height(0.05) > sums["skill"][found[0].week - 1]


def test_no_week_and_no_comparison_give_no_alarm() -> None:
    nothing = np.zeros(0)
    assert alarms(nothing, nothing, nothing, Limits())[0] == []
    ten = np.full(10, 5.0)
    assert alarms(ten, ten, np.full(10, np.nan), Limits())[0] == []


def test_the_sums_are_likelihood_ratios_that_fall_back_to_zero() -> None:
    limits = Limits(departure=0.25, tolerated=0.0)
    more, fewer = count_sums(np.array([10.0, 10.0]), np.array([20.0, 0.0]), limits)
    assert more[0] == pytest.approx(20 * math.log(1.25) - 10 * 0.25)
    assert (more[1], fewer[0]) == (pytest.approx(max(0.0, more[0] - 2.5)), 0.0)
    assert fewer[1] == pytest.approx(10 * (1 - 1 / 1.25))
    assert cusum(np.array([-1.0, -1.0, 3.0])).tolist() == [0.0, 0.0, 3.0]


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 63.2, 900.0])
def test_limits_hold_as_much_of_the_weeks_as_they_say(mean: float) -> None:
    low, high = (int(bound) for bound in poisson_limits(mean, 0.95))
    chance = np.exp(np.cumsum(np.log(mean) - np.log(np.arange(1, 2_500))) - mean)
    chance = np.concatenate([[np.exp(-mean)], chance])
    assert chance[low : high + 1].sum() >= 0.95 - 1e-9
    # One count narrower at either end would leave more than 2.5 % beyond it.
    assert low == 0 or chance[: low + 1].sum() >= 0.025
    assert chance[:low].sum() < 0.025
    assert chance[high + 1 :].sum() <= 0.025 + 1e-9
    assert high == 0 or chance[high:].sum() > 0.025


def test_the_interval_of_a_count_is_exact() -> None:
    low, high = poisson_interval(np.array([0.0, 3.0]))
    assert low.tolist() == [0.0, pytest.approx(0.6187, abs=1e-4)]
    assert high.tolist() == [pytest.approx(3.6889, abs=1e-4), pytest.approx(8.7673, abs=1e-4)]


def test_dispersion_is_one_for_chance_and_where_nothing_can_be_told() -> None:
    rng = np.random.default_rng(0)
    mean = np.full(400, 50.0)
    assert dispersion(mean, rng.poisson(mean).astype(float)) == pytest.approx(1.0, abs=0.2)
    assert dispersion(mean, rng.negative_binomial(50, 0.5, 400).astype(float)) == pytest.approx(2.0, abs=0.4)
    assert dispersion(mean[:5], np.zeros(5)) == 1.0
    assert dispersion(mean, np.zeros(400)) == 4.0


@pytest.mark.parametrize(
    "wrong", [{"tolerated": 0.3}, {"tolerated": -0.1}, {"false_alarms": 0.0}, {"dispersion": 0.5}]
)
def test_limits_that_contradict_themselves_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"tolerated error|False alarms"):
        Limits(**wrong)
