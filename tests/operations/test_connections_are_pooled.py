"""Connections to PostgreSQL under the production profile: shared by a process's threads, each told anew whose rows it shows, and back after a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_database_and_broker_go_down import LACK, Servers
from tools import up

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.skipif(bool(LACK), reason=LACK)]
MOST = 3
Asks = Callable[[str], Any]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path / "servers")
    yield made
    made.close()


@pytest.fixture
def process(servers: Servers, tmp_path: Path) -> Iterator[Asks]:
    """A process of the product with three connections at most; a function that has it take a step."""
    told = up.environment(tmp_path, 8000, servers.database_port, servers.broker_port)
    own = {name: value for name, value in told.items() if name != "MISSIONS_TEST_DIR"}
    one = subprocess.Popen(
        [sys.executable, "-m", "tests.operations.pooled"],
        cwd=up.ROOT, env=own | {"DATABASE_POOL": str(MOST)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert one.stdin is not None
    assert one.stdout is not None

    def step(name: str) -> Any:
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write(f"{name}\n")
        one.stdin.flush()
        return json.loads(one.stdout.readline())

    yield step
    one.stdin.close()
    began = time.monotonic()
    # The pool's own threads let it end.
    assert one.wait(timeout=30) == 0
    assert time.monotonic() - began < 20


def test_threads_share_few_connections(process: Asks) -> None:
    found = process("crowd")
    assert found["answers"] == 12
    assert 1 <= found["connections"] <= MOST
    assert found["open"] <= MOST


def test_a_connection_shows_nobody_the_rows_of_who_had_it_before(process: Asks) -> None:
    found = process("walls")
    assert len({pid for pid, _ in found}) == 1, "one connection, in turn"
    assert [told for _, told in found] == ["all", "7", "none", "8"]


def test_a_crashed_database_is_told_soon_and_asked_again_when_it_is_back(
    servers: Servers, process: Asks
) -> None:
    assert process("ask")["answer"] == 1
    servers.crash_database()
    away = [process("ask") for _ in range(3)]
    assert {one["answer"] for one in away} == {"OperationalError"}
    servers.start_database()
    deadline = time.monotonic() + 30
    while (back := process("ask"))["answer"] != 1:
        assert time.monotonic() < deadline, back
    assert process("crowd")["answers"] == 12


def test_without_a_pool_each_thread_keeps_its_own() -> None:
    asked = "from django.conf import settings; d = settings.DATABASES['default']; print(d['CONN_MAX_AGE'], d.get('OPTIONS', {}).get('pool'))"
    told = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.production",
        "SECRET_KEY": "x" * 50, "ALLOWED_HOSTS": "missions.example.org", "DATABASE_URL": "postgres://missions@localhost/missions",
        "CELERY_BROKER_URL": "redis://localhost:6379/0", "FEED_SECRETS_KEY": "y" * 50, "BACKUP_KEY": "z" * 50, "EMAIL_HOST": "localhost",
        "EMAIL_FROM": "missions@example.org",
    }  # fmt: skip
    found = [
        subprocess.run([sys.executable, "-c", asked], cwd=up.ROOT, env=told | own, capture_output=True, text=True).stdout.strip()
        for own in ({"DATABASE_POOL": "0"}, {"DATABASE_POOL": "5"})
    ]  # fmt: skip
    assert found[0] == "60 None"
    assert found[1].startswith("0 {'min_size': 0, 'max_size': 5")
