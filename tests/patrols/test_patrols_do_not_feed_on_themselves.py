"""Crimes that patrols find do not call for more patrols: the naive loop runs away, ours stays with what is true.

That officer-initiated rows never reach the numbers at all is tested in tests/ingestion/test_incident_table.py
(test_officer_initiated_and_inactive_are_left_out_and_calls_are_a_category_of_their_own).
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bench_feedback import BOXES_PER_AREA, LOCKED, LOOPS, NAIVE, OURS, Scenario, judged, simulate

DAYS, SETTLED = 300, 200
BOUND = 0.25
"""Two hundred missions of one box scatter by a tenth around their expectation; a loop that runs away ends at 0 or 1."""


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.35, 0.65))
def test_the_naive_loop_runs_away_and_ours_stays_near_the_true_share(seed: int, share: float) -> None:
    scenario = Scenario("any", share, 1.0 - share)
    naive = simulate(scenario, NAIVE, DAYS, seed).patrol_share(SETTLED)
    ours = simulate(scenario, OURS, DAYS, seed).patrol_share(SETTLED)
    assert max(naive, 1.0 - naive) >= LOCKED
    assert abs(ours - scenario.true_share) <= BOUND


def test_the_naive_loop_settles_on_either_of_two_equal_areas_by_chance_alone() -> None:
    scenario = Scenario("equal", 1.0, 1.0)
    ends = [simulate(scenario, NAIVE, DAYS, seed).patrol_share(SETTLED) for seed in range(12)]
    assert min(ends) <= 1 - LOCKED
    assert max(ends) >= LOCKED


def test_every_box_is_visited_even_where_nothing_was_ever_reported() -> None:
    course = simulate(Scenario("one-sided", 1.0, 0.0), OURS, DAYS, 3)
    visits = np.bincount(course.visited, minlength=2 * BOXES_PER_AREA)
    assert (visits > 0).all()
    assert course.patrol_share(SETTLED) > 0.6


def test_each_guard_alone_is_worse_than_both() -> None:
    scenario = Scenario("uneven", 0.6, 0.4)
    off = {
        loop.name: judged(scenario, [simulate(scenario, loop, DAYS, seed) for seed in range(6)])[
            "distance_from_truth_mean"
        ]
        for loop in LOOPS
    }
    assert off[OURS.name] == min(off.values())
    assert off[NAIVE.name] > 4 * off[OURS.name]


def test_what_officers_discover_changes_no_forecast_of_ours() -> None:
    scenario = Scenario("equal", 1.0, 1.0)
    many = simulate(scenario, OURS, 60, 5, discovered_per_visit=1_000.0)
    # A thousand discoveries a day in one box would leave no doubt about who has the crime.
    assert abs(many.believed[-30:] - 0.5).max() < 0.25
    assert abs(simulate(scenario, NAIVE, 60, 5, discovered_per_visit=1_000.0).believed[-1] - 0.5) > 0.45
