"""Curves of the time until the next crime agree with independent code, weigh both arms alike, and say what is biased."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from forecasting.engine.grid import GridSpec
from patrols.engine.plan import DesignPolicy, plan_draw
from tactics.engine.impact import CrimeEvents, OutcomeWindow, ShiftDraw, StudyError, build_study
from tactics.engine.survival import Watch, fair_curves, first_crimes, incidence, visit_curves, watch_of

AT = np.array([0.0, 30.0, 60.0, 120.0, 240.0, 480.0])


def test_the_first_crime_in_a_box_is_the_one_that_a_person_with_a_pencil_would_find() -> None:
    rng = np.random.default_rng(3)
    n, events = 400, 900
    cell = rng.integers(0, 12, n)
    opens = rng.integers(0, 5000, n).astype(float)
    closes = opens + rng.integers(0, 480, n)
    where, when = rng.integers(-1, 12, events), rng.integers(-50, 6000, events).astype(float)
    minutes, seen = first_crimes(cell=cell, opens_at=opens, closes_at=closes, event_cell=where, event_at=when)
    for row in range(n):
        inside = when[(where == cell[row]) & (when >= opens[row]) & (when < closes[row])]
        assert seen[row] == (len(inside) > 0)
        assert minutes[row] == pytest.approx(
            inside.min() - opens[row] if len(inside) else closes[row] - opens[row], abs=1e-3
        )
    assert seen.any()
    assert not seen.all()


def test_without_crimes_every_box_is_watched_to_the_end() -> None:
    none = np.zeros(0)
    minutes, seen = first_crimes(
        cell=np.array([1, 2]), opens_at=np.array([0.0, 5.0]), closes_at=np.array([60.0, 5.0]),
        event_cell=none.astype(np.int64), event_at=none,
    )  # fmt: skip
    assert minutes.tolist() == [60.0, 0.0]
    assert not seen.any()


@pytest.mark.parametrize("seed", range(4))
def test_curve_and_standard_error_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 300
    true, end = rng.exponential(300, n), rng.choice([90.0, 240.0, 480.0], n)
    minutes, seen = np.ceil(np.minimum(true, end)), true < end
    theirs = SurvfuncRight(minutes, seen.astype(int))
    at = theirs.surv_times.astype(float)
    ours = incidence(minutes, seen, at_minutes=at)
    np.testing.assert_allclose(1.0 - ours.share, theirs.surv_prob, atol=1e-12)
    # Their interval on the scale of log(-log S), from Greenwood's standard error.
    log_s = np.log(theirs.surv_prob)
    half = 1.959963984540054 * theirs.surv_prob_se / (theirs.surv_prob * np.abs(log_s))
    np.testing.assert_allclose(1.0 - ours.low, np.exp(log_s * np.exp(-half)), atol=1e-9)
    np.testing.assert_allclose(1.0 - ours.high, np.exp(log_s * np.exp(half)), atol=1e-9)


def test_a_weight_of_two_counts_as_two_like_boxes() -> None:
    rng = np.random.default_rng(9)
    minutes, seen = rng.integers(1, 60, 80).astype(float), rng.random(80) < 0.4
    twice = rng.integers(1, 4, 80)
    theirs = SurvfuncRight(minutes, seen.astype(int), freq_weights=twice)
    ours = incidence(minutes, seen, at_minutes=theirs.surv_times.astype(float), weight=twice.astype(float))
    np.testing.assert_allclose(1.0 - ours.share, theirs.surv_prob, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_curves_rise_stay_between_nought_and_one_and_lie_in_their_band(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    curve = incidence(
        rng.integers(0, 480, n).astype(float), rng.random(n) < rng.random(), at_minutes=AT,
        weight=rng.random(n) * 3, plan=rng.integers(0, 7, n),
    )  # fmt: skip
    assert (np.diff(curve.share) >= -1e-12).all()
    assert ((curve.low <= curve.share + 1e-9) & (curve.share <= curve.high + 1e-9)).all()
    assert (curve.low >= 0).all()
    assert (curve.high <= 1).all()


def test_no_crime_yet_is_no_certainty() -> None:
    curve = incidence(np.full(60, 480.0), np.zeros(60, dtype=bool), at_minutes=AT)
    assert curve.share.tolist() == [0.0] * len(AT)
    assert curve.high.tolist() == pytest.approx([3 / 60] * len(AT))


def test_boxes_of_one_plan_that_share_their_luck_widen_the_band() -> None:
    rng = np.random.default_rng(5)
    bad_night = np.repeat(rng.random(40) < 0.5, 20)
    minutes, seen = np.where(bad_night, 30.0, 480.0), bad_night
    alone = incidence(minutes, seen, at_minutes=AT)
    together = incidence(minutes, seen, at_minutes=AT, plan=np.repeat(np.arange(40), 20))
    assert (together.high - together.low)[2] > 3 * (alone.high - alone.low)[2]


def _city(effect: float, seed: int, n: int = 60_000) -> tuple[Watch, np.ndarray, np.ndarray]:
    """Boxes drawn mostly where crime is; missions take ``effect`` of it from their drawn start."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.5, 0.4, n)
    pi = np.clip(rate / rate.mean() * 0.3, 0.03, 0.9)
    drawn = rng.random(n) < pi
    cell, opens = np.arange(n), rng.uniform(0, 240, n)
    happens = rng.random(n) < -np.expm1(-rate * np.where(drawn, 1.0 - effect, 1.0))
    watch = Watch(cell, opens, opens + 240.0, pi, drawn, np.arange(n) // 30)
    return watch, cell[happens], (opens + rng.uniform(0, 240, n))[happens]


def test_without_an_effect_both_fair_curves_are_the_same_though_drawn_boxes_are_the_worst() -> None:
    watch, where, when = _city(0.0, seed=1)
    at = np.array([60.0, 239.0])
    drawn, others = fair_curves(watch, event_cell=where, event_at=when, at_minutes=at)
    spread = (drawn.high - drawn.low) / 3.92 + (others.high - others.low) / 3.92
    assert (np.abs(drawn.share - others.share) < 3 * spread).all()
    minutes, seen = first_crimes(
        cell=watch.cell, opens_at=watch.opens_at, closes_at=watch.closes_at, event_cell=where, event_at=when
    )
    raw = incidence(minutes[~watch.drawn], seen[~watch.drawn], at_minutes=at)
    # Without the design's weights the boxes left alone look far safer.
    assert raw.share[1] < 0.6 * drawn.share[1]


def test_with_an_effect_the_drawn_boxes_curve_lies_below() -> None:
    watch, where, when = _city(0.5, seed=2)
    drawn, others = fair_curves(watch, event_cell=where, event_at=when, at_minutes=np.array([239.0]))
    assert drawn.high[0] < others.low[0]


def test_stays_cut_short_by_crime_make_long_stays_look_good_though_cars_do_nothing() -> None:
    rng = np.random.default_rng(4)
    n = 20_000
    crime = rng.exponential(60, n)
    # A car means to stay 20 minutes and leaves at once for the crime that happens meanwhile.
    stayed = np.minimum(20.0, np.maximum(crime - 1.0, 0.0))
    curves = visit_curves(
        cell=np.arange(n), arrived_at=np.zeros(n), stayed_minutes=stayed, closes_at=np.full(n, 60.0),
        event_cell=np.arange(n), event_at=crime, at_minutes=np.array([30.0]),
    )  # fmt: skip
    assert [curve.name for curve in curves] == [
        "under 5 min", "5 to 10 min", "10 to 15 min", "15 min and longer",
    ]  # fmt: skip
    assert sum(curve.boxes for curve in curves) == n
    assert curves[0].share[0] == 1.0
    assert curves[-1].share[0] < 0.4


def test_stays_go_to_the_bin_that_begins_with_them_and_empty_bins_are_left_out() -> None:
    curves = visit_curves(
        cell=np.arange(3), arrived_at=np.zeros(3), stayed_minutes=np.array([5.0, 15.0, 90.0]),
        closes_at=np.full(3, 60.0), event_cell=np.array([0]), event_at=np.array([12.0]), at_minutes=AT,
    )  # fmt: skip
    assert [(curve.name, curve.boxes, curve.crimes) for curve in curves] == [
        ("5 to 10 min", 1, 1),
        ("15 min and longer", 2, 0),
    ]


def _shift(start: float, seed: int) -> ShiftDraw:
    n = 30
    draw = plan_draw(
        harm=np.ones(n), beat_of_cell=np.arange(n) // 10, beat_k={0: 2, 1: 2, 2: 2},
        suppressed=np.zeros(n, dtype=bool), planned_minutes=np.zeros(n), days_since_last=np.full(n, np.inf),
        x_m=np.arange(n) * 250.0, y_m=np.zeros(n), shift_minutes=480, policy=DesignPolicy(), seed=seed,
    )  # fmt: skip
    return ShiftDraw(start, draw, np.full(n, 0.1))


def test_the_watch_starts_with_the_drawn_visit_and_ends_where_the_next_shift_is_drawn() -> None:
    shifts = [_shift(0.0, 1), _shift(480.0, 2)]
    watch = _watched(shifts, OutcomeWindow(minutes=480.0))
    first = np.arange(len(shifts[0].draw))
    np.testing.assert_array_equal(watch.opens_at[first], shifts[0].draw.visit_start_minutes[:, 0])
    assert (watch.closes_at[first] == 480.0).all()
    assert len(np.unique(watch.plan)) == 6
    longer = _watched(shifts, OutcomeWindow(minutes=480.0, stop_at_next_draw=False))
    assert (longer.closes_at[first] == longer.opens_at[first] + 480.0).all()


def _watched(shifts: list[ShiftDraw], window: OutcomeWindow) -> Watch:
    grid = GridSpec(32615, 0.0, 0.0, 250.0, 1, 30, np.arange(30))
    nothing = CrimeEvents(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    study = build_study(grid=grid, shifts=shifts, events=nothing, window=window)
    return watch_of(study, np.array([one.starts_at_minute for one in shifts]))


def test_an_arm_without_a_box_is_said_in_words() -> None:
    one = Watch(
        np.array([1]), np.array([0.0]), np.array([60.0]), np.array([0.5]), np.array([True]), np.array([0])
    )
    nothing = np.zeros(0)
    with pytest.raises(StudyError, match="nothing to compare"):
        fair_curves(one, event_cell=nothing.astype(np.int64), event_at=nothing, at_minutes=AT)
