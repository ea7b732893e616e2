"""A web process answers several people at once, and lets go of what each answer left."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from missions_project.lib import collector


class Page:
    """Something that points to itself, as requests and templates do: only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def answers(number: int, *, objects: int = collector.YOUNG + 1_000) -> None:
    """So many answers end, each while so many new objects of another one are in use."""
    for _ in range(number):
        in_use: list[list[None]] = [[] for _ in range(objects)]
        collector.collect()
        del in_use


def test_small_answers_are_not_looked_through_one_by_one() -> None:
    collector.settle()
    looks = gc.get_stats()[0]["collections"]
    answers(10, objects=10)
    assert gc.get_stats()[0]["collections"] == looks


def test_what_an_answer_left_is_gone_at_once() -> None:
    collector.settle()
    page = Page()
    gone = weakref.ref(page)
    del page
    answers(1)
    assert gone() is None


def test_a_page_that_others_overtook_goes_too() -> None:
    collector.settle()
    page = Page()
    gone = weakref.ref(page)
    # Another thread's answer ends first: what this one holds is old from now on.
    answers(3)
    del page
    answers(collector.TURNS + 1)
    assert gone() is None


def test_a_page_that_took_very_long_goes_in_the_end() -> None:
    collector.settle()
    page = Page()
    gone = weakref.ref(page)
    answers(2 * (collector.TURNS + 1))
    del page
    answers((collector.TURNS + 1) * (collector.TURNS + 2))
    assert gone() is None
