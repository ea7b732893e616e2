"""Run the whole suite: on SQLite, what touches the database again on a throwaway PostgreSQL, then a short soak.

    .venv/bin/python tools/test.py [pytest arguments]

The soak (tests/faults/soak.py) counts as one test and is left out where pytest is told what to run.
Ends with what was skipped and the command that would un-skip it, then one closing line in pytest's form.
REQUIRE_ALL=1 makes every skip a failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import postgres  # noqa: E402 - found only once the checkout is on the path

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
NO_TESTS_COLLECTED = 5
INTERRUPTED = 2
SOAK = ("--days", "2", "--kills-a-minute", "4", "--minutes", "20")
"""Two simulated days with random kills, malformed requests and readers; 20 minutes only against hanging for ever."""


@dataclass
class Tally:
    """What one or several pytest runs came to."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    xfailed: int = 0
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.errors += other.errors
        self.xfailed += other.xfailed
        self.skips.update(other.skips)

    def closing_line(self, seconds: float) -> str:
        """The last line of `make test`, e.g. "=== 512 passed, 0 failed, 3 skipped in 301.20s ==="."""
        parts = [f"{self.passed} passed", f"{self.failed} failed", f"{self.skips.total()} skipped"]
        parts += [f"{self.xfailed} xfailed"] if self.xfailed else []
        parts += [f"{self.errors} errors"] if self.errors else []
        return f" {', '.join(parts)} in {seconds:.2f}s ".center(80, "=")


def read_report(path: Path, exit_code: int) -> Tally:
    """Count pytest's own XML report. A run that died before writing one is an error, never a silent zero."""
    tally = Tally()
    if not path.exists():
        tally.errors = 1
        return tally
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        skipped = case.find("skipped")
        if case.find("error") is not None:
            tally.errors += 1
        elif case.find("failure") is not None:
            tally.failed += 1
        elif skipped is None:
            tally.passed += 1
        elif skipped.get("type") == "pytest.xfail":
            tally.xfailed += 1
        else:
            tally.skips[skipped.get("message", "no reason given")] += 1
    if exit_code not in (0, NO_TESTS_COLLECTED) and not tally.failed and not tally.errors:
        tally.errors = 1
    return tally


def run_pytest(
    name: str, arguments: list[str], scratch: Path, environment: dict[str, str]
) -> tuple[int, Tally]:
    """One pytest process on every core up to eight; its output goes straight to the terminal."""
    report = scratch / f"{name}.xml"
    workers = max(1, min(os.cpu_count() or 1, 8))
    # loadfile: a file's expensive fixtures are then built once, not once a worker.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        str(workers),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]
    process = subprocess.Popen(
        [*command, f"--junitxml={report}", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            **environment,
            "MISSIONS_TEST_DIR": str(scratch / name),
            # Two workers with a thread for every core each would fight over the cores.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )
    code = waited(process)
    if code == INTERRUPTED and not report.exists():
        raise KeyboardInterrupt
    return code, read_report(report, code)


def waited(process: subprocess.Popen[bytes]) -> int:
    """The process's exit code; whoever is interrupted meanwhile leaves it no orphan."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        # At Ctrl-C it is tearing down by itself; at `kill` it knows nothing yet. Leaving now would orphan it.
        for stop in (process.terminate, process.kill):
            with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                process.wait(timeout=10)
            if process.poll() is None:
                stop()
        process.wait()
        raise


def run_soak() -> Tally:
    """The soak as one test, passed or failed; its verdict goes to the terminal."""
    heading("Soak: days with kills, malformed requests and readers end as calm ones")
    code = waited(subprocess.Popen([sys.executable, "-m", "tests.faults.soak", *SOAK], cwd=ROOT))
    return Tally(passed=int(code == 0), failed=int(code != 0))


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def run_all(arguments: list[str], scratch: Path) -> tuple[Tally, bool]:
    """Both databases; returns the sum and whether everything held."""
    heading("SQLite: everything")
    code, total = run_pytest("sqlite", arguments, scratch, {"DATABASE_URL": ""})
    healthy = code == 0
    heading("PostgreSQL: what touches the database")
    binaries = postgres.find_binaries()
    if binaries is None:
        reason = (
            f"the suite's second run: no PostgreSQL server binaries found. To run it: {postgres.INSTALL_HINT}"
        )
        print(reason)
        if REQUIRE_ALL:
            total.failed += 1
        else:
            total.skips[reason] += 1
        return total, healthy
    with postgres.cluster(binaries) as url:
        second = ["--second-database", *arguments]
        code, tally = run_pytest("postgresql", second, scratch, {"DATABASE_URL": url})
    total.add(tally)
    return total, healthy and code in (0, NO_TESTS_COLLECTED)


def main(arguments: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        # A shell's background job inherits an ignored Ctrl-C; `kill` must stop the cluster too.
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="missions-tests-", ignore_cleanup_errors=True) as scratch:
        total, healthy = run_all(arguments, Path(scratch))
    if not arguments:
        total.add(run_soak())
    heading("Skipped")
    for reason, count in sorted(total.skips.items()):
        print(f"{count:4d} × {reason}")
    if not total.skips:
        print("nothing")
    print(flush=True)
    print(total.closing_line(time.monotonic() - started), flush=True)
    return 0 if healthy and not total.failed and not total.errors else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", flush=True)
        sys.exit(130)
