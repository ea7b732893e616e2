"""Processes side by side on one machine do not each take all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from celery import signals

from forecasting import tasks
from forecasting.engine import parallel
from forecasting.engine.parallel import cores_shared_by, default_workers


class Worker:
    concurrency = 4


@pytest.fixture(autouse=True)
def alone_afterwards() -> Iterator[None]:
    yield
    cores_shared_by(1)


def have_cores(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(n)), raising=False)


@pytest.mark.parametrize(
    ("cores", "processes", "tasks_at_once"), [(1, 1, 1), (2, 1, 2), (8, 1, 4), (2, 2, 1), (8, 2, 4), (8, 4, 2), (2, 4, 1), (8, 0, 4)]
)  # fmt: skip
def test_each_process_takes_its_share(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int, tasks_at_once: int
) -> None:
    have_cores(monkeypatch, cores)
    cores_shared_by(processes)
    assert default_workers(6) == tasks_at_once
    assert default_workers(1) == 1


def test_a_worker_that_starts_says_how_many_processes_it_will_have(monkeypatch: pytest.MonkeyPatch) -> None:
    have_cores(monkeypatch, 4)
    signals.worker_init.send(sender=Worker())
    assert default_workers(6) == 1
    # "auto": nobody knows yet how many.
    tasks.share_the_cores(sender=SimpleNamespace(concurrency="auto"))
    assert parallel.default_workers(6) == 4
