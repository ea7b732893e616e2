"""What a study would show is worked out before anybody starts, and holds where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from patrols.engine.design import DesignPolicy
from tactics.engine.experiment import (
    counted,
    experiment,
    first_start_share,
    net_precisions,
    plain_counts,
)
from tactics.engine.impact import PlanHistory
from tactics.engine.impact.displacement import displacement
from tactics.engine.impact.histories import planted_histories
from tactics.engine.impact.outcomes import neighbours_of
from tactics.engine.impact.sums import plan_sums
from tactics.engine.impact.worlds import Scenario, World, made_up_world


def history_of(world: World, harm: np.ndarray, k: int) -> PlanHistory:
    shifts, beats = len(harm), len(world.layout.beat_id)
    return PlanHistory(
        world.layout,
        world.policy,
        np.arange(shifts) / 3,
        np.arange(1, shifts + 1) / 3,
        harm.astype(np.float64),
        np.full((shifts, beats), k),
        np.full((shifts, beats), world.policy.visits_per_cell),
    )


def test_the_net_effects_error_is_that_of_studies_of_made_up_histories() -> None:
    rng = np.random.default_rng(21)
    world = made_up_world(rng, side=12, beats=4)
    seen, harm = [], np.zeros(0)
    for planted in planted_histories(world, Scenario("null"), repetitions=10, rng=rng):
        found = displacement(plan_sums(planted.study, ("missions",))["missions"])
        seen.append(found.net.se_log)
        harm = planted.harm
    crime = {"any": np.stack([world.rates[s % 21] for s in range(len(harm))])}
    net = net_precisions(
        history_of(world, harm, world.k), world.grid, crime, (("any",),), window_share=0.75, rng=rng
    )[("any",)]
    # Forecasts that are wrong in places add a few per cent that no plan can know beforehand.
    assert net.standard_error == pytest.approx(np.mean(seen), rel=0.10)
    assert net.power(0.0) == pytest.approx(0.05)
    assert net.power(net.detectable()) == pytest.approx(0.80, abs=0.005)


def test_four_times_as_long_halves_the_error() -> None:
    rng = np.random.default_rng(2)
    world = made_up_world(rng, side=8, beats=2)
    crime = {"any": world.rates}
    net = net_precisions(
        history_of(world, world.rates, 2), world.grid, crime, (("any",),), window_share=0.8, rng=rng
    )[("any",)]
    assert net.times(4.0).standard_error == pytest.approx(net.standard_error / 2)


def options(**more: object) -> dict[tuple[int, int, tuple[str, ...]], object]:
    rng = np.random.default_rng(4)
    world = made_up_world(rng, side=10, beats=2)
    crime = {"burglary": world.rates * 0.7, "robbery": world.rates * 0.3}
    arguments: dict[str, object] = {
        "ks": (1, 3), "days": (91, 364), "pools": (("burglary", "robbery"), ("robbery",)), "doses": ((10, 16),),
        "shift_minutes": 480, "rng": rng,
    }  # fmt: skip
    found = experiment(history_of(world, world.rates, 2), world.grid, crime=crime, **(arguments | more))  # type: ignore[arg-type]
    return {(one.contrast.k, one.contrast.days, one.contrast.types): one for one in found}


def test_more_boxes_longer_and_more_types_show_smaller_effects_and_net_needs_more() -> None:
    found = options()
    assert len(found) == 8
    both, one = ("burglary", "robbery"), ("robbery",)
    for pool in (both, one):
        for k in (1, 3):
            short, long = found[k, 91, pool], found[k, 364, pool]
            assert long.contrast.detectable < short.contrast.detectable
            assert long.net_detectable <= short.net_detectable
            assert short.contrast.detectable <= short.net_detectable
    assert found[3, 91, both].contrast.expected_events > found[1, 91, both].contrast.expected_events
    assert found[3, 364, both].contrast.detectable < found[3, 364, one].contrast.detectable
    powers = [power for _, power in found[3, 364, both].net_curve]
    assert powers == sorted(powers)


def test_missions_that_are_not_carried_out_cost_power() -> None:
    key = (3, 364, ("burglary", "robbery"))
    half, all_of_them = options(compliance=0.5)[key], options()[key]
    assert half.contrast.detectable > 1.8 * all_of_them.contrast.detectable
    assert half.net_detectable > all_of_them.net_detectable


def test_doses_that_no_policy_can_have_are_left_out_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    found = options(
        doses=((10, 16), (16, 10)), progress=lambda done, total, label: told.append((done, total))
    )
    assert len(found) == 8
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)


def test_the_first_visit_starts_early_in_the_shift_where_there_are_several() -> None:
    rng = np.random.default_rng(1)
    several = first_start_share(DesignPolicy(), k=2, shift_minutes=480, rng=rng)
    alone = first_start_share(DesignPolicy(visits_per_cell=1), k=2, shift_minutes=480, rng=rng)
    assert 0.1 < several < 0.35 < alone < 0.6
    assert first_start_share(DesignPolicy(), k=2, shift_minutes=5, rng=rng) == 0.0


def test_counts_keep_every_crime_inside_and_ignore_the_rest() -> None:
    laid = counted(shift_of=np.array([0, 0, 1, -1, 1]), cell=np.array([2, 2, 0, 1, -1]), shifts=2, cells=3)
    assert laid.tolist() == [[0.0, 0.0, 2.0], [1.0, 0.0, 0.0]]


def test_a_plain_count_ranks_by_own_crimes_then_by_those_around_and_leaves_no_box_at_nought() -> None:
    world = made_up_world(np.random.default_rng(0), side=5, beats=1)
    counts = np.zeros(25)
    counts[12], counts[0] = 4.0, 3.0
    values = plain_counts(counts, neighbours_of(world.grid))
    assert values.argmax() == 12
    assert values[7] > values[24] > 0
    assert (plain_counts(np.zeros(25), neighbours_of(world.grid)) > 0).all()
