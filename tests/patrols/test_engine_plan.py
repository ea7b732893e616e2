"""A shift's plan: the same from the same seed, beat by beat on its own, and provable afterwards."""

from dataclasses import fields, replace

import numpy as np
import pytest

from patrols.engine.design import DesignPolicy, PolicyError
from patrols.engine.plan import (
    DesignCodecError,
    PlanDraw,
    design_digest,
    design_from_bytes,
    design_part,
    design_to_bytes,
    plan_draw,
    replay,
)
from patrols.engine.records import EXCLUSION_REASONS

SIDE = 12


def city(**changes):
    """A city of 12 × 12 cells: beats 10, 20, 30 and 40 are its quarters, the last row of cells is in none."""
    rng = np.random.default_rng(17)
    col, row = (part.ravel() for part in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    beat = 10 * (1 + (col >= 6) + 2 * (row >= 6)).astype(np.int64)
    beat[row == SIDE - 1] = -1
    n = SIDE * SIDE
    arguments = {
        "harm": rng.gamma(0.4, 1.0, n),
        "beat_of_cell": beat,
        "beat_k": {10: 3, 20: 2, 30: 4, 40: 1},
        "suppressed": rng.random(n) < 0.05,
        "planned_minutes": np.where(rng.random(n) < 0.2, rng.random(n) * 480, 0.0),
        "days_since_last": rng.exponential(4.0, n),
        "x_m": 4.4e5 + 152.4 * col,
        "y_m": 4.6e6 + 152.4 * row,
        "shift_minutes": 480,
        "policy": DesignPolicy(),
        "seed": 2**62 + 12345,
    }
    return arguments | changes


def same(one: PlanDraw, other: PlanDraw) -> bool:
    return design_to_bytes(one) == design_to_bytes(other)


def of_beat(plan, beat):
    rows = plan.beat == beat
    return {
        name: getattr(plan, name)[rows].tobytes()
        for name in ("cell", "pi", "drawn", "visit_start_minutes", "dose_minutes")
    }


def test_each_beat_draws_its_k_boxes_among_its_own_candidates():
    arguments = city()
    plan = plan_draw(**arguments)
    assert plan.infeasible == ()
    for beat, k in arguments["beat_k"].items():
        assert plan.drawn[plan.beat == beat].sum() == k
        assert abs(plan.pi[plan.beat == beat].sum() - k) <= 1e-9
    assert (arguments["beat_of_cell"][plan.cell] == plan.beat).all()
    assert (plan.harm == arguments["harm"][plan.cell]).all()


def test_every_cell_of_a_planned_beat_is_a_candidate_or_excluded_with_a_reason():
    arguments = city()
    plan = plan_draw(**arguments)
    inside = np.flatnonzero(arguments["beat_of_cell"] >= 0)
    assert sorted([*plan.cell, *plan.excluded_cell]) == inside.tolist()
    reason = np.array(EXCLUSION_REASONS)[plan.excluded_reason]
    assert (arguments["suppressed"][plan.excluded_cell] == (reason == "suppressed")).all()
    assert (arguments["planned_minutes"][plan.excluded_cell[reason == "at_dose_cap"]] > 432).all()


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    assert same(plan_draw(**city()), plan_draw(**city()))
    one, other = plan_draw(**city()), plan_draw(**city(seed=1))
    assert (one.pi == other.pi).all()
    assert (one.drawn != other.drawn).any()


def test_the_order_of_beats_does_not_matter():
    k = city()["beat_k"]
    assert same(plan_draw(**city()), plan_draw(**city(beat_k=dict(reversed(k.items())))))


def test_changing_one_beat_leaves_the_others_draws_as_they_were():
    plan = plan_draw(**city())
    changed = plan_draw(**city(beat_k={10: 5, 20: 2, 30: 4}))
    assert of_beat(plan, 20) == of_beat(changed, 20)
    assert of_beat(plan, 30) == of_beat(changed, 30)
    assert of_beat(plan, 10) != of_beat(changed, 10)


def test_beats_that_cannot_be_planned_say_why_and_the_others_are_planned():
    plan = plan_draw(**city(beat_k={10: 3, 20: 36, 30: 4, 77: 1}))
    assert {item.beat: item.code for item in plan.infeasible} == {
        20: "cap_below_need",
        40: "zero_capacity",
        77: "no_cell",
    }
    assert plan.beat_id.tolist() == [10, 30]
    assert set(plan.messages) == {20, 40, 77}


def test_a_plan_without_any_feasible_beat_is_empty_and_can_be_kept():
    plan = plan_draw(**city(beat_k={}))
    assert len(plan) == 0
    assert plan.visit_start_minutes.shape == (0, 3)
    assert same(design_from_bytes(design_to_bytes(plan)), plan)
    assert replay(design_to_bytes(plan))


def test_a_design_survives_packing_bit_for_bit():
    plan = plan_draw(**city(beat_k={10: 3, 20: 2, 30: 12}))
    data = design_to_bytes(plan)
    back = design_from_bytes(data)
    for field in fields(PlanDraw):
        stored, original = getattr(back, field.name), getattr(plan, field.name)
        if isinstance(original, np.ndarray):
            assert stored.tobytes() == original.tobytes()
            assert stored.dtype == original.dtype
        else:
            assert stored == original
    assert design_digest(back) == design_digest(plan) == design_digest(data)
    assert design_to_bytes(back) == data


def test_some_columns_are_read_without_the_others():
    plan = plan_draw(**city())
    data = design_to_bytes(plan)
    part = design_part(data, frozenset(("cell", "pi")))
    assert part.cell.tobytes() == plan.cell.tobytes()
    assert part.pi.tobytes() == plan.pi.tobytes()
    assert len(part.harm) == len(part.drawn) == 0
    assert (part.seed, part.policy, part.shift_minutes) == (plan.seed, plan.policy, plan.shift_minutes)
    with pytest.raises(DesignCodecError, match="not a stored patrol design"):
        design_part(b"torn", frozenset(("cell",)))


def test_a_stored_plan_re_draws_bit_for_bit():
    plan = plan_draw(**city())
    data = design_to_bytes(plan)
    assert replay(memoryview(data))
    result = replay(data, seed=plan.seed)
    assert result
    assert result.differences == ()


def swap_first_drawn(plan):
    drawn = plan.drawn.copy()
    on, off = np.flatnonzero(drawn & (plan.beat == 10))[0], np.flatnonzero(~drawn & (plan.beat == 10))[0]
    drawn[on], drawn[off] = False, True
    return drawn


def changed_at_first(column, by):
    column = column.copy()
    column.flat[0] += by
    return column


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("drawn", swap_first_drawn, "The draw stored"),
        (
            "visit_start_minutes",
            lambda plan: changed_at_first(plan.visit_start_minutes, 1.0),
            "The start times stored",
        ),
        ("dose_minutes", lambda plan: changed_at_first(plan.dose_minutes, 1.0), "The doses stored"),
        ("beat_method", lambda plan: 1 - plan.beat_method, "The methods stored"),
        ("beat_visits", lambda plan: plan.beat_visits - 1, "The visits per beat stored"),
        ("harm", lambda plan: plan.harm**2, "Beat 10: the stored probabilities"),
        ("pi", lambda plan: changed_at_first(plan.pi, 1e-6), "Beat 10: the stored probabilities"),
        ("cap", lambda plan: changed_at_first(plan.cap, 0.01), "Beat 10: the stored probabilities"),
        ("beat_k", lambda plan: plan.beat_k + 1, "the stored probabilities"),
        ("beat_k", lambda plan: plan.beat_k * 0, "cannot be planned from what is stored"),
        ("beat_units", lambda plan: plan.beat_units * 0, "has no unit"),
        ("harm", lambda plan: plan.harm * np.nan, "is not a number"),
        ("beat", lambda plan: plan.beat[::-1].copy(), "not in order"),
        ("beat", lambda plan: plan.beat + 1, "do not belong together"),
        ("shift_minutes", lambda _: 9, "shorter than one dose"),
        ("seed", lambda _: 5, "that seed 5 gives"),
        ("policy", lambda plan: replace(plan.policy, gamma=1.5), "the stored probabilities"),
        ("policy", lambda plan: replace(plan.policy, gamma=-1), "policy is not one"),
    ],
)
def test_a_tampered_plan_is_reported_even_with_a_fresh_digest(name, change, words):
    plan = plan_draw(**city())
    forged = replace(plan, **{name: change(plan)})
    result = replay(design_to_bytes(forged))
    assert not result
    assert any(words in difference for difference in result.differences), result.differences
    assert design_digest(forged) != design_digest(plan)


