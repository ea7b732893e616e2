"""A machine that lacks something is told what, and the command that mends it; nothing half-made stays behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.sources import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but the bootstrap and the requirements."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", tmp_path / "tools")
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def bootstrap(checkout: Path, level: str = "runtime", **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV")}
    return subprocess.run(
        [sys.executable, "tools/bootstrap.py", level],
        cwd=checkout,
        env=clean | environment,
        text=True,
        capture_output=True,
    )


def fake_python(folder: Path, script: str) -> str:
    path = folder / "fake-python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_that_is_too_old_is_named_with_the_package_to_install(checkout: Path) -> None:
    result = bootstrap(checkout, PYTHON=fake_python(checkout, "echo 3.8"))
    assert result.returncode == 2
    assert "is 3.8" in result.stderr
    assert "Next step: apt-get install python3.11 python3.11-venv" in result.stderr


def test_a_missing_venv_module_is_named_with_the_package_to_install(checkout: Path) -> None:
    script = 'case "$*" in *ensurepip*) exit 1;; *) echo 3.12;; esac'
    result = bootstrap(checkout, PYTHON=fake_python(checkout, script))
    assert result.returncode == 2
    assert "Next step: apt-get install python3.12-venv" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_full_disk_is_found_before_anything_is_written(checkout: Path) -> None:
    script = checkout / "tools" / "bootstrap.py"
    script.write_text(script.read_text().replace('{"runtime": 1600', '{"runtime": 16000000000'))
    result = bootstrap(checkout)
    assert result.returncode == 2
    assert "MB free" in result.stderr
    assert "make VENV=" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_folder_that_is_not_an_environment_is_never_cleared(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "diary.txt").write_text("mine")
    result = bootstrap(checkout)
    assert result.returncode == 2
    assert "is not a virtual environment" in result.stderr
    assert (checkout / ".venv" / "diary.txt").read_text() == "mine"


def test_an_environment_with_these_requirements_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    stamp = subprocess.run(
        [sys.executable, "-c", "import bootstrap; print(bootstrap.fingerprint('runtime'))"],
        cwd=checkout / "tools",
        text=True,
        capture_output=True,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "VENV"},
    )
    (checkout / ".venv" / ".requirements-runtime").write_text(stamp.stdout)
    result = bootstrap(checkout)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_bootstrap_parses_on_the_oldest_python_that_may_start_it() -> None:
    import ast

    ast.parse((ROOT / "tools" / "bootstrap.py").read_text(), feature_version=(3, 6))
