"""What another thread makes ahead comes in order, with its errors in their turn, and nothing is left open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from missions_project.lib.ahead import made_ahead


def test_the_items_come_in_order_and_are_made_in_one_other_thread() -> None:
    makers = []

    def items() -> Iterator[int]:
        for number in range(20):
            makers.append(threading.get_ident())
            yield number

    assert list(made_ahead(items())) == list(range(20))
    assert len(set(makers)) == 1
    assert makers[0] != threading.get_ident()


def test_empty_and_false_items_are_items() -> None:
    assert list(made_ahead(iter([0, "", None, ()]))) == [0, "", None, ()]
    assert list(made_ahead(iter([]))) == []


def test_an_error_comes_after_the_items_that_came_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("torn")

    ahead = made_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="torn"):
        next(ahead)


def test_who_stops_early_closes_the_maker_and_its_thread() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    before = threading.active_count()
    with closing(made_ahead(items())) as ahead:
        next(ahead)
    assert closed.is_set()
    assert threading.active_count() == before
