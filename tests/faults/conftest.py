"""The calm installation, built once a session, and copies of it from before each work."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.faults.installation import Installation
from tests.faults.servers import Servers
from tools import up

# They turn the clock and arm the faults of the process that imports them: not this one's.
collect_ignore = ["settings.py", "worker.py"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``calm`` (all work done, undisturbed) and a copy from before each work, by its name."""
    if os.environ.get("FAULTS_BUILT"):
        return Path(os.environ["FAULTS_BUILT"])
    base = tmp_path_factory.getbasetemp()
    # The workers of one run build it once: whoever comes second waits for the first and finds it done.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = shared / "faults", shared / "faults-built"
    with (shared / "faults-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            build(folder)
            done.touch()
    return folder


def build(folder: Path) -> None:
    one = Installation(folder / "calm")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.city", "build", str(folder)],
        cwd=settings.BASE_DIR, env=one.environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def calm(built: Path) -> dict[str, Any]:
    """Rows and runs of the calm installation."""
    return Installation(built / "calm").summed()


@pytest.fixture
def before(built: Path, tmp_path: Path) -> Iterator[Callable[[str], Installation]]:
    """A function: a fresh copy of the installation from before a work. Its processes end with the test."""
    made: list[Installation] = []

    def copy(what: str) -> Installation:
        made.append(Installation(built / what).copy(tmp_path / f"{what}{len(made)}"))
        return made[-1]

    yield copy
    for one in made:
        one.close()


@pytest.fixture(params=["trial", "stack"])
def either(
    request: pytest.FixtureRequest, before: Callable[[str], Installation], tmp_path: Path
) -> Iterator[Callable[[str], Installation]]:
    """As ``before``: once a trial on one machine, once the production stack."""
    if request.param == "trial":
        yield before
        return
    if lack := up.missing():
        pytest.skip(lack)
    servers: Servers = request.getfixturevalue("servers")
    made: list[Installation] = []

    def copy(what: str) -> Installation:
        made.append(servers.stack(tmp_path / f"{what}{len(made)}", before=what))
        return made[-1]

    yield copy
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL and Redis, for all tests that leave them alone: each has a database of its own in them."""
    with closing(Servers(tmp_path_factory.mktemp("servers") / "both")) as made:
        yield made
