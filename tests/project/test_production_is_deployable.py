"""Django's own list of what a public site must have finds nothing wrong with the production profile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "missions_project.settings.production",
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOP",
    "ALLOWED_HOSTS": "missions.example.org",
    "DATABASE_URL": "postgres://missions:none@127.0.0.1:1/missions",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}


@pytest.mark.checks
def test_check_deploy_is_clean(tmp_path: Path) -> None:
    # Set for the browser tests; no installation has it.
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env={**clean, **ENVIRONMENT, "MISSIONS_VAR_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout
