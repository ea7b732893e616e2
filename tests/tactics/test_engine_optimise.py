"""Proposals carry what was found to what would change, with its uncertainty, and hold back where nothing is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tactics.engine.optimise import (
    Allocation,
    Change,
    Finding,
    allocation_of,
    coverage_change,
    dose_change,
    judged,
    weights_change,
)

SHOWN = Finding(0.20, 0.08, 0.32)
UNSURE = Finding(0.12, -0.10, 0.34)


def allocations() -> tuple[Allocation, Allocation, Allocation]:
    """Now, more pulled towards harm, more spread out: the same crime under three sets of chances."""
    expected = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    now = allocation_of(np.array([0.6, 0.4, 0.25, 0.25, 0.25, 0.25]), expected, 0.40)
    hotter = allocation_of(np.array([0.7, 0.5, 0.2, 0.2, 0.2, 0.2]), expected, 0.43)
    wider = allocation_of(np.array([0.5, 0.4, 0.275, 0.275, 0.275, 0.275]), expected, 0.36)
    return now, hotter, wider


def test_coverage_is_the_share_of_expected_crime_where_missions_go() -> None:
    now, hotter, wider = allocations()
    assert now.covered == pytest.approx(0.42)
    assert hotter.covered == pytest.approx(0.46)
    assert wider.covered == pytest.approx(0.39)
    assert allocation_of(np.zeros(3), np.zeros(3), 0.0).covered == 0.0


def test_the_gain_of_more_coverage_is_the_effect_times_what_is_covered_more() -> None:
    now, hotter, wider = allocations()
    more = coverage_change(SHOWN, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    assert (more.gain.estimate, more.gain.low, more.gain.high) == pytest.approx((0.008, 0.0032, 0.0128))
    less = coverage_change(SHOWN, now, wider, field="exploration", value_from=0.15, value_to=0.2)
    # Covering less of what works loses: the interval turns round and keeps its order.
    assert (less.gain.low, less.gain.high) == pytest.approx((-0.0096, -0.0024))


def test_the_gain_of_a_coverage_change_covers_the_truth_as_often_as_promised() -> None:
    rng = np.random.default_rng(6)
    now, hotter, _ = allocations()
    truth, error, held = 0.15, 0.06, 0
    for estimate in rng.normal(truth, error, 4000):
        found = Finding(estimate, estimate - 1.96 * error, estimate + 1.96 * error)
        gain = coverage_change(found, now, hotter, field="gamma", value_from=1, value_to=1.25).gain
        held += gain.low <= truth * (hotter.covered - now.covered) <= gain.high
    assert 0.94 < held / 4000 < 0.96


def test_a_longer_dose_is_judged_inside_the_doses_that_were_drawn_only() -> None:
    now = allocations()[0]
    longer = dose_change(
        Finding(0.06, 0.02, 0.10), now, field="dose_max_minutes", value_from=16, value_to=21,
        mean_minutes_more=2.5, tested=(5, 25),
    )  # fmt: skip
    assert longer is not None
    assert longer.gain.estimate == pytest.approx(0.06 * 0.42 * 0.25)
    for tested in (None, (10, 16)):
        assert (
            dose_change(
                SHOWN, now, field="dose_max_minutes", value_from=16, value_to=21, mean_minutes_more=2.5,
                tested=tested,
            )
            is None
        )  # fmt: skip


def turn(
    better_by: Finding, weights: list[list[float]], *, tactic: int = 0, at_most: float = 10.0
) -> Change | None:
    """One step of a rule's weight; each mission holds a tenth of a hundredth of all expected crime."""
    table = np.array(weights)
    return weights_change(
        better_by, np.full(len(table), 0.001), table, tactic=tactic, now=allocations()[0], field="preference",
        value_from=float(table[:, tactic].max()), at_most=at_most,
    )  # fmt: skip


def test_weights_move_to_the_better_tactic_with_what_the_moved_missions_prevent() -> None:
    change = turn(Finding(0.30, 0.10, 0.50), [[1.0, 1.0]] * 100)
    assert change is not None
    assert (change.value_from, change.value_to) == (1.0, 1.5)
    # Chances go from 1/2 to 3/5. Of a crime under today's mix, 1 / (1 - 0.5 x 0.3) come after the others alone.
    assert change.gain.estimate == pytest.approx(0.1 * 0.1 * 0.3 / 0.85)
    assert change.gain.low == pytest.approx(0.1 * 0.1 * 0.1 / 0.95)
    assert change.gain.high == pytest.approx(0.1 * 0.1 * 0.5 / 0.75)


def test_a_worse_tactic_loses_weight_and_that_gains() -> None:
    change = turn(Finding(-0.30, -0.50, -0.10), [[1.5, 1.5]] * 100)
    assert change is not None
    assert (change.value_from, change.value_to) == (1.5, 1.0)
    assert 0 < change.gain.low < change.gain.estimate < change.gain.high
    assert judged([change])[0].verdict == "gain"
    unsure = turn(Finding(-0.30, -0.70, 0.10), [[1.5, 1.5]] * 100)
    assert unsure is not None
    assert judged([unsure])[0].verdict == "keep"


