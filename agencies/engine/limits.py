"""How much a process that reads a stranger's file may take: set by itself, before it opens the file."""

import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

IDLE_SECONDS = 300
"""How long such a process waits to be asked; then it ends."""

MOST_WRITTEN = 1024**3
"""Bytes of any one file that it writes: an archive unpacks into no more."""


def limited(*, seconds: int, megabytes: int) -> None:
    """Bound this process for good: processor seconds, address space, files written, no core dump. Beyond, it gets a signal or no memory."""
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, megabytes * 1024**2),
        (resource.RLIMIT_FSIZE, MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def question() -> dict[str, Any]:
    """What this process is asked, as JSON at its input: waited for at most ``IDLE_SECONDS``, for it may have been started ahead."""
    signal.alarm(IDLE_SECONDS)
    asked: dict[str, Any] = json.load(sys.stdin)
    signal.alarm(0)
    return asked


def answered(answer: Any) -> NoReturn:
    """Print the answer as JSON and end at once: taking the libraries down takes longer than many an answer, and whoever asked tidies up."""
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    os._exit(0)