def test_a_change_that_leaves_every_probability_is_shown_by_the_digest_kept_beside_the_plan():
    plan = plan_draw(**city())
    capped = int(np.flatnonzero(plan.pi == plan.cap)[0])
    harm = plan.harm.copy()
    harm[capped] *= 1.0 + 1e-12
    forged = replace(plan, harm=harm)
    assert "digest kept beside" in replay(forged, digest=design_digest(plan)).differences[0]
    assert replay(plan, digest=design_digest(plan))


def test_a_seed_that_differs_from_the_plans_row_is_reported():
    assert "holds seed" in replay(plan_draw(**city()), seed=4).differences[0]


def test_any_single_flipped_byte_is_noticed_or_harmless():
    plan = plan_draw(**city())
    data = design_to_bytes(plan)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 150):
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            back = design_from_bytes(bytes(damaged))
        except DesignCodecError:
            assert not replay(bytes(damaged))
        else:
            # A zip holds dates and attributes that mean nothing here.
            assert same(back, plan)


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_design_are_refused(data):
    with pytest.raises(DesignCodecError, match="not a stored patrol design"):
        design_from_bytes(data)


def test_a_later_version_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("patrols.engine.codec.VERSION", 2)
    data = design_to_bytes(plan_draw(**city()))
    monkeypatch.undo()
    with pytest.raises(DesignCodecError, match="version 2"):
        design_from_bytes(data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"harm": np.full(144, np.nan)}, "harm is nan at cell index 0"),
        ({"harm": np.full(144, -1.0)}, "harm is -1.0"),
        ({"planned_minutes": np.full(144, np.inf)}, "planned_minutes is inf"),
        ({"days_since_last": np.full(144, np.nan)}, "days_since_last is nan"),
        ({"x_m": np.zeros(3)}, "x_m has shape"),
        ({"suppressed": np.zeros(144, dtype=np.int64)}, "booleans"),
        ({"seed": -1}, "seed is -1"),
        ({"shift_minutes": 0}, "shift_minutes is 0"),
        ({"beat_k": {10: -1}}, "K of beat 10 is -1"),
        ({"beat_k": {10: 1.5}}, "K of beat 10 is 1.5"),
        ({"beat_k": {-1: 1}}, "Beat id -1"),
        ({"beat_units": {10: 0}}, "units of beat 10 is 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        plan_draw(**city(**changes))


def test_an_unsound_policy_is_refused_with_its_settings():
    with pytest.raises(PolicyError, match=r"cap_max is 0\.95") as caught:
        plan_draw(**city(policy=DesignPolicy(cap_max=0.95)))
    assert [problem.setting for problem in caught.value.problems] == ["cap_max"]


def test_planning_leaves_its_arguments_as_they_were():
    arguments = city()
    before = {k: v.copy() for k, v in arguments.items() if isinstance(v, np.ndarray)}
    plan_draw(**arguments)
    for name, column in before.items():
        assert (arguments[name] == column).all()


def test_drawn_frequencies_over_seeds_follow_the_probabilities():
    draws = 1500
    total = sum(plan_draw(**city(seed=seed)).drawn.astype(int) for seed in range(draws))
    pi = plan_draw(**city()).pi
    assert (np.abs(total / draws - pi) <= 4.5 * np.sqrt(pi * (1 - pi) / draws)).all()
