"""A beat without a unit: its missions are shared with the beats beside it, and the least harmful are dropped."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.capacity import beat_neighbours, deal_missions, helpers_of


def harms(*values: float) -> np.ndarray:
    return np.array(values)


def test_where_every_beat_has_its_units_each_keeps_its_own_number() -> None:
    deal = deal_missions(standing={1: 3, 2: 2}, supply={1: 3, 2: 4}, helpers={}, worth={})
    assert deal.k == {1: 3, 2: 4}
    assert deal.served == {(1, 1): 3, (2, 2): 4}
    assert deal.dropped == {}


def test_the_worst_boxes_of_both_beats_are_kept_and_the_least_harmful_dropped() -> None:
    deal = deal_missions(
        standing={1: 3, 2: 2},
        supply={1: 3, 2: 0},
        helpers={2: [1]},
        worth={1: harms(9, 2, 1), 2: harms(5, 4, 0)},
    )
    assert deal.k == {1: 1, 2: 2}
    assert deal.handed(2) == {1: 2}
    assert deal.dropped == {1: 2}


def test_a_staffed_beat_keeps_one_mission_whatever_its_neighbour_holds() -> None:
    deal = deal_missions(
        standing={1: 1, 2: 3}, supply={1: 1, 2: 0}, helpers={2: [1]}, worth={1: harms(0.1), 2: harms(9, 9, 9)}
    )
    assert deal.k == {1: 1}
    assert deal.dropped == {2: 3}


def test_an_extra_unit_beside_takes_missions_over_without_loss_to_its_own_beat() -> None:
    # One unit more than always is on duty in beat 1: it asks for as many, and shares by harm.
    deal = deal_missions(
        standing={1: 2, 2: 2},
        supply={1: 4, 2: 0},
        helpers={2: [1]},
        worth={1: harms(5, 4, 1, 1), 2: harms(3, 3)},
    )
    assert deal.k == {1: 2, 2: 2}
    assert deal.dropped == {1: 2}


def test_a_mission_is_moved_to_another_neighbour_where_that_lets_one_more_be_served() -> None:
    # Beat 8 can be served by 1 or 2, beat 9 by 1 only: 8's mission must make room at 1.
    deal = deal_missions(
        standing={8: 1, 9: 1},
        supply={1: 2, 2: 2, 8: 0, 9: 0},
        helpers={8: [1, 2], 9: [1]},
        worth={1: harms(1, 0.1), 2: harms(1, 0.1), 8: harms(9), 9: harms(8)},
    )
    assert deal.k == {1: 1, 2: 1, 8: 1, 9: 1}
    assert deal.handed(8) == {2: 1}
    assert deal.handed(9) == {1: 1}


def test_a_beat_that_nobody_can_help_drops_its_missions() -> None:
    deal = deal_missions(standing={1: 2, 2: 2}, supply={1: 2}, helpers={}, worth={})
    assert deal.k == {1: 2}
    assert deal.dropped == {2: 2}


small = st.dictionaries(st.integers(1, 5), st.integers(0, 3), min_size=2, max_size=5)


@settings(max_examples=150, deadline=None)
@given(standing=small, supply=small, seed=st.integers(0, 2**16))
def test_missions_are_conserved_and_no_unit_does_more_than_it_can(
    standing: dict[int, int], supply: dict[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    beats = sorted({*standing, *supply})
    staffed = [beat for beat in beats if supply.get(beat, 0) > 0]
    helpers = {
        beat: [other for other in staffed if rng.random() < 0.7] for beat in beats if supply.get(beat, 0) == 0
    }
    worth = {beat: rng.random(4) for beat in beats}
    deal = deal_missions(standing=standing, supply=supply, helpers=helpers, worth=worth)
    asked = {beat: supply.get(beat, 0) or standing.get(beat, 0) for beat in beats}
    for beat in beats:
        assert deal.k.get(beat, 0) + deal.dropped.get(beat, 0) == asked[beat]
        assert sum(n for (to, _), n in deal.served.items() if to == beat) == deal.k.get(beat, 0)
        assert sum(n for (_, by), n in deal.served.items() if by == beat) <= supply.get(beat, 0)
    for to, by in deal.served:
        assert to == by or by in helpers[to]
    for beat in staffed:
        assert deal.k[beat] >= 1


@pytest.mark.parametrize("seed", range(12))
def test_no_other_choice_of_missions_is_worth_more(seed: int) -> None:
    """Against every choice there is, on beats so small that all can be tried."""
    rng = np.random.default_rng(seed)
    supply = {1: int(rng.integers(1, 3)), 2: int(rng.integers(1, 3)), 3: 0, 4: 0}
    standing = {1: 2, 2: 2, 3: 2, 4: 2}
    helpers = {3: [1, 2], 4: [int(rng.integers(1, 3))]}
    worth = {beat: np.sort(rng.random(3))[::-1] for beat in standing}
    deal = deal_missions(standing=standing, supply=supply, helpers=helpers, worth=worth)

    def value(k: dict[int, int]) -> float:
        return sum(float(worth[beat][:n].sum()) for beat, n in k.items())

    def can(k: dict[int, int]) -> bool:
        # Beat 3's missions split over 1 and 2 in every way.
        for first in range(k[3] + 1):
            used = {1: k[1] + first, 2: k[2] + k[3] - first}
            used[helpers[4][0]] += k[4]
            if all(used[beat] <= supply[beat] for beat in (1, 2)):
                return True
        return False

    ranges = [range(1, supply[1] + 1), range(1, supply[2] + 1), range(3), range(3)]
    best = max(
        value(k) for numbers in product(*ranges) if can(k := dict(zip((1, 2, 3, 4), numbers, strict=True)))
    )
    assert value(deal.k) == pytest.approx(best)


def test_beats_that_share_an_edge_are_neighbours_and_the_nearest_helps_where_none_does() -> None:
    rows, cols = np.array([0, 0, 0, 2]), np.array([0, 1, 2, 9])
    neighbours = beat_neighbours(rows, cols, np.array([1, 2, -1, 3]))
    assert neighbours == {1: {2}, 2: {1}}
    centre = {1: (0.0, 0.0), 2: (1.0, 0.0), 3: (9.0, 2.0)}
    assert helpers_of([1, 3], [2], neighbours, centre) == {1: [2], 3: [2]}
    assert helpers_of([1], [], neighbours, centre) == {}
    assert helpers_of([7], [2], neighbours, centre) == {}
