"""Tasks in the log: each line of a worker names the task, and the request that asked for it; each end is counted."""

import logging
from contextlib import ExitStack
from typing import Any

from celery import signals

from missions_project.lib.log_context import about, working_on
from missions_project.operations.measures import TASKS

logger = logging.getLogger("missions_project.tasks")
HEADER = "missions_request"
_open: dict[str, ExitStack] = {}


def connect() -> None:
    """Listen to the workers' signals. Called once, at start."""
    signals.before_task_publish.connect(_published, dispatch_uid="missions: log")
    signals.task_prerun.connect(_started, dispatch_uid="missions: log")
    signals.task_postrun.connect(_ended, dispatch_uid="missions: log")
    # Celery would put a configuration of its own in the place of ours, and lines without ids into the log.
    signals.setup_logging.connect(_keep_ours, dispatch_uid="missions: log")


def _keep_ours(logfile: str | None = None, **_: Any) -> None:
    """Our configuration stays; a worker that was given a file of its own (`--logfile`) writes there too, in the same form."""
    if not logfile:
        return
    root = logging.getLogger()
    handler = logging.FileHandler(logfile, encoding="utf-8")
    for known in root.handlers[:1]:
        handler.setFormatter(known.formatter)
        for one in known.filters:
            handler.addFilter(one)
    root.addHandler(handler)


def _published(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None and (number := about().get("request")):
        headers[HEADER] = number


def _started(task_id: str, task: Any, **_: Any) -> None:
    held = ExitStack()
    number = task.request.get(HEADER) or (task.request.headers or {}).get(HEADER, "")
    held.enter_context(working_on(task=task_id, request=number))
    _open[task_id] = held
    logger.info("%s begins", task.name)


def _ended(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    TASKS.labels(task.name, (state or "unknown").lower()).inc()
    logger.info("%s ended: %s", task.name, (state or "unknown").lower())
    if held := _open.pop(task_id, None):
        held.close()