def test_no_tactic_is_pushed_below_the_floor_from_which_it_can_still_be_judged() -> None:
    assert turn(SHOWN, [[3.0, 1.0]]) is None
    assert turn(SHOWN, [[1.0, 0.0]]) is None
    assert turn(SHOWN, [[0.0, 1.0]]) is None
    assert turn(SHOWN, [[8.0, 8.0]]) is None
    assert turn(SHOWN, [[8.0, 8.0]], at_most=20.0) is not None
    # Among six no one can have a fifth: half of an even share is enough, and from there nothing more is taken.
    assert turn(SHOWN, [[1.0] * 6]) is not None
    assert turn(SHOWN, [[6.0, 1.0, 1.0, 1.0, 1.0, 1.0]]) is None
    assert turn(Finding(-0.2, -0.3, -0.1), [[1.5, 2.0, 2.0]]) is not None
    assert turn(Finding(-0.2, -0.3, -0.1), [[1.0, 3.0, 3.0]]) is None


def test_the_weights_question_neither_widens_the_others_nor_is_widened() -> None:
    now, hotter, _ = allocations()
    weights = turn(Finding(0.30, 0.10, 0.50, 0.99), [[1.0, 1.0]] * 100)
    assert weights is not None
    shown = coverage_change(SHOWN, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    found = {one.question: one for one in judged([shown, weights])}
    assert found["tactics"].gain == weights.gain
    assert found["coverage"].gain.low == pytest.approx(shown.gain.low)
    assert {one.verdict for one in found.values()} == {"gain"}


def test_a_gain_whose_interval_covers_zero_is_not_proposed() -> None:
    now, hotter, _ = allocations()
    change = coverage_change(UNSURE, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    assert [one.verdict for one in judged([replace(change, longer=1.0)])] == ["keep"]
    shown = coverage_change(SHOWN, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    assert [one.verdict for one in judged([shown])] == ["gain"]


def test_where_nothing_is_shown_a_change_that_learns_sooner_is_proposed_to_learn_from() -> None:
    now, hotter, wider = allocations()
    tried = [
        coverage_change(UNSURE, now, hotter, field="gamma", value_from=1.0, value_to=1.25),
        coverage_change(UNSURE, now, wider, field="exploration", value_from=0.15, value_to=0.2),
    ]
    found = {one.field: one for one in judged(tried)}
    learns = [one for one in found.values() if one.verdict == "learn"]
    assert len(learns) == 1
    assert learns[0].longer == min(one.longer for one in tried) < 1.0
    # The same step known to lose is no way to learn.
    lost = replace(learns[0], gain=Finding(-0.01, -0.02, -0.005))
    assert [one.verdict for one in judged([lost])] == ["keep"]


def test_several_questions_asked_of_one_study_share_its_five_per_cent() -> None:
    now, hotter, _ = allocations()
    narrow = Finding(0.20, 0.005, 0.395)
    alone = coverage_change(narrow, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    dose = dose_change(
        Finding(0.01, -0.05, 0.07), now, field="dose_max_minutes", value_from=16, value_to=18,
        mean_minutes_more=1.0, tested=(5, 25),
    )  # fmt: skip
    assert dose is not None
    assert judged([alone])[0].verdict == "gain"
    assert {one.verdict for one in judged([alone, dose]) if one.question == "dose"} == {"keep"}
    assert next(one for one in judged([alone, dose]) if one.question == "coverage").gain.low < 0


def test_under_no_effect_anything_is_proposed_for_its_gain_in_at_most_five_of_a_hundred_studies() -> None:
    rng = np.random.default_rng(12)
    now, hotter, wider = allocations()
    proposed = 0
    for _ in range(2000):
        z = rng.normal(size=3) * 0.1
        found = [Finding(float(x), float(x) - 0.196, float(x) + 0.196) for x in z]
        changes = [
            coverage_change(found[0], now, hotter, field="gamma", value_from=1, value_to=1.25),
            coverage_change(found[0], now, wider, field="exploration", value_from=0.15, value_to=0.2),
            dose_change(
                found[1], now, field="dose_max_minutes", value_from=16, value_to=18, mean_minutes_more=1,
                tested=(5, 25),
            ),
            dose_change(
                found[1], now, field="dose_max_minutes", value_from=16, value_to=14, mean_minutes_more=-1,
                tested=(5, 25),
            ),
        ]  # fmt: skip
        proposed += any(one.verdict == "gain" for one in judged([one for one in changes if one]))
    assert proposed / 2000 < 0.065


def test_a_gain_that_lets_missions_be_guessed_is_not_proposed() -> None:
    now, hotter, _ = allocations()
    plain = replace(hotter, predictability=now.predictability + 0.2)
    change = coverage_change(SHOWN, now, plain, field="gamma", value_from=1.0, value_to=2.0)
    assert judged([change])[0].verdict == "keep"
    assert judged([change], guess_more_at_most=0.3)[0].verdict == "gain"


def test_a_study_without_an_interval_proposes_nothing_for_its_gain() -> None:
    now, hotter, _ = allocations()
    unknown = Finding(0.2, np.nan, np.nan)
    change = coverage_change(unknown, now, hotter, field="gamma", value_from=1.0, value_to=1.25)
    assert judged([replace(change, longer=1.0)])[0].verdict == "keep"
