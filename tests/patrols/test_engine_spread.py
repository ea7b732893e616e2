"""A few missions for several beats: by harm, within each beat's room, never one lost or too many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrols.engine.spread import missions_spread, neighbour_beats


@given(
    rows=st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 5)), min_size=1, max_size=12),
    missions=st.integers(0, 40),
)
def test_all_missions_are_given_as_far_as_there_is_room(rows: list[tuple[float, int]], missions: int) -> None:
    harm, room = np.array([h for h, _ in rows]), np.array([r for _, r in rows], dtype=np.int64)
    given_out = missions_spread(harm, room, missions)
    assert given_out.sum() == min(missions, room.sum())
    assert (given_out <= room).all()
    assert (given_out >= 0).all()


@given(missions=st.integers(0, 30))
def test_more_harm_never_gets_fewer(missions: int) -> None:
    given_out = missions_spread(np.array([5.0, 3.0, 1.0, 0.0]), np.full(4, 40), missions)
    assert (np.diff(given_out) <= 0).all()


def test_a_map_without_harm_still_gives_every_mission_a_beat() -> None:
    assert missions_spread(np.zeros(3), np.array([1, 1, 1]), 2).tolist() == [1, 1, 0]


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        missions_spread(np.array([np.nan]), np.array([1]), 1)


def test_neighbours_share_an_edge_and_corners_do_not_count() -> None:
    # 1 1 2 / 1 3 2 / 4 3 -
    rows = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    cols = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    beats = np.array([1, 1, 2, 1, 3, 2, 4, 3, -1])
    assert neighbour_beats(rows, cols, beats, 1) == [2, 3, 4]
    assert neighbour_beats(rows, cols, beats, 4) == [1, 3]
    assert neighbour_beats(rows, cols, beats, 9) == []
