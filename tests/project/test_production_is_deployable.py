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


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "1 30"),
        ({"ALLOWED_HOSTS": "localhost", "INSECURE_LOCAL_HTTP": "1"}, "0 30"),
        ({"TRUSTED_PROXIES": "2", "SESSION_IDLE_MINUTES": "0"}, "2 0"),
        (
            {"TRUSTED_PROXIES": "nginx"},
            "TRUSTED_PROXIES is “nginx”. Next step: set it to a whole number from 0",
        ),
        ({"SESSION_IDLE_MINUTES": "soon"}, "SESSION_IDLE_MINUTES is “soon”"),
    ],
)
def test_the_proxy_before_it_is_believed_and_no_other(
    tmp_path: Path, more: dict[str, str], told: str
) -> None:
    say = (
        "from django.conf import settings as s; print(s.ALLAUTH_TRUSTED_PROXY_COUNT, s.SESSION_IDLE_MINUTES)"
    )
    done = subprocess.run(
        [sys.executable, "-c", say],
        cwd=ROOT, env={**os.environ, **ENVIRONMENT, **more, "MISSIONS_VAR_DIR": str(tmp_path)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert told in done.stdout + done.stderr
