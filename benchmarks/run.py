"""Run every benchmark, keep one JSON each, and print one table.

    .venv/bin/python benchmarks/run.py [word …]      only those whose name holds one of the words

A benchmark is a file `benchmarks/bench_<name>.py` that takes `--out FILE`, measures, and writes its figures there as
one JSON object (nested objects are fine; units belong in the names), or prints `Skipped: …` and writes nothing. Each runs in a process of its own, so that its
wall time and peak memory are its own too; both are added to the file under "process".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Outcome:
    """What became of one benchmark: its figures, or why there are none."""

    name: str
    figures: dict[str, Any]
    error: str = ""
    skipped: str = ""


def run_one(script: Path) -> Outcome:
    """Run a benchmark in its own process and read the figures that it left."""
    name = script.stem.removeprefix("bench_")
    out = RESULTS / f"{name}.json"
    # A file of an earlier run would pass for the result of one that failed.
    out.unlink(missing_ok=True)
    log = RESULTS / f"{name}.log"
    started = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, str(script), "--out", str(out)],
            cwd=HERE.parent,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        # wait4 tells this child's own peak; RUSAGE_CHILDREN would keep the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    tail = log.read_text(errors="replace").strip().splitlines()[-3:]
    if code == 0 and not out.exists() and tail and tail[-1].startswith("Skipped:"):
        return Outcome(name, {}, skipped=tail[-1])
    if code != 0 or not out.exists():
        return Outcome(
            name, {}, f"exit code {code}; {' / '.join(tail) or 'no output'}; all of it in {log.name}"
        )
    figures = json.loads(out.read_text(encoding="utf-8"))
    figures["process"] = {"wall_s": round(time.monotonic() - started, 2), "peak_mb": usage.ru_maxrss // 1024}
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return Outcome(name, figures)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Rows of the table: one a number or short text, named by its way through the object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path} · {key}" if path else str(key))
    elif isinstance(value, float):
        yield path, f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, f"{value:,}"
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            if isinstance(item, dict):
                # A row of a table in the file: its words name it, its numbers are the figures.
                words = [str(part) for part in item.values() if isinstance(part, str | bool)]
                # Tables inside tables stay in the file: a league of thousands of figures hides all others here.
                numbers = {key: part for key, part in item.items() if not isinstance(part, str | bool | list)}
                yield from flat(numbers, f"{path} · {' '.join(words) or number}")
    else:
        yield path, str(value)[:40]


def print_table(outcomes: list[Outcome]) -> None:
    rows = [
        (outcome.name, figure, text)
        for outcome in outcomes
        for figure, text in flat(outcome.figures)
        if figure != "benchmark"
    ]
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    previous = ""
    for name, figure, text in rows:
        label = "" if name == previous else name
        previous = name
        print(f"{label:<{widths[0]}}  {figure:<{widths[1]}}  {text:>{widths[2]}}")


def main(words: list[str]) -> int:
    scripts = [
        path
        for path in sorted(HERE.glob("bench_*.py"))
        if not words or any(word in path.stem for word in words)
    ]
    if not scripts:
        names = ", ".join(path.stem.removeprefix("bench_") for path in sorted(HERE.glob("bench_*.py")))
        print(f"No benchmark matches {' '.join(words)!r}. There are: {names or 'none yet'}")
        return 2
    RESULTS.mkdir(exist_ok=True)
    outcomes = []
    for number, script in enumerate(scripts, 1):
        print(f"[{number}/{len(scripts)}] {script.stem.removeprefix('bench_')} … ", end="", flush=True)
        outcome = run_one(script)
        outcomes.append(outcome)
        wall = outcome.figures.get("process", {}).get("wall_s")
        print("FAILED" if outcome.error else outcome.skipped or f"{wall} s", flush=True)
    print()
    print_table(outcomes)
    for outcome in outcomes:
        if outcome.error:
            print(f"{outcome.name} FAILED: {outcome.error}")
    print(f"\nOne JSON each in {RESULTS.relative_to(HERE.parent)}/")
    return 1 if any(outcome.error for outcome in outcomes) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nStopped.")
        sys.exit(130)
