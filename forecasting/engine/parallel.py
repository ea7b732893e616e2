"""Several crime types at a time, one core each."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


def single_threaded() -> threadpool_limits:
    """Keep the numeric libraries to one thread inside this block.

    On a busy two-core server two OpenMP threads wait for each other: tree predictions were measured ten times
    slower with two threads than with one. Crime types in parallel lose nothing that way.
    """
    return threadpool_limits(limits=1)


def default_workers(n_tasks: int) -> int:
    """At most four, at most one per core: each worker holds a crime type's training matrix."""
    return max(1, min(4, os.cpu_count() or 1, n_tasks))


def map_types(work: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> list[R]:
    """``[work(item) for item in items]``, several at a time; the result does not depend on how many."""
    tasks = list(items)
    n = default_workers(len(tasks)) if workers is None else workers
    with single_threaded():
        if n <= 1 or len(tasks) <= 1:
            return [work(task) for task in tasks]
        # OpenMP's limit belongs to each thread: it must be set again inside the workers.
        with ThreadPoolExecutor(n, initializer=threadpool_limits, initargs=(1,)) as pool:
            return list(pool.map(work, tasks))
