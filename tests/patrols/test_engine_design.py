"""A beat's probabilities add up to K, keep their floors and caps, and follow harm."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.design import (
    BeatDesign,
    DesignPolicy,
    Infeasible,
    beat_design,
    caps,
    has_dose_room,
    inclusion_probabilities,
)

POLICY = DesignPolicy()


def design_of(harm, k, *, policy=POLICY, suppressed=None, planned=None, days=None, beat=7):
    n = len(harm)
    return beat_design(
        beat=beat,
        k=k,
        harm=np.asarray(harm, dtype=np.float64),
        suppressed=np.zeros(n, dtype=bool) if suppressed is None else np.asarray(suppressed),
        planned_minutes=np.zeros(n) if planned is None else np.asarray(planned, dtype=np.float64),
        days_since_last=np.full(n, np.inf) if days is None else np.asarray(days, dtype=np.float64),
        policy=policy,
    )


harms = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-12, 1e6), st.sampled_from([1.0, 2.0])), min_size=1, max_size=60
)
policies = st.builds(
    DesignPolicy,
    gamma=st.sampled_from([0.0, 0.5, 1.0, 2.0, 30.0]),
    exploration=st.floats(0, 1),
    cap_max=st.floats(0.05, 0.9),
    cooldown_days=st.sampled_from([0.0, 2.0]),
    cooldown_factor=st.floats(0, 1),
)


@settings(max_examples=150, deadline=None)
@given(harm=harms, k=st.integers(0, 40), policy=policies, data=st.data())
def test_probabilities_add_up_to_k_between_floor_and_cap_or_a_setting_is_named(harm, k, policy, data):
    n = len(harm)
    suppressed = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    planned = np.array(data.draw(st.lists(st.floats(0, 600), min_size=n, max_size=n)))
    days = np.array(data.draw(st.lists(st.one_of(st.floats(0, 9), st.just(np.inf)), min_size=n, max_size=n)))
    found = design_of(harm, k, policy=policy, suppressed=suppressed, planned=planned, days=days)
    if isinstance(found, Infeasible):
        assert found.setting
        assert found.message.startswith("Beat 7")
        return
    assert abs(found.pi.sum() - k) <= 1e-9
    assert (found.floor <= found.pi).all()
    assert (found.pi <= found.cap).all()
    assert (found.cap <= 0.9).all()
    assert not suppressed[found.candidate].any()
    assert has_dose_room(planned[found.candidate], policy).all()


@settings(max_examples=100, deadline=None)
@given(harm=harms, k=st.integers(1, 10), policy=policies)
def test_more_harm_never_means_a_lower_probability_where_caps_are_equal(harm, k, policy):
    found = design_of(harm, k, policy=policy)
    if isinstance(found, BeatDesign):
        ordered = found.pi[np.argsort(np.asarray(harm), kind="stable")]
        assert (np.diff(ordered) >= -1e-12).all()


@settings(max_examples=60, deadline=None)
@given(harm=harms, k=st.integers(1, 6), scale=st.sampled_from([1e-9, 0.3, 1e9]))
def test_only_ratios_of_harm_count(harm, k, scale):
    one, other = design_of(harm, k), design_of(np.asarray(harm) * scale, k)
    if isinstance(one, BeatDesign):
        np.testing.assert_allclose(one.pi, other.pi, rtol=1e-9)


def test_probabilities_follow_the_formula_when_no_cap_binds():
    harm = np.array([5.0, 3.0, 1.0, 1.0, 0.0, 2.0])
    found = design_of(harm, 1)
    floor = 0.15 / 6
    np.testing.assert_allclose(found.pi, floor + 0.85 * harm / harm.sum(), rtol=1e-12)


def test_gamma_sharpens_and_zero_gamma_spreads_evenly():
    harm = [4.0, 2.0, 1.0, 1.0]
    even = design_of(harm, 1, policy=replace(POLICY, gamma=0.0))
    plain = design_of(harm, 1)
    sharp = design_of(harm, 1, policy=replace(POLICY, gamma=2.0))
    np.testing.assert_allclose(even.pi, 0.25)
    assert sharp.pi[0] > plain.pi[0] > even.pi[0]


def test_no_harm_anywhere_gives_an_even_spread():
    np.testing.assert_allclose(design_of(np.zeros(12), 3).pi, 0.25)


def test_when_all_harmful_boxes_are_at_their_caps_the_rest_is_spread_evenly():
    found = design_of([9.0, 5.0, 0, 0, 0, 0], 3)
    np.testing.assert_allclose(found.pi, [0.9, 0.9, 0.3, 0.3, 0.3, 0.3])


def test_full_exploration_ignores_harm():
    found = design_of([9.0, 5.0, 0, 0, 0, 0], 3, policy=replace(POLICY, exploration=1.0))
    np.testing.assert_allclose(found.pi, 0.5)


@settings(max_examples=60, deadline=None)
@given(
    weight=st.lists(st.floats(1e-150, 1e150), min_size=2, max_size=30),
    data=st.data(),
)
def test_the_exact_solution_agrees_with_bisection(weight, data):
    n = len(weight)
    w = np.array(weight) / max(weight)
    cap = np.array(data.draw(st.lists(st.floats(0.3, 0.9), min_size=n, max_size=n)))
    k = data.draw(st.integers(0, int(cap.sum())))
    floor = min(0.01, k / n)
    pi = inclusion_probabilities(weight=w, floor=floor, cap=cap, k=k)
    low, high = -400.0, 400.0
    for _ in range(200):
        middle = (low + high) / 2
        total = np.minimum(cap, floor + np.exp(middle * np.log(10)) * w).sum() if middle < 300 else np.inf
        low, high = (middle, high) if total < k else (low, middle)
    with np.errstate(over="ignore"):
        expected = np.minimum(cap, floor + 10.0 ** min(low, 300.0) * w)
    assert abs(pi.sum() - k) <= 1e-9
    if abs(expected.sum() - k) < 1e-6:
        np.testing.assert_allclose(pi, expected, atol=1e-6)


def test_a_recent_mission_lowers_the_cap_and_time_restores_it_evenly():
    days = np.array([0.0, 0.5, 1.0, 2.0, 10.0, np.inf])
    cap = caps(floor=0.1, planned_minutes=np.zeros(6), days_since_last=days, policy=POLICY)
    np.testing.assert_allclose(cap, 0.1 + 0.8 * np.array([0.5, 0.625, 0.75, 1, 1, 1]))


def test_without_cooldown_days_a_recent_mission_changes_nothing():
    cap = caps(
        floor=0.1,
        planned_minutes=np.zeros(1),
        days_since_last=np.zeros(1),
        policy=replace(POLICY, cooldown_days=0.0),
    )
    np.testing.assert_allclose(cap, 0.9)


def test_planned_minutes_lower_the_cap_without_a_jump_and_never_below_the_floor():
    planned = np.linspace(0, 480 - 48, 2000)
    cap = caps(floor=0.05, planned_minutes=planned, days_since_last=np.full(2000, np.inf), policy=POLICY)
    assert cap[0] == pytest.approx(0.9)
    assert cap[-1] == pytest.approx(0.05)
    assert (np.diff(cap) <= 0).all()
    assert np.abs(np.diff(cap)).max() < 0.002


def test_a_box_without_room_for_one_more_full_mission_is_no_candidate():
    found = design_of(np.ones(5), 1, planned=[0, 0, 432, 433, 480])
    assert found.candidate.tolist() == [0, 1, 2]


def test_tiny_and_huge_harms_side_by_side_stay_finite():
    found = design_of([1e-300, 1e300, 1.0, 0.0], 1, policy=replace(POLICY, gamma=50.0))
    assert np.isfinite(found.pi).all()
    assert found.pi.sum() == pytest.approx(1, abs=1e-9)


ONES = np.ones(10)


@pytest.mark.parametrize(
    ("found", "code", "setting", "words"),
    [
        (design_of([], 2), "no_cell", "beat boundary", "holds no grid cell"),
        (design_of(ONES, 0), "zero_capacity", "capacity", "Put a unit on duty"),
        (design_of(ONES, 2, suppressed=ONES > 0), "all_suppressed", "suppressions", "End a suppression"),
        (design_of(ONES, 2, planned=ONES * 470), "all_saturated", "saturation_hard_minutes", "Raise the"),
        (
            design_of(ONES, 2, suppressed=np.arange(10) < 5, planned=ONES * 470),
            "no_candidate",
            "saturation_hard_minutes",
            "5 of 10",
        ),
        (design_of(ONES, 10), "cap_below_need", "cap_max", "to 9 in all"),
        (design_of(ONES, 9, suppressed=np.arange(10) < 1), "cap_below_need", "cap_max", "until 10 cells"),
        (design_of([1.0], 1), "cap_below_need", "cap_max", "to 0 in all"),
        (
            design_of(ONES, 9, policy=replace(POLICY, exploration=1.0, cap_max=0.5)),
            "floor_above_cap",
            "exploration",
            "above cap_max = 0.5",
        ),
        (design_of(ONES, 6, days=ONES * 0), "cooldown_too_strong", "cooldown_factor", "not lowered silently"),
        (
            design_of(ONES, 6, planned=ONES * 400),
            "saturation_too_strong",
            "saturation_soft_minutes",
            "not lowered",
        ),
    ],
)
def test_a_beat_that_cannot_be_planned_names_the_setting_and_the_next_step(found, code, setting, words):
    assert isinstance(found, Infeasible)
    assert (found.code, found.setting) == (code, setting)
    assert words in found.message


def test_k_at_the_very_limit_of_the_caps_is_planned():
    np.testing.assert_allclose(design_of(np.arange(10.0), 9).pi, 0.9)


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"gamma": -1.0}, "gamma"),
        ({"gamma": float("nan")}, "gamma"),
        ({"exploration": 1.5}, "exploration"),
        ({"cap_max": 0.95}, "cap_max"),
        ({"cap_max": 0.0}, "cap_max"),
        ({"cooldown_factor": 2.0}, "cooldown_factor"),
        ({"local_pivotal_share": 1.1}, "local_pivotal_share"),
        ({"visits_per_cell": 0}, "visits_per_cell"),
        ({"dose_min_minutes": 0}, "dose_min_minutes"),
        ({"dose_min_minutes": 17}, "dose_max_minutes"),
        ({"saturation_soft_minutes": 450.0}, "saturation_hard_minutes"),
    ],
)
def test_a_policy_out_of_range_names_its_setting(change, setting):
    assert setting in [problem.setting for problem in replace(POLICY, **change).problems()]


def test_the_default_policy_is_sound():
    assert POLICY.problems() == ()
