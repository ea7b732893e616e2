"""Reading what strangers sent in a process of its own: with little memory, little time, and none of this process's secrets."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PROJ_DATA", "GDAL_DATA")
"""What such a process is told of this one's environment: where programs are, and no keys."""
SPARE_SECONDS = 10
MOST_ANSWERED = 256 * 1024**2
"""Bytes of an answer: what is printed beyond would fill the memory of whoever asked, which nothing confines."""


class TooMuch(Exception):
    """What was sent takes more time or memory than it may, or brought its reader down."""


def speech() -> dict[str, Any]:
    """What such a process needs to tell of a problem in the language that is spoken now: part of what it is asked."""
    return {
        "language": get_language() or settings.LANGUAGE_CODE,
        "languages": [[code, str(name)] for code, name in settings.LANGUAGES],
        "locale_paths": [str(folder) for folder in settings.LOCALE_PATHS],
    }


def confined(module: str, asked: dict[str, Any], *, seconds: int, megabytes: int) -> Any:
    """Run ``python -m module`` with ``asked`` as JSON at its input, and return the JSON that it prints.

    The module calls ``agencies.engine.limits.limited`` first. ``seconds`` are of the processor, and by the clock as many and ten more.
    Raises ``TooMuch`` for an end by a limit, by a signal, or with anything but JSON of ``MOST_ANSWERED`` bytes at most.
    """
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    # Each thread that a library opens in advance reserves memory that it never uses.
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    told = json.dumps({"seconds": seconds, "megabytes": megabytes, **asked}).encode()
    # Its own folder for what it unpacks: whoever is stopped does not tidy up.
    with (
        tempfile.TemporaryDirectory(prefix="confined-") as folder,
        tempfile.TemporaryFile(dir=folder) as answer,
    ):
        try:
            done = subprocess.run(
                [sys.executable, "-m", module], input=told, stdout=answer, stderr=subprocess.DEVNULL, cwd=settings.BASE_DIR,
                env=environment | {"TMPDIR": folder}, timeout=seconds + SPARE_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            raise TooMuch(f"{module}: stopped after {exc.timeout:.0f} s") from exc
        if done.returncode:
            raise TooMuch(f"{module}: ended with {done.returncode}")
        answer.seek(0)
        printed = answer.read(MOST_ANSWERED + 1)
    if len(printed) > MOST_ANSWERED:
        raise TooMuch(f"{module}: answered with more than {MOST_ANSWERED // 1024**2} MB")
    try:
        return json.loads(printed)
    except (ValueError, RecursionError) as exc:
        raise TooMuch(f"{module}: answered something else than JSON") from exc
