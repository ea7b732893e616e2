"""`make up` brings the production stack up on one machine, serves a page, runs tasks in each queue, and goes down whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import postgres, up

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]
LACK = up.missing()
SECONDS = 600


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> object:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if found := what():
                return found
        except (OSError, subprocess.SubprocessError, ValueError):
            pass
        time.sleep(1.0)
    raise AssertionError(f"It did not come: {log.read_text()[-3000:]}")


@pytest.mark.skipif(bool(LACK), reason=LACK)
def test_the_whole_stack_comes_up_works_and_goes_down(tmp_path: Path) -> None:
    port, var, log = postgres.free_port(), tmp_path / "up", tmp_path / "up.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "tools/up.py", "--port", str(port), "--var", str(var)],
            cwd=up.ROOT, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(("MISSIONS_", "DJANGO_", "DATABASE_"))},
        )  # fmt: skip
    try:
        ready = wait_for(lambda: get(port, "/readyz"), process, log)
        assert json.loads(str(ready))["status"] == "ready"
        assert "Sign" in get(port, "/accounts/login/")
        told = {
            **os.environ,
            "MISSIONS_ENV_FILE": str(var / "env"),
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.production",
        }
        told = {
            name: value
            for name, value in told.items()
            if name not in ("MISSIONS_VAR_DIR", "MISSIONS_TEST_DIR", "DATABASE_URL")
        }

        def complaints() -> list[str] | None:
            done = subprocess.run(
                [sys.executable, "manage.py", "doctor", "--json"],
                cwd=up.ROOT,
                env=told,
                capture_output=True,
                text=True,
            )
            found = {row["check"] for row in json.loads(done.stdout)["findings"]}
            # The scheduler has sent, the worker has done, and each queue has its worker.
            return (
                None
                if found & {"scheduler", "workers", "broker", "database", "migrations"}
                else sorted(found)
            )

        # What is left is true of a stack that was made a minute ago for nobody.
        assert set(wait_for(complaints, process, log)) <= {
            "operator",
            "operator_account",
            "backups",
            "mail",
            "disk",
            "hosts",
        }  # type: ignore[call-overload]
        assert 'missions_pulse_age_seconds{name="dispatch"}' in get(port, "/metrics")
        made = subprocess.run(
            [sys.executable, "manage.py", "backup", "--to", str(tmp_path / "backups")],
            cwd=up.ROOT,
            env=told,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        assert "tables" in made.stdout
    finally:
        process.terminate()
        process.wait(timeout=120)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=3)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return str(answer.read().decode())
