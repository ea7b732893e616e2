"""The files that belong to the project: what Git tracks or would track."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUTSIDE = {".git", ".venv", "var", "staticfiles", "node_modules", "__pycache__", "results", "artifacts"}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the checkout, without what .gitignore leaves out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    if listed.returncode == 0:
        return tuple(path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file())
    # An unpacked archive has no Git: leave out the folders that .gitignore would.
    return tuple(
        path for path in ROOT.rglob("*") if path.is_file() and not OUTSIDE & set(path.relative_to(ROOT).parts)
    )


def text_files() -> Iterator[tuple[Path, str]]:
    """Those that hold UTF-8 text, with it."""
    for path in project_files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def python_files() -> Iterator[Path]:
    """Our Python, migrations left out: Django writes those."""
    return (path for path in project_files() if path.suffix == ".py" and path.parent.name != "migrations")
