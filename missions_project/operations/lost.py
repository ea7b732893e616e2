"""Queued runs whose message is lost, told from those that merely wait their turn: also while others work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import current_app
from django.db.models.functions import Coalesce
from kombu.exceptions import OperationalError

from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, RunStatus
from missions_project.operations.queues import queue_lengths


@dataclass(frozen=True)
class _Way:
    """The queue in which a task waits, and its place there: 0 goes first."""

    queue: str
    priority: int


def lost_runs(runs: Sequence[tuple[Any, Any]]) -> Iterator[tuple[Any, Any, int]]:
    """Of these kinds of runs, each with its task, those of which no worker and no queue knows: kind, task, key.

    One that has waited for five minutes since it was sent is lost where nothing runs at all; or where its queue is empty, for
    a worker that has a message has begun the run, or (an import that gives way) leaves a sign of life; or where one that was
    put into the same queue five minutes after it, and had no right to pass it, has begun. RabbitMQ does not tell us
    lengths: there the last rule alone holds. A query a kind where none waits so long, else at most three a kind, and a question
    to the broker. A run that is sent twice is done once.
    """
    waiting = [
        (model, task, pk, sent_at)
        for model, task in runs
        for pk, sent_at in model.objects.forgotten()
        .annotate(was_sent_at=Coalesce("heartbeat_at", "queued_at"))
        .values_list("pk", "was_sent_at")
    ]
    if not waiting:
        return
    idle = not any(model.objects.filter(status=RunStatus.RUNNING).exists() for model, _ in runs)
    empty = set() if idle else _empty_queues()
    begun = {} if idle else _begun(runs)
    for model, task, pk, sent_at in waiting:
        way = _way(task)
        passed = [
            at for other, at in begun.items() if other.queue == way.queue and other.priority >= way.priority
        ]
        if idle or way.queue in empty or any(at > sent_at + HEARTBEAT_LOST_AFTER for at in passed):
            yield model, task, pk


def _way(task: Any) -> _Way:
    told = current_app.amqp.router.route({}, task.name)
    return _Way(told["queue"].name, int(told.get("priority") or 0))


def _empty_queues() -> set[str]:
    try:
        return {name for name, waiting in queue_lengths().items() if waiting == 0}
    except (OperationalError, OSError):
        # A broker that is away: nothing could be sent anyway.
        return set()


def _begun(runs: Sequence[tuple[Any, Any]]) -> dict[_Way, datetime]:
    """By way, when the newest run was queued that a worker has begun."""
    found: dict[_Way, datetime] = {}
    for model, task in runs:
        # By key, which every table can be read backwards by; the newest begun is near its end.
        newest = (
            model.objects.filter(started_at__isnull=False)
            .order_by("-pk")
            .values_list("queued_at", flat=True)
            .first()
        )
        if newest is not None:
            way = _way(task)
            found[way] = max(newest, found.get(way, newest))
    return found
