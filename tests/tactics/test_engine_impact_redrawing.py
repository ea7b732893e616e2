"""Plans are drawn again as the product draws them, and tests built on that keep what they promise."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from forecasting.engine.grid import GridSpec
from patrols.engine.design import DesignPolicy, Infeasible, beat_design
from patrols.engine.plan import plan_draw
from patrols.engine.sampling import draw_many
from tactics.engine.impact import CrimeEvents, ShiftDraw, StudyError, build_study, plan_history
from tactics.engine.impact.batch import BeatLayout, batch_draw, batch_probabilities
from tactics.engine.impact.fisher import (
    fisher_test,
    inverted_interval,
    recorded_test,
    residuals,
    statistic,
)
from tactics.engine.impact.histories import planted_histories
from tactics.engine.impact.replays import PlanHistory, redraws, replayed
from tactics.engine.impact.worlds import Scenario, made_up_world


def history_of(world, harm, k=None):
    shifts, beats = len(harm), len(world.layout.beat_id)
    return PlanHistory(
        world.layout,
        world.policy,
        np.arange(shifts) / 3,
        np.arange(1, shifts + 1) / 3,
        harm.astype(float),
        np.full((shifts, beats), k or world.k),
        np.full((shifts, beats), world.policy.visits_per_cell),
    )


def test_batched_probabilities_are_those_of_the_product():
    rng = np.random.default_rng(0)
    beat = np.repeat([3, 5, 9, 11], [30, 24, 36, 8])
    x_m, y_m = (np.arange(98) % 6) * 250.0, (np.arange(98) // 6) * 250.0
    layout = BeatLayout.of(beat, x_m, y_m)
    for trial in range(40):
        policy = DesignPolicy(
            gamma=float(rng.choice([0.0, 1.0, 1.7])), exploration=float(rng.uniform(0, 0.5))
        )
        harm = rng.gamma(0.3, 1.0, 98) * (rng.random(98) < 0.7)
        minutes = rng.uniform(0, 480, 98) * (rng.random(98) < 0.4)
        days = np.where(rng.random(98) < 0.5, np.inf, rng.uniform(0, 3, 98))
        suppressed = rng.random(98) < 0.15
        k = rng.integers(1, 9, 4)
        pi = batch_probabilities(
            harm=np.where(layout.valid, harm[layout.cell], 0.0),
            allowed=layout.valid & ~suppressed[layout.cell],
            planned_minutes=minutes[layout.cell],
            days_since_last=days[layout.cell],
            k=k,
            policy=policy,
        )
        for row in range(4):
            cells = layout.cell[row][layout.valid[row]]
            design = beat_design(
                beat=0,
                k=int(k[row]),
                harm=harm[cells],
                suppressed=suppressed[cells],
                planned_minutes=minutes[cells],
                days_since_last=days[cells],
                policy=policy,
            )
            expected = np.zeros(len(cells))
            if not isinstance(design, Infeasible):
                expected[design.candidate] = design.pi
            np.testing.assert_allclose(pi[row, : len(cells)], expected, atol=1e-9, err_msg=f"trial {trial}")


def test_batched_draws_have_the_products_probabilities_alone_and_in_pairs():
    rng = np.random.default_rng(1)
    x_m, y_m = (np.arange(16) % 4) * 250.0, (np.arange(16) // 4) * 250.0
    layout = BeatLayout.of(np.zeros(16, dtype=np.int64), x_m, y_m)
    pi = rng.gamma(3.0, 1.0, 16)
    pi *= 3 / pi.sum()
    assert pi.max() < 0.9
    draws = 40_000
    drawn = batch_draw(
        np.repeat(pi[None], draws, axis=0), tier=layout.tier, beat=np.zeros(draws, dtype=np.int64), rng=rng
    )
    assert (drawn.sum(axis=1) == 3).all()
    assert (abs(drawn.mean(axis=0) - pi) < 4.5 * np.sqrt(pi * (1 - pi) / draws)).all()
    product_draws = 20_000
    theirs = draw_many(pi, x_m=x_m, y_m=y_m, rng=rng, draws=product_draws)
    ours = drawn.astype(float).T @ drawn / draws
    other = theirs.astype(float).T @ theirs / product_draws
    error = np.sqrt(np.maximum(other * (1 - other), 1e-4) * (1 / draws + 1 / product_draws))
    assert (abs(ours - other) < 5 * error).all()


def test_a_replay_without_history_gives_the_stored_probabilities_of_the_first_shift():
    rng = np.random.default_rng(2)
    world = made_up_world(rng, side=6, beats=2)
    x_m, y_m = world.grid.centres()
    harm = world.rates[:1]
    draw = plan_draw(
        harm=harm[0],
        beat_of_cell=world.beat_of_cell,
        beat_k={0: 2, 1: 2},
        suppressed=np.arange(36) == 7,
        planned_minutes=np.zeros(36),
        days_since_last=np.full(36, np.inf),
        x_m=x_m,
        y_m=y_m,
        shift_minutes=480,
        policy=DesignPolicy(),
        seed=5,
    )
    shift = ShiftDraw(0.0, draw, harm[0])
    history = plan_history(world.grid, [shift], harm, world.beat_of_cell)
    _, pi, drawn = next(iter(replayed(history, 3, rng)))
    laid = np.zeros(36)
    laid[history.layout.cell[history.layout.valid]] = pi[0][history.layout.valid]
    np.testing.assert_allclose(laid[draw.cell], draw.pi, atol=1e-9)
    assert laid[7] == 0
    assert (drawn.sum(axis=(1, 2)) == 4).all()
    with pytest.raises(StudyError, match="not the one that its plan was drawn with"):
        plan_history(world.grid, [shift], harm * 2, world.beat_of_cell)


def test_yesterdays_missions_lower_todays_probabilities_in_a_replay():
    rng = np.random.default_rng(3)
    world = made_up_world(rng, side=6, beats=1)
    harm = np.where(np.arange(36) < 2, 1.0, 0.01)
    history = history_of(world, np.tile(harm, (4, 1)))
    seen = list(replayed(history, 200, rng))
    first, second = seen[0], seen[1]
    after_visit = second[1][first[2]].mean() / first[1][first[2]].mean()
    assert after_visit < 0.9


def six_cells(outcomes, seed=0):
    """Six cells in one beat, one mission, one shift; the outcome of every cell given."""
    grid = GridSpec(32615, 0.0, 0.0, 100.0, 1, 6, np.arange(6))
    x_m, y_m = grid.centres()
    harm = np.array([3.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    beat = np.zeros(6, dtype=np.int64)
    policy = DesignPolicy(local_pivotal_share=0.0)
    draw = plan_draw(
        harm=harm,
        beat_of_cell=beat,
        beat_k={0: 1},
        suppressed=np.zeros(6, dtype=bool),
        planned_minutes=np.zeros(6),
        days_since_last=np.full(6, np.inf),
        x_m=x_m,
        y_m=y_m,
        shift_minutes=480,
        policy=policy,
        seed=seed,
    )
    shift = ShiftDraw(0.0, draw, harm / 10)
    at = np.repeat(np.arange(6), outcomes)
    late = np.full(len(at), 479.5)
    study = build_study(
        grid=grid,
        shifts=[shift],
        events=CrimeEvents(late, x_m[at], y_m[at], np.zeros(len(at), dtype=np.int64)),
    )
    return study, plan_history(grid, [shift], harm[None], beat)


def exact_p(study):
    """All six draws, each with its own probability: the p-value without any drawing."""
    residual = residuals(study)
    observed = abs(statistic(study, residual))
    total = 0.0
    for cell in range(6):
        z = np.arange(6) == cell
        value = abs(((z - study.pi) / (1 - study.pi)) @ residual)
        total += study.pi[cell] * (value >= observed * (1 - 1e-12))
    return total


@pytest.mark.parametrize("outcomes", [[0, 1, 2, 0, 3, 1], [4, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 5]])
def test_the_fisher_test_on_six_cells_is_that_of_trying_every_draw(outcomes):
    study, history = six_cells(outcomes)
    assert study.outcome.tolist() == outcomes
    result = fisher_test(
        study, history, rng=np.random.default_rng(4), draws=6_000, stop_after=None, at_once=2_000
    )
    p = exact_p(study)
    assert result.draws == 6_000
    assert abs(result.p_value - p) < 4.5 * np.sqrt(p * (1 - p) / 6_000) + 1 / 6_000


@pytest.mark.parametrize("outcomes", [[0, 1, 2, 0, 3, 1], [4, 0, 0, 1, 0, 0], [0, 0, 3, 0, 0, 0]])
def test_the_test_at_recorded_probabilities_is_that_of_trying_every_draw(outcomes):
    """One box with a crime is drawn by its own chance, several by the whole plan: both against all six draws."""
    study, history = six_cells(outcomes)
    near = recorded_test(
        study, history.layout, rng=np.random.default_rng(5), draws=6_000, stop_after=None, at_once=2_000
    )
    observed = abs(statistic(study, study.outcome.astype(float)))
    p = 0.0
    for cell in range(6):
        z = np.arange(6) == cell
        value = abs(((z - study.pi) / (1 - study.pi)) @ study.outcome)
        p += study.pi[cell] * (value >= observed * (1 - 1e-12))
    assert near.approximate
    assert near.draws == 6_000
    assert near.statistic == pytest.approx(statistic(study, study.outcome.astype(float)))
    assert abs(near.p_value - p) < 4.5 * np.sqrt(p * (1 - p) / 6_000) + 1 / 6_000


def test_the_test_at_recorded_probabilities_stops_once_chance_has_done_as_much_ten_times():
    rng = np.random.default_rng(12)
    world = made_up_world(rng, side=6, beats=2)
    planted = next(planted_histories(world, Scenario("null", shifts=63), repetitions=1, rng=rng))
    told: list[int] = []
    early = recorded_test(
        planted.study,
        world.layout,
        rng=np.random.default_rng(13),
        at_once=10,
        progress=lambda done, total, label: told.append(done),
    )
    full = recorded_test(
        planted.study, world.layout, rng=np.random.default_rng(13), draws=2_000, stop_after=None
    )
    assert early.stopped_early
    assert early.draws < 199
    assert early.exceeded == 10
    assert told[-1] == early.draws
    # Drawn at the recorded probabilities, the test and the score's normal limit say about the same.
    assert abs(full.p_value - full.normal_p) < 0.1


def test_two_shifts_of_three_cells_agree_with_every_pair_of_draws():
    """Six cell-shifts; the second shift's probabilities depend on the first draw: all nine histories are tried."""
    grid = GridSpec(32615, 0.0, 0.0, 100.0, 1, 3, np.arange(3))
    layout = BeatLayout.of(np.zeros(3, dtype=np.int64), *grid.centres())
    policy = DesignPolicy(local_pivotal_share=0.0, dose_min_minutes=10, dose_max_minutes=10)
    harm = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 2.0]])
    history = PlanHistory(
        layout,
        policy,
        np.array([0.0, 0.5]),
        np.array([0.25, 0.75]),
        harm,
        np.ones((2, 1), dtype=np.int64),
        np.ones((2, 1), dtype=np.int64),
    )
    e = np.array([[0.6, -0.4, 0.3], [-0.5, 0.9, 0.1]])
    exact: dict[float, float] = {}
    for first, second in product(range(3), repeat=2):
        chance, value = 1.0, 0.0
        minutes, days = np.zeros(3), np.full(3, np.inf)
        for s, cell in enumerate((first, second)):
            pi = beat_design(
                beat=0, k=1, harm=harm[s], suppressed=np.zeros(3, dtype=bool), planned_minutes=minutes,
                days_since_last=days, policy=policy,
            ).pi  # fmt: skip
            z = np.arange(3) == cell
            chance *= pi[cell]
            value += float(((z - pi) / (1 - pi)) @ e[s])
            minutes, days = np.where(z, 10.0, 0.0), np.where(z, 0.25, np.inf)
        exact[round(value, 9)] = exact.get(round(value, 9), 0.0) + chance
    draws = 20_000
    total = np.zeros(draws)
    for s, pi, drawn in replayed(history, draws, np.random.default_rng(6)):
        total += (((drawn - pi) / (1 - pi)) * e[s]).sum(axis=(1, 2))
    values, counts = np.unique(total.round(9), return_counts=True)
    assert set(values.tolist()) <= set(exact)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        p = exact[value]
        assert abs(count / draws - p) < 4.5 * np.sqrt(p * (1 - p) / draws)
    assert sum(exact.values()) == pytest.approx(1.0)


