"""bandit knows the calls that have opened other people's servers; each of ours that it names was read, and says why it is safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ["agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project"]


@pytest.mark.checks
def test_bandit_finds_nothing_that_nobody_has_judged() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "--quiet", "--recursive", "-ll", *ROOMS],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
