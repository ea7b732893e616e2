"""Run every check that needs no test data, one after another, and name those that failed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format": [str(BIN / "ruff"), "format", "--check", "."],
    "lint": [str(BIN / "ruff"), "check", "."],
    "types": [str(BIN / "mypy")],
    "imports": [str(BIN / "lint-imports"), "--no-cache"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
}
"""What `make lint` runs; tests/project/test_contracts*.py run the same commands inside pytest."""


def run(name: str) -> subprocess.CompletedProcess[str]:
    """One check, its output captured."""
    with tempfile.TemporaryDirectory(prefix="missions-test-") as scratch:
        # mypy leaves without running exit handlers: the settings' own folder would stay behind.
        environment = {
            "MISSIONS_TEST_DIR": scratch,
            "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
        }
        return subprocess.run(
            CHECKS[name],
            cwd=ROOT,
            env={**os.environ, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def main() -> int:
    failed = []
    for name in CHECKS:
        print(f"{name:<11}", end="", flush=True)
        result = run(name)
        print("ok" if result.returncode == 0 else "FAILED", flush=True)
        if result.returncode != 0:
            failed.append(name)
            print(result.stdout)
    if failed:
        print(f"Failed: {', '.join(failed)}. Next step: `make format` mends format and much of lint.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
