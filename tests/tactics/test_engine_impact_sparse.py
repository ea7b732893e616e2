"""A column of mostly zeros reads as the array that it stands for, whole and in parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactics.engine.impact.sparse import MostlyZero, positive

values = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.5, 12.25, -2.0]), max_size=40)


@given(values=values, begin=st.integers(0, 45), length=st.integers(0, 45), seed=st.integers(0, 99))
def test_every_part_is_that_of_the_array(values, begin, length, seed):
    array = np.array(values, dtype=np.float32)
    column = MostlyZero.of(array)
    assert (len(column), column.shape) == (len(array), array.shape)
    assert np.array_equal(np.asarray(column), array)
    assert np.array_equal(column[begin : begin + length], array[begin : begin + length])
    assert np.array_equal(column[begin : begin + length : 3], array[begin : begin + length : 3])
    keep = np.random.default_rng(seed).random(len(array)) < 0.5
    assert np.array_equal(column[keep], array[keep])
    assert np.array_equal(np.asarray(column.part(keep)), array[keep])
    assert np.array_equal(positive(column), array > 0)
    assert np.array_equal(positive(array), array > 0)


def test_parts_that_follow_one_another_are_one_column():
    parts = [
        MostlyZero.of(np.array([0, 3.0]), before=0),
        MostlyZero.of(np.zeros(2), before=2),
        MostlyZero.of(np.array([4.0]), before=4),
    ]
    assert np.asarray(MostlyZero.joined(parts, 6)).tolist() == [0, 3, 0, 0, 4, 0]
    assert np.asarray(MostlyZero.joined([], 2)).tolist() == [0, 0]
    assert np.asarray(parts[0], dtype=np.float64).dtype == np.float64


def test_a_row_is_read_by_its_number():
    assert MostlyZero.of(np.array([0, 3.0]))[1] == pytest.approx(3.0)