def test_stopping_early_never_turns_a_clear_no_into_a_yes():
    rng = np.random.default_rng(7)
    world = made_up_world(rng, side=6, beats=2)
    planted = next(planted_histories(world, Scenario("null", shifts=21), repetitions=1, rng=rng))
    history = history_of(world, planted.harm)
    told: list[int] = []
    early = fisher_test(
        planted.study,
        history,
        rng=np.random.default_rng(8),
        stop_after=10,
        progress=lambda done, total, label: told.append(done),
    )
    full = fisher_test(planted.study, history, rng=np.random.default_rng(8), stop_after=None)
    assert early.draws <= full.draws == 199
    assert (early.p_value <= 0.05) == (full.p_value <= 0.05)
    assert told[-1] == early.draws


@pytest.mark.slow
def test_the_replayed_test_keeps_its_level_under_the_null():
    rng = np.random.default_rng(9)
    world = made_up_world(rng, side=6, beats=2)
    scenario = Scenario("null", shifts=24)
    p = [
        fisher_test(one.study, history_of(world, one.harm), rng=rng, draws=39, stop_after=2).p_value
        for one in planted_histories(world, scenario, repetitions=250, rng=rng)
    ]
    # Level 5 %: 250 tries have a standard error of 1.4 points.
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.095


