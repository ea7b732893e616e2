"""Visits are metered: within the shift, apart, of the policy's length, one unit a box, never beyond the rolling dose."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.design import DesignPolicy
from patrols.engine.plan import plan_draw
from patrols.engine.records import EXCLUSION_REASONS

SIDE = 8


def town(seed, minutes=None, days=None, k=3, units=1, added=None, policy=None):
    n = SIDE * SIDE
    x_m, y_m = (part.ravel() * 250.0 for part in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    return plan_draw(
        harm=np.random.default_rng(9).gamma(0.4, 1.0, n),
        beat_of_cell=(np.arange(n) // 32).astype(np.int64),
        beat_k={0: k, 1: k},
        beat_units={0: units, 1: units},
        suppressed=np.zeros(n, dtype=bool),
        planned_minutes=np.zeros(n) if minutes is None else minutes,
        days_since_last=np.full(n, np.inf) if days is None else days,
        x_m=x_m,
        y_m=y_m,
        shift_minutes=480,
        policy=policy or DesignPolicy(),
        seed=seed,
        added=added,
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 8), units=st.integers(1, 4))
def test_every_visit_lies_in_the_shift_lasts_ten_to_sixteen_minutes_and_keeps_its_spacing(seed, k, units):
    plan = town(seed, k=k, units=units)
    starts = plan.visit_start_minutes[plan.drawn]
    dose = plan.dose_minutes[plan.drawn][:, None]
    assert np.nanmin(starts) >= 0
    assert np.nanmax(starts + dose) <= 480
    assert ((dose >= 10) & (dose <= 16)).all()
    gaps = np.diff(starts, axis=1)
    assert (gaps[np.isfinite(gaps)] >= 60).all()
    # A box is drawn once: one mission, one unit, never two in it at once.
    assert len(np.unique(plan.cell[plan.drawn])) == 2 * k


def test_three_visits_are_the_rule_where_capacity_allows_them():
    assert (town(1).beat_visits == 3).all()


def test_no_box_passes_its_rolling_dose_however_long_it_goes_on():
    policy = DesignPolicy(
        saturation_soft_minutes=60.0,
        saturation_hard_minutes=150.0,
        cooldown_days=0.0,
        saturation_window_days=7.0,
    )
    history = []
    for shift in range(120):
        minutes = np.zeros(SIDE * SIDE)
        for cells, spent in history[-21:]:
            minutes[cells] += spent
        assert minutes.max() <= 150
        plan = town(shift, minutes=minutes, policy=policy)
        rows = plan.drawn_rows
        visits = np.isfinite(plan.visit_start_minutes[rows]).sum(axis=1)
        history.append((plan.cell[rows], plan.dose_minutes[rows] * visits))
    assert sum(len(cells) for cells, _ in history) > 300


def test_added_cells_are_taken_out_with_their_own_reason_and_suppression_goes_first():
    added = np.zeros(SIDE * SIDE, dtype=bool)
    added[[0, 5]] = True
    plan = town(1, added=added)
    assert plan.excluded_cell.tolist() == [0, 5]
    assert {EXCLUSION_REASONS[code] for code in plan.excluded_reason} == {"added"}
    assert not np.isin([0, 5], plan.cell).any()
