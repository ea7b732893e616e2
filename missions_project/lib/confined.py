"""Reading what strangers sent in a process of its own: with little memory, little time, and none of this process's secrets."""

import atexit
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO, Any

from django.conf import settings
from django.utils.translation import get_language

KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PROJ_DATA", "GDAL_DATA")
"""What such a process is told of this one's environment: where programs are, and no keys."""
SPARE_SECONDS = 10
MOST_ANSWERED = 256 * 1024**2
"""Bytes of an answer: what is printed beyond would fill the memory of whoever asked, which nothing confines."""
FRESH_SECONDS = 240
"""How long a process that was started ahead is asked: less than it waits (``agencies.engine.limits.IDLE_SECONDS``)."""
logger = logging.getLogger(__name__)


class TooMuch(Exception):
    """What was sent takes more time or memory than it may, or brought its reader down."""


def _tongues() -> str:
    """The languages in which such a process can tell of a problem, and where their texts are, as JSON."""
    return json.dumps(
        {
            "languages": [[code, str(name)] for code, name in settings.LANGUAGES],
            "locale_paths": [str(folder) for folder in settings.LOCALE_PATHS],
        }
    )


@dataclass(frozen=True)
class _Reader:
    """A process that has been started and not been asked yet. It answers one question."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    """To its input. It is cut when the process ends, which is known at once so: waiting for a process asks twenty times a second."""
    # Its own folder for what it unpacks: whoever is stopped does not tidy up.
    folder: tempfile.TemporaryDirectory[str]
    answer: IO[bytes]
    since: float = field(default_factory=time.monotonic)

    @classmethod
    def started(cls, module: str) -> "_Reader":
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        # Each thread that a library opens in advance reserves memory that it never uses.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        folder = tempfile.TemporaryDirectory(prefix="confined-")
        answer = tempfile.TemporaryFile(dir=folder.name)  # noqa: SIM115 - closed with the reader
        line, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", module], stdin=theirs.fileno(), stdout=answer, stderr=subprocess.DEVNULL,
                cwd=settings.BASE_DIR, env=environment | {"TMPDIR": folder.name, "MISSIONS_TONGUES": _tongues()},
            )  # fmt: skip
        return cls(process, line, folder, answer)

    def is_fresh(self) -> bool:
        return self.process.poll() is None and time.monotonic() - self.since < FRESH_SECONDS

    def told(self, question: bytes, seconds: float) -> int:
        """Ask, and wait for the end of the process. Returns its code; raises ``TimeoutError``."""
        until = time.monotonic() + seconds
        try:
            self.line.settimeout(seconds)
            self.line.sendall(question)
            self.line.shutdown(socket.SHUT_WR)
            heard = b" "
            while heard:
                self.line.settimeout(max(0.01, until - time.monotonic()))
                heard = self.line.recv(1024)
                if time.monotonic() > until:
                    raise TimeoutError
        # It has ended before it had read all: its code says why.
        except ConnectionError:
            pass
        try:
            return self.process.wait(max(0.01, until - time.monotonic()))
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError from exc

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.line.close()
        self.answer.close()
        self.folder.cleanup()


_waiting: dict[tuple[int, str], _Reader] = {}
"""By this process's number and the module: one that this one was forked from has its own."""


def ready(module: str) -> None:
    """Start ``module`` ahead of the question that a person is likely to ask next: its libraries are open by then.

    It holds what they take for at most five minutes, then ends by itself, as it does with this process.
    """
    key = (os.getpid(), module)
    there = _waiting.get(key)
    if there is not None and there.is_fresh():
        return
    try:
        reader = _Reader.started(module)
    except OSError as exc:
        logger.warning("%s was not started ahead: %s", module, exc)
        return
    if (there := _waiting.pop(key, None)) is not None:
        there.close()
    # Another thread may have been as quick.
    if _waiting.setdefault(key, reader) is not reader:
        reader.close()


def _taken(module: str) -> _Reader | None:
    reader = _waiting.pop((os.getpid(), module), None)
    if reader is None or reader.is_fresh():
        return reader
    reader.close()
    return None


@atexit.register
def close_waiting() -> None:
    """End what was started ahead."""
    for key in list(_waiting):
        if key[0] == os.getpid():
            _waiting.pop(key).close()


def confined(module: str, asked: dict[str, Any], *, seconds: int, megabytes: int) -> Any:
    """Run ``python -m module`` with ``asked`` as JSON at its input, and return the JSON that it prints.

    The module calls ``agencies.engine.limits.limited`` before it opens what it is asked about. ``seconds`` are of the processor,
    and by the clock as many and ten more. Each question has a process of its own, started now or ahead (``ready``).
    It is told the language that is spoken now. Raises ``TooMuch`` for an end by a limit, by a signal, or with anything but JSON of ``MOST_ANSWERED`` bytes at most.
    """
    language = get_language() or settings.LANGUAGE_CODE
    question = json.dumps(
        {"seconds": seconds, "megabytes": megabytes, "language": language, **asked}
    ).encode()
    reader = _taken(module) or _Reader.started(module)
    try:
        try:
            code = reader.told(question, seconds + SPARE_SECONDS)
        except TimeoutError as exc:
            raise TooMuch(f"{module}: stopped after {seconds + SPARE_SECONDS} s") from exc
        if code:
            raise TooMuch(f"{module}: ended with {code}")
        reader.answer.seek(0)
        printed = reader.answer.read(MOST_ANSWERED + 1)
    finally:
        reader.close()
    if len(printed) > MOST_ANSWERED:
        raise TooMuch(f"{module}: answered with more than {MOST_ANSWERED // 1024**2} MB")
    try:
        return json.loads(printed)
    except (ValueError, RecursionError) as exc:
        raise TooMuch(f"{module}: answered something else than JSON") from exc