def test_test_inversion_keeps_the_truth_and_leaves_zero_out_for_a_total_stop():
    rng = np.random.default_rng(10)
    world = made_up_world(rng, side=8, beats=4)
    total_stop = Scenario("stop", prevented=1.0, displaced=0.0, complied=1.0, dropped_quiet=0.0, shifts=42)
    planted = next(planted_histories(world, total_stop, repetitions=1, rng=rng))
    again = redraws(planted.study, history_of(world, planted.harm), draws=199, rng=rng)
    found = inverted_interval(planted.study, again)
    assert found.interval == "test inversion"
    assert found.low > 0
    assert found.high > 0.9
    flat = replace(planted.study, outcome=np.zeros(len(planted.study), dtype=np.int64))
    none = inverted_interval(flat, redraws(flat, history_of(world, planted.harm), draws=19, rng=rng))
    assert none.interval == "none"
    assert np.isnan(none.low)


def test_every_subset_has_its_probability_in_a_beat_of_three():
    """With two of three boxes drawn, the subsets' probabilities follow from the boxes': pi is all there is to know."""
    pi = np.array([[0.9, 0.7, 0.4]])
    layout = BeatLayout.of(np.zeros(3, dtype=np.int64), np.arange(3) * 10.0, np.zeros(3))
    draws = 20_000
    drawn = batch_draw(
        np.repeat(pi, draws, axis=0), tier=layout.tier, beat=np.zeros(draws, dtype=np.int64),
        rng=np.random.default_rng(11),
    )  # fmt: skip
    for pair in combinations(range(3), 2):
        left = ({0, 1, 2} - set(pair)).pop()
        share = drawn[:, list(pair)].all(axis=1).mean()
        assert abs(share - (1 - pi[0, left])) < 4.5 * np.sqrt(0.25 / draws)
