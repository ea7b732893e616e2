"""Several crime types at a time, one core each."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep the numeric libraries to one thread inside this block.

    On a busy two-core server two OpenMP threads wait for each other: tree predictions were measured ten times
    slower with two threads than with one. Crime types in parallel lose nothing that way.
    """
    with threadpool_limits(limits=1):
        yield


def default_workers(n_tasks: int) -> int:
    """At most four, at most one per core: each worker holds a crime type's training matrix."""
    return max(1, min(4, os.cpu_count() or 1, n_tasks))


class TypePool:
    """Workers for one block of work: ``with TypePool(n) as pool: pool.map(work, items)``.

    The result does not depend on the number of workers. Looking up the numeric libraries takes milliseconds, so
    the limit is set once per worker and not once per task.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._limit: threadpool_limits | None = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "TypePool":
        self._limit = threadpool_limits(limits=1)
        if self.workers > 1:
            # OpenMP's limit belongs to each thread: it must be set again inside the workers.
            self._pool = ThreadPoolExecutor(self.workers, initializer=threadpool_limits, initargs=(1,))
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if self._limit is not None:
            self._limit.restore_original_limits()

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``[work(item) for item in items]``, several at a time."""
        if self._pool is None:
            return [work(item) for item in items]
        return list(self._pool.map(work, items))
