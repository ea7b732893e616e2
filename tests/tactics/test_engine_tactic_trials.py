"""Tactics compared from stored chances: by hand on small cases, honest under the null, and only as sure as the crimes allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tactics.engine.allocation import Allocation, chance_of_lowest, effective_floor, thompson_chances
from tactics.engine.draws import cell_uniforms, choose, draw_stream, weight_chances
from tactics.engine.trial_replays import compare_all, pair_p_values, pair_scores, planned_chances, redraw
from tactics.engine.trials import (
    TacticTrial,
    always_valid_half,
    compare,
    detectable_ratio,
    forecast_level,
    holm,
    plain_trial,
    power,
    separation,
    tactic_rates,
    times_longer,
)


def made_up(
    n: int, *, ratio: float = 1.0, adaptive: bool = False, seed: int = 1, mean: float = 0.2
) -> TacticTrial:
    """Three tactics, the third not everywhere; crimes after the first are ``ratio`` times those after the others."""
    rng = np.random.default_rng(seed)
    weights = np.tile([2.0, 1.0, 1.0], (n, 1))
    weights[rng.random(n) < 0.3, 2] = 0.0
    chance = weight_chances(weights)
    arm = choose(chance, rng.random(n))
    expected = rng.gamma(2.0, mean / 2.0, n)
    crimes = rng.poisson(expected * np.where(arm == 0, ratio, 1.0)).astype(float)
    batch = np.arange(n) * 4 // n
    trial = plain_trial(("walk", "car", "talk"), arm, chance, crimes, expected, np.arange(n) * 8 // n)
    return replace(
        trial,
        adaptive=np.full(n, adaptive),
        batch=batch,
        counted=np.where(batch < 3, batch + 1, 0),
        told_crimes=crimes,
        told_expected=expected,
    )


def test_hajek_by_hand() -> None:
    chance = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.8, 0.2]])
    trial = plain_trial(
        ("a", "b"), np.array([0, 0, 1, 1]), chance, np.array([1.0, 0.0, 2.0, 1.0]), np.ones(4)
    )
    found = compare(trial, 0, 1, method="hajek")
    # a: (1/0.5) / (1/0.5 + 1/0.25) = 1/3; b: (2/0.5 + 1/0.2) / (1/0.5 + 1/0.2) = 9/7.
    assert found.ratio == pytest.approx((1 / 3) / (9 / 7))
    assert (found.missions, found.crimes_a, found.crimes_b) == (4, 1.0, 3.0)
    # Four crimes are luck: a ratio, and no interval.
    assert np.isnan(found.low)
    assert not found.shows


def test_missions_where_only_one_tactic_was_allowed_do_not_count() -> None:
    trial = made_up(400)
    found = compare(trial, 0, 2)
    assert found.missions == int((trial.chance[:, 2] > 0).sum()) < 400


def test_no_crimes_give_no_ratio_and_no_warning() -> None:
    trial = replace(made_up(50), crimes=np.zeros(50))
    assert np.isnan(compare(trial, 0, 1).ratio)
    assert all(np.isnan(rate.low) for rate in tactic_rates(trial))
    empty = plain_trial(("a", "b"), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    assert compare(empty, 0, 1).missions == 0
    assert compare_all(empty, rng=np.random.default_rng(1), draws=9) == ()


def test_a_drawn_tactic_without_a_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="no chance"):
        plain_trial(("a", "b"), np.array([1]), np.array([[1.0, 0.0]]), np.ones(1), np.ones(1))


def test_the_estimates_are_right_on_average_and_the_forecast_sharpens_them() -> None:
    logs = {"hajek": [], "augmented": []}  # type: ignore[var-annotated]
    inside = 0
    for seed in range(120):
        trial = made_up(3000, ratio=0.7, seed=seed)
        for method in logs:
            logs[method].append(np.log(compare(trial, 0, 1, method=method).ratio))  # type: ignore[arg-type]
        once = compare(trial, 0, 1)
        inside += once.point_low <= 0.7 <= once.point_high
    for method, values in logs.items():
        assert abs(np.mean(values) - np.log(0.7)) < 4 * np.std(values) / np.sqrt(120), method
    assert np.std(logs["augmented"]) <= np.std(logs["hajek"]) * 1.05
    assert inside >= 106


@pytest.mark.parametrize("adaptive", [False, True])
def test_under_no_difference_the_replayed_test_rejects_as_often_as_it_says(adaptive: bool) -> None:
    rng = np.random.default_rng(5)
    rejected = 0
    base = made_up(400, adaptive=adaptive)
    for _ in range(150):
        drawn = redraw(base, 1, rng, with_tables=True)
        assert drawn.tables is not None
        again = replace(base, arm=drawn.arm[0].astype(np.int64), chance=drawn.tables[0])
        rejected += pair_p_values(again, draws=39, rng=rng)[0, 1] <= 0.05
    # 7.5 expected; 17 would come up once in a thousand.
    assert rejected < 17


def test_a_large_difference_is_found_and_holm_counts_the_pairs() -> None:
    trial = made_up(4000, ratio=0.4)
    pairs = compare_all(trial, draws=199, rng=np.random.default_rng(2))
    assert [(pair.a, pair.b) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    assert pairs[0].p_value == 1 / 200
    assert pairs[0].p_holm == pytest.approx(3 / 200)
    assert pairs[0].shows
    assert not pairs[2].shows
    assert pairs[0].low < pairs[0].point_low < pairs[0].ratio < pairs[0].point_high < pairs[0].high


def test_fixed_chances_are_drawn_again_with_the_stored_frequencies() -> None:
    trial = made_up(60)
    drawn = redraw(trial, 4000, np.random.default_rng(3))
    seen = np.stack([(drawn.arm == a).mean(axis=0) for a in range(3)], axis=1)
    assert np.abs(seen - trial.chance).max() < 5 * np.sqrt(0.25 / 4000)
    assert np.array_equal(drawn.reciprocal > 0, trial.chance > 0)


def test_adaptive_chances_are_redrawn_from_what_the_policy_was_told() -> None:
    trial = replace(made_up(2000, adaptive=True), policy=Allocation(floor=0.2, prior_crimes=5.0))
    ratios = np.array([0.4, 1.0, 1.0])
    planned = planned_chances(trial, ratios, draws=20, rng=np.random.default_rng(4))
    both = trial.chance[:, 2] > 0
    first, last = trial.batch == 0, trial.batch == 3
    assert planned[first & both] == pytest.approx(1 / 3)
    assert (planned[last & both][:, 0] > 0.5).all()
    assert (planned[last & both][:, 1:] >= 0.2 - 1e-9).all()
    # Crimes fixed whatever was drawn: the replay has nobody to prefer for long.
    replayed = redraw(
        replace(trial, told_crimes=trial.expected), 50, np.random.default_rng(5), with_tables=True
    )
    assert replayed.tables is not None
    assert replayed.tables[:, last & both].mean(axis=(0, 1)) == pytest.approx([1 / 3] * 3, abs=0.02)


def test_the_lowest_rate_is_the_likelier_the_fewer_crimes_followed() -> None:
    allowed = np.array([[True, True, True], [True, False, True], [False, False, False]])
    crimes, expected = np.array([10.0, 50.0, 90.0]), np.full(3, 50.0)
    found = chance_of_lowest(crimes, expected, allowed, prior_crimes=1.0)
    assert found[0, 0] > 0.99
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0, 0.0])
    assert found[1, 1] == 0.0
    rng = np.random.default_rng(1)
    near = np.array([45.0, 50.0, 52.0])
    rates = rng.gamma(near + 10, 1 / (expected + 10), size=(200_000, 3))
    simulated = np.bincount(rates.argmin(axis=1), minlength=3) / 200_000
    assert chance_of_lowest(near, expected, allowed[0], prior_crimes=10.0) == pytest.approx(
        simulated, abs=0.005
    )


def test_the_floor_holds_and_gives_way_to_an_even_share() -> None:
    crimes, expected = np.array([0.0, 500.0, 500.0, 500.0, 500.0, 500.0]), np.full(6, 500.0)
    few = thompson_chances(crimes, expected, np.arange(6) < 3, Allocation(floor=0.2))
    assert few == pytest.approx([0.6, 0.2, 0.2, 0.0, 0.0, 0.0], abs=1e-6)
    many = thompson_chances(crimes, expected, np.ones(6, dtype=bool), Allocation(floor=0.2))
    assert many == pytest.approx([1 / 6] * 6)
    assert effective_floor(0.2, 6) == pytest.approx(1 / 6)


def test_always_valid_intervals_are_wrong_at_any_look_as_seldom_as_they_say() -> None:
    rng = np.random.default_rng(8)
    steps = rng.normal(size=(600, 400))
    sums, n = np.cumsum(steps, axis=1), np.arange(1, 401)
    halves = np.array([always_valid_half(0.5 / np.sqrt(k)) for k in n])
    wrong = (np.abs(0.5 * sums / n) > halves)[:, 4:].any(axis=1).mean()
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
    assert always_valid_half(0.15) / 0.15 > 1.96


def test_power_grows_with_missions_and_says_how_many_more_it_takes() -> None:
    trial = made_up(2000)
    few, many = (power(trial.chance[:n], trial.expected[:n], 0, 1, 0.7) for n in (500, 2000))
    assert 0.05 < few < many < 1.0
    assert power(trial.chance, trial.expected, 0, 1, 1.0) == pytest.approx(0.05)
    apart = separation(trial.chance[:500], trial.expected[:500], 0, 1, 0.7)
    longer = times_longer(apart)
    n = int(500 * longer)
    big = made_up(n)
    assert power(big.chance, big.expected, 0, 1, 0.7) == pytest.approx(0.8, abs=0.05)
    assert times_longer(0.0) == np.inf
    found = detectable_ratio(trial.chance, trial.expected, 0, 1)
    assert power(trial.chance, trial.expected, 0, 1, found) >= 0.8
    assert detectable_ratio(trial.chance[:3], trial.expected[:3], 0, 1) == 0.0


def test_the_designers_power_is_what_simulation_gives() -> None:
    shown = 0
    for seed in range(200):
        trial = made_up(1500, ratio=0.7, seed=1000 + seed)
        shown += (
            abs(pair_scores(trial, trial.arm[None], trial.drawn_chance[None], trial.residual())[0, 0, 1])
            > 1.96
        )
    predicted = power(trial.chance, trial.expected, 0, 1, 0.7)
    assert shown / 200 == pytest.approx(predicted, abs=0.05 + 3 * np.sqrt(0.25 / 200))


def test_the_level_of_a_week_is_told_by_the_other_weeks() -> None:
    level = forecast_level(np.array([4.0, 1.0]), np.array([1.0, 2.0]), np.array([0, 1]))
    assert level.tolist() == [0.5, 4.0]
    assert forecast_level(np.ones(2), np.full(2, 4.0), np.zeros(2, dtype=int)).tolist() == [1.0, 1.0]


def test_holm_leaves_untested_pairs_out() -> None:
    assert np.isnan(holm(np.array([np.nan, 0.02]))[0])
    assert holm(np.array([np.nan, 0.02]))[1] == 0.02


def test_a_missions_number_depends_on_its_box_alone() -> None:
    few = cell_uniforms(draw_stream(7), 100, np.array([40]))
    many = cell_uniforms(draw_stream(7), 100, np.array([3, 40, 99]))
    assert few[0] == many[1]
