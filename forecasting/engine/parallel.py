"""Several crime types at a time, one core each."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController, threadpool_limits

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


_processes = 1


def cores_shared_by(processes: int) -> None:
    """Say how many processes of this kind work side by side on the machine: from now on each takes its share of the cores.

    Four workers that each fit four crime types at a time on four cores wait for each other, and hold sixteen matrices.
    """
    global _processes
    _processes = max(1, processes)


def default_workers(n_tasks: int) -> int:
    """At most four, at most our share of the cores that we may use: each worker holds a crime type's training matrix."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores // _processes, n_tasks))


@cache
def _libraries() -> ThreadpoolController:
    """The numeric libraries of this process, looked up once: it takes longer than a tenth of an alert's answer."""
    return ThreadpoolController()


class TypePool:
    """Workers for one block of work: ``with TypePool(n) as pool: pool.map(work, items)``.

    The result does not depend on the number of workers. Looking up the numeric libraries takes milliseconds, so
    the limit is set once per worker and not once per task.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._limit: Any = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "TypePool":
        self._limit = _libraries().limit(limits=1)
        if self.workers > 1:
            # OpenMP's limit belongs to each thread: it must be set again inside the workers.
            self._pool = ThreadPoolExecutor(self.workers, initializer=lambda: _libraries().limit(limits=1))
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


_ROWS_PER_PART = 4_096
PIECE_ROWS = 1_024
"""Work that goes by pieces of rows cuts them at multiples of this, in every part alike."""
_sharing: ContextVar[TypePool | None] = ContextVar("sharing", default=None)


@contextmanager
def rows_shared(pool: TypePool) -> Iterator[None]:
    """Inside this block work on one crime type is divided among the workers: for when there is only one type.

    Workers themselves do not see the block: a part is never divided again.
    """
    token = _sharing.set(pool)
    try:
        yield
    finally:
        _sharing.reset(token)


def in_parts(work: Callable[[slice], npt.NDArray[np.float64]], n: int) -> npt.NDArray[np.float64]:
    """``work(slice(0, n))``, in parts where rows are shared and there are enough of them; parts keep their order."""
    pool = _sharing.get()
    if pool is None or pool.workers < 2 or n < 2 * _ROWS_PER_PART:
        return work(slice(0, n))
    even = np.linspace(0, n, pool.workers + 1).astype(int).tolist()
    # Parts begin at whole pieces: BLAS rounds the last few rows of a product otherwise than those before.
    edges = [edge - edge % PIECE_ROWS for edge in even[:-1]] + [n]
    return np.concatenate(pool.map(work, map(slice, edges[:-1], edges[1:])))


def shared_map(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]``, several at a time where work is shared."""
    pool = _sharing.get()
    return [work(item) for item in items] if pool is None else pool.map(work, items)


def built(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]`` on all cores: for the few large things that a process makes before all else."""
    wanted = list(items)
    with ThreadPoolExecutor(default_workers(len(wanted))) as pool:
        return list(pool.map(work, wanted))
