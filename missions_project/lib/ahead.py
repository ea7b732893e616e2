"""Make the next of a series in another thread while this one works on the present."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def made_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The items in their order, each begun when the one before it is handed out: one is in hand, one on its way.

    What the items' maker raises is raised here, in its turn. The maker must not use the database: connections belong to
    their thread. It is closed when this is.

    >>> list(made_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        try:
            coming: Future[tuple[T, ...]] = pool.submit(_next, items)
            while found := coming.result():
                coming = pool.submit(_next, items)
                yield found[0]
        finally:
            # A file that the maker holds open is closed in the maker's own thread, after what it is doing there.
            pool.submit(getattr(items, "close", bool)).result()


def _next(items: Iterator[T]) -> tuple[T, ...]:
    for item in items:
        return (item,)
    return ()
