"""The figures beside a plan: coverage, price of chance, guessability, spread, distance of what was done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.design import DesignPolicy, inclusion_probabilities
from patrols.engine.oversight import (
    entropy_bits,
    expected_harm_covered,
    gini,
    harm_share,
    low_risk_share,
    overridden_probabilities,
    override_meter,
    plan_oversight,
    predictability,
    price_of_randomisation,
    top_k_harm,
    total_variation,
)
from patrols.engine.plan import plan_draw

HARM = np.array([8.0, 4.0, 2.0, 1.0, 1.0, 0.0])
ONE_BEAT = np.zeros(6, dtype=np.int64)


def design(k=2, **policy):
    dials = DesignPolicy(**policy)
    return inclusion_probabilities(
        weight=HARM**dials.gamma, floor=dials.exploration * k / 6, cap=np.full(6, dials.cap_max), k=k
    )


def test_the_override_meter_reads_nought_as_drawn_and_one_when_nothing_of_it_was_done():
    drawn = np.array([True, True, False, False])
    assert override_meter(drawn, drawn) == 0
    assert override_meter(drawn, ~drawn) == 1
    assert override_meter(drawn, np.array([True, False, True, False])) == 0.5
    assert override_meter(drawn, np.zeros(4, dtype=bool)) == 1
    assert override_meter(np.zeros(4, dtype=bool), np.zeros(4, dtype=bool)) == 0


@settings(max_examples=50, deadline=None)
@given(
    a=st.lists(st.floats(0, 10), min_size=5, max_size=5), b=st.lists(st.floats(0, 10), min_size=5, max_size=5)
)
def test_total_variation_is_a_symmetric_distance_between_nought_and_one(a, b):
    one, other = total_variation(np.array(a), np.array(b)), total_variation(np.array(b), np.array(a))
    assert one == pytest.approx(other)
    assert -1e-12 <= one <= 1 + 1e-12


def test_overrides_move_the_design_as_far_as_the_chances_they_replace():
    pi = np.array([0.5, 0.5, 0.5, 0.5])
    left = overridden_probabilities(
        pi, added=np.array([1, 0, 0, 0], dtype=bool), suppressed=np.array([0, 1, 0, 0], dtype=bool)
    )
    assert left.tolist() == [1.0, 0.0, 0.5, 0.5]
    assert total_variation(pi, left) == pytest.approx(0.25)


def test_harm_covered_is_probability_times_harm():
    pi = np.array([0.9, 0.5, 0.3, 0.1, 0.1, 0.1])
    assert expected_harm_covered(HARM, pi) == pytest.approx(7.2 + 2.0 + 0.6 + 0.1 + 0.1)
    assert harm_share(HARM, pi) == pytest.approx(10.0 / 16)
    assert harm_share(np.zeros(6), pi) == 0


def test_the_worst_k_boxes_are_taken_beat_by_beat():
    harm = np.array([5.0, 4.0, 3.0, 9.0, 1.0])
    beat = np.array([1, 1, 1, 2, 2])
    assert top_k_harm(harm, beat, {1: 2, 2: 1}) == 18.0
    assert top_k_harm(harm, beat, {1: 0, 2: 2}) == 10.0


def test_more_exploration_costs_more_and_is_harder_to_guess():
    little, much = design(exploration=0.05), design(exploration=0.8)
    price = [price_of_randomisation(HARM, pi, ONE_BEAT, {0: 2}) for pi in (little, much)]
    guess = [predictability(pi, ONE_BEAT, {0: 2}) for pi in (little, much)]
    assert 0 < price[0] < price[1] < 1
    assert guess[0] > guess[1] > 2 / 6
    assert entropy_bits(little) < entropy_bits(much)
    assert price_of_randomisation(np.zeros(6), little, ONE_BEAT, {0: 2}) == 0


def test_entropy_is_one_bit_a_box_at_even_odds_and_nought_for_certainty():
    assert entropy_bits(np.full(8, 0.5)) == pytest.approx(8)
    assert entropy_bits(np.array([0.0, 1.0])) == 0


def test_the_low_risk_share_is_half_when_harm_plays_no_part():
    assert low_risk_share(HARM, np.full(6, 1 / 3)) == pytest.approx(0.5)
    assert low_risk_share(np.ones(7), np.arange(7.0)) == pytest.approx(0.5)
    assert low_risk_share(np.arange(5.0), np.ones(5)) == pytest.approx(0.5)
    assert low_risk_share(HARM, np.zeros(6)) == 0


def test_the_low_risk_share_counts_visits_to_the_lower_half():
    assert low_risk_share(HARM, np.array([1.0, 1, 1, 0, 0, 1])) == pytest.approx(0.25)


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(range(6)))
def test_the_order_of_boxes_does_not_change_the_low_risk_share(order):
    pi, order = design(), np.array(order)
    assert low_risk_share(HARM[order], pi[order]) == pytest.approx(low_risk_share(HARM, pi))


def test_gini_is_nought_when_all_alike_and_grows_with_concentration():
    assert gini(np.full(9, 3.0)) == pytest.approx(0)
    assert gini(np.array([1.0, 0, 0, 0])) == pytest.approx(0.75)
    assert gini(np.zeros(4)) == 0


def test_a_plans_figures_agree_with_their_parts():
    n = 36
    rng = np.random.default_rng(0)
    x_m, y_m = np.meshgrid(np.arange(6) * 250.0, np.arange(6) * 250.0)
    plan = plan_draw(
        harm=rng.gamma(0.5, 1.0, n),
        beat_of_cell=np.repeat([1, 2], 18),
        beat_k={1: 2, 2: 3},
        suppressed=np.zeros(n, dtype=bool),
        planned_minutes=np.zeros(n),
        days_since_last=np.full(n, np.inf),
        x_m=x_m.ravel(),
        y_m=y_m.ravel(),
        shift_minutes=480,
        policy=DesignPolicy(),
        seed=3,
    )
    seen = plan_oversight(plan)
    assert (seen.missions, seen.candidates) == (5, 36)
    assert seen.harm_covered == pytest.approx(seen.harm_share * seen.harm_of_candidates)
    assert seen.harm_covered_by_draw == pytest.approx(plan.harm[plan.drawn_rows].sum())
    assert 0 < seen.price_of_randomisation < 1
    # Exploration alone sends half of its 15 % to the lower half.
    assert seen.low_risk_share >= 0.075
