"""A reader of strangers' files opens its libraries before it is asked: it answers once, speaks as it is asked to, and does not outlive its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation

from agencies.engine import limits
from missions_project.lib import confined as lib
from missions_project.lib.confined import TooMuch, confined, ready

READER = "tests.agencies.readers"


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    lib.close_waiting()
    yield
    lib.close_waiting()


def told(**more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = confined(READER, {"path": "tells", **more}, seconds=5, megabytes=1024)
    return answer


def waiting() -> lib._Reader:
    return lib._waiting[os.getpid(), READER]


def test_the_one_that_waits_is_asked_and_no_second_time() -> None:
    ready(READER)
    number, folder = waiting().process.pid, waiting().folder.name
    ready(READER)
    assert waiting().process.pid == number
    with translation.override("es"):
        first = told()
    assert (first["process"], first["folder"], first["language"]) == (number, folder, "es")
    assert not os.path.exists(folder)
    assert not lib._waiting
    assert told()["process"] != number


def test_one_that_has_ended_or_waited_too_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    ready(READER)
    killed = waiting()
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    assert told()["process"] != killed.process.pid
    ready(READER)
    old = waiting()
    monkeypatch.setattr(lib, "FRESH_SECONDS", 0)
    assert told()["process"] != old.process.pid
    assert old.process.returncode is not None
    assert not os.path.exists(old.folder.name)
    assert lib.FRESH_SECONDS < limits.IDLE_SECONDS


def test_one_that_falls_while_it_is_asked_is_too_much() -> None:
    ready(READER)
    with pytest.raises(TooMuch, match="ended with"):
        confined(READER, {"path": "falls", "more": "x" * 4_000_000}, seconds=5, megabytes=1024)


def test_it_is_asked_more_than_a_pipe_holds() -> None:
    assert told(more="x" * 4_000_000)["language"] == "en"


def test_it_ends_by_itself_and_with_whoever_started_it() -> None:
    program = (
        "from agencies.engine import limits\n"
        "limits.IDLE_SECONDS = 1\n"
        "limits.question()\n"
    )  # fmt: skip
    alone = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, cwd=settings.BASE_DIR)
    assert alone.wait(20) == -signal.SIGALRM
    alone.communicate()
    parent = (
        "import os, django\n"
        "django.setup()\n"
        "from missions_project.lib import confined as lib\n"
        "lib.ready('ingestion.tables.child')\n"
        "print(lib._waiting[os.getpid(), 'ingestion.tables.child'].process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, text=True, cwd=settings.BASE_DIR, check=False,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "missions_project.settings.test"},
    )  # fmt: skip
    number = int(done.stdout)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.kill(number, 0)
            with open(f"/proc/{number}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    break
        except (ProcessLookupError, FileNotFoundError):
            break
        time.sleep(0.1)
    else:
        pytest.fail("it lives on")
