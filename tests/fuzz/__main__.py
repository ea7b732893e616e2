"""`make fuzz`: every parser is fed damaged files for so many seconds; only its own errors may come out.

    .venv/bin/python -m tests.fuzz [--seconds 60] [--seed 8] [PARSER …]

Guided by coverage where atheris is installed (requirements-dev.txt), else by mutations of valid examples alone. Ends with 1
where a parser raised anything else, was ended by a signal, or needed too long.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Fed:
    """What became of one parser."""

    name: str
    executions: int
    seconds: float
    faults: tuple[str, ...]


def fed(name: str, *, seconds: float, seed: int, folder: Path) -> Fed:
    """Run one parser's process and read what it left."""
    folder.mkdir()
    began = time.monotonic()
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "missions_project.settings.test", "MISSIONS_TEST_DIR": str(folder / "var"),
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(folder),
    }  # fmt: skip
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.child", name, str(seconds), str(seed), str(folder)],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    log_text = (folder / "log").read_text(errors="replace")
    faults = [json.loads(line) for line in _text(folder / "faults").splitlines()]
    told = [f"{fault['where']}: {fault['words']}\n      base64 {fault['data'][:400]}" for fault in faults]
    if done.returncode != 0:
        current = (folder / "current").read_bytes()[:300] if (folder / "current").exists() else b""
        told.append(f"ended with {done.returncode} while it read {current!r}\n{log_text[-1500:]}")
    stats = re.search(r"stat::number_of_executed_units:\s*(\d+)", log_text)
    executions = int(stats[1]) if stats else int(_text(folder / "count") or 0)
    return Fed(name, executions, time.monotonic() - began, tuple(told))


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def names() -> list[str]:
    """The parsers' names, from a process of its own: this one needs no Django."""
    code = "import django; django.setup()\nfrom tests.fuzz.parsers import parsers\nprint(*(p.name for p in parsers()), sep='\\n')"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "missions_project.settings.test"}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()  # fmt: skip


def fuzz(wanted: list[str], *, seconds: float, seed: int) -> int:
    """Each parser in turn; 1 where one had a fault."""
    how = "atheris" if importlib.util.find_spec("atheris") else "mutations alone (atheris is not installed)"
    total = faults = 0
    with tempfile.TemporaryDirectory(prefix="missions-fuzz-", ignore_cleanup_errors=True) as folder:
        for number, name in enumerate(wanted or names()):
            one = fed(name, seconds=seconds, seed=seed, folder=Path(folder) / str(number))
            total, faults = total + one.executions, faults + len(one.faults)
            print(
                f"  {one.name:<16} {one.executions:>8,} executions in {one.seconds:>4.0f} s, {len(one.faults)} faults",
                flush=True,
            )
            for fault in one.faults:
                print(f"    FAULT {fault}", flush=True)
            if not one.executions:
                faults += 1
                print("    FAULT nothing was read")
    print(
        f"FUZZ {'FAILED' if faults else 'PASSED'}: {total:,} executions by {how}, seed {seed}, {faults} faults"
    )
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parsers", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="For each parser.")
    parser.add_argument("--seed", type=int, default=8)
    chosen = parser.parse_args()
    return fuzz(chosen.parsers, seconds=chosen.seconds, seed=chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
