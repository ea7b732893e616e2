"""Start times keep their spacing, fit the shift, and are alike for boxes that were drawn and boxes that were not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.design import DesignPolicy
from patrols.engine.plan import plan_draw
from patrols.engine.schedule import dose_minutes, start_minutes, timetable


def starts_of(*, k, n, units=1, shift_minutes=480, policy=None, seed=0):
    policy = policy or DesignPolicy()
    rng = np.random.default_rng(seed)
    table = timetable(k=k, units=units, shift_minutes=shift_minutes, policy=policy)
    drawn = np.zeros(n, dtype=bool)
    drawn[rng.choice(n, k, replace=False)] = True
    starts = start_minutes(drawn=drawn, table=table, visits_per_cell=policy.visits_per_cell, rng=rng)
    return table, drawn, starts


@settings(max_examples=150, deadline=None)
@given(
    k=st.integers(1, 30),
    units=st.integers(1, 9),
    shift_minutes=st.integers(16, 1500),
    visits=st.integers(1, 4),
    spacing=st.integers(0, 200),
    seed=st.integers(0, 999),
)
def test_visits_fit_the_shift_keep_their_spacing_and_never_need_more_units_than_there_are(
    k, units, shift_minutes, visits, spacing, seed
):
    policy = DesignPolicy(visits_per_cell=visits, min_spacing_minutes=spacing)
    table, drawn, starts = starts_of(
        k=k, n=40, units=units, shift_minutes=shift_minutes, policy=policy, seed=seed
    )
    present = starts[:, : table.visits]
    assert np.isfinite(present).all()
    assert np.isnan(starts[:, table.visits :]).all()
    assert present.min() >= 0
    assert (present + policy.dose_max_minutes).max() <= shift_minutes
    assert (present == np.rint(present)).all()
    if table.visits > 1:
        assert (np.diff(present, axis=1) >= max(spacing, 21)).all()
    mine = present[drawn]
    mine = mine[np.lexsort(mine.T[::-1])]
    for unit in range(units):
        # Missions go to units by turns, in order of first start, then of second, and so on.
        starts_of_unit = np.sort(mine[unit::units].ravel())
        assert table.is_tight or (np.diff(starts_of_unit) >= 21).all()


def test_three_missions_of_three_visits_fit_one_unit_and_an_eight_hour_shift():
    table, _, _ = starts_of(k=3, n=30)
    assert (table.visits, table.is_tight) == (3, False)


def test_visits_are_reduced_where_capacity_does_not_allow_them():
    table, _, starts = starts_of(k=10, n=30)
    assert table.visits == 2
    assert np.isnan(starts[:, 2]).all()
    more_units, _, _ = starts_of(k=10, n=30, units=2)
    assert more_units.visits == 3


def test_a_shift_shorter_than_one_dose_has_no_timetable():
    assert timetable(k=1, units=1, shift_minutes=15, policy=DesignPolicy()) is None


def test_the_clock_is_alike_for_drawn_and_other_boxes():
    drawn_starts, other_starts = [], []
    for seed in range(3000):
        _, drawn, starts = starts_of(k=3, n=12, seed=seed)
        drawn_starts.append(starts[drawn][0])
        other_starts.append(starts[~drawn][0])
    a, b = np.array(drawn_starts), np.array(other_starts)
    # Two-sample Kolmogorov-Smirnov per visit; 0.1 % critical value.
    for visit in range(3):
        grid = np.arange(480)
        gap = np.abs(
            np.searchsorted(np.sort(a[:, visit]), grid) - np.searchsorted(np.sort(b[:, visit]), grid)
        ).max()
        assert gap / 3000 < 1.95 * np.sqrt(2 / 3000)


def test_doses_are_whole_minutes_spread_evenly_over_the_policys_range():
    dose = dose_minutes(n=70_000, policy=DesignPolicy(), rng=np.random.default_rng(0))
    values, counts = np.unique(dose, return_counts=True)
    assert values.tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert (np.abs(counts - 10_000) < 4 * np.sqrt(70_000 * (1 / 7) * (6 / 7))).all()


def test_a_single_dose_length_is_allowed():
    policy = DesignPolicy(dose_min_minutes=12, dose_max_minutes=12)
    assert (dose_minutes(n=5, policy=policy, rng=np.random.default_rng(0)) == 12).all()


@pytest.mark.parametrize(
    ("k", "units", "code"), [(10, 1, "visits_reduced"), (25, 1, "units_overlap"), (10, 2, None)]
)
def test_a_plan_says_when_visits_were_reduced_or_units_overlap(k, units, code):
    n = 64
    x_m, y_m = np.meshgrid(np.arange(8) * 250.0, np.arange(8) * 250.0)
    plan = plan_draw(
        harm=np.ones(n),
        beat_of_cell=np.full(n, 5),
        beat_k={5: k},
        beat_units={5: units},
        suppressed=np.zeros(n, dtype=bool),
        planned_minutes=np.zeros(n),
        days_since_last=np.full(n, np.inf),
        x_m=x_m.ravel(),
        y_m=y_m.ravel(),
        shift_minutes=480,
        policy=DesignPolicy(),
        seed=1,
    )
    assert [notice.code for notice in plan.notices] == ([code] if code else [])
    assert plan.drawn.sum() == k
