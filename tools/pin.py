"""Compile requirements*.in into pinned requirements*.txt without a trace of the machine that did it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--quiet", "--no-header", "--strip-extras", "--annotation-style=line", "--pip-args=--only-binary :all:",
    # An index address or a local wheel folder in the file would break every other machine.
    "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--no-emit-options",
]  # fmt: skip


def main(arguments: list[str]) -> int:
    for name in ("requirements", "requirements-dev"):
        compiled = [
            sys.executable,
            "-m",
            "piptools",
            "compile",
            *OPTIONS,
            *arguments,
            "-o",
            f"{name}.txt",
            f"{name}.in",
        ]
        subprocess.run(compiled, cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
