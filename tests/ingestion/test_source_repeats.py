"""Rows that come again later in a file are found however long the file is, in memory or in temporary files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.sources import repeats
from ingestion.sources.repeats import RepeatedKeys


def earlier(keys: list[int]) -> list[int]:
    with RepeatedKeys() as repeated:
        for number, key in enumerate(keys, start=2):
            repeated.add(key, number)
        return repeated.earlier().tolist()


def by_hand(keys: list[int]) -> list[int]:
    return [number for number, key in enumerate(keys, start=2) if key in keys[number - 1 :]]


@pytest.mark.parametrize("spill", [3, 1_000_000])
@settings(deadline=None, max_examples=60)
@given(keys=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 40), max_size=60))
def test_the_earlier_rows_of_equal_keys_are_those_found_by_hand(spill: int, keys: list[int]) -> None:
    before, repeats.SPILL_PAIRS = repeats.SPILL_PAIRS, spill
    try:
        assert earlier(keys) == by_hand(keys)
    finally:
        repeats.SPILL_PAIRS = before


def test_what_is_spilled_is_no_longer_in_memory(monkeypatch) -> None:
    monkeypatch.setattr(repeats, "SPILL_PAIRS", 1_000)
    with RepeatedKeys() as repeated:
        for number in range(10_500):
            repeated.add(number % 7_000, number)
        assert len(repeated._hashes) == 500
        assert np.array_equal(repeated.earlier(), np.arange(3_500))


def test_no_rows_have_no_repeats() -> None:
    assert earlier([]) == []
